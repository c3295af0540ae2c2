//! Ends that follow from another's: what a parent, a client or a first process passes on is no case of its own.
#![allow(clippy::indexing_slicing)]

use super::super::*;
use super::{ALL, MS, by_kernel, child_of, exit, process, told};
use crate::fact::SenderCall;
use crate::sample::{above, signal};

/// A process of one and the same container.
fn in_container(tgid: u32, comm: &str) -> Process {
    let mut process = process(tgid, comm);
    let id = "a".repeat(64);
    process.cgroups.unified = Some(format!("/system.slice/docker-{id}.scope").into());
    process
}

#[test]
fn a_shell_that_passes_on_its_childs_137_is_no_case_of_its_own() {
    let mut gatherer = Gatherer::new(ALL);
    let mut kill = signal(9, process(2, "sh"), process(9, "app"), 0);
    let shell = process(8, "bash");
    kill.target_ancestors = vec![above(&shell)];
    gatherer.take(Fact::Signal(Box::new(kill)), 0);
    gatherer.take(Fact::Exit(Box::new(exit(process(9, "app"), 9, MS))), MS);
    gatherer.take(Fact::Exit(Box::new(exit(shell, 137 << 8, 2 * MS))), 2 * MS);
    let cases = gatherer.finish();
    assert!(
        matches!(cases.as_slice(), [Told::New(case)] if case.echoes.len() == 1),
        "{cases:?}"
    );
    // Without such a child it is a case.
    gatherer.take(
        Fact::Exit(Box::new(exit(process(50, "app"), 137 << 8, MS))),
        MS,
    );
    assert!(matches!(gatherer.finish().as_slice(), [Told::New(case)] if case.kill.is_none()));
}

/// `docker run` is no parent of the container's processes; the shell that waits for it is one of the client.
#[test]
fn a_client_and_its_shell_that_pass_on_a_containers_137_are_no_cases() {
    let shell = process(30, "bash");
    let (client, parents) = child_of(&shell, 31, "docker");
    let play = |killed: Process| {
        let mut gatherer = Gatherer::new(ALL);
        let kill = signal(9, process(2, "kill"), killed.clone(), MS);
        gatherer.take(Fact::Signal(Box::new(kill)), MS);
        gatherer.take(Fact::Exit(Box::new(exit(killed, 9, 2 * MS))), 2 * MS);
        let mut end = exit(client.clone(), 137 << 8, 700 * MS);
        end.ancestors = parents.clone();
        gatherer.take(Fact::Exit(Box::new(end)), 700 * MS);
        let end = exit(shell.clone(), 137 << 8, 701 * MS);
        gatherer.take(Fact::Exit(Box::new(end)), 701 * MS);
        let cases = gatherer.finish();
        cases
            .iter()
            .filter(|told| matches!(told, Told::New(_)))
            .count()
    };
    assert_eq!(play(in_container(9, "app")), 1);
    // What the client had started is on another machine: one case of its own, its shell's is none.
    assert_eq!(play(process(9, "app")), 2);
}

/// A container in the machine's own pid namespace: the kernel takes nobody along with its first process, the runtime does.
#[test]
fn what_the_runtime_clears_away_is_of_the_first_process_case() {
    let (shim, init) = (process(30, "containerd-shim"), in_container(31, "sh"));
    let play = |parent: &Process, at_ns: u64| {
        let mut gatherer = Gatherer::new(ALL);
        let mut kill = signal(9, process(2, "kill"), init.clone(), MS);
        kill.target_ancestors = vec![above(parent)];
        gatherer.take(Fact::Signal(Box::new(kill)), MS);
        gatherer.take(Fact::Exit(Box::new(exit(init.clone(), 9, 2 * MS))), 2 * MS);
        let rest = signal(9, process(40, "runc"), in_container(32, "sleep"), at_ns);
        gatherer.take(Fact::Signal(Box::new(rest)), at_ns);
        let cases = gatherer.finish();
        let new = cases.iter().filter(|told| matches!(told, Told::New(_)));
        new.count()
    };
    assert_eq!(play(&shim, 15 * MS), 1);
    // Another decision: much later, or after the end of a child.
    assert_eq!(play(&shim, 5_000 * MS), 2);
    assert_eq!(play(&in_container(31, "sh"), 15 * MS), 2);
}

/// PR_SET_PDEATHSIG: whoever dies with a victim dies of what killed that.
#[test]
fn whoever_asked_to_end_with_its_parent_is_of_the_parents_case() {
    let launcher = process(30, "launcher");
    let mut gatherer = Gatherer::new(ALL);
    let kill = signal(9, process(2, "bash"), launcher.clone(), MS);
    gatherer.take(Fact::Signal(Box::new(kill)), MS);
    let mut parent = launcher;
    parent.exiting = true;
    let mut follows = signal(9, parent, process(31, "worker"), 2 * MS);
    follows.origin = SignalOrigin::NoInfo;
    follows.call = SenderCall::Exit;
    gatherer.take(Fact::Signal(Box::new(follows)), 2 * MS);
    let cases = gatherer.finish();
    assert!(
        matches!(cases.as_slice(), [Told::New(case)] if case.others.len() == 1),
        "{cases:?}"
    );
}

