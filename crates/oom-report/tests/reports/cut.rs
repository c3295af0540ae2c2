//! Reports of which parts are lost.

use oom_report::report::{Doubt, Missing, Scope};

use crate::{CONTAINER_LIMIT, facts, records, scan, scan_one};

#[test]
fn one_line_of_an_old_kernel_is_a_report() {
    let report = scan_one(
        b"Memory cgroup out of memory: Kill process 11190 (app) score 9 or sacrifice child\n",
    );
    assert_eq!(report.scope, Some(Scope::Memcg));
    let victim = &report.victims[0];
    assert_eq!(
        (victim.pid, victim.comm.as_str(), victim.score),
        (11190, "app", Some(9))
    );
    assert!(!victim.announced_only);
    assert!(
        report.missing.contains(&Missing::TaskTable) && report.missing.contains(&Missing::KillLine)
    );
}

#[test]
fn the_rest_of_a_report_without_its_header_is_read() {
    let records = records(CONTAINER_LIMIT);
    let whole = scan_one(CONTAINER_LIMIT.as_bytes());
    let from = records
        .iter()
        .position(|(_, text)| text.starts_with("memory: usage"))
        .unwrap();
    let log: String = records[from..]
        .iter()
        .map(|(_, text)| format!("{text}\n"))
        .collect();
    let report = scan_one(log.as_bytes());
    assert_eq!(report.tasks.len(), whole.tasks.len());
    assert_eq!(facts(&report).victims, facts(&whole).victims);
    assert_eq!(report.memcg.unwrap().memory.limit_kib, Some(65_536));
    assert_eq!(
        report.missing,
        [Missing::Header, Missing::CpuLine, Missing::Stack]
    );
}

#[test]
fn an_object_that_is_cut_at_both_ends_is_still_an_object() {
    let text = r"\u001b[31mred invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), or";
    for start in [
        r#":"node-1","_BOOT_ID":"b0071d","MESSAGE":""#,
        r#"node-1","_BOOT_ID":"b0071d","MESSAGE":""#,
        r#"_HOSTNAME":"node-1","MESSAGE":""#,
    ] {
        for mark in [
            "…\n",
            ">\n",
            "",
            "\"",
            "\",",
            "\",\"_PID",
            "\",\"_PID\"",
            "\",\"_PID\":",
        ] {
            let report = scan_one(format!("{start}{text}{mark}").as_bytes());
            let trigger = report.trigger.unwrap();
            assert_eq!(trigger.comm, "\u{1b}[31mred", "{start}{text}{mark}");
        }
    }
    // The text's key is lost, and so whether it is one.
    assert_eq!(scan(format!("SAGE\":\"{text}\n").as_bytes()), []);
    // Even its text's start is lost.
    let report = scan_one(format!("2J{text}\n").as_bytes());
    assert_eq!(report.trigger.unwrap().comm, "2J\u{1b}[31mred");
}

#[test]
fn a_stamp_that_lost_its_bracket_is_no_part_of_a_name() {
    for start in [
        "Tue Nov 24 05:00:22 2026] ",
        "Nov 24 05:00:22 2026] ",
        "Tue Nov 24 05:00:22 2026] [ T1234] ",
    ] {
        let log =
            format!("{start}forger invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0\n");
        let trigger = scan_one(log.as_bytes()).trigger.unwrap();
        assert_eq!(trigger.comm, "forger", "{start}");
    }
}

#[test]
fn a_panic_for_want_of_a_victim_is_the_machines() {
    for panic in [
        "Out of memory and no killable processes...\nKernel panic - not syncing: System is deadlocked on memory\n",
        "Kernel panic - not syncing: Out of memory and no killable processes...\n",
    ] {
        assert_eq!(
            scan_one(panic.as_bytes()).scope,
            Some(Scope::Global),
            "{panic}"
        );
    }
    // A cgroup's charge just fails.
    let report = scan_one(b"Out of memory and no killable processes...\n");
    assert_eq!(report.scope, None);
}

