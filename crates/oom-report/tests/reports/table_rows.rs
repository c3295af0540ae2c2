//! Rows of the task table: most of a long report's lines, and read by a way of their own.

use oom_report::report::OomReport;
use oom_report::{Assumptions, Scanner};
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;

/// What stands before each line of a log.
const HEADS: [&str; 8] = [
    "Mar  9 13:17:05 node-1 kernel: [  100.500000] ",
    "Mar  9 13:17:05 node-1 kernel: [  100.500000] [ T1234] ",
    "2026-03-09T13:17:05.123456+00:00 node-1 kernel: [  100.500000] ",
    "<6>[  100.500000] ",
    "[  100.500000] ",
    "[  100.500000] [ T1234] ",
    "    Mar  9 13:17:05 node-1 kernel: [  100.500000] ",
    "> [  100.500000] ",
];

fn log(head: &str, end: &str, rows: &[String]) -> String {
    let before = [
        "app invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "Tasks state (memory values in pages):",
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    ];
    let after = [
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=app,pid=9,uid=0",
        "Out of memory: Killed process 9 (app) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0",
    ];
    let texts = before.iter().copied();
    let lines = texts
        .map(|text| format!("{head}{text}"))
        .chain(rows.iter().cloned())
        .chain(after.iter().map(|text| format!("{head}{text}")));
    lines.map(|line| line + end).collect()
}

fn read(mut scanner: Scanner, log: &str) -> Vec<OomReport> {
    let mut reports = Vec::new();
    scanner.scan(log.as_bytes(), 1, &mut |report| reports.push(report));
    reports
}

fn in_pieces(log: &str, piece: usize) -> Vec<OomReport> {
    let mut reports = Vec::new();
    let mut scanner = Scanner::new(Assumptions::default());
    for piece in log.as_bytes().chunks(piece) {
        scanner.push(piece, &mut |report| reports.push(report));
    }
    scanner.finish(&mut |report| reports.push(report));
    reports
}

#[test]
fn every_form_gives_every_row() {
    for head in HEADS {
        let rows: Vec<String> = (1..=300)
            .map(|pid| {
                format!(
                    "{head}[{pid:7}]  1000 {pid:5} {:8} {:8} {:8} {:8} {:>13} w {pid}",
                    pid * 7001,
                    pid * 31,
                    4096 * pid,
                    0,
                    pid % 2000 - 1000
                )
            })
            .collect();
        for end in ["\n", "\r\n"] {
            let reports = read(Scanner::new(Assumptions::default()), &log(head, end, &rows));
            assert_eq!(reports.len(), 1, "{head}");
            let tasks = &reports[0].tasks;
            assert_eq!(tasks.len(), 300, "{head}");
            for (pid, task) in (1..).zip(tasks) {
                assert_eq!((task.pid, task.tgid, task.uid), (pid, pid, Some(1000)));
                assert_eq!(task.total_vm_pages, u64::from(pid) * 7001);
                assert_eq!(task.rss_pages, u64::from(pid) * 31);
                assert_eq!(task.pgtables_bytes, Some(u64::from(pid) * 4096));
                assert_eq!(i64::from(task.oom_score_adj), i64::from(pid) % 2000 - 1000);
                assert_eq!(task.comm, format!("w {pid}"));
                let (_, text) = reports[0].text.get(task.line).unwrap();
                assert!(text.ends_with(task.comm.as_str()), "{text}");
            }
        }
    }
}

/// A row, and what may be odd in it: in place of the head, of the numbers, of the name, and behind it.
fn row(head: &'static str) -> impl Strategy<Value = String> {
    let heads = select(vec![
        head,
        head,
        head,
        head,
        "",
        "[  100.500000] ",
        "[  100.6] ",
        "[  111.000000] ",
        "[   99.000000] ",
        "[  100.501000 <    0.000100>] ",
        "Mar  9 13:17:06 node-1 kernel: [  100.500000] ",
        "Mar  9 13:17:05 node-2 kernel: [  100.500000] ",
        "Mar  9 13:17:05 node-1 app[1]: [  100.500000] ",
        "<6>[  100.500000] [ T1234] ",
        "<14>[  100.500000] ",
        "\u{1b}[32m[  100.500000] \u{1b}[0m",
    ]);
    let names = select(vec![
        "app",
        "app",
        "kworker/u4:2",
        "a b",
        " app",
        "app ",
        "app  ",
        "",
        "5 app",
        "   12 app",
        "a&b",
        "a&lt;b",
        "&lt;TASK&gt;",
        "a\\b",
        "a\\x20b",
        "caf\u{e9}",
        "a\u{a0}b",
        "\u{1b}[31mred",
        "app>",
        "app<br>",
        "app\u{2026}",
        "app\r",
        "x]",
        "(sd-pam)",
        "oom_score_adj=0",
        "oom-killer",
        "\u{85}",
        "$",
    ]);
    let numbers = select(vec![
        "  1000     5     7001       31     4096        0          -998",
        "  1000     5     7001       31     4096        0             0",
        "     0 12345 123456789012 12345678 9999999999    0             0",
        "     0     5     7001       31     4096        0 99999999999999999999",
        "     0     5     7001       31     4096        0",
        "  1000     5     7001       -1     4096        0             0",
        "\t1000\t5\t7001\t31\t4096\t0\t0",
        " 1000 5 7001 31 4096 0 0 0",
    ]);
    let pid = prop_oneof![1_u64..40, 1..40_u64, Just(4_294_967_296)];
    (
        heads,
        pid,
        select(vec!["] ", "] ", "] ", "]", " ] "]),
        numbers,
        names,
    )
        .prop_map(|(head, pid, bracket, numbers, name)| {
            format!("{head}[{pid:7}{bracket}{numbers} {name}")
        })
}

fn odd_log() -> impl Strategy<Value = String> {
    (select(&HEADS[..]), select(&["\n", "\n", "\r\n"][..]))
        .prop_flat_map(|(head, end)| {
            (
                Just(head),
                Just(end),
                prop::collection::vec(row(head), 1..12),
            )
        })
        .prop_map(|(head, end, rows)| log(head, end, &rows))
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn the_short_way_contradicts_the_long_one_nowhere(log in odd_log(), piece in 1_usize..400, cut in 0_usize..2000) {
        let log = log.get(..log.len().saturating_sub(cut)).unwrap_or(&log);
        let slow = read(Scanner::line_by_line(Assumptions::default()), log);
        prop_assert_eq!(&read(Scanner::new(Assumptions::default()), log), &slow);
        prop_assert_eq!(&in_pieces(log, piece), &slow);
    }
}
