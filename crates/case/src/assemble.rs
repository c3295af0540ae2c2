//! From the facts of one report to a finished incident: the one way in for everybody who has a report.
//!
//! Joins what the other modules work out; decides nothing itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use oom_report::report::{Doubt, Memcg, OomReport, Victim};
use smol_str::SmolStr;

use crate::cgroup_path::{CgroupOwner, Level};
use crate::findings::findings;
use crate::incident::{
    Container, Incident, IncidentSource, MemcgInfo, Pod, RankedTask, SourceKind, VictimInfo,
};
use crate::judge::judge;
use crate::ledger::{self, PastKill};
use crate::remedies::remedies;
use crate::scene::Scene;
use crate::usage::real_limit;

/// Where a report was read.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Index of the source in the document; citations carry it.
    pub source: usize,
    /// How the source was reached.
    pub kind: SourceKind,
    /// Its path, where it has one.
    pub path: Option<&'a str>,
    /// What the victim's container is called, where its runtime was asked: `docker container web`.
    pub place: Option<&'a str>,
}

/// Makes the incident of a report. `history` holds earlier kills, of any container, oldest first
/// ([`crate::ledger::Ledger::history`] gives them; empty is fine). Same arguments, same incident.
///
/// ```
/// use oom_report::{Assumptions, Scanner};
/// use whodunit_case::assemble::{Context, incident};
/// use whodunit_case::incident::{Killer, SourceKind};
///
/// let log = b"Mar  9 13:17:05 ip-172 kernel: [30320.358563] Memory cgroup out of memory: \
///             Kill process 11190 (app) score 9 or sacrifice child\n";
/// let context = Context { source: 0, kind: SourceKind::File, path: Some("kern.log"), place: None };
/// let mut found = Vec::new();
/// Scanner::new(Assumptions::default()).scan(log, 1, &mut |report| found.push(incident(&report, &context, &[])));
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].verdict.killer, Killer::KernelMemcg);
/// ```
pub fn incident(report: &OomReport, context: &Context<'_>, history: &[PastKill]) -> Incident {
    let (mut incident, ranking) = without_tables(report, context, history);
    incident.trigger = report.trigger.clone();
    incident.tasks = report.tasks.clone();
    incident.system = report.system.clone();
    incident.ranking = ranking;
    if let (Some(info), Some(memcg)) = (&mut incident.memcg, &report.memcg) {
        info.stats = memcg.stats.clone();
    }
    incident
}

/// The same as [`incident`] for a report that is not needed any more: its tables are moved, not copied.
pub fn into_incident(
    mut report: OomReport,
    context: &Context<'_>,
    history: &[PastKill],
) -> Incident {
    let (mut incident, ranking) = without_tables(&report, context, history);
    incident.trigger = report.trigger.take();
    incident.tasks = std::mem::take(&mut report.tasks);
    incident.system = report.system.take();
    incident.ranking = ranking;
    if let (Some(info), Some(memcg)) = (&mut incident.memcg, report.memcg) {
        info.stats = memcg.stats;
    }
    incident
}

