//! Putting incidents in: a new id is added, a known one is brought up to date, and its evidence is gathered.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, named_params};
use serde::Serialize;
use whodunit_case::fact::Fact;
use whodunit_case::incident::{Confidence, Container, Incident, Pod, SourceInfo};

use crate::error::StoreError;
use crate::filter::code;
use crate::store::{Store, WriteError};

/// An incident with what belongs to it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The incident.
    pub incident: Incident,
    /// What its cites point into: the `sources` of the document it was part of.
    pub sources: Vec<SourceInfo>,
    /// The raw evidence. That of a known incident is kept, too; the same fact is stored once.
    pub facts: Vec<Fact>,
    /// What to do when the id is known.
    pub when_known: WhenKnown,
}

impl Record {
    /// Without raw evidence, to replace what was stored before.
    pub fn new(incident: Incident, sources: Vec<SourceInfo>) -> Self {
        Self {
            incident,
            sources,
            facts: Vec::new(),
            when_known: WhenKnown::Replace,
        }
    }
}

/// What to do with an incident that is in the store: one of the same id, and not of another boot. Ids are made of what
/// the kernel prints of a victim, which may come again after a restart of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenKnown {
    /// Take the new one: evidence was added, or judged again.
    Replace,
    /// Take the new one unless it knows less: less sure, or as sure by fewer pieces of evidence. For a source that is
    /// read again from its start.
    KeepBetter,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// Its id was new.
    Added,
    /// Its id was known, and it took the place of what was stored.
    Updated,
    /// What was stored knows more and stays; the facts were added.
    KeptBetter,
}

/// The kernel time of a fact, nanoseconds of CLOCK_BOOTTIME.
fn boot_ns(fact: &Fact) -> u64 {
    match fact {
        Fact::Signal(signal) => signal.boot_ns,
        Fact::OomMark(mark) => mark.boot_ns,
        Fact::Exit(exit) => exit.boot_ns,
        Fact::Runtime(event) => event.boot_ns,
        Fact::CgroupOom(event) => event.boot_ns,
        Fact::CgroupEmptied(event) => event.boot_ns,
    }
}

/// A place that a source was read up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Of the source.
    pub name: String,
    /// As JSON.
    pub(crate) json: String,
}

impl Position {
    /// Of anything that can be written as JSON.
    pub fn new(name: impl Into<String>, position: &impl Serialize) -> Result<Self, StoreError> {
        let name = name.into();
        match serde_json::to_string(position) {
            Ok(json) => Ok(Self { name, json }),
            Err(source) => Err(StoreError::Unwritable { id: name, source }),
        }
    }
}

impl Store {
    /// Stores one incident. After `Ok` it is there, even when the process is killed at once.
    pub fn insert(&mut self, record: &Record, now: Timestamp) -> Result<Inserted, StoreError> {
        let inserted = self.insert_all(std::slice::from_ref(record), &[], now)?;
        Ok(inserted.first().copied().unwrap_or(Inserted::Added))
    }

    /// Stores several incidents and positions: all of them, or none. A position that is stored with the incidents read
    /// before it makes a restart go on without losing or repeating one.
    pub fn insert_all(
        &mut self,
        records: &[Record],
        positions: &[Position],
        now: Timestamp,
    ) -> Result<Vec<Inserted>, StoreError> {
        let mut bytes = Vec::with_capacity(records.len());
        let inserted = self.write("write", |transaction| {
            for position in positions {
                put_position(transaction, position, now)?;
            }
            records
                .iter()
                .map(|record| {
                    let (inserted, size) = put(transaction, record, now)?;
                    bytes.push(size);
                    Ok(inserted)
                })
                .collect::<Result<Vec<_>, WriteError>>()
        })?;
        for size in bytes {
            self.due.add(size);
        }
        self.retain_when_due(now);
        Ok(inserted)
    }
}

fn put_position(
    transaction: &Transaction<'_>,
    position: &Position,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO positions (name, position, updated_us) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_us = excluded.updated_us",
    )?;
    statement
        .execute((&position.name, &position.json, now.as_microsecond()))
        .map(drop)
}

