//! The verdict in one sentence that a tired person understands. May hold text from the log.

use oom_report::report::Outcome;

use crate::cgroup_path::Level;
use crate::findings::{Shortage, shortage};
use crate::incident::Killer;
use crate::scene::{Announced, Scene, whom};
use crate::size::human;

pub(super) fn summary(scene: &Scene<'_>, killer: Killer) -> String {
    let reason = reason(scene, killer);
    let Some(victim) = scene.victim else {
        return nobody(scene, &reason);
    };
    let place = match scene.whom() {
        Some(whom) => format!(" in {whom}"),
        None => String::new(),
    };
    let mut text = if killer == Killer::KernelGroupKill {
        let number = scene.victims.len();
        format!(
            "The kernel killed the whole group ({number} {}), {} (pid {}) first{place}, {reason}",
            if number == 1 { "process" } else { "processes" },
            victim.comm,
            victim.pid,
        )
    } else if scene.only_announced(victim) {
        format!(
            "The kernel chose {} (pid {}){place} or a child of it to be killed, {reason}",
            victim.comm, victim.pid
        )
    } else {
        let child = match scene.announced {
            Some((parent, Announced::Parent)) => format!(
                ", a child of {} (pid {}), in its place,",
                parent.comm, parent.pid
            ),
            Some((announced, Announced::ParentOrThread)) => format!(
                ", where {} (pid {}) had been announced, its parent or a thread of it,",
                announced.comm, announced.pid
            ),
            Some((_, Announced::Thread)) | None => String::new(),
        };
        format!(
            "The kernel killed {} (pid {}){child}{place} {reason}",
            victim.comm, victim.pid
        )
    };
    if let Some(trigger) = &scene.other_trigger {
        text.push_str(&format!(
            "; it was {} (pid {}), another process, that asked for the memory",
            trigger.comm, trigger.pid
        ));
    }
    text.push('.');
    text
}

fn nobody(scene: &Scene<'_>, reason: &str) -> String {
    let has = |wanted: Outcome| {
        scene
            .report
            .outcomes
            .iter()
            .any(|(outcome, _)| *outcome == wanted)
    };
    let stopped = has(Outcome::Panic) || has(Outcome::Deadlocked);
    if stopped && scene.found_nobody() {
        format!(
            "The kernel found no process that it may kill and stopped the whole machine (panic), {reason}."
        )
    } else if stopped {
        format!(
            "The kernel stopped the whole machine (panic) instead of killing a process, {reason}."
        )
    } else if scene.found_nobody() {
        format!("The kernel wanted to kill a process {reason}, but found none that it may kill.")
    } else if has(Outcome::SysrqIgnored) {
        "Somebody asked for an OOM kill with sysrq-f; the kernel found no process that may be killed.".into()
    } else if has(Outcome::KillerDisabled) {
        "The OOM killer was called while it was disabled; the log shows no kill.".into()
    } else {
        format!(
            "The kernel's OOM killer went to work {reason}; the log ends or was cut before it names whom it killed."
        )
    }
}

/// `because ...`
fn reason(scene: &Scene<'_>, killer: Killer) -> String {
    match killer {
        Killer::KernelSysrq => "because somebody asked for it with sysrq-f".into(),
        Killer::KernelGlobal => {
            let shortage = shortage(scene);
            let reason = machine(scene, shortage);
            // Whoever refused a page fault may have been a limit of kernel memory.
            let by_anybody = scene.is_page_fault()
                && matches!(
                    shortage,
                    Some(Shortage::WasFree | Shortage::Unexplained) | None
                );
            match by_anybody {
                true => reason,
                false => format!("{reason}, not because of a container's limit"),
            }
        }
        Killer::KernelCpuset => bound(scene, "cpuset"),
        Killer::KernelMempolicy => bound(scene, "memory policy"),
        Killer::KernelGroupKill => {
            let shortage = if scene.is_memcg() {
                limit(scene)
            } else {
                "because the machine ran out of memory".into()
            };
            format!("{shortage}, and memory.oom.group takes all processes along")
        }
        Killer::KernelMemcgContainer
        | Killer::KernelMemcgPod
        | Killer::KernelMemcgAncestor
        | Killer::KernelMemcg => limit(scene),
        Killer::KernelPidnsExit
        | Killer::KernelCgroupKill
        | Killer::KernelRlimitCpu
        | Killer::KernelHwpoison
        | Killer::KernelExecOrCoredump
        | Killer::KernelPtraceExitkill
        | Killer::DaemonSystemdOomd
        | Killer::DaemonEarlyoom
        | Killer::DaemonOther
        | Killer::KubeletEviction
        | Killer::KubeletProbe
        | Killer::KubeletGracePeriod
        | Killer::KubeletPreemption
        | Killer::KubeletNodeShutdown
        | Killer::Kubelet
        | Killer::Runtime
        | Killer::Person
        | Killer::ApplicationParent
        | Killer::ApplicationSelf
        | Killer::NodeLost
        | Killer::Unknown => {
            "in an out-of-memory kill; whether a limit or the machine ran out, the log does not say"
                .into()
        }
    }
}

