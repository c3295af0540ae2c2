//! Real reports, damaged: lines lost, cut, doubled, in another order, in any form, among hostile ones. What is left
//! says the same or less, and never another victim.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use oom_report::report::{OomReport, Provenance};
use oom_report::{Assumptions, Scanner};

use crate::agreement::no_fact_is_new;
use crate::damage::{behind_escape, cut};
use crate::line_forms::{FORMS, wrap};

/// What a line of another program begins with.
const FOREIGN: &str = "Nov 24 05:00:00 node-1 app[812]: ";

/// A fixture and what happens to it.
#[derive(Debug, Arbitrary)]
pub struct Damage {
    fixture: u8,
    form: u8,
    steps: Vec<Step>,
    /// Cut from the front and the back of the log, in 1/65536 of it.
    front: u16,
    back: u16,
}

/// One change; numbers are taken modulo what there is.
#[derive(Debug, Arbitrary)]
enum Step {
    Drop {
        at: u16,
        count: u8,
    },
    /// A line is cut at a column, with the mark of a pager or journalctl.
    Cut {
        at: u16,
        column: u8,
        ellipsis: bool,
    },
    /// All lines are cut at the width of a terminal.
    CutAll {
        column: u8,
    },
    Double {
        at: u16,
        count: u8,
    },
    Swap {
        at: u16,
        with: u16,
    },
    /// A line that a process wrote.
    Forged {
        at: u16,
        which: u8,
    },
    /// A line of another program, made of anything.
    Foreign {
        at: u16,
        text: String,
    },
}

/// Kernel words as a process would write them, of a pid that no fixture has.
const FORGED: &[&str] = &[
    "Out of memory: Killed process 424242 (systemd) total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:8kB oom_score_adj:0",
    "Memory cgroup out of memory: Kill process 424242 (app) score 9 or sacrifice child",
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=init,pid=424242,uid=0",
    "init invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "memory: usage 424242kB, limit 424242kB, failcnt 424242",
    "[ 424242]     0 424242    25004    16677    16373        1       303   163840        0             0 init",
    "oom_reaper: reaped process 424242 (init), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
];

/// How a line of a process stands in a log of which each line shows who wrote it.
const FORGED_FORMS: &[fn(&str) -> String] = &[
    |text| format!("12,900,1000000,-;{text}\n"),
    |text| format!("<12>[    1.000000] {text}\n"),
    |text| format!("Nov 24 05:00:00 node-1 app[812]: {text}\n"),
    |text| {
        format!("{{\"_TRANSPORT\":\"syslog\",\"SYSLOG_FACILITY\":\"1\",\"MESSAGE\":\"{text}\"}}\n")
    },
];

type Records = Vec<(u64, String)>;

/// Records of every fixture, in the order of their paths.
static FIXTURES: LazyLock<Vec<Records>> = LazyLock::new(|| {
    let mut paths = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures"),
        &mut paths,
    );
    paths.sort();
    assert!(!paths.is_empty(), "no fixture is there");
    let read = |path: &PathBuf| {
        records(&String::from_utf8_lossy(
            &std::fs::read(path).expect("a fixture"),
        ))
    };
    paths.iter().map(read).collect()
});

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("the fixtures").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|end| end == "kmsg") {
            paths.push(path);
        }
    }
}

/// Boot time in microseconds and text of each record of the kernel in a raw kmsg log.
fn records(raw: &str) -> Records {
    let record = |line: &str| {
        let (head, text) = line.split_once(';')?;
        let mut head = head.split(',');
        // Facility 0: a fixture may hold lines that a process wrote.
        let priority: u32 = head.next()?.parse().ok()?;
        (priority < 8).then_some(())?;
        Some((head.nth(1)?.parse().ok()?, text.to_owned()))
    };
    raw.lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(record)
        .collect()
}

fn scan(log: &[u8]) -> Vec<OomReport> {
    let mut reports = Vec::new();
    Scanner::new(Assumptions::default()).scan(log, 1, &mut |report| reports.push(report));
    reports
}

