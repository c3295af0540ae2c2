//! Begin, stop, go on: what a service manager sees, what the log holds, what is kept.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use whodunit_lab::cgroup::CgroupVersion;

use crate::stage::{Agent, Start, Victim, is_of, objects_in, wait_for};

#[test]
fn what_was_killed_before_the_stop_is_kept_and_handed_over() {
    let Some(mut agent) = Agent::start(&["--exec", "cat >> all.ndjson"]) else {
        return;
    };
    assert!(agent.was_told("READY=1"));
    assert!(!agent.was_told("STOPPING=1"));
    let status = agent.status_lines().concat();
    assert!(status.starts_with("Watching; "), "{status}");
    let victims: Vec<Victim> = (0..50).map(|_| Victim::new()).collect();
    let pids: Vec<u32> = victims.into_iter().map(Victim::kill).collect();
    let status = agent.stop();
    assert!(status.success(), "{status}");
    assert!(agent.was_told("STOPPING=1"));
    let kept = agent.kept();
    let given = objects_in(&agent.path("all.ndjson"));
    for pid in pids {
        assert!(kept.iter().any(|one| is_of(one, pid)), "{pid} is not kept");
        assert!(
            given.iter().any(|one| is_of(one, pid)),
            "{pid} was not handed over"
        );
        assert!(agent.incident_of(pid).is_some(), "{pid} is not in the log");
    }
    assert_eq!(
        fs::read(agent.path("out")).unwrap(),
        b"",
        "nothing on standard output"
    );
}

#[test]
fn the_watchdog_hears_from_a_loop_that_has_nothing_to_do() {
    let start = Start {
        arguments: &[],
        environment: &[("WATCHDOG_USEC", "600000")],
    };
    let Some(mut agent) = Agent::start_in(tempfile::tempdir().unwrap(), &start) else {
        return;
    };
    wait_for("ten signs of life", || {
        (agent.count_told("WATCHDOG=1") >= 10).then_some(())
    });
    let start = Start {
        arguments: &[],
        environment: &[("WATCHDOG_USEC", "600000"), ("WATCHDOG_PID", "1")],
    };
    let Some(mut agent) = Agent::start_in(tempfile::tempdir().unwrap(), &start) else {
        return;
    };
    std::thread::sleep(Duration::from_secs(1));
    assert!(
        !agent.was_told("WATCHDOG=1"),
        "the watchdog is another process's"
    );
}

#[test]
fn the_kernels_log_is_gone_on_with_after_a_stop() {
    let Some(mut agent) = Agent::start(&[]) else {
        return;
    };
    // A kill whose report is only in the log: the agent does not run when it happens.
    agent.stop();
    let Some(pid) = oom_kill() else { return };
    let folder = agent.into_folder();
    let start = Start {
        arguments: &[],
        environment: &[],
    };
    let Some(mut agent) = Agent::start_in(folder, &start) else {
        return;
    };
    let told = wait_for("the kill of the time between", || agent.incident_of(pid));
    assert!(
        told["killer"].as_str().unwrap().starts_with("kernel-memcg"),
        "{told}"
    );
    assert!(agent.stop().success());
    // Not told again by the next.
    let before = agent
        .events()
        .iter()
        .filter(|event| event["victim_pid"] == pid)
        .count();
    let Some(mut agent) = Agent::start_in(agent.into_folder(), &start) else {
        return;
    };
    assert!(agent.stop().success());
    let after = agent
        .events()
        .iter()
        .filter(|event| event["victim_pid"] == pid)
        .count();
    assert_eq!((before, after), (1, 1));
}

/// A real one; the victim's pid. None, loudly, where there is no memory controller.
fn oom_kill() -> Option<u32> {
    let hierarchy = match whodunit_lab::machine::hierarchy() {
        Ok(hierarchy) => hierarchy,
        Err(error) => {
            assert!(!whodunit_lab::required(), "no memory controller: {error:#}");
            eprintln!("\n*** NOT TESTED: no memory controller: {error:#}\n");
            return None;
        }
    };
    let cgroup = hierarchy.root.join("whodunit-agent-test");
    let limit = match hierarchy.version {
        CgroupVersion::V1 => "memory.limit_in_bytes",
        CgroupVersion::V2 => "memory.max",
    };
    fs::create_dir_all(&cgroup).unwrap();
    fs::write(cgroup.join(limit), "33554432").unwrap();
    let mut hog = Command::new("sh")
        .arg("-c")
        .arg("echo $$ > \"$0/cgroup.procs\"; exec tail /dev/zero")
        .arg(&cgroup)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = hog.id();
    let status = hog.wait().unwrap();
    assert!(!status.success());
    wait_for("an empty cgroup", || fs::remove_dir(&cgroup).ok());
    Some(pid)
}

#[test]
fn hostile_names_stay_within_one_event() {
    for format in ["text", "json"] {
        let Some(agent) = Agent::start(&["--log-format", format]) else {
            return;
        };
        let name = "a\u{1b}[2J\n\"\u{202e}";
        let victim = Victim::called(name);
        let pid = victim.pid();
        victim.kill();
        let line = wait_for("its line", || {
            let log = agent.log();
            let line = log.lines().find(|line| line.contains(&pid.to_string()))?;
            Some(line.to_owned())
        });
        assert!(line.contains("application-parent"), "{line}");
        for harmful in ['\u{1b}', '\u{202e}'] {
            assert!(!agent.log().contains(harmful), "{line}");
        }
        if format == "json" {
            let told = agent.incident_of(pid).unwrap();
            assert_eq!(told["victim_comm"], "a\\u{1b}[2J\\n\"\\u{202e}");
            assert_eq!(told["target"], "whodunit::incident");
        }
    }
}

#[test]
fn a_port_that_is_taken_is_said_and_none_is_none() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["agent", "--listen", &address, "--store"])
        .arg(folder.path().join("incidents.db"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );

    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args([
            "agent",
            "--no-ebpf",
            "--listen",
            "none",
            "--log-level",
            "whodunit=info",
            "--store",
        ])
        .arg(folder.path().join("incidents.db"))
        .stderr(fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let log = wait_for("its start", || {
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        log.contains("whodunit: watching").then_some(log)
    });
    assert!(!log.contains("http://"), "{log}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn wrong_arguments_are_refused() {
    for (arguments, word) in [
        (&["--listen", "localhost"][..], "none"),
        (&["--webhook", "ftp://x/"], "http"),
        (&["--webhook-token-file", "x"], "--webhook"),
        (&["--max-series", "0"], "--max-series"),
        (&["--hook-timeout", "0"], "--hook-timeout"),
        (&["--exec", ""], "--exec"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
            .arg("agent")
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["agent", "--log-level", "loud"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--log-level `loud`"), "{said}");
}
