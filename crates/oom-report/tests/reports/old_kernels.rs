//! Forms of kernels that do not run here. Written by hand from the format strings of the kernels named (no kernel of
//! these versions can be booted here); every number is invented.

use oom_report::report::{Outcome, Scope, StatUnit};

use crate::{scan, scan_one};

/// 3.10 (RHEL 7): the limit of a parent, child sacrificed, `UID` in the kill line.
const RHEL7: &str = "\
[1000.000001] java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=969
[1000.000002] java cpuset=docker-8f3a.scope mems_allowed=0
[1000.000003] CPU: 3 PID: 4242 Comm: java Kdump: loaded Tainted: G               ------------ T 3.10.0-1160.el7.x86_64 #1
[1000.000004] Hardware name: Xen HVM domU, BIOS 4.2.amazon 08/24/2006
[1000.000005] Call Trace:
[1000.000006]  [<ffffffff81781340>] dump_stack+0x19/0x1b
[1000.000007]  [<ffffffff8177bc60>] dump_header+0x90/0x229
[1000.000008]  [<ffffffff8111e0e0>] ? find_lock_task_mm+0x50/0xc0
[1000.000009] Task in /kubepods/burstable/pod1/c1 killed as a result of limit of /kubepods/burstable/pod1
[1000.000010] memory: usage 1048576kB, limit 1048576kB, failcnt 77
[1000.000011] memory+swap: usage 1048576kB, limit 9007199254740988kB, failcnt 0
[1000.000012] kmem: usage 0kB, limit 9007199254740988kB, failcnt 0
[1000.000013] Memory cgroup stats for /kubepods/burstable/pod1: cache:0KB rss:0KB rss_huge:0KB mapped_file:0KB swap:0KB inactive_anon:0KB active_anon:0KB inactive_file:0KB active_file:0KB unevictable:0KB
[1000.000014] Memory cgroup stats for /kubepods/burstable/pod1/c1: cache:16KB rss:1048560KB rss_huge:522240KB mapped_file:0KB swap:0KB inactive_anon:0KB active_anon:1048556KB inactive_file:8KB active_file:4KB unevictable:0KB
[1000.000015] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[1000.000016] [ 4200]     0  4200      253        1       4        0          -998 pause
[1000.000017] [ 4240]  1000  4240  2621440   262000     600        0           969 java
[1000.000018] Memory cgroup out of memory: Kill process 4240 (java) score 1969 or sacrifice child
[1000.000019] Killed process 4240 (java), UID 1000, total-vm:10485760kB, anon-rss:1047000kB, file-rss:1000kB, shmem-rss:0kB
";

#[test]
fn rhel7_with_a_parents_limit() {
    let report = scan_one(RHEL7.as_bytes());
    let memcg = report.memcg.as_ref().unwrap();
    assert_eq!(report.scope, Some(Scope::Memcg));
    assert_eq!(memcg.path.as_deref(), Some("/kubepods/burstable/pod1"));
    assert_eq!(
        memcg.victim_path.as_deref(),
        Some("/kubepods/burstable/pod1/c1")
    );
    assert_eq!(
        (memcg.memory.usage_kib, memcg.memory.failcnt),
        (Some(1_048_576), Some(77))
    );
    assert_eq!(memcg.stats.len(), 2);
    assert_eq!(memcg.stats[1].unit, StatUnit::KB);
    assert_eq!(memcg.stats[1].fields.get("rss_huge"), Some(522_240));
    assert_eq!(report.tasks.len(), 2);
    assert_eq!(report.tasks[1].nr_ptes, Some(600));
    let victim = &report.victims[0];
    assert_eq!(
        (victim.pid, victim.uid, victim.score),
        (4240, Some(1000), Some(1969))
    );
    assert_eq!(
        (victim.total_vm_kib, victim.anon_rss_kib),
        (Some(10_485_760), Some(1_047_000))
    );
    let trigger = report.trigger.unwrap();
    assert_eq!(
        trigger.kernel_release.as_deref(),
        Some("3.10.0-1160.el7.x86_64")
    );
    assert_eq!(
        (trigger.pid, trigger.cpuset.as_deref()),
        (Some(4242), Some("docker-8f3a.scope"))
    );
    assert_eq!(trigger.stack, ["dump_stack", "dump_header"]);
    assert_eq!(trigger.gfp_flags, ["GFP_KERNEL"]);
    assert_eq!(report.page_size_bytes, Some(4096));
}

