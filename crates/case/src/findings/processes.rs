//! Who else lived in the container: the first process that survived its child, the sandbox, threads that
//! share one memory.

use oom_report::report::{Task, Victim};

use crate::cgroup_path::Level;
use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::{human, percent};
use crate::usage::Whole;

use super::{finding, name_some};

/// A pause process has some hundred KiB resident; older ones, statically linked, less.
const PAUSE_KIB: u64 = 2048;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    first_process(scene, found);
    threads(scene, found);
    of_one_name(scene, found);
    pause(scene, found);
    starting(scene, found);
}

/// runc's process inside a container, before it becomes the command (libcontainer/nsenter/nsexec.c: `runc:[0:PARENT]`,
/// `runc:[1:CHILD]`, `runc:[2:INIT]`).
fn starting(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(victim) = scene
        .victim
        .filter(|victim| victim.comm.starts_with("runc:[") && scene.is_memcg())
    else {
        return;
    };
    // Commands of probes and `exec` start in the same way, in a container that runs.
    let alone = scene.processes.iter().all(|task| scene.is_victim(task));
    let (title, what) = match alone && !scene.processes.is_empty() {
        true => (
            "The container was killed while it was being started",
            "it became the application. The application never ran: the limit does not even hold what the runtime needs to start it, \
             some MiB. Look at its unit: in Kubernetes 128m is an eighth of a byte, 128Mi are 128 MiB.",
        ),
        false => (
            "What was killed was the runtime's own process, about to start a command in the container",
            "it became the command: the container's first one, or that of a probe or an exec in a container that was already full.",
        ),
    };
    found.push(
        finding(
            "killed-at-start",
            Severity::Warning,
            title,
            format!(
                "{} is runc itself inside the container, before {what}",
                victim.comm
            ),
        )
        .number("victim_pid", u64::from(victim.pid))
        .number("limit_kib", scene.limit_hit().1)
        .cite(scene, [scene.kill_line()]),
    );
}

/// Whether the first process of the container died. Only for a container's own limit: then the table lists this
/// container's processes and no others.
fn first_process(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let own_limit = scene.is_memcg()
        && scene.limit_owner.level == Level::Container
        && !scene.limit_of_outer_container()
        && !scene.limit_owner.below_container
        && !scene.victim_owner.below_container;
    let (Some(victim), true) = (
        scene.victim.filter(|victim| !scene.only_announced(victim)),
        own_limit,
    ) else {
        return;
    };
    // Lowest pid: the process that was there first, unless pids wrapped round in between.
    let Some(first) = scene.processes.iter().min_by_key(|task| task.tgid) else {
        return;
    };
    let table_agrees = scene
        .processes
        .first()
        .is_some_and(|row| row.tgid == first.tgid);
    let lived: Vec<&&Task> = scene
        .processes
        .iter()
        .filter(|task| !scene.is_victim(task))
        .collect();
    if scene.is_victim(first) {
        if !table_agrees && !scene.is_group_kill() {
            return;
        }
        found.push(
            finding(
                "first-process-killed",
                Severity::Notice,
                format!("{} (pid {}) is the container's first process: the container ended with it", first.comm, first.pid),
                "A container ends with its first process; its exit code is 137 (128 + SIGKILL), and the runtime reports OOMKilled \
                 when it saw the cgroup's event.",
            )
            .number("first_pid", u64::from(first.pid))
            .text("first_comm", first.comm.as_str())
            .number("processes", scene.processes.len() as u64)
            .cite(scene, [Some(first.line), scene.kill_line()]),
        );
        return;
    }
    if scene.is_group_kill() {
        return;
    }
    let sure = if table_agrees {
        ""
    } else {
        " (most likely: the order of the table and the pids disagree)"
    };
    found.push(
        finding(
            "child-killed",
            Severity::Warning,
            format!(
                "Only {} (pid {}) was killed: the container's first process {} (pid {}) lived on{sure}",
                victim.comm, victim.pid, first.comm, first.pid
            ),
            format!(
                "{} of the container's {} processes in the table {} not killed: {}. While its first process lives the container \
                 runs on{}. What died inside is for the application to notice.",
                lived.len(),
                scene.processes.len(),
                if lived.len() == 1 { "was" } else { "were" },
                name_some(lived.iter().map(|task| (task.comm.as_str(), task.pid))),
                match scene.victim_owner.kubernetes {
                    true => ": no restart, no OOMKilled in the pod's status, and nothing that the kubelet would show",
                    false => ", and no restart policy acts",
                }
            ),
        )
        .number("first_pid", u64::from(first.pid))
        .text("first_comm", first.comm.as_str())
        .number("victim_pid", u64::from(victim.pid))
        .number("lived", lived.len() as u64)
        .cite(scene, [scene.kill_line(), Some(first.line)]),
    );
}

/// Kernels before 5.3 list the threads of a cgroup, each with the memory of the whole process.
fn threads(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let rows = scene.report.tasks.len();
    let processes = scene.processes.len();
    if rows == processes {
        return;
    }
    let thread = scene.report.tasks.iter().find(|task| task.pid != task.tgid);
    found.push(
        finding(
            "threads-listed",
            Severity::Info,
            format!("The table's {rows} rows are {processes} processes: threads of one process show the same memory"),
            "Rows with the same tgid share one address space. Adding up their rss counts it several times.",
        )
        .number("rows", rows as u64)
        .number("processes", processes as u64)
        .cite(scene, [thread.map(|task| task.line)]),
    );
}

