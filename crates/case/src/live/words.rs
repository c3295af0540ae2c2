//! The verdict of live evidence in one sentence. May hold hostile text: views escape it.

use crate::cgroup_path::{CgroupOwner, short_id};
use crate::fact::{ContainerFacts, KillSignal, Login, Process};
use crate::gather::{Case, is_parent_death};
use crate::incident::Killer;
use crate::scene::whom;

use super::Surroundings;
use super::accuse::Accusation;
use super::chain::Chain;

pub(super) fn summary(case: &Case, accusation: &Accusation, around: &Surroundings<'_>) -> String {
    let Some(first) = case.first() else {
        return match case.counts.first() {
            Some(count) => format!(
                "The kernel's OOM killer killed {} in cgroup {}; which, was not seen: only the cgroup's count went up.",
                match count.kills() {
                    1 => "a process".to_owned(),
                    several => format!("{several} processes"),
                },
                count.path
            ),
            None => "Something was killed; nothing shows what.".into(),
        };
    };
    let victim = victim(first, case, around);
    let Some(kill) = case.kill.as_deref() else {
        return without_signal(case, accusation, &victim);
    };
    let with = if kill.signal == 15 {
        "SIGTERM"
    } else {
        "SIGKILL"
    };
    let how = how(kill, accusation);
    let process = program(&kill.sender);
    let chain = Chain::of(kill, around);
    match accusation.killer {
        Killer::Person => {
            let person = person(kill, &chain, around);
            format!("{person} killed {victim} with {with}{how}.")
        }
        Killer::Runtime | Killer::KubeletGracePeriod => {
            let runtime = match crate::role::Role::of(&kill.sender) {
                Some(crate::role::Role::ServiceManager) => "The service manager",
                _ => "The container runtime",
            };
            let on_behalf = match (&around.person, asked_by_person(kill, &chain)) {
                (Some(person), true) => format!(", asked by {}", name(person)),
                _ => String::new(),
            };
            let grace = match accusation.killer {
                Killer::KubeletGracePeriod => {
                    ", most likely because the kubelet stopped the pod and its grace period was over"
                }
                _ => "",
            };
            format!("{runtime} ({process}{on_behalf}) killed {victim} with {with}{how}{grace}.")
        }
        Killer::Kubelet => format!("The kubelet ({process}) killed {victim} with {with}{how}."),
        Killer::DaemonSystemdOomd | Killer::DaemonEarlyoom => {
            format!(
                "The memory daemon {process} killed {victim} with {with}{how}: it found that memory ran short."
            )
        }
        Killer::DaemonOther => match crate::role::Role::of(&kill.sender) {
            Some(crate::role::Role::MemoryDaemon(_)) => {
                format!(
                    "The memory daemon {process} killed {victim} with {with}{how}: it found that memory ran short."
                )
            }
            _ if chain.scheduler.is_some() => format!(
                "A scheduled job ({}) of user id {} killed {victim} with {with}{how}: {process} did it.",
                chain.scheduler.map_or("", |cron| cron.comm.as_str()),
                kill.sender.uid
            ),
            _ if chain.inside => format!(
                "Another container{}, killed {victim} with {with}{how}: {process} did it.",
                sender_container(kill, around)
            ),
            _ => format!(
                "Another service of this machine, {process}{}, killed {victim} with {with}{how}.",
                unit(&kill.sender)
            ),
        },
        Killer::ApplicationParent if is_parent_death(kill) => format!(
            "The kernel killed {victim} because its parent, {process}, ended: it had asked to end with its parent (PR_SET_PDEATHSIG)."
        ),
        Killer::ApplicationParent => {
            let container = |process: &Process| CgroupOwner::of_process(process).container_id;
            let relation = if chain.above_target {
                "its own parent"
            } else if chain.below_target {
                "its own child"
            } else if container(&kill.sender) != container(&kill.target) {
                "another container of the same pod"
            } else {
                "another process of the same application"
            };
            format!(
                "The application itself killed {victim} with {with}{how}: {relation} {process} did it."
            )
        }
        Killer::ApplicationSelf => format!("Process {victim} killed itself with {with}."),
        Killer::KernelCgroupKill => {
            let writer = match accusation.by_exec || around.person.is_some() {
                true => format!("{} ({process})", person(kill, &chain, around)),
                false => format!("Process {process}"),
            };
            format!(
                "{writer} wrote cgroup.kill, and the kernel killed everything in the cgroup: {victim}{}.",
                others(case)
            )
        }
        Killer::KernelPidnsExit => format!(
            "The kernel killed {victim}{} because the first process of its pid namespace, {process}, had ended: nothing in a container outlives it.",
            others(case)
        ),
        Killer::KernelPtraceExitkill => format!(
            "The kernel killed {victim} because the process that traced it, {process}, ended, and had asked for that (PTRACE_O_EXITKILL)."
        ),
        Killer::KernelRlimitCpu => {
            let hard = kill
                .cpu_limit
                .map(|limit| format!(" of {} s", limit.hard_s))
                .unwrap_or_default();
            format!(
                "The kernel killed {victim} because it had used up its hard limit of processor time{hard} (RLIMIT_CPU)."
            )
        }
        Killer::KernelMemcg => format!(
            "The kernel's OOM killer killed {victim}: its memory cgroup was at its limit. The kernel's own report was not seen."
        ),
        Killer::KernelMemcgContainer | Killer::KernelMemcgPod | Killer::KernelMemcgAncestor => {
            let whose = super::full::path(kill).map(|path| CgroupOwner::of(path).level_in_words());
            format!(
                "The kernel's OOM killer killed {victim}: the memory limit of the {} was reached. The kernel's own report was not seen.",
                whose.as_deref().unwrap_or("cgroup")
            )
        }
        Killer::KernelGlobal => format!(
            "The kernel's OOM killer killed {victim}. The kernel's own report was not seen; the process's own cgroup was not at its limit."
        ),
        Killer::KernelGroupKill
        | Killer::KernelCpuset
        | Killer::KernelMempolicy
        | Killer::KernelSysrq
        | Killer::KernelHwpoison
        | Killer::KernelExecOrCoredump
        | Killer::KubeletEviction
        | Killer::KubeletProbe
        | Killer::KubeletPreemption
        | Killer::KubeletNodeShutdown
        | Killer::NodeLost
        | Killer::Unknown => match kill.origin {
            crate::fact::SignalOrigin::Kernel => {
                format!("The kernel killed {victim} by its own decision; why, it did not say.")
            }
            _ => format!(
                "Process {process} killed {victim} with {with}{how}; on whose behalf is not known."
            ),
        },
    }
}