/// The incident but for what it holds of the report unchanged.
fn without_tables(
    report: &OomReport,
    context: &Context<'_>,
    history: &[PastKill],
) -> (Incident, Vec<RankedTask>) {
    let scene = Scene::new(report, context, history);
    let verdict = judge(&scene);
    let findings = findings(&scene);
    let remedies = remedies(&scene, &findings);
    let owner = match scene.victim_path {
        Some(_) => &scene.victim_owner,
        None => &scene.limit_owner,
    };
    let first_comm = scene.victim.map(|victim| victim.comm.as_str());
    let wall = report.time.wall;
    let torn = report
        .doubts
        .iter()
        .any(|(doubt, _)| matches!(doubt, Doubt::LineCut | Doubt::LinesLost));
    let incident = Incident {
        id: id(report),
        time: wall.map(|wall| wall.timestamp),
        time_assumed: wall.is_some_and(|wall| wall.year_assumed || wall.zone_assumed),
        boot_time_s: report.time.boot_us.map(|us| us as f64 / 1e6),
        boot_id: report.boot_id.as_ref().map(SmolStr::to_string),
        node: report.node.as_ref().map(SmolStr::to_string),
        source: IncidentSource {
            kind: context.kind,
            path: context.path.map(str::to_owned),
            first_line: report.text.first_line(),
            last_line: report.text.last_line(),
            boot: report.boot_ordinal,
            complete: report.missing.is_empty() && !torn,
            provenance: report.provenance,
        },
        also_in: Vec::new(),
        verdict,
        scope: report.scope,
        trigger: None,
        memcg: report.memcg.as_ref().map(|memcg| memcg_info(memcg, &scene)),
        victims: victims(report, &scene),
        tasks: Vec::new(),
        container: container(owner, first_comm),
        pod: pod(owner),
        owner: owner
            .owner_in_words()
            .filter(|_| scene.victim_path.or(scene.limit_path).is_some()),
        usage_split: scene
            .split
            .as_ref()
            .map(|split| split.parts())
            .unwrap_or_default(),
        system: None,
        findings,
        remedies,
        outcomes: report
            .outcomes
            .iter()
            .map(|(outcome, _)| *outcome)
            .collect(),
        missing: report.missing.clone(),
        doubts: distinct(report.doubts.iter().map(|(doubt, _)| *doubt)),
        ranking: Vec::new(),
        sender: None,
    };
    (incident, scene.ranking)
}

