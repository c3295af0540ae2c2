//! The way from the machine's first process down to the sender of a signal: where it enters a container, a login, a shell.

use crate::cgroup_path::CgroupOwner;
use crate::fact::{Ancestor, KillSignal, Process};
use crate::role::{Role, is_interactive_shell};

use super::Surroundings;

/// What the sender's ancestors show.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain<'a> {
    /// The sender runs in a container: its cgroup is one, or its pid namespace is not the machine's.
    pub(super) inside: bool,
    /// It got there from outside, not as a descendant of the container's first process.
    pub(super) by_exec: bool,
    /// nsenter above it.
    pub(super) into: Option<&'a Ancestor>,
    /// Where a person came in: sshd, login.
    pub(super) entrance: Option<&'a Ancestor>,
    /// What gives a terminal to persons and to scripts alike: tmux, screen.
    pub(super) multiplexer: Option<&'a Ancestor>,
    /// sudo and its kin.
    pub(super) elevation: Option<&'a Ancestor>,
    /// cron and its kin.
    pub(super) scheduler: Option<&'a Ancestor>,
    /// A client program that a person starts: `ctr`, `docker`.
    pub(super) client: Option<&'a Ancestor>,
    /// The nearest shell above (or the sender itself) that reads from a terminal.
    pub(super) terminal: Option<&'a str>,
    /// The sender is a parent, grandparent ... of the target.
    pub(super) above_target: bool,
    /// The target is a parent, grandparent ... of the sender, with no shell between them.
    pub(super) below_target: bool,
    /// Sender and target are in one container, or in one cgroup that is neither the root nor a login's.
    pub(super) same_place: bool,
}

impl<'a> Chain<'a> {
    pub(super) fn of(kill: &'a KillSignal, around: &Surroundings<'_>) -> Self {
        let sender = &kill.sender;
        let owner = CgroupOwner::of_process(sender);
        let ancestors = &kill.sender_ancestors;
        let roles: Vec<Option<Role>> = ancestors.iter().map(Role::of_ancestor).collect();
        let role = |wanted: Role| {
            let mut both = ancestors.iter().zip(&roles);
            both.find(|(_, role)| **role == Some(wanted))
                .map(|(one, _)| one)
        };
        let foreign_namespace = match (sender.pid_namespace, around.host_pid_namespace) {
            (Some(own), Some(host)) => own != host,
            _ => false,
        };
        let inside = foreign_namespace || owner.container_id.is_some();
        Self {
            inside,
            by_exec: inside && entered_from_outside(kill, &owner, foreign_namespace, around),
            multiplexer: role(Role::Multiplexer),
            into: role(Role::Into),
            entrance: role(Role::Entrance),
            elevation: role(Role::Elevation),
            scheduler: role(Role::Scheduler),
            client: role(Role::Client),
            terminal: sender
                .tty
                .as_deref()
                .or_else(|| ancestors.iter().find_map(|one| one.tty.as_deref())),
            above_target: kill.target_ancestors.iter().any(|one| one.is(sender)),
            below_target: ancestors
                .iter()
                .zip(&roles)
                .take_while(|(_, role)| **role != Some(Role::Shell))
                .any(|(one, role)| one.is(&kill.target) && role.is_none()),
            same_place: same_place(sender, &kill.target),
        }
    }

    /// Whether the sender or what started it takes commands from a person at a terminal.
    pub(super) fn is_at_terminal(&self, kill: &KillSignal) -> bool {
        is_interactive_shell(&kill.sender)
            || self.terminal.is_some()
                && matches!(Role::of(&kill.sender), Some(Role::SignalTool | Role::Shell))
                && !self.above_target
    }
}

/// Follows the ancestors to the last one in the sender's container: it is the container's first process for all that
/// the application does itself, and another one for a command that was brought in (exec, nsenter).
fn entered_from_outside(
    kill: &KillSignal,
    own: &CgroupOwner,
    foreign_namespace: bool,
    around: &Surroundings<'_>,
) -> bool {
    let sender = &kill.sender;
    let of_own = |one: &Ancestor| {
        one.cgroup
            .as_deref()
            .is_some_and(|path| CgroupOwner::of(path).container_id == own.container_id)
    };
    // Containers may share a pid namespace (`--pid=container:`, shareProcessNamespace): the cgroup tells them apart.
    let within = |one: &&Ancestor| match foreign_namespace {
        true => {
            one.pid_namespace == sender.pid_namespace
                && (own.container_id.is_none() || one.cgroup.is_none() || of_own(one))
        }
        false => of_own(one),
    };
    let count = kill.sender_ancestors.iter().take_while(within).count();
    if count == kill.sender_ancestors.len() && count > 0 {
        // The chain is longer than what was recorded: nothing shows that it came from outside.
        return false;
    }
    let top = match count
        .checked_sub(1)
        .and_then(|at| kill.sender_ancestors.get(at))
    {
        Some(ancestor) => (ancestor.tgid, ancestor.namespaced_tgid),
        None => (sender.tgid, sender.namespaced_tgid),
    };
    let target = CgroupOwner::of_process(&kill.target);
    let facts = match target.container_id == own.container_id {
        true => &around.container,
        false => &around.sender_container,
    };
    let init_pid = facts.as_ref().and_then(|facts| facts.init_pid);
    if init_pid == Some(top.0) {
        return false;
    }
    let shares_namespace = kill.target.pid_namespace == sender.pid_namespace
        && target.container_id != own.container_id
        && own.container_id.is_some();
    match (foreign_namespace, top.1) {
        (true, Some(number)) if !shares_namespace => number != 1,
        (true, Some(1) | None) => false,
        // In another's pid namespace, and in the machine's own, only the runtime knows which process is the first.
        (true, Some(_)) | (false, _) => init_pid.is_some(),
    }
}

fn same_place(sender: &Process, target: &Process) -> bool {
    let (own, other) = (
        CgroupOwner::of_process(sender),
        CgroupOwner::of_process(target),
    );
    if own.container_id.is_some() || other.container_id.is_some() {
        let same_pod = own.pod_uid.is_some() && own.pod_uid == other.pod_uid;
        return own.container_id == other.container_id || same_pod;
    }
    let path = sender.cgroups.path();
    own.unit.is_some()
        && path == target.cgroups.path()
        && own.level == crate::cgroup_path::Level::Service
}
