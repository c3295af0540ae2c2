//! Signals of one decision: which of them belong together.

use smol_str::SmolStr;

use super::{Gatherer, Key, MS, ONE_DECISION_NS, key};
use crate::cgroup_path::CgroupOwner;
use crate::fact::{KillSignal, Process, SenderCall, SignalOrigin};
use crate::role::Role;

/// A runtime learns of the end of a container's first process from its shim, and then looks for the others.
const CLEARED_NS: u64 = 1_000 * MS;

/// Processor time is charged at ticks: a limit may be a little ahead of the count.
const CPU_SLACK_MS: u64 = 100;

/// A sender of signals to many by one kill(2), whom it named, and in which container: a pod's case is not another's.
pub(super) type Crowd = (Key, i32, Option<SmolStr>);

impl Gatherer {
    /// The case of the kill(2) that also sent this signal.
    pub(super) fn same_crowd(&self, crowd: Option<&Crowd>, at_ns: u64) -> Option<u64> {
        let number = *self.crowds.get(crowd?)?;
        let open = self.open.get(&number)?;
        (at_ns.saturating_sub(open.last_signal_ns) <= ONE_DECISION_NS).then_some(number)
    }

    /// The case of the decision that also sent this signal.
    pub(super) fn same_decision(&self, signal: &KillSignal) -> Option<u64> {
        let sender = key(&signal.sender);
        if is_teardown(signal) {
            // The init's own death, or the case that its end began.
            let own = self.by_process.get(&sender).copied();
            if let Some(number) = own.or_else(|| self.echoed(&sender)) {
                return Some(number);
            }
        }
        if is_parent_death(signal)
            && let Some(number) = self.by_process.get(&sender)
        {
            return Some(*number);
        }
        if let Some(number) = self.cleared_away(signal) {
            return Some(number);
        }
        let number = self.latest?;
        let open = self.open.get(&number)?;
        let first = open.case.kill.as_ref()?;
        let at_once = signal.boot_ns.saturating_sub(open.last_signal_ns) <= ONE_DECISION_NS;
        if !at_once || key(&first.sender) != sender || first.origin != signal.origin {
            return None;
        }
        let same_file = first.call == SenderCall::Write
            && signal.call == SenderCall::Write
            && first.written_file.is_some()
            && first.written_file == signal.written_file;
        let same_teardown = is_teardown(first) && is_teardown(signal);
        let same_container = signal.origin != SignalOrigin::Kernel
            && Role::of(&signal.sender) == Some(Role::Runtime)
            && container(&signal.target).is_some_and(|id| Some(id) == container(&first.target));
        // timeout ends its child and then its own process group, whose processes may have lost their parent by then.
        let same_tree = crowd(signal).is_some()
            && container(&signal.target) == container(&first.target)
            && (signal.kill_pid == Some(0)
                || signal
                    .target_ancestors
                    .iter()
                    .any(|ancestor| ancestor.is(&first.target)));
        (same_file || same_teardown || same_container || same_tree).then_some(number)
    }

    /// The case of a container's first process, when the runtime kills what that left behind: in the machine's own pid
    /// namespace, or in another container's, the kernel does not.
    fn cleared_away(&self, signal: &KillSignal) -> Option<u64> {
        if Role::of(&signal.sender) != Some(Role::Runtime) {
            return None;
        }
        let id = container(&signal.target)?;
        let number = *self.by_container.get(id.as_str())?;
        let open = self.open.get(&number)?;
        let first = open.case.kill.as_ref()?;
        let parent = first.target_ancestors.first()?.cgroup.as_deref()?;
        // Nothing of the container is above its first process.
        let is_top = CgroupOwner::of(parent).container_id != Some(id);
        let since = signal.boot_ns.checked_sub(open.last_signal_ns)?;
        (is_top && !open.case.exits.is_empty() && since <= CLEARED_NS).then_some(number)
    }

    /// The case of a child, when the process ended because of it: a container's shell gives its child's 137 as its own
    /// exit status, and its end takes the rest of the container along.
    fn echoed(&self, process: &Key) -> Option<u64> {
        let number = *self.parents.get(process)?;
        let echoes = &self.open.get(&number)?.case.echoes;
        echoes
            .iter()
            .any(|echo| key(&echo.process) == *process)
            .then_some(number)
    }
}

fn container(process: &Process) -> Option<SmolStr> {
    CgroupOwner::of_process(process).container_id
}

/// Of a kill(2) that named more than one process.
pub(super) fn crowd(signal: &KillSignal) -> Option<Crowd> {
    let named = signal.kill_pid.filter(|pid| *pid <= 0)?;
    Some((key(&signal.sender), named, container(&signal.target)))
}

/// What prctl(2), PR_SET_PDEATHSIG, asked for: the sender is the parent, on its way out (kernel/exit.c,
/// forget_original_parent).
pub(crate) fn is_parent_death(signal: &KillSignal) -> bool {
    signal.origin == SignalOrigin::NoInfo
        && signal.call == SenderCall::Exit
        && signal.sender.exiting
}

/// Why the kernel sent a signal by its own decision, where the signal itself shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KernelReason {
    /// See [`is_teardown`].
    Teardown,
    /// The target's tracer ended, and had asked for that: PTRACE_O_EXITKILL.
    TracerEnded,
    /// The target used up its processor time: check_process_timers, kernel/time/posix-cpu-timers.c, in its own context.
    CpuLimit,
}

/// None: most likely the OOM killer, which marks its victim after the signal and then prints its line.
pub(crate) fn kernel_reason(signal: &KillSignal) -> Option<KernelReason> {
    let sender = &signal.sender;
    let over_limit = signal
        .cpu_limit
        .is_some_and(|limit| limit.used_ms + CPU_SLACK_MS >= limit.hard_s.saturating_mul(1000));
    match signal.origin {
        SignalOrigin::Kernel => {}
        SignalOrigin::Siginfo | SignalOrigin::NoInfo => return None,
    }
    if is_teardown(signal) {
        Some(KernelReason::Teardown)
    } else if signal.ptrace_exitkill && signal.tracer_tgid == Some(sender.tgid) && sender.exiting {
        Some(KernelReason::TracerEnded)
    } else if over_limit && sender.tgid == signal.target.tgid {
        Some(KernelReason::CpuLimit)
    } else {
        None
    }
}

/// Signals by which the end of a pid namespace's init takes the others along (kernel/pid_namespace.c,
/// zap_pid_ns_processes).
pub(crate) fn is_teardown(signal: &KillSignal) -> bool {
    signal.origin == SignalOrigin::Kernel
        && signal.sender.exiting
        && signal.sender.namespaced_tgid == Some(1)
        && signal.sender.tgid != 1
        && signal.sender.tgid != signal.target.tgid
}
