//! Each finding: a report that has it, with its numbers, and one that must not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use oom_report::report::{Doubt, Missing, OomReport, Outcome, Provenance, Reaped, Scope, Slab};

use crate::incident::{Cite, Incident, Severity, Value};
use crate::sample::*;

mod accounting;
mod choice;
mod machine;
mod repeats;

/// Codes that the report has.
fn codes(report: &OomReport) -> Vec<&'static str> {
    judged(report)
        .findings
        .into_iter()
        .map(|finding| match finding.code {
            std::borrow::Cow::Borrowed(code) => code,
            std::borrow::Cow::Owned(code) => panic!("{code} is not one of the fixed codes"),
        })
        .collect()
}

fn fires(report: &OomReport, code: &str) -> Incident {
    let incident = judged(report);
    let found = finding(&incident, code);
    assert!(found.is_some(), "no {code} among {:?}", codes(report));
    incident
}

fn is_silent(report: &OomReport, code: &str) {
    assert!(!codes(report).contains(&code), "{code} must not be found");
}

fn int(incident: &Incident, code: &str, name: &str) -> i64 {
    number(finding(incident, code).unwrap(), name).unwrap()
}

fn text<'i>(incident: &'i Incident, code: &str, name: &str) -> &'i str {
    match finding(incident, code).unwrap().values.get(name) {
        Some(Value::Text(text)) => text,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn the_limit_of_figure_12_was_hit_1536_kib_below_it() {
    let incident = fires(&figure_13(), "limit-hit");
    let found = finding(&incident, "limit-hit").unwrap();
    assert_eq!(found.severity, Severity::Critical);
    assert_eq!(
        found.title,
        "The container's memory limit of 30 GiB was hit: usage was 1,536 KiB below it"
    );
    assert_eq!(int(&incident, "limit-hit", "gap_kib"), 1_536);
    assert_eq!(int(&incident, "limit-hit", "failcnt"), 3_060);
    assert!(
        matches!(&found.evidence[0], Cite::Line { line: 103, text, .. } if text.starts_with("memory: usage 31455744kB"))
    );
    is_silent(&machine(), "limit-hit");
    is_silent(&one_line(), "limit-hit");
}

#[test]
fn the_counter_with_the_least_room_is_the_one_hit() {
    let mut report = figure_13();
    let memcg = report.memcg.as_mut().unwrap();
    (memcg.memory.usage_kib, memcg.memsw.usage_kib) = (Some(20_000_000), Some(31_457_300));
    let incident = fires(&report, "limit-hit");
    assert_eq!(text(&incident, "limit-hit", "counter"), "memory+swap");
    assert_eq!(int(&incident, "limit-hit", "gap_kib"), -20);
}

/// With equal limits the kernel meets the memory+swap limit first; the counts tell.
#[test]
fn of_equal_counters_the_one_that_was_hit_is_named() {
    let mut report = figure_13();
    let memcg = report.memcg.as_mut().unwrap();
    (memcg.memory.failcnt, memcg.memsw.failcnt) = (Some(0), Some(38));
    let incident = fires(&report, "limit-hit");
    assert_eq!(text(&incident, "limit-hit", "counter"), "memory+swap");
    assert_eq!(int(&incident, "limit-hit", "failcnt"), 38);
    let detail = |failcnt| {
        let mut report = figure_13();
        let memcg = report.memcg.as_mut().unwrap();
        (memcg.memory.failcnt, memcg.memsw.failcnt) = (Some(failcnt), Some(0));
        let incident = fires(&report, "limit-hit");
        finding(&incident, "limit-hit").unwrap().detail.clone()
    };
    assert!(detail(1).contains("hit this limit once") && !detail(0).contains("0 times"));
}

#[test]
fn usage_far_below_the_limit_is_told_as_such() {
    let mut report = figure_13();
    let memcg = report.memcg.as_mut().unwrap();
    (memcg.memory.usage_kib, memcg.memsw.usage_kib) = (Some(20_000_000), Some(20_000_000));
    fires(&report, "usage-below-limit");
    is_silent(&report, "limit-hit");
    is_silent(&figure_13(), "usage-below-limit");
}

#[test]
fn a_parents_limit_is_not_the_victims() {
    let incident = fires(&pod_limit(200_000, 800_000), "parent-limit-short");
    assert_eq!(text(&incident, "parent-limit-short", "level"), "pod");
    is_silent(&pod_limit(900_000, 100_000), "parent-limit-short");
    is_silent(&figure_13(), "parent-limit-short");
    fires(&machine(), "machine-short-not-container");
    is_silent(&figure_13(), "machine-short-not-container");
}

#[test]
fn neighbours_are_innocent_or_not() {
    let incident = fires(&pod_limit(900_000, 100_000), "neighbours-innocent");
    assert_eq!(int(&incident, "neighbours-innocent", "others_kib"), 100_000);
    let incident = fires(&pod_limit(200_000, 800_000), "neighbour-used-more");
    assert_eq!(
        text(&incident, "neighbour-used-more", "largest_container"),
        "fedcba987654"
    );
    is_silent(&figure_13(), "neighbour-used-more");
    let incident = fires(&figure_13(), "neighbours-innocent");
    assert_eq!(text(&incident, "neighbours-innocent", "by"), "limit");
    for report in [machine(), one_line(), pod_limit(200_000, 800_000)] {
        is_silent(&report, "neighbours-innocent");
    }
    // cgroup v2 prints no statistics of the containers: processes are compared.
    let mut report = pod_limit(900_000, 100_000);
    report.memcg.as_mut().unwrap().stats.clear();
    let incident = fires(&report, "neighbours-innocent");
    assert_eq!(text(&incident, "neighbours-innocent", "by"), "process");
    let mut report = pod_limit(200_000, 800_000);
    report.memcg.as_mut().unwrap().stats.clear();
    let incident = fires(&report, "neighbour-used-more");
    assert_eq!(int(&incident, "neighbour-used-more", "largest_pid"), 11_300);
}

#[test]
fn figure_13_holds_29_gib_in_huge_pages() {
    let incident = fires(&figure_13(), "huge-pages-share");
    assert_eq!(int(&incident, "huge-pages-share", "percent"), 97);
    assert_eq!(
        finding(&incident, "huge-pages-share").unwrap().title,
        "29 GiB of 30 GiB are transparent huge pages (97 %)"
    );
    let split = finding(&incident, "usage-split").unwrap();
    assert_eq!(
        split.title,
        "Most of the memory at the limit is huge pages (anonymous): 29 GiB of 30 GiB"
    );
    is_silent(
        &container_v2(&[("anon", 60 << 20), ("file", 0), ("anon_thp", 2 << 20)]),
        "huge-pages-share",
    );
    is_silent(&one_line(), "usage-split");
}

#[test]
fn tmpfs_page_cache_kernel_and_locked_memory_are_blamed_only_when_large() {
    type Stats = &'static [(&'static str, u64)];
    let rows: &[(&str, Stats, Stats)] = &[
        (
            "tmpfs-counted",
            &[("anon", 10 << 20), ("file", 50 << 20), ("shmem", 50 << 20)],
            &[("anon", 60 << 20), ("file", 3 << 20), ("shmem", 3 << 20)],
        ),
        (
            "page-cache-unreclaimed",
            &[("anon", 10 << 20), ("file", 50 << 20), ("shmem", 0)],
            &[("anon", 10 << 20), ("file", 50 << 20), ("shmem", 50 << 20)],
        ),
        (
            "kernel-memory",
            &[("anon", 10 << 20), ("file", 0), ("kernel", 40 << 20)],
            &[("anon", 60 << 20), ("file", 0), ("kernel", 2 << 20)],
        ),
        (
            "locked-memory",
            &[("anon", 60 << 20), ("file", 0), ("unevictable", 40 << 20)],
            &[("anon", 60 << 20), ("file", 0), ("unevictable", 4096)],
        ),
    ];
    for (code, with, without) in rows {
        fires(&container_v2(with), code);
        is_silent(&container_v2(without), code);
    }
    // A process that held little of it is not blamed for it.
    let mut tmpfs = container_v2(rows[0].1);
    tmpfs.tasks[0].rss_pages = 300;
    let detail = |report: &OomReport| {
        let incident = fires(report, "tmpfs-counted");
        finding(&incident, "tmpfs-counted").unwrap().detail.clone()
    };
    assert!(
        detail(&tmpfs).contains("held 1.2 MiB itself"),
        "{}",
        detail(&tmpfs)
    );
    tmpfs.tasks[0].rss_pages = 12_000;
    assert!(!detail(&tmpfs).contains("itself"));
    let dirty = container_v2(&[
        ("anon", 10 << 20),
        ("file", 50 << 20),
        ("shmem", 0),
        ("file_dirty", 30 << 20),
    ]);
    let incident = fires(&dirty, "page-cache-unreclaimed");
    assert!(
        finding(&incident, "page-cache-unreclaimed")
            .unwrap()
            .detail
            .contains("waits to be written")
    );
}

