//! Findings that hold the parts against the whole: what is counted nowhere, who holds much together, what was free.

use oom_report::report::{OomReport, Scope};

use super::{codes, fires, int, is_silent, text};
use crate::incident::{Confidence, Incident};
use crate::sample::*;

fn mem_info(report: &mut OomReport, pages: &[(&str, u64)]) {
    report.system.as_mut().unwrap().mem_info = values(pages);
}

fn remedies(incident: &Incident) -> Vec<&str> {
    let codes = incident.remedies.iter().map(|remedy| remedy.code.as_ref());
    codes.collect()
}

/// A driver's pages, a balloon, ZFS: the largest part of what is counted explains nothing then.
#[test]
fn memory_that_no_counter_holds_is_said_to_be_there() {
    is_silent(&machine(), "memory-unaccounted");
    let mut report = machine();
    mem_info(
        &mut report,
        &[
            ("active_anon", 60_000),
            ("inactive_anon", 0),
            ("isolated_anon", 0),
            ("slab_reclaimable", 80_000),
            ("slab_unreclaimable", 10_000),
            ("free", 17_750),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ],
    );
    let incident = fires(&report, "memory-unaccounted");
    assert_eq!(
        int(&incident, "memory-unaccounted", "unaccounted_kib"),
        4 * (1_000_000 - 60_000 - 80_000 - 10_000 - 17_750)
    );
    let split = finding(&incident, "usage-split").unwrap();
    assert!(
        split
            .title
            .starts_with("Of 3.8 GiB only 655.3 MiB are counted"),
        "{}",
        split.title
    );
    let remedies = remedies(&incident);
    assert_eq!(remedies[0], "find-unaccounted-memory");
    // What processes hold is next to nothing: limits and swap for them are no cure.
    assert!(!remedies.contains(&"bound-the-large-ones") && !remedies.contains(&"add-swap"));
}

/// What the zones manage stands for the RAM whose `reserved` line is lost; stacks were counted by zone until 5.9.
#[test]
fn ram_and_stacks_are_taken_from_the_zones_where_the_totals_lack_them() {
    let mut report = machine();
    mem_info(
        &mut report,
        &[
            ("active_anon", 900_000),
            ("free", 17_750),
            ("ram", 1_048_576),
        ],
    );
    for zone in &mut report.system.as_mut().unwrap().zones {
        zone.fields_kib.0.push(("kernel_stack".into(), 100_000));
        for (name, kib) in &mut zone.fields_kib.0 {
            if name == "managed" {
                *kib = 1_000_000;
            }
        }
    }
    let incident = judged(&report);
    let part = |name: &str| {
        let parts = &incident.usage_split;
        parts
            .iter()
            .find(|part| part.name == name)
            .map(|part| part.kib)
    };
    assert_eq!(int(&incident, "usage-split", "usage_kib"), 3_000_000);
    assert_eq!(part("kernel"), Some(300_000));
}

#[test]
fn small_processes_of_one_name_are_added_up() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    is_silent(&report, "many-of-one-name");
    for pid in 0..8 {
        add_task(&mut report, 12_000 + pid, "php-fpm", 1_500, 995);
    }
    // 48 MiB of 64, and none of them larger than the victim.
    report.tasks[0].rss_pages = 2_000;
    let incident = fires(&report, "many-of-one-name");
    assert_eq!(int(&incident, "many-of-one-name", "processes"), 8);
    assert_eq!(text(&incident, "many-of-one-name", "comm"), "php-fpm");
    assert!(remedies(&incident).contains(&"fewer-workers"));
    // One that holds most of it needs no sum.
    report.tasks[0].rss_pages = 12_000;
    is_silent(&report, "many-of-one-name");
}

/// Before 5.9 all whom oom_score_adj puts below zero were one point: the sandbox died for the container's gigabytes.
#[test]
fn equals_are_told_from_a_choice() {
    let mut report = pod_limit(800_000, 100_000);
    report.kernel.as_mut().unwrap().minor = 19;
    for task in &mut report.tasks {
        task.oom_score_adj = -998;
    }
    report.victims.clear();
    add_victim(&mut report, 900, "pause", 1_028, 4);
    let incident = fires(&report, "choice-was-a-tie");
    assert_eq!(int(&incident, "choice-was-a-tie", "equals"), 3);
    let found = finding(&incident, "choice-was-a-tie").unwrap();
    assert!(found.detail.contains("before 5.9"), "{}", found.detail);
    let sandbox = finding(&incident, "sandbox-killed").unwrap();
    assert!(
        sandbox.detail.contains("app (pid 11190)"),
        "{}",
        sandbox.detail
    );
    assert!(
        !sandbox
            .detail
            .contains("no other process was more killable")
    );
    is_silent(&report, "victim-ranked-first");
    is_silent(&figure_13(), "choice-was-a-tie");
}

