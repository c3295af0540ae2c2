//! The metrics: counted by the main loop, read by scrapes. Names follow the conventions of Prometheus; counters are
//! called `*_total` in both formats, as each of them has it.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use whodunit_case::incident::Incident;

use super::own_cost::OwnCost;
use super::series::{Labels, Series};
use crate::hooks::HookCounts;
use crate::keeping::StoreState;
use crate::stakeout::{Counts, Standing, State};

/// Seconds from the signal to the verdict: most take milliseconds, one that waits for a report's end tenths.
const LAG_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What is counted.
#[derive(Debug)]
pub(super) struct Figures {
    counted: Mutex<Counted>,
    lag: Histogram,
    hooks: Vec<Arc<HookCounts>>,
    store: Option<PathBuf>,
}

#[derive(Debug)]
struct Counted {
    kills: Series,
    /// By killer and confidence.
    incidents: HashMap<(String, String), u64>,
    counts: Counts,
    sources: Vec<(&'static str, bool)>,
    store: StoreState,
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

impl Figures {
    pub(super) fn new(
        most_series: NonZeroU32,
        hooks: Vec<Arc<HookCounts>>,
        store: Option<PathBuf>,
    ) -> Self {
        Self {
            counted: Mutex::new(Counted {
                kills: Series::new(most_series),
                incidents: HashMap::new(),
                counts: Counts::default(),
                sources: Vec::new(),
                store: StoreState::default(),
            }),
            lag: Histogram::new(LAG_BUCKETS),
            hooks,
            store,
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An incident was told. `lag`: since the kernel's time of the kill, where that is known.
    pub(super) fn count(&self, incident: &Incident, lag: Option<Duration>) {
        let verdict = &incident.verdict;
        let killer = code(serde_json::to_value(verdict.killer));
        let confidence = code(serde_json::to_value(verdict.confidence));
        let mut counted = self.counted();
        for labels in Labels::of(incident, &killer) {
            counted.kills.add(labels);
        }
        *counted.incidents.entry((killer, confidence)).or_default() += 1;
        drop(counted);
        if let Some(lag) = lag {
            self.lag.observe(lag.as_secs_f64());
        }
    }

    /// The main loop made a turn.
    pub(super) fn look(&self, counts: Counts, standing: &[Standing], store: &StoreState) {
        let mut counted = self.counted();
        counted.counts = counts;
        counted.sources.clear();
        let asked = standing.iter().filter(|one| one.state != State::NotAsked);
        let up = asked.map(|one| (one.source, one.state == State::Stands));
        counted.sources.extend(up);
        counted.store.clone_from(store);
    }
}

fn code(value: serde_json::Result<serde_json::Value>) -> String {
    let value = value.ok();
    let code = value.as_ref().and_then(serde_json::Value::as_str);
    code.unwrap_or_default().to_owned()
}

fn load(value: &AtomicU64) -> u64 {
    value.load(Ordering::Relaxed)
}

/// Writes one family after the other; one without any sample is left out, as readers of OpenMetrics stumble over it.
struct Sheet<'a>(DescriptorEncoder<'a>);

impl Sheet<'_> {
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn families<'a>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Pairs<'a>, u64)>,
        write: impl Fn(MetricEncoder<'_>, u64) -> fmt::Result,
    ) -> fmt::Result {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        self.family(name, help, kind, |mut encoder| {
            for (labels, value) in values {
                write(encoder.encode_family(&labels)?, value)?;
            }
            Ok(())
        })
    }

    /// `name` without `_total`.
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Pairs<'a>, u64)>,
    ) -> fmt::Result {
        self.families(
            name,
            help,
            MetricType::Counter,
            values,
            |mut encoder, value| encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
        )
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.family(name, help, MetricType::Counter, |mut encoder| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Pairs<'a>, u64)>,
    ) -> fmt::Result {
        self.families(
            name,
            help,
            MetricType::Gauge,
            values,
            |mut encoder, value| encoder.encode_gauge(&value),
        )
    }

    fn gauge(&mut self, name: &str, help: &str, value: Option<u64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.family(name, help, MetricType::Gauge, |mut encoder| {
            encoder.encode_gauge(&value)
        })
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        self.encode_kills(&mut sheet)?;
        sheet.family(
            "whodunit_verdict_lag_seconds",
            "From the kernel's time of the signal to the verdict",
            MetricType::Histogram,
            |encoder| self.lag.encode(encoder),
        )?;
        self.encode_evidence(&mut sheet)?;
        self.encode_store(&mut sheet)?;
        self.encode_hooks(&mut sheet)?;
        sheet.gauges(
            "whodunit_build_info",
            "Always 1, the version in a label",
            [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)],
        )?;
        own_cost(&mut sheet, &OwnCost::read())
    }
}

