//! `whodunit incident ID`: one incident that was kept, whole.

use std::io::Write;

use anyhow::{Context, bail};
use whodunit_view::View;

use crate::asking;
use crate::cli::{IncidentArgs, Output};
use crate::exit::Status;
use crate::explain::Looks;
use crate::terminal::{self, StandardOutput};
use crate::wiring;

/// Prints it.
pub fn run(arguments: &IncidentArgs) -> anyhow::Result<Status> {
    let store = asking::open(&arguments.keeping)?;
    let Some(kept) = store.incident(&arguments.id)? else {
        bail!(
            "no incident with the id {} is kept in {}: `whodunit incidents` lists them",
            arguments.id,
            store.path().display()
        );
    };
    let mut view: Box<dyn View + Send> = wiring::view_of(Looks {
        output: arguments.output,
        quiet: false,
        all: arguments.all,
        width: arguments
            .page
            .width
            .map_or_else(terminal::width, Into::into),
        colored: terminal::colored(arguments.page.color),
        unicode: terminal::unicode(),
    });
    let mut out = StandardOutput::new();
    let warnings = [];
    view.begin(&mut out)
        .and_then(|()| view.incident(&mut out, &kept.incident))
        .and_then(|()| view.end(&mut out, &kept.sources, &warnings))
        .context("standard output")?;
    if arguments.all && arguments.output == Output::Terminal {
        facts(&store, &kept.incident.id, &mut out)?;
    }
    out.flush().context("standard output")?;
    Ok(Status::Finished)
}

/// The raw evidence, one JSON object a line: JSON has its own escapes for hostile text.
fn facts(store: &whodunit_store::Store, id: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let facts = store.facts(id)?;
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nRaw facts")?;
    for fact in facts {
        let json = serde_json::to_string(&fact)?;
        writeln!(out, "  {}", whodunit_view::visible(&json))?;
    }
    Ok(())
}
