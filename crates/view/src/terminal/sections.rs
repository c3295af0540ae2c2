//! The sections of one incident, in the order in which a tired person wants them.

use oom_report::report::{Scope, Trigger};
use whodunit_case::cgroup_path::{CgroupOwner, short_id};
use whodunit_case::incident::{Incident, Killer, Severity};
use whodunit_case::size::{exact, grouped, human};

use super::page::{Ink, Page, columns};
use super::{chart, tables};
use crate::escape::visible;
use crate::words;

/// Evidence lines shown of one claim without `--all`.
const CITES_SHOWN: usize = 6;

pub(super) fn write(page: &mut Page, incident: &Incident) {
    verdict(page, incident);
    people(page, incident);
    usage(page, incident);
    evidence(page, incident);
    findings(page, incident);
    remedies(page, incident);
    tables::tasks(page, incident);
    if let Some(memcg) = &incident.memcg {
        tables::statistics(page, memcg);
    }
    let machine = matches!(
        incident.verdict.killer,
        Killer::KernelGlobal | Killer::KernelCpuset | Killer::KernelMempolicy | Killer::KernelSysrq
    );
    if machine || page.looks().all {
        tables::zones(page, incident);
    }
    cleared(page, incident);
    unknown(page, incident);
}

fn verdict(page: &mut Page, incident: &Incident) {
    page.inked_paragraph(Ink::Alarm, &visible(&incident.verdict.summary));
    page.gap();
    let verdict = &incident.verdict;
    fact(
        page,
        "killer",
        &format!(
            "{} ({})",
            words::killer_of(incident),
            words::confidence(verdict.confidence)
        ),
    );
    if let Some(whereabouts) = words::whereabouts(incident) {
        fact(page, "where", &whereabouts);
    }
    let image = incident
        .container
        .as_ref()
        .and_then(|container| container.image.as_deref());
    if let Some(image) = image {
        fact(page, "image", &visible(image));
    }
    let node = incident
        .node
        .as_deref()
        .map(|node| format!(" on {}", visible(node)))
        .unwrap_or_default();
    fact(page, "when", &format!("{}{node}", words::when(incident)));
    fact(
        page,
        "read in",
        &format!(
            "{} ({})",
            words::place(incident),
            words::provenance(incident.source.provenance)
        ),
    );
    if !incident.also_in.is_empty() {
        let places: Vec<String> = incident
            .also_in
            .iter()
            .map(|place| visible(place).into_owned())
            .collect();
        fact(page, "also in", &places.join(", "));
    }
    fact(page, "id", &incident.id);
}

fn fact(page: &mut Page, name: &str, text: &str) {
    page.labelled(&format!("  {name:<8} "), Ink::Faint, text, Ink::Plain);
}

fn people(page: &mut Page, incident: &Incident) {
    page.heading(match incident.victims.len() {
        0 => "Nobody was killed, as far as this log shows",
        1 => "Victim",
        _ => "Victims",
    });
    let shown = if page.looks().all { usize::MAX } else { 8 };
    for victim in incident.victims.iter().take(shown) {
        let mut text = format!(
            "{}: {}",
            words::process(&victim.comm, victim.pid),
            words::victim_sizes(victim)
        );
        if let Some(adj) = victim.oom_score_adj {
            text += &format!("; oom_score_adj {adj}");
        }
        if let Some(uid) = victim.uid {
            text += &format!("; uid {uid}");
        }
        if victim.group_kill {
            text += "; killed with its group";
        }
        if victim.shares_memory {
            text += "; killed since it shares the victim's memory";
        }
        if let Some(reaped) = victim.reaped {
            text += &format!("; reaped, {} anonymous left", human(reaped.anon_rss_kib));
        }
        if victim.reap_failed {
            text += "; the reaper gave up on it";
        }
        page.item("  ", &text);
    }
    let more = incident.victims.len().saturating_sub(shown);
    if more > 0 {
        page.item("  ", &format!("and {more} more: --all shows them"));
    }
    if let Some(trigger) = &incident.trigger {
        let pid = trigger
            .pid
            .map(|pid| format!(" (pid {pid})"))
            .unwrap_or_default();
        let order = match trigger.order {
            Some(-1) => ", by sysrq".to_owned(),
            Some(order) if order > 0 => format!(", 2^{order} pages in one piece"),
            _ => String::new(),
        };
        let flags: Vec<String> = trigger
            .gfp_flags
            .iter()
            .map(|flag| visible(flag).into_owned())
            .collect();
        let flags = if flags.is_empty() {
            String::new()
        } else {
            format!(", {}", flags.join("|"))
        };
        let fault = if trigger.page_fault {
            ", in a page fault"
        } else {
            ""
        };
        page.item(
            "  asked by ",
            &format!(
                "{}{pid}{}{order}{flags}{fault}",
                visible(&trigger.comm),
                container_by_cpuset(trigger, incident)
            ),
        );
    }
}

