//! Who is the killer of a case without a kernel report: each kind's rule, and who is cleared.
//!
//! The order of the rules is the order of trust: what the kernel says of itself, then programs that are known by their
//! executable and have the standing (root's, outside of containers), then the application, then people.

use crate::cgroup_path::{CgroupOwner, Level};
use crate::fact::{KillSignal, SenderCall, SignalOrigin};
use crate::gather::{Case, KernelReason, is_parent_death, kernel_reason};
use crate::incident::{Cite, Confidence, Killer, RuledOut};
use crate::role::{Role, is_interactive_shell};

use super::chain::Chain;
use super::{Surroundings, full};

/// A SIGTERM this long before belongs to the same stop.
const GRACE_MOST_NS: u64 = 3600 * 1_000_000_000;

/// The outcome of the rules.
#[derive(Debug, Clone)]
pub(crate) struct Accusation {
    pub(crate) killer: Killer,
    pub(crate) confidence: Confidence,
    /// The sender came into the container from outside (exec).
    pub(crate) by_exec: bool,
    /// It had been asked to end before: nanoseconds from SIGTERM to SIGKILL.
    pub(crate) asked_before_ns: Option<u64>,
    /// `cgroup.kill` was written.
    pub(crate) cgroup_kill: bool,
}

fn accused(killer: Killer, confidence: Confidence) -> Accusation {
    Accusation {
        killer,
        confidence,
        by_exec: false,
        asked_before_ns: None,
        cgroup_kill: false,
    }
}

pub(super) fn accuse(case: &Case, around: &Surroundings<'_>) -> Accusation {
    let Some(kill) = case.kill.as_deref() else {
        return without_signal(case, around);
    };
    let mut accusation = match kill.origin {
        SignalOrigin::Kernel => by_kernel(case, kill),
        SignalOrigin::Siginfo | SignalOrigin::NoInfo => by_process(kill, around),
    };
    accusation.asked_before_ns = case
        .asked
        .as_ref()
        .map(|asked| kill.boot_ns.saturating_sub(asked.boot_ns))
        .filter(|ns| *ns <= GRACE_MOST_NS);
    let kubernetes = CgroupOwner::of_process(&kill.target).kubernetes;
    if accusation.killer == Killer::Runtime && kubernetes && accusation.asked_before_ns.is_some() {
        // Runtimes stop a pod's container when the kubelet asks them to, with the pod's grace period.
        accusation.killer = Killer::KubeletGracePeriod;
        accusation.confidence = Confidence::Probable;
    }
    accusation
}

/// Nobody was seen to send a signal.
fn without_signal(case: &Case, around: &Surroundings<'_>) -> Accusation {
    let Some(exit) = case.exits.first() else {
        if !case.counts.is_empty() {
            return accused(Killer::KernelMemcg, Confidence::Probable);
        }
        return accused(Killer::Unknown, Confidence::Unknown);
    };
    match exit.status() {
        Some(_) if around.lost == 0 => accused(Killer::ApplicationSelf, Confidence::Certain),
        Some(_) => accused(Killer::ApplicationSelf, Confidence::Probable),
        None => accused(Killer::Unknown, Confidence::Unknown),
    }
}

/// The kernel by its own decision (SEND_SIG_PRIV).
fn by_kernel(case: &Case, kill: &KillSignal) -> Accusation {
    if !case.marks.is_empty() {
        if let Some(path) = full::path(kill) {
            return accused(full::killer(path), Confidence::Probable);
        }
        let memory = &kill.memory;
        let at_limit = memory
            .memcg_usage_kib
            .zip(memory.memcg_limit_kib)
            .is_some_and(|(usage, limit)| usage.saturating_add(limit / 64) >= limit);
        let killer = if at_limit {
            Killer::KernelMemcg
        } else {
            Killer::KernelGlobal
        };
        return accused(killer, Confidence::Probable);
    }
    match kernel_reason(kill) {
        Some(KernelReason::Teardown) => accused(Killer::KernelPidnsExit, Confidence::Certain),
        Some(KernelReason::TracerEnded) => {
            accused(Killer::KernelPtraceExitkill, Confidence::Certain)
        }
        Some(KernelReason::CpuLimit) => accused(Killer::KernelRlimitCpu, Confidence::Certain),
        None => accused(Killer::Unknown, Confidence::Possible),
    }
}

