//! Verdicts: code, confidence, sentence, who is cleared, what was not seen.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use oom_report::report::{Doubt, Missing, OomReport, Outcome, Provenance, Scope};

use crate::incident::{Cite, Confidence, Killer};
use crate::sample::*;

fn set_paths(report: &mut OomReport, limit: &str, victim: &str) {
    let memcg = report.memcg.as_mut().unwrap();
    memcg.path = Some(limit.into());
    memcg.victim_path = Some(victim.into());
}

#[test]
fn the_level_of_the_limit_names_the_killer() {
    let container = container_path();
    let pod = pod_path();
    let docker = format!("/system.slice/docker-{ID}.scope");
    let below = format!("{container}/workers");
    let nested = format!("/docker/{PAUSE_ID}/kubelet{container}");
    let node = format!("/docker/{PAUSE_ID}");
    let rows: &[(&str, &str, Killer)] = &[
        (&container, &container, Killer::KernelMemcgContainer),
        (&container, &below, Killer::KernelMemcgContainer),
        (&below, &below, Killer::KernelMemcgContainer),
        (&pod, &container, Killer::KernelMemcgPod),
        (
            "/kubepods/burstable",
            &container,
            Killer::KernelMemcgAncestor,
        ),
        ("/kubepods", &container, Killer::KernelMemcgAncestor),
        ("/system.slice", &docker, Killer::KernelMemcgAncestor),
        (&docker, &docker, Killer::KernelMemcgContainer),
        (&node, &nested, Killer::KernelMemcgAncestor),
        (&nested, &nested, Killer::KernelMemcgContainer),
        (
            "/system.slice/a.service",
            "/system.slice/a.service",
            Killer::KernelMemcg,
        ),
        (
            "/system.slice",
            "/system.slice/a.service",
            Killer::KernelMemcgAncestor,
        ),
        ("/limits/small", "/limits/small", Killer::KernelMemcg),
        ("/limits", "/limits/small", Killer::KernelMemcg),
    ];
    for (limit, victim, killer) in rows {
        let mut report = figure_13();
        set_paths(&mut report, limit, victim);
        assert_eq!(judged(&report).verdict.killer, *killer, "{limit} {victim}");
    }
}

#[test]
fn the_constraint_names_the_killer() {
    for (scope, killer) in [
        (Scope::Global, Killer::KernelGlobal),
        (Scope::Cpuset, Killer::KernelCpuset),
        (Scope::Mempolicy, Killer::KernelMempolicy),
        (Scope::Sysrq, Killer::KernelSysrq),
    ] {
        let mut report = machine();
        report.scope = Some(scope);
        assert_eq!(judged(&report).verdict.killer, killer);
    }
    let mut report = machine();
    report.scope = None;
    let verdict = judged(&report).verdict;
    assert_eq!(
        (verdict.killer, verdict.confidence),
        (Killer::Unknown, Confidence::Unknown)
    );
    assert!(verdict.ruled_out.is_empty());
}

#[test]
fn a_group_kill_is_the_groups() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    add_victim(&mut report, 11_191, "helper", 1_000, 500);
    for victim in &mut report.victims {
        victim.group_kill = true;
    }
    let verdict = judged(&report).verdict;
    assert_eq!(verdict.killer, Killer::KernelGroupKill);
    assert!(
        verdict.summary.contains("(2 processes)"),
        "{}",
        verdict.summary
    );
    assert!(
        verdict.summary.contains("app (pid 11190) first"),
        "{}",
        verdict.summary
    );
}

#[test]
fn the_sentence_names_victim_place_and_limit() {
    let verdict = judged(&figure_13()).verdict;
    assert_eq!(
        verdict.summary,
        "The kernel killed app (pid 11190) in container 0123456789ab of pod 8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1 \
         (Burstable) because the container reached its own memory limit of 30 GiB."
    );
    let texts: Vec<&Cite> = verdict.evidence.iter().collect();
    assert!(
        matches!(texts[0], Cite::Line { line: 102, text, .. } if text.starts_with("Task in /kubepods"))
    );
    assert!(verdict.evidence.iter().any(
        |cite| matches!(cite, Cite::Line { text, .. } if text.contains("Killed process 11190"))
    ));
}

