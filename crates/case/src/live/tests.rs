#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::fact::{CgroupPaths, Exit, MemoryCounters, SenderCall, SignalOrigin};
use crate::sample::{above, signal};

const HOST: u32 = 1;
const NAMESPACE: u32 = 2;
const OWN: &str =
    "/system.slice/docker-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.scope";
const OTHER: &str =
    "/system.slice/docker-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.scope";

/// A process of the machine's own.
fn process(tgid: u32, exe: &str) -> Process {
    Process {
        pid: tgid,
        tgid,
        start_boot_ns: u64::from(tgid) * 1000,
        comm: exe.into(),
        exe: Some(exe.into()),
        pid_namespace: Some(HOST),
        namespaced_tgid: Some(tgid),
        cgroups: CgroupPaths {
            unified: Some("/user.slice/user-0.slice/session-1.scope".into()),
            ..CgroupPaths::default()
        },
        ..Process::default()
    }
}

/// The same in a container, under another number there.
fn inside(tgid: u32, exe: &str, cgroup: &str, number: u32) -> Process {
    let mut process = process(tgid, exe);
    process.pid_namespace = Some(NAMESPACE);
    process.namespaced_tgid = Some(number);
    process.cgroups.unified = Some(cgroup.into());
    process
}

fn at_terminal(mut process: Process) -> Process {
    process.tty = Some("pts0".into());
    process
}

/// A SIGKILL; the parents are nearest first.
fn kill(
    sender: Process,
    sender_parents: &[&Process],
    target: Process,
    target_parents: &[&Process],
) -> Case {
    let parents = |list: &[&Process]| list.iter().map(|one| above(one)).collect();
    let mut signal = signal(9, sender, target, 1_000_000_000);
    signal.sender_ancestors = parents(sender_parents);
    signal.target_ancestors = parents(target_parents);
    Case {
        kill: Some(Box::new(signal)),
        ..Case::default()
    }
}

fn facts(init_pid: u32) -> Option<ContainerFacts> {
    Some(ContainerFacts {
        id: "b".repeat(64),
        runtime: "docker".into(),
        name: Some("sidecar".into()),
        init_pid: Some(init_pid),
        ..ContainerFacts::default()
    })
}

fn around() -> Surroundings<'static> {
    Surroundings {
        host_pid_namespace: Some(HOST),
        signals_seen: true,
        ..Surroundings::default()
    }
}

fn told(case: &Case, around: &Surroundings<'_>) -> (Killer, Confidence) {
    let verdict = incident(case, around).verdict;
    (verdict.killer, verdict.confidence)
}

#[track_caller]
fn assert_told(case: &Case, around: &Surroundings<'_>, killer: Killer, confidence: Confidence) {
    assert_eq!(told(case, around), (killer, confidence));
}

/// `docker run --pid=container:`, a pod's shareProcessNamespace: the first process of the second container has a number
/// like any other.
#[test]
fn a_container_in_anothers_pid_namespace_is_no_session() {
    let shim = process(10, "containerd-shim-runc-v2");
    let first = inside(30, "agent", OTHER, 25);
    let killer = inside(31, "agent", OTHER, 26);
    let case = kill(killer, &[&first, &shim], inside(20, "app", OWN, 7), &[]);
    let known = Surroundings {
        sender_container: facts(30),
        ..around()
    };
    for around in [&around(), &known] {
        assert_told(&case, around, Killer::DaemonOther, Confidence::Possible);
    }
    let summary = incident(&case, &known).verdict.summary;
    assert!(
        summary.starts_with("Another container, sidecar (bbbbbbbbbbbb),"),
        "{summary}"
    );
    // A command that was brought into the second container.
    let typed = at_terminal(inside(40, "bash", OTHER, 60));
    let case = kill(typed, &[&shim], inside(20, "app", OWN, 7), &[]);
    assert_told(&case, &known, Killer::Person, Confidence::Certain);
}

#[test]
fn a_command_brought_into_a_container_may_be_a_probe() {
    let shim = process(10, "containerd-shim-runc-v2");
    let app = inside(20, "app", OWN, 1);
    let command = inside(30, "kill", OWN, 9);
    let case = kill(command.clone(), &[&shim], app.clone(), &[&shim]);
    assert_told(&case, &around(), Killer::Person, Confidence::Probable);
    assert!(
        incident(&case, &around())
            .verdict
            .summary
            .contains("a probe or hook")
    );
    let case = kill(at_terminal(command), &[&shim], app, &[&shim]);
    assert_told(&case, &around(), Killer::Person, Confidence::Certain);
    // It ends what it had started.
    let timeout = inside(30, "timeout", OWN, 9);
    let check = inside(31, "check", OWN, 10);
    let case = kill(timeout.clone(), &[&shim], check, &[&timeout, &shim]);
    assert_told(
        &case,
        &around(),
        Killer::ApplicationParent,
        Confidence::Certain,
    );
}

