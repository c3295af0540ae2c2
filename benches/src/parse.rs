//! Full reports with task tables of 500 rows, nothing between them: how fast one core reads, and how much it reads out.
//!
//! The reports are real ones of two kernels and two kinds (a container's limit, the whole machine); their tables are
//! made here, in the form of the report's own rows. Measured: [`oom_report::Scanner`] in this process, one thread,
//! syslog lines in memory to [`oom_report::report::OomReport`]. Limit: `memchr` counting the line ends of the same
//! bytes in the same rounds. Peer: OOMAnalyser, the fullest reader of these reports that is in use, by its figures
//! below; it is not here to be run.

use std::fmt::Write;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use oom_report::{Assumptions, Scanner};

use crate::noise::Random;
use crate::outcome::Outcome;
use crate::reports::{RealReport, real, renumbered};
use crate::rounds::{print, take_turns};
use crate::{Bench, child, facts, noise};

/// MiB/s of one core, at least.
const TARGET_MIB_S: f64 = 500.0;
/// Rows of each table.
const TASKS: usize = 500;
/// OOMAnalyser under CPython: MB/s, and facts of one report.
const OOM_ANALYSER_MB_S: f64 = 6.0;
const OOM_ANALYSER_FACTS: usize = 69;

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (bytes, count) = if bench.quick {
        (4 << 20, 5)
    } else {
        (64 << 20, 15)
    };
    let (log, reports) = log(bytes)?;
    println!(
        "parse: {} MiB, {reports} full reports of {TASKS} tasks (real reports, tables made in their form)",
        log.len() >> 20
    );
    let mut seen = 0;
    let mut tasks = 0;
    Scanner::new(Assumptions::default()).scan(&log, 1, &mut |report| {
        seen += 1;
        tasks += report.tasks.len();
    });
    if seen != reports || tasks != reports * TASKS {
        bail!(
            "{seen} reports of {reports}, {tasks} tasks of {}",
            reports * TASKS
        );
    }
    child::use_processors(1)?;
    let names = ["whodunit's reader", "limit: line ends counted"];
    let times = take_turns(
        count,
        &mut || Ok(()),
        &mut [
            (names[0], &mut || {
                let start = Instant::now();
                Scanner::new(Assumptions::default()).scan(&log, 1, &mut |report| {
                    black_box(report);
                });
                Ok(start.elapsed())
            }),
            (names[1], &mut || {
                let start = Instant::now();
                black_box(memchr::memchr_iter(b'\n', black_box(&log)).count());
                Ok(start.elapsed())
            }),
        ],
    )?;
    child::use_processors(usize::MAX)?;
    println!(" {count} rounds in turns; x: the limit's time");
    print(&names, &times, Some(log.len() as u64), 1);

    // What the program says of one of each kind.
    let few = bench.folder.join("parse-sample.log");
    let (sample, kinds) = self::log(1)?;
    std::fs::write(&few, &sample).with_context(|| few.display().to_string())?;
    let incidents = child::output(
        Command::new(&bench.whodunit)
            .args(["explain", "-o", "ndjson"])
            .arg(&few),
    )?;
    let (facts, in_table) = facts::count(&incidents)?;
    let facts = facts / kinds;
    println!(
        "  facts a report: {facts} and {} of the task table (OOMAnalyser: {OOM_ANALYSER_FACTS}: {:.1} x)",
        in_table / kinds,
        facts as f64 / OOM_ANALYSER_FACTS as f64
    );
    if let [reader, limit] = times.as_slice() {
        let mib_s = log.len() as f64 / (1 << 20) as f64 / reader.fastest().as_secs_f64();
        println!(
            "  the limit is memory, {:.1} GB/s; the reader's own work on each line is what takes the time ({:.1} % of the limit)",
            limit.gigabytes_s(log.len() as u64),
            100.0 * limit.over(reader),
        );
        println!(
            "  OOMAnalyser (CPython): {OOM_ANALYSER_MB_S} MB/s; this is {:.0} x",
            reader.gigabytes_s(log.len() as u64) * 1000.0 / OOM_ANALYSER_MB_S
        );
        outcome.target(
            &format!("parsing: {mib_s:.0} MiB/s of one core, at least {TARGET_MIB_S} MiB/s"),
            mib_s >= TARGET_MIB_S,
        );
    }
    Ok(())
}

