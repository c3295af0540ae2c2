//! The formula on tables made by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::sample::*;

fn ranked(report: &OomReport) -> Vec<(u32, Option<i64>)> {
    judged(report)
        .ranking
        .iter()
        .map(|task| (task.pid, task.badness_pages))
        .collect()
}

#[test]
fn points_are_pages_and_thousandths_of_the_total() {
    // 1,000,000 pages of RAM, no swap; 8 pages of page tables each.
    assert_eq!(
        ranked(&machine()),
        [
            (11_190, Some(300_008 + 750_000)),
            (700, Some(20_008 - 999_000)),
            (1, None)
        ]
    );
    let mut report = machine();
    report.system.as_mut().unwrap().swap_total_kib = Some(400_000);
    assert_eq!(ranked(&report)[0].1, Some(300_008 + 750 * 1_100));
    let incident = judged(&machine());
    assert!(incident.ranking[0].killed && incident.ranking[0].trigger);
    assert!(finding(&incident, "victim-ranked-first").is_some());
}

#[test]
fn before_5_9_the_least_is_one_point() {
    let mut report = machine();
    report.kernel = Some(KernelVersion {
        major: 5,
        minor: 8,
        patch: 18,
        distribution: None,
    });
    assert_eq!(ranked(&report)[1], (700, Some(1)));
    report.kernel = Some(KernelVersion {
        major: 5,
        minor: 9,
        patch: 0,
        distribution: None,
    });
    assert_eq!(ranked(&report)[1], (700, Some(20_008 - 999_000)));
}

#[test]
fn a_cgroups_total_is_its_limit() {
    // 30 GiB are 7,864,320 pages: a thousandth is 7,864.
    assert_eq!(
        ranked(&figure_13()),
        [(11_190, Some(7_858_410 + 8 + 995 * 7_864))]
    );
    // Without a limit in the report oom_score_adj has no measure, which matters only when it differs.
    let mut report = figure_13();
    report.memcg.as_mut().unwrap().memory.limit_kib = None;
    add_task(&mut report, 12_000, "small", 100, 995);
    assert_eq!(
        ranked(&report),
        [(11_190, Some(7_858_418)), (12_000, Some(108))]
    );
    report.tasks[1].oom_score_adj = 0;
    assert!(ranked(&report).is_empty());
}

#[test]
fn page_tables_count_by_the_kernels_own_column() {
    let mut report = figure_13();
    report.tasks[0].pgtables_bytes = None;
    (report.tasks[0].nr_ptes, report.tasks[0].nr_pmds) = (Some(100), Some(20));
    report.tasks[0].swapents_pages = Some(1_000);
    assert_eq!(ranked(&report)[0].1, Some(7_858_410 + 1_120 + 995 * 7_864));
}

#[test]
fn bound_kills_count_the_allowed_nodes_only() {
    let mut report = machine();
    report.scope = Some(Scope::Cpuset);
    assert!(ranked(&report).is_empty(), "which nodes is not known");
    report.trigger.as_mut().unwrap().mems_allowed = Some("0".into());
    let other = zone(&mut report, 1, "Normal", 900_000, 16_000, &[]);
    report.system.as_mut().unwrap().zones.push(other);
    // Three zones of 1 GiB on node 0.
    assert_eq!(ranked(&report)[0].1, Some(300_008 + 750 * 786));
}

#[test]
fn threads_stand_for_one_process_and_unknown_page_sizes_for_nothing() {
    let mut report = figure_13();
    add_task(&mut report, 11_191, "app", 7_858_410, 995);
    report.tasks[1].tgid = 11_190;
    assert_eq!(ranked(&report).len(), 1);
    report.page_size_bytes = None;
    assert!(ranked(&report).is_empty());
}
