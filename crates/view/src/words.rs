//! Names and short sentences that several views share.

use std::borrow::Cow;

use oom_report::report::{Doubt, Missing, Provenance, Scope};
use whodunit_case::incident::{
    Cite, Confidence, Incident, Killer, Severity, SourceKind, VictimInfo,
};
use whodunit_case::role::{Duty, duty};
use whodunit_case::size::human;

use crate::escape::visible;
use crate::live_words::{event, exit, signal, signal_name};

/// The killer in a few words.
pub(crate) fn killer(killer: Killer) -> &'static str {
    match killer {
        Killer::KernelMemcgContainer => "kernel, container's memory limit",
        Killer::KernelMemcgPod => "kernel, pod's memory limit",
        Killer::KernelMemcgAncestor => "kernel, memory limit above the pod or container",
        Killer::KernelMemcg => "kernel, a memory cgroup's limit",
        Killer::KernelGroupKill => "kernel, whole group (memory.oom.group)",
        Killer::KernelGlobal => "kernel, machine out of memory",
        Killer::KernelCpuset => "kernel, nodes of a cpuset out of memory",
        Killer::KernelMempolicy => "kernel, nodes of a memory policy out of memory",
        Killer::KernelSysrq => "kernel, asked by sysrq-f",
        Killer::KernelPidnsExit => "kernel, pid namespace ended",
        Killer::KernelCgroupKill => "kernel, cgroup.kill",
        Killer::KernelRlimitCpu => "kernel, CPU time limit",
        Killer::KernelHwpoison => "kernel, memory hardware error",
        Killer::KernelExecOrCoredump => "kernel, exec or core dump of a sibling thread",
        Killer::KernelPtraceExitkill => "kernel, tracer ended",
        Killer::DaemonSystemdOomd => "systemd-oomd",
        Killer::DaemonEarlyoom => "earlyoom",
        Killer::DaemonOther => "another program of this machine",
        Killer::KubeletEviction => "kubelet, eviction",
        Killer::KubeletProbe => "kubelet, failed probe",
        Killer::KubeletGracePeriod => "kubelet, grace period over",
        Killer::KubeletPreemption => "kubelet, preemption",
        Killer::KubeletNodeShutdown => "kubelet, node shutdown",
        Killer::Kubelet => "kubelet",
        Killer::Runtime => "container runtime",
        Killer::Person => "a person",
        Killer::ApplicationParent => "the application's own supervisor",
        Killer::ApplicationSelf => "the application itself",
        Killer::NodeLost => "node lost",
        Killer::Unknown => "unknown",
    }
}

/// The same of an incident, which knows the program.
pub(crate) fn killer_of(incident: &Incident) -> &'static str {
    let duty = incident.sender.as_ref().map(|sender| duty(&sender.process));
    match (incident.verdict.killer, duty) {
        (Killer::DaemonOther, Some(Duty::MemoryDaemon)) => "memory daemon",
        (Killer::Runtime, Some(Duty::ServiceManager)) => "service manager",
        (other, _) => killer(other),
    }
}

/// The contract's code.
pub(crate) fn code(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(code)) => code,
        _ => String::new(),
    }
}

pub(crate) fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Probable => "probable",
        Confidence::Possible => "possible",
        Confidence::Unknown => "unknown",
    }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
        Severity::Info => "info",
    }
}

pub(crate) fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Kernel => "written by the kernel",
        Provenance::KernelTag => "tagged as the kernel's",
        Provenance::Unverified => "the form does not show who wrote it",
    }
}

pub(crate) fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Memcg => "memory cgroup",
        Scope::Global => "whole machine",
        Scope::Cpuset => "cpuset",
        Scope::Mempolicy => "memory policy",
        Scope::Sysrq => "sysrq-f",
    }
}

pub(crate) fn missing(missing: Missing) -> &'static str {
    match missing {
        Missing::Header => "the header (who asked for memory)",
        Missing::CpuLine => "the CPU line (pid of who asked, kernel release)",
        Missing::Stack => "the call trace",
        Missing::MemcgUsage => "the cgroup's usage and limit",
        Missing::MemcgStats => "the cgroup's statistics",
        Missing::MemInfo => "the machine's memory",
        Missing::TaskTable => "the task table",
        Missing::Constraint => "the line that names the cgroups",
        Missing::KillLine => "the kill line",
    }
}

