#![allow(clippy::indexing_slicing)]

use oom_report::report::{Memcg, OomReport, Victim};

use super::*;
use crate::fact::{Ancestor, CgroupPaths, MemoryCounters, SenderCall, WrittenFile};
use crate::sample::{above, signal};

mod passed_on;

const ALL: Sources = Sources {
    signals: true,
    reports: true,
};

fn process(tgid: u32, comm: &str) -> Process {
    Process {
        pid: tgid,
        tgid,
        start_boot_ns: u64::from(tgid) * 1000,
        comm: comm.into(),
        exe: Some(comm.into()),
        cgroups: CgroupPaths {
            unified: Some(format!("/system.slice/{comm}.service").into()),
            ..CgroupPaths::default()
        },
        ..Process::default()
    }
}

fn by_kernel(mut signal: KillSignal) -> KillSignal {
    signal.origin = SignalOrigin::Kernel;
    signal.code = 128;
    signal.call = SenderCall::NoCall;
    signal
}

fn exit(process: Process, wait_status: i32, boot_ns: u64) -> Exit {
    Exit {
        boot_ns,
        process,
        ancestors: Vec::new(),
        wait_status,
        memory: MemoryCounters::default(),
    }
}

fn told(gatherer: &mut Gatherer, now_ns: u64) -> Vec<Case> {
    gatherer
        .due(now_ns)
        .into_iter()
        .map(|told| match told {
            Told::New(case) => *case,
            Told::More(case) => panic!("told before: {case:?}"),
        })
        .collect()
}

fn report(victims: &[(u32, &str)]) -> OomReport {
    OomReport {
        victims: victims
            .iter()
            .map(|(pid, comm)| Victim {
                pid: *pid,
                comm: (*comm).into(),
                ..Victim::default()
            })
            .collect(),
        ..OomReport::default()
    }
}

#[test]
fn a_kill_is_told_when_its_victim_has_ended() {
    let mut gatherer = Gatherer::new(ALL);
    gatherer.take(
        Fact::Signal(Box::new(signal(
            15,
            process(2, "sh"),
            process(9, "app"),
            MS,
        ))),
        MS,
    );
    gatherer.take(
        Fact::Signal(Box::new(signal(
            9,
            process(2, "sh"),
            process(9, "app"),
            5 * MS,
        ))),
        5 * MS,
    );
    assert_eq!(told(&mut gatherer, 6 * MS), []);
    gatherer.take(
        Fact::Exit(Box::new(exit(process(9, "app"), 9, 7 * MS))),
        7 * MS,
    );
    let cases = told(&mut gatherer, 7 * MS);
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].asked.as_ref().map(|asked| asked.boot_ns), Some(MS));
    assert_eq!(cases[0].exits.len(), 1);
    assert_eq!(gatherer.next_deadline_ns(), None);
}

#[test]
fn one_kill_of_a_process_group_is_one_case_in_each_container() {
    let of = |target: u32, number: u8, named: i32, at_ns: u64| {
        let mut target = process(target, "app");
        let container = format!("{number:064x}");
        target.cgroups.unified = Some(format!("/docker/{container}").into());
        let mut signal = signal(9, process(2, "sh"), target, at_ns);
        signal.kill_pid = Some(named);
        Fact::Signal(Box::new(signal))
    };
    let mut gatherer = Gatherer::new(ALL);
    for (target, number, named) in [(11, 1, -1), (12, 2, -1), (13, 1, -1), (14, 2, -1)] {
        gatherer.take(of(target, number, named, MS), MS);
    }
    // Another process group; one by its own number; and the first once more, much later.
    gatherer.take(of(15, 1, -7, 2 * MS), 2 * MS);
    gatherer.take(of(16, 1, 16, 2 * MS), 2 * MS);
    gatherer.take(of(17, 1, -1, 90 * MS), 90 * MS);
    let cases = told(&mut gatherer, 200 * MS);
    let mut victims: Vec<Vec<u32>> = cases
        .iter()
        .map(|case| case.processes().map(|process| process.tgid).collect())
        .collect();
    victims.sort();
    let expected: [&[u32]; 5] = [&[11, 13], &[12, 14], &[15], &[16], &[17]];
    assert_eq!(victims, expected);
}

