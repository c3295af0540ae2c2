//! Swap: absent, full, forbidden to the cgroup, or not counted. Without it anonymous memory cannot be reclaimed.

use smol_str::SmolStr;

use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::human;
use crate::usage::real_limit;

use super::finding;

/// Less of a process in swap is of no account.
const WORTH_A_WORD_KIB: u64 = 64 * 1024;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    // What is free of a swap that is being switched off is below zero, and its size is 0.
    if !swapoff(scene, found) {
        of_machine(scene, found);
    }
    of_victim(scene, found);
    of_cgroup_v1(scene, found);
    of_cgroup_v2(scene, found);
}

/// Somebody was switching swap off. Source: `try_to_unuse`, mm/swapfile.c; the task that does it is killed first
/// (`oom_task_origin`, mm/oom_kill.c).
fn swapoff(scene: &Scene<'_>, found: &mut Vec<Finding>) -> bool {
    let trigger = scene.report.trigger.as_ref();
    let in_swapoff =
        |function: &SmolStr| function == "try_to_unuse" || function.ends_with("swapoff");
    let in_trace = trigger.filter(|trigger| trigger.stack.iter().any(in_swapoff));
    let system = scene.report.system.as_ref();
    let below_zero = system.and_then(|system| system.swap_below_zero_line);
    if in_trace.is_none() && below_zero.is_none() {
        return false;
    }
    let (who, comm) = match in_trace {
        Some(trigger) => (
            format!("{} was switching swap off", trigger.comm),
            trigger.comm.as_str(),
        ),
        None => ("Swap was being switched off".to_owned(), ""),
    };
    found.push(
        finding(
            "swapoff-running",
            Severity::Warning,
            format!("{who}: all that was in it had to find room in memory"),
            "swapoff reads every page back in. Where that does not fit, the kernel's choice falls on the task that called it first.",
        )
        .text("trigger_comm", comm)
        .cite(scene, [in_trace.and_then(|trigger| trigger.line), below_zero]),
    );
    true
}

/// What the victim had in swap is missing from its resident size, and comes back when it is used.
fn of_victim(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(row) = scene.victim_task else { return };
    let Some(swapped) = row.swapents_pages.and_then(|pages| scene.kib(pages)) else {
        return;
    };
    let resident = scene.kib(row.rss_pages).unwrap_or(0);
    if swapped < WORTH_A_WORD_KIB || swapped < resident / 4 {
        return;
    }
    found.push(
        finding(
            "victim-swapped-out",
            Severity::Notice,
            format!(
                "{} (pid {}) had {} swapped out, besides {} resident",
                row.comm,
                row.pid,
                human(swapped),
                human(resident)
            ),
            "What is in swap counts for the kernel's choice and not for the limit on memory. It needs room again as soon as it is used.",
        )
        .number("swapped_kib", swapped)
        .number("rss_kib", resident)
        .cite(scene, [Some(row.line)]),
    );
}

fn of_machine(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(system) = scene.report.system.as_ref() else {
        return;
    };
    let Some(total) = system.swap_total_kib else {
        return;
    };
    if total == 0 {
        found.push(
            finding(
                "swap-absent",
                Severity::Info,
                "The machine has no swap: anonymous memory and tmpfs cannot be reclaimed",
                "Usual on Kubernetes nodes. Memory that nobody touched for hours stays resident, and the only way to get it back is \
                 a kill.",
            )
            .number("swap_total_kib", total)
            .cite(scene, [system.swap_line]),
        );
        return;
    }
    let Some(free) = system.swap_free_kib else {
        return;
    };
    if free.saturating_mul(100) < total {
        found.push(
            finding(
                "swap-full",
                Severity::Warning,
                format!("Swap is full: {} of {} free", human(free), human(total)),
                format!(
                    "Swap put the kill off and is used up; before that the machine was most likely slow for a while.{}",
                    largest_swapped(scene)
                ),
            )
            .number("swap_free_kib", free)
            .number("swap_total_kib", total)
            .cite(scene, [system.swap_line]),
        );
    }
}

fn of_cgroup_v1(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(memcg) = scene.report.memcg.as_ref().filter(|_| scene.is_memcg()) else {
        return;
    };
    let (Some(usage), Some(memsw)) = (memcg.memory.usage_kib, memcg.memsw.usage_kib) else {
        return;
    };
    // memory+swap can never be less than memory where it is counted (swapaccount=0, or no CONFIG_MEMCG_SWAP).
    if memsw < usage {
        found.push(
            finding(
                "swap-not-counted",
                Severity::Info,
                "Swap is not counted for cgroups on this kernel: the limit is on memory alone",
                "The memory+swap counter stands below the memory counter, which happens only when swap accounting is off \
                 (swapaccount=0). If the machine has swap, the container may use any amount of it.",
            )
            .number("memory_usage_kib", usage)
            .number("memsw_usage_kib", memsw)
            .cite(scene, [memcg.memsw.line, memcg.memory.line]),
        );
        return;
    }
    let (Some(limit), Some(memsw_limit)) = (
        real_limit(memcg.memory.limit_kib),
        real_limit(memcg.memsw.limit_kib),
    ) else {
        return;
    };
    if memsw_limit <= limit {
        found.push(
            finding(
                "swap-not-allowed",
                Severity::Info,
                "The cgroup may not use swap: its memory+swap limit equals its memory limit",
                "Anonymous memory and tmpfs in it cannot be reclaimed, whether or not the machine has swap.",
            )
            .number("memory_limit_kib", limit)
            .number("memsw_limit_kib", memsw_limit)
            .cite(scene, [memcg.memsw.line]),
        );
    }
}

fn of_cgroup_v2(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(memcg) = scene.report.memcg.as_ref().filter(|_| scene.is_memcg()) else {
        return;
    };
    let (Some(usage), Some(limit)) = (memcg.swap.usage_kib, real_limit(memcg.swap.limit_kib))
    else {
        return;
    };
    if limit == 0 {
        found.push(
            finding(
                "swap-not-allowed",
                Severity::Info,
                "The cgroup may not use swap (memory.swap.max is 0)",
                "Anonymous memory and tmpfs in it cannot be reclaimed, whether or not the machine has swap.",
            )
            .number("swap_limit_kib", limit)
            .cite(scene, [memcg.swap.line]),
        );
    } else if usage.saturating_mul(100) >= limit.saturating_mul(99) {
        found.push(
            finding(
                "swap-full",
                Severity::Warning,
                format!("The cgroup's swap is used up: {} of {}", human(usage), human(limit)),
                "Swap put the kill off and is used up; before that the container was most likely slow for a while.",
            )
            .number("swap_usage_kib", usage)
            .number("swap_limit_kib", limit)
            .cite(scene, [memcg.swap.line]),
        );
    }
}

/// Who fills the swap: a process whose memory is out there looks small by its resident size.
fn largest_swapped(scene: &Scene<'_>) -> String {
    let largest = scene
        .processes
        .iter()
        .filter_map(|task| Some((scene.kib(task.swapents_pages?)?, task)))
        .max_by_key(|(kib, _)| *kib);
    match largest {
        Some((kib, task)) if kib >= 4096 => format!(
            " The largest part is that of {} (pid {}): {} swapped out, besides {} resident.",
            task.comm,
            task.pid,
            human(kib),
            human(scene.kib(task.rss_pages).unwrap_or(0))
        ),
        _ => String::new(),
    }
}
