//! `-o markdown`: for a ticket. Text from the log stands in fenced code or is escaped; none of it is markup.

use std::fmt::Write as _;
use std::io::{self, Write};

use whodunit_case::incident::{Cite, Incident, SourceInfo};
use whodunit_case::size::{exact, human, percent};

use crate::escape::{markdown, visible};
use crate::{Looks, View, words};

/// Rows of the task table.
const TASKS_SHOWN: usize = 20;

pub(crate) struct Markdown {
    looks: Looks,
    any: bool,
}

impl Markdown {
    pub(crate) fn new(looks: Looks) -> Self {
        Self { looks, any: false }
    }
}

impl View for Markdown {
    fn begin(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        if self.any {
            out.write_all(b"\n---\n\n")?;
        }
        self.any = true;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write(&mut text, incident, self.looks);
        out.write_all(text.as_bytes())
    }

    fn end(
        &mut self,
        out: &mut dyn Write,
        _: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()> {
        if !self.any {
            out.write_all(b"No report of the kernel's OOM killer was found.\n")?;
        }
        if !warnings.is_empty() {
            out.write_all(b"\n## Warnings\n\n")?;
            for warning in warnings {
                writeln!(out, "- {}", markdown(warning))?;
            }
        }
        Ok(())
    }
}

fn write(text: &mut String, incident: &Incident, looks: Looks) -> std::fmt::Result {
    let verdict = &incident.verdict;
    writeln!(text, "## {}\n", markdown(&verdict.summary))?;
    writeln!(
        text,
        "- **Killer:** {} (`{}`), {}",
        words::killer_of(incident),
        words::code(verdict.killer),
        words::confidence(verdict.confidence)
    )?;
    writeln!(text, "- **When:** {}", markdown(&words::when(incident)))?;
    if let Some(node) = &incident.node {
        writeln!(text, "- **Node:** {}", markdown(node))?;
    }
    if let Some(whereabouts) = words::whereabouts(incident) {
        writeln!(text, "- **Where:** {}", markdown(&whereabouts))?;
    }
    writeln!(
        text,
        "- **Read in:** {} ({})",
        markdown(&words::place(incident)),
        words::provenance(incident.source.provenance)
    )?;
    writeln!(text, "- **Incident:** `{}`", incident.id)?;
    for victim in &incident.victims {
        writeln!(
            text,
            "- **Victim:** {}: {}",
            markdown(&words::process(&victim.comm, victim.pid)),
            words::victim_sizes(victim)
        )?;
    }
    if let Some(memcg) = incident
        .memcg
        .as_ref()
        .filter(|memcg| memcg.usage_kib.is_some())
    {
        let limit = memcg.limit_kib.map_or_else(|| "no limit".to_owned(), exact);
        writeln!(
            text,
            "- **Memory:** {} used, limit {limit}",
            memcg.usage_kib.map(exact).unwrap_or_default()
        )?;
    }
    usage(text, incident)?;
    if !verdict.evidence.is_empty() {
        writeln!(text, "\n### Evidence\n")?;
        fenced(text, &verdict.evidence)?;
    }
    if !incident.findings.is_empty() {
        writeln!(text, "\n### Findings\n")?;
        for finding in &incident.findings {
            writeln!(
                text,
                "- **{}** ({}, `{}`): {}",
                markdown(&finding.title),
                words::severity(finding.severity),
                finding.code,
                markdown(&finding.detail)
            )?;
        }
    }
    if !incident.remedies.is_empty() {
        writeln!(text, "\n### What to do\n")?;
        for (at, remedy) in incident.remedies.iter().enumerate() {
            writeln!(
                text,
                "{}. **{}**: {}",
                at + 1,
                markdown(&remedy.title),
                markdown(&remedy.detail)
            )?;
            if !remedy.commands.is_empty() {
                let commands: Vec<String> = remedy
                    .commands
                    .iter()
                    .map(|command| visible(command).into_owned())
                    .collect();
                fence(text, "   ", &commands)?;
            }
            if !remedy.risk.is_empty() {
                writeln!(text, "   Risk: {}", markdown(&remedy.risk))?;
            }
        }
    }
    tasks(text, incident, looks)?;
    if !verdict.not_looked_at.is_empty() || !incident.missing.is_empty() {
        writeln!(text, "\n### Not known from this log\n")?;
        for missing in &incident.missing {
            writeln!(text, "- missing: {}", words::missing(*missing))?;
        }
        for unseen in &verdict.not_looked_at {
            writeln!(
                text,
                "- {}: {}",
                markdown(&unseen.what),
                markdown(&unseen.why)
            )?;
            if !unseen.how_to.is_empty() {
                fence(text, "  ", &[visible(&unseen.how_to).into_owned()])?;
            }
        }
    }
    Ok(())
}

fn usage(text: &mut String, incident: &Incident) -> std::fmt::Result {
    let total: u64 = incident.usage_split.iter().map(|part| part.kib).sum();
    if total == 0 {
        return Ok(());
    }
    writeln!(text, "\n| part | size | share |\n| --- | ---: | ---: |")?;
    for part in &incident.usage_split {
        writeln!(
            text,
            "| {} | {} | {} % |",
            markdown(&part.name),
            human(part.kib),
            percent(part.kib, total)
        )?;
    }
    Ok(())
}

fn tasks(text: &mut String, incident: &Incident, looks: Looks) -> std::fmt::Result {
    if incident.ranking.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n### Tasks, most killable first\n\n| pid | resident | oom_score_adj | name | |\n| ---: | ---: | ---: | --- | --- |"
    )?;
    let shown = if looks.all { usize::MAX } else { TASKS_SHOWN };
    for task in incident.ranking.iter().take(shown) {
        let mark = match (task.killed, task.trigger) {
            (true, _) => "killed",
            (false, true) => "asked for memory",
            (false, false) => "",
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {mark} |",
            task.pid,
            human(task.rss_kib),
            task.oom_score_adj,
            markdown(&task.comm)
        )?;
    }
    let more = incident.ranking.len().saturating_sub(shown);
    if more > 0 {
        writeln!(text, "\n{more} more tasks.")?;
    }
    Ok(())
}

fn fenced(text: &mut String, cites: &[Cite]) -> std::fmt::Result {
    let lines: Vec<String> = cites
        .iter()
        .map(|cite| {
            let (place, line) = words::cite(cite);
            format!("{place}: {}", visible(&line))
        })
        .collect();
    fence(text, "", &lines)
}

/// A code block whose fence is longer than any run of backticks in it.
fn fence(text: &mut String, indent: &str, lines: &[String]) -> std::fmt::Result {
    let longest = lines
        .iter()
        .flat_map(|line| line.split(|character| character != '`'))
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    writeln!(text, "{indent}{fence}")?;
    for line in lines {
        writeln!(text, "{indent}{line}")?;
    }
    writeln!(text, "{indent}{fence}")
}
