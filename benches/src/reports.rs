//! Real reports: those of tests/fixtures/kernels, rewrapped into syslog lines, each copy with process ids and times of
//! its own.
//!
//! Taken are the records from `invoked oom-killer` to the last kill or reaper line, of the scenarios with one report
//! and nothing hostile in it (a test's forged lines are no benchmark's business).

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};

/// One report of one kernel.
pub(crate) struct RealReport {
    /// Folder and file, for errors.
    pub(crate) name: String,
    /// Microseconds since the report's first record, and its text.
    pub(crate) records: Vec<(u64, String)>,
}

/// Scenarios that hold other things than one whole report.
const LEFT_OUT: [&str; 5] = [
    "hostile-",
    "forged",
    "repeated-kills",
    "unkillable",
    "panic",
];

/// All of them, in the order of their names.
pub(crate) fn real() -> anyhow::Result<Vec<RealReport>> {
    let root = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/kernels"
    ));
    let mut paths = Vec::new();
    for kernel in std::fs::read_dir(&root).with_context(|| root.display().to_string())? {
        let folder = kernel?.path();
        if folder.is_dir() {
            for scenario in std::fs::read_dir(&folder)? {
                paths.push(scenario?.path());
            }
        }
    }
    paths.sort();
    let mut reports = Vec::new();
    for path in paths {
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !file.ends_with(".kmsg") || LEFT_OUT.iter().any(|left_out| file.starts_with(left_out)) {
            continue;
        }
        let log = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.display().to_string();
        let records = records(&log).with_context(|| name.clone())?;
        reports.push(RealReport { name, records });
    }
    if reports.len() < 50 {
        bail!("{}: only {} reports", root.display(), reports.len());
    }
    Ok(reports)
}

/// The report's records in a /dev/kmsg recording (`level,sequence,microseconds,flags;text`).
fn records(log: &str) -> anyhow::Result<Vec<(u64, String)>> {
    let mut all = Vec::new();
    for line in log.lines().filter(|line| !line.starts_with(' ')) {
        let (head, text) = line.split_once(';').context("a record without `;`")?;
        let us: u64 = head
            .split(',')
            .nth(2)
            .context("a record without a time")?
            .parse()?;
        // rsyslog writes a line end within a record so.
        all.push((us, text.replace("\\x0a", "#012")));
    }
    let first = all
        .iter()
        .position(|(_, text)| text.contains(" invoked oom-killer: "))
        .context("no report")?;
    let last = all
        .iter()
        .rposition(|(_, text)| text.contains("Killed process ") || text.starts_with("oom_reaper: "))
        .context("no kill")?;
    let records = all
        .get(first..=last)
        .context("the kill stands before the report")?;
    let start = records.first().map_or(0, |record| record.0);
    Ok(records
        .iter()
        .map(|(us, text)| (us - start, text.clone()))
        .collect())
}

/// The text with every process id raised by `by`: in the `CPU:` line, the task table, the decision and the kills.
pub(crate) fn renumbered(text: &str, by: u32) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    if let Some(row) = text.strip_prefix('[')
        && let Some((pid, rest)) = row.split_once(']')
        && let Ok(pid) = pid.trim().parse::<u32>()
    {
        let mut columns = rest.split_whitespace();
        if let (Some(uid), Some(Ok(tgid))) = (columns.next(), columns.next().map(str::parse::<u32>))
        {
            let end = rest
                .match_indices(&format!(" {tgid} "))
                .find(|(at, _)| *at >= uid.len())
                .map_or(0, |(at, found)| at + found.len() - 1);
            let _ = write!(out, "[{:>7}] {uid:>5} {:>5}", pid + by, tgid + by);
            out.push_str(rest.get(end..).unwrap_or_default());
            return out;
        }
    }
    let mut rest = text;
    while let Some((at, mark)) = ["PID: ", "rocess ", ",pid=", "pid:"]
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| (at, *mark)))
        .min()
    {
        let (head, tail) = rest.split_at(at + mark.len());
        out.push_str(head);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = tail.split_at(digits);
        match number.parse::<u32>() {
            Ok(pid) => {
                let _ = write!(out, "{}", pid + by);
            }
            Err(_) => out.push_str(number),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Process ids that die in a report.
pub(crate) fn victims(report: &RealReport, by: u32) -> Vec<u32> {
    report
        .records
        .iter()
        .filter_map(|(_, text)| {
            let (_, tail) = text.split_once("Killed process ")?;
            let (pid, _) = tail.split_once(' ')?;
            Some(pid.parse::<u32>().ok()? + by)
        })
        .collect()
}
