//! How far sources were read, and which boots of the machine were watched.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::query::timestamp;
use crate::record::Position;
use crate::store::Store;

/// A boot of a machine, as far as it was watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Boot {
    /// `/proc/sys/kernel/random/boot_id`
    pub boot_id: String,
    /// Host name.
    pub node: Option<String>,
    /// When watching began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub first_seen: Timestamp,
    /// The last sign of life.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_seen: Timestamp,
    /// The program was told that the machine goes down. Without it, a boot that is followed by another was lost.
    pub clean_shutdown: bool,
}

impl Store {
    /// How far the source of that name was read; none when that was never stored.
    pub fn position<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let json: Option<String> = self
            .connection
            .prepare_cached("SELECT position FROM positions WHERE name = ?1")
            .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
            .map_err(|error| self.error("read", error))?;
        let read = json.map(|json| serde_json::from_str(&json)).transpose();
        read.map_err(|source| StoreError::Unreadable {
            path: self.path().to_owned(),
            id: name.to_owned(),
            source,
        })
    }

    /// Stores how far a source was read. Together with incidents: [`Store::insert_all`].
    pub fn set_position(&mut self, position: &Position, now: Timestamp) -> Result<(), StoreError> {
        self.insert_all(&[], std::slice::from_ref(position), now)
            .map(drop)
    }

    /// A sign of life of a boot, at its start and from time to time.
    pub fn boot_seen(
        &mut self,
        boot_id: &str,
        node: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.boot(boot_id, node, false, now)
    }

    /// The machine goes down as it should.
    pub fn boot_ends(
        &mut self,
        boot_id: &str,
        node: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.boot(boot_id, node, true, now)
    }

    fn boot(
        &mut self,
        boot_id: &str,
        node: Option<&str>,
        clean_shutdown: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("write", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO boots (boot_id, node, first_seen_us, last_seen_us, clean_shutdown)
                     VALUES (?1, ?2, ?3, ?3, ?4)
                     ON CONFLICT (boot_id) DO UPDATE SET
                        node = coalesce(excluded.node, node),
                        last_seen_us = max(last_seen_us, excluded.last_seen_us),
                        clean_shutdown = excluded.clean_shutdown",
                )?
                .execute((boot_id, node, now.as_microsecond(), clean_shutdown))?;
            Ok(())
        })
    }

    /// The boots, latest first.
    pub fn boots(&self) -> Result<Vec<Boot>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Boot>> {
            self.connection
                .prepare_cached(
                    "SELECT boot_id, node, first_seen_us, last_seen_us, clean_shutdown FROM boots
                     ORDER BY first_seen_us DESC, last_seen_us DESC",
                )?
                .query_map([], boot_of)?
                .collect()
        };
        read().map_err(|error| self.error("read", error))
    }
}

fn boot_of(row: &Row<'_>) -> rusqlite::Result<Boot> {
    Ok(Boot {
        boot_id: row.get("boot_id")?,
        node: row.get("node")?,
        first_seen: timestamp(row, "first_seen_us")?,
        last_seen: timestamp(row, "last_seen_us")?,
        clean_shutdown: row.get("clean_shutdown")?,
    })
}
