//! What is true of a kill and matters, one family a file. Every finding is true to the report's numbers and cites
//! the lines that show it; what a report does not hold gives no finding.

mod choice;
mod evidence;
mod kubernetes;
mod limit;
mod machine;
mod neighbours;
mod outcomes;
mod overcommit;
mod processes;
mod repeats;
mod swap;
mod usage;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use oom_report::report::LineIndex;

use crate::incident::{Finding, Severity, Value};
use crate::scene::Scene;

pub(crate) use machine::{Shortage, shortage};
pub(crate) use usage::SHARED_MAPPINGS;

/// All findings, the most severe first, within a severity in the order of the families.
pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for family in FAMILIES {
        family(scene, &mut found);
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

type Family = fn(&Scene<'_>, &mut Vec<Finding>);

const FAMILIES: &[Family] = &[
    limit::find,
    machine::find,
    usage::find,
    neighbours::find,
    processes::find,
    choice::find,
    outcomes::find,
    repeats::find,
    swap::find,
    overcommit::find,
    kubernetes::find,
    evidence::find,
];

/// Begins a finding.
fn finding(
    code: &'static str,
    severity: Severity,
    title: impl Into<String>,
    detail: impl Into<String>,
) -> Draft {
    Draft(Finding {
        code: code.into(),
        severity,
        title: title.into(),
        detail: detail.into(),
        values: BTreeMap::new(),
        evidence: Vec::new(),
    })
}

/// A finding that is being written.
struct Draft(Finding);

impl Draft {
    /// Adds a number; an absent one is left out.
    fn number(mut self, name: &'static str, number: impl Into<Option<u64>>) -> Self {
        if let Some(number) = number.into() {
            self.0.values.insert(
                name.into(),
                Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
            );
        }
        self
    }

    /// Adds a number that may be negative.
    fn signed(mut self, name: &'static str, number: i64) -> Self {
        self.0.values.insert(name.into(), Value::Integer(number));
        self
    }

    /// Adds a text.
    fn text(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.0.values.insert(name.into(), Value::Text(text.into()));
        self
    }

    /// Cites lines and is done.
    fn cite(
        mut self,
        scene: &Scene<'_>,
        lines: impl IntoIterator<Item = Option<LineIndex>>,
    ) -> Finding {
        self.0.evidence = scene.cites(lines);
        self.0
    }
}

/// Up to three names, and how many more: `a (pid 1), b (pid 2) and 5 more`.
fn name_some<'t>(tasks: impl ExactSizeIterator<Item = (&'t str, u32)>) -> String {
    let more = tasks.len().saturating_sub(3);
    let named: Vec<String> = tasks
        .take(3)
        .map(|(comm, pid)| format!("{comm} (pid {pid})"))
        .collect();
    match more {
        0 => named.join(", "),
        _ => format!("{} and {more} more", named.join(", ")),
    }
}

/// `The container's` for `the container's` at the beginning of a sentence; names stay as they are.
fn capital(whose: &str) -> String {
    match whose.strip_prefix("the ") {
        Some(owner) => format!("The {owner}"),
        None => whose.to_owned(),
    }
}