#[test]
fn another_trigger_is_named_and_an_unknown_thread_is_not() {
    let mut report = figure_13();
    add_task(&mut report, 12_000, "asker", 100, 995);
    let trigger = report.trigger.as_mut().unwrap();
    (trigger.pid, trigger.comm) = (Some(12_000), "asker".into());
    assert!(
        judged(&report)
            .verdict
            .summary
            .contains("asker (pid 12000), another process")
    );
    // In no row of the table: it may be a thread of the victim.
    report.trigger.as_mut().unwrap().pid = Some(12_001);
    assert!(!judged(&report).verdict.summary.contains("another process"));
    // A thread's row of the victim's process.
    add_task(&mut report, 12_001, "asker", 100, 995);
    report.tasks.last_mut().unwrap().tgid = 11_190;
    assert!(!judged(&report).verdict.summary.contains("another process"));
}

#[test]
fn a_verdict_is_never_stronger_than_its_evidence() {
    let mut report = figure_13();
    assert_eq!(judged(&report).verdict.confidence, Confidence::Certain);
    report.provenance = Provenance::Kernel;
    assert_eq!(judged(&report).verdict.confidence, Confidence::Certain);
    report.provenance = Provenance::Unverified;
    let verdict = judged(&report).verdict;
    assert_eq!(verdict.confidence, Confidence::Probable);
    assert!(
        verdict
            .not_looked_at
            .iter()
            .any(|item| item.what == "who wrote these lines")
    );
    assert!(
        verdict
            .ruled_out
            .iter()
            .any(|item| item.because.contains("if the kernel wrote these lines"))
    );
    report.provenance = Provenance::Kernel;
    report.doubts.push((Doubt::Interleaved, None));
    assert_eq!(judged(&report).verdict.confidence, Confidence::Probable);
}

#[test]
fn one_line_names_the_killer_and_what_is_missing() {
    let incident = judged(&one_line());
    assert_eq!(incident.verdict.killer, Killer::KernelMemcg);
    assert_eq!(incident.verdict.confidence, Confidence::Probable);
    assert!(
        incident
            .verdict
            .summary
            .contains("app (pid 11190) or a child of it")
    );
    assert!(
        incident
            .verdict
            .summary
            .contains("which one, the log does not say")
    );
    assert!(!incident.source.complete);
    // It was only announced: nobody is cleared by a kill line that is not there.
    assert!(
        incident
            .verdict
            .ruled_out
            .iter()
            .all(|item| item.killer == Killer::KernelGlobal)
    );
}

#[test]
fn without_a_victim_the_sentence_says_so() {
    let mut report = machine();
    report.victims.clear();
    report.missing.push(Missing::KillLine);
    assert!(
        judged(&report)
            .verdict
            .summary
            .contains("before it names whom it killed")
    );
    assert_eq!(judged(&report).verdict.confidence, Confidence::Probable);
    let line = add_line(
        &mut report,
        "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled",
    );
    report.outcomes.push((Outcome::Panic, line));
    let verdict = judged(&report).verdict;
    assert!(
        verdict
            .summary
            .starts_with("The kernel stopped the whole machine")
    );
    assert_eq!(verdict.confidence, Confidence::Certain);
    report.outcomes[0].0 = Outcome::NoKillableProcesses;
    assert!(
        judged(&report)
            .verdict
            .summary
            .contains("found none that it may kill")
    );
}

#[test]
fn only_what_the_evidence_excludes_is_ruled_out() {
    let cleared = |report: &OomReport| -> Vec<Killer> {
        judged(report)
            .verdict
            .ruled_out
            .iter()
            .map(|item| item.killer)
            .collect()
    };
    let container = cleared(&figure_13());
    for killer in [
        Killer::KernelGlobal,
        Killer::KernelMemcgPod,
        Killer::KernelMemcgAncestor,
        Killer::KubeletEviction,
        Killer::Person,
    ] {
        assert!(container.contains(&killer), "{killer:?}");
    }
    assert!(!container.contains(&Killer::KernelMemcgContainer));
    let global = cleared(&machine());
    assert!(global.contains(&Killer::KernelMemcg) && !global.contains(&Killer::KernelGlobal));
    let mut report = machine();
    report.scope = Some(Scope::Sysrq);
    assert!(!cleared(&report).contains(&Killer::Person));
}

