//! A command for each incident. It is run by `sh -c`, as the user wrote it; nothing of an incident is ever part of the
//! command line. The JSON comes as a file on standard input, so that a command which does not read it is no trouble;
//! two words that this program made itself, the id and the killer's code, come as variables.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::queue::{Delivery, Queue};
use super::{Act, Failure, HookCounts};

/// Variables of a service manager that are meant for this process alone.
const NOT_INHERITED: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];
/// Between SIGTERM and SIGKILL for a command that takes too long.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether the program wants to end, or, before Linux 5.3, the command has.
const LOOK: Duration = Duration::from_millis(100);
/// What is kept of what a command says when it fails.
const SAID: usize = 512;

pub(super) struct Exec {
    command: String,
    timeout: Duration,
    queue: Option<Arc<Queue>>,
}

impl Exec {
    pub(super) fn new(command: String, timeout: Duration) -> Self {
        Self {
            command,
            timeout,
            queue: None,
        }
    }

    /// What it is called in notes.
    pub(super) fn title(&self) -> String {
        format!("--exec `{}`", self.command)
    }

    fn start(&self, delivery: &Delivery) -> io::Result<(Child, io::PipeReader)> {
        let (said, says) = io::pipe()?;
        let child = Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .env("WHODUNIT_INCIDENT_ID", &delivery.id)
            .env("WHODUNIT_KILLER", &delivery.killer)
            .stdin(Stdio::from(json_file(&delivery.json)?))
            .stdout(Stdio::from(says.try_clone()?))
            .stderr(Stdio::from(says))
            .process_group(0)
            .without(&NOT_INHERITED)
            .spawn()?;
        Ok((child, said))
    }
}

trait Without {
    fn without(&mut self, names: &[&str]) -> &mut Self;
}

impl Without for Command {
    fn without(&mut self, names: &[&str]) -> &mut Self {
        for name in names {
            self.env_remove(name);
        }
        self
    }
}

/// The JSON as a file in memory.
fn json_file(json: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("incident.json", MemfdFlags::CLOEXEC)?);
    file.write_all(json)?;
    file.rewind()?;
    Ok(file)
}

impl Act for Exec {
    fn begin(&mut self, queue: Arc<Queue>) {
        self.queue = Some(queue);
    }

    fn act(&mut self, delivery: &Delivery, _: &HookCounts) -> Result<(), Failure> {
        let (child, said) = self.start(delivery).map_err(|error| Failure {
            kind: "start".into(),
            text: format!("sh -c could not be started: {error}"),
        })?;
        let mut run = Run::new(child, said).map_err(|error| Failure {
            kind: "start".into(),
            text: format!("what it does could not be followed: {error}"),
        })?;
        let abandoned = || {
            self.queue
                .as_ref()
                .is_some_and(|queue| queue.is_abandoned())
        };
        let ended = match run.wait(self.timeout, &abandoned) {
            Ok(Some(status)) => return judge(status, &run.words()),
            Ok(None) => run.end(),
            Err(error) => {
                let _ = run.end();
                Err(error)
            }
        };
        let how = match ended {
            Ok(()) => "it and its process group were ended".to_owned(),
            Err(error) => format!("and could not be ended: {error}"),
        };
        let (kind, why) = match abandoned() {
            true => (
                "stop",
                "it still ran when the program had to end".to_owned(),
            ),
            false => (
                "timeout",
                format!("it ran longer than {:?} (--hook-timeout)", self.timeout),
            ),
        };
        Err(Failure {
            kind: kind.into(),
            text: format!("{why} for incident {}: {how}{}", delivery.id, run.words()),
        })
    }
}

fn judge(status: ExitStatus, words: &str) -> Result<(), Failure> {
    let (kind, text) = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(()),
        (Some(code), _) => (
            format!("exit {code}"),
            format!("it ended with status {code}"),
        ),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            (
                format!("signal {signal}"),
                format!("it was ended by signal {signal}"),
            )
        }
    };
    Err(Failure {
        kind,
        text: format!("{text}{words}"),
    })
}

/// A command that runs.
struct Run {
    child: Child,
    group: Option<Pid>,
    pidfd: Option<OwnedFd>,
    /// None when nobody holds the other end any more.
    said: Option<io::PipeReader>,
    words: Vec<u8>,
}

impl Run {
    fn new(child: Child, said: io::PipeReader) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&said, true)?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            pidfd: group.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            child,
            group,
            said: Some(said),
            words: Vec::new(),
        })
    }

    /// Waits for its end; None when it takes too long or is not wanted any more. What its own children that go on do
    /// is not waited for.
    fn wait(
        &mut self,
        most: Duration,
        abandoned: &dyn Fn() -> bool,
    ) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + most;
        loop {
            self.listen();
            if let Some(status) = self.child.try_wait()? {
                self.listen();
                return Ok(Some(status));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || abandoned() {
                return Ok(None);
            }
            let step = left.min(LOOK);
            let timeout = Timespec {
                tv_sec: i64::try_from(step.as_secs()).unwrap_or(0),
                tv_nsec: step.subsec_nanos().into(),
            };
            let ends = self.pidfd.iter().map(|fd| PollFd::new(fd, PollFlags::IN));
            let says = self.said.iter().map(|fd| PollFd::new(fd, PollFlags::IN));
            let mut fds: Vec<_> = ends.chain(says).collect();
            match poll(&mut fds, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// SIGTERM to its process group, then SIGKILL. It is not reaped before, so that the group is still its own.
    fn end(&mut self) -> io::Result<()> {
        let Some(group) = self.group else {
            return self.child.kill();
        };
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && !self.is_over() {
            self.listen();
        }
        let killed = kill_process_group(group, Signal::KILL);
        self.child.wait()?;
        match killed {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the leader has ended, without reaping it.
    fn is_over(&self) -> bool {
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        match &self.pidfd {
            Some(fd) => {
                let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
                poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
            }
            None => {
                std::thread::sleep(LOOK);
                false
            }
        }
    }

    /// Takes what it said, keeps the beginning.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        // One that talks without end does not hold the clock back.
        for _ in 0..16 {
            let Some(said) = &mut self.said else { return };
            match said.read(&mut buffer) {
                Ok(0) => self.said = None,
                Ok(count) => {
                    let room = SAID.saturating_sub(self.words.len());
                    let new = buffer.get(..count.min(room)).unwrap_or_default();
                    self.words.extend_from_slice(new);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// What it said, for a note.
    fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.words);
        match text.trim() {
            "" => String::new(),
            text => format!("; it said: {text}"),
        }
    }
}
