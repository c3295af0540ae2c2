//! A reader of `watch` that stands still while many are killed: verdicts come late, and none is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::stage::{Agent, PATIENCE, pid, wait_for};

const KILLS: usize = 1500;
/// How long nobody reads after the last kill: much more than a pipe holds has been told by then.
const STANDSTILL: Duration = Duration::from_secs(2);

fn sleeper(program: &std::path::Path) -> Child {
    wait_for("a copy that can be run", || {
        Command::new(program).arg("1000").spawn().ok()
    })
}

#[test]
fn nothing_is_lost_while_nobody_reads() {
    let Some(agent) = Agent::start(&[]) else {
        return;
    };
    drop(agent);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("standing");
    fs::copy("/bin/sleep", &program).unwrap();
    let said = folder.path().join("err");
    let mut watch = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["watch", "-o", "ndjson", "--comm", "standing", "--store"])
        .arg(folder.path().join("incidents.db"))
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&said).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("its start", || {
        let said = fs::read_to_string(&said).unwrap();
        said.contains("watching; stop with").then_some(())
    });
    let mut victims = BTreeMap::new();
    while victims.len() < KILLS {
        let mut some: Vec<Child> = (0..100).map(|_| sleeper(&program)).collect();
        // Long enough for each to have its name.
        std::thread::sleep(Duration::from_millis(50));
        for victim in &mut some {
            victim.kill().unwrap();
            victim.wait().unwrap();
            victims.insert(victim.id(), 0);
        }
    }
    std::thread::sleep(STANDSTILL);
    assert!(watch.try_wait().unwrap().is_none());

    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (sender, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || lines.try_for_each(|line| sender.send(line.unwrap())));
    let own = std::process::id();
    while victims.values().any(|times| *times == 0) {
        let line = told.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            let missing = victims.values().filter(|times| **times == 0).count();
            panic!(
                "{missing} of {KILLS} were not told: {error}\n{}",
                fs::read_to_string(&said).unwrap()
            )
        });
        let incident: Value = serde_json::from_str(&line).unwrap();
        let victim = u32::try_from(incident["victims"][0]["pid"].as_u64().unwrap()).unwrap();
        if let Some(times) = victims.get_mut(&victim) {
            *times += 1;
            assert_eq!(
                incident["verdict"]["killer"], "application-parent",
                "{line}"
            );
            assert!(line.contains(&format!("\"tgid\":{own},")), "{line}");
        }
    }
    kill_process(pid(watch.id()), Signal::INT).unwrap();
    assert!(wait_for("the end", || watch.try_wait().unwrap()).success());
    let _ = reader.join().unwrap();
    assert_eq!(told.into_iter().next(), None, "told again");
    assert!(
        victims.values().all(|times| *times == 1),
        "one was told twice"
    );
    assert!(!fs::read_to_string(&said).unwrap().contains("lost"));
}
