//! Incidents wait while the store cannot be written.

use std::time::Duration;

use whodunit_case::fact::{Fact, OomMark};
use whodunit_store::{Backlog, BacklogCounts, Filter, Options, Position, Store, StoreError};

use crate::sample::*;

#[test]
fn what_could_not_be_stored_is_stored_later_in_order() {
    let (_directory, path) = place();
    let options = Options {
        wait: Duration::from_millis(20),
        ..keep_all()
    };
    let mut store = Store::open(&path, &options, now()).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut backlog = Backlog::new(100);
    let large = large();
    for number in 0..3 {
        backlog.hold_position(Position::new("kmsg", &number).unwrap());
        let error = backlog
            .insert_or_hold(Some(&mut store), numbered(&large, number), now())
            .unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }
    assert!(
        !backlog
            .insert_or_hold(None, numbered(&large, 3), now())
            .unwrap()
    );
    assert_eq!(
        backlog.counts(),
        BacklogCounts {
            stored: 0,
            waiting: 4,
            dropped: 0
        }
    );
    assert_eq!(store.position::<u64>("kmsg").unwrap(), None);
    other.execute_batch("ROLLBACK").unwrap();
    assert!(
        backlog
            .insert_or_hold(Some(&mut store), numbered(&large, 4), now())
            .unwrap()
    );
    assert_eq!(
        backlog.counts(),
        BacklogCounts {
            stored: 5,
            waiting: 0,
            dropped: 0
        }
    );
    assert_eq!(store.incidents(&Filter::default()).unwrap().len(), 5);
    assert_eq!(store.position::<u64>("kmsg").unwrap(), Some(2));
}

#[test]
fn it_is_bounded_and_counts_what_it_drops() {
    let (_directory, path) = place();
    let mut backlog = Backlog::new(150);
    let large = large();
    for number in 0..200 {
        backlog
            .insert_or_hold(None, numbered(&large, number), now())
            .unwrap();
    }
    assert_eq!(
        backlog.counts(),
        BacklogCounts {
            stored: 0,
            waiting: 150,
            dropped: 50
        }
    );
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    backlog.retry(&mut store, now()).unwrap();
    assert_eq!(
        backlog.counts(),
        BacklogCounts {
            stored: 150,
            waiting: 0,
            dropped: 50
        }
    );
    let entries = store.incidents(&Filter::default()).unwrap();
    assert_eq!(entries.len(), 150);
    assert!(
        entries
            .iter()
            .all(|entry| u64::from_str_radix(&entry.id, 16).unwrap() >= 50)
    );
}

#[test]
fn a_newer_version_of_one_that_waits_takes_its_place_and_its_facts() {
    let (_directory, path) = place();
    let mark = |boot_ns| {
        Fact::OomMark(OomMark {
            boot_ns,
            tgid: 1,
            by_tgid: 2,
        })
    };
    let mut backlog = Backlog::new(10);
    let mut record = kill("a", "2026-03-09T13:17:05Z", "app", None, None);
    record.facts = vec![mark(1), mark(2)];
    backlog.insert_or_hold(None, record.clone(), now()).unwrap();
    record.facts = vec![mark(2), mark(3)];
    record.incident.verdict.summary = "newer".into();
    backlog.insert_or_hold(None, record, now()).unwrap();
    assert_eq!(backlog.counts().waiting, 1);
    let mut store = open(&path);
    backlog.retry(&mut store, now()).unwrap();
    assert_eq!(
        store
            .incident("a")
            .unwrap()
            .unwrap()
            .incident
            .verdict
            .summary,
        "newer"
    );
    assert_eq!(store.facts("a").unwrap(), [mark(1), mark(2), mark(3)]);
}
