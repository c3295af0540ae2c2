//! A bounded memory of past kills: whether a kill was read before in another place, and what was killed before it.
//!
//! Holds at most the number of kills it was made for, forgets the one used longest ago, reads no clock.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use smol_str::{SmolStr, format_smolstr};

use crate::incident::Incident;

/// What is kept of a kill.
#[derive(Debug, Clone, PartialEq)]
pub struct PastKill {
    /// Id of the incident.
    pub id: SmolStr,
    /// Microseconds since boot.
    pub boot_us: Option<u64>,
    /// Wall clock.
    pub time: Option<Timestamp>,
    /// Year or zone of `time` were assumed.
    pub time_assumed: bool,
    /// Host name.
    pub node: Option<SmolStr>,
    /// Boot, where the log carries it.
    pub boot_id: Option<SmolStr>,
    /// Which boot of its source, where only the boot clock tells.
    pub boot_ordinal: Option<u32>,
    /// Where it was read: `path:line`.
    pub place: SmolStr,
    /// What is killed again when it is killed again: see [`container_key`].
    pub container_key: Option<SmolStr>,
    /// Name of the first victim.
    pub comm: SmolStr,
    /// Its anonymous memory.
    pub anon_rss_kib: Option<u64>,
    /// Usage of the cgroup whose limit was hit.
    pub usage_kib: Option<u64>,
}

/// Whose boot clock a time is of.
#[derive(Debug, Clone, Copy)]
pub struct Boot<'a> {
    /// Its id, where the log carries it.
    pub id: Option<&'a str>,
    /// Path of the source it was read in.
    pub source: Option<&'a str>,
    /// Which boot of that source, where only the boot clock tells.
    pub ordinal: Option<u32>,
}

/// The path of a source that has none, in a place.
const NO_PATH: &str = "-";

impl PastKill {
    /// What to remember of an incident.
    pub fn of(incident: &Incident) -> Self {
        let victim = incident.victims.first();
        let path = incident.source.path.as_deref().unwrap_or(NO_PATH);
        Self {
            id: SmolStr::new(&incident.id),
            boot_us: boot_us(incident),
            time: incident.time,
            time_assumed: incident.time_assumed,
            node: incident.node.as_deref().map(SmolStr::new),
            boot_id: incident.boot_id.as_deref().map(SmolStr::new),
            boot_ordinal: incident.source.boot,
            place: format_smolstr!("{path}:{}", incident.source.first_line.unwrap_or(0)),
            container_key: container_key(
                incident.pod.as_ref().and_then(|pod| pod.uid.as_deref()),
                incident
                    .container
                    .as_ref()
                    .and_then(|container| container.id.as_deref()),
                incident
                    .memcg
                    .as_ref()
                    .and_then(|memcg| memcg.victim_path.as_deref()),
            ),
            comm: victim.map(|victim| victim.comm.clone()).unwrap_or_default(),
            anon_rss_kib: victim.and_then(|victim| victim.anon_rss_kib),
            usage_kib: incident.memcg.as_ref().and_then(|memcg| memcg.usage_kib),
        }
    }

    /// Seconds from this kill to one at the given times; none when they have no clock in common, lie on other nodes,
    /// or this one was later.
    pub fn seconds_until(
        &self,
        boot_us: Option<u64>,
        time: Option<Timestamp>,
        node: Option<&str>,
        boot: Boot<'_>,
    ) -> Option<u64> {
        if let (Some(mine), Some(other)) = (self.node.as_deref(), node)
            && mine != other
        {
            return None;
        }
        // The wall clock goes across reboots and logs; the boot clock is one boot's own.
        if let (Some(from), Some(to)) = (self.time, time) {
            return u64::try_from(to.as_second() - from.as_second()).ok();
        }
        let same_boot = match (self.boot_id.as_deref(), boot.id) {
            (Some(mine), Some(other)) => mine == other,
            // Two files may be of two machines.
            _ => {
                self.source() == boot.source.unwrap_or(NO_PATH) && self.boot_ordinal == boot.ordinal
            }
        };
        if !same_boot {
            return None;
        }
        Some(boot_us?.checked_sub(self.boot_us?)? / 1_000_000)
    }

    /// The path in `place`.
    fn source(&self) -> &str {
        self.place
            .rsplit_once(':')
            .map_or(self.place.as_str(), |(path, _)| path)
    }

    /// The same kill, as far as the times tell; the ids are equal already.
    fn times_fit(&self, incident: &Incident) -> bool {
        const SLACK_S: i64 = 2;
        // A form may print milliseconds only.
        const COPY_US: u64 = 1_000;
        // Zones lie a quarter of an hour apart at the least, 26 hours at the most.
        const ZONE_STEP_S: i64 = 900;
        const ZONE_SPAN_S: i64 = 26 * 3600;
        if let (Some(mine), Some(other)) = (self.boot_us, boot_us(incident)) {
            // In two boots of one log the same process may die at nearly the same time, and a log may hold a part twice:
            // then the clocks do not differ at all.
            let other_boot = self.boot_ordinal != incident.source.boot
                && self.source() == incident.source.path.as_deref().unwrap_or(NO_PATH);
            return match other_boot {
                true => mine.abs_diff(other) <= COPY_US,
                false => mine.abs_diff(other) <= SLACK_S.unsigned_abs() * 1_000_000,
            };
        }
        let (Some(mine), Some(other)) = (self.time, incident.time) else {
            return true;
        };
        let apart = (mine.as_second() - other.as_second()).abs();
        if apart <= SLACK_S {
            return true;
        }
        let off = apart % ZONE_STEP_S;
        (self.time_assumed || incident.time_assumed)
            && apart <= ZONE_SPAN_S
            && (off <= SLACK_S || off >= ZONE_STEP_S - SLACK_S)
    }
}

