//! An open store: the connection, what a write means, upkeep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::migrations;
use crate::open::{self, Identity, Opening};
use crate::options::{Access, Options, Upkeep};
use crate::retention::{self, Due, Removed};

/// Incidents in one SQLite file.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
    path: PathBuf,
    identity: Identity,
    options: Options,
    opening: Opening,
    pub(crate) due: Due,
    retention_error: Option<StoreError>,
}

impl Store {
    /// Opens the store at `path`; for writing it is made when it is not there. `now` dates what is too old to keep and
    /// the name of a damaged file that is moved aside.
    ///
    /// Fails when the file cannot be used: see [`StoreError`].
    pub fn open(path: &Path, options: &Options, now: Timestamp) -> Result<Self, StoreError> {
        let (connected, opening) = open::open(path, options, now)?;
        let mut store = Self {
            connection: connected.connection,
            path: path.to_owned(),
            identity: connected.identity,
            options: options.clone(),
            opening,
            due: Due::default(),
            retention_error: None,
        };
        if options.access == Access::Write {
            store.retention_error = store.retain(now).err();
        }
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was done to open it.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Version of the schema in the file.
    pub fn schema_version(&self) -> Result<u32, StoreError> {
        migrations::version(&self.connection).map_err(|error| self.error("read", error))
    }

    /// Bytes on disk, the write-ahead log included.
    pub fn bytes_on_disk(&self) -> u64 {
        retention::bytes_on_disk(&self.path)
    }

    /// Looks through the whole file, indexes against tables as well, and gives the first things that are wrong; empty
    /// for a sound file. Takes about a second for 256 MiB.
    pub fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        open::complaints(&self.connection, true).map_err(|error| self.error("check", error))
    }

    /// Brings what is committed onto the disk, so that a power cut or a panic of the kernel does not lose it either.
    /// Waits for the disk: for quiet moments, and before the program ends.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|error| self.error("sync", error))
    }

    /// Removes what is too old or too much, by the options' [`crate::Retention`]. Done on opening and every few
    /// inserts, too.
    pub fn retain(&mut self, now: Timestamp) -> Result<Removed, StoreError> {
        self.is_writable()?;
        self.due = Due::default();
        let retention = self.options.retention;
        retention::retain(&mut self.connection, &self.path, retention, now)
            .map_err(|error| self.error("shrink", error))
    }

    /// What is to be done from time to time: the retention, and [`Store::sync`]. See [`Upkeep::Separate`].
    pub fn upkeep(&mut self, now: Timestamp) -> Result<Removed, StoreError> {
        let removed = self.retain(now)?;
        self.sync()?;
        Ok(removed)
    }

    /// Why old incidents could not be removed the last time; once. What was inserted is stored nonetheless.
    pub fn take_retention_error(&mut self) -> Option<StoreError> {
        self.retention_error.take()
    }

    /// Runs the retention when enough was written since.
    pub(crate) fn retain_when_due(&mut self, now: Timestamp) {
        if self.options.upkeep == Upkeep::WithInserts && self.due.is_due(self.options.retention) {
            self.retention_error = self.retain(now).err();
        }
    }

    /// Does something in one transaction; after `Ok` it is stored. The lock for writing is taken at its start.
    pub(crate) fn write<T>(
        &mut self,
        doing: &'static str,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, WriteError>,
    ) -> Result<T, StoreError> {
        self.is_writable()?;
        // SQLite goes on writing into a file that was deleted, and nobody would ever find it there.
        if open::identity(&self.path) != Some(self.identity) {
            return Err(StoreError::Moved {
                path: self.path.clone(),
            });
        }
        let written = || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = act(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        written().map_err(|error| match error {
            WriteError::Sqlite(error) => self.error(doing, error),
            WriteError::Store(error) => error,
        })
    }

    fn is_writable(&self) -> Result<(), StoreError> {
        match self.options.access {
            Access::Write => Ok(()),
            Access::Read => Err(StoreError::ReadOnly {
                path: self.path.clone(),
                reason: "it was opened to be read".to_owned(),
            }),
        }
    }

    pub(crate) fn error(&self, doing: &'static str, error: rusqlite::Error) -> StoreError {
        let waited = u64::try_from(self.options.wait.as_millis()).unwrap_or(u64::MAX);
        StoreError::of(&self.path, doing, waited, error)
    }
}

/// Empties the log into the file, so that the file alone holds everything after an orderly end. Nothing depends on it:
/// whoever opens the store next reads the log.
impl Drop for Store {
    fn drop(&mut self) {
        if self.options.access == Access::Write {
            // A reader that holds the log back is not waited for.
            let _ = self.connection.busy_timeout(Duration::ZERO);
            let _ = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// Why a transaction was given up.
pub(crate) enum WriteError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
