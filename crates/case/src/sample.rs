//! Reports, made by hand for the tests: each holds the lines that its facts stand in. And the signals of live cases.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use oom_report::kernel_version::KernelVersion;
use oom_report::report::{
    Counter, FreeArea, LineIndex, Memcg, MemcgStats, NamedValues, OomReport, Provenance, Scope,
    StatUnit, SystemMemory, Task, Trigger, Victim, Zone,
};
use smol_str::SmolStr;

use crate::assemble::{Context, incident};
use crate::fact::{Ancestor, KillSignal, MemoryCounters, Process, SenderCall, SignalOrigin};
use crate::incident::{Finding, Incident, SourceKind, Value};
use crate::ledger::PastKill;

pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const PAUSE_ID: &str =
    "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
pub(crate) const UID: &str = "8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1";
const GIB: u64 = 1024 * 1024;

pub(crate) const CONTEXT: Context<'static> = Context {
    source: 0,
    kind: SourceKind::File,
    path: Some("kern.log"),
    place: None,
};

/// The incident of a report, without a past.
pub(crate) fn judged(report: &OomReport) -> Incident {
    incident(report, &CONTEXT, &[])
}

/// The incident of a report, with a past.
pub(crate) fn judged_after(report: &OomReport, history: &[PastKill]) -> Incident {
    incident(report, &CONTEXT, history)
}

/// The finding of that code.
pub(crate) fn finding<'i>(incident: &'i Incident, code: &str) -> Option<&'i Finding> {
    incident
        .findings
        .iter()
        .find(|finding| finding.code == code)
}

/// A number of a finding.
pub(crate) fn number(finding: &Finding, name: &str) -> Option<i64> {
    match finding.values.get(name)? {
        Value::Integer(number) => Some(*number),
        Value::Number(_) | Value::Text(_) => None,
    }
}

pub(crate) fn container_path() -> String {
    format!("/kubepods/burstable/pod{UID}/{ID}")
}

pub(crate) fn pod_path() -> String {
    format!("/kubepods/burstable/pod{UID}")
}

pub(crate) fn values(pairs: &[(&str, u64)]) -> NamedValues {
    NamedValues(
        pairs
            .iter()
            .map(|(name, value)| (SmolStr::new(name), *value))
            .collect(),
    )
}

pub(crate) fn add_line(report: &mut OomReport, text: &str) -> LineIndex {
    let number = report.text.len() as u64 + 101;
    report.text.push(number, text)
}

pub(crate) fn add_task(
    report: &mut OomReport,
    pid: u32,
    comm: &str,
    rss_pages: u64,
    adj: i32,
) -> LineIndex {
    let line = add_line(
        report,
        &format!("[{pid:7}] 0 {pid} {rss_pages} {adj} {comm}"),
    );
    report.tasks.push(Task {
        pid,
        tgid: pid,
        uid: Some(0),
        total_vm_pages: rss_pages + 1000,
        rss_pages,
        pgtables_bytes: Some(4096 * 8),
        swapents_pages: Some(0),
        oom_score_adj: adj,
        comm: SmolStr::new(comm),
        line,
        ..Task::default()
    });
    line
}

pub(crate) fn add_victim(
    report: &mut OomReport,
    pid: u32,
    comm: &str,
    total_vm_kib: u64,
    anon_rss_kib: u64,
) {
    let line = add_line(
        report,
        &format!(
            "Memory cgroup out of memory: Killed process {pid} ({comm}) total-vm:{total_vm_kib}kB, anon-rss:{anon_rss_kib}kB"
        ),
    );
    let adj = report
        .tasks
        .iter()
        .find(|task| task.pid == pid)
        .map(|task| task.oom_score_adj);
    report.victims.push(Victim {
        pid,
        comm: SmolStr::new(comm),
        tgid: Some(pid),
        total_vm_kib: Some(total_vm_kib),
        anon_rss_kib: Some(anon_rss_kib),
        file_rss_kib: Some(0),
        shmem_rss_kib: Some(0),
        oom_score_adj: adj,
        lines: vec![line],
        ..Victim::default()
    });
}

