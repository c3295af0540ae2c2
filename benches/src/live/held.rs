//! What was done, and what was told of it: every kill once, and each by its own killer.

use std::collections::HashMap;

use anyhow::Context;
use serde_json::Value;

/// A kill as its doer wrote it down.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    /// `parent`, `pidfd`, `person`, `oom`, `namespace` or `group`.
    pub(super) kind: String,
    pub(super) victim: u32,
    /// Of an OOM kill, who asked for the memory.
    pub(super) killer: u32,
    /// CLOCK_BOOTTIME.
    after_ns: u64,
    before_ns: u64,
}

impl Deed {
    pub(super) fn read(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, numbers @ ..] = words.as_slice() else {
            anyhow::bail!("an empty line");
        };
        let number = |at: usize| -> anyhow::Result<u64> {
            let word = numbers.get(at).with_context(|| line.to_owned())?;
            word.parse().with_context(|| line.to_owned())
        };
        Ok(Self {
            kind: (*kind).to_owned(),
            victim: u32::try_from(number(0)?)?,
            killer: u32::try_from(number(1)?)?,
            after_ns: number(2)?,
            before_ns: number(3)?,
        })
    }

    /// The right killer, and the right process.
    pub(super) fn is_told_by(&self, verdict: &Verdict) -> bool {
        self.codes().contains(&verdict.code.as_str())
            && verdict.sender == Some(self.killer)
            && verdict.victims.contains(&self.victim)
    }

    /// For a table.
    pub(super) fn in_words(&self) -> &'static str {
        match self.kind.as_str() {
            "oom" => "memory cgroup full",
            "person" => "a person, gone at once",
            "namespace" => "pid namespace, its init ended",
            "group" => "cgroup.kill of a group",
            "pidfd" => "parent, pidfd_send_signal(2)",
            _ => "parent, kill(2)",
        }
    }

    /// The killer codes that are right for it. A cgroup that was full is named by its level; the report that would prove
    /// which may have been suppressed by the kernel, the level is known from the cgroups themselves then.
    fn codes(&self) -> &'static [&'static str] {
        match self.kind.as_str() {
            "oom" => &["kernel-memcg-container"],
            "person" => &["person"],
            "namespace" => &["kernel-pidns-exit"],
            "group" => &["kernel-cgroup-kill"],
            _ => &["application-parent"],
        }
    }
}

/// What an incident says of a kill.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) arrived_ns: u64,
    /// The kernel's own time of the SIGKILL.
    pub(super) signal_ns: Option<u64>,
    pub(super) victims: Vec<u32>,
    pub(super) sender: Option<u32>,
    pub(super) code: String,
    /// The kernel's whole report is part of it.
    pub(super) reported: bool,
}

/// The verdicts of the lines, each with the moment of its arrival.
pub(super) fn verdicts(lines: &[(u64, Vec<u8>)]) -> anyhow::Result<Vec<Verdict>> {
    lines
        .iter()
        .map(|(at_ns, line)| {
            let incident: Value = serde_json::from_slice(line)
                .with_context(|| String::from_utf8_lossy(line).into_owned())?;
            Ok(verdict(*at_ns, &incident))
        })
        .collect()
}

fn verdict(arrived_ns: u64, incident: &Value) -> Verdict {
    let list = |path: &str| incident.pointer(path).and_then(Value::as_array);
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let kill = list("/verdict/evidence").and_then(|evidence| {
        let mut signals = evidence.iter().filter_map(|cite| cite.get("signal"));
        signals.find(|signal| signal.get("signal").and_then(Value::as_u64) == Some(9))
    });
    let code = incident.pointer("/verdict/killer").and_then(Value::as_str);
    Verdict {
        arrived_ns,
        signal_ns: kill
            .and_then(|kill| kill.get("boot_ns"))
            .and_then(Value::as_u64),
        victims: list("/victims")
            .into_iter()
            .flatten()
            .filter_map(|one| number(one.get("pid")?))
            .collect(),
        sender: incident.pointer("/sender/process/tgid").and_then(number),
        code: code.unwrap_or_default().to_owned(),
        reported: list("/tasks").is_some_and(|tasks| !tasks.is_empty()),
    }
}

/// How the verdicts stand to the deeds.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Told once, the right killer and the right process.
    pub(super) right: usize,
    /// Not told.
    pub(super) missing: Vec<Deed>,
    /// Told more than once.
    pub(super) twice: Vec<Deed>,
    /// Told with another killer.
    pub(super) wrong: Vec<(Deed, Verdict)>,
    /// Of whom nobody here killed anybody: other kills of the machine, or bystanders accused.
    pub(super) strangers: Vec<Verdict>,
}

/// Holds them against each other. A pid may come again: the moments tell them apart.
pub(super) fn hold(deeds: &[Deed], verdicts: &[Verdict]) -> Held {
    let mut by_victim: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, deed) in deeds.iter().enumerate() {
        by_victim.entry(deed.victim).or_default().push(at);
    }
    let mut told: Vec<Vec<&Verdict>> = vec![Vec::new(); deeds.len()];
    let mut held = Held::default();
    for verdict in verdicts {
        let mut known = false;
        for victim in &verdict.victims {
            for at in by_victim.get(victim).into_iter().flatten() {
                let (Some(deed), Some(told)) = (deeds.get(*at), told.get_mut(*at)) else {
                    continue;
                };
                let in_time = verdict
                    .signal_ns
                    .is_none_or(|ns| (deed.after_ns..=deed.before_ns).contains(&ns));
                if in_time {
                    known = true;
                    told.push(verdict);
                }
            }
        }
        if !known {
            held.strangers.push(verdict.clone());
        }
    }
    for (deed, told) in deeds.iter().zip(told) {
        match told.as_slice() {
            [] => held.missing.push(deed.clone()),
            [one] => {
                if deed.is_told_by(one) && one.victims.len() == 1 {
                    held.right += 1;
                } else {
                    held.wrong.push((deed.clone(), (*one).clone()));
                }
            }
            _ => held.twice.push(deed.clone()),
        }
    }
    held
}
