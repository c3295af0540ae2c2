//! Why an allocation failed on a machine (or on some of its nodes): watermarks, zones, block sizes, bound nodes.
//!
//! Source: `__zone_watermark_ok`, mm/page_alloc.c: an allocation of order 0 needs more free pages in a zone than the
//! high watermark and the zone's reserve for its class; a higher order also needs a free block of that size.

mod zones;

use oom_report::report::Scope;

use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::{exact, human, percent};
use crate::usage::{UsageSplit, of_zones_kib, ram_kib};

use super::finding;
use zones::{Checked, check};

/// Why the allocation could not be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Every zone that could serve it was below its watermark.
    Machine,
    /// Only zones that this allocation may not use had memory.
    LowZone,
    /// Memory was free, but in no block large enough.
    Fragmented,
    /// Only nodes that the task may not use had memory.
    Bound,
    /// Only zones for movable pages had memory, and this allocation's pages can't be moved.
    MovableOnly,
    /// A zone had memory when the report was printed.
    WasFree,
    /// The same, but there was next to nothing left to reclaim: a page given back does not make it a lack of a moment.
    WasFreeJustThen,
    /// Much memory was free, and the zones that could tell why it was of no use are not in the report.
    Unexplained,
}

/// Of a machine's memory, how much must be free (or can be taken back) to say that it had not run out, in percent.
const MUCH_PERCENT: u64 = 20;
/// And how little is as good as nothing.
const NOTHING_PERCENT: u64 = 5;

/// What the zones show; none without a machine's report, its zones or the page size.
pub(crate) fn shortage(scene: &Scene<'_>) -> Option<Shortage> {
    match checked(scene) {
        Some(checked) => Some(decide(scene, &checked)),
        None => had_much(scene).then_some(Shortage::Unexplained),
    }
}

/// Whether the machine's counters alone show that it had memory: free, or for a page fault (which waits for reclaim as any
/// other, but may be refused by who knows whom) as page cache, too. For one page only: a larger block is another matter.
fn had_much(scene: &Scene<'_>) -> bool {
    let one_page = scene.order() == Some(0) || scene.is_page_fault();
    let Some(split) = scene
        .split
        .as_ref()
        .filter(|_| scene.is_machine() && one_page)
    else {
        return false;
    };
    let had_kib = match scene.is_page_fault() {
        true => split.reclaimable_kib(),
        false => 0,
    };
    let had_kib = had_kib.saturating_add(free_kib(scene, split));
    percent(had_kib, split.usage_kib) >= MUCH_PERCENT
}

/// Free on the whole machine, without what only movable pages may use.
fn free_kib(scene: &Scene<'_>, split: &UsageSplit) -> u64 {
    let system = scene.report.system.as_ref();
    let cma = system.and_then(|system| scene.kib(system.mem_info.get("free_cma")?));
    let free = split.free_kib.unwrap_or(0);
    free.saturating_sub(cma.unwrap_or(0))
}

/// Whether so little was free and to be taken back, in swap, too, that the machine as a whole was out of memory.
fn had_nothing(scene: &Scene<'_>, zones: &[Checked<'_>]) -> bool {
    let Some(split) = scene.split.as_ref() else {
        return false;
    };
    let system = scene.report.system.as_ref();
    let swap_kib = system.and_then(|system| system.swap_free_kib);
    let in_zones = zones
        .iter()
        .map(|zone| zone.free_kib)
        .fold(0, u64::saturating_add);
    let free_kib = split.free_kib.unwrap_or(0).max(in_zones);
    let left_kib = split
        .reclaimable_kib()
        .saturating_add(swap_kib.unwrap_or(0))
        .saturating_add(free_kib);
    percent(left_kib, split.usage_kib) < NOTHING_PERCENT
}

fn checked<'a>(scene: &Scene<'a>) -> Option<Vec<Checked<'a>>> {
    if !scene.is_machine() {
        return None;
    }
    let system = scene.report.system.as_ref()?;
    let checked = check(
        system,
        scene.report.trigger.as_ref(),
        scene.report.kernel,
        scene.page_kib?,
    );
    // Without a zone that the allocation may use (its line is lost) only one that it may not use can tell.
    checked
        .iter()
        .any(|zone| zone.in_reach() || zone.is_of_no_use())
        .then_some(checked)
}

