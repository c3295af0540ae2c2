//! What to change after a death that was no OOM kill.

use crate::cgroup_path::CgroupOwner;
use crate::commands;
use crate::gather::Case;
use crate::incident::{Killer, Remedy};

use super::accuse::Accusation;

fn remedy(code: &'static str, title: &str, detail: &str, commands: &[&str], risk: &str) -> Remedy {
    Remedy {
        code: code.into(),
        title: title.into(),
        detail: detail.into(),
        commands: commands
            .iter()
            .map(|command| (*command).to_owned())
            .collect(),
        risk: risk.into(),
    }
}

/// `owner`: of the first who died.
pub(super) fn remedies(case: &Case, accusation: &Accusation, owner: &CgroupOwner) -> Vec<Remedy> {
    let mut list = Vec::new();
    let logs = commands::logs(owner);
    let (grace, cost) = commands::grace_period(owner);
    if case.asked.is_some()
        && matches!(
            accusation.killer,
            Killer::Runtime | Killer::KubeletGracePeriod
        )
    {
        list.push(remedy(
            "handle-sigterm",
            "End within the grace period",
            "Handle SIGTERM: stop taking work, finish or hand back what is in flight, exit. With a shell as pid 1 use exec, or an \
             init that passes signals on (tini, dumb-init, `docker run --init`).",
            &["exec PROGRAM", &grace],
            cost,
        ));
    }
    match accusation.killer {
        Killer::DaemonSystemdOomd => list.push(remedy(
            "review-systemd-oomd",
            "See why systemd-oomd acted, and whether it should here",
            "It kills by swap use and memory pressure of whole cgroups, before the kernel would. A slice can be left out or given a \
             higher limit of pressure.",
            &["oomctl", "journalctl -u systemd-oomd", "systemctl set-property UNIT ManagedOOMMemoryPressure=auto ManagedOOMSwap=auto"],
            "Without it the machine may stall before the kernel's OOM killer acts.",
        )),
        Killer::DaemonEarlyoom => list.push(remedy(
            "review-earlyoom",
            "See why earlyoom acted, and whom it should avoid",
            "It kills the process with the highest oom_score when free memory and swap fall below its thresholds, whatever container it \
             is in.",
            &["journalctl -u earlyoom", "grep EARLYOOM_ARGS /etc/default/earlyoom"],
            "With lower thresholds the machine may stall before it acts.",
        )),
        Killer::KernelRlimitCpu => list.push(remedy(
            "raise-cpu-rlimit",
            "Find who set the limit of processor time",
            "RLIMIT_CPU counts processor seconds over the life of a process. It is set by ulimit -t, limits.conf, LimitCPU= of a unit, or \
             the program itself.",
            &["grep 'Max cpu time' /proc/PID/limits", "systemctl show UNIT -p LimitCPU"],
            "Without a limit a loop that never ends takes a core for ever.",
        )),
        Killer::ApplicationSelf if case.kill.is_none() => list.push(remedy(
            "find-the-exit",
            "Look for exit(137) in the program and its start script",
            "The process ended itself. A wrapper may pass on the status of a child that was killed elsewhere, or before watching began.",
            &[&logs],
            "None.",
        )),
        Killer::ApplicationParent => list.push(remedy(
            "read-the-supervisor",
            "Read the supervisor's log: it had a reason",
            "Worker timeouts (gunicorn --timeout), missed heartbeats, a stop that overran, a limit of memory per worker: the supervisor says \
             which.",
            &[&logs],
            "A longer timeout hides workers that hang.",
        )),
        _ => {}
    }
    list
}
