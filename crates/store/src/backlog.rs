//! Incidents that could not be stored wait here, in bounded memory, and are tried again: watching goes on while the
//! disk is full or the file is locked. What does not fit is dropped, the oldest first, and counted.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use whodunit_case::incident::Incident;

use crate::error::StoreError;
use crate::record::{Position, Record};
use crate::store::Store;

/// Records that wait at most, if nothing else is said. One with a task table of 500 rows takes about 100 kB, so that
/// they stay within tens of megabytes.
pub const BACKLOG_MAX: usize = 256;

/// Records stored in one transaction.
const AT_ONCE: usize = 64;

/// Incidents on their way into a store, in order.
#[derive(Debug)]
pub struct Backlog {
    most: usize,
    records: VecDeque<Record>,
    positions: BTreeMap<String, Position>,
    counts: BacklogCounts,
}

/// What became of the records of a [`Backlog`] since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BacklogCounts {
    /// Stored.
    pub stored: u64,
    /// Waiting.
    pub waiting: u64,
    /// Lost to the store: there were too many, or they could not be written as JSON.
    pub dropped: u64,
}

impl Backlog {
    /// Holds at most so many records; at least one.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            records: VecDeque::new(),
            positions: BTreeMap::new(),
            counts: BacklogCounts::default(),
        }
    }

    /// Stores what waits and this record after it. When that fails (or there is no store), the record is held.
    /// `Ok(true)`: all is stored, and may be told so. `Ok(false)`: held for want of a store.
    pub fn insert_or_hold(
        &mut self,
        store: Option<&mut Store>,
        record: Record,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.hold(record);
        match store {
            Some(store) => self.retry(store, now).map(|()| true),
            None => Ok(false),
        }
    }

    /// Keeps a record for the next try. It takes the place of one of the same kill that waits.
    pub fn hold(&mut self, mut record: Record) {
        let same = |waiting: &&mut Record| same_kill(&waiting.incident, &record.incident);
        if let Some(waiting) = self.records.iter_mut().find(same) {
            let mut facts = std::mem::take(&mut waiting.facts);
            facts.retain(|fact| !record.facts.contains(fact));
            record.facts.splice(..0, facts);
            *waiting = record;
            return;
        }
        self.records.push_back(record);
        while self.records.len() > self.most {
            self.records.pop_front();
            self.counts.dropped += 1;
        }
    }

    /// Keeps a position. It is stored when the records before it are, so that a program which ends with records
    /// waiting reads them again.
    pub fn hold_position(&mut self, position: Position) {
        self.positions.insert(position.name.clone(), position);
    }

    /// Stores what waits. On an error the rest goes on waiting.
    pub fn retry(&mut self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        while !self.records.is_empty() || !self.positions.is_empty() {
            let count = self.records.len().min(AT_ONCE);
            let last = count == self.records.len();
            let positions: Vec<Position> = if last {
                self.positions.values().cloned().collect()
            } else {
                Vec::new()
            };
            let records = self.records.make_contiguous();
            let batch = records.get(..count).unwrap_or(records);
            match store.insert_all(batch, &positions, now) {
                Ok(_) => {
                    self.records.drain(..count);
                    self.counts.stored += count as u64;
                    if last {
                        self.positions.clear();
                    }
                }
                // Such a record would fail again, and hold up the others.
                Err(StoreError::Unwritable { id, source }) => {
                    self.records.retain(|record| record.incident.id != id);
                    self.counts.dropped += 1;
                    return Err(StoreError::Unwritable { id, source });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What became of the records so far.
    pub fn counts(&self) -> BacklogCounts {
        BacklogCounts {
            waiting: self.records.len() as u64,
            ..self.counts
        }
    }
}

/// As the store has it: the same id, and not of different boots.
fn same_kill(one: &Incident, other: &Incident) -> bool {
    one.id == other.id
        && (one.boot_id == other.boot_id || one.boot_id.is_none() || other.boot_id.is_none())
}