fn without_signal(case: &Case, accusation: &Accusation, victim: &str) -> String {
    match accusation.killer {
        Killer::ApplicationSelf if case.first().is_some_and(crate::role::passes_on_status) => {
            format!(
                "Nobody killed {victim}: it passes on the exit status of what it had started, 137, which was not seen to end on this machine."
            )
        }
        Killer::ApplicationSelf => format!(
            "Nobody killed {victim}: it ended by itself with exit status 137, which only looks like a kill."
        ),
        _ if case.exits.first().and_then(|exit| exit.signal()) == Some(9) => {
            format!("Process {victim} was ended by SIGKILL; who sent it was not seen.")
        }
        _ => format!("Process {victim} ended; why was not seen."),
    }
}

/// `nginx (pid 12) in container app of pod shop/web-1`.
fn victim(process: &Process, case: &Case, around: &Surroundings<'_>) -> String {
    let mut text = format!("{} (pid {})", process.comm, process.tgid);
    if let Some(place) = place(process, around) {
        text.push_str(" in ");
        text.push_str(&place);
    }
    let first =
        process.namespaced_tgid == Some(1) && process.pid_namespace != around.host_pid_namespace;
    let number = case
        .signals()
        .map(|signal| signal.target.tgid)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    if first && number > 1 {
        text.push_str(&format!(" (and {} more with it)", number - 1));
    }
    text
}

/// The container, pod or unit of a process, with the runtime's names where they are known.
fn place(process: &Process, around: &Surroundings<'_>) -> Option<String> {
    let owner = CgroupOwner::of(process.cgroups.path()?);
    if let Some(facts) = around.container.as_ref() {
        return Some(container(facts));
    }
    match owner.level {
        crate::cgroup_path::Level::Root => None,
        _ => whom(&owner),
    }
}

/// `container web of pod shop/web-1`, `docker container web`
pub(super) fn container(facts: &ContainerFacts) -> String {
    let container = facts.name.as_deref().unwrap_or(short_id(&facts.id));
    match (&facts.pod_namespace, &facts.pod_name) {
        (Some(namespace), Some(pod)) => {
            format!("container {container} of pod {namespace}/{pod}")
        }
        _ => format!("{} container {container}", facts.runtime),
    }
}

