//! What can go wrong with a store: each error says what was tried, on which file, what came back, and what the user
//! can do. Made from SQLite's result codes in one place.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

/// Why a store could not be opened, written or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory of the file could not be made.
    #[error(
        "cannot make the directory {} for the incident store: {source}. Make it, or name another file with --store or \
         WHODUNIT_STORE",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// There is no such file, and it was to be read only.
    #[error(
        "there is no incident store at {}: nothing was recorded there yet. `whodunit watch` makes it; --store or \
         WHODUNIT_STORE name another file",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be opened.
    #[error(
        "cannot open the incident store {}: {reason}. Run as the user who owns it, or name another file with --store or \
         WHODUNIT_STORE",
        path.display()
    )]
    Denied {
        /// The file.
        path: PathBuf,
        /// What came back.
        reason: String,
    },
    /// The file, its directory or its file system cannot be written.
    #[error(
        "cannot write the incident store {}: it or its directory is read-only ({reason}). Make it writable, or name \
         another file with --store or WHODUNIT_STORE",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What came back.
        reason: String,
    },
    /// No room.
    #[error(
        "the disk of the incident store {} is full ({reason}). Make room there, or give it another place with --store or \
         WHODUNIT_STORE",
        path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What came back.
        reason: String,
    },
    /// Another program holds the lock.
    #[error(
        "the incident store {} is locked by another program, and it was not released in {waited_ms} ms. Try again, or \
         find who has it open with `fuser -v` on the file",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long was waited.
        waited_ms: u64,
    },
    /// The file is damaged.
    #[error(
        "the incident store {} is damaged ({what}). Move it and its -wal file away (or let the program do so), and a new \
         one is begun; `sqlite3 FILE .recover` may save what is left in the old one",
        path.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file is something else. It is left alone.
    #[error(
        "{} is no incident store ({what}); it was left as it is. Name another file with --store or WHODUNIT_STORE",
        path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        what: String,
    },
    /// Written by a later version of the program.
    #[error(
        "the incident store {} has schema version {found}, and this program knows up to {known}. Use the newer whodunit \
         that wrote it, or name another file with --store or WHODUNIT_STORE",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The last version known here.
        known: u32,
    },
    /// Written by an earlier version, and it was to be read only.
    #[error(
        "the incident store {} has schema version {found}, and this program reads version {known}. Open it once for \
         writing (`whodunit watch` does) to bring it up to date",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version needed.
        known: u32,
    },
    /// The file was moved, deleted or replaced while it was open.
    #[error(
        "the incident store {} was moved, deleted or replaced while it was open; what is written now would be lost. Open \
         it again",
        path.display()
    )]
    Moved {
        /// The file.
        path: PathBuf,
    },
    /// An incident in the store cannot be read by this program.
    #[error(
        "incident {id} in the store {} cannot be read by this program: {source}. A newer whodunit may have written it",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Id of the incident, or the name of the position.
        id: String,
        /// What came back.
        source: serde_json::Error,
    },
    /// Something could not be written as JSON.
    #[error("{id} cannot be written as JSON for the store: {source}")]
    Unwritable {
        /// Id of the incident, or the name of the position.
        id: String,
        /// What came back.
        source: serde_json::Error,
    },
    /// Several incidents begin with the given text.
    #[error("{prefix:?} fits {count} incidents: {}. Give more of the id", ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// Some of the ids.
        ids: Vec<String>,
        /// How many there are.
        count: u64,
    },
    /// Anything else that SQLite or the system said.
    #[error("cannot {doing} the incident store {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What came back.
        source: rusqlite::Error,
    },
    /// The file could not be moved aside.
    #[error(
        "the incident store {} is damaged, and it cannot be moved to {}: {source}. Move it away by hand",
        path.display(), to.display()
    )]
    Aside {
        /// The file.
        path: PathBuf,
        /// Where it was to go.
        to: PathBuf,
        /// What came back.
        source: io::Error,
    },
}

impl StoreError {
    /// Of SQLite's result code.
    pub(crate) fn of(
        path: &Path,
        doing: &'static str,
        waited_ms: u64,
        source: rusqlite::Error,
    ) -> Self {
        use rusqlite::Error as E;
        use rusqlite::ErrorCode as C;
        let path = path.to_owned();
        let code = match &source {
            E::SqliteFailure(code, _) => *code,
            E::SqlInputError { error, .. } => *error,
            // The schema promises these types (STRICT): a file that holds others is damaged.
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..) => {
                let what = source.to_string();
                return Self::Broken { path, what };
            }
            _ => {
                return Self::Sqlite {
                    path,
                    doing,
                    source,
                };
            }
        };
        let reason = source.to_string();
        // A full tmpfs or disk shows as a failure to lengthen the shared index of the log, too.
        if code.code == C::DiskFull || code.extended_code == ffi::SQLITE_IOERR_SHMSIZE {
            return Self::Full { path, reason };
        }
        match code.code {
            _ if code.extended_code == ffi::SQLITE_READONLY_DBMOVED => Self::Moved { path },
            C::DatabaseBusy | C::DatabaseLocked => Self::Locked { path, waited_ms },
            C::ReadOnly => Self::ReadOnly { path, reason },
            C::DatabaseCorrupt | C::NotADatabase => Self::Broken { path, what: reason },
            C::CannotOpen | C::PermissionDenied => Self::Denied { path, reason },
            _ => Self::Sqlite {
                path,
                doing,
                source,
            },
        }
    }
}
