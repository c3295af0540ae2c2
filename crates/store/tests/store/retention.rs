//! What is too old or too much goes, the oldest first.

use jiff::SignedDuration;
use whodunit_store::{Filter, Options, Removed, Retention, Store};

use crate::sample::*;

fn keeping(max_age: Option<SignedDuration>, max_bytes: Option<u64>) -> Options {
    Options {
        retention: Retention { max_age, max_bytes },
        ..Options::default()
    }
}

fn ids(store: &Store) -> Vec<u64> {
    let entries = store.incidents(&Filter::default()).unwrap();
    let mut ids: Vec<u64> = entries
        .iter()
        .map(|entry| u64::from_str_radix(&entry.id, 16).unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_is_too_old_goes_with_all_that_belongs_to_it() {
    let (_directory, path) = place();
    let day = SignedDuration::from_hours(24);
    let options = keeping(Some(day), None);
    let mut store = Store::open(&path, &options, now()).unwrap();
    let large = large();
    let at = |hours| now() + SignedDuration::from_hours(hours);
    for number in 0..5 {
        store
            .insert(&numbered(&large, number), at(10 * number as i64))
            .unwrap();
    }
    drop(store);
    // 46 hours after the first: the ones of hours 0, 10 and 20 are more than a day old.
    let mut store = Store::open(&path, &options, at(46)).unwrap();
    assert_eq!(ids(&store), [3, 4]);
    assert_eq!(store.retain(at(46)).unwrap(), Removed::default());
    // The newest stays.
    assert_eq!(
        store.retain(at(10_000)).unwrap(),
        Removed {
            for_age: 1,
            for_size: 0
        }
    );
    assert_eq!(ids(&store), [4]);
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let involved: u64 = connection
        .query_row("SELECT count(DISTINCT incident) FROM involved", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(involved, 1);
}

#[test]
fn an_old_kill_that_is_stored_today_is_kept() {
    let (_directory, path) = place();
    let mut store = Store::open(&path, &Options::default(), now()).unwrap();
    let old = kill("01", "2019-01-01T00:00:00Z", "app", None, None);
    let new = kill("02", "2026-03-09T00:00:00Z", "app", None, None);
    store.insert_all(&[old, new], &[], now()).unwrap();
    store.retain(now()).unwrap();
    assert_eq!(ids(&store), [1, 2]);
}

#[test]
fn the_files_stay_within_the_limit_and_hold_the_newest() {
    const MAX: u64 = 2 << 20;
    let (_directory, path) = place();
    let mut store = Store::open(&path, &keeping(None, Some(MAX)), now()).unwrap();
    let large = large();
    let size = serde_json::to_string(&large.incident).unwrap().len() as u64;
    let count = 4 * MAX / size;
    for number in 0..count {
        store.insert(&numbered(&large, number), now()).unwrap();
        assert!(store.take_retention_error().is_none());
        let bytes = store.bytes_on_disk();
        assert!(bytes <= MAX, "{bytes} bytes after {number} of {count}");
    }
    let left = ids(&store);
    let newest: Vec<u64> = (count - left.len() as u64..count).collect();
    assert_eq!(left, newest);
    // Not much more than needed is thrown away.
    let used = left.len() as u64 * size;
    assert!(used > MAX / 2, "{used} bytes of {MAX} used");
    assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_smaller_limit_makes_the_file_smaller() {
    let (_directory, path) = place();
    let large = large();
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    for number in 0..300 {
        store.insert(&numbered(&large, number), now()).unwrap();
    }
    let before = store.bytes_on_disk();
    drop(store);
    const MAX: u64 = 1 << 20;
    assert!(before > 2 * MAX, "{before}");
    let mut store = Store::open(&path, &keeping(None, Some(MAX)), now()).unwrap();
    assert!(store.take_retention_error().is_none());
    let after = store.bytes_on_disk();
    assert!(after <= MAX, "{before} -> {after}");
    assert_eq!(ids(&store).last(), Some(&299));
}

#[test]
fn one_incident_larger_than_the_limit_is_kept() {
    let (_directory, path) = place();
    let mut store = Store::open(&path, &keeping(None, Some(1)), now()).unwrap();
    let large = large();
    for number in 0..3 {
        store.insert(&numbered(&large, number), now()).unwrap();
        assert!(ids(&store).contains(&number));
    }
    assert_eq!(ids(&store), [2]);
}