#[test]
fn the_largest_slab_cache_is_named() {
    let mut report = machine();
    let system = report.system.as_mut().unwrap();
    system
        .mem_info
        .0
        .iter_mut()
        .find(|(name, _)| name == "slab_unreclaimable")
        .unwrap()
        .1 = 400_000;
    system.slab = vec![
        Slab {
            name: "dentry".into(),
            used_kib: 10,
            total_kib: 20,
        },
        Slab {
            name: "kmalloc-4k".into(),
            used_kib: 1_000_000,
            total_kib: 1_200_000,
        },
    ];
    let incident = fires(&report, "kernel-memory");
    assert_eq!(
        text(&incident, "kernel-memory", "largest_slab_cache"),
        "kmalloc-4k"
    );
    is_silent(&machine(), "kernel-memory");
}

#[test]
fn the_overcommit_gap_is_told_without_blame() {
    let incident = fires(&figure_13(), "overcommit-gap");
    assert_eq!(
        int(&incident, "overcommit-gap", "gap_kib"),
        62 * 1024 * 1024 - 31_433_640
    );
    let found = finding(&incident, "overcommit-gap").unwrap();
    assert_eq!(found.severity, Severity::Info);
    assert!(found.detail.contains("did not cause this kill"));
    is_silent(&container_v2(&[("anon", 60 << 20)]), "overcommit-gap");
}