fn boot_us(incident: &Incident) -> Option<u64> {
    let seconds = incident.boot_time_s?;
    // Whole microseconds went in: rounding gives them back.
    (0.0..1e12)
        .contains(&seconds)
        .then_some((seconds * 1e6).round() as u64)
}

/// What stays the same when a container is killed again: the pod (its containers get new ids with each restart), else
/// the container, else the cgroup.
pub fn container_key(
    pod_uid: Option<&str>,
    container_id: Option<&str>,
    path: Option<&str>,
) -> Option<SmolStr> {
    match (pod_uid, container_id, path) {
        (Some(uid), _, _) => Some(format_smolstr!("pod {uid}")),
        (None, Some(id), _) => Some(format_smolstr!("container {id}")),
        (None, None, Some(path)) if path != "/" => Some(format_smolstr!("cgroup {path}")),
        _ => None,
    }
}

/// The memory of past kills.
#[derive(Debug)]
pub struct Ledger {
    capacity: usize,
    /// By last use.
    kills: BTreeMap<u64, Entry>,
    by_id: HashMap<SmolStr, Vec<u64>>,
    by_key: HashMap<SmolStr, Vec<u64>>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    /// Order of arrival.
    ordinal: u64,
    kill: PastKill,
}

/// Of one container.
const KILLS_OF_A_CONTAINER: usize = 64;

/// Of any, newest.
const LATEST_KILLS: usize = 32;

impl Ledger {
    /// Room for `capacity` kills (at least 1); each takes some 300 bytes.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            kills: BTreeMap::new(),
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            next: 0,
        }
    }

    /// Where the same kill was read first, as `path:line`; none when it is new. Same victim and sizes (the id), and
    /// times that fit: by the boot clock when both have it, else by the wall clock, give or take the zone when one
    /// was assumed.
    pub fn seen(&mut self, incident: &Incident) -> Option<SmolStr> {
        let uses = self.by_id.get(incident.id.as_str())?;
        let found = *uses.iter().find(|at| {
            self.kills
                .get(at)
                .is_some_and(|entry| entry.kill.times_fit(incident))
        })?;
        let entry = self.take(found)?;
        let place = entry.kill.place.clone();
        self.put(entry);
        Some(place)
    }

    /// Remembers a kill that [`Ledger::seen`] did not know.
    pub fn add(&mut self, incident: &Incident) {
        let kill = PastKill::of(incident);
        if let Some(uses) = kill
            .container_key
            .as_ref()
            .and_then(|key| self.by_key.get(key))
            && uses.len() >= KILLS_OF_A_CONTAINER
            && let Some(oldest) = uses.iter().min().copied()
        {
            self.take(oldest);
        }
        if self.kills.len() >= self.capacity
            && let Some(oldest) = self.kills.keys().next().copied()
        {
            self.take(oldest);
        }
        let ordinal = self.next;
        self.put(Entry { ordinal, kill });
    }

    /// Kills worth knowing when one of this container is judged: those of the container, and the latest of any, in
    /// the order they were added.
    pub fn history(&self, container_key: Option<&str>) -> Vec<PastKill> {
        let of_key = container_key
            .and_then(|key| self.by_key.get(key))
            .into_iter()
            .flatten();
        let latest = self.kills.keys().rev().take(LATEST_KILLS);
        let mut found: Vec<&Entry> = of_key
            .chain(latest)
            .filter_map(|at| self.kills.get(at))
            .collect();
        found.sort_unstable_by_key(|entry| entry.ordinal);
        found.dedup_by_key(|entry| entry.ordinal);
        found.into_iter().map(|entry| entry.kill.clone()).collect()
    }

    /// How many kills are remembered.
    pub fn len(&self) -> usize {
        self.kills.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.kills.is_empty()
    }

    fn put(&mut self, entry: Entry) {
        let at = self.next;
        self.next += 1;
        self.by_id
            .entry(entry.kill.id.clone())
            .or_default()
            .push(at);
        if let Some(key) = &entry.kill.container_key {
            self.by_key.entry(key.clone()).or_default().push(at);
        }
        self.kills.insert(at, entry);
    }

    fn take(&mut self, at: u64) -> Option<Entry> {
        let entry = self.kills.remove(&at)?;
        forget(&mut self.by_id, &entry.kill.id, at);
        if let Some(key) = &entry.kill.container_key {
            forget(&mut self.by_key, key, at);
        }
        Some(entry)
    }
}

fn forget(index: &mut HashMap<SmolStr, Vec<u64>>, key: &SmolStr, at: u64) {
    if let Some(uses) = index.get_mut(key) {
        uses.retain(|use_| *use_ != at);
        if uses.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
