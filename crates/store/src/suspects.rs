//! Who kills how often: incidents counted by killer, by pod, by container, and over time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, ZonedDateTimeRound};
use rusqlite::{Row, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::filter::{Filter, Order};
use crate::query::of_microseconds;
use crate::store::Store;

/// The counts. Names are hostile text: escape before printing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Suspects {
    /// Incidents in all.
    pub incidents: u64,
    /// Processes that died in them.
    pub victims: u64,
    /// When the first happened; null when there is none.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub first: Option<Timestamp>,
    /// When the last happened.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last: Option<Timestamp>,
    /// Most incidents first.
    pub by_killer: Vec<KillerCount>,
    /// Most incidents first. Incidents without a pod are left out.
    pub by_pod: Vec<PodCount>,
    /// Most incidents first. Incidents without a container are left out. A container that was restarted in its pod is
    /// the same one when its name is known.
    pub by_container: Vec<ContainerCount>,
    /// In the order of time; those without an incident are left out.
    pub over_time: Vec<Bucket>,
}

/// How often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Incidents.
    pub incidents: u64,
    /// Processes that died in them.
    pub victims: u64,
    /// The last one.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last: Timestamp,
}

/// The incidents of one killer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KillerCount {
    /// Its code.
    pub killer: String,
    /// How often.
    #[serde(flatten)]
    pub tally: Tally,
    /// Incidents by the confidence of their verdict.
    pub confidence: BTreeMap<String, u64>,
}

/// The incidents in one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodCount {
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub pod: Option<String>,
    /// With dashes.
    pub pod_uid: Option<String>,
    /// How often.
    #[serde(flatten)]
    pub tally: Tally,
    /// Incidents by the killer's code.
    pub killers: BTreeMap<String, u64>,
}

/// The incidents in one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerCount {
    /// Namespace of its pod.
    pub namespace: Option<String>,
    /// Name of its pod.
    pub pod: Option<String>,
    /// Uid of its pod.
    pub pod_uid: Option<String>,
    /// Name.
    pub container: Option<String>,
    /// Id it had the last time.
    pub container_id: Option<String>,
    /// Who died in it first, the last time.
    pub comm: Option<String>,
    /// How often.
    #[serde(flatten)]
    pub tally: Tally,
    /// Incidents by the killer's code.
    pub killers: BTreeMap<String, u64>,
}

/// The incidents of an hour or a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// Its first moment.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub start: Timestamp,
    /// The moment after it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub end: Timestamp,
    /// Incidents.
    pub incidents: u64,
    /// Incidents by the killer's code.
    pub killers: BTreeMap<String, u64>,
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketSize {
    /// An hour of the clock.
    Hour,
    /// A day of the calendar: 23 to 25 hours where the clock is changed.
    Day,
}

impl Tally {
    fn add(tally: Option<&Self>, counted: &Counted) -> Self {
        Self {
            incidents: tally.map_or(0, |tally| tally.incidents) + 1,
            victims: tally.map_or(0, |tally| tally.victims) + counted.victims,
            last: tally.map_or(counted.moment, |tally| tally.last.max(counted.moment)),
        }
    }
}

/// What is counted of an incident.
struct Counted {
    moment: Timestamp,
    killer: String,
    confidence: String,
    victims: u64,
    namespace: Option<String>,
    pod: Option<String>,
    pod_uid: Option<String>,
    container: Option<String>,
    container_id: Option<String>,
    comm: Option<String>,
}

const COUNTED: &str = "SELECT moment_us, killer, confidence, victims, namespace, pod, pod_uid, container, container_id,
    comm FROM incidents";

impl Store {
    /// Counts the incidents that the filter keeps. Hours and days are those of `zone`.
    pub fn suspects(
        &self,
        filter: &Filter,
        bucket: BucketSize,
        zone: &TimeZone,
    ) -> Result<Suspects, StoreError> {
        let (conditions, values) = filter.sql();
        let read = || {
            let mut counting = Counting::new(bucket, zone);
            let mut statement = self
                .connection
                .prepare_cached(&format!("{COUNTED}{conditions}"))?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                counting.add(&counted(row)?);
            }
            Ok(counting.finish(filter.order))
        };
        read().map_err(|error| self.error("read", error))
    }
}

fn counted(row: &Row<'_>) -> rusqlite::Result<Counted> {
    Ok(Counted {
        moment: of_microseconds(row.get("moment_us")?)?,
        killer: row.get("killer")?,
        confidence: row.get("confidence")?,
        victims: row.get("victims")?,
        namespace: row.get("namespace")?,
        pod: row.get("pod")?,
        pod_uid: row.get("pod_uid")?,
        container: row.get("container")?,
        container_id: row.get("container_id")?,
        comm: row.get("comm")?,
    })
}

/// What makes a pod or a container the same one.
type Key = [Option<String>; 3];

struct Counting<'a> {
    bucket: BucketSize,
    zone: &'a TimeZone,
    sum: Suspects,
    killers: BTreeMap<String, KillerCount>,
    pods: BTreeMap<Key, PodCount>,
    containers: BTreeMap<Key, ContainerCount>,
    /// The bucket that the last incident fell into, to look for the zone's clock only once for each.
    last: Option<Bucket>,
}

impl<'a> Counting<'a> {
    fn new(bucket: BucketSize, zone: &'a TimeZone) -> Self {
        Self {
            bucket,
            zone,
            sum: Suspects::default(),
            killers: BTreeMap::new(),
            pods: BTreeMap::new(),
            containers: BTreeMap::new(),
            last: None,
        }
    }

