//! What was done, and what was told of it: every kill once, and each by its own killer.

use std::collections::HashMap;

use anyhow::Context;
use serde_json::Value;

/// A kill as its doer wrote it down.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    /// `parent`, `person` or `oom`.
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

    /// The killer codes that are right for it. A cgroup that was full is named by its level; the report that would prove
    /// which may have been suppressed by the kernel, the level is known from the cgroups themselves then.
    fn codes(&self) -> &'static [&'static str] {
        match self.kind.as_str() {
            "oom" => &["kernel-memcg-container"],
            "person" => &["person"],
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
    /// The kernel's report is part of it.
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
    let array = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let signal_ns = array(&incident["verdict"]["evidence"])
        .iter()
        .map(|cite| &cite["signal"])
        .find(|signal| signal["signal"] == 9)
        .and_then(|signal| signal["boot_ns"].as_u64());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Verdict {
        arrived_ns,
        signal_ns,
        victims: array(&incident["victims"])
            .iter()
            .filter_map(|one| number(&one["pid"]))
            .collect(),
        sender: number(&incident["sender"]["process"]["tgid"]),
        code: text(&incident["verdict"]["killer"]),
        reported: !incident["trigger"].is_null() || !incident["memcg"].is_null(),
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
                let right = deed.codes().contains(&one.code.as_str())
                    && one.sender == Some(deed.killer)
                    && one.victims == [deed.victim];
                if right {
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
