//! Which incidents are asked for, and how that is said in SQL. The conditions mean what those of `whodunit explain`
//! mean: of the victims, their pods and containers, and those of the incident, one that fits is enough.

use jiff::Timestamp;
use rusqlite::types::Value;
use serde::Serialize;
use whodunit_case::incident::Killer;

/// `comm` holds 15 bytes and a NUL (`TASK_COMM_LEN`, include/linux/sched.h): longer names were cut by the kernel.
const COMM_BYTES: usize = 15;

/// What to look for; everything where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Not before. An incident without a wall clock counts as of when it was first stored.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// One of these; any when empty.
    pub killers: Vec<Killer>,
    /// Uid, or part of uid or name, whatever its case; `_` for `-` as systemd's cgroup names have it.
    pub pod: Option<String>,
    /// Namespace of the pod, whole.
    pub namespace: Option<String>,
    /// Beginning of the id, or the name.
    pub container: Option<String>,
    /// Name of a killed process, whole.
    pub comm: Option<String>,
    /// Host name, whole.
    pub node: Option<String>,
    /// At most so many, the first by `order`.
    pub limit: Option<u32>,
    /// Which come first.
    pub order: Order,
}

/// The order of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The latest first.
    #[default]
    NewestFirst,
    /// In the order they happened.
    OldestFirst,
}

/// A condition with its values.
#[derive(Default)]
pub(crate) struct Clauses {
    conditions: Vec<String>,
    pub(crate) values: Vec<Value>,
}

impl Clauses {
    fn add(&mut self, condition: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition.into());
        self.values.extend(values);
    }
}

impl Filter {
    /// ` WHERE ... ORDER BY ... LIMIT ...` for the table `incidents`, and its values.
    pub(crate) fn sql(&self) -> (String, Vec<Value>) {
        let mut clauses = Clauses::default();
        let text = |text: &str| Value::Text(text.to_owned());
        if let Some(since) = self.since {
            clauses.add("moment_us >= ?", [Value::Integer(ceiling_us(since))]);
        }
        if let Some(until) = self.until {
            clauses.add("moment_us < ?", [Value::Integer(ceiling_us(until))]);
        }
        if let Some(node) = &self.node {
            clauses.add("node = ?", [text(node)]);
        }
        if !self.killers.is_empty() {
            let marks = vec!["?"; self.killers.len()].join(", ");
            let codes = self.killers.iter().map(|killer| Value::Text(code(*killer)));
            clauses.add(format!("killer IN ({marks})"), codes);
        }
        self.involved(&mut clauses);
        let mut sql = String::new();
        for (index, condition) in clauses.conditions.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE " } else { " AND " });
            sql.push_str(condition);
        }
        sql.push_str(match self.order {
            Order::NewestFirst => " ORDER BY moment_us DESC, number DESC",
            Order::OldestFirst => " ORDER BY moment_us, number",
        });
        if let Some(limit) = self.limit {
            sql.push_str(" LIMIT ?");
            clauses.values.push(Value::Integer(limit.into()));
        }
        (sql, clauses.values)
    }

    fn involved(&self, clauses: &mut Clauses) {
        let text = |text: &str| Value::Text(text.to_owned());
        let any = |condition: &str| {
            format!(
                "EXISTS (SELECT 1 FROM involved WHERE involved.incident = incidents.number AND ({condition}))"
            )
        };
        if let Some(pod) = &self.pod {
            let pod = pod.to_lowercase();
            let uid = pod.replace('_', "-");
            clauses.add(
                any("instr(lower(involved.pod_uid), ?) OR instr(lower(involved.pod), ?)"),
                [Value::Text(uid), Value::Text(pod)],
            );
        }
        if let Some(namespace) = &self.namespace {
            clauses.add(any("involved.namespace = ?"), [text(namespace)]);
        }
        if let Some(container) = &self.container {
            clauses.add(
                any("instr(involved.container_id, ?) = 1 OR involved.container = ?"),
                [text(&container.to_lowercase()), text(container)],
            );
        }
        if let Some(comm) = &self.comm {
            // As the kernel would have cut it.
            let cut = comm.get(..COMM_BYTES).unwrap_or(comm);
            clauses.add(
                any("involved.comm = ? OR involved.comm = ?"),
                [text(comm), text(cut)],
            );
        }
    }
}

/// Times are stored to the microsecond: what is asked for to the nanosecond is rounded up, so that a bound keeps its
/// meaning for them.
fn ceiling_us(time: Timestamp) -> i64 {
    let us = time.as_microsecond();
    let whole = time.as_nanosecond() <= i128::from(us) * 1000;
    if whole { us } else { us + 1 }
}

/// The code of a killer or a confidence, as the output contract has it.
pub(crate) fn code(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(code)) => code,
        // Variants without fields are written as strings.
        other => format!("{other:?}"),
    }
}
