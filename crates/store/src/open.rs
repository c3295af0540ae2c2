//! From a path to a store that can be used: directory, file, locks, schema, checks. A damaged file is found here; what
//! is not a store is left as it is.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use crate::error::StoreError;
use crate::migrations::{self, SCHEMA_VERSION};
use crate::options::{Access, Check, Durability, OnBroken, Options};

/// `PRAGMA application_id` of a store: "whod".
pub const APPLICATION_ID: i32 = 0x7768_6f64;

/// Bytes of a page, SQLite's default.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Rounds of `wait / ROUNDS` for what SQLite itself does not wait for.
const ROUNDS: u32 = 100;

/// Lines of a check's complaints that an error quotes.
const COMPLAINTS: usize = 3;

/// Device and inode: which file a path meant.
pub(crate) type Identity = (u64, u64);

/// A connection, and which file it is to.
pub(crate) struct Connected {
    pub(crate) connection: Connection,
    pub(crate) identity: Identity,
    /// Schema version that the file had; 0 for a new one.
    pub(crate) version_before: u32,
}

/// What was done to open a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// Where the damaged file went, and what was wrong with it.
    pub moved_aside: Option<(PathBuf, String)>,
    /// The schema version before, when an older file was brought up to date.
    pub migrated_from: Option<u32>,
}

pub(crate) fn open(
    path: &Path,
    options: &Options,
    now: Timestamp,
) -> Result<(Connected, Opening), StoreError> {
    let may_move = options.access == Access::Write && options.on_broken == OnBroken::MoveAside;
    let mut opening = Opening::default();
    let found = identity(path);
    let connected = match connect(path, options) {
        Err(StoreError::Broken { path, what }) if may_move => {
            // Another program may have met the same damage and begun a new file already.
            if identity(&path) == found {
                let to = move_aside(&path, now)?;
                opening.moved_aside = Some((to, what));
            }
            connect(&path, options)
        }
        other => other,
    }?;
    if connected.version_before > 0 && connected.version_before < SCHEMA_VERSION {
        opening.migrated_from = Some(connected.version_before);
    }
    Ok((connected, opening))
}

/// The file that a path means now; none when there is none.
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn connect(path: &Path, options: &Options) -> Result<Connected, StoreError> {
    match options.access {
        Access::Write => connect_to_write(path, options),
        Access::Read => connect_to_read(path, options),
    }
}

fn connect_to_write(path: &Path, options: &Options) -> Result<Connected, StoreError> {
    create(path)?;
    let fail = |doing| move |error| of(path, options, doing, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail("open"))?;
    let identity = identity(path).ok_or_else(|| StoreError::Moved {
        path: path.to_owned(),
    })?;
    // SQLite is content to read where it may not write.
    if connection.is_readonly(MAIN_DB).map_err(fail("open"))? {
        return Err(StoreError::ReadOnly {
            path: path.to_owned(),
            reason: "it could be opened only to be read".to_owned(),
        });
    }
    let version_before = prepare(&connection, path, options)?;
    begin(&connection, options, version_before == 0).map_err(fail("set up"))?;
    check(&connection, path, options)?;
    migrations::migrate(&mut connection, SCHEMA_VERSION).map_err(fail("bring up to date"))?;
    Ok(Connected {
        connection,
        identity,
        version_before,
    })
}

