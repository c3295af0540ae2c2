//! From the text of a log to the verdict: the parser's facts and the judgement fit together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use oom_report::{Assumptions, Scanner};
use whodunit_case::assemble::{Context, container_key, into_incident};
use whodunit_case::incident::{Confidence, Incident, Killer, QosClass, SourceKind};
use whodunit_case::ledger::Ledger;

const UID: &str = "8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Incidents of a log, each judged with those before it as its past.
fn judged(log: &str) -> Vec<Incident> {
    let context = Context {
        source: 0,
        kind: SourceKind::File,
        path: Some("kern.log"),
        place: None,
    };
    let mut ledger = Ledger::new(16);
    let mut incidents = Vec::new();
    Scanner::new(Assumptions::default()).scan(log.as_bytes(), 1, &mut |report| {
        let history = ledger.history(container_key(&report).as_deref());
        let incident = into_incident(report, &context, &history);
        ledger.add(&incident);
        incidents.push(incident);
    });
    incidents
}

fn has(incident: &Incident, code: &str) -> bool {
    incident.findings.iter().any(|finding| finding.code == code)
}

/// A container's kill on cgroup v1, kernel 4.9, logged by syslog `boot` seconds after boot.
fn v1(boot: u64, pid: u32, anon_kib: u64) -> String {
    let path = format!("/kubepods/burstable/pod{UID}/{ID}");
    let rows = [
        "app invoked oom-killer: gfp_mask=0x24000c0(GFP_KERNEL), nodemask=0, order=0, oom_score_adj=995".to_owned(),
        format!("CPU: 3 PID: {pid} Comm: app Not tainted 4.9.0-14-amd64 #1 Debian 4.9.246-2"),
        "Call Trace:".into(),
        format!("Task in {path} killed as a result of limit of {path}"),
        "memory: usage 31455744kB, limit 31457280kB, failcnt 3060".into(),
        "memory+swap: usage 31455744kB, limit 31457280kB, failcnt 0".into(),
        "kmem: usage 22000kB, limit 9007199254740988kB, failcnt 0".into(),
        format!(
            "Memory cgroup stats for {path}: cache:100KB rss:31433640KB rss_huge:30408704KB mapped_file:0KB dirty:0KB writeback:0KB \
             swap:0KB inactive_anon:0KB active_anon:31433640KB inactive_file:60KB active_file:40KB unevictable:0KB"
        ),
        "[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name".into(),
        format!(
            "[{pid}]     0 {pid} 16252928  {}   62000     100        0           995 app",
            anon_kib / 4
        ),
        format!(
            "Memory cgroup out of memory: Kill process {pid} (app) score 1995 or sacrifice child"
        ),
        format!(
            "Killed process {pid} (app) total-vm:65011712kB, anon-rss:{anon_kib}kB, file-rss:0kB, shmem-rss:0kB"
        ),
    ];
    rows.iter()
        .map(|row| format!("Mar  9 13:17:05 ip-172-30-36-152 kernel: [{boot}.358563] {row}\n"))
        .collect()
}

#[test]
fn the_write_ups_kill_is_solved() {
    let incidents = judged(&v1(30_320, 11_190, 31_433_640));
    assert_eq!(incidents.len(), 1);
    let incident = &incidents[0];
    assert_eq!(incident.verdict.killer, Killer::KernelMemcgContainer);
    assert_eq!(incident.verdict.confidence, Confidence::Certain);
    assert!(
        incident
            .verdict
            .summary
            .contains("its own memory limit of 30 GiB"),
        "{}",
        incident.verdict.summary
    );
    let pod = incident.pod.as_ref().unwrap();
    assert_eq!(
        (pod.uid.as_deref(), pod.qos_class),
        (Some(UID), Some(QosClass::Burstable))
    );
    for code in [
        "limit-hit",
        "huge-pages-share",
        "overcommit-gap",
        "swap-not-allowed",
    ] {
        assert!(has(incident, code), "{code}");
    }
    assert_eq!(incident.ranking.len(), 1);
    assert!(incident.usage_split[0].name.contains("huge pages"));
}

#[test]
fn the_kill_every_20_minutes_is_seen_to_repeat() {
    let log: String = (0u32..4)
        .map(|n| {
            v1(
                30_000 + u64::from(n) * 1_200,
                11_190 + n * 50,
                31_433_640 + u64::from(n),
            )
        })
        .collect();
    let incidents = judged(&log);
    assert_eq!(incidents.len(), 4);
    assert!(!has(&incidents[0], "repeated-kills"));
    assert!(has(&incidents[3], "repeated-kills"));
    assert!(
        incidents
            .iter()
            .all(|incident| !has(incident, "kill-storm"))
    );
}

#[test]
fn a_group_kill_under_a_pods_limit_names_the_group() {
    let pod = format!(
        "/kubepods.slice/kubepods-pod{}.slice",
        UID.replace('-', "_")
    );
    let path = format!("{pod}/cri-containerd-{ID}.scope");
    let log: String = [
        "worker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-997".to_owned(),
        "CPU: 0 PID: 412 Comm: worker Not tainted 6.1.0-18-cloud-amd64 #1".into(),
        "memory: usage 262144kB, limit 262144kB, failcnt 51".into(),
        "swap: usage 0kB, limit 0kB, failcnt 0".into(),
        format!("Memory cgroup stats for {pod}:"),
        "anon 200000000".into(),
        "file 60000000".into(),
        "kernel 4000000".into(),
        "shmem 59000000".into(),
        "Tasks state (memory values in pages):".into(),
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name".into(),
        "[    300]     0   300      250        1    28672        0          -998 pause".into(),
        "[    411]     0   411     3000     1200    61440        0          -997 master".into(),
        "[    412]     0   412    60000    48000   450560        0          -997 worker".into(),
        format!(
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={pod},task_memcg={path},\
             task=worker,pid=412,uid=0"
        ),
        "Memory cgroup out of memory: Killed process 412 (worker) total-vm:240000kB, anon-rss:190000kB, file-rss:2000kB, \
         shmem-rss:0kB, UID:0 pgtables:440kB oom_score_adj:-997"
            .into(),
        format!("Tasks in {path} are going to be killed due to memory.oom.group set"),
        "Memory cgroup out of memory: Killed process 411 (master) total-vm:12000kB, anon-rss:4000kB, file-rss:800kB, \
         shmem-rss:0kB, UID:0 pgtables:60kB oom_score_adj:-997"
            .into(),
    ]
    .iter()
    .map(|row| format!("[   99.125000] {row}\n"))
    .collect();
    let incidents = judged(&log);
    assert_eq!(incidents.len(), 1);
    let incident = &incidents[0];
    assert_eq!(incident.verdict.killer, Killer::KernelGroupKill);
    assert_eq!(
        incident.verdict.confidence,
        Confidence::Probable,
        "plain dmesg does not show who wrote it"
    );
    assert_eq!(
        incident.memcg.as_ref().unwrap().level.as_deref(),
        Some("pod")
    );
    let victims: Vec<u32> = incident.victims.iter().map(|victim| victim.pid).collect();
    assert_eq!(victims, [412, 411]);
    assert_eq!(
        incident.victims[1]
            .container
            .as_ref()
            .unwrap()
            .id
            .as_deref(),
        Some(ID)
    );
    for code in [
        "limit-hit",
        "group-kill",
        "pause-sandbox",
        "tmpfs-counted",
        "swap-not-allowed",
        "provenance-unverified",
    ] {
        assert!(has(incident, code), "{code}");
    }
    assert!(!has(incident, "child-killed"));
}
