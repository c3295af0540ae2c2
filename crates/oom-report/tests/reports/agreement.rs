//! Whether a report says nothing that known reports of the same kill do not say: fewer facts are fine, others are not.

use oom_report::report::{OomReport, Task, Victim};

/// `None`, or the same.
fn agrees<T: PartialEq>(part: &Option<T>, whole: &Option<T>) -> bool {
    part.is_none() || part == whole
}

/// A name as it was before a JSON string escaped it: where nothing of the form is left, nothing shows that it did.
fn unescaped(shown: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{shown}\"")).ok()
}

fn victim_agrees(part: &Victim, whole: &Victim, is_first: bool) -> bool {
    (part.comm == whole.comm
        || is_first && unescaped(&part.comm).is_some_and(|comm| comm == whole.comm))
        && agrees(&part.total_vm_kib, &whole.total_vm_kib)
        && agrees(&part.anon_rss_kib, &whole.anon_rss_kib)
        && agrees(&part.file_rss_kib, &whole.file_rss_kib)
        && agrees(&part.shmem_rss_kib, &whole.shmem_rss_kib)
        && agrees(&part.pgtables_kib, &whole.pgtables_kib)
        && agrees(&part.oom_score_adj, &whole.oom_score_adj)
        && agrees(&part.uid, &whole.uid)
}

/// A name without what sets a terminal's colour: `\x1b[31m`.
fn without_colours(comm: &str) -> String {
    let mut parts = comm.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part
            .trim_start_matches(|character: char| character.is_ascii_digit() || character == ';')
            .strip_prefix('m')
        {
            Some(rest) => plain += rest,
            None => plain = plain + "\u{1b}[" + part,
        }
    }
    plain
}

/// Whether every fact of `part` is one of the `whole` reports', and of one of them at a time.
pub(crate) fn no_fact_is_new(part: &OomReport, whole: &[OomReport]) -> Result<(), String> {
    let same_task = |task: &Task, known: &Task| {
        Task {
            line: 0,
            ..task.clone()
        } == Task {
            line: 0,
            ..known.clone()
        }
    };
    let is_first = part.text.first_line() == Some(1);
    let fits = |report: &OomReport| -> Result<(), String> {
        for victim in &part.victims {
            if !report
                .victims
                .iter()
                .any(|known| known.pid == victim.pid && victim_agrees(victim, known, is_first))
            {
                return Err(format!("victim {victim:?}"));
            }
        }
        for task in &part.tasks {
            if !report.tasks.iter().any(|known| same_task(task, known)) {
                return Err(format!("task {task:?}"));
            }
        }
        if let Some(trigger) = &part.trigger {
            let known = report.trigger.as_ref().ok_or("trigger")?;
            // The first line of a cut log may have lost the start of the name,
            // even in the middle of an escape.
            let in_letters = |comm: &str| {
                comm.escape_default()
                    .to_string()
                    .replace("\\u{", "\\x")
                    .replace('}', "")
            };
            let known_comm = in_letters(&known.comm);
            let comm = in_letters(&trigger.comm);
            // The last byte of a colour's sequence looks like the first of the name, and where no framing is before it a
            // colour of the name's is as good as a terminal's.
            let without_m = comm.strip_prefix('m').filter(|_| is_first);
            let comm = known_comm.ends_with(&comm)
                || without_m.is_some_and(|comm| known_comm == comm)
                || is_first
                    && unescaped(&trigger.comm).is_some_and(|comm| known.comm.ends_with(&comm))
                || is_first && without_colours(&known.comm) == trigger.comm;
            if !(comm
                && agrees(&trigger.pid, &known.pid)
                && agrees(&trigger.order, &known.order)
                && agrees(&trigger.gfp_mask, &known.gfp_mask)
                && agrees(&trigger.oom_score_adj, &known.oom_score_adj))
            {
                return Err(format!("trigger {trigger:?}"));
            }
        }
        if let Some(memcg) = &part.memcg {
            let known = report.memcg.as_ref().ok_or("memcg")?;
            let paths =
                agrees(&memcg.path, &known.path) && agrees(&memcg.victim_path, &known.victim_path);
            let sizes = agrees(&memcg.memory.usage_kib, &known.memory.usage_kib)
                && agrees(&memcg.memory.limit_kib, &known.memory.limit_kib)
                && agrees(&memcg.memory.failcnt, &known.memory.failcnt);
            if !paths || !sizes {
                return Err(format!("memcg {memcg:?}"));
            }
            for stats in &memcg.stats {
                let known = known
                    .stats
                    .iter()
                    .find(|known| known.path == stats.path)
                    .ok_or("stats")?;
                if let Some(field) = stats
                    .fields
                    .0
                    .iter()
                    .find(|(name, value)| known.fields.get(name) != Some(*value))
                {
                    return Err(format!("stat {field:?}"));
                }
            }
        }
        Ok(())
    };
    let mut reasons = Vec::new();
    for report in whole {
        match fits(report) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; "))
}
