//! Whether the whole machine is being shut down, and not only this program stopped: systemd knows.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// systemd made it: it is this machine's service manager (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether systemd says that it brings the machine down (or up again). False where that cannot be known.
pub fn is_going_down() -> bool {
    Path::new(SYSTEMD).is_dir() && says_stopping(Command::new("systemctl").arg("is-system-running"))
}

/// `systemctl is-system-running` prints one word, `stopping` while a job for shutdown.target is queued or running.
fn says_stopping(question: &mut Command) -> bool {
    let asked = question
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = asked else { return false };
    if !ends_in_time(&mut child) {
        let _ = child.kill();
    }
    // It has ended: this does not wait, and the word fits into the pipe.
    let Ok(answer) = child.wait_with_output() else {
        return false;
    };
    answer.stdout.trim_ascii() == b"stopping"
}

fn ends_in_time(child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            ended => return matches!(ended, Ok(Some(_))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_counts() {
        let says = |script: &str| says_stopping(Command::new("sh").arg("-c").arg(script));
        assert!(says("echo stopping; exit 1"));
        assert!(!says("echo running"));
        assert!(!says("echo offline; exit 1"));
        assert!(!says("echo stopping >&2"));
        assert!(!says("exec sleep 60"));
        assert!(!says_stopping(&mut Command::new("/nonexistent")));
    }
}