impl Figures {
    fn encode_kills(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let counted = self.counted();
        let kills = counted.kills.counts().map(|(labels, count)| {
            let pairs = vec![
                ("killer", labels.killer.as_str()),
                ("namespace", &labels.namespace),
                ("pod", &labels.pod),
                ("container", &labels.container),
            ];
            (pairs, count)
        });
        sheet.counters(
            "whodunit_kills",
            "Processes killed, as known when it was told; names are empty outside of Kubernetes, `other` when there were too many",
            kills,
        )?;
        sheet.counter(
            "whodunit_kills_without_series",
            "Kills counted under `other`, as there were too many names (--max-series)",
            counted.kills.others(),
        )?;
        let incidents = counted
            .incidents
            .iter()
            .map(|((killer, confidence), count)| {
                let pairs = vec![("killer", killer.as_str()), ("confidence", confidence)];
                (pairs, *count)
            });
        sheet.counters(
            "whodunit_incidents",
            "Decisions to kill, each with one victim or several",
            incidents,
        )
    }

    fn encode_evidence(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let counted = self.counted();
        let counts = counted.counts;
        let dropped = self.hooks.iter().map(|hook| load(&hook.dropped)).sum();
        let lost = [
            ("ring-buffer", counts.trace_lost),
            ("kernel-log", counts.log_lost),
            ("store-backlog", counted.store.dropped),
            ("hook-queue", dropped),
        ];
        sheet.counters(
            "whodunit_lost",
            "Records and incidents that were lost, by where",
            lost.map(|(source, count)| (vec![("source", source)], count)),
        )?;
        let sources = counted.sources.iter();
        sheet.gauges(
            "whodunit_source_up",
            "Whether a source of evidence that was asked for is there",
            sources.map(|(source, up)| (vec![("source", *source)], u64::from(*up))),
        )?;
        for (name, help, count) in [
            (
                "whodunit_trace_records",
                "Signals, exits and OOM marks read from the ring buffer",
                counts.facts,
            ),
            (
                "whodunit_kernel_log_records",
                "Records read from the kernel's log",
                counts.log_records,
            ),
            (
                "whodunit_kernel_reports",
                "Reports of the OOM killer",
                counts.reports,
            ),
            (
                "whodunit_forged_lines",
                "Lines that read like the kernel's and were a process's",
                counts.forged,
            ),
        ] {
            sheet.counter(name, help, count)?;
        }
        Ok(())
    }

    fn encode_store(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let store = self.counted().store.clone();
        let bytes = self.store.as_ref().map(|path| {
            let mut log = path.clone().into_os_string();
            log.push("-wal");
            let bytes =
                |path: &std::path::Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
            bytes(path) + bytes(log.as_ref())
        });
        let up = u64::from(store.why_not.is_none());
        sheet.gauge(
            "whodunit_store_up",
            "Whether incidents can be kept",
            Some(up),
        )?;
        sheet.counter(
            "whodunit_store_errors",
            "Times that the store could not be used",
            store.errors,
        )?;
        sheet.gauge(
            "whodunit_store_waiting",
            "Incidents that wait to be stored",
            Some(store.waiting),
        )?;
        sheet.gauge(
            "whodunit_store_size_bytes",
            "The store on disk, its log included",
            bytes,
        )
    }

