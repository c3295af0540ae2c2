//! Logs that begin with their newest line say what they say the other way round.

use std::io::Write;

use serde_json::Value;

use super::*;

/// A recorded kernel log as `dmesg` prints it.
fn dmesg(fixture: &str) -> String {
    let log = std::fs::read_to_string(fixtures_root().join(fixture)).unwrap();
    log.lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| {
            let (head, text) = line.split_once(';').unwrap();
            let us: u64 = head.split(',').nth(2).unwrap().parse().unwrap();
            format!("[{:5}.{:06}] {text}\n", us / 1_000_000, us % 1_000_000)
        })
        .collect()
}

fn reversed(log: &str) -> String {
    log.lines().rev().map(|line| format!("{line}\n")).collect()
}

/// A list of entries as `gcloud logging read --format=json` prints it, the newest first.
fn entries(log: &str) -> String {
    let entries: Vec<Value> = log
        .lines()
        .rev()
        .map(|line| {
            let (stamp, text) = line.split_once("] ").unwrap();
            let seconds: f64 = stamp.trim_start_matches(['[', ' ']).parse().unwrap();
            let time = format!("2026-11-24T05:{:02}:{:09.6}Z", (seconds / 60.0) as u64 % 60, seconds % 60.0);
            serde_json::json!({"jsonPayload": {"MESSAGE": text, "_TRANSPORT": "kernel"}, "timestamp": time})
        })
        .collect();
    serde_json::to_string_pretty(&entries).unwrap()
}

fn told(log: &str, on_stdin: bool) -> (Vec<Value>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kern.log");
    std::fs::write(&path, log).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["explain", "--no-progress", "-o", "json"])
        .arg(if on_stdin { Path::new("-") } else { &path })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    if on_stdin {
        stdin.write_all(log.as_bytes()).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let incidents = document["incidents"].as_array().unwrap().clone();
    (
        incidents,
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// What does not depend on where the lines stand.
fn facts(incidents: &[Value]) -> Vec<Value> {
    let of = |incident: &Value| {
        serde_json::json!([
            incident["id"],
            incident["verdict"]["killer"],
            incident["verdict"]["summary"],
            incident["victims"],
            incident["memcg"],
            incident["tasks"],
            incident["missing"],
            incident["doubts"],
        ])
    };
    incidents.iter().map(of).collect()
}

#[test]
fn the_newest_line_first_or_last_is_the_same() {
    let kernel = "kernels/6.12.117+deb13-cloud-amd64-v2";
    for fixture in ["container-limit", "repeated-kills", "global"] {
        let log = dmesg(&format!("{kernel}/{fixture}.kmsg"));
        let (forwards, said) = told(&log, false);
        assert!(!forwards.is_empty() && !said.contains("newest"), "{said}");
        for on_stdin in [false, true] {
            let (backwards, said) = told(&reversed(&log), on_stdin);
            assert!(said.contains("the newest lines come first"), "{said}");
            assert_eq!(facts(&backwards), facts(&forwards), "{fixture}");
            // Lines are cited where they stand.
            let lines = log.lines().count() as u64;
            for (one, other) in forwards.iter().zip(&backwards) {
                let line = |incident: &Value| incident["verdict"]["evidence"][0]["line"].as_u64();
                assert_eq!(line(one).unwrap() + line(other).unwrap(), lines + 1);
            }
        }
    }
}

#[test]
fn a_list_of_objects_is_turned_round_as_well() {
    let log = dmesg("kernels/6.12.117+deb13-cloud-amd64-v2/container-limit.kmsg");
    let objects = entries(&log);
    let (incidents, said) = told(&objects, false);
    assert!(said.contains("the newest lines come first"), "{said}");
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["missing"], serde_json::json!([]));
    assert_eq!(incidents[0]["victims"], told(&log, false).0[0]["victims"]);
    let line = incidents[0]["verdict"]["evidence"][0]["line"].as_u64();
    let at = objects.lines().nth(line.unwrap() as usize - 1);
    assert_eq!(at, Some("  {"));
}