#[test]
fn a_victim_that_does_not_end_is_told_all_the_same() {
    let mut gatherer = Gatherer::new(ALL);
    gatherer.take(
        Fact::Signal(Box::new(signal(9, process(2, "sh"), process(9, "app"), 0))),
        0,
    );
    assert_eq!(told(&mut gatherer, WAIT_FOR_EXIT_NS).len(), 1);
    gatherer.take(
        Fact::Exit(Box::new(exit(process(9, "app"), 9, MS))),
        WAIT_FOR_EXIT_NS,
    );
    assert!(matches!(
        gatherer.finish().as_slice(),
        [Told::More(case)] if case.exits.len() == 1
    ));
}

#[test]
fn ignored_signals_and_other_deaths_are_nothing() {
    let mut gatherer = Gatherer::new(ALL);
    let mut ignored = signal(9, process(2, "sh"), process(1, "init"), 0);
    ignored.result = 1;
    gatherer.take(Fact::Signal(Box::new(ignored)), 0);
    gatherer.take(
        Fact::Signal(Box::new(signal(15, process(2, "sh"), process(9, "app"), 0))),
        0,
    );
    gatherer.take(Fact::Exit(Box::new(exit(process(9, "app"), 15, MS))), MS);
    gatherer.take(
        Fact::Exit(Box::new(exit(process(10, "app"), 143 << 8, MS))),
        MS,
    );
    assert_eq!(gatherer.finish(), []);
}

#[test]
fn the_report_joins_the_signals_of_a_group_and_no_others() {
    let mut gatherer = Gatherer::new(ALL);
    let asks = process(7, "leader");
    for (tgid, comm) in [(7, "leader"), (8, "helper")] {
        gatherer.take(
            Fact::Signal(Box::new(by_kernel(signal(
                9,
                asks.clone(),
                process(tgid, comm),
                MS,
            )))),
            MS,
        );
        gatherer.take(
            Fact::OomMark(OomMark {
                boot_ns: MS,
                tgid,
                by_tgid: 7,
            }),
            MS,
        );
        gatherer.take(
            Fact::Exit(Box::new(exit(process(tgid, comm), 9, 2 * MS))),
            2 * MS,
        );
    }
    // A person kills a process whose pid the log will name a while later for another.
    gatherer.take(
        Fact::Signal(Box::new(signal(
            9,
            process(2, "sh"),
            process(9, "app"),
            2 * MS,
        ))),
        2 * MS,
    );
    gatherer.report(report(&[(7, "leader"), (8, "helper")]), 3 * MS);
    let cases = told(&mut gatherer, 3 * MS);
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].signals().count(), 2);
    assert_eq!(cases[0].exits.len(), 2);
    assert!(cases[0].report.is_some());
    gatherer.report(report(&[(9, "other")]), 4 * MS);
    let rest = told(&mut gatherer, 40 * MS);
    assert_eq!(rest.len(), 2);
    assert!(
        rest.iter()
            .all(|case| case.kill.is_some() != case.report.is_some())
    );
}

#[test]
fn the_end_of_an_init_takes_its_namespace_along_in_one_case() {
    let mut gatherer = Gatherer::new(ALL);
    let mut init = process(20, "init");
    init.namespaced_tgid = Some(1);
    gatherer.take(
        Fact::Signal(Box::new(signal(9, process(2, "sh"), init.clone(), 0))),
        0,
    );
    gatherer.take(Fact::Exit(Box::new(exit(init.clone(), 9, MS))), MS);
    init.exiting = true;
    for tgid in [21, 22] {
        gatherer.take(
            Fact::Signal(Box::new(by_kernel(signal(
                9,
                init.clone(),
                process(tgid, "child"),
                MS,
            )))),
            MS,
        );
        gatherer.take(
            Fact::Exit(Box::new(exit(process(tgid, "child"), 9, 2 * MS))),
            2 * MS,
        );
    }
    let cases = told(&mut gatherer, 5 * MS);
    assert_eq!(cases.len(), 1, "{cases:?}");
    assert_eq!(
        cases[0].kill.as_ref().map(|kill| kill.target.tgid),
        Some(20)
    );
    assert_eq!(cases[0].others.len(), 2);
}

