//! From start to verdict: a kern.log of 1 MB with three real reports among the kernel's other lines.
//!
//! Measured: process start to process end, verdict printed for people. Peers in the same rounds: `rg -c -F` on the
//! same file, and `true`, which is what starting any process costs.

use std::process::Command;

use crate::outcome::Outcome;
use crate::rounds::{print, take_turns};
use crate::{Bench, child, facts, log_file};

/// At most.
const TARGET_MS: f64 = 15.0;

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let log = log_file::noisy(&bench.folder, 1_000_000, 3)?;
    let rounds = if bench.quick { 10 } else { 50 };
    let whodunit = |format: &str| {
        let mut command = Command::new(&bench.whodunit);
        command.args(["explain", "-o", format]).arg(&log.path);
        command
    };
    println!("start: {} bytes, {} reports", log.bytes, log.reports);
    facts::check(&child::output(&mut whodunit("ndjson"))?, &log)?;
    let names = ["true", "rg -c -F", "whodunit explain"];
    let times = take_turns(
        rounds,
        &mut || log.warm(),
        &mut [
            (names[0], &mut || child::time(&mut Command::new("true"))),
            (names[1], &mut || {
                child::time(
                    Command::new("rg")
                        .args(["-c", "-F", "invoked oom-killer"])
                        .arg(&log.path),
                )
            }),
            (names[2], &mut || child::time(&mut whodunit("terminal"))),
        ],
    )?;
    println!(" {rounds} rounds in turns; x: rg's time");
    print(&names, &times, None, 1);
    if let Some(whodunit) = times.last() {
        let (best, median) = (
            whodunit.fastest().as_secs_f64() * 1e3,
            whodunit.median().as_secs_f64() * 1e3,
        );
        outcome.target(
            &format!(
                "start to verdict: best {best:.1} ms, median {median:.1} ms, at most {TARGET_MS} ms"
            ),
            median <= TARGET_MS,
        );
    }
    Ok(())
}