/// A process asked for it.
fn by_process(kill: &KillSignal, around: &Surroundings<'_>) -> Accusation {
    let chain = Chain::of(kill, around);
    let sender = &kill.sender;
    let role = Role::of(sender);
    let cgroup_kill = is_cgroup_kill(kill);
    let with = |killer: Killer, confidence: Confidence| Accusation {
        by_exec: chain.by_exec,
        cgroup_kill,
        ..accused(killer, confidence)
    };
    if (sender.tgid, sender.start_boot_ns) == (kill.target.tgid, kill.target.start_boot_ns) {
        return with(Killer::ApplicationSelf, Confidence::Certain);
    }
    if is_parent_death(kill) {
        return with(Killer::ApplicationParent, Confidence::Certain);
    }
    // Whoever can write into a container's file system can name a program `runc` there.
    let outside = !chain.inside || sender_is_runtime_init(kill);
    if outside {
        let root = sender.uid == 0;
        match role {
            Some(Role::MemoryDaemon(killer)) if is_service(kill) || root => {
                return with(killer, Confidence::Certain);
            }
            Some(Role::Runtime) if root => return with(Killer::Runtime, Confidence::Certain),
            // Rootless containers: the runtime runs as the user whose container it is.
            Some(Role::Runtime) if sender.uid == kill.target.uid || chain.client.is_some() => {
                return with(Killer::Runtime, Confidence::Probable);
            }
            Some(Role::Kubelet) if root => return with(Killer::Kubelet, Confidence::Certain),
            Some(Role::ServiceManager) if root || sender.uid == kill.target.uid => {
                return with(Killer::Runtime, Confidence::Certain);
            }
            _ => {}
        }
    }
    // In a command that was brought in, too: a probe's `timeout` ends what it started.
    // A shell that a person types into is a person, also where it kills its own child.
    if chain.above_target && !cgroup_kill && !is_interactive_shell(sender) {
        return with(Killer::ApplicationParent, Confidence::Certain);
    }
    if cgroup_kill {
        return with(Killer::KernelCgroupKill, Confidence::Certain);
    }
    if chain.into.is_some() {
        return with(Killer::Person, Confidence::Certain);
    }
    if chain.by_exec {
        // Without a terminal it may be a probe or a hook of the pod's, which nobody types.
        let confidence = match chain.terminal {
            Some(_) => Confidence::Certain,
            None => Confidence::Probable,
        };
        return with(Killer::Person, confidence);
    }
    if chain.below_target {
        return with(Killer::ApplicationParent, Confidence::Certain);
    }
    if chain.inside && chain.same_place {
        return with(Killer::ApplicationParent, Confidence::Certain);
    }
    if chain.scheduler.is_some() {
        // A job has the login of the user whose job it is, and nobody sits behind it.
        return with(Killer::DaemonOther, Confidence::Probable);
    }
    let named = sender.login_uid.is_some() || chain.entrance.is_some();
    if chain.is_at_terminal(kill) || named {
        let confidence = if named {
            Confidence::Certain
        } else if chain.multiplexer.is_some() && !is_interactive_shell(sender) {
            // A script at boot may have started it there.
            Confidence::Possible
        } else {
            Confidence::Probable
        };
        return with(Killer::Person, confidence);
    }
    if chain.same_place {
        return with(Killer::ApplicationParent, Confidence::Probable);
    }
    if chain.inside {
        // Another container with access to this one's processes.
        return with(Killer::DaemonOther, Confidence::Possible);
    }
    if is_service(kill) {
        return with(Killer::DaemonOther, Confidence::Probable);
    }
    if chain.terminal.is_some() || matches!(role, Some(Role::Shell | Role::SignalTool)) {
        return with(Killer::Person, Confidence::Possible);
    }
    with(Killer::Unknown, Confidence::Possible)
}

