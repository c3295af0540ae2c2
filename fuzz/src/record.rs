//! Any bytes as a record of the eBPF programs: the kernel vouches for its layout, and for none of the names in it.

use whodunit_case::fact::Fact;
use whodunit_case::gather::{Gatherer, Sources, Told};
use whodunit_case::incident::{SourceInfo, SourceKind};
use whodunit_case::live::{Surroundings, incident};
use whodunit_trace::record::read;

use crate::{dice, explain};

/// Reads a record, and goes the whole way with it.
///
/// # Panics
/// When the fact is larger than the record, does not read back as it was written, or a page of it does not hold.
pub fn holds(bytes: &[u8]) {
    let dice = dice(bytes);
    let page_bytes = [4096, 65536, 1, 0][dice as usize % 4];
    let Ok(fact) = read(bytes, page_bytes) else {
        return;
    };
    let json = serde_json::to_string(&fact).expect("a fact is JSON");
    // A text of the record may be named by each of its processes; a byte that is no text becomes six of an escape.
    assert!(json.len() <= 16 * 1024 + 64 * 6 * bytes.len(), "{json}");
    let back: Fact = serde_json::from_str(&json).expect("the fact that was written");
    assert_eq!(back, fact);

    let mut gatherer = Gatherer::new(Sources {
        signals: true,
        reports: dice & 0x100 != 0,
    });
    // Twice: a second of the same process belongs to the first.
    gatherer.take(fact.clone(), 1);
    gatherer.take(fact, 2);
    let around = Surroundings {
        node: Some("node"),
        host_pid_namespace: Some(0xEFFF_FFFC),
        booted: "2026-11-24T12:00:00Z".parse().ok(),
        signals_seen: true,
        ..Surroundings::default()
    };
    let incidents: Vec<_> = gatherer
        .finish()
        .into_iter()
        .map(|told| match told {
            Told::New(case) | Told::More(case) => incident(&case, &around),
        })
        .collect();
    assert!(incidents.len() <= 1, "one death is one incident");
    let source = SourceInfo {
        kind: SourceKind::Ebpf,
        path: None,
        bytes: None,
        lines: None,
        time_assumption: None,
        error: None,
    };
    explain::in_every_view(&incidents, &source, dice, bytes.len());
}
