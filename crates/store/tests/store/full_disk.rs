//! A disk without room, for real: a small tmpfs. Needs root.

use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use whodunit_store::{Backlog, Filter, Options, Store, StoreError};

use crate::sample::*;

/// A file system of its own in a directory, until dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(self.path(), UnmountFlags::DETACH).unwrap();
    }
}

/// None, loudly, for a user who may not mount; a failure where the lab is required.
fn disk(bytes: u64) -> Option<Disk> {
    let directory = tempfile::tempdir().unwrap();
    let options = std::ffi::CString::new(format!("size={bytes},mode=0700")).unwrap();
    match mount(
        "tmpfs",
        directory.path(),
        "tmpfs",
        MountFlags::empty(),
        Some(options.as_c_str()),
    ) {
        Ok(()) => Some(Disk(directory)),
        Err(error) => {
            let required =
                std::env::var_os("WHODUNIT_REQUIRE_LAB").is_some_and(|value| value == "1");
            assert!(!required, "cannot mount a tmpfs: {error}");
            eprintln!(
                "NOT RUN: the test of a full disk, as no tmpfs can be mounted: {error} (run it as root)"
            );
            None
        }
    }
}

/// Fills the rest of the file system, but for some bytes.
fn ballast(disk: &Disk, spare: u64) -> PathBuf {
    let path = disk.path().join("ballast");
    let free = {
        let stat = rustix::fs::statvfs(disk.path()).unwrap();
        stat.f_bavail * stat.f_bsize
    };
    std::fs::write(&path, vec![0; usize::try_from(free - spare).unwrap()]).unwrap();
    path
}

#[test]
fn a_full_disk_is_said_and_what_waits_is_stored_when_there_is_room() {
    let Some(disk) = disk(8 << 20) else { return };
    let path = disk.path().join("incidents.db");
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    let ballast = ballast(&disk, 256 << 10);
    let large = large();
    let mut backlog = Backlog::new(1000);
    let mut stored = 0;
    let mut full = 0;
    for number in 0..100 {
        match backlog.insert_or_hold(Some(&mut store), numbered(&large, number), now()) {
            Ok(all) => {
                assert!(all);
                assert_eq!(full, 0, "stored {number} on a full disk");
                stored += 1;
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Full { .. }), "{error}");
                let text = error.to_string();
                assert!(
                    text.contains(path.to_str().unwrap()) && text.contains("Make room"),
                    "{text}"
                );
                full += 1;
            }
        }
    }
    assert!(stored > 0 && full > 0, "{stored} stored, {full} not");
    assert_eq!(backlog.counts().waiting, full);
    // What was stored can be read meanwhile, also by another.
    let reader = Store::open(&path, &Options::read_only(), now()).unwrap();
    assert_eq!(
        reader.incidents(&Filter::default()).unwrap().len() as u64,
        stored
    );
    drop(reader);

    std::fs::remove_file(ballast).unwrap();
    backlog.retry(&mut store, now()).unwrap();
    assert_eq!(backlog.counts().waiting, 0);
    assert_eq!(store.incidents(&Filter::default()).unwrap().len(), 100);
    assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_new_store_on_a_full_disk_is_an_error() {
    let Some(disk) = disk(1 << 20) else { return };
    let ballast = ballast(&disk, 0);
    let path = disk.path().join("incidents.db");
    let error = Store::open(&path, &keep_all(), now()).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    // What was begun does not stand in the way later.
    std::fs::remove_file(ballast).unwrap();
    Store::open(&path, &keep_all(), now()).unwrap();
}

#[test]
fn a_read_only_file_system_can_be_asked_and_not_written() {
    let Some(disk) = disk(8 << 20) else { return };
    let path = disk.path().join("incidents.db");
    let mut store = Store::open(&path, &keep_all(), now()).unwrap();
    store.insert(&large(), now()).unwrap();
    let log = |suffix: &str| disk.path().join(format!("incidents.db{suffix}"));
    let read_only = || mount_remount(disk.path(), MountFlags::RDONLY, "").unwrap();
    let writable = || mount_remount(disk.path(), MountFlags::empty(), "").unwrap();
    let asked = || {
        let reader = Store::open(&path, &Options::read_only(), now()).unwrap();
        reader.incidents(&Filter::default()).unwrap().len()
    };
    drop(store);
    // With the log and its index left behind, with neither.
    read_only();
    assert_eq!(asked(), 1);
    let error = Store::open(&path, &keep_all(), now()).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let error = Store::open(&disk.path().join("new.db"), &keep_all(), now()).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    writable();
    Store::open(&path, &keep_all(), now())
        .unwrap()
        .sync()
        .unwrap();
    std::fs::remove_file(log("-wal")).unwrap();
    std::fs::remove_file(log("-shm")).unwrap();
    read_only();
    assert_eq!(asked(), 1);
    writable();
}
