//! Bytes of a log -> reports: the fast way, the slow way and the stream agree, and nothing grows beyond the input.

use oom_report::report::OomReport;
use oom_report::{Assumptions, Ignored, Scanner};

use crate::dice;

#[derive(Debug, PartialEq)]
struct Seen {
    reports: Vec<OomReport>,
    lines: u64,
}

fn whole(mut scanner: Scanner, log: &[u8]) -> (Seen, Ignored) {
    let mut reports = Vec::new();
    let lines = scanner.scan(log, 1, &mut |report| reports.push(report));
    (Seen { reports, lines }, scanner.ignored())
}

fn streamed(log: &[u8], mut dice: u64) -> (Seen, Ignored) {
    let mut reports = Vec::new();
    let mut scanner = Scanner::new(Assumptions::default());
    // From a few bytes at a time to the whole log at once.
    let most = 16_u64 << (dice % 13);
    let mut rest = log;
    while !rest.is_empty() {
        // xorshift64
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let length = usize::try_from(dice % most)
            .unwrap_or(0)
            .clamp(1, rest.len());
        let (chunk, after) = rest.split_at(length);
        scanner.push(chunk, &mut |report| reports.push(report));
        rest = after;
    }
    let lines = scanner.finish(&mut |report| reports.push(report));
    (Seen { reports, lines }, scanner.ignored())
}

/// Scans a log in three ways.
///
/// # Panics
/// When they differ, or when more comes out than went in.
pub fn holds(log: &[u8]) {
    let (fast, ignored) = whole(Scanner::new(Assumptions::default()), log);
    let (slow, _) = whole(Scanner::line_by_line(Assumptions::default()), log);
    assert_eq!(fast, slow, "fast and slow");
    let (stream, ignored_in_stream) = streamed(log, dice(log) | 1);
    assert_eq!(stream, fast, "stream and whole");
    assert_eq!(ignored_in_stream, ignored, "stream and whole");

    let lines = log.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(
        fast.lines <= lines as u64,
        "{} of {lines} lines",
        fast.lines
    );
    assert!(fast.reports.len() <= lines, "more reports than lines");
    let text: usize = fast
        .reports
        .iter()
        .flat_map(|report| report.text.iter())
        .map(|(_, text)| text.len())
        .sum();
    // A byte that is no UTF-8 becomes U+FFFD, three bytes.
    assert!(
        text <= 3 * log.len(),
        "{text} bytes of text from {}",
        log.len()
    );
    for report in &fast.reports {
        let in_log = |number: u64| (1..=fast.lines).contains(&number);
        assert!(report.text.iter().all(|(number, _)| in_log(number)));
        let items = report.tasks.len() + report.victims.len();
        assert!(items <= lines, "{items} tasks and victims in {lines} lines");
    }
}
