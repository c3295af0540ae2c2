//! What is too old or too much goes, the oldest first; then the file is made smaller. The newest incident stays.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::open::{PAGE_BYTES, log_pages, log_path};
use crate::options::Retention;

/// Inserts after which the retention runs.
const INSERTS: u32 = 64;

/// Incidents removed in one transaction at most, so that the log stays short.
const AT_ONCE: u64 = 256;

/// What was written since the retention last ran.
#[derive(Debug, Default)]
pub(crate) struct Due {
    inserts: u32,
    bytes: u64,
}

impl Due {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.inserts += 1;
        self.bytes += bytes as u64;
    }

    pub(crate) fn is_due(&self, retention: Retention) -> bool {
        let bytes = retention.max_bytes.map_or(u64::MAX, between);
        self.inserts >= INSERTS || self.bytes >= bytes
    }
}

/// Bytes written until the next look.
fn between(max_bytes: u64) -> u64 {
    max_bytes / 32
}

/// What the retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Incidents that were too old.
    pub for_age: u64,
    /// Incidents that were too much.
    pub for_size: u64,
}

/// Bytes of the file and of its write-ahead log.
pub(crate) fn bytes_on_disk(path: &Path) -> u64 {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    bytes(path) + bytes(&log_path(path))
}

pub(crate) fn retain(
    connection: &mut Connection,
    path: &Path,
    retention: Retention,
    now: Timestamp,
) -> rusqlite::Result<Removed> {
    let mut removed = Removed::default();
    if let Some(age) = retention.max_age
        && let Ok(oldest) = now.checked_sub(age)
    {
        removed.for_age = remove_older(connection, oldest)?;
    }
    if let Some(max_bytes) = retention.max_bytes {
        // Room for the log and for what comes before the next look.
        // A log that a reader holds back may become several times as long.
        let spare = 4 * log_pages(Some(max_bytes)) * PAGE_BYTES + 2 * between(max_bytes);
        let most = max_bytes.saturating_sub(spare).max(max_bytes / 4);
        removed.for_size = remove_excess(connection, most)?;
        shrink(connection, most)?;
        if bytes_on_disk(path) > most {
            // Empties the log, unless somebody reads: then it is done the next time.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
    }
    Ok(removed)
}

fn remove_older(connection: &mut Connection, oldest: Timestamp) -> rusqlite::Result<u64> {
    let mut removed = 0;
    loop {
        let gone = remove(
            connection,
            "DELETE FROM incidents WHERE number IN (
                SELECT number FROM incidents
                WHERE first_seen_us < ?1 AND number < (SELECT max(number) FROM incidents)
                ORDER BY first_seen_us LIMIT ?2)",
            (oldest.as_microsecond(), AT_ONCE),
        )?;
        removed += gone;
        if gone < AT_ONCE {
            return Ok(removed);
        }
    }
}

fn remove_excess(connection: &mut Connection, most: u64) -> rusqlite::Result<u64> {
    let mut removed = 0;
    loop {
        let used = pages(connection, "page_count")? - pages(connection, "freelist_count")?;
        let used = used * PAGE_BYTES;
        if used <= most {
            return Ok(removed);
        }
        let incidents: u64 =
            connection.query_row("SELECT count(*) FROM incidents", [], |row| row.get(0))?;
        // As if all were of one size; the loop corrects that.
        let share = incidents.saturating_mul(used - most).div_ceil(used);
        let gone = remove(
            connection,
            "DELETE FROM incidents WHERE number IN (
                SELECT number FROM incidents
                WHERE number < (SELECT max(number) FROM incidents)
                ORDER BY number LIMIT ?1)",
            (share.clamp(1, AT_ONCE),),
        )?;
        if gone == 0 {
            return Ok(removed);
        }
        removed += gone;
    }
}

fn remove(
    connection: &mut Connection,
    statement: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let gone = transaction.execute(statement, parameters)?;
    transaction.commit()?;
    Ok(gone as u64)
}

/// Gives pages back that are free and too many. Those within the limit stay, to be filled again.
fn shrink(connection: &Connection, most: u64) -> rusqlite::Result<()> {
    loop {
        let free = pages(connection, "freelist_count")?;
        let excess = pages(connection, "page_count")?.saturating_sub(most / PAGE_BYTES);
        let give_back = free.min(excess).min(AT_ONCE);
        if give_back == 0 {
            return Ok(());
        }
        // One row for each page.
        let mut statement =
            connection.prepare(&format!("PRAGMA incremental_vacuum({give_back})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        if pages(connection, "freelist_count")? >= free {
            // A file that was made without auto_vacuum cannot be made smaller this way.
            return Ok(());
        }
    }
}

fn pages(connection: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
}