#[test]
fn swap_is_absent_full_forbidden_or_not_counted() {
    fires(&machine(), "swap-absent");
    let mut report = machine();
    let system = report.system.as_mut().unwrap();
    (system.swap_total_kib, system.swap_free_kib) = (Some(8_000_000), Some(100));
    fires(&report, "swap-full");
    is_silent(&report, "swap-absent");
    report.system.as_mut().unwrap().swap_free_kib = Some(4_000_000);
    is_silent(&report, "swap-full");
    fires(&figure_13(), "swap-not-allowed");
    is_silent(&figure_13(), "swap-not-counted");
    let mut report = figure_13();
    report.memcg.as_mut().unwrap().memsw.usage_kib = Some(0);
    fires(&report, "swap-not-counted");
    let mut report = container_v2(&[("anon", 60 << 20)]);
    is_silent(&report, "swap-not-allowed");
    report.memcg.as_mut().unwrap().swap.limit_kib = Some(0);
    fires(&report, "swap-not-allowed");
    let swap = &mut report.memcg.as_mut().unwrap().swap;
    (swap.usage_kib, swap.limit_kib) = (Some(999), Some(1_000));
    fires(&report, "swap-full");
}

#[test]
fn a_child_died_while_the_first_process_lived() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    fires(&report, "first-process-killed");
    is_silent(&report, "child-killed");
    add_task(&mut report, 11_100, "master", 1_000, 995);
    report.tasks.rotate_right(1);
    let incident = fires(&report, "child-killed");
    assert_eq!(text(&incident, "child-killed", "first_comm"), "master");
    assert!(
        !finding(&incident, "child-killed")
            .unwrap()
            .title
            .contains("most likely")
    );
    is_silent(&report, "first-process-killed");
    // The order of the table says otherwise.
    report.tasks.rotate_right(1);
    assert!(
        finding(&fires(&report, "child-killed"), "child-killed")
            .unwrap()
            .title
            .contains("most likely")
    );
    // The whole group died, or the table lists other containers too.
    report.victims[0].group_kill = true;
    is_silent(&report, "child-killed");
    is_silent(&pod_limit(900_000, 100_000), "child-killed");
}

#[test]
fn a_container_killed_before_it_was_an_application() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    is_silent(&report, "killed-at-start");
    report.victims[0].comm = "runc:[2:INIT]".into();
    let title = |report: &OomReport| {
        let incident = fires(report, "killed-at-start");
        finding(&incident, "killed-at-start").unwrap().title.clone()
    };
    assert!(title(&report).contains("was being started"));
    // A probe's command in a container that runs.
    add_task(&mut report, 11_100, "master", 1_000, 995);
    assert!(title(&report).contains("about to start a command"));
}

