//! What is true of a death that live sources saw, and matters. Added to those of a kernel report, if there is one.

use std::collections::BTreeMap;

use crate::cgroup_path::{CgroupOwner, Level};
use crate::fact::{Exit, KillSignal};
use crate::gather::{Case, is_teardown};
use crate::incident::{Cite, Finding, Incident, Killer, Severity, Value};
use crate::size::{human, percent};

use super::Surroundings;
use super::words::seconds;

pub(super) fn of_case(case: &Case, around: &Surroundings<'_>, incident: &mut Incident) {
    let mut found = Vec::new();
    asked(case, incident.verdict.killer, &mut found);
    first_process(case, incident, &mut found);
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

/// Pid 1 of a container, or a child of it that nothing outside notices.
fn first_process(case: &Case, incident: &Incident, found: &mut Vec<Finding>) {
    let Some(kill) = case.kill.as_deref() else {
        return;
    };
    let target = &kill.target;
    let in_container = target
        .cgroups
        .path()
        .is_some_and(|path| CgroupOwner::of(path).level == Level::Container);
    let told = |code: &str| incident.findings.iter().any(|finding| finding.code == code);
    let Some(number) = target.namespaced_tgid.filter(|_| in_container) else {
        return;
    };
    if number == 1 && !told("first-process-killed") {
        found.push(finding(
            "first-process-killed",
            Severity::Notice,
            format!(
                "{} (pid {}) was the container's first process: the container ended with it",
                target.comm, target.tgid
            ),
            "A container ends with its first process; its exit code is 137 (128 + SIGKILL).",
            vec![("first_pid", integer(u64::from(target.tgid)))],
            vec![signal_field(kill, "target.namespaced_tgid", "1")],
        ));
    } else if number != 1 && !told("child-killed") && !told("first-process-killed") {
        found.push(finding(
            "child-killed",
            Severity::Warning,
            format!("{} (pid {}, {number} in the container) was not the container's first process", target.comm, target.tgid),
            "While its first process lives the container runs on: no restart, and nothing that the kubelet would show. What died \
             inside is for the application to notice.",
            vec![("victim_pid", integer(u64::from(target.tgid))), ("namespaced_pid", integer(u64::from(number)))],
            vec![signal_field(kill, "target.namespaced_tgid", number.to_string())],
        ));
    }
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
    let by_signal = echo.signal().is_some();
    let (how, detail, cite) = match by_signal {
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
            "{} (pid {}) {how} because its child had been killed",
            echo.process.comm, echo.process.tgid
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