/// The key under which [`crate::ledger::Ledger::history`] knows earlier kills of the report's container.
pub fn container_key(report: &OomReport) -> Option<SmolStr> {
    let path = report.memcg.as_ref()?.victim_path.as_deref()?;
    let owner = CgroupOwner::of(path);
    ledger::container_key(
        owner.pod_uid.as_deref(),
        owner.container_id.as_deref(),
        Some(path),
    )
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut out = Vec::new();
    for item in items {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

/// FNV-1a, 64 bits: small, the same everywhere and for all time.
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn number(&mut self, number: Option<u64>) {
        // Absent is not zero.
        self.bytes(&[u8::from(number.is_some())]);
        self.bytes(&number.unwrap_or(0).to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0]);
    }

    /// 16 hex digits.
    pub(crate) fn finish(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Made of what the kill lines print of the victims, so that the same kill has the same id in every log it stands
/// in. Without a victim: of the trigger and its time.
fn id(report: &OomReport) -> String {
    let mut hash = Fnv::new();
    if report.victims.is_empty() {
        let trigger = report.trigger.as_ref();
        hash.number(trigger.and_then(|trigger| trigger.pid).map(u64::from));
        hash.text(trigger.map_or("", |trigger| &trigger.comm));
        hash.number(report.time.boot_us);
        if report.time.boot_us.is_none() {
            let second = report.time.wall.map(|wall| wall.timestamp.as_second());
            hash.number(second.and_then(|second| u64::try_from(second).ok()));
        }
    }
    for victim in &report.victims {
        hash.number(Some(u64::from(victim.pid)));
        hash.text(&victim.comm);
        let sizes = [
            victim.total_vm_kib,
            victim.anon_rss_kib,
            victim.file_rss_kib,
            victim.shmem_rss_kib,
        ];
        sizes.into_iter().for_each(|size| hash.number(size));
        if victim.announced_only {
            hash.number(victim.score);
        }
    }
    hash.finish()
}

fn memcg_info(memcg: &Memcg, scene: &Scene<'_>) -> MemcgInfo {
    let owned = |path: &Option<SmolStr>| path.as_ref().map(SmolStr::to_string);
    MemcgInfo {
        path: owned(&memcg.path),
        level: scene.limit_path.map(|_| scene.limit_level()),
        usage_kib: memcg.memory.usage_kib,
        limit_kib: real_limit(memcg.memory.limit_kib),
        failcnt: memcg.memory.failcnt,
        memsw_usage_kib: memcg.memsw.usage_kib,
        memsw_limit_kib: real_limit(memcg.memsw.limit_kib),
        memsw_failcnt: memcg.memsw.failcnt,
        kmem_usage_kib: memcg.kmem.usage_kib,
        kmem_limit_kib: real_limit(memcg.kmem.limit_kib),
        kmem_failcnt: memcg.kmem.failcnt,
        swap_usage_kib: memcg.swap.usage_kib,
        swap_limit_kib: real_limit(memcg.swap.limit_kib),
        swap_failcnt: memcg.swap.failcnt,
        victim_path: owned(&memcg.victim_path),
        stats: Vec::new(),
        meanings: meanings(memcg),
    }
}

fn meanings(memcg: &Memcg) -> BTreeMap<String, Cow<'static, str>> {
    let names = memcg
        .stats
        .iter()
        .flat_map(|stats| stats.fields.0.iter().map(|(name, _)| name.as_str()));
    names
        .filter_map(|name| {
            let meaning = oom_report::memcg_stat::meaning(name)?;
            Some((name.to_owned(), meaning.into()))
        })
        .collect()
}

fn victims(report: &OomReport, scene: &Scene<'_>) -> Vec<VictimInfo> {
    // Of a group kill, the group's own cgroup tells where the others lived, if it is a container.
    let group = report
        .memcg
        .as_ref()
        .and_then(|memcg| memcg.group_path.as_deref())
        .map(CgroupOwner::of);
    scene
        .victims
        .iter()
        .map(|victim| {
            let is_chosen = scene
                .victim
                .is_some_and(|chosen| std::ptr::eq(chosen, *victim));
            let owner = match (is_chosen, &group) {
                (true, _) => Some(&scene.victim_owner).filter(|_| scene.victim_path.is_some()),
                (false, Some(group)) if victim.group_kill => Some(group),
                (false, _) => None,
            };
            victim_info(victim, owner)
        })
        .collect()
}

fn victim_info(victim: &Victim, owner: Option<&CgroupOwner>) -> VictimInfo {
    VictimInfo {
        pid: victim.pid,
        tgid: victim.tgid,
        comm: victim.comm.clone(),
        uid: victim.uid,
        total_vm_kib: victim.total_vm_kib,
        anon_rss_kib: victim.anon_rss_kib,
        file_rss_kib: victim.file_rss_kib,
        shmem_rss_kib: victim.shmem_rss_kib,
        pgtables_kib: victim.pgtables_kib,
        oom_score_adj: victim.oom_score_adj,
        badness: victim.score,
        group_kill: victim.group_kill,
        shares_memory: victim.shares_memory,
        reaped: victim.reaped,
        reap_failed: victim.reap_failed,
        container: owner.and_then(|owner| container(owner, Some(&victim.comm))),
        pod: owner.and_then(pod),
    }
}

pub(crate) fn container(owner: &CgroupOwner, comm: Option<&str>) -> Option<Container> {
    if owner.level != Level::Container {
        return None;
    }
    Some(Container {
        id: owner.container_id.as_ref().map(SmolStr::to_string),
        runtime: owner.runtime.map(str::to_owned),
        name: owner.container_name.as_ref().map(SmolStr::to_string),
        image: None,
        is_pause: owner.kubernetes && comm == Some("pause"),
        restart_count: None,
    })
}

pub(crate) fn pod(owner: &CgroupOwner) -> Option<Pod> {
    let uid = owner.pod_uid.as_ref()?;
    Some(Pod {
        uid: Some(uid.to_string()),
        namespace: None,
        name: None,
        qos_class: owner.qos_class,
        owner: None,
    })
}

#[cfg(test)]
mod tests;
