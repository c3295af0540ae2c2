//! What came out of a log, to be sure that the fast run was a whole one.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::log_file::Log;

/// Sections of an incident that hold the kernel's facts; the others judge, explain or cite.
const SECTIONS: [&str; 12] = [
    "time",
    "boot_time_s",
    "node",
    "scope",
    "trigger",
    "memcg",
    "victims",
    "tasks",
    "system",
    "container",
    "pod",
    "outcomes",
];
/// Members that cite or explain a fact.
const NOT_FACTS: [&str; 6] = ["line", "lines", "source", "text", "evidence", "meaning"];

/// Holds the incidents (one JSON document a line) against what was put into the log: their number, and every victim.
pub(crate) fn check(ndjson: &[u8], log: &Log) -> anyhow::Result<()> {
    let mut incidents = 0;
    let mut victims = BTreeSet::new();
    for line in lines(ndjson) {
        let incident: Value = serde_json::from_slice(line).context("an incident")?;
        if incident.get("id").is_none() {
            continue;
        }
        incidents += 1;
        let killed = incident.get("victims").and_then(Value::as_array);
        for victim in killed.into_iter().flatten() {
            let pid = victim
                .get("pid")
                .and_then(Value::as_u64)
                .context("a victim's pid")?;
            if !victims.insert(u32::try_from(pid)?) {
                bail!("{}: process {pid} was killed twice", log.path.display());
            }
        }
    }
    if incidents != log.reports || victims != log.victims {
        let lost: Vec<_> = log
            .victims
            .iter()
            .filter(|pid| !victims.contains(pid))
            .collect();
        let new: Vec<_> = victims
            .iter()
            .filter(|pid| !log.victims.contains(pid))
            .collect();
        bail!(
            "{}: {incidents} incidents of {}; victims lost: {lost:?}; of no report: {new:?}",
            log.path.display(),
            log.reports
        );
    }
    println!(
        "  counted: {incidents} incidents of {} reports, all {} victims by their pid",
        log.reports,
        victims.len()
    );
    Ok(())
}

/// Facts of all incidents: what is not null in the sections that repeat the kernel's words. First those outside the
/// task table, then those in it.
pub(crate) fn count(ndjson: &[u8]) -> anyhow::Result<(usize, usize)> {
    let mut found = (0, 0);
    for line in lines(ndjson) {
        let incident: Value = serde_json::from_slice(line).context("an incident")?;
        for section in SECTIONS {
            let facts = incident.get(section).map_or(0, leaves);
            if section == "tasks" {
                found.1 += facts;
            } else {
                found.0 += facts;
            }
        }
    }
    Ok(found)
}

fn lines(ndjson: &[u8]) -> impl Iterator<Item = &[u8]> {
    ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Array(list) => list.iter().map(leaves).sum(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !NOT_FACTS.contains(&name.as_str()) && !name.ends_with("_line"))
            .map(|(_, value)| leaves(value))
            .sum(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}
