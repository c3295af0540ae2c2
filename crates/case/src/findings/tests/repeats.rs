//! Kills before this one.

use smol_str::SmolStr;

use super::{int, text};
use crate::ledger::PastKill;
use crate::sample::*;

/// A kill of the sample's container `seconds` before it.
fn past(seconds: u64, anon_rss_kib: u64) -> PastKill {
    PastKill {
        id: SmolStr::new(format!("{seconds:016x}")),
        boot_us: Some(30_320_358_563 - seconds * 1_000_000),
        time: None,
        time_assumed: false,
        node: None,
        boot_id: None,
        boot_ordinal: None,
        place: "kern.log:1".into(),
        container_key: Some(format!("pod {UID}").into()),
        comm: "app".into(),
        anon_rss_kib: Some(anon_rss_kib),
        usage_kib: None,
    }
}

#[test]
fn growth_across_kills_has_interval_and_trend() {
    let history = [
        past(3_600, 20_000_000),
        past(2_400, 24_000_000),
        past(1_200, 28_000_000),
    ];
    let incident = judged_after(&figure_13(), &history);
    assert_eq!(int(&incident, "repeated-kills", "kills_before"), 3);
    assert_eq!(int(&incident, "repeated-kills", "mean_interval_s"), 1_200);
    assert_eq!(text(&incident, "repeated-kills", "pace"), "steady");
    assert_eq!(text(&incident, "repeated-kills", "size_trend"), "growing");
    assert!(
        finding(&incident, "repeated-kills")
            .is_some_and(|found| found.title.contains("20 min apart on average"))
    );
}

#[test]
fn intervals_that_shrink_are_said_to() {
    let history = [
        past(3_700, 30_000_000),
        past(1_900, 30_000_000),
        past(100, 30_000_000),
    ];
    let incident = judged_after(&figure_13(), &history);
    assert_eq!(text(&incident, "repeated-kills", "pace"), "faster");
    assert_eq!(
        text(&incident, "repeated-kills", "size_trend"),
        "about the same"
    );
}

#[test]
fn other_containers_other_names_and_later_kills_do_not_count() {
    let mut other = past(100, 1);
    other.container_key = Some("pod other".into());
    let mut name = past(200, 1);
    name.comm = "sidecar".into();
    let mut later = past(0, 1);
    later.boot_us = Some(99_000_000_000);
    let mut node = past(300, 1);
    node.node = Some("elsewhere".into());
    let mut report = figure_13();
    report.node = Some("here".into());
    let incident = judged_after(&report, &[other, name, later, node]);
    assert!(finding(&incident, "repeated-kills").is_none());
}

#[test]
fn many_kills_in_a_short_time_are_a_storm() {
    let history: Vec<PastKill> = (1..=3).map(|n| past(n * 20, 1_000)).collect();
    let incident = judged_after(&figure_13(), &history);
    assert_eq!(int(&incident, "kill-storm", "kills"), 4);
    assert_eq!(int(&incident, "kill-storm", "within_s"), 60);
    let at_once: Vec<PastKill> = (0..3).map(|_| past(0, 1_000)).collect();
    let incident = judged_after(&figure_13(), &at_once);
    let title = |code| finding(&incident, code).map(|found| found.title.clone());
    assert_eq!(
        title("kill-storm").as_deref(),
        Some("4 kills within a second")
    );
    assert_eq!(
        title("repeated-kills").as_deref(),
        Some(
            "app of the same container was killed 3 times before, less than a second apart on average"
        )
    );
    let slow: Vec<PastKill> = (1..=3).map(|n| past(n * 200, 1_000)).collect();
    assert!(finding(&judged_after(&figure_13(), &slow), "kill-storm").is_none());
    assert!(finding(&judged_after(&figure_13(), &history[..2]), "kill-storm").is_none());
}

/// Two machines' dmesg in two files: that both kills happened in the same second since boot means nothing.
#[test]
fn boot_clocks_of_different_boots_are_not_compared() {
    let codes = |change: &dyn Fn(&mut PastKill)| -> Vec<String> {
        let mut history = [past(10, 1), past(20, 1), past(30, 1)];
        history.iter_mut().for_each(change);
        let incident = judged_after(&figure_13(), &history);
        incident
            .findings
            .iter()
            .map(|found| found.code.to_string())
            .collect()
    };
    let told = |codes: Vec<String>| {
        codes.iter().any(|code| code == "repeated-kills")
            && codes.iter().any(|code| code == "kill-storm")
    };
    assert!(told(codes(&|_| ())));
    let silent = |codes: Vec<String>| {
        !codes.iter().any(|code| code == "repeated-kills")
            && !codes.iter().any(|code| code == "kill-storm")
    };
    assert!(silent(codes(&|past| past.place = "other.log:1".into())));
    // One log of two boots.
    assert!(silent(codes(&|past| past.boot_ordinal = Some(1))));
    // The ids of boots are surer than files.
    let mut report = figure_13();
    report.boot_id = Some("a".into());
    for (id, place, want) in [("a", "other.log:1", true), ("b", "kern.log:1", false)] {
        let mut one = past(10, 1);
        (one.boot_id, one.place) = (Some(id.into()), place.into());
        let incident = judged_after(&report, &[one]);
        assert_eq!(finding(&incident, "repeated-kills").is_some(), want, "{id}");
    }
}