pub(crate) fn counter(
    report: &mut OomReport,
    name: &str,
    usage_kib: u64,
    limit_kib: u64,
    failcnt: u64,
) -> Counter {
    let line = add_line(
        report,
        &format!("{name}: usage {usage_kib}kB, limit {limit_kib}kB, failcnt {failcnt}"),
    );
    Counter {
        usage_kib: Some(usage_kib),
        limit_kib: Some(limit_kib),
        failcnt: Some(failcnt),
        line: Some(line),
    }
}

fn begin(scope: Scope, kernel: (u16, u16)) -> OomReport {
    let mut report = OomReport {
        provenance: Provenance::KernelTag,
        scope: Some(scope),
        kernel: Some(KernelVersion {
            major: kernel.0,
            minor: kernel.1,
            patch: 0,
            distribution: None,
        }),
        page_size_bytes: Some(4096),
        ..OomReport::default()
    };
    report.time.boot_us = Some(30_320_358_563);
    let line = add_line(
        &mut report,
        "app invoked oom-killer: gfp_mask=0x24000c0(GFP_KERNEL), order=0, oom_score_adj=995",
    );
    report.trigger = Some(Trigger {
        pid: Some(11190),
        comm: "app".into(),
        order: Some(0),
        gfp_flags: vec!["GFP_KERNEL".into()],
        line: Some(line),
        ..Trigger::default()
    });
    report
}

/// The kill of the write-up, figures 12 and 13: 1,536 KiB below a limit of 30 GiB, 29 GiB of it huge pages; cgroup v1,
/// kernel 4.9, the sandbox listed beside the container.
pub(crate) fn figure_13() -> OomReport {
    let mut report = begin(Scope::Memcg, (4, 9));
    let path = container_path();
    let path_line = add_line(
        &mut report,
        &format!("Task in {path} killed as a result of limit of {path}"),
    );
    let memory = counter(&mut report, "memory", 31_455_744, 31_457_280, 3_060);
    let memsw = counter(&mut report, "memory+swap", 31_455_744, 31_457_280, 0);
    let kmem = counter(&mut report, "kmem", 22_000, 9_007_199_254_740_988, 0);
    let stats_line = add_line(
        &mut report,
        &format!("Memory cgroup stats for {path}: cache:100KB rss:31433640KB rss_huge:30408704KB"),
    );
    report.memcg = Some(Memcg {
        path: Some(path.as_str().into()),
        victim_path: Some(path.as_str().into()),
        path_line: Some(path_line),
        memory,
        memsw,
        kmem,
        stats: vec![MemcgStats {
            path: Some(path.as_str().into()),
            fields: values(&[
                ("cache", 100),
                ("rss", 31_433_640),
                ("rss_huge", 30_408_704),
                ("mapped_file", 0),
                ("swap", 0),
                ("inactive_anon", 0),
                ("active_anon", 31_433_640),
                ("inactive_file", 60),
                ("active_file", 40),
                ("unevictable", 0),
            ]),
            unit: StatUnit::KB,
            line: Some(stats_line),
        }],
        ..Memcg::default()
    });
    add_task(&mut report, 11_190, "app", 7_858_410, 995);
    report.tasks[0].total_vm_pages = 62 * GIB / 4;
    add_victim(&mut report, 11_190, "app", 62 * GIB, 31_433_640);
    report
}

