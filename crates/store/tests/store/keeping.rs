//! What is put in comes out, and a known id is brought up to date.

use jiff::SignedDuration;
use whodunit_case::fact::{Fact, OomMark, RuntimeEvent, RuntimeEventKind};
use whodunit_case::incident::{Cite, Confidence};
use whodunit_store::{Filter, Inserted, Order, Position, StoreError, WhenKnown, document};

use crate::sample::*;

#[test]
fn every_recording_comes_back_as_it_went_in() {
    let (_directory, path) = place();
    let records = recorded();
    let mut store = open(&path);
    let inserted = store.insert_all(&records, &[], now()).unwrap();
    assert!(inserted.iter().all(|one| *one == Inserted::Added));
    drop(store);
    let store = open(&path);
    for record in &records {
        let kept = store.incident(&record.incident.id).unwrap().unwrap();
        assert_eq!(
            serde_json::to_string(&kept.incident).unwrap(),
            serde_json::to_string(&record.incident).unwrap()
        );
        assert_eq!(kept.sources, record.sources);
        assert_eq!(
            (kept.first_seen, kept.last_updated, kept.updates),
            (now(), now(), 0)
        );
    }
    let mut count = 0;
    store
        .each_incident(&Filter::default(), |kept| {
            kept.unwrap();
            count += 1;
            true
        })
        .unwrap();
    assert_eq!(count, records.len());
    assert_eq!(
        store.incidents(&Filter::default()).unwrap().len(),
        records.len()
    );
    assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
}

#[test]
fn entries_say_what_the_incident_says() {
    let (_directory, path) = place();
    let mut store = open(&path);
    for record in recorded() {
        store.insert(&record, now()).unwrap();
        let incident = &record.incident;
        let all = store.incidents(&Filter::default()).unwrap();
        let entry = all.iter().find(|entry| entry.id == incident.id).unwrap();
        assert_eq!(entry.time, incident.time);
        assert_eq!(entry.boot_time_s, incident.boot_time_s);
        assert_eq!(entry.boot_id, incident.boot_id);
        assert_eq!(entry.node, incident.node);
        assert_eq!(entry.killer(), Some(incident.verdict.killer));
        assert_eq!(
            serde_json::to_value(incident.verdict.confidence).unwrap(),
            entry.confidence.as_str()
        );
        assert_eq!(entry.summary, incident.verdict.summary);
        assert_eq!(entry.victims, incident.victims.len() as u64);
        let comm = incident.victims.first().map(|victim| victim.comm.as_str());
        assert_eq!(entry.comm.as_deref(), comm);
        let uid = incident.pod.as_ref().and_then(|pod| pod.uid.as_ref());
        assert_eq!(entry.pod_uid.as_ref(), uid);
        let id = incident
            .container
            .as_ref()
            .and_then(|container| container.id.as_ref());
        assert_eq!(entry.container_id.as_ref(), id);
    }
}

fn facts() -> Vec<Fact> {
    let kill = RuntimeEventKind::Kill { signal: Some(9) };
    vec![
        Fact::OomMark(OomMark {
            boot_ns: 10,
            tgid: 1,
            by_tgid: 2,
        }),
        Fact::Runtime(Box::new(RuntimeEvent {
            boot_ns: 20,
            time: Some(now()),
            runtime: "docker".into(),
            container_id: "\u{1b}[31m".into(),
            kind: kill,
        })),
    ]
}

#[test]
fn later_evidence_adds_to_what_is_known() {
    let (_directory, path) = place();
    let mut store = open(&path);
    let later = now() + SignedDuration::from_secs(5);
    let mut record = kill("a1", "2026-03-09T13:17:05Z", "app", None, None);
    record.facts = facts();
    assert_eq!(store.insert(&record, now()).unwrap(), Inserted::Added);

    record.incident.verdict.summary = "judged again".into();
    record.incident.verdict.confidence = Confidence::Certain;
    record.facts = vec![
        facts().remove(1),
        Fact::OomMark(OomMark {
            boot_ns: 5,
            tgid: 1,
            by_tgid: 3,
        }),
    ];
    assert_eq!(store.insert(&record, later).unwrap(), Inserted::Updated);

    let kept = store.incident("a1").unwrap().unwrap();
    assert_eq!(kept.incident.verdict.summary, "judged again");
    assert_eq!(
        (kept.first_seen, kept.last_updated, kept.updates),
        (now(), later, 1)
    );
    let entry = store.incidents(&Filter::default()).unwrap().remove(0);
    assert_eq!((entry.confidence.as_str(), entry.updates), ("certain", 1));
    // The same fact once, in the order of the kernel's clock.
    let stored = store.facts("a1").unwrap();
    assert_eq!(stored.len(), 3);
    assert_eq!(stored[0], record.facts[1]);
    assert_eq!(stored[1..], facts()[..]);
}

