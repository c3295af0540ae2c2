//! `whodunit incidents`: the incidents that were kept, a line each or whole.

use std::io::Write;

use anyhow::Context;
use whodunit_store::{Entry, Filter, Kept, Order, Store, StoreError, document};

use crate::asking;
use crate::cli::{IncidentsArgs, ListOutput};
use crate::exit::Status;
use crate::terminal::StandardOutput;

/// A terminal of that many columns has room for the verdict's sentence, too.
const WIDE: usize = 120;

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
    let looks = asking::looks(all);
    let is_wide = all || looks.width >= WIDE;
    let mut headings = vec!["time (UTC)", "killer", "victim", "id", "where"];
    headings.extend(is_wide.then_some("what happened"));
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| row(entry, is_wide)).collect();
    for line in whodunit_view::listing(&headings, &rows, looks) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// `shop/web-1 app`, `web`, the start of a container's id.
fn whereabouts(entry: &Entry) -> String {
    let short = |id: &String| id.get(..12).unwrap_or(id).to_owned();
    let uid = entry.pod_uid.as_ref().map(short);
    let pod = asking::pod(
        entry.namespace.as_deref(),
        entry.pod.as_deref(),
        uid.as_deref(),
    );
    let container = entry
        .container
        .clone()
        .or_else(|| entry.container_id.as_ref().map(short));
    match (pod, container) {
        (Some(pod), Some(container)) => format!("{pod} {container}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "-".to_owned(),
    }
}

fn row(entry: &Entry, is_wide: bool) -> Vec<String> {
    let time = match (entry.time, entry.boot_time_s) {
        (Some(time), _) if is_wide => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        (Some(time), _) => time.strftime("%m-%d %H:%M:%S").to_string(),
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
    let mut row = vec![
        time,
        format!("{}{sure}", entry.killer_code),
        format!("{}{more}", entry.comm.as_deref().unwrap_or("-")),
        entry.id.get(..8).unwrap_or(&entry.id).to_owned(),
        whereabouts(entry),
    ];
    row.extend(is_wide.then(|| entry.summary.clone()));
    row
}
