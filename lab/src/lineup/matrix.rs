//! What was provoked against what was told: the confusion matrix, and every cell that is not where it belongs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::Place;
use super::play::{Played, Run};
use super::table::Kind;

/// Column of a run of which nothing was told.
const NOTHING: &str = "(nothing)";
/// Column of a run of which more than one incident was told.
const SEVERAL: &str = "(several)";
/// A failure's evidence is cut after so many characters.
const EVIDENCE_MOST: usize = 6000;

/// The matrix of one place.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// `here`, or the kernel.
    pub place: &'static str,
    /// `uname -r`.
    pub kernel_release: String,
    /// One for each kind.
    pub rows: Vec<Row>,
    /// Every run that came out otherwise than it must.
    pub failures: Vec<Failure>,
    /// Kinds that did not come about.
    pub not_staged: Vec<NotStaged>,
    /// What the program noted.
    pub notes: Vec<String>,
    /// Last words of virtual machines that hung and were started again.
    pub hung: Vec<String>,
}

/// A row: what was told of one kind, and how often.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the kind.
    pub kind: &'static str,
    /// What must be told.
    pub expected: &'static str,
    /// Runs that came about.
    pub runs: usize,
    /// Code told -> how often.
    pub told: BTreeMap<String, usize>,
}

/// A run that was told wrongly.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Name of the kind.
    pub kind: &'static str,
    /// Number of the run.
    pub run: usize,
    /// What is wrong.
    pub wrong: String,
    /// What was told.
    pub incidents: Vec<Value>,
}

/// A run that did not come about.
#[derive(Debug, Clone, Serialize)]
pub struct NotStaged {
    /// Name of the kind.
    pub kind: String,
    /// Number of the run.
    pub run: usize,
    /// The last words of its script.
    pub said: String,
}

impl Outcome {
    /// Everything was staged and told rightly.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.not_staged.is_empty()
    }
}

