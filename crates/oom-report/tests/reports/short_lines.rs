//! Lines that say less than most kernels do, or that stand without the rest of their report. Written by hand from the
//! format strings of mm/oom_kill.c and mm/show_mem.c, after reports that people published.

use oom_report::report::{Missing, Outcome, Provenance, Scope};

use crate::{scan, scan_one};

/// Without CONFIG_CPUSETS `cpuset_print_current_mems_allowed` prints nothing.
#[test]
fn a_kernel_without_cpusets_names_its_cgroups_all_the_same() {
    for (nodemask, found) in [("(null)", None), ("0-1,3", Some("0-1,3"))] {
        let report = scan_one(
            format!(
                "stress invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0\n\
                 oom-kill:constraint=CONSTRAINT_NONE,nodemask={nodemask},oom_memcg=/foo,task_memcg=/foo/bar,task=stress,pid=210,uid=0\n\
                 Memory cgroup out of memory: Killed process 210 (stress) total-vm:265768kB, anon-rss:0kB, file-rss:224kB, shmem-rss:0kB\n"
            )
            .as_bytes(),
        );
        let memcg = report.memcg.as_ref().unwrap();
        assert_eq!(memcg.path.as_deref(), Some("/foo"));
        assert_eq!(memcg.victim_path.as_deref(), Some("/foo/bar"));
        assert_eq!(report.scope, Some(Scope::Memcg));
        let victim = &report.victims[0];
        assert_eq!((victim.pid, victim.uid), (210, Some(0)));
        let nodemask = report.trigger.and_then(|trigger| trigger.nodemask);
        assert_eq!(nodemask.as_deref(), found);
    }
    let report = scan_one(
        b"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/,task=oom-torture,pid=5701,uid=0\n\
          Out of memory: Killed process 5701 (oom-torture) total-vm:4220kB, anon-rss:84kB, file-rss:0kB, shmem-rss:0kB\n",
    );
    assert_eq!(report.scope, Some(Scope::Global));
    assert_eq!(report.memcg.unwrap().victim_path.as_deref(), Some("/"));
}

/// A cgroup may have the words of the missing keys in its name.
#[test]
fn a_cgroup_named_like_a_cpuset_is_no_cpuset() {
    let path = "/a,cpuset=b,mems_allowed=0";
    let report = scan_one(
        format!(
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg={path},task_memcg={path},task=x,pid=7,uid=0\n"
        )
        .as_bytes(),
    );
    let memcg = report.memcg.as_ref().unwrap();
    assert_eq!(memcg.path.as_deref(), Some(path));
    assert_eq!(memcg.victim_path.as_deref(), Some(path));
}

#[test]
fn the_reserve_with_its_unit_in_capitals() {
    let report = scan_one(
        b"[   10.000001] app invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
          [   10.000002] Mem-Info:\n\
          [   10.000003] Node 0 DMA free:12832kB boost:0kB min:316kB low:392kB high:468kB reserved_highatomic:2048KB active_anon:12kB\n",
    );
    let zone = &report.system.as_ref().unwrap().zones[0];
    assert_eq!(zone.fields_kib.get("reserved_highatomic"), Some(2048));
    assert_eq!(zone.fields_kib.get("active_anon"), Some(12));
}

#[test]
fn a_panic_without_its_report_is_told() {
    for (text, scope) in [
        (
            "Out of memory and no killable processes...",
            Some(Scope::Global),
        ),
        (
            "Out of memory: system-wide panic_on_oom is enabled",
            Some(Scope::Global),
        ),
        ("Out of memory: compulsory panic_on_oom is enabled", None),
        ("out of memory. panic_on_oom is selected", None),
    ] {
        for lead in ["Kernel panic - not syncing: ", "Kernel panic: "] {
            let log = format!(
                "[   74.699457] {lead}{text}\n[   74.699458] \n[   74.708550] CPU: 0 PID: 65 Comm: loader Not tainted 4.1.18 #1\n\
                 [   74.800000] ---[ end {lead}{text}\n"
            );
            let report = scan_one(log.as_bytes());
            assert_eq!(report.outcomes[0].0, Outcome::Panic, "{lead}{text}");
            assert_eq!(report.outcomes.len(), 1, "{lead}{text}");
            assert_eq!(report.scope, scope, "{lead}{text}");
        }
    }
    assert_eq!(
        scan(b"Kernel panic - not syncing: Attempted to kill init!\n"),
        []
    );
}

