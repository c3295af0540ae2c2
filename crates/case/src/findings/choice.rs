//! Why this process: who asked and who died, the kernel's ranking computed again, oom_score_adj, tasks that may not
//! be killed.

use oom_report::report::{LineIndex, Task, Victim};

use crate::incident::{Finding, RankedTask, Severity};
use crate::scene::{Announced, Scene};
use crate::size::{grouped, human, percent};

use super::{finding, kubernetes, name_some};

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    trigger(scene, found);
    sacrificed(scene, found);
    rank(scene, found);
    adjusted(scene, found);
    unkillable(scene, found);
}

fn trigger(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let (Some(trigger), Some(victim)) = (&scene.other_trigger, scene.victim) else {
        return;
    };
    let place = scene.ranking.iter().position(|task| task.pid == victim.pid);
    let why = match place {
        Some(_) if equals(scene, victim.pid).is_some() => {
            "By the kernel's formula it was as killable as others.".to_owned()
        }
        Some(0) => {
            "It was the most killable by the kernel's own formula: memory held, plus oom_score_adj."
                .to_owned()
        }
        Some(place) => format!("By the kernel's formula it stood in place {}.", place + 1),
        None => "The kernel chooses by memory held and oom_score_adj, not by who asked.".to_owned(),
    };
    let line = scene
        .report
        .trigger
        .as_ref()
        .and_then(|trigger| trigger.line);
    found.push(
        finding(
            "trigger-is-not-victim",
            Severity::Notice,
            format!(
                "{} (pid {}) asked for the memory, {} (pid {}) was killed for it",
                trigger.comm, trigger.pid, victim.comm, victim.pid
            ),
            format!("Who asks for the last page is chance; the victim is chosen. {why}"),
        )
        .number("trigger_pid", u64::from(trigger.pid))
        .text("trigger_comm", trigger.comm)
        .number("victim_pid", u64::from(victim.pid))
        .number("victim_rank", place.map(|place| place as u64 + 1))
        .cite(scene, [line, scene.kill_line()]),
    );
}

/// A child died in place of the process that was chosen, or a thread was chosen.
fn sacrificed(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let (Some(victim), Some((announced, what))) = (scene.victim, scene.announced) else {
        return;
    };
    if what == Announced::Thread {
        found.push(
            finding(
                "thread-chosen",
                Severity::Info,
                format!(
                    "The kernel announced {} (pid {}), a thread of {} (pid {})",
                    announced.comm, announced.pid, victim.comm, victim.pid
                ),
                "Kernels before 5.3 look through all threads of a cgroup; the table lists processes only. A thread dies with its process.",
            )
            .number("thread_pid", u64::from(announced.pid))
            .text("thread_comm", announced.comm.as_str())
            .number("victim_pid", u64::from(victim.pid))
            .cite(scene, [announced.lines.first().copied(), scene.kill_line()]),
        );
        return;
    }
    if what == Announced::ParentOrThread {
        found.push(
            finding(
                "child-sacrificed-or-thread-chosen",
                Severity::Info,
                format!(
                    "{} (pid {}) was announced, {} (pid {}) was killed: its child, or the process that it is a thread of",
                    announced.comm, announced.pid, victim.comm, victim.pid
                ),
                "Kernels before 5.1 kill a child that has memory of its own instead of the process they chose; those before 5.3 also \
                 announce a thread and kill its process. The task table, which would tell, is not in the log.",
            )
            .text("chosen_comm", announced.comm.as_str())
            .number("chosen_pid", u64::from(announced.pid))
            .number("victim_pid", u64::from(victim.pid))
            .cite(scene, [announced.lines.first().copied(), scene.kill_line()]),
        );
        return;
    }
    found.push(
        finding(
            "child-sacrificed",
            Severity::Notice,
            format!(
                "{} (pid {}) was chosen; its child {} (pid {}) was killed in its place",
                announced.comm, announced.pid, victim.comm, victim.pid
            ),
            "Kernels before 5.1 kill a child that has memory of its own instead of the process they chose, to lose less work. The chosen \
             one lives on, and may be chosen again.",
        )
        .text("chosen_comm", announced.comm.as_str())
        .number("chosen_pid", u64::from(announced.pid))
        .number("victim_pid", u64::from(victim.pid))
        .cite(scene, [announced.lines.first().copied(), scene.kill_line()]),
    );
}