#[test]
fn the_handler_of_sysrq_f_opens_a_report_without_its_header() {
    let kill = "[   91.250000] Out of memory: Killed process 99 (foo) total-vm:9448kB, anon-rss:100kB, file-rss:4kB, \
                shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n";
    for words in ["SysRq : ", "sysrq: SysRq : ", "sysrq: "] {
        let log = format!("[   91.200000] {words}Manual OOM execution\n{kill}");
        assert_eq!(scan_one(log.as_bytes()).scope, Some(Scope::Sysrq), "{log}");
    }
    // Another request, another time, or the words of a name.
    for before in [
        "[   11.200000] sysrq: Manual OOM execution",
        "[   91.200000] sysrq: Show Memory",
        "[   91.200000] app: sysrq: Manual OOM execution",
    ] {
        let log = format!("{before}\n{kill}");
        assert_eq!(scan_one(log.as_bytes()).scope, Some(Scope::Global), "{log}");
    }
}

#[test]
fn rows_without_their_header_are_told_by_their_number() {
    let records = records(CONTAINER_LIMIT);
    let from = records
        .iter()
        .position(|(_, text)| text.starts_with("[  pid"))
        .unwrap()
        + 1;
    let log: String = records[from..]
        .iter()
        .map(|(_, text)| format!("{text}\n"))
        .collect();
    let report = scan_one(log.as_bytes());
    assert_eq!(
        (
            report.tasks[0].pid,
            report.tasks[0].rss_pages,
            report.tasks[0].pgtables_bytes
        ),
        (11595, 17958, Some(192_512))
    );
    assert!(
        report
            .doubts
            .iter()
            .any(|(doubt, _)| *doubt == Doubt::TableHeaderMissing)
    );
}

#[test]
fn a_report_without_its_kill_line_says_so() {
    let until = CONTAINER_LIMIT.find("Memory cgroup out of memory").unwrap();
    let log = &CONTAINER_LIMIT[..CONTAINER_LIMIT[..until].rfind('\n').unwrap() + 1];
    let report = scan_one(log.as_bytes());
    // The `oom-kill:` line names whom the kernel chose, and no sizes.
    let victim = &report.victims[0];
    assert_eq!(
        (report.victims.len(), victim.pid, victim.anon_rss_kib),
        (1, 11595, None)
    );
    assert_eq!(report.missing, [Missing::KillLine]);
    assert_eq!(report.trigger.unwrap().pid, Some(11595));
}

#[test]
fn two_reports_with_caller_ids_are_taken_apart() {
    let mut log = String::new();
    let records = records(CONTAINER_LIMIT);
    for (us, text) in &records {
        log += &format!(
            "[{}.{:06}] [ T11595] {text}\n",
            us / 1_000_000,
            us % 1_000_000
        );
        log += &format!(
            "[{}.{:06}] [ T22222] {}\n",
            us / 1_000_000,
            us % 1_000_000,
            text.replace("11595", "22222")
        );
    }
    let reports = scan(log.as_bytes());
    assert_eq!(reports.len(), 2);
    for (report, pid) in reports.iter().zip([11595, 22222]) {
        assert_eq!(report.victims[0].pid, pid);
        assert_eq!(
            report.tasks.iter().map(|task| task.pid).collect::<Vec<_>>(),
            [pid]
        );
        assert_eq!(report.missing, []);
    }
}

#[test]
fn two_reports_that_nothing_tells_apart_keep_their_victims_only() {
    let mut log = String::new();
    for (_, text) in records(CONTAINER_LIMIT) {
        log += &format!(
            "{text}\n{}\n",
            text.replace("11595", "22222").replace("65536kB", "99999kB")
        );
    }
    let reports = scan(log.as_bytes());
    let mut pids: Vec<u32> = reports
        .iter()
        .flat_map(|report| report.victims.iter().map(|victim| victim.pid))
        .collect();
    pids.sort_unstable();
    assert_eq!(pids, [11595, 22222]);
    for report in &reports {
        assert!(
            report
                .doubts
                .iter()
                .any(|(doubt, _)| *doubt == Doubt::Interleaved)
        );
        assert_eq!(report.tasks, []);
        assert!(
            report
                .memcg
                .as_ref()
                .is_none_or(|memcg| memcg.memory.usage_kib.is_none())
        );
    }
}

