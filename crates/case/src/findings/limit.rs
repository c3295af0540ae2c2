//! Which counter reached its limit, by how many KiB, and whether the limit is the victim's own.

use oom_report::report::{Counter, Scope};

use crate::cgroup_path::{Level, is_same_or_below};
use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::{exact, grouped, human, percent};

use super::{capital, finding};

/// Charges are taken in batches of 32 pages (MEMCG_CHARGE_BATCH, 64 since 6.1) per CPU, and what dies meanwhile gives
/// pages back: usage a little below the limit is usual.
const USUAL_GAP_KIB: u64 = 4096;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if scene.is_memcg() {
        limit_hit(scene, found);
        above_the_victim(scene, found);
    } else if scene.is_machine() {
        machine_not_container(scene, found);
    }
}

fn limit_hit(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if let Some(counter) = scene.broken_counter() {
        found.push(below_zero(scene, counter));
    }
    let Some(full) = scene.full_counter() else {
        return;
    };
    let (name, counter, room) = (full.name, full.counter, full.room_kib());
    let (usage, limit) = (full.usage_kib, full.limit_kib);
    let whose = scene.limit_whose();
    let distance = match usage.cmp(&limit) {
        std::cmp::Ordering::Equal => "exactly at it".to_owned(),
        std::cmp::Ordering::Less => format!("{} KiB below it", grouped(room)),
        std::cmp::Ordering::Greater => format!("{} KiB above it", grouped(usage - limit)),
    };
    let times = match counter.failcnt.filter(|count| *count > 0) {
        Some(1) => " A charge has hit this limit once since the cgroup was made.".to_owned(),
        Some(count) => format!(
            " A charge has hit this limit {} times since the cgroup was made.",
            grouped(count)
        ),
        None => String::new(),
    };
    let far = room > USUAL_GAP_KIB.max(limit / 100);
    let (code, severity, title, detail) = if far {
        (
            "usage-below-limit",
            Severity::Warning,
            format!(
                "Usage was {} KiB below the limit of {} when it was printed",
                grouped(room),
                human(limit)
            ),
            format!(
                "{} {name} counter stood at {} of {}. Memory was given back between the failed charge and this \
                 line, or the charge that failed was larger than usual.{times}",
                capital(&whose),
                exact(usage),
                exact(limit)
            ),
        )
    } else {
        (
            "limit-hit",
            Severity::Critical,
            format!(
                "{} {name} limit of {} was hit: usage was {distance}",
                capital(&whose),
                human(limit)
            ),
            format!(
                "The {name} counter stood at {} of {}. The kernel kills when the next charge does not fit and nothing more can \
                 be reclaimed; the last page that did not fit is never part of the usage.{times}",
                exact(usage),
                exact(limit)
            ),
        )
    };
    let gap = i64::try_from(limit)
        .unwrap_or(i64::MAX)
        .saturating_sub(i64::try_from(usage).unwrap_or(i64::MAX));
    found.push(
        finding(code, severity, title, detail)
            .text("counter", name)
            .number("usage_kib", usage)
            .number("limit_kib", limit)
            .signed("gap_kib", gap)
            .number("failcnt", counter.failcnt)
            .cite(scene, [counter.line]),
    );
}

/// More pages were taken off than had been put on: a bug of the kernel's.
fn below_zero(scene: &Scene<'_>, counter: &Counter) -> Finding {
    finding(
        "counter-below-zero",
        Severity::Warning,
        "The kernel's own count of the usage is broken: it stands below zero",
        "What is printed as the usage is a small negative number. A counter that far off makes the limit look exceeded whatever is \
         used: no limit is high enough. Known as a bug of some kernels; a newer one, or a new cgroup, is the way out.",
    )
    .number("limit_kib", counter.limit_kib)
    .cite(scene, [counter.line])
}

/// A pod's or parent's limit was hit while the victim used little of it.
fn above_the_victim(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let below = scene.limit_path.zip(scene.victim_path);
    let above = below
        .is_some_and(|(limit, victim)| victim != limit && is_same_or_below(victim, limit))
        && (scene.limit_owner.level != Level::Container || scene.limit_of_outer_container());
    let (Some(limit), true) = (scene.limit_kib(), above) else {
        return;
    };
    let Some(victim_kib) = scene
        .victim_task
        .and_then(|task| scene.kib(scene.weight_pages(task)))
        .or_else(|| {
            let victim = scene.victim?;
            Some(
                victim
                    .anon_rss_kib?
                    .saturating_add(victim.shmem_rss_kib.unwrap_or(0)),
            )
        })
    else {
        return;
    };
    if victim_kib.saturating_mul(2) >= limit {
        return;
    }
    let (level, whose) = (scene.limit_level(), scene.limit_whose());
    found.push(
        finding(
            "parent-limit-short",
            Severity::Warning,
            format!("The victim used {} of {whose} limit of {}", human(victim_kib), human(limit)),
            format!(
                "The limit that was hit is {whose}, above the victim's own cgroup. It counts everything below it: the victim \
                 accounts for {} % of it. Raising the victim's own limit changes nothing.",
                percent(victim_kib, limit)
            ),
        )
        .number("victim_kib", victim_kib)
        .number("limit_kib", limit)
        .text("level", level)
        .cite(scene, [scene.constraint_line(), scene.kill_line()]),
    );
}

/// The machine was short: the container's own limit plays no part.
fn machine_not_container(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if scene.victim_owner.level != Level::Container {
        return;
    }
    let Some(victim) = scene.victim else { return };
    let rss = [
        victim.anon_rss_kib,
        victim.file_rss_kib,
        victim.shmem_rss_kib,
    ]
    .into_iter()
    .flatten()
    .fold(0, u64::saturating_add);
    let bound = matches!(scene.report.scope, Some(Scope::Cpuset | Scope::Mempolicy));
    let (what, where_, cure) = match bound {
        false => (
            "The machine",
            "its machine runs out",
            "less on this machine, or requests that match real use",
        ),
        true => (
            "The memory nodes it may use",
            "the NUMA nodes that it is bound to run out",
            "more nodes to use, or less on these",
        ),
    };
    let used = match rss {
        0 => String::new(),
        _ => format!(" It had {} resident.", human(rss)),
    };
    found.push(
        finding(
            "machine-short-not-container",
            Severity::Warning,
            format!("{what} ran short, not the container: its own limit plays no part in this kill"),
            format!(
                "A container that stays below its limit can be killed when {where_}, and the container's dashboards \
                 show room to spare.{used} Raising its limit does not help; what helps is {cure}."
            ),
        )
        .number("victim_rss_kib", (rss > 0).then_some(rss))
        .cite(scene, [scene.constraint_line(), scene.kill_line()]),
    );
}