#[test]
fn a_source_that_is_read_again_does_not_undo_a_better_verdict() {
    let (_directory, path) = place();
    let mut store = open(&path);
    let plain = kill("a1", "2026-03-09T13:17:05Z", "app", None, None);
    let mut better = plain.clone();
    better.incident.verdict.confidence = Confidence::Certain;
    better.incident.verdict.summary = "better".into();
    let mut again = plain.clone();
    again.when_known = WhenKnown::KeepBetter;
    again.incident.verdict.confidence = Confidence::Probable;
    again.facts = facts();

    assert_eq!(store.insert(&again, now()).unwrap(), Inserted::Added);
    assert_eq!(store.insert(&better, now()).unwrap(), Inserted::Updated);
    assert_eq!(store.insert(&again, now()).unwrap(), Inserted::KeptBetter);
    let kept = store.incident("a1").unwrap().unwrap();
    assert_eq!(kept.incident.verdict.summary, "better");
    assert_eq!(store.facts("a1").unwrap(), facts());

    // As sure, by more evidence: taken. By less: not.
    let mut more = better.clone();
    more.when_known = WhenKnown::KeepBetter;
    more.incident.verdict.evidence.push(Cite::File {
        file: "/proc/1/comm".into(),
        field: "comm".into(),
        value: "app".into(),
    });
    assert_eq!(store.insert(&more, now()).unwrap(), Inserted::Updated);
    better.when_known = WhenKnown::KeepBetter;
    assert_eq!(store.insert(&better, now()).unwrap(), Inserted::KeptBetter);
}

#[test]
fn hostile_text_comes_back_to_the_byte() {
    let (_directory, path) = place();
    let mut store = open(&path);
    let text = "'; DROP TABLE incidents; -- \u{1b}]0;x\u{7} \0 \u{202e} %_* \"";
    let mut record = kill(
        "id",
        "2026-03-09T13:17:05Z",
        "app",
        pod(text, text, text),
        container(text, text),
    );
    record.incident.victims[0].comm = text.into();
    record.incident.verdict.summary = text.into();
    record.incident.node = Some(text.into());
    store.insert(&record, now()).unwrap();
    let kept = store.incident("id").unwrap().unwrap();
    assert_eq!(
        serde_json::to_string(&kept.incident).unwrap(),
        serde_json::to_string(&record.incident).unwrap()
    );
    let entry = store.incidents(&Filter::default()).unwrap().remove(0);
    for column in [
        entry.node,
        entry.pod,
        entry.comm,
        entry.container_id,
        Some(entry.summary),
    ] {
        assert_eq!(column.as_deref(), Some(text));
    }
    let hostile = Some(text.to_owned());
    let filter = Filter {
        pod: hostile.clone(),
        namespace: hostile.clone(),
        container: hostile.clone(),
        node: hostile,
        ..Filter::default()
    };
    assert_eq!(store.incidents(&filter).unwrap().len(), 1);
}

