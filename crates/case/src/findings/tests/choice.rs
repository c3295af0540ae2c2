//! Why this process: the kernel's choice, computed again.

use crate::incident::{Finding, RankedTask, Severity};
use crate::sample::*;
use crate::scene::Scene;

use oom_report::report::OomReport;

use super::{fires, int, is_silent};

#[test]
fn the_trigger_is_not_the_victim() {
    let mut report = figure_13();
    is_silent(&report, "trigger-is-not-victim");
    add_task(&mut report, 12_000, "asker", 100, 995);
    report.trigger.as_mut().unwrap().pid = Some(12_000);
    fires(&report, "trigger-is-not-victim");
}

/// What the choice family finds when the ranking is this: `(pid, points, killed)`.
fn choice_with(report: &OomReport, ranking: &[(u32, Option<i64>, bool)]) -> Vec<Finding> {
    let mut scene = Scene::new(report, &CONTEXT, &[]);
    scene.ranking = ranking
        .iter()
        .map(|(pid, points, killed)| RankedTask {
            pid: *pid,
            comm: "task".into(),
            rss_kib: 0,
            swap_kib: None,
            oom_score_adj: 0,
            badness_pages: *points,
            killed: *killed,
            trigger: false,
        })
        .collect();
    let mut found = Vec::new();
    super::super::choice::find(&scene, &mut found);
    found
}

#[test]
fn the_kernels_choice_is_held_against_the_computed_one() {
    let report = machine();
    let has = |ranking: &[(u32, Option<i64>, bool)], code: &str| {
        choice_with(&report, ranking)
            .iter()
            .any(|finding| finding.code == code)
    };
    let agrees = [
        (11_190, Some(900), true),
        (1, Some(10), false),
        (700, None, false),
    ];
    assert!(has(&agrees, "victim-ranked-first") && !has(&agrees, "choice-differs-from-rank"));
    let differs = [(1, Some(901), false), (11_190, Some(900), true)];
    assert!(has(&differs, "choice-differs-from-rank") && !has(&differs, "victim-ranked-first"));
    // Equal points: which of them the kernel takes depends on the order it meets them in.
    let equal = [(1, Some(900), false), (11_190, Some(900), true)];
    assert!(!has(&equal, "choice-differs-from-rank"));
    // Before 4.17 a lead of 3 % may be the bonus that the table does not show.
    let mut old = machine();
    old.kernel = figure_13().kernel;
    assert!(
        choice_with(&old, &[(1, Some(920), false), (11_190, Some(900), true)])
            .iter()
            .all(|found| found.code != "choice-differs-from-rank")
    );
    assert!(
        choice_with(&old, &[(1, Some(950), false), (11_190, Some(900), true)])
            .iter()
            .any(|found| found.code == "choice-differs-from-rank")
    );
    // Before 3.14 root's bonus was of all memory: 30 thousandths of it.
    let bonus = |kernel: &str, lead: i64| {
        let mut old = machine();
        old.kernel = oom_report::kernel_version::KernelVersion::parse(kernel);
        let total = Scene::new(&old, &CONTEXT, &[]).total_pages.unwrap();
        let points = 900 + i64::try_from(total / 1000).unwrap() * lead;
        choice_with(&old, &[(1, Some(points), false), (11_190, Some(900), true)])
            .iter()
            .all(|found| found.code != "choice-differs-from-rank")
    };
    assert!(bonus("2.6.32-642.11.1.el6.x86_64", 29) && bonus("3.10.0-327.el7.x86_64", 29));
    assert!(!bonus("3.10.0-327.el7.x86_64", 31) && !bonus("3.16.0-4-amd64", 29));
    // Nobody else could be killed, or the victim is not in the table: nothing to compare.
    for nothing in [
        &[(11_190, Some(900), true), (1, None, false)][..],
        &[(1, Some(900), false)],
    ] {
        assert!(!has(nothing, "victim-ranked-first") && !has(nothing, "choice-differs-from-rank"));
    }
}

