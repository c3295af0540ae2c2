//! Kills before this one: of the same container (how often, ever faster, ever larger), and of any in a short time.

use crate::incident::{Finding, Severity};
use crate::ledger::{Boot, PastKill, container_key};
use crate::scene::Scene;
use crate::size::{human, span};

use super::finding;

/// Kills this close together are one storm.
const STORM_S: u64 = 120;

/// So many kills, this one included, make a storm.
const STORM_KILLS: usize = 4;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    same_container(scene, found);
    storm(scene, found);
}

fn seconds_before(scene: &Scene<'_>, past: &PastKill) -> Option<u64> {
    let time = scene.report.time;
    past.seconds_until(
        time.boot_us,
        time.wall.map(|wall| wall.timestamp),
        scene.report.node.as_deref(),
        Boot {
            id: scene.report.boot_id.as_deref(),
            source: scene.context.path,
            ordinal: scene.report.boot_ordinal,
        },
    )
}

fn same_container(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let owner = &scene.victim_owner;
    let key = container_key(
        owner.pod_uid.as_deref(),
        owner.container_id.as_deref(),
        scene.victim_path,
    );
    let (Some(key), Some(victim)) = (key, scene.victim) else {
        return;
    };
    let mut before: Vec<(u64, &PastKill)> = scene
        .history
        .iter()
        .filter(|past| past.container_key.as_ref() == Some(&key) && past.comm == victim.comm)
        .filter_map(|past| Some((seconds_before(scene, past)?, past)))
        .collect();
    if before.is_empty() {
        return;
    }
    // Oldest first; this kill is the end of the last interval.
    before.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    let ages: Vec<u64> = before.iter().map(|(age, _)| *age).chain([0]).collect();
    let intervals: Vec<u64> = ages
        .iter()
        .zip(ages.iter().skip(1))
        .map(|(from, to)| from.saturating_sub(*to))
        .collect();
    let number = intervals.len() as u64;
    // The intervals add up to the age of the oldest.
    let whole = ages.first().copied().unwrap_or(0);
    let mean = whole / number.max(1);
    let last = intervals.last().copied().unwrap_or(0);
    let earlier = whole.saturating_sub(last) / number.saturating_sub(1).max(1);
    let pace = match number {
        0 | 1 => "once",
        _ if last.saturating_mul(5) < earlier.saturating_mul(4) => "faster",
        _ if last.saturating_mul(4) > earlier.saturating_mul(5) => "slower",
        _ => "steady",
    };
    let sizes: Vec<u64> = before
        .iter()
        .filter_map(|(_, past)| past.anon_rss_kib)
        .chain(victim.anon_rss_kib)
        .collect();
    let trend = trend(&sizes);
    let size_words = match (sizes.first(), sizes.last(), trend) {
        (Some(from), Some(to), Some(trend)) => {
            format!(
                " Anonymous memory at the kill: {} first, {} now ({trend}).",
                human(*from),
                human(*to)
            )
        }
        _ => String::new(),
    };
    let pace_words = match pace {
        "faster" => format!(
            " The last interval ({}) is shorter than those before ({} on average): it fills faster.",
            span(last),
            span(earlier)
        ),
        "slower" => format!(
            " The last interval ({}) is longer than those before ({} on average).",
            span(last),
            span(earlier)
        ),
        "steady" => {
            " The intervals are about equal: growth at a constant rate, or work on a schedule."
                .to_owned()
        }
        _ => String::new(),
    };
    let place = before
        .last()
        .map(|(_, past)| format!(" The kill before stands at {}.", past.place))
        .unwrap_or_default();
    let mut draft = finding(
        "repeated-kills",
        if number >= 2 {
            Severity::Warning
        } else {
            Severity::Notice
        },
        match number {
            1 => format!(
                "{} of the same container was killed before, {} ago",
                victim.comm,
                span(last)
            ),
            _ => format!(
                "{} of the same container was killed {number} times before, {} apart on average",
                victim.comm,
                span(mean)
            ),
        },
        format!("A restart does not cure it.{pace_words}{size_words}{place}"),
    )
    .number("kills_before", number)
    .number("mean_interval_s", mean)
    .number("last_interval_s", last)
    .number("first_anon_rss_kib", sizes.first().copied())
    .number("last_anon_rss_kib", sizes.last().copied())
    .text("pace", pace);
    if let Some(trend) = trend {
        draft = draft.text("size_trend", trend);
    }
    found.push(draft.cite(scene, [scene.kill_line()]));
}

/// `growing` or `shrinking` when each size goes the same way and the whole way is more than a twentieth.
fn trend(sizes: &[u64]) -> Option<&'static str> {
    let (first, last) = (*sizes.first()?, *sizes.last()?);
    if sizes.len() < 2 {
        return None;
    }
    let pairs = || sizes.iter().zip(sizes.iter().skip(1));
    Some(
        if pairs().all(|(a, b)| a <= b) && last > first.saturating_add(first / 20) {
            "growing"
        } else if pairs().all(|(a, b)| a >= b) && first > last.saturating_add(last / 20) {
            "shrinking"
        } else {
            "about the same"
        },
    )
}

fn storm(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let recent: Vec<(u64, &PastKill)> = scene
        .history
        .iter()
        .filter_map(|past| Some((seconds_before(scene, past)?, past)))
        .filter(|(age, _)| *age <= STORM_S)
        .collect();
    let number = recent.len() + 1;
    if number < STORM_KILLS {
        return;
    }
    let over = recent.iter().map(|(age, _)| *age).max().unwrap_or(0);
    let mut containers: Vec<_> = recent
        .iter()
        .filter_map(|(_, past)| past.container_key.as_ref())
        .collect();
    containers.sort_unstable();
    containers.dedup();
    let spread = match containers.len() {
        0 => "The log does not say of which containers.".to_owned(),
        1 => "All of one container: it is killed as soon as it starts, or its processes go one by one.".to_owned(),
        more => format!("Of {more} containers: look for what they share, a machine or a parent's limit."),
    };
    found.push(
        finding(
            "kill-storm",
            Severity::Critical,
            match over {
                0 => format!("{number} kills within a second"),
                _ => format!("{number} kills within {}", span(over)),
            },
            format!("{spread} The first of them is where to look for the cause."),
        )
        .number("kills", number as u64)
        .number("within_s", over)
        .number("containers", containers.len() as u64)
        .cite(scene, [scene.kill_line()]),
    );
}