fn connect_to_read(path: &Path, options: &Options) -> Result<Connected, StoreError> {
    let missing = || StoreError::Missing {
        path: path.to_owned(),
    };
    let identity = match fs::metadata(path) {
        Ok(metadata) => (metadata.dev(), metadata.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        Err(error) => {
            return Err(StoreError::Denied {
                path: path.to_owned(),
                reason: error.to_string(),
            });
        }
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags)
        .map_err(|error| of(path, options, "open", error))
        .and_then(|connection| {
            let version = prepare(&connection, path, options)?;
            Ok((connection, version))
        });
    let (connection, version_before) = match opened {
        // On a read-only file system SQLite cannot make the shared index of the log. Without a log there is none to
        // read, and nobody can write such a file while it is read.
        Err(StoreError::Denied { .. } | StoreError::ReadOnly { .. }) if log_is_empty(path) => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let connection = Connection::open_with_flags(immutable(path), flags)
                .map_err(|error| of(path, options, "open", error))?;
            let version = prepare(&connection, path, options)?;
            (connection, version)
        }
        other => other?,
    };
    if version_before == 0 {
        return Err(missing());
    }
    if version_before < SCHEMA_VERSION {
        return Err(StoreError::Older {
            path: path.to_owned(),
            found: version_before,
            known: SCHEMA_VERSION,
        });
    }
    check(&connection, path, options)?;
    Ok(Connected {
        connection,
        identity,
        version_before,
    })
}

/// Makes the directory and an empty file that its owner alone can read: command lines and log lines are in it.
/// SQLite gives the mode of the file to those that it puts beside it.
fn create(path: &Path) -> Result<(), StoreError> {
    if let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory);
        made.map_err(|source| StoreError::Directory {
            path: directory.to_owned(),
            source,
        })?;
    }
    // Only a new file is opened here: closing another handle of one that is open in this process would drop the
    // process's locks on it (fcntl(2), "advisory record locking").
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match file {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::metadata(path).map(|metadata| metadata.is_file()) {
                Ok(false) => Err(StoreError::NotAStore {
                    path: path.to_owned(),
                    what: "no regular file".to_owned(),
                }),
                _ => Ok(()),
            }
        }
        Err(error) => {
            let path = path.to_owned();
            let reason = error.to_string();
            Err(match error.kind() {
                io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path, reason },
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    StoreError::Full { path, reason }
                }
                _ => StoreError::Denied { path, reason },
            })
        }
    }
}

/// Settings of the connection that touch nothing in the file, and whose file it is. Gives the schema version.
fn prepare(connection: &Connection, path: &Path, options: &Options) -> Result<u32, StoreError> {
    let fail = |error| of(path, options, "read", error);
    connection.busy_timeout(options.wait).map_err(fail)?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        // The log and its index stay beside the file, so that a user who may read but not write can still open it.
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        // A statement is planned once, whatever it is asked for: else each new value plans it again.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ] {
        connection.set_db_config(setting, on).map_err(fail)?;
    }
    // 2 MiB of pages; no mapping of the file, whose truncation would end the process with SIGBUS.
    connection
        .execute_batch(
            "PRAGMA cache_size = -2048; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;",
        )
        .map_err(fail)?;
    // In this order: who makes the tables has marked the file by then.
    let tables: u64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fail)?;
    let application: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(fail)?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(StoreError::NotAStore {
            path: path.to_owned(),
            what: "an SQLite file of another program".to_owned(),
        });
    }
    let found = migrations::version(connection).map_err(fail)?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    Ok(found)
}

/// Settings that a new file gets once, and those of a connection that writes.
fn begin(connection: &Connection, options: &Options, new: bool) -> rusqlite::Result<()> {
    if new {
        // Before the first table, else it has no effect.
        patiently(connection, options, || {
            connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")
        })?;
    }
    patiently(connection, options, || {
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
    })?;
    let synchronous = match options.durability {
        Durability::ProcessDeath => "NORMAL",
        Durability::PowerCut => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // With separate upkeep, too: in a storm the log would grow faster than anybody comes by, and one long stop costs the
    // verdicts behind it more than several short ones.
    let log_pages = log_pages(options.retention.max_bytes);
    connection.query_row(
        &format!("PRAGMA wal_autocheckpoint = {log_pages}"),
        [],
        |_| Ok(()),
    )?;
    let limit = log_pages * PAGE_BYTES;
    connection.query_row(&format!("PRAGMA journal_size_limit = {limit}"), [], |_| {
        Ok(())
    })
}

/// Pages of the write-ahead log after which they are copied into the file: SQLite's 1000 (4 MiB), fewer for a store
/// that must stay small.
pub(crate) fn log_pages(max_bytes: Option<u64>) -> u64 {
    let share = max_bytes.unwrap_or(u64::MAX) / PAGE_BYTES / 32;
    share.clamp(16, 1000)
}

/// Tries again while another program holds a lock: SQLite does not wait when the journal's mode changes.
fn patiently(
    connection: &Connection,
    options: &Options,
    mut act: impl FnMut() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let mut outcome = act();
    for _ in 0..ROUNDS {
        match outcome {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(options.wait / ROUNDS);
                outcome = act();
            }
            _ => break,
        }
    }
    connection.busy_timeout(options.wait)?;
    outcome
}

