//! Incidents to store: of the recordings of real kernels, and made-up ones where a test needs many or certain names.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use oom_report::{Assumptions, Scanner};
use whodunit_case::assemble::{Context, into_incident};
use whodunit_case::incident::{Container, Incident, Killer, Pod, SourceInfo, SourceKind};
use whodunit_store::{Options, Record, Store};

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The present of most tests.
pub(crate) fn now() -> Timestamp {
    time("2026-03-09T13:17:06.123456Z")
}

/// A directory of its own, and a path in it.
pub(crate) fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("incidents.db");
    (directory, path)
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open(path, &Options::default(), now()).unwrap()
}

/// For ever, without limit.
pub(crate) fn keep_all() -> Options {
    let mut options = Options::default();
    options.retention.max_age = None;
    options.retention.max_bytes = None;
    options
}

pub(crate) fn source(path: &str) -> SourceInfo {
    SourceInfo {
        kind: SourceKind::Kmsg,
        path: Some(path.to_owned()),
        bytes: None,
        lines: None,
        time_assumption: None,
        error: None,
    }
}

fn incidents(log: &[u8], path: &str) -> Vec<Incident> {
    let context = Context {
        source: 0,
        kind: SourceKind::Kmsg,
        path: Some(path),
        place: None,
    };
    let mut found = Vec::new();
    Scanner::new(Assumptions::default()).scan(log, 1, &mut |report| {
        found.push(into_incident(report, &context, &[]));
    });
    found
}

/// Every incident of every recording, each id once.
pub(crate) fn recorded() -> Vec<Record> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/kernels");
    let mut records: Vec<Record> = Vec::new();
    for kernel in std::fs::read_dir(fixtures).unwrap() {
        for entry in std::fs::read_dir(kernel.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|name| name != "kmsg") {
                continue;
            }
            let name = path.display().to_string();
            for incident in incidents(&std::fs::read(&path).unwrap(), &name) {
                if records.iter().all(|known| known.incident.id != incident.id) {
                    records.push(Record::new(incident, vec![source(&name)]));
                }
            }
        }
    }
    assert!(records.len() >= 50, "only {} recordings", records.len());
    records
}

/// A real report of a container's kill: the one with the longest task table among the recordings of one kernel.
pub(crate) fn large() -> Record {
    let records = recorded();
    let size = |record: &&Record| serde_json::to_string(&record.incident).unwrap().len();
    records.iter().max_by_key(size).unwrap().clone()
}

/// The same with an id and a name of its own.
pub(crate) fn numbered(like: &Record, number: u64) -> Record {
    let mut record = like.clone();
    record.incident.id = format!("{number:016x}");
    record
}

/// A kill that only its last line tells of; `comm` died at `at` in the container and pod.
pub(crate) fn kill(
    id: &str,
    at: &str,
    comm: &str,
    pod: Option<Pod>,
    container: Option<Container>,
) -> Record {
    let line = format!(
        "2026-03-09T13:17:05Z ip-172 kernel: Memory cgroup out of memory: Killed process 1190 ({comm}) total-vm:100kB, anon-rss:50kB, file-rss:0kB, shmem-rss:0kB\n"
    );
    let mut incident = incidents(line.as_bytes(), "kern.log").remove(0);
    assert_eq!(incident.victims[0].comm, comm);
    incident.id = id.to_owned();
    incident.time = Some(time(at));
    incident.pod = pod;
    incident.container = container;
    Record::new(incident, vec![source("kern.log")])
}

pub(crate) fn by(mut record: Record, killer: Killer) -> Record {
    record.incident.verdict.killer = killer;
    record
}

pub(crate) fn pod(namespace: &str, name: &str, uid: &str) -> Option<Pod> {
    Some(Pod {
        uid: Some(uid.to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        qos_class: None,
        owner: None,
    })
}

pub(crate) fn container(name: &str, id: &str) -> Option<Container> {
    Some(Container {
        id: Some(id.to_owned()),
        runtime: None,
        name: Some(name.to_owned()),
        image: None,
        is_pause: false,
        restart_count: None,
    })
}

/// Numbers without a pattern, the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn from(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// xorshift64
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
