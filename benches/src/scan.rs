//! A log of 2 GiB, mostly noise, with 1,000 real reports in it; warm page cache, which holds it once in large folios and
//! once in single pages. whodunit maps the file or copies it out, whichever is sooner; ripgrep and the limit map it.
//!
//! Measured: wall time from process start to process end, every report parsed, judged and printed (to /dev/null).
//! Peer: `rg -c -F 'invoked oom-killer'` on the same file in the same rounds; it counts lines and reads no report.
//! Limit: `memchr` counting the line ends of the same mapped file. All on one processor; then whodunit again with two
//! threads on two processors (ripgrep searches one file with one thread). Memory: the most anonymous memory (`RssAnon`)
//! of a run of its own.

use std::process::Command;

use crate::log_file::Folios;
use crate::outcome::Outcome;
use crate::rounds::{print, take_turns};
use crate::{Bench, child, facts, log_file};

/// Wall time over ripgrep's, at most.
const TARGET: f64 = 1.5;
/// Memory above the mapped file, at most.
const TARGET_KIB: u64 = 64 << 10;

pub(crate) fn log(bench: &Bench) -> anyhow::Result<log_file::Log> {
    if bench.quick {
        log_file::noisy(&bench.folder, 256 << 20, 125)
    } else {
        log_file::noisy(&bench.folder, 2 << 30, 1000)
    }
}

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let log = log(bench)?;
    let rounds = if bench.quick { 3 } else { 15 };
    let whodunit = |format: &str, threads: &str| {
        let mut command = Command::new(&bench.whodunit);
        command
            .args([
                "explain",
                "--no-progress",
                "-o",
                format,
                "--threads",
                threads,
            ])
            .arg(&log.path);
        command
    };
    let rg = || {
        let mut command = Command::new("rg");
        command
            .args(["-c", "-F", "invoked oom-killer"])
            .arg(&log.path);
        command
    };
    let limit = || {
        let mut command = Command::new(&bench.own);
        command.arg("newlines").arg(&log.path);
        command
    };
    println!(
        "scan: {} MiB, {} reports, warm",
        log.bytes >> 20,
        log.reports
    );
    facts::check(&child::output(&mut whodunit("ndjson", "1"))?, &log)?;

    let mut contend = |folios: Folios, cached: &str| -> anyhow::Result<()> {
        log.cache(folios)?;
        child::use_processors(1)?;
        let names = [
            "rg -c -F",
            "whodunit explain -o ndjson --threads 1",
            "whodunit explain --threads 1",
            "limit: line ends counted",
        ];
        let times = take_turns(
            rounds,
            &mut || log.warm(),
            &mut [
                (names[0], &mut || child::time(&mut rg())),
                (names[1], &mut || child::time(&mut whodunit("ndjson", "1"))),
                (names[2], &mut || {
                    child::time(&mut whodunit("terminal", "1"))
                }),
                (names[3], &mut || child::time(&mut limit())),
            ],
        )?;
        println!(" cached in {cached}; one processor, {rounds} rounds in turns; x: rg's time");
        print(&names, &times, Some(log.bytes), 0);
        if let [rg, ndjson, terminal, limit] = times.as_slice() {
            println!(
                "  the limit is memory and its mapping, read once: {:.2} GB/s; whodunit is at {:.0} % of it, rg at {:.0} %",
                limit.gigabytes_s(log.bytes),
                100.0 * limit.over(ndjson),
                100.0 * limit.over(rg),
            );
            let worst = ndjson.over(rg).max(terminal.over(rg));
            outcome.target(
                &format!("scan, {cached}, one processor: {worst:.2} x rg, at most {TARGET} x"),
                worst <= TARGET,
            );
        }

        let processors = child::use_processors(2)?;
        if processors < 2 {
            println!(" two processors: this machine lends one only; not measured");
        } else {
            let names = ["rg -c -F", "whodunit explain -o ndjson --threads 2"];
            let times = take_turns(
                rounds,
                &mut || log.warm(),
                &mut [
                    (names[0], &mut || child::time(&mut rg())),
                    (names[1], &mut || child::time(&mut whodunit("ndjson", "2"))),
                ],
            )?;
            println!(" cached in {cached}; two processors, {rounds} rounds in turns; x: rg's time");
            print(&names, &times, Some(log.bytes), 0);
            if let [rg, two] = times.as_slice() {
                let ratio = two.over(rg);
                outcome.target(
                    &format!("scan, {cached}, two processors: {ratio:.2} x rg, below 1 x"),
                    ratio < 1.0,
                );
            }
        }
        Ok(())
    };
    contend(Folios::Large, "large folios")?;
    if !bench.quick {
        contend(Folios::Pages, "single pages")?;
    }
    for (format, threads) in [
        ("ndjson", "1"),
        ("terminal", "1"),
        ("json", "1"),
        ("ndjson", "2"),
    ] {
        let kib = child::peak_anon_kib(&mut whodunit(format, threads), None)?;
        outcome.target(
            &format!(
                "memory above the mapped file, -o {format} --threads {threads}: {:.1} MiB, at most {} MiB",
                kib as f64 / 1024.0,
                TARGET_KIB >> 10
            ),
            kib <= TARGET_KIB,
        );
    }
    child::use_processors(usize::MAX)?;
    Ok(())
}