/// A task that may use some nodes only.
fn bound(scene: &Scene<'_>, by: &str) -> String {
    let what = match shortage(scene) {
        Some(Shortage::MovableOnly) => {
            "had room only for movable pages, which this allocation may not use"
        }
        Some(Shortage::LowZone) => "had room only in zones that this allocation may not use",
        _ => "ran out",
    };
    format!("because the memory nodes that the task's {by} allows {what}")
}

/// What the machine lacked. It has not always run out of memory as a whole.
fn machine(scene: &Scene<'_>, shortage: Option<Shortage>) -> String {
    if shortage == Some(Shortage::Unexplained)
        && !scene.is_page_fault()
        && let Some(free) = scene.split.as_ref().and_then(|split| split.free_kib)
    {
        return format!(
            "because an allocation could not be met, though {} of the machine's memory were free",
            human(free)
        );
    }
    lack(scene, shortage).to_owned()
}

fn lack(scene: &Scene<'_>, shortage: Option<Shortage>) -> &'static str {
    match shortage {
        Some(Shortage::Fragmented) => {
            "because the machine had free memory only in pieces too small for what was asked"
        }
        Some(Shortage::LowZone) => {
            "because the machine's low memory zone ran out, while others had room"
        }
        Some(Shortage::Bound) => "because the memory nodes that the task may use ran out",
        Some(Shortage::MovableOnly) => {
            "because only memory for movable pages was free, which this allocation may not use"
        }
        Some(Shortage::WasFree | Shortage::Unexplained) if scene.is_page_fault() => {
            "because a page fault was refused memory, though the machine had some"
        }
        Some(Shortage::WasFree | Shortage::Unexplained) if scene.order().is_none() => {
            "because the machine was short of memory, or of a block as large as was asked for"
        }
        Some(Shortage::WasFree | Shortage::Unexplained) => {
            "because the machine was short of memory for a moment"
        }
        None if scene.is_page_fault() => {
            "because a page fault was refused memory; whether the machine had none or a limit refused it, the log does not say"
        }
        None if scene.is_kill_line_alone() => {
            "because the machine, or the part of it that the task may use, ran out of memory"
        }
        None if scene.order().unwrap_or(0) > 0 => {
            "because an allocation of several contiguous pages failed; whether memory was out or in pieces, the log does not say"
        }
        Some(Shortage::Machine | Shortage::WasFreeJustThen) | None => {
            "because the whole machine ran out of memory"
        }
    }
}

/// Which limit, in words, with its size.
fn limit(scene: &Scene<'_>) -> String {
    let (what, size) = scene.limit_hit();
    let size = size
        .map(|kib| format!(" of {}", human(kib)))
        .unwrap_or_default();
    let Some(path) = scene.limit_path else {
        return format!(
            "because a memory cgroup reached its limit{size}; which one, the log does not say"
        );
    };
    let owner = &scene.limit_owner;
    match owner.level {
        Level::Container if owner.below_container => {
            format!(
                "because a cgroup made inside the container ({path}) reached its {what} limit{size}"
            )
        }
        Level::Container if scene.limit_of_outer_container() => {
            let outer = owner
                .owner_in_words()
                .unwrap_or_else(|| "the container".into());
            format!("because {outer}, which this one runs in, reached its {what} limit{size}")
        }
        Level::Container => format!("because the container reached its own {what} limit{size}"),
        Level::Pod if owner.pod_uid == scene.victim_owner.pod_uid => {
            format!("because that pod as a whole reached the pod's {what} limit{size}")
        }
        Level::Pod => {
            let pod = whom(owner).unwrap_or_else(|| "the pod".into());
            format!("because {pod} as a whole reached the pod's {what} limit{size}")
        }
        Level::Kubepods => format!(
            "because all pods of the node together (kubepods) reached their {what} limit{size}"
        ),
        Level::QosTier => {
            format!(
                "because all pods of the {} together reached their {what} limit{size}",
                owner.level_in_words()
            )
        }
        Level::Slice | Level::Service | Level::UserSession | Level::Task => {
            format!(
                "because {} reached its {what} limit{size}",
                owner.level_in_words()
            )
        }
        Level::Monitor | Level::Other | Level::Root => {
            format!("because cgroup {path} reached its {what} limit{size}")
        }
    }
}
