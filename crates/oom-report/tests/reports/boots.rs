//! Logs of several boots that have no clock but the kernel's. Written by hand; the numbers are invented.

use oom_report::report::OomReport;
use oom_report::{Assumptions, Scanner};

use crate::scan;

fn kill(seconds: &str, pid: u32) -> String {
    format!(
        "[{seconds}] Out of memory: Killed process {pid} (app) total-vm:10kB, anon-rss:8kB, file-rss:0kB, \
         shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n"
    )
}

const BANNER: &str =
    "[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) #1 SMP\n";
const NOISE: &str = "[   12.345678] usb 1-1: new high-speed USB device number 2\n";

fn boots(reports: &[OomReport]) -> Vec<(u32, Option<u32>)> {
    reports
        .iter()
        .map(|report| (report.victims[0].pid, report.boot_ordinal))
        .collect()
}

fn all_ways(log: &str) -> Vec<(u32, Option<u32>)> {
    let whole = boots(&scan(log.as_bytes()));
    let mut slow = Vec::new();
    Scanner::line_by_line(Assumptions::default())
        .scan(log.as_bytes(), 1, &mut |report| slow.push(report));
    assert_eq!(boots(&slow), whole);
    for chunk in [1, 7, 64, 1000] {
        let mut streamed = Vec::new();
        let mut scanner = Scanner::new(Assumptions::default());
        for part in log.as_bytes().chunks(chunk) {
            scanner.push(part, &mut |report| streamed.push(report));
        }
        scanner.finish(&mut |report| streamed.push(report));
        assert_eq!(boots(&streamed), whole, "in chunks of {chunk}");
    }
    whole
}

#[test]
fn a_clock_that_goes_back_begins_a_boot() {
    let log = [
        kill("  900.000000", 1),
        kill("   30.000000", 2),
        kill("   40.000000", 3),
    ]
    .concat();
    assert_eq!(all_ways(&log), [(1, Some(1)), (2, Some(2)), (3, Some(2))]);
}

#[test]
fn the_kernels_first_line_begins_a_boot() {
    let log = [
        BANNER,
        NOISE,
        &kill("   30.000000", 1),
        NOISE,
        BANNER,
        &NOISE.repeat(40),
        &kill("  900.000000", 2),
    ]
    .concat();
    assert_eq!(all_ways(&log), [(1, Some(1)), (2, Some(2))]);
    // A report that the end of its boot cut is not gone on with.
    let log = [
        "[  100.000000] app invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n",
        BANNER,
        &kill("  100.500000", 2),
    ]
    .concat();
    let reports = scan(log.as_bytes());
    let ordinals: Vec<_> = reports.iter().map(|report| report.boot_ordinal).collect();
    assert_eq!(ordinals, [Some(1), Some(2)]);
    assert_eq!(reports[0].victims, []);
}

/// Words about a version, by whom ever, are no boot; nor is a boot's first line where another clock tells.
#[test]
fn only_the_kernels_own_first_line_counts() {
    let log = [
        &kill("   30.000000", 1),
        "[   31.000000] app: Linux version 6.1.0 found\n",
        "[   31.000000] Linux version 6.1.0 found\n",
        "Linux version 6.1.0\n",
        &kill("  900.000000", 2),
    ]
    .concat();
    assert_eq!(all_ways(&log), [(1, Some(1)), (2, Some(1))]);
    let dated = log.replace('[', "2026-11-24T05:00:00Z node-1 kernel: [");
    assert_eq!(all_ways(&dated), [(1, None), (2, None)]);
}

/// A device that boots the same way each time kills the same process each time; a log that holds a part twice does not.
#[test]
fn the_same_victim_in_the_next_boot_is_no_copy() {
    let log = [
        kill("   30.000000", 7),
        BANNER.to_owned(),
        kill("   30.200000", 7),
    ]
    .concat();
    assert_eq!(all_ways(&log), [(7, Some(1)), (7, Some(2))]);
    let part = [kill("   30.000000", 7), kill("   50.000000", 8)].concat();
    assert_eq!(all_ways(&part.repeat(2)), [(7, Some(1)), (8, Some(1))]);
}

#[test]
fn machines_in_one_log_have_their_own_boots() {
    let of = |host: &str, line: String| line.replacen("] ", &format!("] {host} kernel: "), 1);
    let log = [
        of("a", kill("  900.000000", 1)),
        of("b", kill("   30.000000", 2)),
        of("a", kill("  901.000000", 3)),
        of("b", kill("   10.000000", 4)),
    ]
    .concat();
    assert_eq!(
        all_ways(&log),
        [(1, Some(1)), (2, Some(1)), (3, Some(1)), (4, Some(2))]
    );
}