fn pids(reports: &[OomReport]) -> BTreeSet<u32> {
    reports
        .iter()
        .flat_map(|report| &report.victims)
        .map(|victim| victim.pid)
        .collect()
}

/// Damages a log.
///
/// # Panics
/// When what is left names another victim, or where nothing was doubled or moved, another fact.
pub fn holds(damage: &Damage) {
    let records = &FIXTURES[usize::from(damage.fixture) % FIXTURES.len()];
    let form = &FORMS[usize::from(damage.form) % FORMS.len()];
    let whole = wrap(form, records);
    let known = scan(&whole);
    // Entries of the export format are several lines; they are damaged as one.
    let mut lines: Vec<Vec<u8>> = records
        .iter()
        .enumerate()
        .map(|(at, (us, text))| (form.line)(*us, at, text))
        .collect();
    let mut in_order = true;
    let mut forged = false;
    let mut dropped = false;
    for step in damage.steps.iter().take(24) {
        let length = lines.len();
        if length == 0 {
            break;
        }
        match step {
            Step::Drop { at, count } => {
                dropped = true;
                let at = usize::from(*at) % length;
                lines.drain(at..(at + usize::from(*count)).min(length));
            }
            Step::Cut {
                at,
                column,
                ellipsis,
            } => {
                let mark = if *ellipsis { "…\n" } else { ">\n" };
                cut(
                    &mut lines[usize::from(*at) % length],
                    usize::from(*column),
                    mark,
                );
            }
            Step::CutAll { column } => {
                lines
                    .iter_mut()
                    .for_each(|line| cut(line, usize::from(*column).max(40), ">\n"));
            }
            Step::Double { at, count } => {
                in_order = false;
                let at = usize::from(*at) % length;
                let again = lines[at..(at + usize::from(*count)).min(length)].to_vec();
                lines.splice(at..at, again);
            }
            Step::Swap { at, with } => {
                in_order = false;
                lines.swap(usize::from(*at) % length, usize::from(*with) % length);
            }
            Step::Forged { at, which } => {
                // Where no line shows who wrote it, a forged one is as good as any.
                if form.provenance == Provenance::Unverified {
                    continue;
                }
                forged = true;
                let which = usize::from(*which);
                let text = FORGED[which % FORGED.len()];
                let line = FORGED_FORMS[which / FORGED.len() % FORGED_FORMS.len()](text);
                lines.insert(usize::from(*at) % length, line.into_bytes());
            }
            Step::Foreign { at, text } => {
                let text: String = text
                    .chars()
                    .filter(|character| *character != '\n')
                    .take(200)
                    .collect();
                let line = format!("{FOREIGN}{text}\n");
                lines.insert(usize::from(*at) % length, line.into_bytes());
            }
        }
    }
    let log = lines.concat();
    let part = |share: u16| log.len() * usize::from(share) / 65_536;
    let end = log.len() - part(damage.back);
    let mut start = behind_escape(&log, part(damage.front));
    let line_start = log[..start].iter().rposition(|byte| *byte == b'\n');
    let is_foreign = log[line_start.map_or(0, |end| end + 1)..].starts_with(FOREIGN.as_bytes());
    if (forged || is_foreign)
        && let Some(line_end) = log[start..].iter().position(|byte| *byte == b'\n')
    {
        // What shows who wrote a line stands at its start: without it what others wrote is as good as any.
        start += line_end + 1;
    }
    let log = log.get(start..end).unwrap_or_default();
    let left = scan(log);
    let (left_pids, known_pids) = (pids(&left), pids(&known));
    assert!(
        left_pids.is_subset(&known_pids),
        "{}: victims {left_pids:?}, of {known_pids:?}:\n{}",
        form.name,
        String::from_utf8_lossy(log)
    );
    // Between two halves of reports nothing but the clock shows that the rest of either is lost, and a report may pause for
    // as long as lies between two of a crash loop.
    let joined = dropped && known.len() > 1;
    if in_order && !joined {
        for report in &left {
            if let Err(fact) = no_fact_is_new(report, &known) {
                panic!("{}: {fact}:\n{}", form.name, String::from_utf8_lossy(log));
            }
        }
    }
}