    fn encode_hooks(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let names: Vec<String> = (1..)
            .zip(&self.hooks)
            .map(|(number, hook)| format!("{}-{number}", hook.kind))
            .collect();
        let hooks = || names.iter().map(String::as_str).zip(&self.hooks);
        let outcomes = hooks().flat_map(|(name, hook)| {
            [
                ("delivered", load(&hook.delivered)),
                ("failed", load(&hook.failed)),
                ("dropped", load(&hook.dropped)),
            ]
            .map(|(outcome, count)| (vec![("hook", name), ("outcome", outcome)], count))
        });
        sheet.counters(
            "whodunit_hook_incidents",
            "What became of incidents for hooks",
            outcomes,
        )?;
        let retries = hooks().map(|(name, hook)| (vec![("hook", name)], load(&hook.retries)));
        sheet.counters("whodunit_hook_retries", "Further tries of a hook", retries)?;
        let waiting = hooks().map(|(name, hook)| (vec![("hook", name)], load(&hook.waiting)));
        sheet.gauges(
            "whodunit_hook_waiting",
            "Incidents that wait for a hook",
            waiting,
        )
    }
}

fn own_cost(sheet: &mut Sheet<'_>, cost: &OwnCost) -> fmt::Result {
    let float = |sheet: &mut Sheet<'_>, name: &str, help: &str, kind, value: Option<f64>| {
        let Some(value) = value else { return Ok(()) };
        sheet.family(name, help, kind, |mut encoder| match kind {
            MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
            _ => encoder.encode_gauge(&value),
        })
    };
    float(
        sheet,
        "process_cpu_seconds",
        "Total user and system CPU time spent in seconds",
        MetricType::Counter,
        cost.cpu_seconds,
    )?;
    float(
        sheet,
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds",
        MetricType::Gauge,
        cost.start_seconds,
    )?;
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes",
            cost.resident_bytes,
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes",
            cost.virtual_bytes,
        ),
        (
            "process_threads",
            "Number of OS threads in the process",
            cost.threads,
        ),
        (
            "process_open_fds",
            "Number of open file descriptors",
            cost.open_fds,
        ),
        (
            "process_max_fds",
            "Maximum number of open file descriptors",
            cost.max_fds,
        ),
    ] {
        sheet.gauge(name, help, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use openmetrics_parser::openmetrics::parse_openmetrics;
    use openmetrics_parser::prometheus::parse_prometheus;
    use prometheus_client::encoding::{prometheus_text, text};
    use prometheus_client::registry::Registry;

    use super::super::series::value;
    use super::*;

    /// Names come from whoever starts a container.
    #[test]
    fn no_name_breaks_out_of_its_label() {
        const NAMES: [&str; 6] = [
            "a\"} 99\nwhodunit_kills_total{killer=\"b",
            "back\\slash\\",
            "\\\"",
            "line\nfeed\r\n",
            "# EOF\n",
            "\u{1b}[31m\u{202e}é\u{0}",
        ];
        let figures = Figures::new(NonZeroU32::new(10).unwrap(), Vec::new(), None);
        for name in NAMES {
            figures.counted().kills.add(Labels {
                killer: "person".into(),
                namespace: value(name),
                pod: value(name),
                container: value(name),
            });
        }
        let mut registry = Registry::default();
        registry.register_collector(Box::new(figures));
        let (mut plain, mut open) = (String::new(), String::new());
        prometheus_text::encode(&mut plain, &registry).unwrap();
        text::encode(&mut open, &registry).unwrap();
        assert!(
            !plain.contains(['\r', '\u{1b}', '\u{202e}', '\0']),
            "{plain}"
        );
        let expected: BTreeSet<String> = NAMES.into_iter().map(value).collect();
        let plain = parse_prometheus(&plain).unwrap_or_else(|error| panic!("{error:?}\n{plain}"));
        let open = parse_openmetrics(&open).unwrap_or_else(|error| panic!("{error:?}\n{open}"));
        let plain = plain.families["whodunit_kills_total"].iter_samples();
        let plain: Vec<_> = plain
            .map(|sample| pods(sample.get_labelset().unwrap()))
            .collect();
        let open = open.families["whodunit_kills"].iter_samples();
        let open: Vec<_> = open
            .map(|sample| pods(sample.get_labelset().unwrap()))
            .collect();
        for read in [plain, open] {
            assert_eq!(read.len(), NAMES.len());
            let read: BTreeSet<String> = read.into_iter().collect();
            assert_eq!(read, expected);
        }
    }

    fn pods(labels: openmetrics_parser::LabelSet<'_>) -> String {
        let mut pods = labels.iter().filter(|(name, _)| *name == "pod");
        pods.next().unwrap().1.to_owned()
    }
}
