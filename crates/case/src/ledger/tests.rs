//! Duplicates, history, and that the memory stays bounded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::sample::*;

fn kill() -> Incident {
    judged(&figure_13())
}

fn at(mut incident: Incident, boot: Option<f64>, wall: Option<i64>, assumed: bool) -> Incident {
    let noon: Timestamp = "2021-03-09T12:00:00Z".parse().unwrap();
    incident.boot_time_s = boot;
    incident.time = wall.map(|seconds| noon + SignedDuration::from_secs(seconds));
    incident.time_assumed = assumed;
    incident
}

#[test]
fn the_same_kill_in_another_log_is_known_by_its_times() {
    // First, second, the same?
    let rows = [
        (
            (Some(30_320.358), None, false),
            (Some(30_320.358), None, false),
            true,
        ),
        (
            (Some(30_320.358), None, false),
            (Some(99_999.0), None, false),
            false,
        ),
        (
            (Some(30_320.358), Some(0), false),
            (Some(30_320.358), Some(7_200), false),
            true,
        ),
        (
            (Some(30_320.358), None, false),
            (None, Some(0), false),
            true,
        ),
        ((None, None, false), (None, None, false), true),
        ((None, Some(0), false), (None, Some(2), false), true),
        ((None, Some(0), false), (None, Some(60), false), false),
        ((None, Some(0), false), (None, Some(3_600), false), false),
        ((None, Some(0), false), (None, Some(3_601), true), true),
        ((None, Some(0), true), (None, Some(-19_800), false), true),
        ((None, Some(0), true), (None, Some(3_660), true), false),
        ((None, Some(0), true), (None, Some(48 * 3_600), true), false),
    ];
    for (first, second, same) in rows {
        let mut ledger = Ledger::new(8);
        let one = at(kill(), first.0, first.1, first.2);
        assert_eq!(ledger.seen(&one), None);
        ledger.add(&one);
        let mut two = at(kill(), second.0, second.1, second.2);
        two.source.path = Some("other.log".into());
        let place = ledger.seen(&two);
        assert_eq!(
            place.as_deref(),
            same.then_some("kern.log:101"),
            "{first:?} {second:?}"
        );
    }
}

/// A machine that boots the same way each time kills the same process each time.
#[test]
fn the_same_kill_in_the_next_boot_of_a_log_is_another() {
    let of_boot = |boot_s: f64, ordinal: u32| {
        let mut incident = at(kill(), Some(boot_s), None, false);
        incident.source.boot = Some(ordinal);
        incident
    };
    let mut ledger = Ledger::new(8);
    ledger.add(&of_boot(12.5, 1));
    assert_eq!(ledger.seen(&of_boot(12.6, 2)), None);
    assert!(ledger.seen(&of_boot(12.6, 1)).is_some());
    // A part of the log that stands there twice looks like another boot.
    assert!(ledger.seen(&of_boot(12.5, 2)).is_some());
    // Another source counts for itself.
    let mut elsewhere = of_boot(12.6, 2);
    elsewhere.source.path = Some("other.log".into());
    assert!(ledger.seen(&elsewhere).is_some());
}

#[test]
fn another_victim_is_another_kill() {
    let mut ledger = Ledger::new(8);
    ledger.add(&kill());
    let mut report = figure_13();
    report.victims[0].anon_rss_kib = Some(1);
    assert_eq!(ledger.seen(&judged(&report)), None);
}

#[test]
fn memory_is_bounded_and_the_least_used_goes_first() {
    let mut ledger = Ledger::new(3);
    let numbered = |pid: u32| {
        let mut report = figure_13();
        report.victims[0].pid = pid;
        judged(&report)
    };
    for pid in 1..=3 {
        ledger.add(&numbered(pid));
    }
    // Seen again: now 2 is the one used longest ago.
    assert!(ledger.seen(&numbered(1)).is_some());
    ledger.add(&numbered(4));
    assert_eq!(ledger.len(), 3);
    assert!(ledger.seen(&numbered(1)).is_some());
    assert!(ledger.seen(&numbered(2)).is_none());
    for pid in 10..10_000 {
        ledger.add(&numbered(pid));
    }
    assert_eq!(
        (ledger.len(), ledger.by_id.len(), ledger.by_key.len()),
        (3, 3, 1)
    );
}

#[test]
fn the_history_of_a_container_is_kept_and_bounded() {
    let mut ledger = Ledger::new(1_000);
    assert!(ledger.is_empty());
    for pid in 1..=500 {
        let mut report = figure_13();
        report.victims[0].pid = pid;
        if pid % 2 == 0 {
            report.memcg.as_mut().unwrap().victim_path = Some(format!("/docker/{ID}").into());
        }
        ledger.add(&judged(&report));
    }
    let key = crate::assemble::container_key(&figure_13()).unwrap();
    let history = ledger.history(Some(&key));
    let of_key = history
        .iter()
        .filter(|past| past.container_key.as_ref() == Some(&key))
        .count();
    assert_eq!(of_key, KILLS_OF_A_CONTAINER);
    // The latest of the other container are there too, for storms.
    assert_eq!(history.len() - of_key, LATEST_KILLS / 2);
    assert_eq!(ledger.history(None).len(), LATEST_KILLS);
}