/// kernel/cgroup/cgroup.c, cgroup_kill_write (5.14+): the kernel makes up the siginfo on behalf of the writer.
fn is_cgroup_kill(kill: &KillSignal) -> bool {
    kill.origin == SignalOrigin::NoInfo
        && kill.call == SenderCall::Write
        && kill.written_file.as_ref().is_some_and(|file| {
            file.filesystem == "cgroup2" && file.path.rsplit('/').next() == Some("cgroup.kill")
        })
}

/// runc's second stage already runs in the container's namespaces, but its parent does not.
fn sender_is_runtime_init(kill: &KillSignal) -> bool {
    kill.sender
        .exe
        .as_deref()
        .is_some_and(|exe| exe.starts_with("memfd:runc_cloned"))
}

/// The sender runs in a service of the machine's, without a login.
fn is_service(kill: &KillSignal) -> bool {
    let level = CgroupOwner::of_process(&kill.sender).level;
    level == Level::Service && kill.sender.login_uid.is_none()
}

/// Suspects that the evidence clears. Only what it excludes stands here.
pub(super) fn ruled_out(
    case: &Case,
    accusation: &Accusation,
    around: &Surroundings<'_>,
) -> Vec<RuledOut> {
    let mut cleared = Vec::new();
    let Some(kill) = case.kill.as_deref() else {
        if accusation.killer == Killer::ApplicationSelf && around.signals_seen && around.lost == 0 {
            for killer in [Killer::KernelMemcg, Killer::Runtime, Killer::Person] {
                cleared.push(RuledOut {
                    killer,
                    because: "No signal was sent: the process ended itself with exit status 137."
                        .into(),
                    evidence: exit_cites(case),
                });
            }
        }
        return cleared;
    };
    let shown = |field: &str, value: String| {
        vec![Cite::Object {
            object: format!(
                "signal {} to {} (pid {})",
                kill.signal, kill.target.comm, kill.target.tgid
            ),
            field: field.into(),
            value,
        }]
    };
    if kill.origin == SignalOrigin::Kernel {
        if case.marks.is_empty() && case.report.is_none() && accusation.killer != Killer::Unknown {
            cleared.push(RuledOut {
                killer: Killer::KernelMemcg,
                because: "The OOM killer marks its victims; this one was not marked.".into(),
                evidence: shown("origin", "kernel".into()),
            });
        }
        for killer in [Killer::Runtime, Killer::Person] {
            cleared.push(RuledOut {
                killer,
                because:
                    "The kernel sent this signal by its own decision, not on behalf of a process."
                        .into(),
                evidence: shown("origin", "kernel".into()),
            });
        }
        return cleared;
    }
    cleared.push(RuledOut {
        killer: Killer::KernelMemcg,
        because: "The kernel's OOM killer sends its signals in the kernel's own name; this one was asked for by a process."
            .into(),
        evidence: shown("origin", format!("{:?}", kill.origin)),
    });
    let exe = || kill.sender.exe.as_deref().unwrap_or("?").to_owned();
    let clears = [
        (
            Killer::Runtime,
            "The sender is neither a container runtime nor a service manager of this machine.",
            matches!(
                accusation.killer,
                Killer::Person
                    | Killer::ApplicationParent
                    | Killer::ApplicationSelf
                    | Killer::DaemonSystemdOomd
                    | Killer::DaemonEarlyoom
                    | Killer::DaemonOther
            ),
        ),
        (
            Killer::Person,
            "The sender was started by no login, no terminal and no session in the container.",
            accusation.killer == Killer::ApplicationParent
                && !Chain::of(kill, around).by_exec
                && kill.sender.login_uid.is_none()
                && kill.sender.tty.is_none(),
        ),
    ];
    for (killer, because, holds) in clears {
        if holds {
            cleared.push(RuledOut {
                killer,
                because: because.into(),
                evidence: shown("sender.exe", exe()),
            });
        }
    }
    cleared
}

fn exit_cites(case: &Case) -> Vec<Cite> {
    case.exits
        .iter()
        .take(1)
        .map(|exit| Cite::Exit {
            exit: Box::new(exit.clone()),
        })
        .collect()
}
