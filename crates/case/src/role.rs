//! What a process is, by the name of its executable: a table of the programs that send signals on a node.
//!
//! The file name of the executable is used, not the comm, which every program may choose. Whether the process has the
//! standing for its role (root's, outside of containers) is for the judge to ask.

use crate::fact::{Ancestor, Process};
use crate::incident::Killer;

/// What a program is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Starts and ends containers.
    Runtime,
    /// The kubelet.
    Kubelet,
    /// Kills when memory runs short.
    MemoryDaemon(Killer),
    /// Starts and ends services and sessions.
    ServiceManager,
    /// Takes commands from a person, or runs a script.
    Shell,
    /// Sends signals for whoever starts it.
    SignalTool,
    /// Lets a person in: sshd, login.
    Entrance,
    /// Gives a terminal to whoever starts it, a boot script too: tmux, screen.
    Multiplexer,
    /// Lends a person another identity: sudo.
    Elevation,
    /// Carries a command into a container's namespaces: nsenter.
    Into,
    /// Runs commands at set times.
    Scheduler,
    /// A client of a runtime or of the API server, started by a person.
    Client,
}

/// What a sender of signals is there for, as far as views tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Starts and ends services.
    ServiceManager,
    /// Kills when memory runs short.
    MemoryDaemon,
    /// Something else.
    Other,
}

/// What the program of a process is there for, by the name of its executable.
pub fn duty(process: &Process) -> Duty {
    match Role::of(process) {
        Some(Role::ServiceManager) => Duty::ServiceManager,
        Some(Role::MemoryDaemon(_)) => Duty::MemoryDaemon,
        _ => Duty::Other,
    }
}

/// Exact names, then prefixes (those that end with `*`).
const PROGRAMS: &[(&str, Role)] = &[
    ("runc", Role::Runtime),
    ("docker-runc", Role::Runtime),
    ("crun", Role::Runtime),
    ("youki", Role::Runtime),
    ("runsc", Role::Runtime),
    ("kata-runtime", Role::Runtime),
    // runc runs a sealed copy of itself inside a container's namespaces.
    ("memfd:runc_cloned*", Role::Runtime),
    ("containerd", Role::Runtime),
    ("docker-containerd*", Role::Runtime),
    ("containerd-shim*", Role::Runtime),
    ("dockerd", Role::Runtime),
    ("crio", Role::Runtime),
    ("conmon", Role::Runtime),
    ("conmonrs", Role::Runtime),
    ("podman", Role::Runtime),
    ("lxc-monitord", Role::Runtime),
    ("lxc-start", Role::Runtime),
    ("lxc-stop", Role::Runtime),
    ("lxd", Role::Runtime),
    ("incusd", Role::Runtime),
    ("kubelet", Role::Kubelet),
    ("kubelite", Role::Kubelet),
    ("k3s", Role::Kubelet),
    ("k3s-server", Role::Kubelet),
    ("k3s-agent", Role::Kubelet),
    ("rke2", Role::Kubelet),
    (
        "systemd-oomd",
        Role::MemoryDaemon(Killer::DaemonSystemdOomd),
    ),
    ("earlyoom", Role::MemoryDaemon(Killer::DaemonEarlyoom)),
    ("nohang", Role::MemoryDaemon(Killer::DaemonOther)),
    ("nohang-desktop", Role::MemoryDaemon(Killer::DaemonOther)),
    ("oomd", Role::MemoryDaemon(Killer::DaemonOther)),
    ("bustd", Role::MemoryDaemon(Killer::DaemonOther)),
    ("lmkd", Role::MemoryDaemon(Killer::DaemonOther)),
    ("systemd", Role::ServiceManager),
    ("systemd-executor", Role::ServiceManager),
    ("systemd-shutdown", Role::ServiceManager),
    ("systemd-logind", Role::ServiceManager),
    ("systemd-machined", Role::ServiceManager),
    ("systemd-nspawn", Role::Runtime),
    ("openrc-init", Role::ServiceManager),
    ("runsv", Role::ServiceManager),
    ("s6-supervise", Role::ServiceManager),
    ("bash", Role::Shell),
    ("sh", Role::Shell),
    ("dash", Role::Shell),
    ("zsh*", Role::Shell),
    ("fish", Role::Shell),
    ("ksh*", Role::Shell),
    ("mksh", Role::Shell),
    ("ash", Role::Shell),
    ("tcsh", Role::Shell),
    ("busybox*", Role::Shell),
    ("kill", Role::SignalTool),
    ("pkill", Role::SignalTool),
    ("pgrep", Role::SignalTool),
    ("killall*", Role::SignalTool),
    ("skill", Role::SignalTool),
    ("fuser", Role::SignalTool),
    ("start-stop-daemon", Role::SignalTool),
    ("htop", Role::SignalTool),
    ("btop", Role::SignalTool),
    ("atop", Role::SignalTool),
    ("top", Role::SignalTool),
    ("sshd*", Role::Entrance),
    ("dropbear*", Role::Entrance),
    ("login", Role::Entrance),
    ("agetty", Role::Entrance),
    ("mosh-server", Role::Entrance),
    ("tmux*", Role::Multiplexer),
    ("screen*", Role::Multiplexer),
    ("cockpit-*", Role::Entrance),
    ("ssm-session-worker", Role::Entrance),
    ("sudo", Role::Elevation),
    ("su", Role::Elevation),
    ("doas", Role::Elevation),
    ("pkexec", Role::Elevation),
    ("runuser", Role::Elevation),
    ("nsenter", Role::Into),
    ("cron", Role::Scheduler),
    ("crond", Role::Scheduler),
    ("atd", Role::Scheduler),
    ("anacron", Role::Scheduler),
    ("docker", Role::Client),
    ("docker-compose", Role::Client),
    ("ctr", Role::Client),
    ("nerdctl", Role::Client),
    ("crictl", Role::Client),
    ("kubectl", Role::Client),
];

