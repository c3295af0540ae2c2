//! Tables: tasks, statistics, zones.

use whodunit_case::incident::{Incident, MemcgInfo};
use whodunit_case::size::{grouped, human};

use super::page::{Ink, Page, columns, fit};
use crate::escape::visible;

/// Rows shown without `--all`.
const TASKS_SHOWN: usize = 10;
/// Statistics shown without `--all`: those that say where the memory is.
const IMPORTANT: &[&str] = &[
    "rss",
    "rss_huge",
    "cache",
    "shmem",
    "anon",
    "anon_thp",
    "file",
    "kernel",
    "slab",
    "slab_unreclaimable",
    "kernel_stack",
    "pagetables",
    "sock",
    "swap",
    "zswap",
    "unevictable",
];

/// Columns of a statistic's name at most; the kernel's own take 23.
const LONGEST_STATISTIC: usize = 30;

/// The tasks, most killable first; killed and asking ones marked.
pub(super) fn tasks(page: &mut Page, incident: &Incident) {
    if incident.ranking.is_empty() {
        return;
    }
    page.heading("Tasks, most killable first");
    let looks = page.looks();
    let shown = if looks.all { usize::MAX } else { TASKS_SHOWN };
    let swapped = incident
        .ranking
        .iter()
        .any(|task| task.swap_kib.is_some_and(|kib| kib > 0));
    let swap = |text: &str| match swapped {
        true => format!("{text:>10} "),
        false => String::new(),
    };
    let head = format!(
        "  {:>8} {:>10} {}{:>6} {:>10}  {}",
        "pid",
        "resident",
        swap("swapped"),
        "adj",
        "badness",
        "name"
    );
    let head = page.ink(Ink::Faint, &head);
    page.line(&head);
    let wanted = incident
        .ranking
        .iter()
        .enumerate()
        .filter(|(at, task)| *at < shown || task.killed || task.trigger);
    let mut told = 0;
    for (_, task) in wanted {
        told += 1;
        let badness = task
            .badness_pages
            .map_or_else(|| "never".to_owned(), |points| points.to_string());
        let mark = match (task.killed, task.trigger) {
            (true, true) => "  killed, asked",
            (true, false) => "  killed",
            (false, true) => "  asked",
            (false, false) => "",
        };
        let start = format!(
            "  {:>8} {:>10} {}{:>6} {badness:>10}  ",
            task.pid,
            human(task.rss_kib),
            swap(&task.swap_kib.map_or_else(|| "-".to_owned(), human)),
            task.oom_score_adj
        );
        let name = fit(
            &visible(&task.comm),
            looks
                .width
                .saturating_sub(columns(&start) + columns(mark))
                .max(4),
            looks.unicode,
        );
        let ink = match task.killed {
            true => Ink::Alarm,
            false if task.comm == "pause" => Ink::Faint,
            false => Ink::Plain,
        };
        let line = page.ink(ink, &format!("{start}{name}{mark}"));
        page.line(&line);
    }
    let folded = incident.ranking.len().saturating_sub(told);
    if folded > 0 {
        let mark = if looks.unicode { "…" } else { "..." };
        let note = page.ink(
            Ink::Faint,
            &format!("  {mark} {folded} more: --all shows them"),
        );
        page.line(&note);
    }
}

/// The statistics of the cgroups in the report, each with its meaning.
pub(super) fn statistics(page: &mut Page, memcg: &MemcgInfo) {
    let looks = page.looks();
    for stats in &memcg.stats {
        let rows: Vec<_> = stats
            .fields
            .0
            .iter()
            .filter(|(name, value)| looks.all || *value > 0 && IMPORTANT.contains(&name.as_str()))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let path = stats
            .path
            .as_deref()
            .or(memcg.path.as_deref())
            .unwrap_or("(no path printed)");
        page.heading("Statistics of the memory cgroup");
        page.labelled("  ", Ink::Plain, &visible(path), Ink::Faint);
        for (name, value) in rows {
            let size = whodunit_case::incident::stat_kib(stats, name, *value);
            let number = size.map_or_else(|| grouped(*value), human);
            let meaning = memcg.meanings.get(name.as_str()).map_or("", |text| text);
            // A damaged log may hold any name.
            let name = fit(&visible(name), LONGEST_STATISTIC, looks.unicode);
            page.item(&format!("  {name:<22} {number:>11}  "), meaning);
        }
        if !looks.all && memcg.stats.len() > 4 {
            // Every container below a pod or tier has its own block; the first is the one whose limit was hit.
            let note = page.ink(
                Ink::Faint,
                &format!(
                    "  and {} more cgroups: --all shows them",
                    memcg.stats.len() - 1
                ),
            );
            page.line(&note);
            return;
        }
    }
}

/// Zones with their watermarks and free blocks, for kills of the whole machine.
pub(super) fn zones(page: &mut Page, incident: &Incident) {
    let Some(system) = incident
        .system
        .as_ref()
        .filter(|system| !system.zones.is_empty())
    else {
        return;
    };
    page.heading("Zones of the machine's memory");
    let head = format!(
        "  {:<14} {:>10} {:>10} {:>10} {:>10}  {}",
        "zone", "free", "min", "low", "managed", "largest free block"
    );
    let room = page.looks().width;
    let head = page.ink(Ink::Faint, &page.cut(&head, room));
    page.line(&head);
    for zone in &system.zones {
        let size = |name: &str| {
            zone.fields_kib
                .get(name)
                .map_or_else(|| "-".to_owned(), human)
        };
        let largest = zone
            .free_areas
            .iter()
            .rev()
            .find(|area| area.blocks > 0)
            .map_or_else(
                || {
                    if zone.free_areas.is_empty() {
                        "-".to_owned()
                    } else {
                        "none".to_owned()
                    }
                },
                |area| format!("{} x {}", area.blocks, human(area.block_kib)),
            );
        let line = format!(
            "  {:<14} {:>10} {:>10} {:>10} {:>10}  {largest}",
            format!("{} {}", zone.node, visible(&zone.name)),
            size("free"),
            size("min"),
            size("low"),
            size("managed"),
        );
        let line = page.cut(&line, room);
        page.line(&line);
    }
    if let (Some(free), Some(total)) = (system.swap_free_kib, system.swap_total_kib) {
        let line = if total == 0 {
            "  no swap".to_owned()
        } else {
            format!("  swap: {} free of {}", human(free), human(total))
        };
        page.line(&line);
    }
}