/// At least `bytes` of full reports, and how many; at least one of each kind.
fn log(bytes: usize) -> anyhow::Result<(Vec<u8>, usize)> {
    let real = real()?;
    let kinds: Vec<&RealReport> = ["/6.12", "/7.2", "/6.1.", "/5.10"]
        .iter()
        .flat_map(|kernel| ["container-limit.kmsg", "global.kmsg"].map(|end| (kernel, end)))
        .filter_map(|(kernel, end)| {
            real.iter()
                .find(|report| report.name.contains(kernel) && report.name.ends_with(end))
        })
        .collect();
    if kinds.len() != 8 {
        bail!("reports of the kinds wanted: {} of 8", kinds.len());
    }
    let mut log = String::new();
    let mut count = 0;
    let mut random = Random(500);
    while log.len() < bytes || count < kinds.len() {
        for kind in &kinds {
            let copy = u32::try_from(count)?;
            full(
                &mut log,
                kind,
                4000 * (1 + copy % 1000),
                u64::from(copy) * 30_000_000,
                &mut random,
            )?;
            count += 1;
        }
    }
    Ok((log.into_bytes(), count))
}

/// One report as syslog lines, its table filled up to [`TASKS`] rows with the numbers of its own first row varied.
fn full(
    log: &mut String,
    report: &RealReport,
    by: u32,
    at_us: u64,
    random: &mut Random,
) -> anyhow::Result<()> {
    const COMMS: [&str; 8] = [
        "java",
        "nginx",
        "postgres",
        "kworker/u4:2",
        "containerd-shim",
        "pause",
        "node_exporter",
        "gunicorn: master",
    ];
    let rows = report
        .records
        .iter()
        .filter(|(_, text)| is_row(text))
        .count();
    let mut header = None;
    let mut rows_seen = 0;
    for (us, text) in &report.records {
        let us = at_us + us;
        noise::kernel_line(log, us, &renumbered(text, by));
        if text.contains("total_vm") && text.starts_with("[  pid") {
            header = Some(text.split_whitespace().collect::<Vec<_>>());
        }
        if !is_row(text) {
            continue;
        }
        rows_seen += 1;
        if rows_seen < rows {
            continue;
        }
        let header = header.as_ref().context("a row before its header")?;
        for number in 0..TASKS - rows {
            let pid = 2000 + by + u32::try_from(number)?;
            let anon = random.below(100_000);
            let file = random.below(10_000);
            let mut row = format!("[{pid:>7}]");
            for column in header {
                let _ = match *column {
                    "uid" => write!(row, " {:>5}", pick(&[0, 33, 999, 65534], number)),
                    "tgid" => write!(row, " {pid:>5}"),
                    "total_vm" => write!(row, " {:>8}", (anon + file) * 3 + 1000),
                    "rss" => write!(row, " {:>8}", anon + file),
                    "rss_anon" => write!(row, " {anon:>8}"),
                    "rss_file" => write!(row, " {file:>8}"),
                    "rss_shmem" => write!(row, " {:>9}", 0),
                    "pgtables_bytes" => write!(row, " {:>8}", (anon / 400 + 10) * 4096),
                    "swapents" => write!(row, " {:>8}", 0),
                    "oom_score_adj" => write!(row, " {:>13}", pick(&[-998, 0, 936, 1000], number)),
                    "name" => write!(row, " {}", pick(&COMMS, number)),
                    _ => Ok(()),
                };
            }
            noise::kernel_line(log, us, &row);
        }
    }
    Ok(())
}

fn is_row(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|row| row.split_once(']'))
        .is_some_and(|(pid, _)| pid.trim().parse::<u32>().is_ok())
}

fn pick<T: Copy + Default>(list: &[T], number: usize) -> T {
    list.get(number % list.len()).copied().unwrap_or_default()
}