fn decide(scene: &Scene<'_>, zones: &[Checked<'_>]) -> Shortage {
    let order = scene.order().unwrap_or(0);
    let room = |zone: &&Checked<'_>| !zone.is_short();
    let in_reach_with_room: Vec<_> = zones
        .iter()
        .filter(|zone| zone.in_reach())
        .filter(room)
        .collect();
    if !in_reach_with_room.is_empty() {
        let has_block = in_reach_with_room.iter().any(|zone| zone.has_block);
        return if order > 0 && !has_block {
            Shortage::Fragmented
        } else if order == 0 && !scene.is_page_fault() && had_nothing(scene, zones) {
            Shortage::WasFreeJustThen
        } else {
            Shortage::WasFree
        };
    }
    let other_node_has_room = zones
        .iter()
        .any(|zone| !zone.allowed_node && zone.allowed_class && room(&zone));
    if other_node_has_room || free_on_unlisted_nodes_kib(scene).is_some() {
        Shortage::Bound
    } else if zones
        .iter()
        .any(|zone| zone.is_of_no_use() && zone.zone.name != "Movable")
    {
        Shortage::LowZone
    } else if zones.iter().any(Checked::is_of_no_use) {
        Shortage::MovableOnly
    } else {
        Shortage::Machine
    }
}

/// What is free on nodes whose zones the report does not list: a bound task's report lists only the nodes that it may
/// use (SHOW_MEM_FILTER_NODES, mm/show_mem.c), while `free:` counts the machine's. Only where the kernel itself names
/// the binding, and where it is more than a hundredth of the machine: counters that lag behind differ too.
fn free_on_unlisted_nodes_kib(scene: &Scene<'_>) -> Option<u64> {
    let bound = matches!(scene.report.scope, Some(Scope::Cpuset | Scope::Mempolicy));
    let system = scene.report.system.as_ref().filter(|_| bound)?;
    let all = scene.kib(system.mem_info.get("free")?)?;
    let listed = of_zones_kib(system, "free").unwrap_or(0);
    let ram = ram_kib(system, scene.page_kib?)?;
    Some(all.saturating_sub(listed)).filter(|free| *free > ram / 100)
}

/// The nodes of these zones: `node 1`, `nodes 0, 2`.
fn nodes_in_words<'z>(zones: impl Iterator<Item = &'z Checked<'z>>) -> String {
    let mut nodes: Vec<u32> = zones.map(|zone| zone.zone.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let list: Vec<String> = nodes.iter().map(u32::to_string).collect();
    match list.as_slice() {
        [one] => format!("node {one}"),
        several => format!("nodes {}", several.join(", ")),
    }
}

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if let Some(zones) = checked(scene) {
        let shortage = decide(scene, &zones);
        why(scene, &zones, shortage, found);
    } else if had_much(scene) {
        unexplained(scene, found);
    }
    hugetlb_pool(scene, found);
}

/// The zones are lost, or their watermarks make no sense.
fn unexplained(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let (Some(system), Some(split)) = (&scene.report.system, &scene.split) else {
        return;
    };
    let header = scene
        .report
        .trigger
        .as_ref()
        .and_then(|trigger| trigger.line);
    let free = free_kib(scene, split);
    let (code, title, detail) = match scene.is_page_fault() {
        true => (
            "page-fault-refused",
            format!(
                "The machine had memory to give ({} free, {} of page cache and slab to be taken back): a page fault was refused it \
                 for another reason",
                human(free),
                human(split.reclaimable_kib())
            ),
            PAGE_FAULT.to_owned(),
        ),
        false => (
            "memory-was-free",
            format!("{} of {} were free: why they were of no use, the report does not show", human(free), human(split.usage_kib)),
            "The zones that the allocation could use are not in the report, or their watermarks make no sense. Known reasons: a low \
             zone was short (32-bit kernels, devices), the task is bound to a node, the request was special, or the kernel \
             miscounted what has to stay free."
                .to_owned(),
        ),
    };
    found.push(
        finding(code, Severity::Warning, title, detail)
            .number("free_kib", free)
            .number("reclaimable_kib", split.reclaimable_kib())
            .number("usage_kib", split.usage_kib)
            .cite(scene, [header, system.line]),
    );
}