/// Since 4.19 the panic follows a line of its own.
#[test]
fn the_panic_of_a_deadlocked_system_is_part_of_the_report() {
    let report = scan_one(
        b"[    1.000001] Out of memory and no killable processes...\n\
          [    1.000002] Kernel panic - not syncing: System is deadlocked on memory\n",
    );
    let outcomes: Vec<_> = report
        .outcomes
        .iter()
        .map(|(outcome, _)| *outcome)
        .collect();
    assert_eq!(
        outcomes,
        [Outcome::NoKillableProcesses, Outcome::Deadlocked]
    );
}

const CHOSEN: &str = "[   10.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=psi agent,pid=243,uid=1000\n";
const KILL: &str = "Memory cgroup out of memory: Killed process 243 (psi agent) total-vm:9000kB, anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:40kB oom_score_adj:5\n";

#[test]
fn whom_the_kernel_chose_is_known_without_the_kill_line() {
    let report = scan_one(CHOSEN.as_bytes());
    let victim = &report.victims[0];
    assert_eq!(
        (victim.pid, victim.comm.as_str(), victim.uid),
        (243, "psi agent", Some(1000))
    );
    assert_eq!((victim.total_vm_kib, victim.anon_rss_kib), (None, None));
    assert!(report.missing.contains(&Missing::KillLine));
    assert_eq!(report.memcg.unwrap().victim_path.as_deref(), Some("/a/b"));
    // The reaper's line is about the same death.
    let reaper = "[   10.000009] oom_reaper: reaped process 243 (psi agent), now anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n";
    let report = scan_one(format!("{CHOSEN}{reaper}").as_bytes());
    assert_eq!(report.victims.len(), 1);
    assert!(report.victims[0].reaped.is_some());
}

/// A kill line joins the report that named its process, however late, and names one victim only.
#[test]
fn the_kill_line_of_the_chosen_process_joins() {
    let noise = "[   10.100000] usb 1-1: new device\n".repeat(600);
    for (between, stamp) in [("", "[   10.000002] "), (noise.as_str(), "[   31.000000] ")] {
        let report = scan_one(format!("{CHOSEN}{between}{stamp}{KILL}").as_bytes());
        assert_eq!(report.victims.len(), 1);
        let victim = &report.victims[0];
        assert_eq!(
            (victim.anon_rss_kib, victim.oom_score_adj),
            (Some(8000), Some(5))
        );
        assert!(!report.missing.contains(&Missing::KillLine));
        let (_, line) = report.text.get(victim.lines[0]).unwrap();
        assert!(line.starts_with("Memory cgroup out of memory"));
    }
}

/// A kill line that another writer quotes does not become part of the kernel's report.
#[test]
fn the_chosen_process_gets_no_kill_line_of_another_writer() {
    let reports = scan(
        format!("<6>{CHOSEN}<4>[   31.000000] usb 1-1: new device\nunstamped: {KILL}").as_bytes(),
    );
    assert_eq!(reports[0].victims[0].anon_rss_kib, None);
}

/// The same line twice, the kill only once: two chosen, one victim.
#[test]
fn a_process_is_no_victim_twice() {
    let later = CHOSEN.replace("10.000001", "60.000001");
    let kill = format!("[   10.000002] {KILL}");
    let victims: usize = scan(format!("{CHOSEN}{kill}{later}").as_bytes())
        .iter()
        .map(|report| report.victims.len())
        .sum();
    assert_eq!(victims, 1);
}

#[test]
fn nobody_is_chosen_where_the_kernel_says_so() {
    let report = scan_one(
        format!("{CHOSEN}[   10.000002] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\n")
            .as_bytes(),
    );
    assert_eq!(report.victims, []);
}

