//! Keeps the facts of real cases as fixtures: what an incident cites of signals and ends, without what was made of it.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::play::Played;
use super::table::Kind;
use crate::Result;

/// The facts of one case, and what it was in truth.
#[derive(Debug, Serialize)]
struct Recorded<'a> {
    kind: &'a str,
    killer: &'a str,
    finding: Option<&'a str>,
    kernel_release: &'a str,
    facts: Vec<Value>,
}

/// Writes a file for the first run of each kind: `KIND.json`. Those that rest on a kernel report are left out: their facts
/// are in its text, which has recordings of its own.
pub(super) fn write(folder: &Path, kinds: &[&Kind], played: &Played) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for kind in kinds {
        let run = played
            .runs
            .iter()
            .find(|run| run.kind == kind.name && run.staged);
        let (Some(run), Some(killer)) = (run, kind.killer) else {
            continue;
        };
        let cites = run
            .incidents
            .first()
            .and_then(|incident| incident.pointer("/verdict/evidence")?.as_array());
        let Some(facts) = cites.and_then(|cites| cites.iter().map(fact).collect()) else {
            continue;
        };
        let recorded = Recorded {
            kind: kind.name,
            killer,
            finding: kind.finding,
            kernel_release: &played.kernel_release,
            facts,
        };
        let to = folder.join(format!("{}.json", kind.name));
        let mut text = serde_json::to_string_pretty(&recorded)?;
        text.push('\n');
        fs::write(&to, text).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

/// The fact that a cite holds whole; none for a line of a log.
fn fact(cite: &Value) -> Option<Value> {
    ["signal", "exit"].into_iter().find_map(|name| {
        let mut fact = cite.get(name)?.as_object()?.clone();
        fact.insert("fact".into(), name.into());
        Some(Value::Object(fact))
    })
}