/// Source: `pagefault_out_of_memory`, mm/oom_kill.c; it kills no more since 5.16.
const PAGE_FAULT: &str = "Kernels before 5.16 call the OOM killer when a page fault ends without memory (pagefault_out_of_memory), \
     whoever refused it: often a limit of kernel memory of a cgroup (memory.kmem.limit_in_bytes, v1), of huge pages, or a driver. \
     Nothing that is killed then helps.";

fn why(scene: &Scene<'_>, zones: &[Checked<'_>], shortage: Shortage, found: &mut Vec<Finding>) {
    let order = scene.order().unwrap_or(0).clamp(0, 20);
    let wanted_kib = scene.page_kib.unwrap_or(4) << order;
    let told: Vec<String> = zones
        .iter()
        .filter(|zone| zone.in_reach())
        .map(Checked::in_words)
        .collect();
    let told = told.join("; ");
    let in_reach = || zones.iter().filter(|zone| zone.in_reach());
    let out_of_reach = || {
        zones
            .iter()
            .filter(|zone| !zone.in_reach() && !zone.is_short())
    };
    let free: u64 = in_reach()
        .map(|zone| zone.free_kib)
        .fold(0, u64::saturating_add);
    let elsewhere: u64 = out_of_reach()
        .map(|zone| zone.free_kib)
        .fold(0, u64::saturating_add)
        .saturating_add(free_on_unlisted_nodes_kib(scene).unwrap_or(0));
    let free_elsewhere = || {
        let told: Vec<String> = out_of_reach().map(Checked::in_words).collect();
        told.join("; ")
    };
    let (code, severity, title, detail) = match shortage {
        Shortage::WasFree if scene.is_page_fault() => (
            "page-fault-refused",
            Severity::Warning,
            "The machine had memory: a page fault was refused it for another reason".to_owned(),
            format!("{told}. {PAGE_FAULT}"),
        ),
        Shortage::Machine => (
            "machine-out-of-memory",
            Severity::Critical,
            match scene.split.as_ref() {
                Some(split) => format!(
                    "The machine was really out of memory: {} of {} free",
                    human(free),
                    human(split.usage_kib)
                ),
                None => format!("The machine was really out of memory: {} free", human(free)),
            },
            match zones_are_lost(scene) {
                false => format!(
                    "Every zone that could serve the allocation stood at or below its watermark: {told}."
                ),
                true => format!(
                    "What the report still has of the zones that could serve the allocation stood at or below its watermark: {told}."
                ),
            },
        ),
        Shortage::LowZone => (
            "low-zone-exhausted",
            Severity::Critical,
            format!(
                "Only the low zones were short: {} was free where this allocation may not go",
                human(elsewhere)
            ),
            format!(
                "The allocation's flags allow only low zones (devices or kernel memory): {}. Free elsewhere: {}.",
                in_reach_told(&told),
                free_elsewhere()
            ),
        ),
        Shortage::MovableOnly => (
            "movable-only-free",
            Severity::Critical,
            format!(
                "Only memory for movable pages was free: {}, which this allocation may not use",
                human(elsewhere)
            ),
            format!(
                "Memory that may be taken away (hotplug: a device's, a virtual machine's; kernelcore= or movablecore= at boot) takes \
                 only pages that can be moved, and the allocation's flags do not say so of its own: {}. Free elsewhere: {}.",
                in_reach_told(&told),
                free_elsewhere()
            ),
        ),
        Shortage::Fragmented => (
            "memory-fragmented",
            Severity::Critical,
            format!(
                "{} was free, but {} of {} in one piece (order {order})",
                human(free),
                match in_reach()
                    .any(|zone| zone.largest_block_kib.is_some_and(|kib| kib >= wanted_kib))
                {
                    true => "too few blocks",
                    false => "no block",
                },
                human(wanted_kib)
            ),
            format!(
                "The allocation needs contiguous memory. {told}. {}.",
                match in_reach().filter_map(|zone| zone.largest_block_kib).max() {
                    Some(largest) if largest >= wanted_kib => format!(
                        "The largest free block was {}, but kernels before 4.4 want a part of the watermark free in blocks as large",
                        human(largest)
                    ),
                    Some(largest) =>
                        format!("The largest usable free block was {}", human(largest)),
                    None => "No free list shows a usable block".into(),
                }
            ),
        ),
        Shortage::Bound => (
            "node-bound",
            Severity::Critical,
            format!(
                "Only the memory the task may use was full ({}): {} was free on other nodes",
                nodes_in_words(in_reach()),
                human(elsewhere)
            ),
            format!(
                "{} binds the task: {told}. The machine as a whole had memory.",
                match scene.report.scope {
                    Some(Scope::Cpuset) => "A cpuset",
                    Some(Scope::Mempolicy) => "A memory policy",
                    _ => "A cpuset or memory policy",
                }
            ),
        ),
        Shortage::WasFreeJustThen => (
            "machine-out-of-memory",
            Severity::Critical,
            format!(
                "The machine was out of memory: {} free, and next to nothing left to take back",
                human(free)
            ),
            format!(
                "{told}. A zone stood above its watermark when the report was printed: something was given back just then. Page cache, \
                 reclaimable slab and free swap were used up all the same."
            ),
        ),
        Shortage::WasFree | Shortage::Unexplained => (
            "memory-was-free",
            Severity::Notice,
            "A zone stood above its watermark when the report was printed".to_owned(),
            format!(
                "{told}. Memory was given back between the failed allocation and the report, or the request was special (a driver's \
                 own limits, a reserve that it may not use).{}",
                match scene.order().is_some() {
                    true => "",
                    false =>
                        " How large a block was asked for, the log does not say: a large one may have been missing.",
                }
            ),
        ),
    };
    let mut draft = finding(code, severity, title, detail)
        .signed("order", i64::from(order))
        .number("wanted_kib", wanted_kib)
        .number("free_kib", free)
        .number("zones_in_reach", in_reach().count() as u64)
        .number(
            "zones_short",
            in_reach().filter(|zone| zone.is_short()).count() as u64,
        );
    if elsewhere > 0 {
        draft = draft.number("free_out_of_reach_kib", elsewhere);
    }
    if let Some(largest) = in_reach().filter_map(|zone| zone.largest_block_kib).max() {
        draft = draft.number("largest_block_kib", largest);
    }
    let header = scene
        .report
        .trigger
        .as_ref()
        .and_then(|trigger| trigger.line);
    let lines = zones
        .iter()
        .filter(|zone| zone.in_reach() || !zone.is_short());
    let lists = shortage == Shortage::Fragmented;
    found.push(draft.cite(
        scene,
        [header].into_iter().chain(
            lines.flat_map(|zone| [zone.zone.line, zone.zone.free_areas_line.filter(|_| lists)]),
        ),
    ));
}

