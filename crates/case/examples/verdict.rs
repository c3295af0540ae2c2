//! Prints the verdict and findings of every report in a file: `cargo run -p whodunit-case --example verdict -- kern.log`.

use oom_report::{Assumptions, Scanner};
use whodunit_case::assemble::{Context, container_key, into_incident};
use whodunit_case::incident::SourceKind;
use whodunit_case::ledger::Ledger;

fn main() -> std::io::Result<()> {
    let mut ledger = Ledger::new(1024);
    for (source, path) in std::env::args().skip(1).enumerate() {
        let bytes = std::fs::read(&path)?;
        let context = Context {
            source,
            kind: SourceKind::File,
            path: Some(&path),
            place: None,
        };
        Scanner::new(Assumptions::default()).scan(&bytes, 1, &mut |report| {
            let history = ledger.history(container_key(&report).as_deref());
            let incident = into_incident(report, &context, &history);
            if let Some(place) = ledger.seen(&incident) {
                println!("{path}: the kill of {place} again");
                return;
            }
            ledger.add(&incident);
            let verdict = &incident.verdict;
            println!(
                "{} {:?} {:?}: {}",
                incident.id, verdict.killer, verdict.confidence, verdict.summary
            );
            for part in &incident.usage_split {
                println!("  {:>12} KiB  {}", part.kib, part.name);
            }
            for finding in &incident.findings {
                println!(
                    "  {:?} {}: {}\n      {}",
                    finding.severity, finding.code, finding.title, finding.detail
                );
            }
            for remedy in &incident.remedies {
                println!("  -> {}: {}", remedy.code, remedy.title);
            }
        });
    }
    Ok(())
}
