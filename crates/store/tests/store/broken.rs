//! Damaged files: an error that says what to do, or a new file beside the old one. Never a panic, never a wrong answer
//! taken for a right one without the check having been passed.

use std::path::{Path, PathBuf};

use whodunit_store::{Check, Filter, OnBroken, Options, Store, StoreError};

use crate::sample::*;

fn aside() -> Options {
    Options {
        on_broken: OnBroken::MoveAside,
        ..keep_all()
    }
}

/// A file with incidents, its log emptied into it.
fn sound(path: &Path) -> Vec<u8> {
    let mut store = Store::open(path, &keep_all(), now()).unwrap();
    let large = large();
    for number in 0..40 {
        store.insert(&numbered(&large, number), now()).unwrap();
    }
    drop(store);
    without_log(path);
    std::fs::read(path).unwrap()
}

fn without_log(path: &Path) {
    std::fs::remove_file(format!("{}-wal", path.display())).unwrap();
    std::fs::remove_file(format!("{}-shm", path.display())).unwrap();
}

fn set_aside(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains(".broken-"));
    paths.sort();
    paths
}

#[test]
fn a_damaged_file_is_an_error_or_moved_aside() {
    let (_directory, path) = place();
    let whole = sound(&path);
    let zeros = |range: std::ops::Range<usize>| {
        let mut bytes = whole.clone();
        bytes[range].fill(0);
        bytes
    };
    let damages: [(&str, Vec<u8>); 6] = [
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("cut inside the first page", whole[..1000].to_vec()),
        ("begins with zeros", zeros(0..8192)),
        ("all zeros", vec![0; whole.len()]),
        ("zeros in the middle", zeros(4096 * 2..4096 * 30)),
        ("the magic is gone", zeros(0..16)),
    ];
    for (name, bytes) in damages {
        let (directory, path) = place();
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(&path, &keep_all(), now()).expect_err(name);
        assert!(
            matches!(error, StoreError::Broken { .. }),
            "{name}: {error}"
        );
        let text = error.to_string();
        assert!(text.contains("-wal") && text.contains(".recover"), "{text}");
        assert_eq!(
            std::fs::read(&path).unwrap().len(),
            bytes.len(),
            "{name}: changed"
        );

        let mut store = Store::open(&path, &aside(), now()).expect(name);
        let (to, what) = store.opening().moved_aside.clone().expect(name);
        assert!(!what.is_empty());
        assert_eq!(
            to.file_name().unwrap(),
            "incidents.db.broken-20260309T131706Z"
        );
        assert_eq!(std::fs::read(&to).unwrap(), bytes, "{name}");
        assert_eq!(store.incidents(&Filter::default()).unwrap(), []);
        store.insert(&large(), now()).unwrap();
        drop(store);

        // In the same second again: the first one is not overwritten.
        without_log(&path);
        std::fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path, &aside(), now()).expect(name);
        assert!(store.opening().moved_aside.is_some());
        assert_eq!(std::fs::read(&to).unwrap(), bytes, "{name}");
        let moved = set_aside(directory.path());
        let files = moved
            .iter()
            .filter(|path| !path.to_string_lossy().ends_with("-wal"));
        assert_eq!(files.count(), 2, "{name}: {moved:?}");
    }
}

#[test]
fn flipped_bytes_never_end_the_program_and_always_leave_a_way_on() {
    let (_directory, path) = place();
    let whole = sound(&path);
    let mut numbers = Numbers::from(7);
    let mut found = 0;
    const ROUNDS: usize = 120;
    for round in 0..ROUNDS {
        let (_directory, path) = place();
        let mut bytes = whole.clone();
        // Half of them among the pages that hold the structure, which damage hits seldom otherwise.
        let reach = if round % 2 == 0 {
            bytes.len() as u64
        } else {
            4096 * 12
        };
        for _ in 0..1 + numbers.below(8) {
            let at = numbers.below(reach) as usize;
            bytes[at] ^= 1 << numbers.below(8);
        }
        std::fs::write(&path, &bytes).unwrap();
        match Store::open(&path, &keep_all(), now()) {
            Ok(store) => {
                // In the text of an incident nothing but its reader can find it.
                let _ = store.incidents(&Filter::default());
                let _ = store.each_incident(&Filter::default(), |_| true);
                let _ = store.integrity_check();
            }
            Err(error) => {
                found += 1;
                assert!(
                    matches!(
                        error,
                        StoreError::Broken { .. }
                            | StoreError::NotAStore { .. }
                            | StoreError::Newer { .. }
                            | StoreError::ReadOnly { .. }
                    ),
                    "round {round}: {error}"
                );
                if matches!(error, StoreError::Broken { .. }) {
                    let store = Store::open(&path, &aside(), now()).unwrap();
                    assert!(store.opening().moved_aside.is_some());
                }
            }
        }
    }
    assert!(
        found > ROUNDS / 8,
        "only {found} of {ROUNDS} damages were found"
    );
}

#[test]
fn the_full_check_finds_an_index_that_does_not_fit_its_table() {
    let (_directory, path) = place();
    sound(&path);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let root: u64 = connection
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'incidents_by_moment'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    // The last cell of the index's page: the last byte of a row number.
    let last = root as usize * 4096 - 1;
    bytes[last] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    let full = Options {
        check: Check::Full,
        ..keep_all()
    };
    let error = Store::open(&path, &full, now()).unwrap_err();
    assert!(matches!(error, StoreError::Broken { .. }), "{error}");
    let store = Store::open(&path, &keep_all(), now()).unwrap();
    assert_ne!(store.integrity_check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_log_of_write_ahead_that_is_damaged_loses_no_more_than_itself() {
    let (_directory, path) = place();
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    let large = large();
    store.insert(&numbered(&large, 0), now()).unwrap();
    store.sync().unwrap();
    let wal = format!("{}-wal", path.display());
    for number in 1..10 {
        store.insert(&numbered(&large, number), now()).unwrap();
    }
    let log = std::fs::read(&wal).unwrap();
    drop(store);
    std::fs::remove_file(format!("{}-shm", path.display())).unwrap();
    let mut numbers = Numbers::from(3);
    for _ in 0..20 {
        let mut bytes = log.clone();
        let at = numbers.below(bytes.len() as u64) as usize;
        bytes[at] ^= 0xff;
        std::fs::write(&wal, &bytes).unwrap();
        let copy = tempfile::tempdir().unwrap();
        let to = copy.path().join("incidents.db");
        std::fs::copy(&path, &to).unwrap();
        std::fs::write(format!("{}-wal", to.display()), &bytes).unwrap();
        let store = Store::open(&to, &keep_all(), now()).unwrap();
        let ids = store.incidents(&Filter::default()).unwrap();
        assert!(ids.iter().any(|entry| entry.id == format!("{:016x}", 0)));
        assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_store_that_was_taken_away_is_noticed() {
    let (directory, path) = place();
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    let large = large();
    store.insert(&numbered(&large, 0), now()).unwrap();
    std::fs::rename(&path, directory.path().join("rotated.db")).unwrap();
    let error = store.insert(&numbered(&large, 1), now()).unwrap_err();
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
    // Another one in its place is not it, either.
    std::fs::write(&path, "").unwrap();
    let error = store.insert(&numbered(&large, 1), now()).unwrap_err();
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
}
