//! What is true of a death that live sources saw, and matters. Added to those of a kernel report, if there is one.

use std::collections::BTreeMap;

use crate::cgroup_path::{CgroupOwner, Level};
use crate::fact::{Exit, KillSignal, Process};
use crate::gather::{Case, is_teardown};
use crate::incident::{Cite, Finding, Incident, Killer, Severity, Value};
use crate::role::passes_on_containers;
use crate::size::{human, percent};

use super::Surroundings;
use super::words::seconds;

pub(super) fn of_case(case: &Case, around: &Surroundings<'_>, incident: &mut Incident) {
    let mut found = Vec::new();
    asked(case, incident.verdict.killer, &mut found);
    first_process(case, around, incident, &mut found);
    went_along(case, &mut found);
    memory(case, &mut found);
    echoes(case, &mut found);
    not_gone(case, &mut found);
    lost(around, &mut found);
    incident.findings.extend(found);
    incident
        .findings
        .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
}

type Values = Vec<(&'static str, Value)>;

fn finding(
    code: &'static str,
    severity: Severity,
    title: String,
    detail: &str,
    values: Values,
    evidence: Vec<Cite>,
) -> Finding {
    Finding {
        code: code.into(),
        severity,
        title,
        detail: detail.into(),
        values: values
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect::<BTreeMap<_, _>>(),
        evidence,
    }
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn signal_field(signal: &KillSignal, field: &str, value: impl Into<String>) -> Cite {
    Cite::Object {
        object: format!(
            "signal {} to {} (pid {})",
            signal.signal, signal.target.comm, signal.target.tgid
        ),
        field: field.into(),
        value: value.into(),
    }
}

fn exit_field(exit: &Exit, field: &str, value: impl Into<String>) -> Cite {
    Cite::Object {
        object: format!("end of {} (pid {})", exit.process.comm, exit.process.tgid),
        field: field.into(),
        value: value.into(),
    }
}

/// A stop that overran its grace period, or none that was announced.
fn asked(case: &Case, killer: Killer, found: &mut Vec<Finding>) {
    let Some(kill) = case.kill.as_deref().filter(|kill| kill.signal == 9) else {
        return;
    };
    match case.asked.as_deref() {
        Some(asked) => {
            let ns = kill.boot_ns.saturating_sub(asked.boot_ns);
            found.push(finding(
                "graceful-stop-overran",
                Severity::Warning,
                format!(
                    "{} (pid {}) was asked to end {} before and did not",
                    kill.target.comm,
                    kill.target.tgid,
                    seconds(ns)
                ),
                "SIGTERM came first, SIGKILL when the grace period was over. The program does not handle SIGTERM, or takes longer \
                 than the grace period to end; a shell as pid 1 does not pass the signal on.",
                vec![("after_ms", integer(ns / 1_000_000))],
                vec![
                    signal_field(asked, "boot_ns", asked.boot_ns.to_string()),
                    signal_field(kill, "boot_ns", kill.boot_ns.to_string()),
                ],
            ));
        }
        None if killer == Killer::Runtime => found.push(finding(
            "killed-without-warning",
            Severity::Notice,
            format!("{} (pid {}) was not asked to end first", kill.target.comm, kill.target.tgid),
            "No SIGTERM was seen before the SIGKILL: an abrupt kill, a grace period of 0, or a forced removal.",
            Vec::new(),
            vec![signal_field(kill, "sender.exe", kill.sender.exe.as_deref().unwrap_or("?"))],
        )),
        None => {}
    }
}

/// Pid 1 of a container, or a child of it that nothing outside notices. What a report's table let guess of it gives way.
fn first_process(
    case: &Case,
    around: &Surroundings<'_>,
    incident: &mut Incident,
    found: &mut Vec<Finding>,
) {
    let Some(kill) = case.kill.as_deref() else {
        return;
    };
    let target = &kill.target;
    let in_container = CgroupOwner::of_process(target).level == Level::Container;
    let Some(is_first) = is_first_process(kill, around).filter(|_| in_container) else {
        return;
    };
    let followed = first_process_followed(case, target, around).filter(|_| !is_first);
    let code = match (is_first, followed) {
        (true, _) => "first-process-killed",
        (false, Some(_)) => "first-process-followed",
        (false, None) => "child-killed",
    };
    if incident.findings.iter().any(|finding| finding.code == code) {
        return;
    }
    incident
        .findings
        .retain(|finding| !matches!(&*finding.code, "first-process-killed" | "child-killed"));
    if code != "child-killed" {
        incident
            .remedies
            .retain(|remedy| remedy.code != "notice-dead-children");
    }
    let number = target
        .namespaced_tgid
        .filter(|_| target.pid_namespace != around.host_pid_namespace);
    let inside = number
        .filter(|number| *number != 1)
        .map(|number| format!(", {number} in the container"))
        .unwrap_or_default();
    let name = format!("{} (pid {}{inside})", target.comm, target.tgid);
    let (severity, title, detail) = match followed {
        _ if is_first => (
            Severity::Notice,
            format!("{name} was the container's first process: the container ended with it"),
            "A container ends with its first process; its exit code is 137 (128 + SIGKILL).",
        ),
        Some(first) => (
            Severity::Notice,
            format!(
                "{name} was not the container's first process, but that one, {} (pid {}), ended with it",
                first.comm, first.tgid
            ),
            "The container ended: its first process waits for its child and gives the child's end as its own (a shell, an init \
             such as tini).",
        ),
        None => (
            Severity::Warning,
            format!("{name} was not the container's first process"),
            "While its first process lives the container runs on: no restart, and nothing that the kubelet would show. What died \
             inside is for the application to notice.",
        ),
    };
    let pid_name = if is_first { "first_pid" } else { "victim_pid" };
    let pid = (pid_name, integer(u64::from(target.tgid)));
    let of_namespace = number.map(|number| ("namespaced_pid", integer(u64::from(number))));
    let evidence = match number {
        Some(number) => signal_field(kill, "target.namespaced_tgid", number.to_string()),
        None => signal_field(kill, "target.tgid", target.tgid.to_string()),
    };
    let values = [pid].into_iter().chain(of_namespace).collect();
    found.push(finding(
        code,
        severity,
        title,
        detail,
        values,
        vec![evidence],
    ));
}

/// Whether the target of a signal was its container's first process; none when nothing shows it.
fn is_first_process(kill: &KillSignal, around: &Surroundings<'_>) -> Option<bool> {
    let target = &kill.target;
    if let Some(init_pid) = around.container.as_ref().and_then(|facts| facts.init_pid) {
        return Some(target.tgid == init_pid);
    }
    let has_namespace = target.pid_namespace != around.host_pid_namespace;
    if has_namespace && target.namespaced_tgid == Some(1) {
        return Some(true);
    }
    // In a pid namespace that is another's or the machine's the first process has a number like any other.
    let container = |path: Option<&str>| CgroupOwner::of(path?).container_id;
    let parent = kill.target_ancestors.first()?;
    let has_parent_inside = container(parent.cgroup.as_deref()) == container(target.cgroups.path());
    has_parent_inside.then_some(false)
}

/// The container's first process, when it is known to have ended because of its child's end.
fn first_process_followed<'a>(
    case: &'a Case,
    target: &Process,
    around: &Surroundings<'_>,
) -> Option<&'a Process> {
    let init_pid = around.container.as_ref().and_then(|facts| facts.init_pid);
    let ended = case
        .exits
        .iter()
        .chain(&case.echoes)
        .map(|exit| &exit.process);
    ended.into_iter().find(|process| match init_pid {
        Some(pid) => process.tgid == pid,
        None => {
            process.namespaced_tgid == Some(1)
                && process.pid_namespace == target.pid_namespace
                && process.pid_namespace != around.host_pid_namespace
        }
    })
}