/// The kernel's choice against the one computed from the table.
fn rank(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    // Whom the kernel chose is not who died: the choice is told by the finding above.
    let Some(victim) = scene.victim.filter(|_| {
        scene
            .announced
            .is_none_or(|(_, what)| what == Announced::Thread)
    }) else {
        return;
    };
    let killable = || {
        scene
            .ranking
            .iter()
            .filter(|task| task.badness_pages.is_some())
    };
    let Some(first) = killable().next() else {
        return;
    };
    let row = |pid: u32| {
        scene
            .report
            .tasks
            .iter()
            .find(|task| task.pid == pid)
            .map(|task| task.line)
    };
    let points = first.badness_pages.unwrap_or(0);
    if let Some(equals) = equals(scene, victim.pid) {
        found.push(tie(scene, victim, (equals.len(), points), row(victim.pid)));
        return;
    }
    let Some(place) = killable().position(|task| task.killed) else {
        return;
    };
    if first.killed {
        // A choice among one needs no explaining.
        let Some(second) = killable().find(|task| !task.killed) else {
            return;
        };
        let second_points = second.badness_pages.unwrap_or(0);
        let score = printed_score(scene, points);
        found.push(
            finding(
                "victim-ranked-first",
                Severity::Info,
                format!("{} (pid {}) was the most killable by the kernel's own formula", first.comm, first.pid),
                format!(
                    "Computed again from the table: {points} points (pages, oom_score_adj included); next {} (pid {}) with \
                     {second_points}.{}",
                    second.comm,
                    second.pid,
                    score.map(|(printed, words)| words.replace("{}", &printed.to_string())).unwrap_or_default()
                ),
            )
            .signed("victim_points", points)
            .signed("next_points", second_points)
            .number("next_pid", u64::from(second.pid))
            .number("printed_score", score.map(|(printed, _)| printed))
            .cite(scene, [row(first.pid), row(second.pid)]),
        );
        return;
    }
    let chosen = killable().nth(place);
    let chosen_points = chosen.and_then(|task| task.badness_pages).unwrap_or(0);
    if let Some(line) = scene.allocating_task_line() {
        found.push(allocating_task(
            scene,
            victim,
            first,
            [Some(line), row(first.pid)],
        ));
        return;
    }
    // Equal points: the kernel keeps the first or the last it met, by version.
    if chosen_points >= points
        || within_bonus(scene, chosen_points, points)
        || within_bonus_of_total(scene, first, chosen_points, points)
    {
        return;
    }
    // Up to 5.8 all of these were one point: equals.
    if points <= 0 && scene.report.kernel.is_none() {
        return;
    }
    found.push(
        finding(
            "choice-differs-from-rank",
            Severity::Notice,
            format!(
                "The kernel killed {} (pid {}), but by the table {} (pid {}) was more killable",
                victim.comm, victim.pid, first.comm, first.pid
            ),
            format!(
                "Computed again from the table, the victim stands in place {} with {chosen_points} points against {points}. The \
                 report does not say why. Known reasons: memory changed between the choice and the table, the other was exiting \
                 already, vm.oom_kill_allocating_task is set, or (before 5.1) a child was killed in its parent's place.",
                place + 1
            ),
        )
        .number("victim_rank", place as u64 + 1)
        .signed("victim_points", chosen_points)
        .signed("first_points", points)
        .number("first_pid", u64::from(first.pid))
        .cite(scene, [scene.kill_line(), row(first.pid)]),
    );
}

/// Those that share the first place of the ranking with that process; none where it has no equal there.
fn equals<'s>(scene: &'s Scene<'_>, pid: u32) -> Option<&'s [RankedTask]> {
    let first = scene.ranking.first()?.badness_pages?;
    let same = |task: &&RankedTask| task.badness_pages == Some(first);
    let count = scene.ranking.iter().take_while(same).count();
    let equals = scene.ranking.get(..count)?;
    (count > 1 && equals.iter().any(|task| task.pid == pid)).then_some(equals)
}

/// Equals: which of them dies is chance.
fn tie(
    scene: &Scene<'_>,
    victim: &Victim,
    (count, points): (usize, i64),
    row: Option<LineIndex>,
) -> Finding {
    // `oom_badness` gave each killable task at least one point before 5.9 (9066e5cfb73c).
    let floor = points == 1
        && scene
            .report
            .kernel
            .is_some_and(|kernel| !kernel.at_least(5, 9));
    finding(
        "choice-was-a-tie",
        if floor { Severity::Warning } else { Severity::Info },
        format!(
            "{} (pid {}) was killed by chance: {count} processes were equally killable",
            victim.comm, victim.pid
        ),
        match floor {
            true => {
                "oom_score_adj takes more off their score than they hold, and kernels before 5.9 count that as 1 point for all: a small \
                 process dies as soon as a large one, and which one is a matter of the order in which the kernel met them. Kernels from \
                 5.9 on choose the largest."
            }
            false => "By the kernel's formula they come to the same; which one is killed is a matter of the order in which the kernel met them.",
        },
    )
    .number("equals", count as u64)
    .signed("points", points)
    .cite(scene, [scene.kill_line(), row])
}

