//! Who died: from signals and exits to the victims of an incident.

use crate::assemble;
use crate::cgroup_path::CgroupOwner;
use crate::fact::{MemoryCounters, Process};
use crate::gather::Case;
use crate::incident::VictimInfo;

/// One entry a process, the first target first.
pub(super) fn victims(case: &Case) -> Vec<VictimInfo> {
    let mut seen: Vec<(u32, u64)> = Vec::new();
    let signalled = case
        .signals()
        .map(|signal| (&signal.target, &signal.memory));
    // An exit without a signal is a victim where nobody was signalled at all.
    let ended = case
        .exits
        .iter()
        .filter(|_| case.kill.is_none())
        .map(|exit| (&exit.process, &exit.memory));
    let mut list = Vec::new();
    for (process, memory) in signalled.chain(ended) {
        let key = (process.tgid, process.start_boot_ns);
        if !seen.contains(&key) {
            seen.push(key);
            list.push(victim(process, memory));
        }
    }
    list
}

fn victim(process: &Process, memory: &MemoryCounters) -> VictimInfo {
    let owner = process.cgroups.path().map(CgroupOwner::of);
    VictimInfo {
        pid: process.tgid,
        tgid: Some(process.tgid),
        comm: process.comm.clone(),
        uid: Some(process.uid),
        total_vm_kib: memory.total_vm_kib,
        anon_rss_kib: memory.anon_rss_kib,
        file_rss_kib: memory.file_rss_kib,
        shmem_rss_kib: memory.shmem_rss_kib,
        pgtables_kib: memory.pgtables_kib,
        oom_score_adj: memory.oom_score_adj,
        container: owner
            .as_ref()
            .and_then(|owner| assemble::container(owner, Some(&process.comm))),
        pod: owner.as_ref().and_then(assemble::pod),
        ..VictimInfo::default()
    }
}