fn check(connection: &Connection, path: &Path, options: &Options) -> Result<(), StoreError> {
    let full = match options.check {
        Check::None => return Ok(()),
        Check::Quick => false,
        Check::Full => true,
    };
    let complaints =
        complaints(connection, full).map_err(|error| of(path, options, "check", error))?;
    if complaints.is_empty() {
        return Ok(());
    }
    let path = path.to_owned();
    let what = complaints.join("; ");
    Err(StoreError::Broken { path, what })
}

/// The first things that SQLite finds wrong; empty for a sound file.
pub(crate) fn complaints(connection: &Connection, full: bool) -> rusqlite::Result<Vec<String>> {
    let pragma = if full {
        "PRAGMA integrity_check"
    } else {
        "PRAGMA quick_check"
    };
    let mut statement = connection.prepare(pragma)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut complaints = Vec::new();
    for line in lines.take(COMPLAINTS) {
        let line = line?;
        if line != "ok" {
            complaints.push(line);
        }
    }
    Ok(complaints)
}

/// The error of a file while it is opened. What SQLite does not know as its own may be a file of somebody's.
fn of(path: &Path, options: &Options, doing: &'static str, error: rusqlite::Error) -> StoreError {
    let waited = u64::try_from(options.wait.as_millis()).unwrap_or(u64::MAX);
    match StoreError::of(path, doing, waited, error) {
        StoreError::Broken { path, .. } if !looks_like_a_store(&path) => StoreError::NotAStore {
            path,
            what: "no SQLite file".to_owned(),
        },
        error => error,
    }
}

/// Whether a file that SQLite refuses was a store: it has SQLite's first bytes or our application id, or begins with
/// nothing but zeros, as files do after a crash of the machine. Nobody's text or image does.
fn looks_like_a_store(path: &Path) -> bool {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let mut start = [0; 100];
    let Ok(mut file) = fs::File::open(path) else {
        return false;
    };
    let read = file.read_exact(&mut start).is_ok();
    read && (start.starts_with(MAGIC)
        || start.get(68..72) == Some(&APPLICATION_ID.to_be_bytes())
        || start == [0; 100])
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn log_path(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

fn log_is_empty(path: &Path) -> bool {
    match fs::metadata(log_path(path)) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The path as a URI of a file that does not change.
fn immutable(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => {
                // Writing to a String does not fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// Renames the file and its log to `PATH.broken-TIMESTAMP` and `PATH.broken-TIMESTAMP-wal`; the log's index is of no
/// use to anybody and goes.
fn move_aside(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let stamp = now
        .to_zoned_datetime(TimeZone::UTC)
        .strftime("%Y%m%dT%H%M%SZ");
    let mut to = beside(path, &format!(".broken-{stamp}"));
    let mut again = 1;
    while fs::symlink_metadata(&to).is_ok() {
        again += 1;
        to = beside(path, &format!(".broken-{stamp}-{again}"));
    }
    let aside = |source| StoreError::Aside {
        path: path.to_owned(),
        to: to.clone(),
        source,
    };
    let there = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    // The log first: one left beside a new file would be taken for that file's own.
    there(fs::rename(log_path(path), log_path(&to))).map_err(aside)?;
    there(fs::remove_file(beside(path, "-shm"))).map_err(aside)?;
    fs::rename(path, &to).map_err(aside)?;
    Ok(to)
}