/// Zones in words, or that there are none.
fn in_reach_told(told: &str) -> &str {
    match told.is_empty() {
        true => "their lines are not in the report",
        false => told,
    }
}

/// Whether lines of zones are missing: what they have free is not all that is free, by more than counters lag behind.
fn zones_are_lost(scene: &Scene<'_>) -> bool {
    let (Some(system), Some(split)) = (&scene.report.system, &scene.split) else {
        return false;
    };
    let listed = of_zones_kib(system, "free").unwrap_or(0);
    let all = split.free_kib.unwrap_or(0);
    all.saturating_sub(listed) > all / 4 && all.saturating_sub(listed) > split.usage_kib / 1000
}

/// Memory set aside for hugetlbfs is of no use to anything else.
fn hugetlb_pool(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let (Some(system), Some(split), true) = (
        scene.report.system.as_ref(),
        scene.split.as_ref(),
        scene.is_machine(),
    ) else {
        return;
    };
    let pool: u64 = system
        .huge_pages
        .iter()
        .map(|pages| pages.total.saturating_mul(pages.size_kib))
        .fold(0, u64::saturating_add);
    let free: u64 = system
        .huge_pages
        .iter()
        .map(|pages| pages.free.saturating_mul(pages.size_kib))
        .fold(0, u64::saturating_add);
    let share = percent(pool, split.usage_kib);
    if share < 10 {
        return;
    }
    found.push(
        finding(
            "hugetlb-pool-reserved",
            if percent(free, split.usage_kib) >= 10 { Severity::Warning } else { Severity::Notice },
            format!("{} ({share} %) is set aside as huge pages, {} of it unused", human(pool), human(free)),
            format!("The pool (vm.nr_hugepages) is of no use to anything that does not ask for it. Pool: {}.", exact(pool)),
        )
        .number("pool_kib", pool)
        .number("free_pool_kib", free)
        .number("percent", share)
        .cite(scene, [system.line]),
    );
}
