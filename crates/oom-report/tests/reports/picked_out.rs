//! Lines that did not stay as the kernel printed them: picked out by grep, told twice by a screen, newest first, decorated.
//! Written by hand from the format strings of mm/oom_kill.c, after logs that people published.

use oom_report::report::{OomReport, Outcome, Scope};

use crate::{scan, scan_one};

const PATH: &str =
    "/system.slice/docker-7f399a191dea38b318f7e9419a85423dbde2229c5ef7cc972154f53a3b648b66.scope";

fn header(comm: &str) -> String {
    format!(
        "{comm} invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0"
    )
}

fn killed(pid: u32, comm: &str) -> String {
    format!(
        "Out of memory: Killed process {pid} ({comm}) total-vm:698888kB, anon-rss:601632kB, file-rss:1056kB, shmem-rss:0kB"
    )
}

fn chosen(pid: u32, comm: &str) -> String {
    format!(
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg={PATH},task={comm},pid={pid},uid=0"
    )
}

/// Who asked and who died, of each.
fn pairs(reports: &[OomReport]) -> Vec<(&str, Vec<u32>)> {
    let pair = |report: &'_ OomReport| -> Vec<u32> {
        report.victims.iter().map(|victim| victim.pid).collect()
    };
    reports
        .iter()
        .map(|report| {
            let trigger = report.trigger.as_ref();
            (
                trigger.map_or("", |trigger| trigger.comm.as_str()),
                pair(report),
            )
        })
        .collect()
}

/// `grep -E 'invoked oom-killer|Killed process'`, with and without a clock; `grep -A` leaves a mark between its finds.
#[test]
fn a_header_and_the_kill_behind_it_are_one() {
    for stamp in [
        "",
        "Sep 23 05:36:30 alastor kernel: ",
        "[Wed Sep  3 14:09:31 2025] ",
    ] {
        for between in ["", "--\n"] {
            let log: String = [
                (1, "conky", "cc1plus"),
                (2, "wget", "emerge"),
                (3, "sh", "emerge"),
            ]
            .map(|(pid, asked, died)| {
                format!(
                    "{stamp}{}\n{between}{stamp}{}\n",
                    header(asked),
                    killed(pid, died)
                )
            })
            .concat();
            assert_eq!(
                pairs(&scan(log.as_bytes())),
                [("conky", vec![1]), ("wget", vec![2]), ("sh", vec![3])],
                "{log}"
            );
        }
    }
}

/// A web console's few lines, the newest first.
#[test]
fn the_reason_may_stand_behind_the_kill() {
    let log = format!(
        "Jun 13 09:14:58 ha kernel: {}\nJun 13 09:14:58 ha kernel: {}\n",
        killed(267_303, "python3"),
        chosen(267_303, "python3")
    );
    let report = scan_one(log.as_bytes());
    assert_eq!(report.scope, Some(Scope::Global));
    assert_eq!(report.memcg.unwrap().victim_path.as_deref(), Some(PATH));
    // Another process: another kill.
    let other = log.replace("task=python3,pid=267303", "task=python3,pid=7");
    assert_eq!(scan(other.as_bytes()).len(), 2);
}

/// `find_lock_task_mm` gives an exiting task's place to another thread of its process.
#[test]
fn the_chosen_thread_of_the_killed_process_is_no_second_victim() {
    let log = format!(
        "[  100.000001] {}\n[  100.000002] {}\n[  100.000009] {}\n",
        header("app"),
        chosen(17_032, "app"),
        killed(17_017, "app")
    );
    assert_eq!(pairs(&scan(log.as_bytes())), [("app", vec![17_017])]);
    let another = log.replace("(app)", "(other)");
    assert_eq!(scan(another.as_bytes()).len(), 2);
}

/// A terminal that scrolled; a log that was written twice.
#[test]
fn lines_that_stand_twice_are_read_once() {
    let lines = [
        "[14808.063890] main invoked oom-killer: gfp_mask=0x24000c0, order=0, oom_score_adj=0",
        "[14808.063986] Task in /docker/3418 killed as a result of limit of /docker/3418",
        "[14808.063990] memory: usage 204800kB, limit 204800kB, failcnt 31",
        "[14808.064125] Memory cgroup out of memory: Kill process 11344 (main) score 904 or sacrifice child",
        "[14808.083306] Killed process 11344 (main) total-vm:390360kB, anon-rss:203220kB, file-rss:10kB",
    ];
    for twice in [vec![1], vec![0, 1, 2, 3, 4]] {
        let log: String = lines
            .iter()
            .enumerate()
            .map(|(at, line)| format!("{line}\n").repeat(if twice.contains(&at) { 2 } else { 1 }))
            .collect();
        let report = scan_one(log.as_bytes());
        assert_eq!(report.victims.len(), 1);
        let memcg = report.memcg.unwrap();
        assert_eq!(
            (memcg.path.as_deref(), memcg.memory.limit_kib),
            (Some("/docker/3418"), Some(204_800))
        );
    }
}

/// 2.6.24 to 2.6.3x: no sizes, and the victim is the child.
#[test]
fn the_child_that_died_for_an_announced_process_is_the_victim() {
    let log = "[1223639.939338] Out of memory: kill process 19735 (VBoxSVC) score 2136105 or a child\n\
               [1223639.939389] Killed process 19776 (VirtualBox)\n";
    let report = scan_one(log.as_bytes());
    let victims: Vec<(u32, bool)> = report
        .victims
        .iter()
        .map(|victim| (victim.pid, victim.announced_only))
        .collect();
    assert_eq!(victims, [(19_735, true), (19_776, false)]);
    // Nobody was announced: anybody's words.
    assert_eq!(
        scan(b"[    1.000000] Killed process 19776 (VirtualBox)\n"),
        []
    );
}