#[test]
fn a_child_dies_in_its_parents_place() {
    let log = "Out of memory: Kill process 100 (parent) score 500 or sacrifice child\n\
               Killed process 101 (child) total-vm:1000kB, anon-rss:800kB, file-rss:0kB\n";
    let report = scan_one(log.as_bytes());
    let dead: Vec<_> = report
        .victims
        .iter()
        .filter(|victim| !victim.announced_only)
        .map(|victim| victim.pid)
        .collect();
    assert_eq!(dead, [101]);
    assert_eq!(report.scope, Some(Scope::Global));
}

#[test]
fn the_wrong_constraint_of_5_0_is_corrected() {
    let log = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=x,pid=7,uid=0\n\
               Memory cgroup out of memory: Killed process 7 (x) total-vm:1000kB, anon-rss:800kB, file-rss:0kB, shmem-rss:0kB\n";
    let report = scan_one(log.as_bytes());
    assert_eq!(report.scope, Some(Scope::Memcg));
    assert!(
        report
            .doubts
            .iter()
            .any(|(doubt, _)| *doubt == oom_report::report::Doubt::KernelBug)
    );
}

#[test]
fn a_group_kill_names_its_members_once() {
    let log = "\
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/g,task_memcg=/g,task=a,pid=11,uid=0
Memory cgroup out of memory: Killed process 11 (a) total-vm:9000kB, anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0
Tasks in /g are going to be killed due to memory.oom.group set
Memory cgroup out of memory: Killed process 10 (sh) total-vm:900kB, anon-rss:80kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0
Memory cgroup out of memory: Killed process 11 (a) total-vm:9000kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0
oom_reaper: reaped process 11 (a), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB
";
    let report = scan_one(log.as_bytes());
    let victims: Vec<_> = report
        .victims
        .iter()
        .map(|victim| (victim.pid, victim.group_kill, victim.anon_rss_kib))
        .collect();
    assert_eq!(victims, [(11, true, Some(8000)), (10, true, Some(80))]);
    assert!(report.victims[0].reaped.is_some());
}

#[test]
fn kills_without_their_reports_stand_alone() {
    let kill = |pid: u32| {
        format!(
            "Memory cgroup out of memory: Killed process {pid} (a) total-vm:9000kB, anon-rss:{pid}kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n"
        )
    };
    let reports = scan((kill(1) + &kill(2) + &kill(3)).as_bytes());
    assert_eq!(
        reports
            .iter()
            .map(|report| report.victims.len())
            .collect::<Vec<_>>(),
        [1, 1, 1]
    );
}

#[test]
fn nobody_to_kill_and_panic() {
    let report = scan_one(b"a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-1000\nOut of memory and no killable processes...\n");
    assert_eq!(report.outcomes[0].0, Outcome::NoKillableProcesses);
    assert_eq!(report.victims, []);
    let report = scan_one(b"a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\nKernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n");
    assert_eq!(report.outcomes[0].0, Outcome::Panic);
}

#[test]
fn sysrq_is_told_by_the_order() {
    let report = scan_one(b"kworker/0:1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0\noom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=b,pid=5,uid=0\nOut of memory: Killed process 5 (b) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n");
    assert_eq!(report.scope, Some(Scope::Sysrq));
    assert_eq!(report.memcg.unwrap().victim_path.as_deref(), Some("/a"));
}

