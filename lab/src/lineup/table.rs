//! The kinds of death: what each is, where it can be provoked, and what must be said of it.

use super::Place;

/// Where a kind can be provoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Everywhere.
    Everywhere,
    /// On the machine that runs the lab: it needs programs that the virtual machines lack.
    Here,
    /// In the virtual machines: it would harm others, or needs the memory controller of cgroup v2.
    Vm,
    /// In the virtual machines, with systemd as the first process.
    Systemd,
    /// Everywhere save on this kernel, which lacks what it needs.
    NotOn(&'static str),
}

impl Stage {
    /// Whether the kind can be provoked there.
    #[must_use]
    pub fn holds(self, place: Place) -> bool {
        match (self, place) {
            (Self::Everywhere, _)
            | (Self::Here, Place::Here)
            | (Self::Vm | Self::Systemd, Place::Vm(_)) => true,
            (Self::Here, Place::Vm(_)) | (Self::Vm | Self::Systemd, Place::Here) => false,
            (Self::NotOn(_), Place::Here) => true,
            (Self::NotOn(kernel), Place::Vm(suite)) => suite.kernel != kernel,
        }
    }
}

/// A kind of death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// kebab-case; the script's function is called `kind_` and this.
    pub name: &'static str,
    /// Where.
    pub stage: Stage,
    /// Code of the killer; none when nothing may be told.
    pub killer: Option<&'static str>,
    /// A finding that must be among those of the incident.
    pub finding: Option<&'static str>,
    /// How often it is provoked at most: what is long, and has many deaths in it.
    pub runs_most: Option<usize>,
}

const fn kind(name: &'static str, stage: Stage, killer: &'static str) -> Kind {
    Kind {
        name,
        stage,
        killer: Some(killer),
        finding: None,
        runs_most: None,
    }
}

const fn finding(kind: Kind, finding: &'static str) -> Kind {
    Kind {
        finding: Some(finding),
        ..kind
    }
}

const fn nobody(name: &'static str, runs_most: Option<usize>) -> Kind {
    Kind {
        name,
        stage: Stage::Everywhere,
        killer: None,
        finding: None,
        runs_most,
    }
}

/// Debian's runc 1.1 fails in the initramfs of that kernel: "could not ensure we are a cloned binary".
const RUNC: Stage = Stage::NotOn("5.10");

/// All of them, in the order of the report.
pub const KINDS: &[Kind] = &[
    kind(
        "container-limit",
        Stage::Everywhere,
        "kernel-memcg-container",
    ),
    kind("pod-limit", Stage::Everywhere, "kernel-memcg-pod"),
    kind("ancestor-limit", Stage::Everywhere, "kernel-memcg-ancestor"),
    kind("group-kill", Stage::Vm, "kernel-group-kill"),
    kind("global", Stage::Vm, "kernel-global"),
    kind("sysrq-f", Stage::Vm, "kernel-sysrq"),
    finding(
        kind("child-killed", Stage::Everywhere, "kernel-memcg-container"),
        "child-killed",
    ),
    kind(
        "status-passed-on",
        Stage::Everywhere,
        "kernel-memcg-container",
    ),
    kind("hostile-name", Stage::Everywhere, "kernel-memcg-container"),
    kind("forged-cgroup", Stage::Everywhere, "kernel-memcg-container"),
    kind("pid-namespace-exit", Stage::Everywhere, "kernel-pidns-exit"),
    // cgroup.kill came with 5.14.
    kind("cgroup-kill", Stage::NotOn("5.10"), "kernel-cgroup-kill"),
    kind("cpu-limit", Stage::Everywhere, "kernel-rlimit-cpu"),
    kind(
        "ptrace-exitkill",
        Stage::Everywhere,
        "kernel-ptrace-exitkill",
    ),
    // What a program asks for with PR_SET_PDEATHSIG: the parent's end is its own.
    kind("parent-death", Stage::Everywhere, "application-parent"),
    kind("supervisor", Stage::Everywhere, "application-parent"),
    kind("timeout", Stage::Everywhere, "application-parent"),
    kind("quick-killer", Stage::Everywhere, "application-parent"),
    kind("self-kill", Stage::Everywhere, "application-self"),
    kind("exit-137", Stage::Everywhere, "application-self"),
    kind("forged-runc", Stage::Everywhere, "application-parent"),
    kind("forged-earlyoom", Stage::Everywhere, "application-parent"),
    kind(
        "forged-runc-host-pids",
        Stage::Everywhere,
        "application-parent",
    ),
    kind("person-terminal", Stage::Everywhere, "person"),
    kind("person-tool", Stage::Everywhere, "person"),
    kind("person-group", Stage::Everywhere, "person"),
    kind("person-login", Stage::Everywhere, "person"),
    kind("person-script", Stage::Here, "person"),
    kind("person-sudo", Stage::Here, "person"),
    kind("person-nsenter", Stage::Everywhere, "person"),
    kind("person-hostile-victim", Stage::Everywhere, "person"),
    kind("forged-kmsg-and-kill", Stage::Everywhere, "person"),
    kind("runc-exec", RUNC, "person"),
    kind("ctr-exec", Stage::Here, "person"),
    finding(kind("runc-kill", RUNC, "runtime"), "killed-without-warning"),
    finding(
        kind("ctr-kill", Stage::Here, "runtime"),
        "killed-without-warning",
    ),
    finding(
        kind("grace-overran", RUNC, "runtime"),
        "graceful-stop-overran",
    ),
    finding(
        kind("grace-overran-pod", RUNC, "kubelet-grace-period"),
        "graceful-stop-overran",
    ),
    kind("earlyoom", Stage::Vm, "daemon-earlyoom"),
    kind("earlyoom-term", Stage::Vm, "daemon-earlyoom"),
    kind("systemd-oomd", Stage::Systemd, "daemon-systemd-oomd"),
    nobody("forged-kmsg", None),
    nobody("bystanders", Some(1)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_its_function_and_every_function_its_kind() {
        let scripts = concat!(include_str!("kinds.sh"), include_str!("runtimes.sh"));
        let functions: BTreeSet<String> = scripts
            .lines()
            .filter_map(|line| line.strip_prefix("kind_")?.strip_suffix("() {"))
            .map(|name| name.replace('_', "-"))
            .collect();
        let kinds: BTreeSet<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
        assert_eq!(functions, kinds);
        assert_eq!(kinds.len(), KINDS.len(), "names are unique");
    }
}