#[test]
fn lines_that_a_pager_cut_give_no_wrong_numbers() {
    let whole = facts(&scan_one(CONTAINER_LIMIT.as_bytes()));
    for mark in [">", "…"] {
        let log: String = records(CONTAINER_LIMIT)
            .iter()
            .map(|(_, text)| match text.char_indices().nth(79) {
                Some((at, _)) => format!("{}{mark}\n", &text[..at]),
                None => format!("{text}\n"),
            })
            .collect();
        let report = scan_one(log.as_bytes());
        let victim = &report.victims[0];
        let known = &whole.victims[0];
        assert_eq!(
            (victim.pid, victim.comm.as_str()),
            (known.pid, known.comm.as_str())
        );
        assert!(victim.total_vm_kib.is_none() || victim.total_vm_kib == known.total_vm_kib);
        assert!(victim.anon_rss_kib.is_none() || victim.anon_rss_kib == known.anon_rss_kib);
        assert!(report.tasks.iter().all(|task| {
            whole
                .tasks
                .iter()
                .any(|known| known.pid == task.pid && known.comm == task.comm)
        }));
    }
}

#[test]
fn an_object_that_a_pager_cut_changes_nothing_behind_it() {
    let object = |text: &str| {
        format!(
            "{{\"log\":{},\"stream\":\"stdout\"}}\n",
            serde_json::to_string(text).unwrap()
        )
    };
    let escaped = CONTAINER_LIMIT.replace("python3", "x\\x0ay");
    let mut log = String::new();
    for (_, text) in records(&escaped) {
        let line = object(&format!("[   17.386487] {text}"));
        match text.contains("Call Trace") {
            true => log += &line.replace(":\"stdout\"}", "…"),
            false => log += &line,
        }
    }
    let report = scan_one(log.as_bytes());
    assert_eq!(report.victims[0].comm, "x\ny");
    assert_eq!(report.tasks[0].comm, "x\ny");
}

#[test]
fn a_cut_mask_is_no_mask() {
    let shown = "app invoked oom-killer: gfp_mask=0xc";
    for log in [format!("[    1.000000] {shown}>\n"), shown.to_owned()] {
        let trigger = scan_one(log.as_bytes()).trigger.unwrap();
        assert_eq!((trigger.comm.as_str(), trigger.gfp_mask), ("app", None));
    }
}

#[test]
fn the_reaper_is_joined_to_its_victim() {
    let log = format!(
        "{CONTAINER_LIMIT}6,500,3612820000,-;oom_reaper: reaped process 11595 (python3), now anon-rss:0kB, file-rss:8kB, shmem-rss:0kB\n"
    );
    let report = scan_one(log.as_bytes());
    assert_eq!(report.victims[0].reaped.unwrap().file_rss_kib, 8);
    let log = format!(
        "{CONTAINER_LIMIT}6,500,3612820000,-;oom_reaper: unable to reap pid:11595 (python3)\n"
    );
    assert!(scan_one(log.as_bytes()).victims[0].reap_failed);
}

/// Before 5.0 the line says that somebody was killed, though not who.
#[test]
fn a_line_about_a_limit_is_a_report() {
    let report =
        scan_one(b"[   12.000000] Task in /docker/a killed as a result of limit of /docker\n");
    assert_eq!(report.scope, Some(Scope::Memcg));
    let memcg = report.memcg.as_ref().unwrap();
    assert_eq!(
        (memcg.path.as_deref(), memcg.victim_path.as_deref()),
        (Some("/docker"), Some("/docker/a"))
    );
    assert!(report.missing.contains(&Missing::KillLine));
    assert_eq!(
        scan(b"the task was killed as a result of limit of patience\n"),
        []
    );
}

