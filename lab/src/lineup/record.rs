//! Keeps the facts of real cases as fixtures: what the program's sources saw, without what it made of it.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use whodunit_case::fact::Fact;
use whodunit_store::{Options, Store};

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
    facts: Vec<Fact>,
}

/// Writes a file for the first run of each kind of which facts were kept: `KIND.json`. Those that rest on a kernel
/// report are left out: their facts are in its text, which has recordings of its own.
pub(super) fn write(folder: &Path, kinds: &[&Kind], played: &Played) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("store");
    fs::write(&file, &played.store)?;
    let store = Store::open(&file, &Options::read_only(), jiff::Timestamp::now())?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for kind in kinds {
        let run = played
            .runs
            .iter()
            .find(|run| run.kind == kind.name && run.staged);
        let (Some(run), Some(killer)) = (run, kind.killer) else {
            continue;
        };
        let Some(id) = run
            .incidents
            .first()
            .and_then(|incident| incident.get("id")?.as_str())
        else {
            continue;
        };
        let facts = store.facts(id)?;
        if facts.iter().any(|fact| matches!(fact, Fact::OomMark(_))) {
            continue;
        }
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