/// vm.oom_kill_allocating_task: nobody is chosen.
#[test]
fn whoever_asked_for_memory_may_have_to_die() {
    let mut report = machine();
    let differs = [(1, Some(901), false), (11_190, Some(900), true)];
    let codes = |report: &OomReport| -> Vec<String> {
        let found = choice_with(report, &differs);
        found.iter().map(|one| one.code.to_string()).collect()
    };
    assert!(!codes(&report).contains(&"allocating-task-killed".to_owned()));
    let line = add_line(
        &mut report,
        "Out of memory (oom_kill_allocating_task): Killed process 11190 (app) total-vm:9kB",
    );
    report.victims[0].lines = vec![line];
    let told = codes(&report);
    assert!(
        told.contains(&"allocating-task-killed".to_owned()),
        "{told:?}"
    );
    assert!(
        !told.contains(&"choice-differs-from-rank".to_owned()),
        "{told:?}"
    );
    let incident = judged(&report);
    assert!(
        incident
            .remedies
            .iter()
            .any(|remedy| remedy.code == "choose-the-victim")
    );
}

/// Kernels before 5.1 print the score: it proves the computation, and needs words when oom_score_adj made it small.
#[test]
fn the_printed_score_is_what_the_points_make() {
    let mut report = figure_13();
    add_task(&mut report, 10_869, "pause", 1, -998);
    let (path, thousandth) = (container_path(), 31_457_280 / 4 / 1000);
    report.memcg.as_mut().unwrap().victim_path = Some(path.as_str().into());
    report.tasks[0].oom_score_adj = -998;
    let points =
        7_858_410 + report.tasks[0].nr_ptes.unwrap_or(0) + report.tasks[0].nr_pmds.unwrap_or(0)
            - 998 * thousandth;
    let score = points * 1000 / (31_457_280 / 4);
    report.victims[0].score = Some(score);
    let incident = fires(&report, "victim-ranked-first");
    assert_eq!(
        int(&incident, "victim-ranked-first", "printed_score"),
        i64::try_from(score).unwrap()
    );
    let detail = &finding(&incident, "victim-ranked-first").unwrap().detail;
    assert!(detail.contains("does not mean that the process held little"));
    report.victims[0].score = Some(score + 1);
    let incident = fires(&report, "victim-ranked-first");
    let found = finding(&incident, "victim-ranked-first").unwrap();
    assert!(number(found, "printed_score").is_none());
}

#[test]
fn oom_score_adj_made_the_target_or_spared_another() {
    let mut report = machine();
    is_silent(&report, "oom-score-adj-target");
    add_task(&mut report, 900, "database", 500_000, -900);
    let incident = fires(&report, "oom-score-adj-target");
    assert_eq!(int(&incident, "oom-score-adj-target", "other_pid"), 900);
    let incident = fires(&report, "oom-score-adj-spared");
    assert_eq!(int(&incident, "oom-score-adj-spared", "spared_pid"), 900);
    // With the same value as the victim's, memory alone decides.
    report.tasks.last_mut().unwrap().oom_score_adj = 750;
    is_silent(&report, "oom-score-adj-target");
    is_silent(&report, "oom-score-adj-spared");
}

#[test]
fn unkillable_tasks_are_counted() {
    let mut report = machine();
    is_silent(&report, "unkillable-tasks");
    add_task(&mut report, 900, "sshd", 300_000, -1000);
    let incident = fires(&report, "unkillable-tasks");
    assert_eq!(int(&incident, "unkillable-tasks", "unkillable"), 1);
    assert_eq!(
        finding(&incident, "unkillable-tasks").unwrap().severity,
        Severity::Warning
    );
}

#[test]
fn exempt_tasks_are_told_by_what_they_hold() {
    let title_and_detail = |report: &OomReport| {
        let incident = fires(report, "unkillable-tasks");
        let found = finding(&incident, "unkillable-tasks").unwrap();
        (found.title.clone(), found.detail.clone())
    };
    let mut report = machine();
    add_task(&mut report, 900, "sshd", 300_000, -1000);
    let (title, detail) = title_and_detail(&report);
    assert!(
        title.starts_with("1 of 4 processes may not be killed"),
        "{title}"
    );
    assert!(detail.ends_with("the others die in its place."), "{detail}");
    // Next to nothing takes nobody's place.
    report.tasks[3].rss_pages = 200;
    assert!(!title_and_detail(&report).1.contains("place"));
    for task in &mut report.tasks {
        task.oom_score_adj = -1000;
    }
    let (title, detail) = title_and_detail(&report);
    assert!(
        title.starts_with("None of the 4 processes may be killed"),
        "{title}"
    );
    assert!(
        detail.ends_with("Nothing is left to choose from."),
        "{detail}"
    );
}
