//! A log that is followed line by line: when a report is handed over, and what a late line does.

use std::time::Duration;

use oom_report::Scanner;
use oom_report::report::OomReport;

use crate::{CONTAINER_LIMIT, assumptions, facts, scan_one};

const GROUP: &str = include_str!(
    "../../../../tests/fixtures/kernels/6.12.117+deb13-cloud-amd64-v2/group-kill.kmsg"
);

fn follow(scanner: &mut Scanner, lines: &str) -> Vec<OomReport> {
    let mut reports = Vec::new();
    for line in lines.split_inclusive('\n') {
        scanner.push(line.as_bytes(), &mut |report| reports.push(report));
    }
    reports
}

fn settle(scanner: &mut Scanner, quiet: Duration) -> Vec<OomReport> {
    let mut reports = Vec::new();
    scanner.settle(quiet, &mut |report| reports.push(report));
    reports
}

#[test]
fn a_report_leaves_a_few_milliseconds_after_its_last_line_and_only_once() {
    let mut scanner = Scanner::new(assumptions());
    assert_eq!(scanner.settles_after(), None);
    assert!(follow(&mut scanner, CONTAINER_LIMIT).is_empty());
    let quiet = scanner.settles_after().unwrap();
    assert!(quiet <= Duration::from_millis(10), "{quiet:?}");
    assert!(settle(&mut scanner, quiet - Duration::from_micros(1)).is_empty());
    let reports = settle(&mut scanner, quiet);
    assert_eq!(
        facts(&reports[0]),
        facts(&scan_one(CONTAINER_LIMIT.as_bytes()))
    );
    assert_eq!(reports.len(), 1);
    assert_eq!(scanner.settles_after(), None);
    assert!(settle(&mut scanner, Duration::from_secs(60)).is_empty());
    // Nor when the log goes on, or ends.
    let noise = "6,9999,9000000000,-;device left promiscuous mode\n".repeat(600);
    assert!(follow(&mut scanner, &noise).is_empty());
    scanner.finish(&mut |report| panic!("handed over again: {report:?}"));
}

#[test]
fn a_reaper_line_that_comes_late_hands_the_report_over_again() {
    let mut scanner = Scanner::new(assumptions());
    follow(&mut scanner, CONTAINER_LIMIT);
    let first = settle(&mut scanner, Duration::from_millis(250)).remove(0);
    let victim = &first.victims[0];
    assert!(victim.reaped.is_none());
    let line = format!(
        "6,9999,{},-;oom_reaper: reaped process {} ({}), now anon-rss:0kB, file-rss:4kB, shmem-rss:0kB\n",
        first.time.boot_us.unwrap() + 2_000_000,
        victim.pid,
        victim.comm
    );
    let mut again = follow(&mut scanner, &line);
    again.extend(settle(&mut scanner, Duration::from_millis(250)));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].text.first_line(), first.text.first_line());
    assert_eq!(again[0].text.len(), first.text.len() + 1);
    assert_eq!(again[0].victims[0].reaped.unwrap().file_rss_kib, 4);
}

#[test]
fn group_members_after_a_pause_of_the_printing_kernel_hand_the_report_over_again() {
    let whole = scan_one(GROUP.as_bytes());
    let killed = GROUP.find("Killed process").unwrap();
    let cut = killed + GROUP[killed..].find('\n').unwrap() + 1;
    let mut scanner = Scanner::new(assumptions());
    follow(&mut scanner, &GROUP[..cut]);
    let first = settle(&mut scanner, Duration::from_millis(250));
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].victims.len(), 1);
    follow(&mut scanner, &GROUP[cut..]);
    let again = settle(&mut scanner, Duration::from_millis(250));
    assert_eq!(again.len(), 1);
    assert!(again[0].victims.len() > 1);
    assert_eq!(facts(&again[0]), facts(&whole));
}

#[test]
fn a_report_without_a_kill_line_is_waited_for_much_longer() {
    let cut = CONTAINER_LIMIT.find("oom-kill:constraint").unwrap();
    let cut = CONTAINER_LIMIT[..cut].rfind('\n').unwrap() + 1;
    let mut scanner = Scanner::new(assumptions());
    follow(&mut scanner, &CONTAINER_LIMIT[..cut]);
    assert!(scanner.settles_after().unwrap() >= Duration::from_secs(5));
    assert!(settle(&mut scanner, Duration::from_secs(1)).is_empty());
    // A slow console may just be in the middle of it.
    follow(&mut scanner, &CONTAINER_LIMIT[cut..]);
    assert_eq!(settle(&mut scanner, Duration::from_millis(250)).len(), 1);

    let mut scanner = Scanner::new(assumptions());
    follow(&mut scanner, &CONTAINER_LIMIT[..cut]);
    assert_eq!(settle(&mut scanner, Duration::from_secs(10)).len(), 1);
}

#[test]
fn a_slow_console_stretches_the_wait() {
    // The same report, each line 20 ms after the one before, as over a serial line.
    let slow: String = CONTAINER_LIMIT
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let mut fields = line.splitn(4, ',');
            let (priority, sequence) = (fields.next().unwrap(), fields.next().unwrap());
            let rest = fields.nth(1).unwrap_or_default();
            format!(
                "{priority},{sequence},{},{rest}\n",
                1_000_000 + index * 20_000
            )
        })
        .collect();
    let mut scanner = Scanner::new(assumptions());
    follow(&mut scanner, &slow);
    let quiet = scanner.settles_after().unwrap();
    assert!(quiet >= Duration::from_millis(40), "{quiet:?}");
    assert!(quiet <= Duration::from_millis(250), "{quiet:?}");
}

#[test]
fn a_report_that_is_told_again_and_again_makes_no_other_come_twice() {
    let quiet = Duration::from_millis(250);
    let mut scanner = Scanner::new(assumptions());
    follow(&mut scanner, CONTAINER_LIMIT);
    assert_eq!(settle(&mut scanner, quiet).len(), 1);
    let killed = GROUP.find("Killed process").unwrap();
    let members = killed + GROUP[killed..].find('\n').unwrap() + 1;
    let members = members + GROUP[members..].find('\n').unwrap() + 1;
    follow(&mut scanner, &GROUP[..members]);
    assert_eq!(settle(&mut scanner, quiet).len(), 1);
    let last_us: u64 = GROUP[..members]
        .lines()
        .last()
        .and_then(|line| line.split(',').nth(2)?.parse().ok())
        .unwrap();
    for member in 0..100 {
        let line = format!(
            "3,{},{},-;Memory cgroup out of memory: Killed process {} (m) total-vm:8kB, anon-rss:4kB, file-rss:0kB, \
             shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n",
            90_000 + member,
            last_us + 300 * member,
            50_000 + member
        );
        follow(&mut scanner, &line);
        let again = settle(&mut scanner, quiet);
        assert_eq!(again.len(), 1, "member {member}");
        assert_eq!(again[0].victims.len() as u64, member + 2);
    }
    assert!(settle(&mut scanner, quiet).is_empty());
    scanner.finish(&mut |report| panic!("handed over again: {report:?}"));
}
