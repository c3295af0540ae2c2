//! The kernel's choice, computed again from the task table: who was most killable.
//!
//! Source: `oom_badness`, `constrained_alloc`, mm/oom_kill.c, 3.10 to 6.x. What the table does not show is left out:
//! the 3 % off for tasks with CAP_SYS_ADMIN before 4.17, tasks that are exiting already, swapoff and KSM as origin.

use oom_report::kernel_version::KernelVersion;
use oom_report::report::{OomReport, Scope, Task};

use crate::incident::RankedTask;
use crate::scene::Scene;
use crate::usage::real_limit;

/// From 5.9 on points may be negative; before, the least a killable task has is 1.
const SIGNED_POINTS: KernelVersion = KernelVersion {
    major: 5,
    minor: 9,
    patch: 0,
    distribution: None,
};

/// The table's processes, most killable first, in the table's order where they are equal. Empty without a table, and
/// where the report does not hold what the formula needs: the page size, and (when oom_score_adj differs between
/// tasks) the amount of memory that it is a share of.
pub(crate) fn ranking(scene: &Scene<'_>) -> Vec<RankedTask> {
    let Some(page_kib) = scene.page_kib else {
        return Vec::new();
    };
    let tasks = &scene.processes;
    let total = match scene.total_pages {
        Some(total) => total,
        None => {
            let mut killable = tasks
                .iter()
                .filter(|task| is_killable(task))
                .map(|task| task.oom_score_adj);
            let first = killable.next();
            if killable.any(|adj| Some(adj) != first) {
                return Vec::new();
            }
            // The same share for all changes no one's place; what it is a share of is not known.
            0
        }
    };
    let thousandth = i64::try_from(total / 1000).unwrap_or(i64::MAX);
    let signed = scene
        .report
        .kernel
        .is_none_or(|kernel| kernel >= SIGNED_POINTS);
    let trigger = scene
        .report
        .trigger
        .as_ref()
        .and_then(|trigger| trigger.pid);
    let trigger_group = scene
        .report
        .tasks
        .iter()
        .find(|task| Some(task.pid) == trigger)
        .map(|task| task.tgid);
    let mut order: Vec<(std::cmp::Reverse<Option<i64>>, usize)> = tasks
        .iter()
        .enumerate()
        .map(|(at, task)| {
            (
                std::cmp::Reverse(
                    is_killable(task).then(|| points(scene, task, thousandth, signed)),
                ),
                at,
            )
        })
        .collect();
    order.sort_unstable();
    order
        .into_iter()
        .filter_map(|(std::cmp::Reverse(badness_pages), at)| Some((badness_pages, tasks.get(at)?)))
        .map(|(badness_pages, task)| RankedTask {
            pid: task.pid,
            comm: task.comm.clone(),
            rss_kib: task.rss_pages.saturating_mul(page_kib),
            swap_kib: task
                .swapents_pages
                .map(|pages| pages.saturating_mul(page_kib)),
            oom_score_adj: task.oom_score_adj,
            badness_pages,
            killed: scene.is_victim(task),
            trigger: trigger_group == Some(task.tgid),
        })
        .collect()
}

/// The first process of the machine and what is exempt are never chosen.
fn is_killable(task: &Task) -> bool {
    task.oom_score_adj != -1000 && task.tgid != 1
}

/// Pages held, and a thousandth of the total for each point of oom_score_adj.
fn points(scene: &Scene<'_>, task: &Task, thousandth: i64, signed: bool) -> i64 {
    let held = i64::try_from(scene.weight_pages(task)).unwrap_or(i64::MAX);
    let points = held.saturating_add(i64::from(task.oom_score_adj).saturating_mul(thousandth));
    if signed { points } else { points.max(1) }
}

/// What oom_score_adj is a share of, in pages: the cgroup's limit with the swap it may use, or RAM and swap.
pub(crate) fn total_pages(report: &OomReport, page_kib: u64) -> Option<u64> {
    let system = report.system.as_ref();
    let swap_kib = system.and_then(|system| system.swap_total_kib);
    let swap_pages = swap_kib.unwrap_or(0) / page_kib;
    match report.scope? {
        Scope::Memcg => {
            let memcg = report.memcg.as_ref()?;
            let limit = real_limit(memcg.memory.limit_kib)?;
            // A cgroup's report does not hold the machine's swap: none is assumed, as on most Kubernetes nodes.
            let may_swap = match (memcg.memsw.limit_kib, memcg.swap.limit_kib) {
                (Some(memsw), _) => memsw.saturating_sub(limit),
                (None, Some(swap)) => swap,
                (None, None) => 0,
            };
            Some((limit / page_kib).saturating_add((may_swap / page_kib).min(swap_pages)))
        }
        Scope::Global | Scope::Sysrq => {
            let info = &system?.mem_info;
            let ram = info
                .get("ram")?
                .saturating_sub(info.get("reserved").unwrap_or(0));
            Some(ram.saturating_add(swap_pages))
        }
        // The memory of the allowed nodes: `node_present_pages`, which the zones add up to.
        Scope::Cpuset | Scope::Mempolicy => {
            let allowed = report
                .trigger
                .as_ref()
                .and_then(|trigger| match report.scope {
                    Some(Scope::Mempolicy) => trigger
                        .nodemask
                        .as_deref()
                        .or(trigger.mems_allowed.as_deref()),
                    _ => trigger.mems_allowed.as_deref(),
                })?;
            let mut present = 0u64;
            for zone in &system?.zones {
                if crate::node_list::holds(allowed, zone.node)? {
                    present = present.saturating_add(zone.fields_kib.get("present")?);
                }
            }
            Some((present / page_kib).saturating_add(swap_pages))
        }
    }
}

#[cfg(test)]
mod tests;
