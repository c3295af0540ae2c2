//! What is written as JSON can be read back: the store relies on it. Every recording of every kernel goes through.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use oom_report::{Assumptions, Scanner};
use whodunit_case::assemble::{Context, container_key, into_incident};
use whodunit_case::incident::{Cite, Finding, Incident, Severity, SourceKind, Value};
use whodunit_case::ledger::Ledger;

fn recordings() -> Vec<PathBuf> {
    fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|name| name == "kmsg") {
                into.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/kernels");
    walk(Path::new(fixtures), &mut paths);
    paths
}

#[test]
fn incidents_of_all_recordings_read_back_as_they_were_written() {
    let mut incidents = 0;
    for path in recordings() {
        let log = std::fs::read(&path).unwrap();
        let context = Context {
            source: 0,
            kind: SourceKind::Kmsg,
            path: path.to_str(),
            place: None,
        };
        let mut ledger = Ledger::new(64);
        Scanner::new(Assumptions::default()).scan(&log, 1, &mut |report| {
            let history = ledger.history(container_key(&report).as_deref());
            let incident = into_incident(report, &context, &history);
            ledger.add(&incident);
            let written = serde_json::to_string(&incident).unwrap();
            let read: Incident = serde_json::from_str(&written)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(serde_json::to_string(&read).unwrap(), written);
            incidents += 1;
        });
    }
    assert!(
        incidents >= 50,
        "only {incidents} incidents in the recordings"
    );
}

#[test]
fn values_and_cites_stay_of_their_kind() {
    let text = "\u{1b}]0;x\u{7}\" \\ \0 \u{2028}".to_owned();
    let finding = Finding {
        code: "hostile".into(),
        severity: Severity::Info,
        title: text.clone(),
        detail: String::new(),
        values: [
            ("negative".into(), Value::Integer(i64::MIN)),
            ("whole".into(), Value::Number(3.0)),
            ("fraction".into(), Value::Number(30_320.358_563)),
            ("digits".into(), Value::Text("12".into())),
        ]
        .into(),
        evidence: vec![
            Cite::Line {
                source: 0,
                line: 7,
                text: text.clone(),
            },
            Cite::File {
                file: "/proc/1/status".into(),
                field: "Name".into(),
                value: text.clone(),
            },
            Cite::Object {
                object: "Pod ns/name".into(),
                field: "status".into(),
                value: text,
            },
        ],
    };
    let written = serde_json::to_string(&finding).unwrap();
    let read: Finding = serde_json::from_str(&written).unwrap();
    assert_eq!(read.values, finding.values);
    assert_eq!(read.evidence, finding.evidence);
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
}
