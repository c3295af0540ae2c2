//! From a gathered case to an incident: who sent the signal and on whose behalf, what the kernel says of it, what it
//! was not. The one way in for live evidence; a kernel report in the case is judged as `explain` does it and enriched.
//!
//! Pure: what the machine knows of names and sessions is handed in.

mod accuse;
mod chain;
mod findings;
mod full;
mod node;
mod remedies;
mod victims;
mod words;

use jiff::{SignedDuration, Timestamp};
use oom_report::report::Provenance;

use crate::assemble::{self, Context, Fnv};
use crate::cgroup_path::CgroupOwner;
use crate::fact::{ContainerFacts, KillSignal, Login, Process};
use crate::gather::Case;
use crate::incident::{
    Cite, Confidence, Container, Incident, IncidentSource, Killer, NotLookedAt, Pod, Sender,
    SourceKind, Verdict,
};
use crate::judge::not_looked_at;
use crate::ledger::PastKill;
use crate::role::Role;

pub(crate) use accuse::Accusation;
pub use node::{LostBoot, node_lost};

/// What surrounds a case and is not in it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings<'a> {
    /// Index of the live source in the document.
    pub source: usize,
    /// Index of the kernel log in the document, and its path.
    pub log: Option<(usize, &'a str)>,
    /// Host name.
    pub node: Option<&'a str>,
    /// Boot id.
    pub boot_id: Option<&'a str>,
    /// Wall clock when CLOCK_BOOTTIME was 0.
    pub booted: Option<Timestamp>,
    /// Inode number of the machine's own pid namespace.
    pub host_pid_namespace: Option<u32>,
    /// Who sent the first signal.
    pub person: Option<Login>,
    /// The victim's container as its runtime describes it.
    pub container: Option<ContainerFacts>,
    /// The sender's, where it is another.
    pub sender_container: Option<ContainerFacts>,
    /// Earlier kills, oldest first.
    pub history: &'a [PastKill],
    /// Signals are seen on this machine (eBPF).
    pub signals_seen: bool,
    /// Signal and exit records that were lost so far.
    pub lost: u64,
}

/// Makes the incident of a case. Same arguments, same incident.
pub fn incident(case: &Case, around: &Surroundings<'_>) -> Incident {
    match &case.report {
        Some(report) => of_report(case, report, around),
        None => of_signal(case, around),
    }
}

fn of_report(
    case: &Case,
    report: &oom_report::report::OomReport,
    around: &Surroundings<'_>,
) -> Incident {
    let (source, path) = around
        .log
        .map_or((around.source, None), |(source, path)| (source, Some(path)));
    let place = around.container.as_ref().map(words::container);
    let context = Context {
        source,
        kind: SourceKind::Kmsg,
        path,
        place: place.as_deref(),
    };
    let completed = full::completed(report, case);
    let report = completed.as_ref().unwrap_or(report);
    let mut incident = assemble::incident(report, &context, around.history);
    let seen = case.kill.is_some();
    incident
        .verdict
        .evidence
        .extend(case.kill.as_deref().map(cite_signal));
    if !seen && around.signals_seen && !incident.victims.is_empty() && around.lost == 0 {
        // The log speaks of a kill that no tracepoint saw: an old one, or text that is not the kernel's.
        incident.verdict.confidence = incident.verdict.confidence.min(Confidence::Probable);
    }
    fill(&mut incident, around);
    incident.sender = case.kill.as_deref().map(|kill| sender(kill, around));
    findings::of_case(case, around, &mut incident);
    let named = around.container.as_ref();
    incident.verdict.not_looked_at.retain(|one| {
        !(case.kill.is_some() && one.what == not_looked_at::WRITER
            || named.is_some() && one.what == not_looked_at::CONTAINER
            || named.is_some_and(|facts| facts.pod_name.is_some())
                && one.what == not_looked_at::POD)
    });
    incident
}

fn of_signal(case: &Case, around: &Surroundings<'_>) -> Incident {
    let accusation = accuse::accuse(case, around);
    let first = case.first();
    let owner = first.map(CgroupOwner::of_process).unwrap_or_default();
    let boot_ns = case
        .kill
        .as_ref()
        .map(|kill| kill.boot_ns)
        .or(case.exits.first().map(|exit| exit.boot_ns));
    let time = boot_ns.zip(around.booted).and_then(|(boot_ns, booted)| {
        let since = SignedDuration::from_nanos(i64::try_from(boot_ns).ok()?);
        booted.checked_add(since).ok()
    });
    let mut incident = Incident {
        id: id(first, around.boot_id),
        time,
        time_assumed: false,
        boot_time_s: boot_ns.map(|ns| (ns / 1000) as f64 / 1e6),
        boot_id: around.boot_id.map(str::to_owned),
        node: around.node.map(str::to_owned),
        source: IncidentSource {
            kind: SourceKind::Ebpf,
            path: None,
            first_line: None,
            last_line: None,
            boot: None,
            complete: case.kill.is_some() && !case.exits.is_empty(),
            provenance: Provenance::Kernel,
        },
        verdict: Verdict {
            killer: accusation.killer,
            confidence: accusation.confidence,
            summary: words::summary(case, &accusation, around),
            evidence: evidence(case),
            ruled_out: accuse::ruled_out(case, &accusation, around),
            not_looked_at: not_looked_at(case, &accusation, &owner, around),
        },
        victims: victims::victims(case),
        container: assemble::container(&owner, first.map(|process| process.comm.as_str())),
        pod: assemble::pod(&owner),
        owner: owner
            .owner_in_words()
            .filter(|_| first.is_some_and(|process| process.cgroups.path().is_some())),
        sender: case.kill.as_deref().map(|kill| sender(kill, around)),
        ..Incident::empty()
    };
    fill(&mut incident, around);
    findings::of_case(case, around, &mut incident);
    incident.remedies = remedies::remedies(case, &accusation, &owner);
    incident
}