#[test]
fn shared_mappings_are_no_files_in_a_tmpfs() {
    let stats = [
        ("anon", 10 << 20),
        ("file", 50 << 20),
        ("shmem", 50 << 20),
        ("file_mapped", 50 << 20),
    ];
    let mut report = container_v2(&stats);
    let incident = fires(&report, "tmpfs-counted");
    assert!(remedies(&incident).contains(&"limit-tmpfs"));
    report.victims[0].shmem_rss_kib = Some(48 << 10);
    let incident = fires(&report, "tmpfs-counted");
    assert_eq!(text(&incident, "tmpfs-counted", "kind"), "shared mappings");
    let remedies = remedies(&incident);
    assert!(remedies.contains(&"bound-shared-memory") && !remedies.contains(&"limit-tmpfs"));
}

#[test]
fn only_writing_that_goes_on_blames_the_disk() {
    let told = |writeback: u64| {
        let stats = [
            ("anon", 10 << 20),
            ("file", 50 << 20),
            ("file_dirty", 40 << 20),
            ("file_writeback", writeback),
        ];
        let incident = fires(&container_v2(&stats), "page-cache-unreclaimed");
        let found = finding(&incident, "page-cache-unreclaimed").unwrap();
        found.detail.clone()
    };
    assert!(told(0).contains("write-out had not begun"));
    assert!(told(20 << 20).contains("the disk could not keep up"));
}

#[test]
fn what_mlock_did_not_lock_is_not_called_locked() {
    let mut report = machine();
    mem_info(
        &mut report,
        &[
            ("active_anon", 300_000),
            ("unevictable", 400_000),
            ("free", 17_750),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ],
    );
    // On a list of its own, it is in no other part.
    let parts = judged(&report).usage_split;
    let part = parts.iter().find(|part| part.name == "unevictable");
    assert_eq!(part.map(|part| part.kib), Some(1_600_000));
    let title = |report: &OomReport| {
        let incident = fires(report, "locked-memory");
        finding(&incident, "locked-memory").unwrap().title.clone()
    };
    assert!(title(&report).contains("is locked"));
    for zone in &mut report.system.as_mut().unwrap().zones {
        zone.fields_kib.0.push(("mlocked".into(), 16));
    }
    assert!(title(&report).contains("no program locked it"));
}

#[test]
fn swapoff_is_found_by_its_call_trace() {
    let mut report = machine();
    fires(&report, "swap-absent");
    report.trigger.as_mut().unwrap().stack = vec!["try_to_unuse".into(), "SyS_swapoff".into()];
    fires(&report, "swapoff-running");
    is_silent(&report, "swap-absent");
    // The trace has it as a guess only, or not at all: what is free of no swap is below zero.
    report.trigger.as_mut().unwrap().stack.clear();
    is_silent(&report, "swapoff-running");
    let line = add_line(&mut report, "Free swap  = -245804kB");
    let system = report.system.as_mut().unwrap();
    (system.swap_free_kib, system.swap_below_zero_line) = (None, Some(line));
    fires(&report, "swapoff-running");
    is_silent(&report, "swap-absent");
}

#[test]
fn what_the_victim_had_in_swap_is_said() {
    let mut report = figure_13();
    is_silent(&report, "victim-swapped-out");
    report.tasks[0].swapents_pages = Some(8_000_000);
    let incident = fires(&report, "victim-swapped-out");
    assert_eq!(
        int(&incident, "victim-swapped-out", "swapped_kib"),
        32_000_000
    );
    let raise = incident
        .remedies
        .iter()
        .find(|remedy| remedy.code == "raise-limit");
    assert!(raise.unwrap().detail.contains("stand in swap"));
}