pub(crate) fn doubt(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Interleaved => {
            "two reports ran into each other; facts that could be either's were left out"
        }
        Doubt::LinesLost => "lines were dropped by a rate limit or a full buffer",
        Doubt::LineCut => "a line is cut short",
        Doubt::KernelBug => {
            "this kernel version prints a wrong constraint; it was corrected from the rest of its line"
        }
        Doubt::TriggerMismatch => "the header's process name was cut; the CPU line's was taken",
        Doubt::TableHeaderMissing => {
            "the task table's header is lost; columns were told by their number"
        }
    }
}

/// `app (pid 812)`
pub(crate) fn process(comm: &str, pid: u32) -> String {
    format!("{} (pid {pid})", visible(comm))
}

/// What was resident of a victim, and its virtual size.
pub(crate) fn victim_sizes(victim: &VictimInfo) -> String {
    let named = [
        ("anonymous", victim.anon_rss_kib),
        ("file", victim.file_rss_kib),
        ("shmem", victim.shmem_rss_kib),
        ("page tables", victim.pgtables_kib),
        ("virtual", victim.total_vm_kib),
    ];
    let parts: Vec<String> = named
        .iter()
        .filter_map(|(name, kib)| kib.map(|kib| format!("{name} {}", human(kib))))
        .collect();
    if parts.is_empty() {
        "sizes not in the log".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Where the first victim lived, in a few words.
pub(crate) fn whereabouts(incident: &Incident) -> Option<String> {
    let pod = incident.pod.as_ref().map(|pod| {
        let name = match (&pod.namespace, &pod.name, &pod.uid) {
            (Some(namespace), Some(name), _) => format!("{namespace}/{name}"),
            (None, Some(name), _) => name.clone(),
            (_, None, Some(uid)) => uid.clone(),
            (_, None, None) => "unknown".to_owned(),
        };
        match pod.qos_class {
            Some(qos) => format!("pod {} ({qos:?})", visible(&name)),
            None => format!("pod {}", visible(&name)),
        }
    });
    let container = incident.container.as_ref().map(|container| {
        let id = container.id.as_deref().map(|id| id.get(..12).unwrap_or(id));
        let name = container.name.as_deref().or(id).unwrap_or("unknown");
        match &container.runtime {
            Some(runtime) => format!("container {} ({})", visible(name), visible(runtime)),
            None => format!("container {}", visible(name)),
        }
    });
    match (container, pod) {
        (Some(container), Some(pod)) => Some(format!("{container} of {pod}")),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (None, None) => incident
            .owner
            .as_deref()
            .map(|owner| visible(owner).into_owned()),
    }
}

/// A source without a path.
fn kind(kind: SourceKind) -> String {
    match kind {
        SourceKind::Ebpf => "the kernel's tracepoints".to_owned(),
        other => code(other),
    }
}

/// `kern.log:120-198`
pub(crate) fn place(incident: &Incident) -> String {
    let source = &incident.source;
    let path = source
        .path
        .as_deref()
        .map_or_else(|| kind(source.kind), |path| visible(path).into_owned());
    match (source.first_line, source.last_line) {
        (Some(first), Some(last)) if first != last => format!("{path}:{first}-{last}"),
        (Some(first), _) => format!("{path}:{first}"),
        _ => path,
    }
}

/// Wall clock, else seconds since boot.
pub(crate) fn when(incident: &Incident) -> String {
    match (incident.time, incident.boot_time_s) {
        (Some(time), _) if incident.time_assumed => format!("{time} (year or zone assumed)"),
        (Some(time), _) => time.to_string(),
        (None, Some(seconds)) => match incident.source.boot {
            Some(boot) if boot > 1 => format!("{seconds:.6} s after boot {boot} of this log"),
            _ => format!("{seconds:.6} s after boot"),
        },
        (None, None) => "time not in the log".to_owned(),
    }
}

/// A citation: its place, and what stands there.
pub(crate) fn cite(cite: &Cite) -> (String, Cow<'_, str>) {
    match cite {
        Cite::Line { line, text, .. } => (line.to_string(), text.into()),
        Cite::File { file, field, value } => (
            format!("{} {}", visible(file), visible(field)),
            value.into(),
        ),
        Cite::Object {
            object,
            field,
            value,
        } => (
            format!("{} {}", visible(object), visible(field)),
            value.into(),
        ),
        Cite::Signal { signal: seen } => {
            (signal_name(seen.signal).into_owned(), signal(seen).into())
        }
        Cite::Exit { exit: seen } => ("exit".to_owned(), exit(seen).into()),
        Cite::RuntimeEvent { runtime_event } => (
            visible(&runtime_event.runtime).into_owned(),
            event(runtime_event).into(),
        ),
    }
}