/// Gives what became of it and the bytes written.
fn put(
    transaction: &Transaction<'_>,
    record: &Record,
    now: Timestamp,
) -> Result<(Inserted, usize), WriteError> {
    let id = &record.incident.id;
    let known: Option<(i64, String, u64)> = transaction
        .prepare_cached(
            "SELECT number, confidence, evidence FROM incidents
             WHERE id = ?1 AND (boot_id = ?2 OR boot_id IS NULL OR ?2 IS NULL)
             ORDER BY boot_id IS NULL, number DESC LIMIT 1",
        )?
        .query_row((id, &record.incident.boot_id), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (number, inserted, mut bytes) = match known {
        None => {
            let bytes = put_incident(transaction, None, record, now)?;
            (transaction.last_insert_rowid(), Inserted::Added, bytes)
        }
        Some((number, confidence, evidence))
            if record.when_known == WhenKnown::KeepBetter
                && knows_more(&confidence, evidence, &record.incident) =>
        {
            (number, Inserted::KeptBetter, 0)
        }
        Some((number, ..)) => {
            let bytes = put_incident(transaction, Some(number), record, now)?;
            (number, Inserted::Updated, bytes)
        }
    };
    if inserted != Inserted::KeptBetter {
        bytes += put_involved(transaction, number, &record.incident)?;
    }
    let mut statement = transaction.prepare_cached(
        "INSERT OR IGNORE INTO facts (incident, boot_ns, fact) VALUES (?1, ?2, ?3)",
    )?;
    for fact in &record.facts {
        let json = json(id, fact)?;
        bytes += json.len();
        let at = i64::try_from(boot_ns(fact)).unwrap_or(i64::MAX);
        statement.execute((number, at, json))?;
    }
    Ok((inserted, bytes))
}

/// Whether the stored verdict is the better one. A confidence that this program does not know is left alone.
fn knows_more(confidence: &str, evidence: u64, new: &Incident) -> bool {
    let stored: Option<Confidence> =
        serde_json::from_value(serde_json::Value::String(confidence.to_owned())).ok();
    let verdict = &new.verdict;
    stored.is_none_or(|stored| {
        (stored, evidence) > (verdict.confidence, verdict.evidence.len() as u64)
    })
}

const INSERT: &str = "INSERT INTO incidents (
        number, id, moment_us, time_us, boot_time_s, boot_id, node, killer, confidence, evidence, namespace, pod, pod_uid,
        container, container_id, comm, victims, summary, first_seen_us, last_updated_us, updates, sources, incident)
    VALUES (
        :number, :id, coalesce(:time, :now), :time, :boot_time, :boot_id, :node, :killer, :confidence, :evidence, :namespace,
        :pod, :pod_uid, :container, :container_id, :comm, :victims, :summary, :now, :now, 0, :sources, :incident)";

const UPDATE: &str = "UPDATE incidents SET
        moment_us = coalesce(:time, moment_us), time_us = :time, boot_time_s = :boot_time, boot_id = coalesce(:boot_id, boot_id),
        node = :node, killer = :killer, confidence = :confidence, evidence = :evidence, namespace = :namespace,
        pod = :pod, pod_uid = :pod_uid, container = :container, container_id = :container_id, comm = :comm,
        victims = :victims, summary = :summary, last_updated_us = :now, updates = updates + 1, sources = :sources,
        incident = :incident
    WHERE number = :number AND id = :id";

fn put_incident(
    transaction: &Transaction<'_>,
    known: Option<i64>,
    record: &Record,
    now: Timestamp,
) -> Result<usize, WriteError> {
    let incident = &record.incident;
    let id = &incident.id;
    let sources = json(id, &record.sources)?;
    let json_text = json(id, incident)?;
    let pod = incident.pod.as_ref();
    let container = incident.container.as_ref();
    let victim = incident.victims.first();
    let mut statement =
        transaction.prepare_cached(if known.is_some() { UPDATE } else { INSERT })?;
    statement.execute(named_params! {
        ":number": known,
        ":id": id,
        ":now": now.as_microsecond(),
        ":time": incident.time.map(Timestamp::as_microsecond),
        ":boot_time": incident.boot_time_s,
        ":boot_id": incident.boot_id,
        ":node": incident.node,
        ":killer": code(incident.verdict.killer),
        ":confidence": code(incident.verdict.confidence),
        ":evidence": incident.verdict.evidence.len() as u64,
        ":namespace": pod.and_then(|pod| pod.namespace.as_deref()),
        ":pod": pod.and_then(|pod| pod.name.as_deref()),
        ":pod_uid": pod.and_then(|pod| pod.uid.as_deref()),
        ":container": container.and_then(|container| container.name.as_deref()),
        ":container_id": container.and_then(|container| container.id.as_deref()),
        ":comm": victim.map(|victim| victim.comm.as_str()),
        ":victims": incident.victims.len() as u64,
        ":summary": incident.verdict.summary,
        ":sources": sources,
        ":incident": json_text,
    })?;
    Ok(sources.len() + json_text.len())
}

fn put_involved(
    transaction: &Transaction<'_>,
    number: i64,
    incident: &Incident,
) -> Result<usize, WriteError> {
    transaction
        .prepare_cached("DELETE FROM involved WHERE incident = ?1")?
        .execute([number])?;
    let own = (
        -1,
        None,
        None,
        incident.pod.as_ref(),
        incident.container.as_ref(),
    );
    let victims = (0..).zip(&incident.victims).map(|(place, victim)| {
        (
            place,
            Some(victim.pid),
            Some(victim.comm.as_str()),
            victim.pod.as_ref(),
            victim.container.as_ref(),
        )
    });
    let mut statement = transaction.prepare_cached(
        "INSERT INTO involved (incident, place, pid, comm, namespace, pod, pod_uid, container, container_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut bytes = 0;
    for (place, pid, comm, pod, container) in std::iter::once(own).chain(victims) {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        bytes += 16 + comm.map_or(0, str::len);
        bytes += pod.map_or(0, |pod: &Pod| text(&pod.name) + text(&pod.uid));
        bytes += container.map_or(0, |container: &Container| text(&container.id));
        statement.execute((
            number,
            place,
            pid,
            comm,
            pod.and_then(|pod| pod.namespace.as_deref()),
            pod.and_then(|pod| pod.name.as_deref()),
            pod.and_then(|pod| pod.uid.as_deref()),
            container.and_then(|container| container.name.as_deref()),
            container.and_then(|container| container.id.as_deref()),
        ))?;
    }
    Ok(bytes)
}

fn json(id: &str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unwritable {
        id: id.to_owned(),
        source,
    })
}
