//! The finished incident: id, places, owners, and how long it takes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::incident::{Cite, QosClass};
use crate::sample::*;

#[test]
fn the_id_is_of_the_victim_and_not_of_the_place() {
    let incident = judged(&figure_13());
    assert_eq!(incident.id.len(), 16);
    let elsewhere = Context {
        source: 3,
        kind: SourceKind::Journal,
        path: None,
        place: None,
    };
    let mut report = figure_13();
    report.provenance = oom_report::report::Provenance::Kernel;
    report.trigger = None;
    report.tasks.clear();
    assert_eq!(super::incident(&report, &elsewhere, &[]).id, incident.id);
    for change in [
        |victim: &mut Victim| victim.pid = 1,
        |victim: &mut Victim| victim.comm = "other".into(),
        |victim: &mut Victim| victim.anon_rss_kib = None,
        |victim: &mut Victim| victim.total_vm_kib = Some(0),
    ] {
        let mut report = figure_13();
        change(&mut report.victims[0]);
        assert_ne!(judged(&report).id, incident.id);
    }
    // For all time: an id is kept in stores.
    assert_eq!(judged(&one_line()).id, judged(&one_line()).id);
    assert_eq!(incident.id, FIGURE_13_ID);
}

/// Worked out apart from the code.
const FIGURE_13_ID: &str = "a975b169fcf91b60";

#[test]
fn without_a_victim_the_id_is_of_trigger_and_time() {
    let mut report = machine();
    report.victims.clear();
    let first = judged(&report).id;
    report.time.boot_us = Some(1);
    assert_ne!(judged(&report).id, first);
}

#[test]
fn owners_are_filled_in() {
    let incident = judged(&figure_13());
    let container = incident.container.unwrap();
    assert_eq!(container.id.as_deref(), Some(ID));
    assert!(!container.is_pause);
    let pod = incident.pod.unwrap();
    assert_eq!(
        (pod.uid.as_deref(), pod.qos_class),
        (Some(UID), Some(QosClass::Burstable))
    );
    assert_eq!(incident.owner, None);
    let memcg = incident.memcg.unwrap();
    assert_eq!(memcg.level.as_deref(), Some("container"));
    assert_eq!(memcg.kmem_limit_kib, None);
    assert_eq!(memcg.memsw_limit_kib, Some(31_457_280));
    let mut report = figure_13();
    let path = "/system.slice/nginx.service";
    let facts = report.memcg.as_mut().unwrap();
    (facts.path, facts.victim_path) = (Some(path.into()), Some(path.into()));
    assert_eq!(
        judged(&report).owner.as_deref(),
        Some("systemd unit nginx.service")
    );
    assert_eq!(judged(&one_line()).owner, None);
}

#[test]
fn cites_carry_source_and_line() {
    let context = Context {
        source: 7,
        kind: SourceKind::File,
        path: Some("a"),
        place: None,
    };
    let incident = super::incident(&figure_13(), &context, &[]);
    for cite in incident.verdict.evidence.iter().chain(
        incident
            .findings
            .iter()
            .flat_map(|finding| &finding.evidence),
    ) {
        assert!(
            matches!(
                cite,
                Cite::Line {
                    source: 7,
                    line: 101..,
                    ..
                }
            ),
            "{cite:?}"
        );
    }
    assert_eq!(
        (incident.source.first_line, incident.source.complete),
        (Some(101), true)
    );
}

#[test]
fn same_report_same_incident() {
    let json = |report: &OomReport| serde_json::to_string(&judged(report)).unwrap();
    for report in [
        figure_13(),
        machine(),
        pod_limit(200_000, 800_000),
        one_line(),
    ] {
        assert_eq!(json(&report), json(&report));
        let moved = into_incident(report.clone(), &CONTEXT, &[]);
        assert_eq!(serde_json::to_string(&moved).unwrap(), json(&report));
    }
    assert_eq!(judged(&OomReport::default()).victims.len(), 0);
}

/// Numbers that a log can hold, hostile ones among them.
fn numbers() -> impl Strategy<Value = Vec<u64>> {
    let number = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX / 1024),
        0..100_000u64,
        any::<u64>()
    ];
    proptest::collection::vec(number, 64)
}

/// Puts the numbers in the place of those that the report has.
fn overwrite(report: &mut OomReport, numbers: &[u64]) {
    let mut next = numbers.iter().copied().cycle();
    let mut take = || next.next().unwrap();
    let optional = |number: u64| (number != 1).then_some(number);
    for victim in &mut report.victims {
        victim.total_vm_kib = optional(take());
        victim.anon_rss_kib = optional(take());
        victim.file_rss_kib = optional(take());
        victim.shmem_rss_kib = optional(take());
        victim.oom_score_adj = Some(take() as i32);
    }
    for task in &mut report.tasks {
        task.rss_pages = take();
        task.total_vm_pages = take();
        task.swapents_pages = optional(take());
        task.pgtables_bytes = optional(take());
        task.nr_ptes = optional(take());
        task.oom_score_adj = take() as i32;
    }
    if let Some(memcg) = &mut report.memcg {
        for counter in [
            &mut memcg.memory,
            &mut memcg.memsw,
            &mut memcg.kmem,
            &mut memcg.swap,
        ] {
            counter.usage_kib = optional(take());
            counter.limit_kib = optional(take());
            counter.failcnt = optional(take());
        }
        let fields = memcg.stats.iter_mut().flat_map(|stats| &mut stats.fields.0);
        fields.for_each(|(_, value)| *value = take());
    }
    if let Some(system) = &mut report.system {
        system
            .mem_info
            .0
            .iter_mut()
            .for_each(|(_, value)| *value = take());
        for zone in &mut system.zones {
            zone.fields_kib
                .0
                .iter_mut()
                .for_each(|(_, value)| *value = take());
            zone.lowmem_reserve_pages
                .iter_mut()
                .for_each(|value| *value = take());
        }
        system.swap_free_kib = optional(take());
        system.swap_total_kib = optional(take());
    }
    if let Some(trigger) = &mut report.trigger {
        trigger.order = Some(take() as i32);
    }
    report.page_size_bytes = optional(take());
    report.time.boot_us = optional(take());
}

proptest! {
    #[test]
    fn hostile_numbers_do_not_panic_and_leave_the_ledger_sound(numbers in numbers()) {
        let past = PastKill::of(&judged(&figure_13()));
        let v2 = container_v2(&[("anon", 1), ("anon_thp", 1), ("file", 1), ("shmem", 1), ("kernel", 1), ("sock", 1)]);
        for mut report in [figure_13(), machine(), pod_limit(1, 2), v2] {
            overwrite(&mut report, &numbers);
            let incident = judged_after(&report, std::slice::from_ref(&past));
            for part in &incident.usage_split {
                prop_assert!(part.kib > 0);
            }
            prop_assert_eq!(incident.id.len(), 16);
            let mut ledger = crate::ledger::Ledger::new(4);
            prop_assert!(ledger.seen(&incident).is_none());
            ledger.add(&incident);
            prop_assert!(ledger.seen(&incident).is_some());
        }
    }
}