/// 5.3 to 6.4 print memory.stat as one record with line ends in it; every log shows them in its own way.
#[test]
fn statistics_in_one_record_are_read_in_every_form() {
    let stamp = "[   11.000000] ";
    let header = "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0";
    let usage = "memory: usage 65536kB, limit 65536kB, failcnt 32";
    let stats = "Memory cgroup stats for /a:";
    let kill = "Memory cgroup out of memory: Killed process 7 (x) total-vm:1000kB, anon-rss:800kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:8kB oom_score_adj:0";
    let tag = "Nov 24 05:00:00 node-1 kernel: ";
    let dmesg = format!(
        "{stamp}{header}\n{stamp}{usage}\n{stamp}{stats}\n{stamp}anon 67051520\n               file 4096\n               kernel_stack 16384\n{stamp}{kill}\n"
    );
    let syslog = format!(
        "{tag}{header}\n{tag}{usage}\n{tag}{stats}\n{tag}anon 67051520#012file 4096#012kernel_stack 16384\n{tag}{kill}\n"
    );
    let journalctl = format!(
        "{tag}{header}\n{tag}{usage}\n{tag}{stats}\n{tag}anon 67051520\n                                file 4096\n                                kernel_stack 16384\n{tag}{kill}\n"
    );
    let raw = format!(
        "4,1,11,-;{header}\n6,2,12,-;{usage}\n6,3,13,-;{stats}\n6,4,14,-;anon 67051520\\x0afile 4096\\x0akernel_stack 16384\n3,5,15,-;{kill}\n"
    );
    for log in [dmesg, syslog, journalctl, raw] {
        let report = scan_one(log.as_bytes());
        let fields = &report.memcg.as_ref().unwrap().stats[0].fields;
        assert_eq!(fields.0.len(), 3, "{log}");
        assert_eq!(
            (fields.get("anon"), fields.get("kernel_stack")),
            (Some(67_051_520), Some(16_384)),
            "{log}"
        );
        assert_eq!(report.victims.len(), 1);
    }
}

/// Kernels before 5.4.12 call the bytes of the page tables kB.
#[test]
fn bytes_called_kb_are_corrected_by_the_table() {
    let log = "\
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[      7]     0     7      250      200   172032        0             0 x
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=x,pid=7,uid=0
Out of memory: Killed process 7 (x) total-vm:1000kB, anon-rss:800kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:172032kB oom_score_adj:0
";
    let report = scan_one(log.as_bytes());
    assert_eq!(report.victims[0].pgtables_kib, Some(168));
    assert!(
        report
            .doubts
            .iter()
            .any(|(doubt, _)| *doubt == oom_report::report::Doubt::KernelBug)
    );
}

#[test]
fn the_call_trace_tells_whose_memory_was_short_when_nothing_else_does() {
    for (function, scope) in [
        ("mem_cgroup_out_of_memory", Some(Scope::Memcg)),
        ("mem_cgroup_oom_synchronize", Some(Scope::Memcg)),
        ("__alloc_pages_slowpath.constprop.0", Some(Scope::Global)),
        ("moom_callback", Some(Scope::Sysrq)),
        ("do_syscall_64", None),
    ] {
        let log = format!(
            "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
             CPU: 0 PID: 7 Comm: a Not tainted 6.1.0 #1\nCall Trace:\n dump_header+0x43/0x1aa\n {function}+0x1/0x2\n"
        );
        assert_eq!(scan_one(log.as_bytes()).scope, scope, "{function}");
    }
}

/// `show_node` (mm/page_alloc.c) prints the node with CONFIG_NUMA only.
#[test]
fn zones_of_a_kernel_without_numa() {
    let log = "\
[10.000001] cc1plus invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0
[10.000002] Mem-Info:
[10.000003] DMA per-cpu:
[10.000004] CPU    0: hi:    0, btch:   1 usd:   0
[10.000005] Normal per-cpu:
[10.000006] HighMem per-cpu:
[10.000007] active_anon:200000 inactive_anon:100 isolated_anon:0
[10.000008] DMA free:3460kB min:64kB low:80kB high:96kB active_anon:0kB present:15992kB managed:15916kB all_unreclaimable? yes
[10.000009] lowmem_reserve[]: 0 845 2987 2987
[10.000010] Normal free:3688kB min:3728kB low:4660kB high:5592kB present:897016kB managed:865436kB
[10.000011] HighMem free:312kB min:512kB low:1000kB high:1488kB present:2193288kB managed:2193288kB
[10.000012] lowmem_reserve[]: 0 0 0 0
[10.000013] DMA: 1*4kB (U) 2*8kB (UM) 0*16kB = 20kB
[10.000014] Normal: 0*4kB 1*8kB (R) = 8kB
[10.000015] HighMem: 2*4kB (M) = 8kB
[10.000016] Out of memory: Kill process 4 (cc1plus) score 300 or sacrifice child
[10.000017] Killed process 4 (cc1plus) total-vm:800000kB, anon-rss:790000kB, file-rss:0kB
";
    let report = scan_one(log.as_bytes());
    let zones = &report.system.as_ref().unwrap().zones;
    let found: Vec<_> = zones
        .iter()
        .map(|zone| {
            let free = zone.fields_kib.get("free");
            (zone.node, zone.name.as_str(), free, zone.free_areas.len())
        })
        .collect();
    assert_eq!(
        found,
        [
            (0, "DMA", Some(3460), 3),
            (0, "Normal", Some(3688), 2),
            (0, "HighMem", Some(312), 1)
        ]
    );
    assert_eq!(zones[0].lowmem_reserve_pages, [0, 845, 2987, 2987]);
    assert_eq!(report.page_size_bytes, Some(4096));
    assert_eq!(report.scope, Some(Scope::Global));
    // What only begins with a zone's name is none.
    let report = scan_one(log.replace("Normal free:", "Normal fee:").as_bytes());
    assert_eq!(report.system.unwrap().zones[2].fields_kib.0.len(), 0);
}

