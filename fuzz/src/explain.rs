//! The whole way: bytes -> reports -> incidents -> every view.

use oom_report::{Assumptions, Scanner};
use whodunit_case::assemble::{Context, container_key, into_incident};
use whodunit_case::incident::{Incident, SourceInfo, SourceKind};
use whodunit_case::ledger::Ledger;
use whodunit_view::{Format, Looks, view};

use crate::{dice, pages};

/// Printed for an incident at most, beside what the log itself holds: remedies and explanations are of our own words.
const WORDS_PER_INCIDENT: usize = 128 * 1024;

fn incidents(log: &[u8], path: &str) -> Vec<Incident> {
    let assumptions = Assumptions {
        last_written: "2026-11-24T12:00:00Z".parse().ok(),
        ..Assumptions::default()
    };
    let context = Context {
        source: 0,
        kind: SourceKind::File,
        path: Some(path),
        place: None,
    };
    let mut ledger = Ledger::new(64);
    let mut incidents = Vec::new();
    Scanner::new(assumptions).scan(log, 1, &mut |report| {
        let history = ledger.history(container_key(&report).as_deref());
        let incident = into_incident(report, &context, &history);
        if ledger.seen(&incident).is_none() {
            ledger.add(&incident);
        }
        incidents.push(incident);
    });
    incidents
}

fn page(format: Format, looks: Looks, incidents: &[Incident], source: &SourceInfo) -> String {
    let mut out = Vec::new();
    let mut view = view(format, looks, "whodunit");
    let warnings = source.path.clone().into_iter().collect::<Vec<_>>();
    view.begin(&mut out).expect("writing to memory");
    for incident in incidents {
        view.incident(&mut out, incident)
            .expect("writing to memory");
    }
    view.end(&mut out, std::slice::from_ref(source), &warnings)
        .expect("writing to memory");
    String::from_utf8(out).expect("a page is text")
}

/// Explains a log in every format.
///
/// # Panics
/// When a page holds what a terminal would act on, runs over its edge, is no document of its format, or is far larger
/// than the log explains.
pub fn holds(log: &[u8]) {
    let dice = dice(log);
    // A file's name is as hostile as what is in it.
    let path: String = String::from_utf8_lossy(log)
        .chars()
        .take((dice >> 32) as usize % 60)
        .collect();
    let incidents = incidents(log, &path);
    let source = SourceInfo {
        kind: SourceKind::File,
        path: Some(path),
        bytes: Some(log.len() as u64),
        lines: None,
        time_assumption: None,
        error: None,
    };
    in_every_view(&incidents, &source, dice, log.len());
}

/// What must hold of every page, whatever the incidents are made of: `bytes` of input that nobody vouches for.
pub(crate) fn in_every_view(incidents: &[Incident], source: &SourceInfo, dice: u64, bytes: usize) {
    let looks = Looks {
        width: [80, 80, 90, 100, 133, 200][dice as usize % 6],
        colored: false,
        all: dice & 0x1000 != 0,
        quiet: false,
        unicode: dice & 0x2000 != 0,
    };
    let most = 64 * 1024 + 64 * bytes + incidents.len() * WORDS_PER_INCIDENT;
    let write = |format, looks| {
        let page = page(format, looks, incidents, source);
        assert!(page.len() <= most, "{format:?}: {} bytes", page.len());
        page
    };

    let plain = write(Format::Terminal, looks);
    pages::harmless(&plain);
    pages::within(&plain, looks.width);
    let colored = write(
        Format::Terminal,
        Looks {
            colored: true,
            ..looks
        },
    );
    pages::harmless(&pages::without_colours(&colored));

    let quiet = write(
        Format::Terminal,
        Looks {
            quiet: true,
            ..looks
        },
    );
    pages::harmless(&quiet);
    assert_eq!(
        quiet.lines().count(),
        incidents.len(),
        "one line an incident"
    );

    let markdown = write(Format::Markdown, looks);
    pages::harmless(&markdown);
    pages::no_markup_from_the_log(&markdown);

    let json = write(Format::Json, looks);
    let document = pages::json(&json);
    assert_eq!(
        document["incidents"].as_array().map(Vec::len),
        Some(incidents.len())
    );
    let lines = write(Format::Ndjson, looks);
    assert_eq!(lines.lines().count(), incidents.len());
    for (line, incident) in lines
        .lines()
        .zip(document["incidents"].as_array().into_iter().flatten())
    {
        assert_eq!(&pages::json(line), incident);
    }
    // Reading YAML takes longer than all the rest.
    if dice.is_multiple_of(4) {
        pages::same_as_yaml(&document, &write(Format::Yaml, looks));
    }
}