#[test]
fn a_document_of_several_has_cites_that_point_to_their_sources() {
    let (_directory, path) = place();
    let mut store = open(&path);
    for (id, log) in [("a", "one.log"), ("b", "two.log"), ("c", "one.log")] {
        let mut record = kill(id, "2026-03-09T13:17:05Z", "app", None, None);
        record.sources = vec![source("unused.log"), source(log)];
        for cite in &mut record.incident.verdict.evidence {
            if let Cite::Line { source, .. } = cite {
                *source = 1;
            }
        }
        store.insert(&record, now()).unwrap();
    }
    let mut kept = Vec::new();
    let filter = Filter {
        order: Order::OldestFirst,
        ..Filter::default()
    };
    store
        .each_incident(&filter, |one| {
            kept.push(one.unwrap());
            true
        })
        .unwrap();
    let document = document("whodunit 0", kept);
    assert_eq!(document.sources.len(), 3);
    for (incident, log) in document
        .incidents
        .iter()
        .zip(["one.log", "two.log", "one.log"])
    {
        let Some(Cite::Line { source, .. }) = incident.verdict.evidence.first() else {
            panic!("{:?}", incident.verdict.evidence);
        };
        assert_eq!(document.sources[*source].path.as_deref(), Some(log));
    }
}

#[test]
fn positions_and_incidents_are_stored_together_or_not_at_all() {
    let (_directory, path) = place();
    let mut store = open(&path);
    assert_eq!(store.position::<u64>("kmsg").unwrap(), None);
    let position = Position::new("kmsg", &("boot", 17_u64)).unwrap();
    let record = kill("a", "2026-03-09T13:17:05Z", "app", None, None);
    store
        .insert_all(&[record], std::slice::from_ref(&position), now())
        .unwrap();
    assert_eq!(
        store.position("kmsg").unwrap(),
        Some(("boot".to_owned(), 17_u64))
    );
    store
        .set_position(&Position::new("kmsg", &("boot", 18_u64)).unwrap(), now())
        .unwrap();
    assert_eq!(
        store.position("kmsg").unwrap(),
        Some(("boot".to_owned(), 18_u64))
    );
    let error = store.position::<u64>("kmsg").unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

#[test]
fn boots_that_ended_without_a_word_can_be_told() {
    let (_directory, path) = place();
    let mut store = open(&path);
    let at = |second| now() + SignedDuration::from_secs(second);
    store.boot_seen("first", Some("node-1"), at(0)).unwrap();
    store.boot_seen("first", None, at(10)).unwrap();
    store.boot_ends("first", None, at(20)).unwrap();
    store.boot_seen("second", Some("node-1"), at(30)).unwrap();
    store.boot_seen("second", Some("node-1"), at(40)).unwrap();
    store.boot_seen("third", Some("node-1"), at(50)).unwrap();
    let boots = store.boots().unwrap();
    let told: Vec<_> = boots
        .iter()
        .map(|boot| {
            (
                boot.boot_id.as_str(),
                boot.first_seen,
                boot.last_seen,
                boot.clean_shutdown,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("third", at(50), at(50), false),
            ("second", at(30), at(40), false),
            ("first", at(0), at(20), true)
        ]
    );
    assert!(
        boots
            .iter()
            .all(|boot| boot.node.as_deref() == Some("node-1"))
    );
}

#[test]
fn the_same_id_of_another_boot_is_another_kill() {
    let (_directory, path) = place();
    let mut store = open(&path);
    let of_boot = |boot: Option<&str>, summary: &str| {
        let mut record = kill("a1", "2026-03-09T13:17:05Z", "app", None, None);
        record.incident.boot_id = boot.map(str::to_owned);
        record.incident.verdict.summary = summary.to_owned();
        record
    };
    let mut insert = |boot, summary| store.insert(&of_boot(boot, summary), now()).unwrap();
    assert_eq!(insert(None, "boot not known"), Inserted::Added);
    assert_eq!(insert(Some("one"), "boot known now"), Inserted::Updated);
    assert_eq!(insert(Some("two"), "after a restart"), Inserted::Added);
    assert_eq!(insert(Some("one"), "more evidence"), Inserted::Updated);
    // Which one it is cannot be told: the last.
    assert_eq!(insert(None, "boot lost"), Inserted::Updated);
    let entries = store.incidents(&Filter::default()).unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.boot_id.as_deref(), entry.summary.as_str()))
        .collect();
    assert_eq!(
        told,
        [(Some("two"), "boot lost"), (Some("one"), "more evidence")]
    );
    let kept = store.incident("a").unwrap().unwrap();
    assert_eq!(kept.incident.verdict.summary, "boot lost");
}