#[test]
fn an_init_that_passes_on_its_childs_137_takes_the_rest_along_in_the_same_case() {
    let init = Process {
        namespaced_tgid: Some(1),
        ..process(40, "sh")
    };
    let play = |status: i32| {
        let mut gatherer = Gatherer::new(ALL);
        let (app, parents) = child_of(&init, 41, "app");
        let mut kill = signal(9, process(2, "bash"), app.clone(), MS);
        kill.target_ancestors = parents;
        gatherer.take(Fact::Signal(Box::new(kill)), MS);
        gatherer.take(Fact::Exit(Box::new(exit(app, 9, 2 * MS))), 2 * MS);
        let mut cases = told(&mut gatherer, 2 * MS).len();
        gatherer.take(
            Fact::Exit(Box::new(exit(init.clone(), status << 8, 3 * MS))),
            3 * MS,
        );
        let sender = Process {
            exiting: true,
            ..init.clone()
        };
        let rest = by_kernel(signal(9, sender, process(42, "helper"), 4 * MS));
        gatherer.take(Fact::Signal(Box::new(rest)), 4 * MS);
        let rest = gatherer.finish();
        cases += rest
            .iter()
            .filter(|told| matches!(told, Told::New(_)))
            .count();
        cases
    };
    assert_eq!(play(137), 1);
    // It ended for a reason of its own.
    assert_eq!(play(1), 2);
}

/// Many are told as killed and not yet gone, more than are kept: their ends are no news.
#[test]
fn ends_that_come_after_a_storm_are_not_told_again() {
    let mut gatherer = Gatherer::new(ALL);
    let storm = || (100_u32..).take(3 * KEPT);
    for pid in storm() {
        let kill = signal(9, process(2, "sh"), process(pid, "app"), MS);
        gatherer.take(Fact::Signal(Box::new(kill)), MS);
    }
    assert_eq!(told(&mut gatherer, MS + WAIT_FOR_EXIT_NS).len(), 3 * KEPT);
    for pid in storm() {
        let end = exit(process(pid, "app"), 9, 50 * MS);
        gatherer.take(Fact::Exit(Box::new(end)), 50 * MS);
    }
    let late = gatherer.finish();
    let new = late.iter().filter(|told| matches!(told, Told::New(_)));
    assert_eq!(new.count(), 0);
    assert_eq!(late.len(), KEPT, "more of those that are kept");
}

#[test]
fn a_parent_that_ends_itself_by_its_childs_signal_is_no_case_of_its_own() {
    let mut gatherer = Gatherer::new(ALL);
    let timeout = process(8, "timeout");
    let mut kill = signal(9, timeout.clone(), process(9, "sleep"), 0);
    kill.target_ancestors = vec![above(&timeout)];
    gatherer.take(Fact::Signal(Box::new(kill)), 0);
    let itself = signal(9, timeout.clone(), timeout.clone(), MS);
    gatherer.take(Fact::Signal(Box::new(itself)), MS);
    gatherer.take(
        Fact::Exit(Box::new(exit(process(9, "sleep"), 9, 2 * MS))),
        2 * MS,
    );
    gatherer.take(Fact::Exit(Box::new(exit(timeout, 9, 3 * MS))), 3 * MS);
    let cases = gatherer.finish();
    assert!(
        matches!(cases.as_slice(), [Told::New(case)] if case.echoes.len() == 1 && case.others.is_empty()),
        "{cases:?}"
    );
    // Long after its child's death it killed itself, and so it did without one.
    let mut kill = signal(9, process(2, "sh"), process(61, "sleep"), 0);
    let parent = process(60, "app");
    kill.target_ancestors = vec![above(&parent)];
    let mut gatherer = Gatherer::new(ALL);
    gatherer.take(Fact::Signal(Box::new(kill)), 0);
    let late = signal(9, parent.clone(), parent, 5_000 * MS);
    gatherer.take(Fact::Signal(Box::new(late)), 5_000 * MS);
    let alone = signal(9, process(50, "app"), process(50, "app"), 5_000 * MS);
    gatherer.take(Fact::Signal(Box::new(alone)), 5_000 * MS);
    assert_eq!(gatherer.finish().len(), 3);
}

#[test]
fn whoever_ends_its_child_and_then_its_process_group_began_one_case() {
    let timeout = process(50, "timeout");
    let (shell, parents) = child_of(&timeout, 51, "sh");
    let mut first = signal(9, timeout.clone(), shell.clone(), MS);
    first.target_ancestors = parents;
    first.kill_pid = Some(51);
    let group = |tgid: u32| {
        let (target, parents) = child_of(&shell, tgid, "sleep");
        let mut signal = signal(9, timeout.clone(), target, 2 * MS);
        signal.target_ancestors = parents;
        signal.kill_pid = Some(0);
        Fact::Signal(Box::new(signal))
    };
    let mut gatherer = Gatherer::new(ALL);
    gatherer.take(Fact::Signal(Box::new(first)), MS);
    for tgid in [53, 52] {
        gatherer.take(group(tgid), 2 * MS);
    }
    // Its parent, the child, was gone by then.
    let mut orphan = signal(9, timeout.clone(), process(54, "sleep"), 2 * MS);
    orphan.kill_pid = Some(0);
    gatherer.take(Fact::Signal(Box::new(orphan)), 2 * MS);
    let cases = gatherer.finish();
    assert!(
        matches!(cases.as_slice(), [Told::New(case)] if case.others.len() == 3),
        "{cases:?}"
    );
}
