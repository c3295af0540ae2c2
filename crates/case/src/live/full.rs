//! Which memory cgroup was full, by the counters that were read in the kernel at the moment of the signal.
//!
//! The kernel prints ten reports in five seconds at most (`oom_rs` in mm/oom_kill.c, oom_kill_process): of further kills
//! it prints `Killed process` alone, which names no cgroup. What a report says itself is never changed.

use oom_report::report::{Memcg, OomReport, Scope};
use smol_str::SmolStr;

use crate::cgroup_path::{CgroupOwner, Level};
use crate::fact::KillSignal;
use crate::gather::Case;
use crate::incident::Killer;

/// The report with the two paths that it lacks, or none when it lacks none or they are not known.
pub(super) fn completed(report: &OomReport, case: &Case) -> Option<OomReport> {
    let lacks = report.scope == Some(Scope::Memcg)
        && report
            .memcg
            .as_ref()
            .is_none_or(|memcg| memcg.path.is_none());
    let of_victim = |kill: &&KillSignal| {
        report
            .victims
            .iter()
            .any(|victim| victim.pid == kill.target.tgid)
    };
    let kill = case.signals().filter(|_| lacks).find(of_victim)?;
    let (path, own) = (path(kill)?, own_path(kill)?);
    let mut report = report.clone();
    let memcg = report.memcg.get_or_insert_with(Memcg::default);
    memcg.path = Some(SmolStr::new(path));
    memcg.victim_path.get_or_insert_with(|| SmolStr::new(own));
    if path == own && memcg.memory.line.is_none() {
        memcg.memory.usage_kib = kill.memory.memcg_usage_kib;
        memcg.memory.limit_kib = kill.memory.memcg_limit_kib;
    }
    Some(report)
}

/// The target's cgroup in the hierarchy of the memory controller.
fn own_path(kill: &KillSignal) -> Option<&str> {
    let cgroups = &kill.target.cgroups;
    cgroups.memory.as_deref().or(cgroups.unified.as_deref())
}

/// The cgroup that was full.
pub(super) fn path(kill: &KillSignal) -> Option<&str> {
    let mut path = own_path(kill)?;
    for _ in 0..kill.memory.memcg_full_level? {
        let (above, _) = path.rsplit_once('/')?;
        path = above;
    }
    Some(if path.is_empty() { "/" } else { path })
}

/// Whose limit that is, where there is no report to judge.
pub(super) fn killer(path: &str) -> Killer {
    match CgroupOwner::of(path).level {
        Level::Container => Killer::KernelMemcgContainer,
        Level::Pod => Killer::KernelMemcgPod,
        Level::Kubepods | Level::QosTier => Killer::KernelMemcgAncestor,
        Level::Root
        | Level::Other
        | Level::Slice
        | Level::Service
        | Level::UserSession
        | Level::Task
        | Level::Monitor => Killer::KernelMemcg,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use oom_report::{Assumptions, Scanner};

    use super::*;
    use crate::fact::{CgroupPaths, MemoryCounters, Process, SenderCall, SignalOrigin};

    const POD: &str = "/kubepods/burstable/pod8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn kill(level: Option<u32>) -> KillSignal {
        let target = Process {
            pid: 77,
            tgid: 77,
            comm: "hog".into(),
            cgroups: CgroupPaths {
                unified: Some("/".into()),
                memory: Some(format!("{POD}/{ID}").into()),
                unified_id: None,
            },
            ..Process::default()
        };
        KillSignal {
            boot_ns: 1,
            signal: 9,
            code: 128,
            origin: SignalOrigin::Kernel,
            group: true,
            result: 0,
            call: SenderCall::NoCall,
            system_call: None,
            kill_pid: None,
            written_file: None,
            sender: target.clone(),
            sender_ancestors: Vec::new(),
            target,
            target_ancestors: Vec::new(),
            memory: MemoryCounters {
                memcg_usage_kib: Some(65_536),
                memcg_limit_kib: Some(65_536),
                memcg_full_level: level,
                ..MemoryCounters::default()
            },
            cpu_limit: None,
            ptrace_exitkill: false,
            tracer_tgid: None,
        }
    }

    fn bare_report() -> OomReport {
        let log = b"3,801,5581578996,-;Memory cgroup out of memory: Killed process 77 (hog) total-vm:100036kB, \
                    anon-rss:65408kB, file-rss:1136kB, shmem-rss:0kB, UID:0 pgtables:168kB oom_score_adj:0\n";
        let mut reports = Vec::new();
        Scanner::new(Assumptions::default()).scan(log, 1, &mut |report| reports.push(report));
        reports.remove(0)
    }

    #[test]
    fn the_counters_name_the_full_cgroup_that_a_bare_line_does_not() {
        for (level, expected) in [
            (None, Killer::KernelMemcg),
            (Some(0), Killer::KernelMemcgContainer),
            (Some(1), Killer::KernelMemcgPod),
            (Some(2), Killer::KernelMemcgAncestor),
            (Some(3), Killer::KernelMemcgAncestor),
            (Some(9), Killer::KernelMemcg),
        ] {
            let case = Case {
                kill: Some(Box::new(kill(level))),
                report: Some(Box::new(bare_report())),
                ..Case::default()
            };
            let incident = super::super::incident(&case, &super::super::Surroundings::default());
            assert_eq!(incident.verdict.killer, expected, "{level:?}");
        }
    }

    #[test]
    fn what_a_report_says_is_not_changed() {
        let mut report = bare_report();
        report.memcg = Some(Memcg {
            path: Some("/elsewhere".into()),
            ..Memcg::default()
        });
        let case = Case {
            kill: Some(Box::new(kill(Some(0)))),
            ..Case::default()
        };
        assert_eq!(completed(&report, &case), None);
    }
}