/// What comes after the machine was stopped is of its next boot.
#[test]
fn two_panics_are_two_reports() {
    let boot = |us: u32| {
        let panic = "Kernel panic - not syncing: System is deadlocked on memory";
        format!(
            "[    1.{us:06}] {}\n[    1.{:06}] Mem-Info:\n[    1.{:06}] {panic}\n",
            header("kworker/u2:0"),
            us + 1,
            us + 2
        )
    };
    let log = boot(167_932) + &boot(187_460);
    let reports = scan(log.as_bytes());
    let outcomes: Vec<Vec<Outcome>> = reports
        .iter()
        .map(|report| {
            report
                .outcomes
                .iter()
                .map(|(outcome, _)| *outcome)
                .collect()
        })
        .collect();
    assert_eq!(outcomes, [[Outcome::Deadlocked], [Outcome::Deadlocked]]);
    assert!(
        reports
            .iter()
            .all(|report| report.trigger.is_some() && report.doubts.is_empty())
    );
}

/// What a table, a viewer or a page puts behind every line is in no name.
#[test]
fn decorations_at_the_end_of_lines_go() {
    let lines = [
        "app invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-998",
        "Task in /docker/a killed as a result of limit of /docker/a",
        "[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name",
        "[11190]  1000 11190     1000      500      10       3        0          -998 app",
        "Memory cgroup out of memory: Kill process 11190 (app) score 9 or sacrifice child",
    ];
    let expected = |log: &[u8], what: &str| {
        let report = scan_one(log);
        assert_eq!(report.tasks[0].comm, "app", "{what}");
        assert_eq!(
            report.memcg.unwrap().path.as_deref(),
            Some("/docker/a"),
            "{what}"
        );
        assert_eq!(report.trigger.unwrap().oom_score_adj, Some(-998), "{what}");
    };
    for end in [" |", "$", "`", "        ", "<br>", "<br/></p>"] {
        let log: String = lines
            .map(|line| format!("[   10.000001] {line}{end}\n"))
            .concat();
        expected(log.as_bytes(), end);
    }
    for (begin, end) in [
        ("1773062225000,\"Mar  9 13:17:05 node-1 kernel: ", "\""),
        ("    \"Mar  9 13:17:05 node-1 kernel: ", "\","),
        (
            "\"Mar  9 13:17:05 node-1 kernel: ",
            "\",\"2026-03-09\",\"node-1\"",
        ),
    ] {
        let log: String = lines.map(|line| format!("{begin}{line}{end}\n")).concat();
        expected(log.as_bytes(), begin);
    }
}

/// `kubectl get events -A -o wide`, as an issue quotes it.
#[test]
fn an_event_in_a_table_of_kubectl() {
    let report = scan_one(
        b"default         Warning    node3.164b58660f8d4590                           2020-11-27T19:01:27+08:00   OOMKilling            Out of memory: Kill process 16711 (stress) score 205 or sacrifice child\n",
    );
    assert_eq!(report.victims[0].pid, 16_711);
    assert_eq!(
        report.time.wall.unwrap().timestamp.to_string(),
        "2020-11-27T11:01:27Z"
    );
}

/// A header that a mail broke lost columns: the rows still show what they are.
#[test]
fn rows_of_a_table_whose_header_lost_columns() {
    let log = "[   81.889021] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n\
               [   81.889895] [   2025]  1000  2025     1795      450        0      450         0    61440        0             0 kbench\n\
               [   81.893000] Out of memory: Killed process 2025 (kbench) total-vm:7180kB, anon-rss:0kB, file-rss:1800kB, shmem-rss:0kB\n";
    let report = scan_one(log.as_bytes());
    let task = &report.tasks[0];
    assert_eq!((task.comm.as_str(), task.rss_pages), ("kbench", 450));
    assert_eq!(
        (task.pgtables_bytes, task.swapents_pages),
        (Some(61_440), Some(0))
    );
}

/// 4.4-rc in linux-next.
#[test]
fn a_header_with_its_fields_in_another_order() {
    let report = scan_one(
        b"[ 3902.430630] kthreadd invoked oom-killer: order=2, oom_score_adj=0, gfp_mask=0x27000c0(GFP_KERNEL|GFP_NOTRACK|0x100000)\n",
    );
    let trigger = report.trigger.unwrap();
    assert_eq!((trigger.order, trigger.oom_score_adj), (Some(2), Some(0)));
    assert_eq!(
        (trigger.comm.as_str(), trigger.gfp_mask),
        ("kthreadd", Some(0x27_000c0))
    );
}

#[test]
fn a_host_whose_name_is_no_text_is_one_host() {
    let log = [
        &b"Mar  9 13:17:05 b\xfcro kernel: [    1.000001] "[..],
        header("app").as_bytes(),
        b"\nMar  9 13:17:05 b\xfcro kernel: [    1.000002] ",
        killed(7, "app").as_bytes(),
        b"\n",
    ]
    .concat();
    assert_eq!(pairs(&scan(&log)), [("app", vec![7])]);
}

#[test]
fn hard_spaces_of_a_web_page() {
    for line in [
        "[\u{a0}\u{a0}\u{a0} 4.338946] Out of memory: Killed process 55 (foo) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
        "Mar  9 13:17:05 node-1 kernel:\u{a0}Out of memory: Killed process 55 (foo) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
        "[    4.338946] Out of memory:\u{a0}Killed process 55 (foo) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
    ] {
        assert_eq!(pairs(&scan(line.as_bytes())), [("", vec![55])], "{line}");
    }
}
