//! The schema, step by step: one numbered SQL file a version, each run once and never edited after a release.
//!
//! `PRAGMA user_version` holds how many have run. All missing ones run in one transaction that takes the write lock
//! before it reads the version: two programs that open a new file at the same time must not both create its tables.

use rusqlite::{Connection, TransactionBehavior};

/// In order; the version is the number of those that have run.
const STEPS: &[&str] = &[
    include_str!("../migrations/0001-incidents.sql"),
    include_str!("../migrations/0002-facts-positions-boots.sql"),
];

/// Version of the schema that this program writes.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// Version of the file; 0 for one without a schema.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the schema to version `to` (at most [`SCHEMA_VERSION`]). Gives the version it had.
pub(crate) fn migrate(connection: &mut Connection, to: u32) -> rusqlite::Result<u32> {
    // Without the lock first: a store that needs nothing is opened without waiting for its writer.
    let before = version(connection)?;
    if before >= to {
        return Ok(before);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = version(&transaction)?;
    for step in STEPS.iter().take(to as usize).skip(before as usize) {
        transaction.execute_batch(step)?;
    }
    if before < to {
        transaction.pragma_update(None, "user_version", to)?;
    }
    transaction.commit()?;
    Ok(before)
}
