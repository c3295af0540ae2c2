//! What else the kernel did: a whole group killed, nobody killed, a panic, a reaper that gave up, sysrq-f.

use oom_report::report::{LineIndex, Outcome, Scope};

use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::human;

use super::{finding, name_some};

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    group_kill(scene, found);
    shared_memory(scene, found);
    nobody(scene, found);
    reaper(scene, found);
    sysrq(scene, found);
}

fn group_kill(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if !scene.is_group_kill() {
        return;
    }
    let victims = &scene.victims;
    let memcg = scene.report.memcg.as_ref();
    let group = memcg.and_then(|memcg| memcg.group_path.as_deref());
    let others = || {
        victims
            .iter()
            .filter(|victim| scene.victim.is_none_or(|first| first.pid != victim.pid))
    };
    let others: Vec<_> = others().collect();
    let along = match others.is_empty() {
        true => "No other process was in the group.".to_owned(),
        false => format!(
            "Chosen was one; {} went along as members of its cgroup: {}.",
            others.len(),
            name_some(
                others
                    .iter()
                    .map(|victim| (victim.comm.as_str(), victim.pid))
            )
        ),
    };
    let in_kubernetes = scene.victim_owner.kubernetes || scene.limit_owner.kubernetes;
    // kubernetes/kubernetes#117793 (1.28), #126096 (1.32); systemd.service(5), OOMPolicy= (243).
    let set_by = match in_kubernetes {
        true => {
            "The kubelet sets memory.oom.group for containers on cgroup v2 since Kubernetes 1.28; singleProcessOOMKill in its \
             configuration (1.32) turns that off."
        }
        false => {
            "systemd sets memory.oom.group for units with OOMPolicy=kill; container runtimes set it when asked to."
        }
    };
    let mut draft = finding(
        "group-kill",
        Severity::Warning,
        format!(
            "memory.oom.group is set: the whole cgroup was killed, {} {}",
            victims.len(),
            if victims.len() == 1 {
                "process"
            } else {
                "processes"
            }
        ),
        format!("{along} {set_by}"),
    )
    .number("victims", victims.len() as u64);
    if let Some(group) = group {
        draft = draft.text("group", group);
    }
    found.push(draft.cite(
        scene,
        [memcg.and_then(|memcg| memcg.group_line), scene.kill_line()],
    ));
}

fn shared_memory(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let sharing: Vec<_> = scene
        .report
        .victims
        .iter()
        .filter(|victim| victim.shares_memory)
        .collect();
    let Some(first) = sharing.first() else { return };
    found.push(
        finding(
            "shared-memory-killed",
            Severity::Notice,
            format!("{} more died because they share the victim's address space", sharing.len()),
            format!(
                "{}. Processes that share one memory (clone with CLONE_VM) go together: nothing is freed while one of them lives.",
                name_some(sharing.iter().map(|victim| (victim.comm.as_str(), victim.pid)))
            ),
        )
        .number("sharing", sharing.len() as u64)
        .cite(scene, [first.lines.first().copied()]),
    );
}

fn line_of(scene: &Scene<'_>, wanted: Outcome) -> Option<LineIndex> {
    scene
        .report
        .outcomes
        .iter()
        .find(|(outcome, _)| *outcome == wanted)
        .map(|(_, line)| *line)
}