#[test]
fn threads_of_one_process_are_not_added_up() {
    let mut report = figure_13();
    is_silent(&report, "threads-listed");
    for pid in [11_191, 11_192] {
        add_task(&mut report, pid, "app", 7_858_410, 995);
        report.tasks.last_mut().unwrap().tgid = 11_190;
    }
    let incident = fires(&report, "threads-listed");
    assert_eq!(int(&incident, "threads-listed", "processes"), 1);
    is_silent(&report, "child-killed");
}

#[test]
fn the_sandbox_is_harmless() {
    let incident = fires(&pod_limit(900_000, 100_000), "pause-sandbox");
    assert_eq!(int(&incident, "pause-sandbox", "pid"), 900);
    let mut report = pod_limit(900_000, 100_000);
    // A large process of that name is no sandbox.
    report.tasks[0].rss_pages = 100_000;
    is_silent(&report, "pause-sandbox");
}

#[test]
fn a_killed_sandbox_is_not_harmless() {
    let mut report = pod_limit(900_000, 100_000);
    is_silent(&report, "sandbox-killed");
    report.victims.clear();
    add_victim(&mut report, 900, "pause", 1_000, 40);
    fires(&report, "sandbox-killed");
    is_silent(&report, "pause-sandbox");
    assert!(judged(&report).container.unwrap().is_pause);
}

#[test]
fn swap_full_names_the_process_that_fills_it() {
    let mut report = machine();
    let system = report.system.as_mut().unwrap();
    (system.swap_total_kib, system.swap_free_kib) = (Some(8_000_000), Some(100));
    report.tasks[2].swapents_pages = Some(1_500_000);
    let incident = fires(&report, "swap-full");
    let detail = &finding(&incident, "swap-full").unwrap().detail;
    assert!(
        detail.contains("app (pid 11190): 5.7 GiB swapped out, besides 1.1 GiB resident"),
        "{detail}"
    );
    assert!(
        incident
            .ranking
            .iter()
            .any(|task| task.swap_kib == Some(6_000_000))
    );
}

#[test]
fn a_machine_with_room_is_not_said_to_be_mostly_in_use() {
    let mut report = machine();
    report.scope = Some(Scope::Sysrq);
    report.system.as_mut().unwrap().mem_info = values(&[
        ("active_anon", 100_000),
        ("inactive_anon", 0),
        ("free", 900_000),
        ("ram", 1_048_576),
        ("reserved", 48_576),
    ]);
    let incident = fires(&report, "usage-split");
    let found = finding(&incident, "usage-split").unwrap();
    assert!(
        found
            .title
            .starts_with("The largest part of the machine's memory in use is anonymous"),
        "{}",
        found.title
    );
}

#[test]
fn names_in_titles_are_the_owners() {
    let title = |path: &str| {
        let mut report = pod_limit(900_000, 100_000);
        report.memcg.as_mut().unwrap().path = Some(path.into());
        let incident = fires(&report, "limit-hit");
        finding(&incident, "limit-hit").unwrap().title.clone()
    };
    for (path, start) in [
        ("/kubepods", "kubepods' memory limit"),
        ("/kubepods/burstable", "The Burstable tier's memory limit"),
        ("/system.slice/web.service", "web.service's memory limit"),
        (pod_path().as_str(), "The pod's memory limit"),
    ] {
        assert!(title(path).starts_with(start), "{}", title(path));
    }
}

/// One container in the pod: its limit is the pod's, and the sandbox counts too.
#[test]
fn a_pods_limit_is_said_to_be_the_sum_of_its_containers() {
    let detail = |report: &OomReport| {
        let incident = fires(report, "neighbours-innocent");
        finding(&incident, "neighbours-innocent")
            .unwrap()
            .detail
            .clone()
    };
    assert!(detail(&pod_limit(1_000_000, 1_000)).contains("sum of its containers' limits"));
    assert!(!detail(&pod_limit(700_000, 300_000)).contains("sum of"));
}

