//! The gap between what the victim reserved (total-vm) and what was resident, and what the gap does and does not prove.

use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::human;

use super::finding;

/// Runtimes reserve address space generously; below this the gap is not worth a word.
const WORTH_A_WORD_KIB: u64 = 256 * 1024;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(victim) = scene.victim else { return };
    let (Some(total_vm), Some(anon)) = (victim.total_vm_kib, victim.anon_rss_kib) else {
        return;
    };
    let rss = [victim.file_rss_kib, victim.shmem_rss_kib]
        .into_iter()
        .flatten()
        .fold(anon, u64::saturating_add);
    let swapped = scene
        .victim_task
        .and_then(|task| task.swapents_pages)
        .and_then(|pages| scene.kib(pages));
    let held = rss.saturating_add(swapped.unwrap_or(0));
    let gap = total_vm.saturating_sub(held);
    if gap < WORTH_A_WORD_KIB || total_vm < held.saturating_mul(3) / 2 {
        return;
    }
    found.push(
        finding(
            "overcommit-gap",
            Severity::Info,
            format!(
                "{} (pid {}) had reserved {} of address space and held {}: {} were never touched, or given back",
                victim.comm,
                victim.pid,
                human(total_vm),
                human(held),
                human(gap)
            ),
            "total-vm is address space: heap that was asked for and not used yet and thread stacks, which the kernel promised \
             (overcommit), but mapped files and ranges that are only kept free (a JavaScript heap's, a database's), too; the log \
             cannot tell which. It does not show a leak, and it did not cause this kill: only touched pages are charged to a limit. \
             What was promised is how far a process can grow without asking again; strict overcommit (vm.overcommit_memory=2) makes \
             such a promise fail in the program instead. The kubelet sets vm.overcommit_memory=1 when it starts.",
        )
        .number("total_vm_kib", total_vm)
        .number("rss_kib", rss)
        .number("swapped_kib", swapped)
        .number("gap_kib", gap)
        .cite(scene, [scene.kill_line()]),
    );
}
