//! Splits that add up, for v1 and v2 and the machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use oom_report::report::{MemcgStats, StatUnit};

use super::*;
use crate::sample::*;

fn sum(split: &UsageSplit) -> u64 {
    split.parts().iter().map(|part| part.kib).sum()
}

fn part(split: &UsageSplit, name: &str) -> Option<u64> {
    split
        .parts()
        .iter()
        .find(|part| part.name == name)
        .map(|part| part.kib)
}

#[test]
fn figure_13_is_huge_pages_for_the_most_part() {
    let split = UsageSplit::of(&figure_13(), Some(4)).unwrap();
    assert_eq!(split.usage_kib, 31_455_744);
    assert_eq!(part(&split, "huge pages (anonymous)"), Some(30_408_704));
    assert_eq!(part(&split, "anonymous"), Some(31_433_640 - 30_408_704));
    assert_eq!(part(&split, "kernel"), Some(22_000));
    assert_eq!(part(&split, "page cache"), Some(100));
    assert_eq!(split.shmem_kib, Some(0));
    assert!(split.shmem_estimated);
    assert_eq!(sum(&split), split.usage_kib);
}

#[test]
fn tmpfs_without_a_field_is_what_the_file_lists_lack() {
    let mut report = figure_13();
    let fields = values(&[
        ("cache", 500_000),
        ("rss", 100_000),
        ("rss_huge", 0),
        ("inactive_anon", 300_000),
        ("active_anon", 200_000),
        ("inactive_file", 60_000),
        ("active_file", 40_000),
    ]);
    report.memcg.as_mut().unwrap().stats[0].fields = fields;
    let split = UsageSplit::of(&report, Some(4)).unwrap();
    assert_eq!(
        (split.shmem_kib, split.file_kib),
        (Some(400_000), Some(100_000))
    );
}

#[test]
fn v2_parts_do_not_overlap() {
    let report = container_v2(&[
        ("anon", 30 << 20),
        ("anon_thp", 10 << 20),
        ("file", 20 << 20),
        ("shmem", 12 << 20),
        ("swapcached", 1 << 20),
        ("kernel", 5 << 20),
        ("slab_reclaimable", 2 << 20),
        ("slab", 3 << 20),
        ("slab_unreclaimable", 1 << 20),
        ("sock", 1 << 20),
    ]);
    let split = UsageSplit::of(&report, Some(4)).unwrap();
    for (name, mib) in [
        ("anonymous", 20),
        ("huge pages (anonymous)", 10),
        ("tmpfs/shmem", 12),
        ("page cache", 7),
        ("kernel", 3),
        ("kernel (reclaimable slab)", 2),
        ("socket buffers", 1),
        ("other", 9),
    ] {
        assert_eq!(part(&split, name), Some(mib * 1024), "{name}");
    }
    assert_eq!(sum(&split), 65_536);
    // Before 5.18 there is no sum of the kernel's parts.
    let report = container_v2(&[
        ("anon", 30 << 20),
        ("file", 0),
        ("slab", 3 << 20),
        ("kernel_stack", 1 << 20),
        ("pagetables", 1 << 20),
        ("percpu", 1 << 20),
    ]);
    assert_eq!(
        UsageSplit::of(&report, None).unwrap().kernel_kib,
        Some(6 * 1024)
    );
}

#[test]
fn v1_cgroups_are_added_up_and_hierarchical_totals_are_not() {
    let report = pod_limit(700_000, 300_000);
    assert_eq!(
        UsageSplit::of(&report, Some(4)).unwrap().anon_kib,
        Some(1_000_000)
    );
    // 6.5 and later print totals of the whole subtree for the cgroup itself.
    let mut report = container_v2(&[
        ("cache", 0),
        ("rss", 1 << 20),
        ("total_cache", 0),
        ("total_rss", 50 << 20),
        ("total_rss_huge", 0),
        ("total_shmem", 0),
    ]);
    let split = UsageSplit::of(&report, Some(4)).unwrap();
    assert_eq!(split.anon_kib, Some(50 * 1024));
    // A second cgroup in the memory.stat form is part of the first already.
    let child = MemcgStats {
        path: Some(format!("{}/child", container_path()).into()),
        fields: values(&[("anon", 20 << 20), ("file", 0)]),
        unit: StatUnit::Bytes,
        line: None,
    };
    report = container_v2(&[("anon", 30 << 20), ("file", 0)]);
    report.memcg.as_mut().unwrap().stats.push(child);
    assert_eq!(
        UsageSplit::of(&report, Some(4)).unwrap().anon_kib,
        Some(30 * 1024)
    );
}

#[test]
fn the_machine_is_split_by_its_page_counters() {
    let split = UsageSplit::of(&machine(), Some(4)).unwrap();
    assert_eq!(split.whole, Whole::Machine);
    assert_eq!(split.usage_kib, 4_000_000);
    assert_eq!(part(&split, "anonymous"), Some(890_000 * 4));
    assert_eq!(part(&split, "tmpfs/shmem"), Some(40_000));
    assert_eq!(part(&split, "free"), Some(71_000));
    assert_eq!(sum(&split), 4_000_000);
    // Pages mean nothing while their size is not known.
    assert_eq!(UsageSplit::of(&machine(), None), None);
}

#[test]
fn the_number_for_no_limit_is_no_limit() {
    for none in [
        9_007_199_254_740_988,
        9_007_199_254_740_991,
        18_014_398_509_481_983,
        9_007_199_254_740_928,
    ] {
        assert_eq!(real_limit(Some(none)), None);
    }
    assert_eq!(real_limit(Some(31_457_280)), Some(31_457_280));
    assert_eq!(real_limit(Some(0)), Some(0));
}