/// Nobody was chosen: whoever asked for the memory had to go.
fn allocating_task(
    scene: &Scene<'_>,
    victim: &Victim,
    first: &RankedTask,
    lines: [Option<LineIndex>; 2],
) -> Finding {
    finding(
        "allocating-task-killed",
        Severity::Warning,
        format!(
            "{} (pid {}) was killed because it asked for memory; {} (pid {}) held more",
            victim.comm, victim.pid, first.comm, first.pid
        ),
        "vm.oom_kill_allocating_task is set: the kernel kills whoever asks when memory is short, and not who holds most of it. The \
         shortage goes on.",
    )
    .number("victim_pid", u64::from(victim.pid))
    .number("first_pid", u64::from(first.pid))
    .cite(scene, lines)
}

/// The score in the kill line (before 5.1) when it is what the points make: thousandths of the memory in question.
fn printed_score(scene: &Scene<'_>, points: i64) -> Option<(u64, &'static str)> {
    let printed = scene.victim?.score?;
    let total = i64::try_from(scene.total_pages?)
        .ok()
        .filter(|total| *total > 0)?;
    let computed = u64::try_from(points.saturating_mul(1000) / total).ok()?;
    let row = scene.victim_task?;
    (computed == printed).then_some((
        printed,
        match row.oom_score_adj < 0 {
            true => {
                " That is the score of {} that the kernel printed: thousandths of the memory in question, after oom_score_adj took \
                 its part off. So low a score does not mean that the process held little."
            }
            false => " That is the score of {} that the kernel printed, in thousandths of the memory in question.",
        },
    ))
}

/// Before 4.17 tasks with CAP_SYS_ADMIN had 3 % taken off, which the table does not show: so small a lead proves
/// nothing there.
fn within_bonus(scene: &Scene<'_>, chosen_points: i64, points: i64) -> bool {
    let kernel = scene.report.kernel;
    let had_bonus = kernel.is_some_and(|kernel| !kernel.at_least(4, 17));
    had_bonus && chosen_points >= points.saturating_sub(points / 100 * 3 + 1)
}

/// From 2.6.36 to 3.13 it was 3 % of all the memory in question, which only root's processes are assumed to have had.
fn within_bonus_of_total(
    scene: &Scene<'_>,
    first: &RankedTask,
    chosen_points: i64,
    points: i64,
) -> bool {
    let kernel = scene.report.kernel;
    if kernel.is_none_or(|kernel| kernel.at_least(3, 14)) {
        return false;
    }
    let is_root = scene
        .report
        .tasks
        .iter()
        .any(|task| task.pid == first.pid && task.uid == Some(0));
    let bonus = scene.total_pages.map_or(i64::MAX, |total| {
        i64::try_from(total / 1000 * 30).unwrap_or(i64::MAX)
    });
    is_root && points.saturating_sub(chosen_points) <= bonus
}