/// `runc (pid 12)`; the executable's name where the comm is another.
fn program(process: &Process) -> String {
    match process.exe.as_deref() {
        Some(exe) if exe != process.comm && !exe.starts_with(process.comm.as_str()) => {
            format!("{} ({exe}, pid {})", process.comm, process.tgid)
        }
        _ => format!("{} (pid {})", process.comm, process.tgid),
    }
}

/// `, web (0123456789ab),` of the sender.
fn sender_container(kill: &KillSignal, around: &Surroundings<'_>) -> String {
    let Some(id) = CgroupOwner::of_process(&kill.sender).container_id else {
        return String::new();
    };
    match around
        .sender_container
        .as_ref()
        .and_then(|facts| facts.name.as_ref())
    {
        Some(name) => format!(", {name} ({})", short_id(&id)),
        None => format!(", {}", short_id(&id)),
    }
}

fn unit(process: &Process) -> String {
    CgroupOwner::of_process(process)
        .unit
        .map(|unit| format!(" of {unit}"))
        .unwrap_or_default()
}

fn asked_by_person(kill: &KillSignal, chain: &Chain<'_>) -> bool {
    kill.sender.login_uid.is_some() || chain.entrance.is_some() || chain.terminal.is_some()
}

/// `A person, alice (uid 1000, pts/3, from 10.0.0.7),`
fn person(kill: &KillSignal, chain: &Chain<'_>, around: &Surroundings<'_>) -> String {
    let tool = program(&kill.sender);
    let sudo = match chain.elevation {
        Some(elevation) => format!(" through {}", elevation.comm),
        None => String::new(),
    };
    let named = match &around.person {
        Some(one) if kill.sender.login_uid.is_some() || chain.entrance.is_some() => {
            format!("A person, {}{sudo},", name(one))
        }
        Some(one) => format!(
            "Somebody with the rights of {}{sudo}{}",
            user(one),
            terminal(chain)
        ),
        None => format!(
            "Somebody with user id {}{sudo}{}",
            kill.sender.uid,
            terminal(chain)
        ),
    };
    if let Some(nsenter) = chain.into {
        return format!(
            "{named} who entered the container's namespaces with {} and used {tool}",
            nsenter.comm
        );
    }
    if chain.by_exec {
        let session = match chain.terminal {
            Some(_) => {
                "in a session opened into the container (kubectl exec, docker exec or the like)"
            }
            None => {
                "with a command brought into the container (kubectl exec, docker exec, or a probe or hook of the pod's)"
            }
        };
        return format!("{named} {session}, with {tool},");
    }
    format!("{named} with {tool}")
}

fn terminal(chain: &Chain<'_>) -> String {
    chain
        .terminal
        .map(|tty| format!(" at terminal {tty}"))
        .unwrap_or_default()
}

fn user(person: &Login) -> String {
    match &person.name {
        Some(user) => format!("{user} (uid {})", person.uid),
        None => format!("user id {}", person.uid),
    }
}

/// `alice (uid 1000, pts/3, from 10.0.0.7, sshd)`
fn name(person: &Login) -> String {
    let mut details = vec![format!("uid {}", person.uid)];
    details.extend(person.tty.clone());
    details.extend(
        person
            .remote_host
            .as_ref()
            .map(|host| format!("from {host}")),
    );
    details.extend(
        person
            .session
            .as_ref()
            .map(|session| format!("session {session}")),
    );
    format!(
        "{} ({})",
        person.name.as_deref().unwrap_or("user"),
        details.join(", ")
    )
}

/// What came before: asked to end, or not.
fn how(kill: &KillSignal, accusation: &Accusation) -> String {
    if kill.signal == 15 {
        return String::new();
    }
    let by_file = match accusation.cgroup_kill && accusation.killer != Killer::KernelCgroupKill {
        true => " (through cgroup.kill)",
        false => "",
    };
    match (accusation.asked_before_ns, accusation.killer) {
        (Some(ns), _) => format!(
            "{by_file}, {} after it had been asked to end (SIGTERM)",
            seconds(ns)
        ),
        (None, Killer::Runtime) => format!("{by_file}, without asking it to end first"),
        (None, _) => by_file.into(),
    }
}

/// `30.0 s`, `12 ms`
pub(super) fn seconds(ns: u64) -> String {
    match ns / 1_000_000 {
        ms if ms < 1000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn others(case: &Case) -> String {
    let number = case
        .signals()
        .map(|signal| signal.target.tgid)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    match number {
        0 | 1 => String::new(),
        2 => " and 1 other process".into(),
        more => format!(" and {} other processes", more - 1),
    }
}
