//! Facts of real deaths, recorded by the line-up, judged without a machine: what was provoked must be told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use serde::Deserialize;
use whodunit_case::fact::Fact;
use whodunit_case::gather::{Gatherer, Sources, Told};
use whodunit_case::incident::{Cite, Confidence, Incident, Killer};
use whodunit_case::live::{self, Surroundings};

#[derive(Deserialize)]
struct Recorded {
    kind: String,
    killer: Killer,
    finding: Option<String>,
    facts: Vec<Fact>,
}

fn recordings() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/live");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
        .collect()
}

fn boot_ns(fact: &Fact) -> u64 {
    match fact {
        Fact::Signal(signal) => signal.boot_ns,
        Fact::OomMark(mark) => mark.boot_ns,
        Fact::Exit(exit) => exit.boot_ns,
        Fact::Runtime(event) => event.boot_ns,
        Fact::CgroupOom(event) => event.boot_ns,
        Fact::CgroupEmptied(event) => event.boot_ns,
    }
}

/// The facts in the order of their times, as the sources give them; the first telling of each case.
fn judged(recorded: &Recorded) -> Vec<Incident> {
    let mut facts = recorded.facts.clone();
    facts.sort_by_key(boot_ns);
    let mut gatherer = Gatherer::new(Sources {
        signals: true,
        reports: true,
    });
    let around = Surroundings {
        // The first pid namespace: PROC_PID_INIT_INO.
        host_pid_namespace: Some(0xEFFF_FFFC),
        signals_seen: true,
        ..Surroundings::default()
    };
    let mut told = Vec::new();
    for fact in facts {
        let now_ns = boot_ns(&fact);
        told.extend(gatherer.due(now_ns));
        gatherer.take(fact, now_ns);
    }
    told.extend(gatherer.finish());
    told.iter()
        .filter_map(|told| match told {
            Told::New(case) => Some(live::incident(case, &around)),
            Told::More(_) => None,
        })
        .collect()
}

#[test]
fn each_is_one_incident_and_told_as_what_it_was() {
    let recordings = recordings();
    assert!(recordings.len() >= 8, "{} recordings", recordings.len());
    for recorded in &recordings {
        let incidents = judged(recorded);
        let kind = &recorded.kind;
        assert_eq!(incidents.len(), 1, "{kind}");
        let incident = &incidents[0];
        assert_eq!(incident.verdict.killer, recorded.killer, "{kind}");
        assert!(
            incident.verdict.confidence >= Confidence::Probable,
            "{kind}"
        );
        assert!(!incident.verdict.evidence.is_empty(), "{kind}");
        if let Some(finding) = &recorded.finding {
            assert!(
                incident.findings.iter().any(|one| one.code == *finding),
                "{kind}: no {finding}"
            );
        }
    }
}

#[test]
fn without_the_signal_nobody_is_accused_with_certainty() {
    for mut recorded in recordings() {
        let killed = recorded
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::Signal(signal) if signal.signal == 9));
        if !killed {
            continue;
        }
        recorded
            .facts
            .retain(|fact| !matches!(fact, Fact::Signal(_)));
        for incident in judged(&recorded) {
            let by_signal = incident
                .verdict
                .evidence
                .iter()
                .any(|cite| matches!(cite, Cite::Signal { .. }));
            assert!(!by_signal);
            assert_eq!(
                incident.verdict.killer,
                Killer::Unknown,
                "{}",
                recorded.kind
            );
        }
    }
}