/// 2^64 less a few pages: more was taken off than had been put on.
#[test]
fn a_counter_below_zero_is_no_usage() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    report.memcg.as_mut().unwrap().memory.usage_kib = Some(18_014_398_509_481_984 - 14_180);
    fires(&report, "counter-below-zero");
    is_silent(&report, "limit-hit");
    let incident = judged(&report);
    assert!(!remedies(&incident).contains(&"raise-limit"));
    is_silent(&container_v2(&[("anon", 60 << 20)]), "counter-below-zero");
}

/// A limit counts what is below it: of a task that left for the root, nothing says that it was above.
#[test]
fn a_task_that_left_its_cgroup_was_in_it() {
    let mut report = figure_13();
    report.memcg.as_mut().unwrap().victim_path = Some("/".into());
    let incident = judged(&report);
    assert!(
        incident
            .verdict
            .summary
            .contains("in container 0123456789ab")
    );
    is_silent(&report, "parent-limit-short");
    let mut report = pod_limit(200_000, 800_000);
    fires(&report, "parent-limit-short");
    report.memcg.as_mut().unwrap().victim_path = None;
    is_silent(&report, "parent-limit-short");
}

/// The zones are lost: the machine's own count still shows that it had not run out.
#[test]
fn a_machine_with_much_free_had_not_run_out() {
    let mut report = machine();
    report.system.as_mut().unwrap().zones.clear();
    assert!(
        judged(&report)
            .verdict
            .summary
            .contains("the whole machine ran out")
    );
    mem_info(
        &mut report,
        &[
            ("active_anon", 100_000),
            ("active_file", 200_000),
            ("free", 600_000),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ],
    );
    let incident = fires(&report, "memory-was-free");
    assert!(
        incident
            .verdict
            .summary
            .contains("though 2.3 GiB of the machine's memory were free"),
        "{}",
        incident.verdict.summary
    );
    assert!(!remedies(&incident).contains(&"bound-the-large-ones"));
    // A page fault: what could be taken back counts, too.
    mem_info(
        &mut report,
        &[
            ("active_anon", 100_000),
            ("active_file", 600_000),
            ("free", 10_000),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ],
    );
    assert!(
        judged(&report)
            .verdict
            .summary
            .contains("the whole machine ran out")
    );
    report.trigger.as_mut().unwrap().page_fault = true;
    let incident = fires(&report, "page-fault-refused");
    assert!(remedies(&incident).contains(&"find-who-refused"));
    assert_eq!(incident.verdict.confidence, Confidence::Possible);
}

/// Memory that may be unplugged takes no page tables or pinned pages.
#[test]
fn only_movable_memory_was_free() {
    let mut report = machine();
    report.scope = Some(Scope::Cpuset);
    let trigger = report.trigger.as_mut().unwrap();
    trigger.mems_allowed = Some("4".into());
    trigger.gfp_flags = vec!["GFP_HIGHUSER".into(), "__GFP_ACCOUNT".into()];
    let movable = zone(&mut report, 4, "Movable", 900_000, 16_000, &[0; 5]);
    report.system.as_mut().unwrap().zones = vec![movable];
    let incident = fires(&report, "movable-only-free");
    assert!(
        incident
            .verdict
            .summary
            .contains("had room only for movable pages")
    );
    let remedies = remedies(&incident);
    assert!(
        remedies.contains(&"more-kernel-memory") && !remedies.contains(&"bound-the-large-ones")
    );
}

/// The last try before a kill counts no CMA, whatever the pages are for.
#[test]
fn what_is_free_for_devices_alone_is_no_room() {
    let mut report = machine();
    report.trigger.as_mut().unwrap().gfp_flags = vec!["GFP_HIGHUSER_MOVABLE".into()];
    let mut normal = zone(&mut report, 0, "Normal", 600_000, 90_000, &[0; 4]);
    report.system.as_mut().unwrap().zones = vec![normal.clone()];
    fires(&report, "memory-was-free");
    normal.fields_kib.0.push(("free_cma".into(), 520_000));
    report.system.as_mut().unwrap().zones = vec![normal];
    let incident = fires(&report, "machine-out-of-memory");
    let found = finding(&incident, "machine-out-of-memory").unwrap();
    assert!(found.detail.contains("of CMA"), "{}", found.detail);
}