/// Before 4.3 sysrq-f asks for an ordinary page (`moom_callback`, drivers/tty/sysrq.c): only the trace tells.
#[test]
fn sysrq_f_of_a_kernel_that_prints_order_0() {
    for mark in ["", "? "] {
        let log = format!(
            "[10.000001] kworker/2:9 invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n\
             [10.000002] CPU: 2 PID: 11016 Comm: kworker/2:9 Not tainted 4.1.0 #3\n\
             [10.000003] Call Trace:\n\
             [10.000004]  [<ffffffff810d733d>] {mark}out_of_memory+0x282/0x29b\n\
             [10.000005]  [<ffffffff8126bd74>] {mark}moom_callback+0x1f/0x21\n\
             [10.000006] Mem-Info:\n\
             [10.000007] Out of memory: Kill process 4 (app) score 300 or sacrifice child\n\
             [10.000008] Killed process 4 (app) total-vm:800000kB, anon-rss:790000kB, file-rss:0kB\n"
        );
        let report = scan_one(log.as_bytes());
        assert_eq!(report.scope, Some(Scope::Sysrq), "{mark:?}");
        assert_eq!(report.trigger.unwrap().stack.len(), 2);
    }
}

/// A trace whose end is lost may go on with functions that are no guesses: then the guesses are not the trace.
#[test]
fn guesses_are_no_trace_where_there_may_be_better() {
    let log = "[10.000001] app invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n\
               [10.000002] CPU: 2 PID: 7 Comm: app Not tainted 4.1.0 #3\n\
               [10.000003] Call Trace:\n\
               [10.000004]  [<ffffffff810d733d>] ? find_lock_task_mm+0x56/0xc0\n";
    let cut = scan_one(log.as_bytes());
    assert_eq!(cut.trigger.unwrap().stack, [""; 0]);
    assert!(!cut.missing.contains(&oom_report::report::Missing::Stack));
    let rest =
        "[10.000005]  [<ffffffff8116da46>] out_of_memory+0x4b6/0x4f0\n[10.000006] Mem-Info:\n";
    let whole = scan_one(format!("{log}{rest}").as_bytes());
    assert_eq!(whole.trigger.unwrap().stack, ["out_of_memory"]);
}

/// 2.6.32 (`oom_kill_process`), and long before (`__oom_kill_task`), which prints no sizes.
#[test]
fn kills_of_early_2_6() {
    let report = scan_one(
        b"[    5.786839] Out of memory: kill process 450 (plymouthd) score 38 or a child\n\
          [    5.786841] Killed process 450 (plymouthd)\n",
    );
    let victim = &report.victims[0];
    assert_eq!(
        (victim.pid, victim.comm.as_str(), victim.score),
        (450, "plymouthd", Some(38))
    );
    assert_eq!(report.victims.len(), 1);
    assert_eq!(report.scope, Some(Scope::Global));
    let report = scan_one(b"host kernel: Out of Memory: Killed process 2592 (mysql).\n");
    let victim = &report.victims[0];
    assert_eq!((victim.pid, victim.comm.as_str()), (2592, "mysql"));
    assert_eq!(report.doubts, []);
    assert_eq!(report.scope, Some(Scope::Global));
    // Lines that somebody ran together: a name is no longer than 15 bytes.
    let report = scan_one(
        b"host kernel: Out of Memory: Killed process 2592 (my(sql). host kernel: Killed (see above)\n",
    );
    assert_eq!(report.victims[0].comm, "my(sql");
    // A sentence of anybody's.
    assert_eq!(scan(b"app: kill process 7 (x) score 3 or a child\n"), []);
}
