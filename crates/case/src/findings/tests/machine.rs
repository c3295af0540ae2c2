//! Why the machine's allocation failed.

use oom_report::report::{HugePages, OomReport, Scope, Trigger};

use super::{fires, int, is_silent};
use crate::incident::Incident;
use crate::sample::*;

const WHY: [&str; 5] = [
    "machine-out-of-memory",
    "low-zone-exhausted",
    "memory-fragmented",
    "node-bound",
    "memory-was-free",
];

/// Of the reasons why an allocation failed only this one is found.
fn only_reason(report: &OomReport, code: &str) -> Incident {
    for other in WHY.iter().filter(|other| **other != code) {
        is_silent(report, other);
    }
    fires(report, code)
}

fn trigger(report: &mut OomReport) -> &mut Trigger {
    report.trigger.as_mut().unwrap()
}

#[test]
fn a_machine_that_is_really_out_of_memory() {
    let incident = only_reason(&machine(), "machine-out-of-memory");
    assert_eq!(int(&incident, "machine-out-of-memory", "zones_short"), 3);
    assert_eq!(int(&incident, "machine-out-of-memory", "free_kib"), 71_000);
    for code in WHY {
        is_silent(&figure_13(), code);
    }
}

#[test]
fn a_low_zone_is_short_while_others_have_room() {
    let mut report = machine();
    trigger(&mut report).gfp_flags = vec!["GFP_KERNEL".into(), "GFP_DMA32".into()];
    let high = zone(&mut report, 0, "Normal", 900_000, 16_000, &[0, 0, 0, 0]);
    // Most of DMA is kept for those who have no choice: 2,900 pages, and its watermark.
    let low = zone(
        &mut report,
        0,
        "DMA",
        11_900,
        300,
        &[0, 2_900, 3_900, 3_900],
    );
    let zones = &mut report.system.as_mut().unwrap().zones;
    (zones[0], zones[2]) = (low, high);
    let incident = only_reason(&report, "low-zone-exhausted");
    assert!(incident.verdict.summary.contains("low memory zone ran out"));
    assert_eq!(
        int(&incident, "low-zone-exhausted", "free_out_of_reach_kib"),
        900_000
    );
    trigger(&mut report).gfp_flags = vec!["GFP_HIGHUSER_MOVABLE".into()];
    only_reason(&report, "memory-was-free");
}

#[test]
fn free_memory_in_small_pieces_does_not_serve_a_high_order() {
    let mut report = machine();
    let mut normal = zone(&mut report, 0, "Normal", 400_000, 16_000, &[0, 0, 0, 0]);
    normal.free_areas = areas(&[
        (0, 50_000, "UME"),
        (1, 25_000, "UME"),
        (3, 4, "H"),
        (4, 0, ""),
    ]);
    report.system.as_mut().unwrap().zones[2] = normal;
    trigger(&mut report).order = Some(3);
    let incident = only_reason(&report, "memory-fragmented");
    assert!(incident.verdict.summary.contains("pieces too small"));
    assert_eq!(int(&incident, "memory-fragmented", "wanted_kib"), 32);
    assert_eq!(int(&incident, "memory-fragmented", "largest_block_kib"), 8);
    // A usable block of that order: then it was not fragmentation.
    report.system.as_mut().unwrap().zones[2].free_areas = areas(&[(0, 50_000, "UME"), (5, 3, "M")]);
    only_reason(&report, "memory-was-free");
}

#[test]
fn a_bound_node_is_full_while_others_have_room() {
    let mut report = machine();
    report.scope = Some(Scope::Cpuset);
    trigger(&mut report).mems_allowed = Some("0".into());
    let other = zone(&mut report, 1, "Normal", 900_000, 16_000, &[0, 0, 0, 0]);
    report.system.as_mut().unwrap().zones.push(other);
    let incident = only_reason(&report, "node-bound");
    assert_eq!(
        int(&incident, "node-bound", "free_out_of_reach_kib"),
        900_000
    );
    trigger(&mut report).mems_allowed = Some("0-1".into());
    only_reason(&report, "memory-was-free");
}