/// A pod's limit on cgroup v1: the victim's container holds `victim_kib`, its sidecar `sidecar_kib`, limit 1 GiB.
pub(crate) fn pod_limit(victim_kib: u64, sidecar_kib: u64) -> OomReport {
    let mut report = begin(Scope::Memcg, (4, 14));
    let (pod, container) = (pod_path(), container_path());
    let sidecar = format!("{pod}/{PAUSE_ID}");
    let path_line = add_line(
        &mut report,
        &format!("Task in {container} killed as a result of limit of {pod}"),
    );
    let memory = counter(&mut report, "memory", GIB, GIB, 12);
    let mut memcg = Memcg {
        path: Some(pod.as_str().into()),
        victim_path: Some(container.as_str().into()),
        path_line: Some(path_line),
        memory,
        ..Memcg::default()
    };
    for (path, kib) in [(&pod, 0), (&container, victim_kib), (&sidecar, sidecar_kib)] {
        let line = add_line(
            &mut report,
            &format!("Memory cgroup stats for {path}: cache:0KB rss:{kib}KB"),
        );
        memcg.stats.push(MemcgStats {
            path: Some(path.as_str().into()),
            fields: values(&[("cache", 0), ("rss", kib), ("rss_huge", 0)]),
            unit: StatUnit::KB,
            line: Some(line),
        });
    }
    report.memcg = Some(memcg);
    add_task(&mut report, 900, "pause", 120, -998);
    add_task(&mut report, 11_190, "app", victim_kib / 4, 995);
    add_task(&mut report, 11_300, "sidecar", sidecar_kib / 4, 995);
    add_victim(&mut report, 11_190, "app", victim_kib * 5 / 4, victim_kib);
    report
}

/// A container's limit of 64 MiB on cgroup v2 with these `memory.stat` fields in bytes.
pub(crate) fn container_v2(stats: &[(&str, u64)]) -> OomReport {
    let mut report = begin(Scope::Memcg, (6, 1));
    let path = container_path();
    let memory = counter(&mut report, "memory", 65_536, 65_536, 40);
    let swap = counter(&mut report, "swap", 0, 9_007_199_254_740_988, 0);
    let stats_line = add_line(&mut report, &format!("Memory cgroup stats for {path}:"));
    report.memcg = Some(Memcg {
        path: Some(path.as_str().into()),
        victim_path: Some(path.as_str().into()),
        memory,
        swap,
        stats: vec![MemcgStats {
            path: Some(path.as_str().into()),
            fields: values(stats),
            unit: StatUnit::Bytes,
            line: Some(stats_line),
        }],
        ..Memcg::default()
    });
    add_task(&mut report, 11_190, "app", 15_000, 995);
    let line = add_line(
        &mut report,
        &format!(
            "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg={path},task_memcg={path},task=app,pid=11190,uid=0"
        ),
    );
    report.constraint_line = Some(line);
    add_victim(&mut report, 11_190, "app", 70_000, 60_000);
    report
}

/// A zone with these sizes in KiB and a reserve in pages.
pub(crate) fn zone(
    report: &mut OomReport,
    node: u32,
    name: &str,
    free: u64,
    high: u64,
    reserve: &[u64],
) -> Zone {
    let line = add_line(
        report,
        &format!("Node {node} {name} free:{free}kB min:{high}kB high:{high}kB"),
    );
    Zone {
        node,
        name: name.into(),
        fields_kib: values(&[
            ("free", free),
            ("min", high),
            ("low", high),
            ("high", high),
            ("present", GIB),
            ("managed", GIB),
        ]),
        lowmem_reserve_pages: reserve.to_vec(),
        line: Some(line),
        ..Zone::default()
    }
}

/// Free blocks by order, as `(order, blocks, types)`.
pub(crate) fn areas(list: &[(u32, u64, &str)]) -> Vec<FreeArea> {
    list.iter()
        .map(|(order, blocks, types)| FreeArea {
            order: *order,
            block_kib: 4 << order,
            blocks: *blocks,
            migrate_types: SmolStr::new(types),
        })
        .collect()
}

