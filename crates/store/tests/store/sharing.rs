//! Several programs with one file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use whodunit_store::{Filter, Options, Store, StoreError, Upkeep};

use crate::sample::*;

#[test]
fn two_write_at_the_same_time_and_nothing_is_lost() {
    const EACH: u64 = 150;
    let (_directory, path) = place();
    let options = Options {
        wait: Duration::from_secs(30),
        ..keep_all()
    };
    let large = large();
    std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (path, options, large) = (&path, &options, &large);
            scope.spawn(move || {
                let mut store = Store::open(path, options, now()).unwrap();
                for number in 0..EACH {
                    let record = numbered(large, writer << 32 | number);
                    store.insert(&record, now()).unwrap();
                }
            });
        }
    });
    let store = open(&path);
    assert_eq!(
        store.incidents(&Filter::default()).unwrap().len() as u64,
        2 * EACH
    );
    assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
}

#[test]
fn several_open_a_new_file_at_the_same_time() {
    let options = Options {
        wait: Duration::from_secs(30),
        ..keep_all()
    };
    for _ in 0..10 {
        let (_directory, path) = place();
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    Store::open(&path, &options, now()).unwrap();
                });
            }
        });
        assert_eq!(open(&path).integrity_check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn it_can_be_asked_while_it_is_written() {
    let (_directory, path) = place();
    let large = large();
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    let done = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut asked = 0;
            let mut last = 0;
            while !done.load(Ordering::Relaxed) || asked == 0 {
                let reader = Store::open(&path, &Options::read_only(), now()).unwrap();
                let count = reader.incidents(&Filter::default()).unwrap().len();
                assert!(count >= last, "{count} after {last}");
                last = count;
                asked += 1;
            }
            asked
        });
        for number in 0..300 {
            store.insert(&numbered(&large, number), now()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(asked > 3, "asked {asked} times");
    let mut reader = Store::open(&path, &Options::read_only(), now()).unwrap();
    let error = reader.insert(&large, now()).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let error = reader.retain(now()).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn a_lock_that_is_not_released_is_an_error_after_a_while() {
    let (_directory, path) = place();
    let options = Options {
        wait: Duration::from_millis(200),
        ..keep_all()
    };
    let mut store = Store::open(&path, &options, now()).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let error = store.insert(&large(), now()).unwrap_err();
    assert!(
        matches!(error, StoreError::Locked { waited_ms: 200, .. }),
        "{error}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(150));
    // Asking goes on, and so does opening.
    assert_eq!(store.incidents(&Filter::default()).unwrap(), []);
    Store::open(&path, &Options::read_only(), now()).unwrap();
    Store::open(&path, &options, now()).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    other.execute_batch("ROLLBACK").unwrap();
    store.insert(&large(), now()).unwrap();
}

#[test]
fn upkeep_beside_the_inserts_keeps_the_file_small_and_disturbs_none() {
    const MAX: u64 = 4 << 20;
    let (_directory, path) = place();
    let mut options = keep_all();
    options.wait = Duration::from_secs(30);
    options.retention.max_bytes = Some(MAX);
    options.upkeep = Upkeep::Separate;
    let large = large();
    let size = serde_json::to_string(&large.incident).unwrap().len() as u64;
    let count = 3 * MAX / size;
    let mut store = Store::open(&path, &options, now()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            let mut keeper = Store::open(&path, &options, now()).unwrap();
            let mut removed = 0;
            loop {
                let last = done.load(Ordering::Relaxed);
                removed += keeper.upkeep(now()).unwrap().for_size;
                if last {
                    return removed;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for number in 0..count {
            store.insert(&numbered(&large, number), now()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(keeper.join().unwrap() > 0);
    });
    assert!(store.bytes_on_disk() <= MAX, "{}", store.bytes_on_disk());
    let entries = store.incidents(&Filter::default()).unwrap();
    assert!(
        entries
            .iter()
            .any(|entry| entry.id == format!("{:016x}", count - 1))
    );
    assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
}

#[test]
fn what_a_killed_program_left_behind_can_be_asked_at_once() {
    let (_directory, path) = place();
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    store.insert(&large(), now()).unwrap();
    // As it lies on the disk after SIGKILL: what was stored is in the log alone, and its index is of no boot's.
    let (_copies, copy) = place();
    std::fs::copy(&path, &copy).unwrap();
    let log = |path: &std::path::Path| format!("{}-wal", path.display());
    std::fs::copy(log(&path), log(&copy)).unwrap();
    let reader = Store::open(&copy, &Options::read_only(), now()).unwrap();
    assert_eq!(reader.incidents(&Filter::default()).unwrap().len(), 1);
    drop(reader);
    // A reader leaves the log to the writer.
    let reader = Store::open(&copy, &Options::read_only(), now()).unwrap();
    assert_eq!(reader.incidents(&Filter::default()).unwrap().len(), 1);
}