#[test]
fn other_outcomes_are_told() {
    for (outcome, code) in [
        (Outcome::Panic, "panic"),
        (Outcome::NoKillableProcesses, "no-killable-process"),
        (Outcome::Deadlocked, "memory-deadlock"),
        (Outcome::SysrqIgnored, "sysrq-ignored"),
        (Outcome::KillerDisabled, "oom-killer-disabled"),
        (Outcome::ReapFailed, "reaper-failed"),
    ] {
        let mut report = machine();
        is_silent(&report, code);
        let line = add_line(&mut report, "outcome");
        report.outcomes.push((outcome, line));
        fires(&report, code);
    }
    let mut report = figure_13();
    report.victims[0].reap_failed = true;
    fires(&report, "reaper-failed");
    report.victims[0].reaped = Some(Reaped {
        anon_rss_kib: 0,
        file_rss_kib: 0,
        shmem_rss_kib: Some(0),
    });
    is_silent(&report, "reaper-left-memory");
    report.victims[0].reaped = Some(Reaped {
        anon_rss_kib: 20_000_000,
        file_rss_kib: 0,
        shmem_rss_kib: Some(0),
    });
    fires(&report, "reaper-left-memory");
}

#[test]
fn group_and_sysrq_and_shared_memory_are_told() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    is_silent(&report, "group-kill");
    is_silent(&report, "sysrq-asked");
    is_silent(&report, "shared-memory-killed");
    add_victim(&mut report, 11_191, "helper", 1_000, 500);
    report.victims[1].shares_memory = true;
    fires(&report, "shared-memory-killed");
    report.victims[1].shares_memory = false;
    report.victims[0].group_kill = true;
    report.victims[1].group_kill = true;
    assert_eq!(
        int(&fires(&report, "group-kill"), "group-kill", "victims"),
        2
    );
    let mut report = machine();
    report.scope = Some(Scope::Sysrq);
    fires(&report, "sysrq-asked");
    is_silent(&report, "machine-out-of-memory");
}

#[test]
fn the_request_follows_from_oom_score_adj() {
    let incident = fires(&machine(), "memory-request-estimate");
    // adj 750 on 4,000,000 KiB: between 250 and 251 thousandths.
    assert_eq!(
        int(&incident, "memory-request-estimate", "request_low_kib"),
        1_000_000
    );
    assert_eq!(
        int(&incident, "memory-request-estimate", "request_high_kib"),
        1_004_000
    );
    // The clamped ends of the range, and other classes, tell nothing.
    for adj in [2, 3, 999, 1000, -997] {
        let mut report = machine();
        report.victims[0].oom_score_adj = Some(adj);
        is_silent(&report, "memory-request-estimate");
    }
    let mut report = machine();
    report.memcg.as_mut().unwrap().victim_path = Some(format!("/kubepods/pod{UID}/{ID}").into());
    is_silent(&report, "memory-request-estimate");
    is_silent(&figure_13(), "memory-request-estimate");
}

#[test]
fn weak_evidence_is_said_to_be_weak() {
    let mut report = figure_13();
    for code in [
        "provenance-unverified",
        "report-incomplete",
        "reports-interleaved",
    ] {
        is_silent(&report, code);
    }
    report.provenance = Provenance::Unverified;
    report.missing = vec![Missing::Stack, Missing::TaskTable];
    fires(&report, "provenance-unverified");
    assert_eq!(
        text(
            &fires(&report, "report-incomplete"),
            "report-incomplete",
            "sections"
        ),
        "the call trace, the task table"
    );
    for (doubt, code) in [
        (Doubt::Interleaved, "reports-interleaved"),
        (Doubt::LinesLost, "lines-lost"),
        (Doubt::LineCut, "line-cut"),
        (Doubt::KernelBug, "kernel-text-corrected"),
        (Doubt::TriggerMismatch, "trigger-name-differs"),
        (Doubt::TableHeaderMissing, "table-header-missing"),
    ] {
        report.doubts = vec![(doubt, Some(0)), (doubt, Some(1))];
        fires(&report, code);
        assert_eq!(
            codes(&report)
                .iter()
                .filter(|known| **known == code)
                .count(),
            1
        );
    }
}

#[test]
fn the_severest_comes_first_and_each_cites_a_line() {
    for report in [
        figure_13(),
        machine(),
        pod_limit(200_000, 800_000),
        one_line(),
    ] {
        let incident = judged(&report);
        let severities: Vec<Severity> = incident
            .findings
            .iter()
            .map(|finding| finding.severity)
            .collect();
        assert!(severities.is_sorted_by(|a, b| a >= b), "{severities:?}");
        for finding in &incident.findings {
            assert!(
                !finding.evidence.is_empty(),
                "{} cites nothing",
                finding.code
            );
            assert!(
                finding
                    .code
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
        }
    }
}