/// `warn_alloc` (mm/page_alloc.c) prints a trace and the machine's memory, too. By hand.
#[test]
fn a_failed_allocation_inside_a_report_is_not_its() {
    let failure = "[3612.803400] kswapd0: page allocation failure: order:0, mode:0x20(GFP_ATOMIC)\n\
                   [3612.803401] CPU: 1 PID: 45 Comm: kswapd0 Not tainted 6.18.0 #1\n\
                   [3612.803402] Call Trace:\n\
                   [3612.803403]  warn_alloc+0x165/0x190\n\
                   [3612.803404] Mem-Info:\n\
                   [3612.803405] active_anon:77 inactive_anon:1 isolated_anon:0\n\
                   [3612.803406] Node 0 DMA free:99kB min:1kB\n";
    let lines: Vec<String> = records(CONTAINER_LIMIT)
        .iter()
        .map(|(_, text)| format!("[3612.803399] {text}\n"))
        .collect();
    let whole = scan_one(lines.concat().as_bytes());
    for before in [
        "Memory cgroup stats",
        "oom-kill:",
        "Memory cgroup out of memory",
    ] {
        let at = lines.iter().position(|line| line.contains(before)).unwrap();
        let log = [&lines[..at].concat(), failure, &lines[at..].concat()].concat();
        let report = scan_one(log.as_bytes());
        assert_eq!(facts(&report), facts(&whole), "before {before}");
        assert_eq!(report.doubts, []);
    }
}

#[test]
fn what_people_leave_out_of_a_line_takes_nothing_else_with_it() {
    let report = scan_one(
        b"oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/run/21612,task=memhog,pid=21612,uid=0\n",
    );
    let memcg = report.memcg.unwrap();
    assert_eq!(
        (memcg.path.as_deref(), memcg.victim_path),
        (Some("/run/21612"), None)
    );
    // Kernels without cpusets and memory cgroups leave them out themselves.
    let report = scan_one(
        b"[1.000000] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=chromium,pid=27368,uid=1000\n\
          [1.000001] Out of memory: Killed process 27368 (chromium) total-vm:6686908kB, anon-rss:647056kB, \
          file-rss:0kB, shmem-rss:7452kB, UID:1000 pgtables:5304kB oom_score_adj:300\n",
    );
    assert_eq!(
        (report.scope, report.victims[0].uid),
        (Some(Scope::Global), Some(1000))
    );
}

#[test]
fn a_name_that_ends_with_a_bracket_is_whole() {
    let log = "runc:[2:INIT] invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-998\n\
               CPU: 0 PID: 52432 Comm: runc:[2:INIT] Tainted: G           O       6.6.44+ #1\n\
               Call Trace:\n try_charge_memcg+0x82a/0xa90\n";
    for stamp in ["", "[   10.000001] ", "Oct 08 17:28:42 node-1 kernel: "] {
        let log: String = log.lines().map(|line| format!("{stamp}{line}\n")).collect();
        let report = scan_one(log.as_bytes());
        assert_eq!((report.doubts, report.scope), (vec![], Some(Scope::Memcg)));
        assert_eq!(report.trigger.unwrap().comm, "runc:[2:INIT]");
    }
}

/// An event of Kubernetes' node problem detector, as `kubectl get -o json` prints it.
#[test]
fn a_value_of_an_object_over_several_lines() {
    let report = scan_one(
        b"    \"reason\": \"OOMKilling\",\n\
          \x20   \"message\": \"Memory cgroup out of memory: Killed process 3504804 (kubectl) total-vm:753508kB, \
          anon-rss:58776kB, file-rss:29400kB, shmem-rss:0kB, UID:0 pgtables:288kB oom_score_adj:999\",\n\
          \x20   \"source\": {\n",
    );
    let victim = &report.victims[0];
    assert_eq!((victim.pid, victim.oom_score_adj), (3_504_804, Some(999)));
}
