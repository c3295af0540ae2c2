//! The usage split as bars.

use whodunit_case::incident::UsagePart;
use whodunit_case::size::{human, percent};

use super::page::{Ink, Page, columns};

/// A bar a part, largest first, all to the same scale.
pub(super) fn write(page: &mut Page, parts: &[UsagePart]) {
    let total: u64 = parts.iter().map(|part| part.kib).sum();
    if total == 0 {
        return;
    }
    // What rounds to nothing is folded into one line: a bar of its own says no more.
    let (parts, small): (Vec<&UsagePart>, Vec<&UsagePart>) = parts
        .iter()
        .filter(|part| part.kib > 0)
        .partition(|part| page.looks().all || percent(part.kib, total) > 0);
    let mut parts = parts;
    parts.sort_by_key(|part| std::cmp::Reverse(part.kib));
    let names = parts
        .iter()
        .map(|part| columns(&part.name))
        .max()
        .unwrap_or(0)
        .min(32);
    // name, bar, size, share
    let room = page
        .looks()
        .width
        .saturating_sub(names + 2 + 1 + 10 + 6)
        .clamp(8, 60);
    for part in parts {
        let share = percent(part.kib, total);
        let bar = bar(part.kib, total, room, page.looks().unicode);
        let fill = room.saturating_sub(columns(&bar));
        let ink = if part.unreclaimable {
            Ink::Warning
        } else {
            Ink::Blue
        };
        let bar = page.ink(ink, &bar);
        let name = page.cut(&part.name, names);
        let pad = names.saturating_sub(columns(&name));
        let line = format!(
            "  {name}{} {bar}{}{:>10} {share:>3} %",
            " ".repeat(pad),
            " ".repeat(fill),
            human(part.kib)
        );
        page.line(&line);
    }
    if !small.is_empty() {
        let told: Vec<String> = small
            .iter()
            .map(|part| format!("{} {}", part.name, human(part.kib)))
            .collect();
        page.item("  ", &format!("below 1 %: {}", told.join(", ")));
    }
    if page.looks().colored {
        let note = page.ink(
            Ink::Faint,
            "  yellow: cannot be given back without a kill or swap",
        );
        page.line(&note);
    }
}

/// `kib` of `total` as a bar of at most `room` columns; anything above nothing shows.
fn bar(kib: u64, total: u64, room: usize, unicode: bool) -> String {
    let eighths = u128::from(kib) * room as u128 * 8 / u128::from(total.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(room * 8).max(1);
    if !unicode {
        return "#".repeat((eighths / 8).max(1));
    }
    let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!(
        "{}{}",
        "█".repeat(eighths / 8),
        partial.get(eighths % 8).copied().unwrap_or("")
    )
}
