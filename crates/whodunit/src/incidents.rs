//! `whodunit incidents`: the incidents that were kept, a line each or whole.

use std::io::Write;

use anyhow::Context;
use whodunit_store::{Entry, Filter, Kept, Order, Store, StoreError, document};

use crate::asking;
use crate::cli::{IncidentsArgs, ListOutput};
use crate::exit::Status;
use crate::terminal::StandardOutput;

/// Prints them, the latest first.
pub fn run(arguments: &IncidentsArgs) -> anyhow::Result<Status> {
    let store = asking::open(&arguments.keeping)?;
    let filter = Filter {
        limit: Some(arguments.limit),
        order: Order::NewestFirst,
        ..asking::filter(&arguments.choice)?
    };
    let mut out = StandardOutput::new();
    match arguments.output {
        ListOutput::Table => table(&store, &filter, arguments.all, &mut out)?,
        ListOutput::Json => {
            let mut kept = Vec::new();
            store.each_incident(&filter, &mut |one| {
                kept.push(one);
                true
            })?;
            let kept: Vec<_> = kept.into_iter().collect::<Result<_, _>>()?;
            let document = document(concat!("whodunit ", env!("CARGO_PKG_VERSION")), kept);
            serde_json::to_writer(&mut out, &document)?;
            writeln!(out)?;
        }
        ListOutput::Ndjson => {
            let mut written = Ok(());
            store.each_incident(&filter, &mut |one: Result<Kept, StoreError>| {
                written = one.map_err(anyhow::Error::from).and_then(|one| {
                    serde_json::to_writer(&mut out, &one.incident)?;
                    writeln!(out).map_err(Into::into)
                });
                written.is_ok()
            })?;
            written?;
        }
    }
    out.flush().context("standard output")?;
    Ok(Status::Finished)
}

fn table(store: &Store, filter: &Filter, all: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let entries = store.incidents(filter)?;
    if entries.is_empty() {
        writeln!(out, "No incident was kept that fits.")?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    let headings = ["time (UTC)", "killer", "victim", "id", "what happened"];
    for line in whodunit_view::listing(&headings, &rows, asking::looks(all)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn row(entry: &Entry) -> Vec<String> {
    let time = match (entry.time, entry.boot_time_s) {
        (Some(time), _) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        (None, Some(seconds)) => format!("{seconds:.1} s after boot"),
        (None, None) => "-".to_owned(),
    };
    let sure = if entry.confidence == "certain" {
        ""
    } else {
        "?"
    };
    let more = match entry.victims {
        0 | 1 => String::new(),
        victims => format!(" +{}", victims - 1),
    };
    vec![
        time,
        format!("{}{sure}", entry.killer_code),
        format!("{}{more}", entry.comm.as_deref().unwrap_or("-")),
        entry.id.get(..8).unwrap_or(&entry.id).to_owned(),
        entry.summary.clone(),
    ]
}
