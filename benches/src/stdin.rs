//! The log of the scan benchmark, through a pipe.
//!
//! Measured: wall time from process start to process end while this program writes the log into the pipe, and the most
//! anonymous memory (`RssAnon`) at three lengths of the same log: it may not grow with the length. Peer: `rg -c -F` on
//! the same pipe. Limit: a program that reads the pipe and does nothing. Writer and reader share the processors.

use std::process::Command;

use crate::outcome::Outcome;
use crate::rounds::{print, take_turns};
use crate::{Bench, child, scan};

/// Most that memory may differ between lengths: the page or two that reports of different size leave.
const TOLERATED_KIB: u64 = 4 << 10;

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let log = scan::log(bench)?;
    let rounds = if bench.quick { 3 } else { 9 };
    let whodunit = || {
        let mut command = Command::new(&bench.whodunit);
        command.args(["explain", "--no-progress", "-o", "ndjson", "-"]);
        command
    };
    let rg = || {
        let mut command = Command::new("rg");
        command.args(["-c", "-F", "invoked oom-killer", "-"]);
        command
    };
    let limit = || {
        let mut command = Command::new(&bench.own);
        command.arg("drain");
        command
    };
    println!(
        "stdin: {} MiB, {} reports, through a pipe",
        log.bytes >> 20,
        log.reports
    );
    let names = [
        "rg -c -F -",
        "whodunit explain -o ndjson -",
        "limit: the pipe, drained",
    ];
    let piped = |mut command: Command| child::time_piped(&mut command, &log.path, log.bytes);
    let times = take_turns(
        rounds,
        &mut || log.warm(),
        &mut [
            (names[0], &mut || piped(rg())),
            (names[1], &mut || piped(whodunit())),
            (names[2], &mut || piped(limit())),
        ],
    )?;
    println!(" {rounds} rounds in turns; x: rg's time");
    print(&names, &times, Some(log.bytes), 0);
    if let [_, whodunit, limit] = times.as_slice() {
        println!(
            "  the limit is the pipe: {:.2} GB/s; whodunit is at {:.0} % of it",
            limit.gigabytes_s(log.bytes),
            100.0 * limit.over(whodunit),
        );
    }
    let lengths = if bench.quick {
        [8, 64, 256]
    } else {
        [64, 512, 2048]
    };
    let mut peaks = Vec::new();
    for mib in lengths {
        let kib = child::peak_anon_kib(&mut whodunit(), Some((&log.path, mib << 20)))?;
        println!("  memory at {mib:4} MiB: {:.1} MiB", kib as f64 / 1024.0);
        peaks.push(kib);
    }
    let least = peaks.iter().min().copied().unwrap_or_default();
    let most = peaks.iter().max().copied().unwrap_or_default();
    outcome.target(
        &format!(
            "memory on a pipe does not grow: {least} to {most} KiB, at most {TOLERATED_KIB} KiB apart and {} MiB in all",
            64
        ),
        most - least <= TOLERATED_KIB && most <= 64 << 10,
    );
    Ok(())
}
