//! `Kill process` lines without the rest of their reports, as people pick them out of a log. Written by hand after
//! published ones; the numbers are invented.

use crate::scan;

/// Pid, and whether it was announced only, of each report's victims.
fn victims(log: &str) -> Vec<Vec<(u32, bool)>> {
    scan(log.as_bytes())
        .iter()
        .map(|report| {
            let victims = report.victims.iter();
            victims
                .map(|victim| (victim.pid, victim.announced_only))
                .collect()
        })
        .collect()
}

fn announce(pid: u32) -> String {
    format!("Out of memory: Kill process {pid} (httpd) score 9 or sacrifice child\n")
}

fn killed(pid: u32) -> String {
    format!("Killed process {pid} (httpd) total-vm:{pid}kB, anon-rss:1780kB, file-rss:676kB\n")
}

type Stamp = fn(usize) -> String;

const STAMPS: [Stamp; 5] = [
    |at| format!("[{}.000000] ", 1000 + at * 5),
    |at| format!("Nov 05 05:{at:02}:54 node-1 kernel: "),
    |at| format!("2026-11-05T05:{at:02}:54.000000+01:00 node-1 kernel: "),
    |at| format!("[Thu Nov  5 05:{at:02}:54 2026] "),
    |_| String::new(),
];

#[test]
fn each_process_announced_is_a_report() {
    for stamp in STAMPS {
        let lines = [11, 12, 13].iter().enumerate();
        let log: String = lines.map(|(at, pid)| stamp(at) + &announce(*pid)).collect();
        let alone = [[(11, false)], [(12, false)], [(13, false)]];
        assert_eq!(victims(&log), alone, "{log}");
    }
}

#[test]
fn a_parent_whose_children_die_is_announced_again() {
    for stamp in STAMPS {
        let children = [21, 22, 23].iter().enumerate();
        let log: String = children
            .map(|(at, child)| stamp(at) + &announce(11) + &stamp(at) + &killed(*child))
            .collect();
        let each = [21, 22, 23].map(|child| vec![(11, true), (child, false)]);
        assert_eq!(victims(&log), each, "{log}");
        for report in scan(log.as_bytes()) {
            assert_eq!(report.scope, scan(log.as_bytes())[0].scope);
        }
    }
}

#[test]
fn a_copy_is_no_second_report() {
    for stamp in STAMPS {
        let one = stamp(0) + &announce(11);
        let kill = stamp(0) + &killed(21);
        let both = vec![vec![(11, true), (21, false)]];
        assert_eq!(victims(&one.repeat(2)), [[(11, false)]]);
        assert_eq!(victims(&[&*one, &one, &kill].concat()), both);
        assert_eq!(victims(&[&*one, &kill].concat().repeat(2)), both);
        assert_eq!(victims(&[&*one, &kill, &one].concat()), both);
        assert_eq!(victims(&[&*one, &one, &kill, &kill].concat()), both);
    }
}

#[test]
fn headers_minutes_apart_are_reports_with_their_times() {
    let header = "app invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null),  order=0, oom_score_adj=988\n";
    let log: String = ["Jul29 23:40", "Jul29 23:46", "Jul30 00:24"]
        .map(|minute| format!("[{minute}] {header}[  +0.000003] app cpuset=/ mems_allowed=0\n"))
        .concat();
    let times: Vec<_> = scan(log.as_bytes())
        .iter()
        .map(|report| report.time.wall.unwrap())
        .map(|wall| (wall.timestamp.to_string(), wall.year_assumed))
        .collect();
    let expected = [
        "2026-07-29T23:40:00Z",
        "2026-07-29T23:46:00Z",
        "2026-07-30T00:24:00Z",
    ];
    assert_eq!(times, expected.map(|time| (time.to_owned(), true)));
}

/// The part of the log that is copied may have other stamps there.
#[test]
fn a_copy_with_other_stamps_is_no_second_report() {
    let copy = |stamp: Stamp| stamp(0) + &announce(11) + &stamp(0) + &killed(21);
    for stamp in STAMPS {
        let log = copy(STAMPS[4]) + &copy(stamp);
        assert_eq!(victims(&log), [[(11, true), (21, false)]], "{log}");
    }
}
