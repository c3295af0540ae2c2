//! Asking for incidents: as entries of a list, which come from indexed columns, or whole, as they were stored.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params_from_iter};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use whodunit_case::fact::Fact;
use whodunit_case::incident::{Cite, Document, Incident, Killer, SCHEMA, SourceInfo};

use crate::error::StoreError;
use crate::filter::Filter;
use crate::store::Store;

/// Ids that an error about several quotes.
const IDS_QUOTED: usize = 5;

/// An incident in a list. Text from the log is hostile: escape before printing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Of the incident.
    pub id: String,
    /// When it happened; null when the source had no wall clock.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub time: Option<Timestamp>,
    /// Seconds since boot as the kernel prints them.
    pub boot_time_s: Option<f64>,
    /// Of the machine's boot.
    pub boot_id: Option<String>,
    /// Host name.
    pub node: Option<String>,
    /// Code of the killer; [`Entry::killer`] reads it.
    #[serde(rename = "killer")]
    pub killer_code: String,
    /// Code of the confidence: `certain`, `probable`, `possible`, `unknown`.
    pub confidence: String,
    /// Namespace of the first victim's pod.
    pub namespace: Option<String>,
    /// Its name.
    pub pod: Option<String>,
    /// Its uid.
    pub pod_uid: Option<String>,
    /// Name of the first victim's container.
    pub container: Option<String>,
    /// Its id.
    pub container_id: Option<String>,
    /// Name of the first victim.
    pub comm: Option<String>,
    /// Processes that died.
    pub victims: u64,
    /// The verdict in one sentence.
    pub summary: String,
    /// When it was first stored.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub first_seen: Timestamp,
    /// When it was last stored.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_updated: Timestamp,
    /// How often it was stored after the first time.
    pub updates: u64,
}

impl Entry {
    /// None for a killer that only a newer program knows.
    pub fn killer(&self) -> Option<Killer> {
        serde_json::from_value(serde_json::Value::String(self.killer_code.clone())).ok()
    }
}

/// A whole incident from the store.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// As it was stored last.
    pub incident: Incident,
    /// What its cites point into.
    pub sources: Vec<SourceInfo>,
    /// When it was first stored.
    pub first_seen: Timestamp,
    /// When it was last stored.
    pub last_updated: Timestamp,
    /// How often it was stored after the first time.
    pub updates: u64,
}

/// One document of several incidents: their sources are joined, and the cites point into the joined list.
pub fn document(tool: impl Into<String>, kept: impl IntoIterator<Item = Kept>) -> Document {
    let mut document = Document {
        schema: SCHEMA,
        tool: tool.into(),
        sources: Vec::new(),
        incidents: Vec::new(),
        warnings: Vec::new(),
    };
    for mut kept in kept {
        let places: Vec<usize> = kept
            .sources
            .drain(..)
            .map(|source| place(&mut document.sources, source))
            .collect();
        for cite in cites(&mut kept.incident) {
            if let Cite::Line { source, .. } = cite
                && let Some(place) = places.get(*source)
            {
                *source = *place;
            }
        }
        document.incidents.push(kept.incident);
    }
    document
}

fn place(sources: &mut Vec<SourceInfo>, source: SourceInfo) -> usize {
    match sources.iter().position(|known| *known == source) {
        Some(place) => place,
        None => {
            sources.push(source);
            sources.len() - 1
        }
    }
}

fn cites(incident: &mut Incident) -> impl Iterator<Item = &mut Cite> {
    let verdict = &mut incident.verdict;
    let ruled_out = verdict.ruled_out.iter_mut();
    let findings = incident.findings.iter_mut();
    verdict
        .evidence
        .iter_mut()
        .chain(ruled_out.flat_map(|cleared| cleared.evidence.iter_mut()))
        .chain(findings.flat_map(|finding| finding.evidence.iter_mut()))
}

const ENTRY: &str = "SELECT id, time_us, boot_time_s, boot_id, node, killer, confidence, namespace, pod, pod_uid,
    container, container_id, comm, victims, summary, first_seen_us, last_updated_us, updates FROM incidents";

const KEPT: &str =
    "SELECT id, first_seen_us, last_updated_us, updates, sources, incident FROM incidents";

impl Store {
    /// A list of incidents.
    pub fn incidents(&self, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
        let (conditions, values) = filter.sql();
        let read = || -> rusqlite::Result<Vec<Entry>> {
            self.connection
                .prepare_cached(&format!("{ENTRY}{conditions}"))?
                .query_map(params_from_iter(values), entry)?
                .collect()
        };
        read().map_err(|error| self.error("read", error))
    }