fn nobody(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let table: &[(Outcome, &str, Severity, &str, &str)] = &[
        (
            Outcome::Panic,
            "panic",
            Severity::Critical,
            "The machine stopped: kernel panic on out of memory",
            "Everything on this machine ended, whatever its own use.",
        ),
        (
            Outcome::NoKillableProcesses,
            "no-killable-process",
            Severity::Critical,
            "The kernel found no process that it may kill",
            "All are exempt (oom_score_adj -1000), kernel threads, or dying already. In a cgroup the charge fails or waits; on the \
             machine the kernel panics.",
        ),
        (
            Outcome::Deadlocked,
            "memory-deadlock",
            Severity::Critical,
            "The machine stopped: kernel panic, deadlocked on memory",
            "No memory was free and no process could be killed: everything on this machine ended.",
        ),
        (
            Outcome::SysrqIgnored,
            "sysrq-ignored",
            Severity::Notice,
            "sysrq-f found no process to kill",
            "Somebody asked for an OOM kill; no task was eligible.",
        ),
        (
            Outcome::KillerDisabled,
            "oom-killer-disabled",
            Severity::Warning,
            "The OOM killer was disabled when it was needed",
            "It is disabled while the machine suspends, and for a v1 cgroup with oom_kill_disable: tasks wait instead.",
        ),
    ];
    for (outcome, code, severity, title, detail) in table {
        if let Some(line) = line_of(scene, *outcome) {
            let why = match outcome {
                Outcome::Panic => why_panic(scene, line),
                _ => "",
            };
            let detail = format!("{detail}{why}");
            found.push(finding(code, *severity, *title, detail).cite(scene, [Some(line)]));
        }
    }
}

/// Source: `check_panic_on_oom` and `out_of_memory`, mm/oom_kill.c: the panic's own text says which of the two it was.
fn why_panic(scene: &Scene<'_>, line: LineIndex) -> &'static str {
    let text = scene.report.text.get(line).map_or("", |(_, text)| text);
    if text.contains("panic_on_oom") {
        " vm.panic_on_oom is set: the kernel did not look for a process to kill."
    } else if scene.found_nobody() {
        " Nothing was left that it may kill."
    } else {
        " Either vm.panic_on_oom is set, or nothing was left to kill."
    }
}

fn reaper(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let failed = scene
        .report
        .victims
        .iter()
        .find(|victim| victim.reap_failed);
    let line = line_of(scene, Outcome::ReapFailed);
    if failed.is_some() || line.is_some() {
        let who = failed
            .map(|victim| format!(" of {} (pid {})", victim.comm, victim.pid))
            .unwrap_or_default();
        let held = failed.and_then(|victim| victim.anon_rss_kib);
        found.push(
            finding(
                "reaper-failed",
                Severity::Warning,
                format!("The memory{who} could not be taken back at once (oom_reaper gave up)"),
                "The victim hangs in the kernel and holds its memory until it gets to die: more kills may follow, and a container that \
                 will not go away.",
            )
            .number("anon_rss_kib", held)
            .cite(scene, [line, failed.and_then(|victim| victim.lines.last().copied())]),
        );
    }
    // What is left after reaping is locked, shared or huge memory that the reaper skips.
    for victim in &scene.victims {
        let (Some(reaped), Some(before)) = (victim.reaped, victim.anon_rss_kib) else {
            continue;
        };
        if reaped.anon_rss_kib > 4096 && reaped.anon_rss_kib.saturating_mul(5) > before {
            found.push(
                finding(
                    "reaper-left-memory",
                    Severity::Notice,
                    format!(
                        "{} of {} (pid {}) was still there after the reaper",
                        human(reaped.anon_rss_kib),
                        victim.comm,
                        victim.pid
                    ),
                    "The reaper skips locked and hugetlb memory and whatever another thread holds; it goes when the process ends.",
                )
                .number("left_anon_kib", reaped.anon_rss_kib)
                .number("anon_rss_kib", before)
                .cite(scene, [victim.lines.last().copied()]),
            );
        }
    }
}

fn sysrq(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if scene.report.scope != Some(Scope::Sysrq) {
        return;
    }
    found.push(
        finding(
            "sysrq-asked",
            Severity::Warning,
            "A person or a program asked for this kill with sysrq-f",
            "Alt-SysRq-f on a console, or f written to /proc/sysrq-trigger. Memory need not have been short at all; the kernel chose \
             the process by its usual formula over the whole machine. The log does not say who asked.",
        )
        .cite(
            scene,
            [
                scene.report.sysrq_line,
                scene.report.trigger.as_ref().and_then(|trigger| trigger.line),
                scene.kill_line(),
            ],
        ),
    );
}
