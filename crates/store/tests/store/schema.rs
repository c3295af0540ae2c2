//! Files of earlier and later versions of the program, and files of other programs.

use rusqlite::Connection;
use whodunit_store::{
    APPLICATION_ID, Filter, OnBroken, Options, SCHEMA_VERSION, Store, StoreError,
};

use crate::sample::*;

/// A file as the first version of the schema had it, with an incident that it stored.
fn first_version(path: &std::path::Path) -> String {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(include_str!("../../migrations/0001-incidents.sql"))
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let record = large();
    let incident = serde_json::to_string(&record.incident).unwrap();
    connection
        .execute(
            "INSERT INTO incidents (id, moment_us, killer, confidence, evidence, victims, summary, first_seen_us,
                last_updated_us, updates, sources, incident)
             VALUES (?1, 1000000, 'kernel-memcg', 'certain', 1, 1, 'old', 1000000, 1000000, 0, '[]', ?2)",
            (&record.incident.id, &incident),
        )
        .unwrap();
    incident
}

#[test]
fn an_old_file_is_brought_up_to_date_and_keeps_its_incidents() {
    let (_directory, path) = place();
    let incident = first_version(&path);
    let error = Store::open(&path, &Options::read_only(), now()).unwrap_err();
    assert!(
        matches!(error, StoreError::Older { found: 1, .. }),
        "{error}"
    );

    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    assert_eq!(store.opening().migrated_from, Some(1));
    assert_eq!(store.schema_version().unwrap(), SCHEMA_VERSION);
    let id = store.incidents(&Filter::default()).unwrap().remove(0).id;
    let kept = store.incident(&id).unwrap().unwrap();
    assert_eq!(serde_json::to_string(&kept.incident).unwrap(), incident);
    // What came with later versions works.
    store.boot_seen("boot", None, now()).unwrap();
    assert_eq!(store.facts(&id).unwrap(), []);
    drop(store);
    let again = Store::open(&path, &keep_all(), now()).unwrap();
    assert_eq!(again.opening().migrated_from, None);
}

#[test]
fn a_new_file_has_all_versions_and_names_its_program() {
    let (_directory, path) = place();
    let store = open(&path);
    assert_eq!(store.schema_version().unwrap(), SCHEMA_VERSION);
    assert_eq!(store.opening().migrated_from, None);
    drop(store);
    let start = std::fs::read(&path).unwrap();
    assert_eq!(start[68..72], APPLICATION_ID.to_be_bytes());
    use std::os::unix::fs::PermissionsExt;
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", path.display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let (_directory, path) = place();
    drop(open(&path));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let move_aside = Options {
        on_broken: OnBroken::MoveAside,
        ..Options::default()
    };
    for options in [move_aside, Options::read_only()] {
        let error = Store::open(&path, &options, now()).unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 99, .. }),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("version 99") && text.contains("newer whodunit"),
            "{text}"
        );
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let (directory, path) = place();
    let log = b"Mar  9 13:17:05 ip-172 kernel: a log that somebody needs\n".repeat(100);
    std::fs::write(&path, &log).unwrap();
    let other = directory.path().join("other.db");
    let connection = Connection::open(&other).unwrap();
    connection
        .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .unwrap();
    drop(connection);
    let tagged = directory.path().join("tagged.db");
    let connection = Connection::open(&tagged).unwrap();
    connection
        .execute_batch("PRAGMA application_id = 7; CREATE TABLE t (x)")
        .unwrap();
    drop(connection);
    let short = directory.path().join("short");
    std::fs::write(&short, "short\n").unwrap();
    let move_aside = Options {
        on_broken: OnBroken::MoveAside,
        ..Options::default()
    };
    for path in [&path, &other, &tagged, &short] {
        let before = std::fs::read(path).unwrap();
        for options in [&move_aside, &Options::read_only()] {
            let error = Store::open(path, options, now()).unwrap_err();
            assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        }
        assert_eq!(std::fs::read(path).unwrap(), before, "{}", path.display());
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 4);
    let error = Store::open(directory.path(), &Options::default(), now()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[test]
fn what_cannot_be_opened_says_so() {
    let (directory, path) = place();
    let error = Store::open(&path, &Options::read_only(), now()).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(!path.exists());
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Store::open(&file.join("below.db"), &Options::default(), now()).unwrap_err();
    assert!(matches!(error, StoreError::Directory { .. }), "{error}");
    // An empty file is a new one: one that ended right after making it.
    std::fs::write(&path, "").unwrap();
    let error = Store::open(&path, &Options::read_only(), now()).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    open(&path);
    // Directories on the way are made.
    open(&directory.path().join("a/b/c.db"));
}