/// Nothing that is left to take back: a page that was given back just then makes no shortage of a moment.
#[test]
fn a_zone_above_its_watermark_does_not_make_the_shortage_one_of_a_moment() {
    let mut report = machine();
    let normal = zone(&mut report, 0, "Normal", 30_000, 20_000, &[0; 4]);
    report.system.as_mut().unwrap().zones = vec![normal];
    mem_info(
        &mut report,
        &[
            ("active_anon", 900_000),
            ("free", 7_500),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ],
    );
    let incident = fires(&report, "machine-out-of-memory");
    assert!(
        incident
            .verdict
            .summary
            .contains("the whole machine ran out")
    );
    mem_info(
        &mut report,
        &[
            ("active_anon", 500_000),
            ("active_file", 400_000),
            ("free", 7_500),
            ("ram", 1_048_576),
            ("reserved", 48_576),
        ],
    );
    let incident = fires(&report, "memory-was-free");
    assert!(incident.verdict.summary.contains("for a moment"));
    report.trigger.as_mut().unwrap().order = None;
    assert!(
        judged(&report)
            .verdict
            .summary
            .contains("or of a block as large")
    );
}

/// What is of no account against the whole is no reason, whatever oom_score_adj says.
#[test]
fn megabytes_that_were_spared_are_no_reason_beside_gigabytes() {
    let mut report = machine();
    add_task(&mut report, 500, "udevd", 6_000, -1000);
    let incident = judged(&report);
    assert!(!codes(&report).contains(&"oom-score-adj-spared"));
    assert!(!remedies(&incident).contains(&"review-oom-score-adj"));
}

/// Without CONFIG_HIGHMEM what asks for high memory is served from Normal, and the low zones are kept from it as from that.
#[test]
fn the_reserve_of_a_zone_holds_for_high_memory_too() {
    let mut report = machine();
    report.trigger.as_mut().unwrap().gfp_flags = vec!["GFP_HIGHUSER".into()];
    let low = zone(&mut report, 0, "DMA", 728, 220, &[0, 146, 146, 146]);
    report.system.as_mut().unwrap().zones = vec![low];
    // 728 KiB against 220 and 146 pages.
    fires(&report, "machine-out-of-memory");
    is_silent(&report, "memory-was-free");
}

/// Before 4.4 one block was not enough: a part of the watermark had to be free in blocks as large.
#[test]
fn older_kernels_want_more_than_one_block() {
    let mut report = machine();
    report.trigger.as_mut().unwrap().order = Some(2);
    let mut low = zone(&mut report, 0, "Normal", 467_728, 6_096, &[0; 4]);
    // 928 KiB in blocks of 16 KiB and more, against a quarter of the watermark.
    low.free_areas = vec![area(0, 4, 101_850), area(1, 8, 7_425), area(2, 16, 58)];
    report.system.as_mut().unwrap().zones = vec![low];
    report.kernel.as_mut().unwrap().major = 5;
    fires(&report, "memory-was-free");
    (
        report.kernel.as_mut().unwrap().major,
        report.kernel.as_mut().unwrap().minor,
    ) = (3, 10);
    let incident = fires(&report, "memory-fragmented");
    assert!(incident.verdict.summary.contains("pieces too small"));
}

fn area(order: u32, block_kib: u64, blocks: u64) -> oom_report::report::FreeArea {
    oom_report::report::FreeArea {
        order,
        block_kib,
        blocks,
        migrate_types: "UM".into(),
    }
}

/// `Out of memory: Killed process` is printed for the machine, a cpuset and a memory policy alike.
#[test]
fn a_kill_line_alone_says_no_more_than_that_it_was_no_cgroup() {
    let mut report = machine();
    assert_eq!(judged(&report).verdict.confidence, Confidence::Certain);
    (report.trigger, report.system, report.constraint_line) = (None, None, None);
    let verdict = judged(&report).verdict;
    assert_eq!(verdict.confidence, Confidence::Probable);
    assert!(
        verdict
            .summary
            .contains("or the part of it that the task may use"),
        "{}",
        verdict.summary
    );
}

/// Only since 4.3 does the header show that sysrq-f asked.
#[test]
fn a_person_is_cleared_only_where_asking_would_show() {
    let cleared = |report: &OomReport| {
        let ruled_out = judged(report).verdict.ruled_out;
        ruled_out
            .iter()
            .any(|item| item.killer == crate::incident::Killer::Person)
    };
    let mut report = machine();
    report.constraint_line = None;
    assert!(cleared(&report));
    (
        report.kernel.as_mut().unwrap().major,
        report.kernel.as_mut().unwrap().minor,
    ) = (3, 19);
    assert!(!cleared(&report));
    report.kernel = None;
    assert!(!cleared(&report));
}