/// Programs that run a program of another name, which is their first argument.
const INTERPRETERS: &[&str] = &["python*", "perl*", "ruby*", "node"];

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

fn of_name(name: &str) -> Option<Role> {
    // A program that was replaced on disk while it runs keeps its name with this behind it.
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    PROGRAMS
        .iter()
        .find(|(pattern, _)| fits(pattern, name))
        .map(|(_, role)| *role)
}

impl Role {
    /// The role of a process.
    pub(crate) fn of(process: &Process) -> Option<Self> {
        let exe = process.exe.as_deref()?;
        if INTERPRETERS.iter().any(|pattern| fits(pattern, exe)) {
            return script(&process.arguments).and_then(of_name);
        }
        of_name(exe)
    }

    /// The role of a process above another.
    pub(crate) fn of_ancestor(ancestor: &Ancestor) -> Option<Self> {
        of_name(ancestor.exe.as_deref()?)
    }
}

/// Whether it ends with the exit status of a container that it started and is no parent of.
pub(crate) fn passes_on_containers(process: &Process) -> bool {
    let podman = || process.exe.as_deref() == Some("podman");
    Role::of(process) == Some(Role::Client) || podman()
}

/// Whether it ends with the exit status of what it started, which may be on another machine.
pub(crate) fn passes_on_status(process: &Process) -> bool {
    let remote = || matches!(process.exe.as_deref(), Some("ssh" | "oc"));
    passes_on_containers(process) || remote()
}

/// File name of the script that an interpreter runs.
fn script(arguments: &[smol_str::SmolStr]) -> Option<&str> {
    let script = arguments
        .iter()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))?;
    script.rsplit('/').next()
}

/// Whether a shell reads commands from a person: it was given neither a script nor `-c`.
pub(crate) fn is_interactive_shell(process: &Process) -> bool {
    if Role::of(process) != Some(Role::Shell) || process.tty.is_none() {
        return false;
    }
    // busybox's first argument is the applet's name.
    let rest = process
        .arguments
        .iter()
        .skip(1)
        .map(|argument| argument.as_str());
    let rest: Vec<&str> = rest
        .filter(|argument| !matches!(*argument, "sh" | "ash"))
        .collect();
    rest.iter()
        .all(|argument| argument.starts_with('-') && !is_command_option(argument))
}

/// `-c`, or among others: `-lc`.
fn is_command_option(argument: &str) -> bool {
    !argument.starts_with("--") && argument.starts_with('-') && argument.contains('c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(exe: &str, arguments: &[&str]) -> Process {
        Process {
            exe: Some(exe.into()),
            arguments: arguments
                .iter()
                .map(|argument| (*argument).into())
                .collect(),
            tty: Some("pts0".into()),
            ..Process::default()
        }
    }

    #[test]
    fn programs_by_their_executable() {
        for (exe, arguments, role) in [
            ("runc", &["runc"][..], Some(Role::Runtime)),
            ("containerd-shim-runc-v2", &[], Some(Role::Runtime)),
            ("memfd:runc_cloned:/proc/self/exe", &[], Some(Role::Runtime)),
            (
                "python3.11",
                &["/usr/bin/python3", "-u", "/usr/bin/nohang", "--monitor"],
                Some(Role::MemoryDaemon(Killer::DaemonOther)),
            ),
            ("python3.11", &["/usr/bin/python3", "app.py"], None),
            ("busybox", &["sh"], Some(Role::Shell)),
            ("sshd-session", &[], Some(Role::Entrance)),
            ("java", &["runc"], None),
        ] {
            assert_eq!(
                Role::of(&process(exe, arguments)),
                role,
                "{exe} {arguments:?}"
            );
        }
        assert_eq!(
            Role::of(&Process {
                comm: "runc".into(),
                ..Process::default()
            }),
            None,
            "a name alone"
        );
    }

    #[test]
    fn shells_that_a_person_types_into() {
        for (exe, arguments, interactive) in [
            ("bash", &["-bash"][..], true),
            ("bash", &["bash", "--norc", "-i"], true),
            ("bash", &["bash", "-c", "kill -9 1"], false),
            ("bash", &["bash", "-lc", "x"], false),
            ("dash", &["sh", "run.sh"], false),
            ("busybox", &["busybox", "sh"], true),
            ("java", &["java"], false),
        ] {
            assert_eq!(
                is_interactive_shell(&process(exe, arguments)),
                interactive,
                "{exe} {arguments:?}"
            );
        }
        let mut piped = process("bash", &["bash"]);
        piped.tty = None;
        assert!(!is_interactive_shell(&piped));
    }
}