fn child_of(parent: &Process, tgid: u32, comm: &str) -> (Process, Vec<Ancestor>) {
    (process(tgid, comm), vec![above(parent)])
}

#[test]
fn an_init_that_ends_by_itself_begins_one_case() {
    let mut gatherer = Gatherer::new(ALL);
    let mut init = process(20, "init");
    init.namespaced_tgid = Some(1);
    init.exiting = true;
    for tgid in [21, 22] {
        gatherer.take(
            Fact::Signal(Box::new(by_kernel(signal(
                9,
                init.clone(),
                process(tgid, "child"),
                MS,
            )))),
            MS,
        );
    }
    for tgid in [21, 22] {
        gatherer.take(
            Fact::Exit(Box::new(exit(process(tgid, "child"), 9, 2 * MS))),
            2 * MS,
        );
    }
    let cases = told(&mut gatherer, 40 * MS);
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].others.len(), 1);
}

#[test]
fn one_write_to_cgroup_kill_is_one_case_two_kills_are_two() {
    let mut gatherer = Gatherer::new(ALL);
    for tgid in [31, 32, 33] {
        let mut kill = signal(9, process(2, "sh"), process(tgid, "app"), MS);
        kill.origin = SignalOrigin::NoInfo;
        kill.call = SenderCall::Write;
        kill.written_file = Some(WrittenFile {
            filesystem: "cgroup2".into(),
            path: "/app/cgroup.kill".into(),
        });
        gatherer.take(Fact::Signal(Box::new(kill)), MS);
    }
    for tgid in [41, 42] {
        gatherer.take(
            Fact::Signal(Box::new(signal(
                9,
                process(2, "sh"),
                process(tgid, "app"),
                MS,
            ))),
            MS,
        );
    }
    let cases = gatherer.finish();
    assert_eq!(cases.len(), 3);
}

#[test]
fn a_storm_leaves_nothing_behind() {
    let mut gatherer = Gatherer::new(ALL);
    let mut number = 0;
    for tgid in 100..10_100 {
        gatherer.take(
            Fact::Signal(Box::new(signal(
                9,
                process(2, "sh"),
                process(tgid, "sleeper"),
                0,
            ))),
            0,
        );
        gatherer.take(
            Fact::Exit(Box::new(exit(process(tgid, "sleeper"), 9, 0))),
            0,
        );
        number += told(&mut gatherer, 0).len();
    }
    assert_eq!(number, 10_000);
    assert!(gatherer.open.len() <= KEPT + 1);
    assert!(gatherer.by_process.len() <= KEPT + 1);
    assert!(gatherer.by_pid.len() <= KEPT + 1);
}

#[test]
fn a_first_process_without_a_handler_was_asked_though_it_never_got_the_signal() {
    let mut gatherer = Gatherer::new(ALL);
    let mut term = signal(15, process(2, "runc"), process(9, "sh"), MS);
    term.result = 1;
    gatherer.take(Fact::Signal(Box::new(term)), MS);
    let kill = signal(9, process(3, "runc"), process(9, "sh"), 300 * MS);
    gatherer.take(Fact::Signal(Box::new(kill)), 300 * MS);
    let cases = gatherer.finish();
    assert!(
        matches!(cases.as_slice(), [Told::New(case)] if case.asked.is_some()),
        "{cases:?}"
    );
}