#[test]
fn commands_name_the_pod_and_hold_no_hostile_text() {
    let commands: Vec<String> = judged(&figure_13())
        .verdict
        .not_looked_at
        .into_iter()
        .map(|item| item.how_to)
        .collect();
    assert!(
        commands
            .iter()
            .any(|command| command.contains("kubectl get pods -A") && command.contains(UID))
    );
    assert!(
        commands
            .iter()
            .any(|command| *command == format!("crictl inspect {ID} || docker inspect {ID}"))
    );
    let mut report = figure_13();
    let hostile = "/system.slice/a'; rm -rf ~; '.service";
    set_paths(&mut report, hostile, hostile);
    for item in judged(&report).verdict.not_looked_at {
        assert!(!item.how_to.contains("a'; rm"), "{}", item.how_to);
    }
}

/// The parser takes an announcement for the kill when nothing else is left of it; the verdict does not.
#[test]
fn a_kill_that_was_only_announced_is_told_as_such() {
    let mut report = one_line();
    for announced_only in [true, false] {
        report.victims[0].announced_only = announced_only;
        let verdict = judged(&report).verdict;
        assert!(
            verdict
                .summary
                .starts_with("The kernel chose app (pid 11190) or a child of it to be killed"),
            "{}",
            verdict.summary
        );
        assert_eq!(verdict.confidence, Confidence::Probable);
        assert!(
            verdict
                .ruled_out
                .iter()
                .all(|cleared| cleared.killer != Killer::Person)
        );
    }
}

/// Without a kill line the page size is known by the architecture, so that the table is still ranked.
#[test]
fn the_page_size_of_x86_is_known_without_a_kill_line() {
    let mut report = figure_13();
    report.victims.clear();
    report.page_size_bytes = None;
    let release = |report: &mut OomReport, release: &str| {
        report.trigger.as_mut().unwrap().kernel_release = Some(release.into());
    };
    release(&mut report, "6.12.117+deb13-cloud-amd64");
    assert_eq!(judged(&report).ranking[0].rss_kib, 31_433_640);
    release(&mut report, "6.12.0-arm64-64k");
    report.trigger.as_mut().unwrap().stack = vec!["el0_svc".into()];
    assert!(judged(&report).ranking.is_empty());
    report.trigger.as_mut().unwrap().stack = vec!["asm_exc_page_fault".into()];
    assert!(!judged(&report).ranking.is_empty());
}

/// 4.x: `Kill process 11190 (app) ... or sacrifice child`, then `Killed process 11200 (worker)`.
#[test]
fn a_child_that_died_in_its_parents_place_is_the_victim() {
    let mut report = figure_13();
    add_task(&mut report, 11_200, "worker", 20_000, 995);
    report.victims[0].announced_only = true;
    report.victims[0].score = Some(1_995);
    add_victim(&mut report, 11_200, "worker", 200_000, 80_000);
    let incident = judged(&report);
    assert!(
        incident.verdict.summary.starts_with(
            "The kernel killed worker (pid 11200), a child of app (pid 11190), in its place, in container"
        ),
        "{}",
        incident.verdict.summary
    );
    let pids: Vec<u32> = incident.victims.iter().map(|victim| victim.pid).collect();
    assert_eq!(pids, [11_200]);
    let killed: Vec<u32> = incident
        .ranking
        .iter()
        .filter(|task| task.killed)
        .map(|task| task.pid)
        .collect();
    assert_eq!(killed, [11_200]);
    let codes: Vec<&str> = incident
        .findings
        .iter()
        .map(|finding| finding.code.as_ref())
        .collect();
    assert!(codes.contains(&"child-sacrificed") && codes.contains(&"child-killed"));
    assert!(!codes.contains(&"choice-differs-from-rank"));
    assert!(incident.victims[0].container.is_some());
}
