//! `whodunit suspects`: how often who killed, in which pods and containers, and when.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use whodunit_store::{BucketSize, Suspects};

use crate::asking;
use crate::cli::{CountOutput, Step, SuspectsArgs};
use crate::exit::Status;
use crate::terminal::StandardOutput;

/// Rows of each table.
const MOST: usize = 15;

/// Prints the counts.
pub fn run(arguments: &SuspectsArgs) -> anyhow::Result<Status> {
    let store = asking::open(&arguments.keeping)?;
    let filter = asking::filter(&arguments.choice)?;
    let step = match arguments.by {
        Step::Hour => BucketSize::Hour,
        Step::Day => BucketSize::Day,
    };
    let zone = TimeZone::system();
    let suspects = store.suspects(&filter, step, &zone)?;
    let mut out = StandardOutput::new();
    match arguments.output {
        CountOutput::Json => {
            serde_json::to_writer(&mut out, &suspects)?;
            writeln!(out)?;
        }
        CountOutput::Table => tables(&suspects, arguments.by, &zone, &mut out)?,
    }
    out.flush().context("standard output")?;
    Ok(Status::Finished)
}

fn tables(
    suspects: &Suspects,
    by: Step,
    zone: &TimeZone,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if suspects.incidents == 0 {
        writeln!(out, "No incident was kept that fits.")?;
        return Ok(());
    }
    writeln!(
        out,
        "{} incidents, {} processes killed",
        suspects.incidents, suspects.victims
    )?;
    let killers = suspects.by_killer.iter().map(|one| {
        vec![
            one.tally.incidents.to_string(),
            one.tally.victims.to_string(),
            one.tally.last.strftime("%Y-%m-%d %H:%M").to_string(),
            one.killer.clone(),
        ]
    });
    table(
        &["incidents", "killed", "last (UTC)", "killer"],
        killers.collect(),
        out,
    )?;
    let pods = suspects.by_pod.iter().map(|one| {
        vec![
            one.tally.incidents.to_string(),
            one.tally.last.strftime("%Y-%m-%d %H:%M").to_string(),
            asking::pod(
                one.namespace.as_deref(),
                one.pod.as_deref(),
                one.pod_uid.as_deref(),
            )
            .unwrap_or_default(),
            most(&one.killers),
        ]
    });
    table(
        &["incidents", "last (UTC)", "pod", "killers"],
        pods.collect(),
        out,
    )?;
    let containers = suspects.by_container.iter().map(|one| {
        let id = one
            .container_id
            .as_deref()
            .map(|id| id.get(..12).unwrap_or(id));
        vec![
            one.tally.incidents.to_string(),
            one.container.as_deref().or(id).unwrap_or("-").to_owned(),
            one.comm.clone().unwrap_or_default(),
            most(&one.killers),
        ]
    });
    table(
        &["incidents", "container", "victim", "killers"],
        containers.collect(),
        out,
    )?;
    let form = match by {
        Step::Hour => "%Y-%m-%d %H:00",
        Step::Day => "%Y-%m-%d",
    };
    let times = suspects.over_time.iter().rev().map(|one| {
        vec![
            ZonedDateTime::new(one.start, zone.clone())
                .strftime(form)
                .to_string(),
            one.incidents.to_string(),
            most(&one.killers),
        ]
    });
    table(&["when", "incidents", "killers"], times.collect(), out)
}

fn most(killers: &BTreeMap<String, u64>) -> String {
    let mut killers: Vec<_> = killers.iter().collect();
    killers.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let told: Vec<String> = killers
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    told.join(", ")
}

fn table(headings: &[&str], rows: Vec<Vec<String>>, out: &mut dyn Write) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let shown = rows.get(..rows.len().min(MOST)).unwrap_or(&rows);
    for line in whodunit_view::listing(headings, shown, asking::looks(false)) {
        writeln!(out, "{line}")?;
    }
    if rows.len() > MOST {
        writeln!(out, "and {} more: -o json has all", rows.len() - MOST)?;
    }
    Ok(())
}
