//! The crate from outside: bytes of logs in, reports out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod agreement;
mod announced;
mod boots;
mod cut;
mod damage;
mod followed;
mod forms;
mod hostile;
mod line_forms;
mod mixed;
mod old_kernels;
mod picked_out;
mod properties;
mod reported;
mod short_lines;
mod table_rows;
mod wrapped;

use oom_report::report::OomReport;
use oom_report::{Assumptions, Scanner};
use proptest::test_runner::Config as ProptestConfig;

/// A whole report by a 6.18 kernel, cgroup v1: pid 11595 (python3) against a limit of 64 MiB.
const CONTAINER_LIMIT: &str = include_str!("../../../../tests/fixtures/first/container-limit.kmsg");

/// The assumptions of a log last written on 2026-11-24, in UTC.
fn assumptions() -> Assumptions {
    Assumptions {
        last_written: Some("2026-11-24T12:00:00Z".parse().unwrap()),
        ..Assumptions::default()
    }
}

fn scan(log: &[u8]) -> Vec<OomReport> {
    let mut reports = Vec::new();
    Scanner::new(assumptions()).scan(log, 1, &mut |report| reports.push(report));
    reports
}

fn scan_one(log: &[u8]) -> OomReport {
    let mut reports = scan(log);
    assert_eq!(
        reports.len(),
        1,
        "reports in:\n{}",
        String::from_utf8_lossy(log)
    );
    reports.remove(0)
}

/// What must be the same whatever log the report stood in.
#[derive(Debug, Clone, PartialEq)]
struct Facts {
    scope: Option<oom_report::report::Scope>,
    trigger: Option<oom_report::report::Trigger>,
    memcg: Option<oom_report::report::Memcg>,
    tasks: Vec<oom_report::report::Task>,
    victims: Vec<oom_report::report::Victim>,
    system: Option<oom_report::report::SystemMemory>,
    missing: Vec<oom_report::report::Missing>,
}

fn facts(report: &OomReport) -> Facts {
    let mut report = report.clone();
    // Places in the text differ where a form splits or joins lines.
    for task in &mut report.tasks {
        task.line = 0;
    }
    for victim in &mut report.victims {
        victim.lines.clear();
    }
    Facts {
        scope: report.scope,
        trigger: report.trigger,
        memcg: report.memcg,
        tasks: report.tasks,
        victims: report.victims,
        system: report.system,
        missing: report.missing,
    }
}

/// Boot time in microseconds and text of each record of a raw kmsg fixture.
fn records(raw: &str) -> Vec<(u64, String)> {
    raw.lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| {
            let (head, text) = line.split_once(';')?;
            Some((head.split(',').nth(2)?.parse().ok()?, text.to_owned()))
        })
        .collect()
}

/// `usual` cases of a property, or what PROPTEST_CASES says (`make fuzz-long`).
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|cases| cases.parse().ok()).unwrap_or(usual),
        ..ProptestConfig::default()
    }
}