/// What `kubectl describe node`, `kubectl get events` and its YAML show of the events of the node-problem-detector.
#[test]
fn kubernetes_events_quote_the_kernel() {
    for lead in [
        "  Warning  OOMKilling  7m59s                kernel-monitor  ",
        "  Warning  OOMKilling  49m   kernel-monitor, gke-standard-cluster--non-preemptible-999a553f-jdz5  ",
        "  Warning  OOMKilling  7m57s (x3 over 8m1s)  kernel-monitor  ",
        "7m59s       Warning   OOMKilling   node/pool-1-7   ",
        "Message:(combined from similar events): ",
        "  message: \"",
        "  message: '",
        "message: ",
        "`",
    ] {
        let report = scan_one(format!("{lead}{KILL}").as_bytes());
        assert_eq!(report.victims[0].pid, 243, "{lead}");
        assert_eq!(report.victims[0].anon_rss_kib, Some(8000), "{lead}");
        assert_eq!(report.provenance, Provenance::Unverified, "{lead}");
    }
    // Here the form shows another writer, and there a person speaks.
    for lead in [
        "Oct 12 19:00:20 pool-1 node-problem-detector-startup.sh[3240]: I1012 19:00:20.884452    3240 log_monitor.go:160] New status generated: &{Source:kernel-monitor Events:[{Reason:OOMKilling Message:",
        "we found this in the log of the machine today: ",
    ] {
        assert_eq!(scan(format!("{lead}{KILL}").as_bytes()), [], "{lead}");
    }
}

#[test]
fn a_line_in_backticks_is_a_line() {
    for mark in ["`", "'"] {
        let report = scan_one(
            format!("{mark}[67664.932863] Out of memory: Kill process 19463 (cc1plus) score 81 or sacrifice child{mark}\n")
                .as_bytes(),
        );
        assert_eq!(report.time.boot_us, Some(67_664_932_863));
        assert_eq!(
            (report.victims[0].pid, report.victims[0].score),
            (19463, Some(81))
        );
    }
}

/// 3.10: dump_header is called without the cgroup, and prints the machine's memory.
#[test]
fn a_cgroups_shortage_that_panics_is_the_cgroups() {
    let log = |function: &str| {
        format!(
            "[   81.234289] app invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n\
             [   81.234299] CPU: 3 PID: 8284 Comm: app Tainted: G           O E 3.10.0-229.el7.x86_64 #1\n\
             [   81.234314] Call Trace:\n\
             [   81.234327]  [<ffffffff81603d1c>] dump_header+0x8e/0x214\n\
             [   81.234342]  [<ffffffff811c17bf>] {function}+0x34f/0x580\n\
             [   81.234350]  [<ffffffff8115df44>] pagefault_out_of_memory+0x14/0x90\n\
             [   81.234381] Mem-Info:\n\
             [   81.234419] Node 0 DMA free:15900kB min:20kB low:24kB high:28kB\n\
             [   81.234867] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\n"
        )
    };
    let report = scan_one(log("mem_cgroup_oom_synchronize").as_bytes());
    assert_eq!(report.scope, Some(Scope::Memcg));
    assert_eq!(report.outcomes[0].0, Outcome::Panic);
    let report = scan_one(log("out_of_memory").as_bytes());
    assert_eq!(report.scope, Some(Scope::Global));
}

/// As Fedora's installer printed it while it switched swap off (4.16).
#[test]
fn free_swap_below_zero_is_a_line_of_the_report() {
    let report = scan_one(
        b"[   10.000001] anaconda invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0\n\
          [   10.000002] Mem-Info:\n\
          [   10.000003] Free swap  = -245804kB\n\
          [   10.000004] Total swap = 0kB\n",
    );
    let system = report.system.unwrap();
    assert_eq!(
        (system.swap_free_kib, system.swap_total_kib),
        (None, Some(0))
    );
    let line = system.swap_below_zero_line.unwrap();
    assert_eq!(report.text.get(line).unwrap().1, "Free swap  = -245804kB");
}