    fn add(&mut self, counted: &Counted) {
        let sum = &mut self.sum;
        sum.incidents += 1;
        sum.victims += counted.victims;
        let moment = counted.moment;
        sum.first = Some(sum.first.map_or(moment, |first| first.min(moment)));
        sum.last = Some(sum.last.map_or(moment, |last| last.max(moment)));
        self.add_killer(counted);
        if counted.pod_uid.is_some() || counted.pod.is_some() {
            self.add_pod(counted);
        }
        if counted.container_id.is_some() || counted.container.is_some() {
            self.add_container(counted);
        }
        self.add_to_bucket(counted);
    }

    fn add_killer(&mut self, counted: &Counted) {
        let known = self.killers.remove(&counted.killer);
        let tally = Tally::add(known.as_ref().map(|known| &known.tally), counted);
        let mut confidence = known.map(|known| known.confidence).unwrap_or_default();
        *confidence.entry(counted.confidence.clone()).or_default() += 1;
        let killer = counted.killer.clone();
        let count = KillerCount {
            killer: killer.clone(),
            tally,
            confidence,
        };
        self.killers.insert(killer, count);
    }

    fn add_pod(&mut self, counted: &Counted) {
        let key = match &counted.pod_uid {
            Some(uid) => [Some(uid.clone()), None, None],
            None => [None, counted.namespace.clone(), counted.pod.clone()],
        };
        let known = self.pods.remove(&key);
        let tally = Tally::add(known.as_ref().map(|known| &known.tally), counted);
        let known = known.unwrap_or_else(|| PodCount {
            namespace: None,
            pod: None,
            pod_uid: None,
            tally: tally.clone(),
            killers: BTreeMap::new(),
        });
        // One that only the kernel told of has no name; another may have.
        let mut count = PodCount {
            namespace: known.namespace.or_else(|| counted.namespace.clone()),
            pod: known.pod.or_else(|| counted.pod.clone()),
            pod_uid: known.pod_uid.or_else(|| counted.pod_uid.clone()),
            tally,
            killers: known.killers,
        };
        *count.killers.entry(counted.killer.clone()).or_default() += 1;
        self.pods.insert(key, count);
    }

    fn add_container(&mut self, counted: &Counted) {
        let pod = counted.pod_uid.as_ref().or(counted.pod.as_ref());
        let key = match (pod, &counted.container) {
            (Some(pod), Some(name)) => [
                Some(pod.clone()),
                counted.namespace.clone(),
                Some(name.clone()),
            ],
            _ => [
                None,
                None,
                counted
                    .container_id
                    .clone()
                    .or_else(|| counted.container.clone()),
            ],
        };
        let known = self.containers.remove(&key);
        let tally = Tally::add(known.as_ref().map(|known| &known.tally), counted);
        let latest = known
            .as_ref()
            .is_none_or(|known| counted.moment >= known.tally.last);
        let mut count = match known {
            Some(known) if !latest => ContainerCount { tally, ..known },
            known => ContainerCount {
                namespace: counted.namespace.clone(),
                pod: counted.pod.clone(),
                pod_uid: counted.pod_uid.clone(),
                container: counted.container.clone(),
                container_id: counted.container_id.clone(),
                comm: counted.comm.clone(),
                tally,
                killers: known.map(|known| known.killers).unwrap_or_default(),
            },
        };
        *count.killers.entry(counted.killer.clone()).or_default() += 1;
        self.containers.insert(key, count);
    }

    fn add_to_bucket(&mut self, counted: &Counted) {
        let moment = counted.moment;
        let fits = |bucket: &Bucket| bucket.start <= moment && moment < bucket.end;
        let mut bucket = match self.last.take() {
            Some(bucket) if fits(&bucket) => bucket,
            other => {
                self.sum.over_time.extend(other);
                let (start, end) = bounds(moment, self.bucket, self.zone);
                Bucket {
                    start,
                    end,
                    incidents: 0,
                    killers: BTreeMap::new(),
                }
            }
        };
        bucket.incidents += 1;
        *bucket.killers.entry(counted.killer.clone()).or_default() += 1;
        self.last = Some(bucket);
    }

    fn finish(mut self, order: Order) -> Suspects {
        let mut sum = self.sum;
        sum.over_time.extend(self.last.take());
        if order == Order::NewestFirst {
            sum.over_time.reverse();
        }
        sum.by_killer = self.killers.into_values().collect();
        sum.by_pod = self.pods.into_values().collect();
        sum.by_container = self.containers.into_values().collect();
        sum.by_killer.sort_by_key(|count| most_first(&count.tally));
        sum.by_pod.sort_by_key(|count| most_first(&count.tally));
        sum.by_container
            .sort_by_key(|count| most_first(&count.tally));
        sum
    }
}

fn most_first(tally: &Tally) -> std::cmp::Reverse<(u64, Timestamp)> {
    std::cmp::Reverse((tally.incidents, tally.last))
}

/// The hour or the day of the zone that holds a moment. At the ends of time, where there is none, the moment itself.
fn bounds(moment: Timestamp, size: BucketSize, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let local = moment.to_zoned_datetime(zone.clone());
    let next = moment
        .checked_add(Span::new().nanoseconds(1))
        .unwrap_or(moment);
    let found = match size {
        BucketSize::Hour => local
            .round(
                ZonedDateTimeRound::new()
                    .smallest(Unit::Hour)
                    .mode(jiff::RoundMode::Trunc),
            )
            .and_then(|start| {
                let end = start.checked_add(Span::new().hours(1))?;
                Ok((start.timestamp(), end.timestamp()))
            }),
        BucketSize::Day => local.start_of_day().and_then(|start| {
            let end = start.tomorrow()?.start_of_day()?;
            Ok((start.timestamp(), end.timestamp()))
        }),
    };
    match found {
        Ok((start, end)) if start <= moment && moment < end => (start, end),
        _ => (moment, next),
    }
}