    /// Whole incidents, one at a time, so that memory does not grow with their number. One that this program cannot
    /// read comes as [`StoreError::Unreadable`], and the others go on. `take` ends it with false. The store's log cannot
    /// be emptied meanwhile: a `take` that waits for a person lets it grow.
    pub fn each_incident(
        &self,
        filter: &Filter,
        mut take: impl FnMut(Result<Kept, StoreError>) -> bool,
    ) -> Result<(), StoreError> {
        let (conditions, values) = filter.sql();
        let read = || {
            let mut statement = self
                .connection
                .prepare_cached(&format!("{KEPT}{conditions}"))?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                if !take(self.kept(row)?) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|error| self.error("read", error))
    }

    /// The incident of that id, or the only one whose id begins so; of several boots, the one stored last. None when
    /// there is none; several ids are an error.
    pub fn incident(&self, id: &str) -> Result<Option<Kept>, StoreError> {
        let Some(id) = self.whole_id(id)? else {
            return Ok(None);
        };
        let read = || {
            self.connection
                .prepare_cached(&format!(
                    "{KEPT} WHERE id = ?1 ORDER BY number DESC LIMIT 1"
                ))?
                .query_row([&id], |row| self.kept(row))
                .optional()
        };
        read()
            .map_err(|error| self.error("read", error))?
            .transpose()
    }

    /// The raw evidence of the incident of that (whole) id, in the order it happened.
    pub fn facts(&self, id: &str) -> Result<Vec<Fact>, StoreError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            self.connection
                .prepare_cached(
                    "SELECT fact FROM facts WHERE incident = (SELECT max(number) FROM incidents WHERE id = ?1)
                     ORDER BY boot_ns, fact",
                )?
                .query_map([id], |row| row.get(0))?
                .collect()
        };
        let facts = read().map_err(|error| self.error("read", error))?;
        facts.iter().map(|json| self.read(id, json)).collect()
    }

    fn whole_id(&self, prefix: &str) -> Result<Option<String>, StoreError> {
        if prefix.is_empty() {
            return Ok(None);
        }
        let read = || -> rusqlite::Result<Vec<String>> {
            // No text that begins with the prefix sorts after the prefix and the last character there is.
            let last = format!("{prefix}{}", char::MAX);
            self.connection
                .prepare_cached(
                    "SELECT DISTINCT id FROM incidents WHERE id >= ?1 AND id <= ?2 ORDER BY id",
                )?
                .query_map([prefix, &last], |row| row.get(0))?
                .collect()
        };
        let mut ids = read().map_err(|error| self.error("read", error))?;
        if ids.first().is_some_and(|id| id == prefix) {
            return Ok(Some(prefix.to_owned()));
        }
        if ids.len() < 2 {
            return Ok(ids.pop());
        }
        let count = ids.len() as u64;
        ids.truncate(IDS_QUOTED);
        Err(StoreError::Ambiguous {
            prefix: prefix.to_owned(),
            ids,
            count,
        })
    }

    fn kept(&self, row: &Row<'_>) -> rusqlite::Result<Result<Kept, StoreError>> {
        let id: String = row.get("id")?;
        let sources: String = row.get("sources")?;
        let incident: String = row.get("incident")?;
        let first_seen = timestamp(row, "first_seen_us")?;
        let last_updated = timestamp(row, "last_updated_us")?;
        let updates = row.get("updates")?;
        let read = || {
            Ok(Kept {
                incident: self.read(&id, &incident)?,
                sources: self.read(&id, &sources)?,
                first_seen,
                last_updated,
                updates,
            })
        };
        Ok(read())
    }

    fn read<T: DeserializeOwned>(&self, id: &str, json: &str) -> Result<T, StoreError> {
        serde_json::from_str(json).map_err(|source| StoreError::Unreadable {
            path: self.path().to_owned(),
            id: id.to_owned(),
            source,
        })
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get("id")?,
        time: optional_timestamp(row, "time_us")?,
        boot_time_s: row.get("boot_time_s")?,
        boot_id: row.get("boot_id")?,
        node: row.get("node")?,
        killer_code: row.get("killer")?,
        confidence: row.get("confidence")?,
        namespace: row.get("namespace")?,
        pod: row.get("pod")?,
        pod_uid: row.get("pod_uid")?,
        container: row.get("container")?,
        container_id: row.get("container_id")?,
        comm: row.get("comm")?,
        victims: row.get("victims")?,
        summary: row.get("summary")?,
        first_seen: timestamp(row, "first_seen_us")?,
        last_updated: timestamp(row, "last_updated_us")?,
        updates: row.get("updates")?,
    })
}

pub(crate) fn timestamp(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    of_microseconds(row.get(column)?)
}

fn optional_timestamp(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let us: Option<i64> = row.get(column)?;
    us.map(of_microseconds).transpose()
}

pub(crate) fn of_microseconds(us: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(us).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error))
    })
}
