//! `--quiet`: one line an incident, for a glance or for grep.

use std::io::{self, Write};

use whodunit_case::incident::{Incident, SourceInfo};
use whodunit_case::size::human;

use crate::escape::visible;
use crate::{Looks, View, words};

pub(crate) struct Quiet {
    _looks: Looks,
}

impl Quiet {
    pub(crate) fn new(looks: Looks) -> Self {
        Self { _looks: looks }
    }
}

impl View for Quiet {
    fn begin(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        let victims: Vec<String> = incident
            .victims
            .iter()
            .map(|victim| format!("{}[{}]", visible(&victim.comm), victim.pid))
            .collect();
        let victims = if victims.is_empty() {
            "nobody".to_owned()
        } else {
            victims.join(",")
        };
        write!(
            out,
            "{}  {victims}  {} ({})",
            words::when(incident),
            words::code(incident.verdict.killer),
            words::confidence(incident.verdict.confidence)
        )?;
        let sender = incident.sender.as_ref().map(|sender| &sender.process);
        if let Some(sender) = sender.filter(|sender| {
            !incident
                .victims
                .iter()
                .any(|victim| victim.pid == sender.tgid)
        }) {
            write!(out, "  by {}[{}]", visible(&sender.comm), sender.tgid)?;
        }
        if let Some(limit) = incident.memcg.as_ref().and_then(|memcg| memcg.limit_kib) {
            write!(out, "  limit {}", human(limit))?;
        }
        if let Some(whereabouts) = words::whereabouts(incident) {
            write!(out, "  {whereabouts}")?;
        }
        writeln!(out, "  {}", words::place(incident))
    }

    fn end(&mut self, _: &mut dyn Write, _: &[SourceInfo], _: &[String]) -> io::Result<()> {
        Ok(())
    }
}