/// Others that the same decision took along.
fn went_along(case: &Case, found: &mut Vec<Finding>) {
    let Some(kill) = case.kill.as_deref() else {
        return;
    };
    let mut others: Vec<&KillSignal> = Vec::new();
    for other in &case.others {
        // A report names its own victims, but not those whom the end of a pid namespace's init took along afterwards.
        let new = (case.report.is_none() || is_teardown(other))
            && other.target.tgid != kill.target.tgid
            && !others
                .iter()
                .any(|one| one.target.tgid == other.target.tgid);
        if new {
            others.push(other);
        }
    }
    if others.is_empty() {
        return;
    }
    let names: Vec<String> = others
        .iter()
        .take(3)
        .map(|other| format!("{} (pid {})", other.target.comm, other.target.tgid))
        .collect();
    let more = match others.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    found.push(finding(
        "went-along",
        Severity::Info,
        format!(
            "{} other {} went with it: {}{more}",
            others.len(),
            if others.len() == 1 { "process" } else { "processes" },
            names.join(", ")
        ),
        if case.kill.as_ref().is_some_and(|kill| kill.kill_pid.is_some_and(|pid| pid <= 0)) {
            "One call of kill(2) named them all: a process group, or every process."
        } else {
            "They did nothing: their deaths belong to the same decision (the end of their pid namespace's first process, their \
             process group, their cgroup, or their container)."
        },
        vec![("others", integer(others.len() as u64))],
        others
            .iter()
            .take(3)
            .map(|other| signal_field(other, "sender", format!("{} (pid {})", other.sender.comm, other.sender.tgid)))
            .collect(),
    ));
}