/// Whoever runs the OOM killer may be interrupted between the signal and the mark.
#[test]
fn a_kernels_signal_that_nothing_explains_waits_for_its_mark() {
    let kill = || {
        let victim = process(9, "hog");
        Fact::Signal(Box::new(by_kernel(signal(9, victim.clone(), victim, MS))))
    };
    let mut gatherer = Gatherer::new(ALL);
    gatherer.take(kill(), MS);
    assert_eq!(told(&mut gatherer, 400 * MS), []);
    let mark = OomMark {
        boot_ns: 500 * MS,
        tgid: 9,
        by_tgid: 9,
    };
    gatherer.take(Fact::OomMark(mark), 500 * MS);
    gatherer.report(report(&[(9, "hog")]), 501 * MS);
    let cases = told(&mut gatherer, 501 * MS);
    assert!(matches!(cases.as_slice(), [case] if case.report.is_some() && case.marks.len() == 1));
    // None comes: it is told all the same, once.
    gatherer = Gatherer::new(ALL);
    gatherer.take(kill(), MS);
    assert_eq!(told(&mut gatherer, 900 * MS), []);
    assert_eq!(told(&mut gatherer, 1_100 * MS).len(), 1);
    assert_eq!(told(&mut gatherer, 9_000 * MS), []);
    // What the signal itself explains is told at once.
    let mut of_limit = by_kernel(signal(9, process(9, "hog"), process(9, "hog"), MS));
    of_limit.cpu_limit = Some(crate::fact::CpuLimit {
        hard_s: 1,
        used_ms: 1_000,
    });
    gatherer = Gatherer::new(ALL);
    gatherer.take(Fact::Signal(Box::new(of_limit)), MS);
    assert_eq!(told(&mut gatherer, MS + WAIT_FOR_REPORT_NS).len(), 1);
}

#[test]
fn a_marked_victim_waits_for_a_report_that_comes_late() {
    let mut gatherer = Gatherer::new(ALL);
    let victim = process(9, "hog");
    gatherer.take(
        Fact::Signal(Box::new(by_kernel(signal(
            9,
            victim.clone(),
            victim.clone(),
            MS,
        )))),
        MS,
    );
    gatherer.take(
        Fact::OomMark(OomMark {
            boot_ns: MS,
            tgid: 9,
            by_tgid: 9,
        }),
        MS,
    );
    gatherer.take(Fact::Exit(Box::new(exit(victim, 9, 30 * MS))), 30 * MS);
    assert_eq!(told(&mut gatherer, 200 * MS), []);
    gatherer.report(report(&[(9, "hog")]), 300 * MS);
    let cases = told(&mut gatherer, 300 * MS);
    assert_eq!(cases.len(), 1);
    assert!(cases[0].report.is_some());
}

/// Whoever runs the OOM killer may be interrupted between the first victim's line and what it says of the group.
#[test]
fn a_cgroup_that_dies_whole_waits_for_the_line_that_says_so() {
    let levels = |group, full| {
        let victim = process(9, "hog");
        let mut kill = by_kernel(signal(9, victim.clone(), victim, MS));
        kill.memory.memcg_group_level = group;
        kill.memory.memcg_full_level = full;
        kill
    };
    let mark = OomMark {
        boot_ns: MS,
        tgid: 9,
        by_tgid: 9,
    };
    let begun = |kill: KillSignal| {
        let mut gatherer = Gatherer::new(ALL);
        gatherer.take(Fact::Signal(Box::new(kill)), MS);
        gatherer.take(Fact::OomMark(mark), MS);
        gatherer.report(report(&[(9, "hog")]), 2 * MS);
        gatherer.take(
            Fact::Exit(Box::new(exit(process(9, "hog"), 9, 3 * MS))),
            3 * MS,
        );
        gatherer
    };
    let mut whole = report(&[(9, "hog")]);
    whole.memcg = Some(Memcg {
        group_path: Some("/app".into()),
        group_line: Some(5),
        ..Memcg::default()
    });
    for (group, full) in [(0, Some(0)), (0, Some(2)), (3, None)] {
        let mut gatherer = begun(levels(Some(group), full));
        assert_eq!(told(&mut gatherer, 400 * MS), []);
        gatherer.report(whole.clone(), 500 * MS);
        let cases = told(&mut gatherer, 500 * MS);
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].report.as_deref(), Some(&whole));
        // It never comes (the log ran over): told all the same.
        let mut gatherer = begun(levels(Some(group), full));
        assert_eq!(told(&mut gatherer, 1_100 * MS).len(), 1);
    }
    // No group, or only above the cgroup that was full: nothing to wait for.
    for (group, full) in [(None, Some(0)), (None, None), (Some(1), Some(0))] {
        let mut gatherer = begun(levels(group, full));
        assert_eq!(told(&mut gatherer, 3 * MS).len(), 1);
    }
}