/// Why so small a process died, as far as the table shows.
fn why_the_sandbox(scene: &Scene<'_>, victim: &Victim) -> String {
    let Some(row) = scene.victim_task else {
        return ": the log does not hold the table that would show why it was chosen.".to_owned();
    };
    if scene.is_group_kill() {
        return ": its whole cgroup was killed.".to_owned();
    }
    let larger = scene
        .processes
        .iter()
        .filter(|task| task.pid != victim.pid && task.oom_score_adj == row.oom_score_adj)
        .max_by_key(|task| scene.weight_pages(task));
    match larger {
        Some(task) if scene.weight_pages(task) > scene.weight_pages(row) => format!(
            ", and {} (pid {}) with the same oom_score_adj {} held {}. Kernels before 5.9 count all whom oom_score_adj puts below \
             zero as equals: whoever they meet first dies.",
            task.comm,
            task.pid,
            task.oom_score_adj,
            scene
                .kib(scene.weight_pages(task))
                .map(human)
                .unwrap_or_default()
        ),
        _ => "; no other process was more killable.".to_owned(),
    }
}

/// Processes of one name that hold a large part together, each of them small.
fn of_one_name(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(split) = scene.split.as_ref() else {
        return;
    };
    let anonymous_only = scene
        .processes
        .iter()
        .all(|task| task.rss_anon_pages.is_some());
    // Without the split by kind, what they share is counted for each of them.
    let held = |task: &Task| match task.rss_anon_pages {
        Some(pages) if anonymous_only => pages.saturating_add(task.swapents_pages.unwrap_or(0)),
        _ => scene.weight_pages(task),
    };
    let mut named: Vec<(&str, u64)> = scene
        .processes
        .iter()
        .map(|task| (task.comm.as_str(), held(task)))
        .collect();
    named.sort_unstable();
    let groups = named.chunk_by(|a, b| a.0 == b.0).map(|group| {
        let pages = group
            .iter()
            .map(|(_, pages)| *pages)
            .fold(0, u64::saturating_add);
        (
            pages,
            group.len(),
            group.first().map_or("", |(name, _)| *name),
        )
    });
    let Some((pages, count, name)) = groups.filter(|(_, count, _)| *count >= 3).max() else {
        return;
    };
    let (Some(together), Some(largest)) = (
        scene.kib(pages),
        scene
            .processes
            .iter()
            .map(|task| held(task))
            .max()
            .and_then(|pages| scene.kib(pages)),
    ) else {
        return;
    };
    let share = percent(together, split.usage_kib);
    if share < 30 || together < largest.saturating_mul(3) / 2 {
        return;
    }
    let line = scene
        .processes
        .iter()
        .find(|task| task.comm == name)
        .map(|task| task.line);
    found.push(
        finding(
            "many-of-one-name",
            Severity::Notice,
            format!(
                "{count} processes named {name} hold {} together",
                human(together)
            ),
            format!(
                "That is {} of {}, in processes that are each too small to stand out.{}",
                match share {
                    0..100 => format!("{share} %"),
                    _ => "all".to_owned(),
                },
                match split.whole {
                    Whole::Cgroup => "the memory at the limit",
                    Whole::Machine => "the machine's memory",
                },
                match anonymous_only {
                    true => "",
                    false => " Pages that they share are counted for each of them.",
                }
            ),
        )
        .text("comm", name)
        .number("processes", count as u64)
        .number("together_kib", together)
        .number("percent", share.min(100))
        .cite(scene, [line]),
    );
}

fn pause(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if let Some(victim) = scene
        .victim
        .filter(|victim| victim.comm == "pause" && scene.victim_owner.kubernetes)
    {
        // Before kubernetes/kubernetes#71269 a Guaranteed pod's containers had the sandbox's own -998.
        found.push(
            finding(
                "sandbox-killed",
                Severity::Critical,
                format!("The pod's sandbox itself was killed: pause (pid {})", victim.pid),
                format!(
                    "The sandbox holds the pod's namespaces: the kubelet makes a new one, with a new address, and restarts all \
                     containers of the pod. It used next to nothing{}",
                    why_the_sandbox(scene, victim)
                ),
            )
            .number("pid", u64::from(victim.pid))
            .number("anon_rss_kib", victim.anon_rss_kib)
            .cite(scene, [scene.kill_line(), scene.constraint_line()]),
        );
    }
    let is_pause = |task: &&&Task| {
        task.comm == "pause"
            // Source: pkg/kubelet/cri and containerd's CRI plugin: the sandbox runs with -998 (-999 in old docker-shim).
            && matches!(task.oom_score_adj, -999..=-997)
            && scene.kib(task.rss_pages).is_none_or(|kib| kib < PAUSE_KIB)
            && !scene.is_victim(task)
    };
    let Some(task) = scene.processes.iter().find(is_pause) else {
        return;
    };
    let size = scene
        .kib(task.rss_pages)
        .map(|kib| format!(", {} resident", human(kib)))
        .unwrap_or_default();
    found.push(
        finding(
            "pause-sandbox",
            Severity::Info,
            format!("pause (pid {}) is the pod's sandbox and harmless", task.pid),
            format!(
                "It holds the pod's namespaces and does nothing else{size}. It has no part in this."
            ),
        )
        .number("pid", u64::from(task.pid))
        .number("rss_kib", scene.kib(task.rss_pages))
        .cite(scene, [Some(task.line)]),
    );
}