/// Runtimes name a container's cpuset like its cgroup: that is all that an old report or a cut one may say of whose the task
/// was. Nothing where the report's paths say it.
fn container_by_cpuset(trigger: &Trigger, incident: &Incident) -> String {
    let cpuset = trigger.cpuset.as_deref().unwrap_or_default();
    let owner = CgroupOwner::of(&format!("/{cpuset}"));
    match owner.container_id {
        Some(id) if incident.container.is_none() => {
            format!(", in container {}", visible(short_id(&id)))
        }
        _ => String::new(),
    }
}

fn usage(page: &mut Page, incident: &Incident) {
    let memcg = incident.memcg.as_ref();
    let counters = memcg.is_some_and(|memcg| memcg.usage_kib.is_some());
    if !counters && incident.usage_split.is_empty() {
        return;
    }
    page.heading(if counters {
        "Memory at the limit"
    } else if incident.scope == Some(Scope::Memcg) {
        "Memory of the cgroup"
    } else {
        "Memory of the machine"
    });
    if let Some(memcg) = memcg {
        let rows = [
            ("memory", memcg.usage_kib, memcg.limit_kib, memcg.failcnt),
            (
                "memory+swap",
                memcg.memsw_usage_kib,
                memcg.memsw_limit_kib,
                memcg.memsw_failcnt,
            ),
            (
                "swap",
                memcg.swap_usage_kib,
                memcg.swap_limit_kib,
                memcg.swap_failcnt,
            ),
            (
                "kernel",
                memcg.kmem_usage_kib,
                memcg.kmem_limit_kib,
                memcg.kmem_failcnt,
            ),
        ];
        for (name, usage, limit, failcnt) in rows {
            let Some(usage) = usage else { continue };
            let limit = limit.map_or_else(
                || "no limit".to_owned(),
                |limit| format!("limit {}", exact(limit)),
            );
            let failcnt = failcnt
                .filter(|failcnt| *failcnt > 0)
                .map(|failcnt| match failcnt {
                    1 => ", hit once".to_owned(),
                    _ => format!(", hit {} times", grouped(failcnt)),
                })
                .unwrap_or_default();
            page.item(
                &format!("  {name:<12} "),
                &format!("{} used, {limit}{failcnt}", human(usage)),
            );
        }
        if let Some(path) = &memcg.path {
            let level = memcg.level.as_deref().unwrap_or("cgroup");
            page.item(
                &format!("  {:<12} ", "whose"),
                &format!("{}: {}", visible(level), visible(path)),
            );
        }
    }
    if !incident.usage_split.is_empty() {
        page.gap();
        chart::write(page, &incident.usage_split);
    }
}