#[test]
fn a_terminal_multiplexer_is_no_login() {
    let tmux = process(10, "tmux");
    let shell = at_terminal(process(11, "bash"));
    let tool = at_terminal(process(12, "kill"));
    let target = process(20, "java");
    let by_tool = |login_uid: Option<u32>| {
        let mut tool = tool.clone();
        tool.login_uid = login_uid;
        told(
            &kill(tool, &[&shell, &tmux], target.clone(), &[]),
            &around(),
        )
    };
    assert_eq!(by_tool(None), (Killer::Person, Confidence::Possible));
    assert_eq!(by_tool(Some(1000)), (Killer::Person, Confidence::Certain));
    let by_shell = kill(shell.clone(), &[&tmux], target.clone(), &[]);
    assert_told(&by_shell, &around(), Killer::Person, Confidence::Probable);
    let console = kill(tool, &[&shell], target, &[]);
    assert_told(&console, &around(), Killer::Person, Confidence::Probable);
}

#[test]
fn a_child_that_kills_its_parent_is_the_application() {
    let app = process(20, "java");
    let shell = at_terminal(process(21, "bash"));
    let mut tool = at_terminal(process(22, "kill"));
    tool.login_uid = Some(1000);
    let case = kill(tool.clone(), &[&app], app.clone(), &[]);
    assert_told(
        &case,
        &around(),
        Killer::ApplicationParent,
        Confidence::Certain,
    );
    assert!(
        incident(&case, &around())
            .verdict
            .summary
            .contains("its own child")
    );
    // A person in the terminal of an editor that runs as the target.
    let case = kill(tool.clone(), &[&shell, &app], app.clone(), &[]);
    assert_eq!(told(&case, &around()).0, Killer::Person);
    let case = kill(tool, &[&shell], shell.clone(), &[]);
    assert_eq!(told(&case, &around()).0, Killer::Person);
}

#[test]
fn who_asked_to_end_with_its_parent_is_no_mystery() {
    let mut parent = process(20, "launcher");
    parent.exiting = true;
    let mut case = kill(parent, &[], process(21, "worker"), &[]);
    if let Some(signal) = case.kill.as_mut() {
        signal.origin = SignalOrigin::NoInfo;
        signal.call = SenderCall::Exit;
    }
    assert_told(
        &case,
        &around(),
        Killer::ApplicationParent,
        Confidence::Certain,
    );
    assert!(
        incident(&case, &around())
            .verdict
            .summary
            .contains("PR_SET_PDEATHSIG")
    );
}

fn codes(case: &Case, around: &Surroundings<'_>) -> Vec<String> {
    let findings = incident(case, around).findings;
    findings
        .iter()
        .map(|finding| finding.code.to_string())
        .collect()
}

#[test]
fn the_runtime_knows_which_process_is_the_first() {
    let shell = at_terminal(process(5, "bash"));
    let shim = process(10, "containerd-shim-runc-v2");
    // In the machine's pid namespace.
    let mut first = process(20, "app");
    first.cgroups.unified = Some(OWN.into());
    let mut child = first.clone();
    (child.pid, child.tgid, child.start_boot_ns) = (21, 21, 21_000);
    let of_first = kill(shell.clone(), &[], first.clone(), &[&shim]);
    let of_child = kill(shell.clone(), &[], child, &[&first, &shim]);
    let known = Surroundings {
        container: facts(20),
        ..around()
    };
    assert!(codes(&of_first, &known).contains(&"first-process-killed".to_owned()));
    assert!(codes(&of_child, &known).contains(&"child-killed".to_owned()));
    // Without it the parent shows who is a child, and nothing shows who is the first.
    assert!(codes(&of_child, &around()).contains(&"child-killed".to_owned()));
    let unknown = codes(&of_first, &around());
    assert!(
        !unknown
            .iter()
            .any(|code| code.starts_with("first-") || code == "child-killed"),
        "{unknown:?}"
    );
}

/// An init such as tini ends when its child has ended.
#[test]
fn a_first_process_that_follows_its_child_does_not_run_on() {
    let init = inside(20, "tini", OWN, 1);
    let app = inside(21, "app", OWN, 7);
    let mut case = kill(process(5, "bash"), &[], app, &[&init]);
    assert!(codes(&case, &around()).contains(&"child-killed".to_owned()));
    case.echoes.push(Exit {
        boot_ns: 1_001_000_000,
        process: init,
        ancestors: Vec::new(),
        wait_status: 137 << 8,
        memory: MemoryCounters::default(),
    });
    let codes = codes(&case, &around());
    assert!(
        codes.contains(&"first-process-followed".to_owned()),
        "{codes:?}"
    );
    assert!(!codes.contains(&"child-killed".to_owned()), "{codes:?}");
}
