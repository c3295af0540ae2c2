//! The service's log: events on standard error, as text or JSON. Text from a log or a process is escaped before it
//! gets here.

use std::str::FromStr;

use anyhow::{Context, anyhow};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use whodunit_case::incident::{Incident, VictimInfo};

use crate::cli::LogFormat;
use crate::terminal::printable;

/// The variable for what to log.
const ENVIRONMENT: &str = "WHODUNIT_LOG";

/// Begins to write.
pub(super) fn start(format: LogFormat, level: Option<&str>) -> anyhow::Result<()> {
    let environment = std::env::var(ENVIRONMENT)
        .ok()
        .filter(|text| !text.is_empty());
    let (asked, place) = match (level, &environment) {
        (Some(level), _) => (level, "--log-level"),
        (None, Some(level)) => (level.as_str(), ENVIRONMENT),
        (None, None) => ("info", "--log-level"),
    };
    let targets = targets(asked).with_context(|| {
        format!("{place} `{asked}`: error, warn, info, debug, trace, off, or TARGET=LEVEL,... is expected")
    })?;
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let registry = tracing_subscriber::registry().with(targets);
    let begun = match format {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_current_span(false))
            .try_init(),
    };
    begun.map_err(|error| anyhow!("the log: {error}"))
}

/// A word alone is a level here; `tracing` would take it for a target of which everything is wanted.
fn targets(asked: &str) -> anyhow::Result<Targets> {
    let alone = asked.split(',').filter(|part| !part.contains('='));
    for word in alone {
        let level = LevelFilter::from_str(word.trim());
        if word.trim().is_empty() || level.is_err() {
            return Err(anyhow!("`{word}` is no level"));
        }
    }
    Ok(Targets::from_str(asked)?)
}

/// One event an incident. The whole of it is in the store; what hooks get, too.
pub(super) fn incident(incident: &Incident) {
    let text = |text: Option<&str>| text.map(printable);
    let code = |value: serde_json::Result<serde_json::Value>| {
        value
            .ok()
            .as_ref()
            .and_then(serde_json::Value::as_str)
            .map(printable)
    };
    let verdict = &incident.verdict;
    let pod = incident.pod.as_ref();
    let container = incident.container.as_ref();
    let victim: Option<&VictimInfo> = incident.victims.first();
    let sender = incident.sender.as_ref();
    tracing::info!(
        target: "whodunit::incident",
        id = text(Some(&incident.id)),
        killer = code(serde_json::to_value(verdict.killer)),
        confidence = code(serde_json::to_value(verdict.confidence)),
        time = incident.time.map(|time| time.to_string()),
        boot_time_s = incident.boot_time_s,
        node = text(incident.node.as_deref()),
        namespace = text(pod.and_then(|pod| pod.namespace.as_deref())),
        pod = text(pod.and_then(|pod| pod.name.as_deref())),
        pod_uid = text(pod.and_then(|pod| pod.uid.as_deref())),
        container = text(container.and_then(|container| container.name.as_deref())),
        container_id = text(container.and_then(|container| container.id.as_deref())),
        victims = incident.victims.len(),
        victim_pid = victim.map(|victim| victim.pid),
        victim_comm = text(victim.map(|victim| victim.comm.as_str())),
        sender_pid = sender.map(|sender| sender.process.tgid),
        sender_comm = text(sender.map(|sender| sender.process.comm.as_str())),
        "{}",
        printable(&verdict.summary)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_are_told_from_typos() {
        for right in [
            "info",
            "WARN",
            "off",
            "info,h2=debug",
            "whodunit=trace",
            "error, h2=off",
        ] {
            assert!(targets(right).is_ok(), "{right}");
        }
        for wrong in ["", "loud", "info,loud", "h2=loud", "info,"] {
            assert!(targets(wrong).is_err(), "{wrong}");
        }
    }
}