/// Holds what was told against the table.
pub(super) fn compare(place: Place, kinds: &[&'static Kind], played: Played) -> Outcome {
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut not_staged = Vec::new();
    for kind in kinds {
        let mut told = BTreeMap::new();
        let mut count = 0;
        for run in played.runs.iter().filter(|run| run.kind == kind.name) {
            if !run.staged {
                not_staged.push(NotStaged {
                    kind: run.kind.clone(),
                    run: run.number,
                    said: run.said.clone(),
                });
                continue;
            }
            count += 1;
            *told.entry(column(run)).or_insert(0) += 1;
            if let Some(wrong) = wrong(kind, run) {
                failures.push(Failure {
                    kind: kind.name,
                    run: run.number,
                    wrong,
                    incidents: run.incidents.clone(),
                });
            }
        }
        rows.push(Row {
            kind: kind.name,
            expected: kind.killer.unwrap_or(NOTHING),
            runs: count,
            told,
        });
    }
    Outcome {
        place: place.name(),
        kernel_release: played.kernel_release,
        rows,
        failures,
        not_staged,
        notes: played.notes,
        hung: played.hung,
    }
}

fn killer(incident: &Value) -> &str {
    incident
        .pointer("/verdict/killer")
        .and_then(Value::as_str)
        .unwrap_or("(no killer)")
}

fn column(run: &Run) -> String {
    match run.incidents.as_slice() {
        [] => NOTHING.to_owned(),
        [one] => killer(one).to_owned(),
        _ => SEVERAL.to_owned(),
    }
}

/// What is wrong with what was told of a run.
fn wrong(kind: &Kind, run: &Run) -> Option<String> {
    let Some(expected) = kind.killer else {
        return (!run.incidents.is_empty())
            .then(|| format!("{} incidents, nothing may be told", run.incidents.len()));
    };
    let [incident] = run.incidents.as_slice() else {
        let told: Vec<&str> = run.incidents.iter().map(killer).collect();
        return Some(format!(
            "{} incidents instead of one: {}",
            told.len(),
            told.join(", ")
        ));
    };
    if killer(incident) != expected {
        return Some(format!("told {}, provoked {expected}", killer(incident)));
    }
    let finding = kind.finding?;
    let found = incident
        .get("findings")
        .and_then(Value::as_array)
        .is_some_and(|all| {
            all.iter()
                .any(|one| one.get("code").and_then(Value::as_str) == Some(finding))
        });
    (!found).then(|| format!("the finding {finding} is missing"))
}

/// The matrix for a person, at most 120 columns wide.
#[must_use]
pub fn print(outcome: &Outcome) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for row in &outcome.rows {
        for code in std::iter::once(row.expected).chain(row.told.keys().map(String::as_str)) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
    }
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or_default());
    let mut text = format!(
        "line-up on {} ({}): provoked down, told across\n",
        outcome.place, outcome.kernel_release
    );
    for (at, pair) in codes.chunks(3).enumerate() {
        let cells: Vec<String> = pair
            .iter()
            .enumerate()
            .map(|(within, code)| format!("{} {code:<26}", letter(at * 3 + within)))
            .collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
    }
    let _ = write!(text, "{:<24}{:>5}", "", "runs");
    for at in 0..codes.len() {
        let _ = write!(text, "{:>4}", letter(at));
    }
    text.push('\n');
    for row in &outcome.rows {
        let _ = write!(text, "{:<24}{:>5}", row.kind, row.runs);
        for code in &codes {
            let mark = if *code == row.expected { ' ' } else { '!' };
            match row.told.get(*code) {
                Some(count) => {
                    let _ = write!(text, "{:>4}", format!("{mark}{count}"));
                }
                None => text.push_str(if *code == row.expected {
                    "   0"
                } else {
                    "   ."
                }),
            }
        }
        text.push('\n');
    }
    for one in &outcome.not_staged {
        let _ = writeln!(text, "NOT STAGED {} {}:\n{}", one.kind, one.run, one.said);
    }
    for failure in &outcome.failures {
        let _ = writeln!(
            text,
            "WRONG {} {}: {}",
            failure.kind, failure.run, failure.wrong
        );
        for incident in &failure.incidents {
            let _ = writeln!(
                text,
                "  {}",
                incident
                    .pointer("/verdict/summary")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            );
            let evidence = incident
                .pointer("/verdict/evidence")
                .map(ToString::to_string)
                .unwrap_or_default();
            let cut: String = evidence.chars().take(EVIDENCE_MOST).collect();
            let _ = writeln!(text, "    {cut}");
        }
    }
    for words in &outcome.hung {
        let _ = writeln!(text, "HUNG and started again: {words}");
    }
    let runs: usize = outcome.rows.iter().map(|row| row.runs).sum();
    let _ = writeln!(
        text,
        "{} kinds, {runs} runs, {} told wrongly, {} not staged",
        outcome.rows.len(),
        outcome.failures.len(),
        outcome.not_staged.len()
    );
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;
    use crate::lineup::table::KINDS;

    fn run(kind: &str, incidents: Vec<Value>) -> Run {
        Run {
            kind: kind.into(),
            number: 1,
            staged: true,
            said: String::new(),
            incidents,
        }
    }

    #[test]
    fn every_cell_off_the_diagonal_is_a_failure() {
        let person = json!({"verdict": {"killer": "person", "summary": "s"}, "findings": []});
        let kinds: Vec<&'static Kind> = KINDS
            .iter()
            .filter(|kind| {
                [
                    "person-terminal",
                    "runc-kill",
                    "forged-kmsg",
                    "child-killed",
                ]
                .contains(&kind.name)
            })
            .collect();
        for (name, incidents, wrong) in [
            ("person-terminal", vec![person.clone()], 0),
            ("person-terminal", vec![], 1),
            ("person-terminal", vec![person.clone(), person.clone()], 1),
            ("runc-kill", vec![person.clone()], 1),
            ("forged-kmsg", vec![], 0),
            ("forged-kmsg", vec![person.clone()], 1),
            (
                "child-killed",
                vec![json!({"verdict": {"killer": "kernel-memcg-container"}, "findings": []})],
                1,
            ),
        ] {
            let played = Played {
                runs: vec![run(name, incidents)],
                ..Played::default()
            };
            let outcome = compare(Place::Here, &kinds, played);
            assert_eq!(outcome.failures.len(), wrong, "{name}");
            assert_eq!(outcome.is_clean(), wrong == 0);
            assert!(print(&outcome).lines().all(|line| line.len() <= 120));
        }
    }
}