fn evidence(page: &mut Page, incident: &Incident) {
    if incident.verdict.evidence.is_empty() {
        return;
    }
    page.heading("Evidence");
    let all = page.looks().all;
    let shown = if all { usize::MAX } else { CITES_SHOWN };
    let cites: Vec<_> = incident.verdict.evidence.iter().map(words::cite).collect();
    let width = cites
        .iter()
        .map(|(place, _)| columns(place))
        .max()
        .unwrap_or(0)
        .min(24);
    for (place, text) in cites.iter().take(shown) {
        page.labelled(
            &format!("  {place:>width$}  "),
            Ink::Faint,
            &visible(text),
            Ink::Plain,
        );
    }
    let more = cites.len().saturating_sub(shown);
    if more > 0 {
        page.item("  ", &format!("and {more} more lines: --all shows them"));
    }
}

fn findings(page: &mut Page, incident: &Incident) {
    if incident.findings.is_empty() {
        return;
    }
    page.heading("Findings");
    for finding in &incident.findings {
        let (mark, ink) = match finding.severity {
            Severity::Critical => ("!!", Ink::Alarm),
            Severity::Warning => (" !", Ink::Warning),
            Severity::Notice => (" *", Ink::Blue),
            Severity::Info => (" -", Ink::Faint),
        };
        page.labelled(
            &format!("  {mark} "),
            ink,
            &visible(&finding.title),
            Ink::Strong,
        );
        page.item("     ", &visible(&finding.detail));
        if page.looks().all {
            for (place, text) in finding.evidence.iter().map(words::cite) {
                page.labelled(
                    &format!("     {place}  "),
                    Ink::Faint,
                    &visible(&text),
                    Ink::Faint,
                );
            }
        }
    }
}

fn remedies(page: &mut Page, incident: &Incident) {
    if incident.remedies.is_empty() {
        return;
    }
    page.heading("What to do");
    for (at, remedy) in incident.remedies.iter().enumerate() {
        page.labelled(
            &format!("  {}. ", at + 1),
            Ink::Good,
            &visible(&remedy.title),
            Ink::Strong,
        );
        page.item("     ", &visible(&remedy.detail));
        for command in &remedy.commands {
            // To be copied: never wrapped.
            let command = page.ink(Ink::Blue, &format!("     $ {}", visible(command)));
            page.line(&command);
        }
        if !remedy.risk.is_empty() {
            page.labelled(
                "     risk: ",
                Ink::Warning,
                &visible(&remedy.risk),
                Ink::Plain,
            );
        }
    }
}

fn cleared(page: &mut Page, incident: &Incident) {
    if incident.verdict.ruled_out.is_empty() {
        return;
    }
    page.heading("Who it was not");
    for ruled_out in &incident.verdict.ruled_out {
        page.item(
            "  - ",
            &format!(
                "{}: {}",
                words::killer(ruled_out.killer),
                visible(&ruled_out.because)
            ),
        );
    }
}

fn unknown(page: &mut Page, incident: &Incident) {
    let scope = incident.scope.filter(|_| page.looks().all);
    let verdict = &incident.verdict;
    let nothing = verdict.not_looked_at.is_empty()
        && incident.missing.is_empty()
        && incident.doubts.is_empty();
    if nothing && scope.is_none() {
        return;
    }
    page.heading("What this log does not say");
    if !incident.missing.is_empty() {
        let sections: Vec<&str> = incident
            .missing
            .iter()
            .map(|missing| words::missing(*missing))
            .collect();
        page.item(
            "  - ",
            &format!("missing from the report: {}", sections.join(", ")),
        );
    }
    let mut doubts = incident.doubts.clone();
    doubts.sort_unstable();
    doubts.dedup();
    for doubt in doubts {
        page.item("  - ", words::doubt(doubt));
    }
    for unseen in &verdict.not_looked_at {
        page.item(
            "  - ",
            &format!("{}: {}", visible(&unseen.what), visible(&unseen.why)),
        );
        if !unseen.how_to.is_empty() {
            let command = page.ink(Ink::Blue, &format!("    $ {}", visible(&unseen.how_to)));
            page.line(&command);
        }
    }
    if let Some(scope) = scope {
        page.item(
            "  - ",
            &format!("the kernel's own constraint: {}", words::scope(scope)),
        );
    }
}