/// oom_score_adj that outweighed memory: the victim held less than another that was spared.
fn adjusted(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let (Some(victim), Some(row)) = (scene.victim, scene.victim_task) else {
        return;
    };
    let weight = scene.weight_pages(row);
    let larger = |task: &&&Task| {
        !scene.is_victim(task)
            && scene.weight_pages(task) > weight
            && task.oom_score_adj < row.oom_score_adj
    };
    let Some(spared) = scene
        .processes
        .iter()
        .filter(larger)
        .max_by_key(|task| scene.weight_pages(task))
    else {
        return;
    };
    let spared_weight = scene.weight_pages(spared);
    // Against gigabytes a few megabytes are no reason, whoever was spared.
    if !is_worth_a_word(scene, spared_weight) {
        return;
    }
    let told = |pages: u64| match scene.kib(pages) {
        Some(kib) => human(kib),
        None => format!("{} pages", grouped(pages)),
    };
    let meaning = |adj: i32| {
        kubernetes::set_by(adj)
            .map(|words| format!(" ({words})"))
            .unwrap_or_default()
    };
    if row.oom_score_adj > 0 {
        found.push(
            finding(
                "oom-score-adj-target",
                Severity::Warning,
                format!(
                    "oom_score_adj {} made {} (pid {}) the target: {} (pid {}) held more",
                    row.oom_score_adj, victim.comm, victim.pid, spared.comm, spared.pid
                ),
                format!(
                    "The victim held {}, {} held {} with oom_score_adj {}. {} stands for {} thousandths of the memory in question on \
                     top of what a process holds{}.",
                    told(weight),
                    spared.comm,
                    told(spared_weight),
                    spared.oom_score_adj,
                    row.oom_score_adj,
                    row.oom_score_adj,
                    meaning(row.oom_score_adj)
                ),
            )
            .signed("victim_oom_score_adj", i64::from(row.oom_score_adj))
            .signed("other_oom_score_adj", i64::from(spared.oom_score_adj))
            .number("victim_pages", weight)
            .number("other_pages", spared_weight)
            .number("other_pid", u64::from(spared.pid))
            .cite(scene, [Some(row.line), Some(spared.line)]),
        );
    }
    if spared.oom_score_adj < 0 {
        found.push(
            finding(
                "oom-score-adj-spared",
                Severity::Notice,
                format!(
                    "oom_score_adj {} spared {} (pid {}), which held more than the victim",
                    spared.oom_score_adj, spared.comm, spared.pid
                ),
                format!(
                    "It held {}, the victim {}. Its oom_score_adj takes {} thousandths of the memory in question off its score{}.",
                    told(spared_weight),
                    told(weight),
                    -i64::from(spared.oom_score_adj),
                    meaning(spared.oom_score_adj)
                ),
            )
            .signed("spared_oom_score_adj", i64::from(spared.oom_score_adj))
            .number("spared_pages", spared_weight)
            .number("spared_pid", u64::from(spared.pid))
            .number("victim_pages", weight)
            .cite(scene, [Some(spared.line), Some(row.line)]),
        );
    }
}

/// Whether so many pages are a part of the memory in question at all, a fiftieth of it.
fn is_worth_a_word(scene: &Scene<'_>, pages: u64) -> bool {
    let usage_kib = scene.split.as_ref().map_or(0, |split| split.usage_kib);
    scene.kib(pages).is_none_or(|kib| kib >= usage_kib / 50)
}

fn unkillable(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let exempt: Vec<&&Task> = scene
        .processes
        .iter()
        .filter(|task| task.oom_score_adj == -1000)
        .collect();
    let Some(largest) = exempt.iter().max_by_key(|task| scene.weight_pages(task)) else {
        return;
    };
    let weight = exempt
        .iter()
        .map(|task| scene.weight_pages(task))
        .fold(0, u64::saturating_add);
    let all = scene
        .processes
        .iter()
        .map(|task| scene.weight_pages(task))
        .fold(0, u64::saturating_add);
    let share = percent(weight, all);
    let size = scene
        .kib(weight)
        .map(|kib| match exempt.len() {
            1 => format!(", {} held", human(kib)),
            _ => format!(", {} held together", human(kib)),
        })
        .unwrap_or_default();
    found.push(
        finding(
            "unkillable-tasks",
            if share >= 20 && is_worth_a_word(scene, weight) {
                Severity::Warning
            } else {
                Severity::Info
            },
            match (exempt.len(), scene.processes.len()) {
                (1, 1) => format!("The only process may not be killed (oom_score_adj -1000){size}"),
                (some, all) if some == all => {
                    format!("None of the {all} processes may be killed (oom_score_adj -1000){size}")
                }
                (some, all) => {
                    format!("{some} of {all} processes may not be killed (oom_score_adj -1000){size}")
                }
            },
            format!(
                "{}.{}",
                name_some(exempt.iter().map(|task| (task.comm.as_str(), task.pid))),
                match exempt.len() == scene.processes.len() {
                    true => " Nothing is left to choose from.".to_owned(),
                    // Next to nothing takes nobody's place.
                    false if share < 5 => format!(" Together {share} % of what the table's processes hold."),
                    false => format!(
                        " {} {share} % of what the table's processes hold; the others die in {} place.",
                        if exempt.len() == 1 { "It holds" } else { "They hold" },
                        if exempt.len() == 1 { "its" } else { "their" }
                    ),
                }
            ),
        )
        .number("unkillable", exempt.len() as u64)
        .number("processes", scene.processes.len() as u64)
        .number("unkillable_kib", scene.kib(weight))
        .number("percent", share)
        .cite(scene, [Some(largest.line)]),
    );
}
