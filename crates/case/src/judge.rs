//! From the facts of a report to a verdict: who killed, how sure, what convicts, who is cleared, what was not seen.
//!
//! Pure: the same report gives the same verdict. Nothing here says what to change.

pub(crate) mod not_looked_at;
mod ruled_out;
mod summary;

use oom_report::report::{Doubt, Outcome, Provenance, Scope};

use crate::cgroup_path::{Level, is_same_or_below};
use crate::findings::{Shortage, shortage};
use crate::incident::{Confidence, Killer, Verdict};
use crate::scene::Scene;

/// Judges one report.
pub(crate) fn judge(scene: &Scene<'_>) -> Verdict {
    let killer = killer(scene);
    let memcg = scene.report.memcg.as_ref();
    let usage = memcg
        .and_then(|memcg| memcg.memory.line)
        .filter(|_| scene.is_memcg());
    let group = memcg.and_then(|memcg| memcg.group_line);
    let outcomes = scene.report.outcomes.iter().map(|(_, line)| Some(*line));
    let lines = [scene.constraint_line(), usage, group, scene.kill_line()];
    Verdict {
        killer,
        confidence: confidence(scene, killer),
        summary: summary::summary(scene, killer),
        evidence: match scene.cites(lines.into_iter().chain(outcomes)) {
            // Of a report that lost all that convicts, the first line shows at least that there was one.
            none if none.is_empty() => scene.cites([Some(0)]),
            found => found,
        },
        ruled_out: ruled_out::ruled_out(scene, killer),
        not_looked_at: not_looked_at::not_looked_at(scene),
    }
}

/// The code of the killer. A cgroup limit that is neither a container's, nor a pod's, nor above the victim's own
/// container or unit is [`Killer::KernelMemcg`].
fn killer(scene: &Scene<'_>) -> Killer {
    // Whatever the shortage was: it is the group's setting that took the others along.
    if scene.is_group_kill() {
        return Killer::KernelGroupKill;
    }
    match scene.report.scope {
        Some(Scope::Sysrq) => Killer::KernelSysrq,
        Some(Scope::Global) => Killer::KernelGlobal,
        Some(Scope::Cpuset) => Killer::KernelCpuset,
        Some(Scope::Mempolicy) => Killer::KernelMempolicy,
        Some(Scope::Memcg) => memcg_killer(scene),
        None => Killer::Unknown,
    }
}

fn memcg_killer(scene: &Scene<'_>) -> Killer {
    let Some(limit_path) = scene.limit_path else {
        return Killer::KernelMemcg;
    };
    let below = scene
        .victim_path
        .is_some_and(|victim| victim != limit_path && is_same_or_below(victim, limit_path));
    let victim_is_owned = match scene.victim_owner.level {
        Level::Container
        | Level::Pod
        | Level::Monitor
        | Level::Service
        | Level::UserSession
        | Level::Task => true,
        Level::Root | Level::Other | Level::Slice | Level::Kubepods | Level::QosTier => false,
    };
    match scene.limit_owner.level {
        Level::Container if scene.limit_of_outer_container() => Killer::KernelMemcgAncestor,
        Level::Container => Killer::KernelMemcgContainer,
        Level::Pod => Killer::KernelMemcgPod,
        Level::Kubepods | Level::QosTier => Killer::KernelMemcgAncestor,
        Level::Slice
        | Level::Service
        | Level::UserSession
        | Level::Task
        | Level::Other
        | Level::Root
            if below && victim_is_owned =>
        {
            Killer::KernelMemcgAncestor
        }
        Level::Slice if below => Killer::KernelMemcgAncestor,
        Level::Slice
        | Level::Service
        | Level::UserSession
        | Level::Task
        | Level::Other
        | Level::Root
        | Level::Monitor => Killer::KernelMemcg,
    }
}

/// Never stronger than the evidence: who wrote the lines, whether they are whole, whether a death is shown.
fn confidence(scene: &Scene<'_>, killer: Killer) -> Confidence {
    let report = scene.report;
    if killer == Killer::Unknown {
        return Confidence::Unknown;
    }
    let mut confidence = match report.provenance {
        Provenance::Kernel | Provenance::KernelTag => Confidence::Certain,
        Provenance::Unverified => Confidence::Probable,
    };
    let nobody_was_killed = report.outcomes.iter().any(|(outcome, _)| {
        matches!(
            outcome,
            Outcome::NoKillableProcesses
                | Outcome::Panic
                | Outcome::Deadlocked
                | Outcome::SysrqIgnored
        )
    });
    let only_announced = !scene.victims.is_empty()
        && scene
            .victims
            .iter()
            .all(|victim| scene.only_announced(victim));
    if only_announced || (report.victims.is_empty() && !nobody_was_killed) {
        confidence = confidence.min(Confidence::Probable);
    }
    // `Out of memory: Killed process` alone says that it was no cgroup's limit, and no more.
    if killer == Killer::KernelGlobal && scene.is_kill_line_alone() {
        confidence = confidence.min(Confidence::Probable);
    }
    // Whoever refused a page fault, it was not a lack of memory.
    if killer == Killer::KernelGlobal
        && scene.is_page_fault()
        && matches!(
            shortage(scene),
            Some(Shortage::WasFree | Shortage::Unexplained)
        )
    {
        confidence = confidence.min(Confidence::Possible);
    }
    if report
        .doubts
        .iter()
        .any(|(doubt, _)| *doubt == Doubt::Interleaved)
    {
        confidence = confidence.min(Confidence::Probable);
    }
    confidence
}

#[cfg(test)]
mod tests;