/// How far the cgroup was from its limit: most people ask first whether it was memory.
fn memory(case: &Case, found: &mut Vec<Finding>) {
    let Some(kill) = case
        .kill
        .as_deref()
        .filter(|_| case.report.is_none() && case.marks.is_empty())
    else {
        return;
    };
    let (Some(usage), Some(limit)) = (kill.memory.memcg_usage_kib, kill.memory.memcg_limit_kib)
    else {
        return;
    };
    let share = percent(usage, limit);
    if share < 90 {
        found.push(finding(
            "memory-was-not-short",
            Severity::Info,
            format!("It was not memory: its cgroup used {} of {} ({share} %)", human(usage), human(limit)),
            "The counter and the limit of the victim's own memory cgroup at the moment of the signal.",
            vec![("usage_kib", integer(usage)), ("limit_kib", integer(limit)), ("percent", integer(share))],
            vec![
                signal_field(kill, "memory.memcg_usage_kib", usage.to_string()),
                signal_field(kill, "memory.memcg_limit_kib", limit.to_string()),
            ],
        ));
    } else {
        found.push(finding(
            "near-the-limit",
            Severity::Notice,
            format!(
                "Its cgroup stood near its memory limit: {} of {} ({share} %)",
                human(usage),
                human(limit)
            ),
            "This kill was not the OOM killer's, but the next might be.",
            vec![
                ("usage_kib", integer(usage)),
                ("limit_kib", integer(limit)),
                ("percent", integer(share)),
            ],
            vec![signal_field(
                kill,
                "memory.memcg_usage_kib",
                usage.to_string(),
            )],
        ));
    }
}

fn echoes(case: &Case, found: &mut Vec<Finding>) {
    let Some(echo) = case.echoes.first() else {
        return;
    };
    let of_client = passes_on_containers(&echo.process);
    let (how, detail, cite) = match echo.signal().is_some() {
        _ if of_client => (
            "ended with 137",
            "A client of a container runtime gives the exit status of the container that it started as its own: nobody killed \
             the client.",
            exit_field(echo, "exit_status", "137"),
        ),
        true => (
            "ended itself with SIGKILL",
            "Programs that run another one (timeout, sudo, unshare) end themselves by the signal that ended it: nobody \
             killed them.",
            exit_field(echo, "signal", "9"),
        ),
        false => (
            "ended with 137",
            "A shell gives its child's 128 + 9 as its own exit status: nobody killed the shell.",
            exit_field(echo, "exit_status", "137"),
        ),
    };
    found.push(finding(
        "exit-code-passed-on",
        Severity::Info,
        format!(
            "{} (pid {}) {how} because its {} had been killed",
            echo.process.comm,
            echo.process.tgid,
            if of_client { "container" } else { "child" }
        ),
        detail,
        vec![("pid", integer(u64::from(echo.process.tgid)))],
        vec![cite],
    ));
}

fn not_gone(case: &Case, found: &mut Vec<Finding>) {
    let Some(kill) = case.kill.as_deref().filter(|_| case.exits.is_empty()) else {
        return;
    };
    found.push(finding(
        "not-gone-yet",
        Severity::Info,
        format!(
            "{} (pid {}) had not ended when this was told",
            kill.target.comm, kill.target.tgid
        ),
        "A process that holds much memory, or waits for a device, takes its time to end.",
        Vec::new(),
        vec![signal_field(kill, "boot_ns", kill.boot_ns.to_string())],
    ));
}

fn lost(around: &Surroundings<'_>, found: &mut Vec<Finding>) {
    if around.lost > 0 {
        found.push(finding(
            "records-lost",
            Severity::Notice,
            format!("{} records of signals and exits were lost before this", around.lost),
            "The buffer between the kernel and this program was full: something may be missing here.",
            vec![("lost", integer(around.lost))],
            Vec::new(),
        ));
    }
}