/// A machine of 4 GiB without swap that is really out of memory; the victim is in a container.
pub(crate) fn machine() -> OomReport {
    let mut report = begin(Scope::Global, (5, 10));
    if let Some(trigger) = report.trigger.as_mut() {
        trigger.gfp_flags = vec!["GFP_HIGHUSER_MOVABLE".into(), "__GFP_ZERO".into()];
    }
    let mem_line = add_line(&mut report, "Mem-Info:");
    let zones = vec![
        zone(
            &mut report,
            0,
            "DMA",
            15_000,
            300,
            &[0, 2_900, 3_900, 3_900],
        ),
        zone(
            &mut report,
            0,
            "DMA32",
            40_000,
            45_000,
            &[0, 0, 1_000, 1_000],
        ),
        zone(&mut report, 0, "Normal", 16_000, 16_500, &[0, 0, 0, 0]),
    ];
    let swap_line = add_line(&mut report, "Total swap = 0kB");
    report.system = Some(SystemMemory {
        mem_info: values(&[
            ("active_anon", 700_000),
            ("inactive_anon", 200_000),
            ("isolated_anon", 0),
            ("active_file", 500),
            ("inactive_file", 500),
            ("shmem", 10_000),
            ("slab_reclaimable", 8_000),
            ("slab_unreclaimable", 20_000),
            ("pagetables", 4_000),
            ("free", 17_750),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ]),
        zones,
        swap_free_kib: Some(0),
        swap_total_kib: Some(0),
        page_size_bytes: Some(4096),
        line: Some(mem_line),
        swap_line: Some(swap_line),
        ..SystemMemory::default()
    });
    add_task(&mut report, 1, "systemd", 2_000, 0);
    add_task(&mut report, 700, "kubelet", 20_000, -999);
    add_task(&mut report, 11_190, "app", 300_000, 750);
    let path = container_path();
    let line = add_line(
        &mut report,
        &format!(
            "oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg={path},task=app,pid=11190,uid=0"
        ),
    );
    report.constraint_line = Some(line);
    report.memcg = Some(Memcg {
        victim_path: Some(path.as_str().into()),
        ..Memcg::default()
    });
    add_victim(&mut report, 11_190, "app", 2_000_000, 1_200_000);
    report
}

/// Only the write-up's one line.
pub(crate) fn one_line() -> OomReport {
    let mut report = OomReport {
        provenance: Provenance::KernelTag,
        scope: Some(Scope::Memcg),
        missing: vec![
            oom_report::report::Missing::Header,
            oom_report::report::Missing::KillLine,
        ],
        ..OomReport::default()
    };
    let line = add_line(
        &mut report,
        "Memory cgroup out of memory: Kill process 11190 (app) score 9 or sacrifice child",
    );
    report.victims.push(Victim {
        pid: 11_190,
        comm: "app".into(),
        score: Some(9),
        announced_only: true,
        lines: vec![line],
        ..Victim::default()
    });
    report
}

/// A signal that a process sent by kill(2).
pub(crate) fn signal(number: u32, sender: Process, target: Process, boot_ns: u64) -> KillSignal {
    KillSignal {
        boot_ns,
        signal: number,
        code: 0,
        origin: SignalOrigin::Siginfo,
        group: true,
        result: 0,
        call: SenderCall::Kill,
        system_call: Some(62),
        kill_pid: None,
        written_file: None,
        sender,
        sender_ancestors: Vec::new(),
        target,
        target_ancestors: Vec::new(),
        memory: MemoryCounters::default(),
        cpu_limit: None,
        ptrace_exitkill: false,
        tracer_tgid: None,
    }
}

/// A process as a parent of another.
pub(crate) fn above(process: &Process) -> Ancestor {
    Ancestor {
        tgid: process.tgid,
        start_boot_ns: process.start_boot_ns,
        comm: process.comm.clone(),
        exe: process.exe.clone(),
        login_uid: process.login_uid,
        tty: process.tty.clone(),
        pid_namespace: process.pid_namespace,
        namespaced_tgid: process.namespaced_tgid,
        cgroup: process.cgroups.unified.clone(),
        uid: process.uid,
    }
}