/// A bound task's report lists its own nodes alone; that others have room shows only in the machine's total.
#[test]
fn a_bound_node_is_full_while_unlisted_ones_have_room() {
    let mut report = machine();
    report.scope = Some(Scope::Mempolicy);
    only_reason(&report, "machine-out-of-memory");
    // 71,000 KiB are free in the zones that are listed.
    let info = &mut report.system.as_mut().unwrap().mem_info;
    *info = values(&[("free", 267_750), ("ram", 1_048_576), ("reserved", 48_576)]);
    let incident = only_reason(&report, "node-bound");
    assert_eq!(
        int(&incident, "node-bound", "free_out_of_reach_kib"),
        1_000_000
    );
    let codes: Vec<_> = incident
        .remedies
        .iter()
        .map(|remedy| remedy.code.as_ref())
        .collect();
    assert!(codes.contains(&"widen-nodes") && !codes.contains(&"reserve-for-the-system"));
    let found = crate::sample::finding(&incident, "machine-short-not-container").unwrap();
    assert!(
        found
            .title
            .starts_with("The memory nodes it may use ran short")
    );
    // The same numbers without a binding are a counter that lags, or a bug: no other node is made out of them.
    report.scope = Some(Scope::Global);
    only_reason(&report, "machine-out-of-memory");
}

#[test]
fn an_unused_huge_page_pool_is_found() {
    let mut report = machine();
    is_silent(&report, "hugetlb-pool-reserved");
    report.system.as_mut().unwrap().huge_pages = vec![HugePages {
        node: 0,
        total: 512,
        free: 500,
        size_kib: 2048,
    }];
    let incident = fires(&report, "hugetlb-pool-reserved");
    assert_eq!(
        int(&incident, "hugetlb-pool-reserved", "pool_kib"),
        1_048_576
    );
    // It is a part of its own, and giving it back comes first.
    let part = incident
        .usage_split
        .iter()
        .find(|part| part.name == "huge page pool");
    assert_eq!(part.map(|part| part.kib), Some(1_048_576));
    assert_eq!(incident.remedies[0].code, "shrink-hugetlb-pool");
}

/// A leak in the kernel: no process to blame, swap no help.
#[test]
fn the_machines_kernel_memory_is_no_process() {
    let mut report = machine();
    report.system.as_mut().unwrap().mem_info = values(&[
        ("active_anon", 100_000),
        ("inactive_anon", 10_000),
        ("isolated_anon", 0),
        ("slab_reclaimable", 8_000),
        ("slab_unreclaimable", 700_000),
        ("free", 17_750),
        ("ram", 1_048_576),
        ("reserved", 48_576),
    ]);
    let incident = fires(&report, "kernel-memory");
    let found = crate::sample::finding(&incident, "kernel-memory").unwrap();
    assert!(
        found
            .title
            .ends_with("of the machine is the kernel's own memory")
    );
    assert!(found.detail.contains("(2.7 GiB)"), "{}", found.detail);
    let codes: Vec<_> = incident
        .remedies
        .iter()
        .map(|remedy| remedy.code.as_ref())
        .collect();
    assert!(codes.contains(&"find-kernel-memory") && !codes.contains(&"add-swap"));
}

/// Kernels before 5.16 kill when a page fault ends without memory, whoever refused it.
#[test]
fn a_page_fault_may_be_refused_memory_that_is_there() {
    let mut report = machine();
    let normal = zone(&mut report, 0, "Normal", 900_000, 16_000, &[0, 0, 0, 0]);
    report.system.as_mut().unwrap().zones[2] = normal;
    only_reason(&report, "memory-was-free");
    is_silent(&report, "page-fault-refused");
    trigger(&mut report).gfp_mask = Some(0);
    trigger(&mut report).order = Some(0);
    is_silent(&report, "memory-was-free");
    let incident = fires(&report, "page-fault-refused");
    assert!(
        incident
            .verdict
            .summary
            .contains("a page fault was refused memory")
    );
    let has = |code: &str| incident.remedies.iter().any(|remedy| remedy.code == code);
    assert!(has("find-who-refused") && !has("reserve-for-the-system"));
    // Where the zones are short it is a shortage like any other.
    let mut short = machine();
    trigger(&mut short).page_fault = true;
    only_reason(&short, "machine-out-of-memory");
}

/// A zone line that lost its end says nothing of what had to stay free.
#[test]
fn a_zone_without_its_watermarks_proves_nothing() {
    let mut report = machine();
    for zone in &mut report.system.as_mut().unwrap().zones {
        zone.fields_kib = values(&[("free", 500_000)]);
    }
    for code in WHY {
        is_silent(&report, code);
    }
    // A kernel that miscounts its own watermarks (virtio-balloon, 2017) shows as little.
    for zone in &mut report.system.as_mut().unwrap().zones {
        zone.fields_kib = values(&[
            ("free", 193_448),
            ("min", 99_395_541_895_224),
            ("present", 3_000_000),
        ]);
    }
    for code in WHY {
        is_silent(&report, code);
    }
}