/// Made of what names the victim for the life of a boot: the same kill has the same id however often it is told.
fn id(process: Option<&Process>, boot_id: Option<&str>) -> String {
    let mut hash = Fnv::new();
    hash.text(boot_id.unwrap_or_default());
    hash.number(process.map(|process| u64::from(process.tgid)));
    hash.number(process.map(|process| process.start_boot_ns));
    hash.finish()
}

fn cite_signal(signal: &KillSignal) -> Cite {
    Cite::Signal {
        signal: Box::new(signal.clone()),
    }
}

fn evidence(case: &Case) -> Vec<Cite> {
    let asked = case.asked.as_deref().map(cite_signal);
    let kill = case.kill.as_deref().map(cite_signal);
    let first = case
        .first()
        .map(|process| (process.tgid, process.start_boot_ns));
    let exit = case
        .exits
        .iter()
        .find(|exit| Some((exit.process.tgid, exit.process.start_boot_ns)) == first)
        .map(|exit| Cite::Exit {
            exit: Box::new(exit.clone()),
        });
    let events = case.events.iter().map(|event| Cite::RuntimeEvent {
        runtime_event: Box::new(event.clone()),
    });
    asked
        .into_iter()
        .chain(kill)
        .chain(exit)
        .chain(events)
        .collect()
}

fn sender(kill: &KillSignal, around: &Surroundings<'_>) -> Sender {
    Sender {
        process: kill.sender.clone(),
        ancestors: kill.sender_ancestors.clone(),
        call: kill.call,
        person: around.person.clone(),
    }
}

/// Names, images and restarts from the runtime; node and boot from the machine.
fn fill(incident: &mut Incident, around: &Surroundings<'_>) {
    incident.node = incident.node.take().or(around.node.map(str::to_owned));
    incident.boot_id = incident
        .boot_id
        .take()
        .or(around.boot_id.map(str::to_owned));
    let Some(facts) = &around.container else {
        return;
    };
    let known = incident.container.take();
    incident.container = Some(Container {
        id: Some(facts.id.clone()),
        runtime: Some(facts.runtime.clone()),
        name: facts
            .name
            .clone()
            .or(known.as_ref().and_then(|known| known.name.clone())),
        image: facts.image.clone(),
        is_pause: facts.is_sandbox || known.is_some_and(|known| known.is_pause),
        restart_count: facts.restart_count,
    });
    if facts.pod_uid.is_some() || facts.pod_name.is_some() || incident.pod.is_some() {
        let known = incident.pod.take();
        incident.pod = Some(Pod {
            uid: facts
                .pod_uid
                .clone()
                .or(known.as_ref().and_then(|known| known.uid.clone())),
            namespace: facts.pod_namespace.clone(),
            name: facts.pod_name.clone(),
            qos_class: known.and_then(|known| known.qos_class),
            owner: None,
        });
    }
}

fn not_looked_at(
    case: &Case,
    accusation: &Accusation,
    owner: &CgroupOwner,
    around: &Surroundings<'_>,
) -> Vec<NotLookedAt> {
    let mut list = Vec::new();
    let mut add = |what: &str, why: &str, how_to: &str| {
        list.push(NotLookedAt {
            what: what.into(),
            why: why.into(),
            how_to: how_to.into(),
        });
    };
    if case.kill.is_none() && !around.signals_seen {
        add(
            "who sent the signal",
            "Signals are not seen here: eBPF could not be loaded, and nothing else on a machine records a sender.",
            "sudo whodunit watch",
        );
    }
    if accusation.by_exec && owner.kubernetes {
        add(
            "which user of the cluster opened the session",
            "A command that is run in a container through the API server carries no login: only the audit log of the API server names its user.",
            "kubectl get events -A; look for verb create, resource pods/exec in the API server's audit log",
        );
    }
    let asked_over_api = case.kill.as_deref().is_some_and(|kill| {
        let role = Role::of(&kill.sender);
        role == Some(Role::Runtime) && around.person.is_none() && kill.sender.login_uid.is_none()
    });
    if accusation.killer == Killer::Runtime && asked_over_api && !owner.kubernetes {
        add(
            "who asked the runtime for it",
            "A client of its API did (a person, a CI agent, a script), or it went by its own rules: the signal is the same, and the API carries no login.",
            "docker events --since 10m --until 0s; journalctl -u docker -u containerd --since '-10 min'",
        );
    }
    if owner.kubernetes
        && matches!(
            accusation.killer,
            Killer::Runtime | Killer::KubeletGracePeriod | Killer::Kubelet
        )
    {
        add(
            "what the kubelet had in mind",
            "The kubelet asks the runtime to stop a container for many reasons (deletion, failed probe, eviction, preemption, shutdown); the signal is the same.",
            "journalctl -u kubelet --since '-10 min'; kubectl get events -A --sort-by=.lastTimestamp",
        );
    }
    list
}

#[cfg(test)]
mod tests;
