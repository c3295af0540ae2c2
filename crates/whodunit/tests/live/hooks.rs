//! What hooks get, and that watching does not wait for one that fails or hangs.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{Listener, Request, plain};
use crate::stage::{Agent, Victim, is_of, objects, objects_in, pid, wait_for, wait_within};

/// The published schema of one incident.
fn schema() -> jsonschema::Validator {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/schema/incident-v1.schema.json"
    );
    let document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut incident = document["$defs"]["Incident"].clone();
    incident["$defs"] = document["$defs"].clone();
    jsonschema::validator_for(&incident).unwrap()
}

fn hold_to_schema(incident: &Value) {
    let schema = schema();
    let errors: Vec<String> = schema
        .iter_errors(incident)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Requests about a victim.
fn about(listener: &Listener, pid: u32) -> Vec<Request> {
    let requests = listener.requests().into_iter();
    requests
        .filter(|request| is_of(&serde_json::from_str(&request.body).unwrap(), pid))
        .collect()
}

/// Complaints about hooks in the log.
fn complaints(agent: &Agent, word: &str) -> Vec<String> {
    let events = agent.events().into_iter();
    events
        .filter(|event| event["level"] == "ERROR")
        .filter_map(|event| event["message"].as_str().map(str::to_owned))
        .filter(|message| message.contains(word))
        .collect()
}

#[test]
fn a_command_and_an_address_get_the_incident_of_the_contract() {
    let listener = Listener::start(|_, _| plain("204 No Content"));
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), "s3cret\n").unwrap();
    let Some(agent) = Agent::start(&[
        "--exec",
        "cat >> all.ndjson; echo $WHODUNIT_INCIDENT_ID $WHODUNIT_KILLER ${NOTIFY_SOCKET-none} >> words",
        "--webhook",
        &listener.url,
        "--webhook-token-file",
        token.path().to_str().unwrap(),
    ]) else {
        return;
    };
    let victim = Victim::new().kill();
    let told = wait_for("its incident", || agent.incident_of(victim));
    let given = wait_for("the command's input", || {
        let all = objects_in(&agent.path("all.ndjson")).into_iter();
        all.into_iter().find(|one| is_of(one, victim))
    });
    hold_to_schema(&given);
    assert_eq!(given["id"], told["id"]);
    assert_eq!(given["verdict"]["killer"], "application-parent");
    let words = format!("{} application-parent none\n", told["id"].as_str().unwrap());
    wait_for("its variables", || {
        let text = fs::read_to_string(agent.path("words")).unwrap_or_default();
        text.contains(&words).then_some(())
    });
    let posted = wait_for("the request", || about(&listener, victim).pop());
    assert_eq!(posted.line, "POST /hooks/secret-path HTTP/1.1");
    assert_eq!(posted.header("content-type"), Some("application/json"));
    assert_eq!(posted.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(posted.header("x-whodunit-incident-id"), told["id"].as_str());
    assert_eq!(objects(&posted.body), [given]);
    // A new token needs no restart.
    fs::write(token.path(), "other").unwrap();
    let victim = Victim::new().kill();
    let posted = wait_for("the request", || about(&listener, victim).pop());
    assert_eq!(posted.header("authorization"), Some("Bearer other"));
}

#[test]
fn watch_has_hooks_too_and_its_output_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let Some(agent) = Agent::start(&[]) else {
        return;
    };
    drop(agent);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args([
            "watch",
            "-o",
            "ndjson",
            "--no-store",
            "--comm",
            "watched",
            "--exec",
        ])
        .arg("tee -a given; echo noise; echo noise >&2")
        .current_dir(folder.path())
        .stdout(fs::File::create(folder.path().join("out")).unwrap())
        .stderr(fs::File::create(folder.path().join("err")).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("its start", || {
        let said = fs::read_to_string(folder.path().join("err")).unwrap();
        said.contains("watching; stop with").then_some(())
    });
    Victim::called("other").kill();
    let victim = Victim::called("watched").kill();
    wait_for("the line", || objects_in(&folder.path().join("out")).pop());
    rustix::process::kill_process(pid(watch.id()), rustix::process::Signal::INT).unwrap();
    let status = wait_for("the end", || watch.try_wait().unwrap());
    assert!(status.success(), "{status}");
    let out = objects_in(&folder.path().join("out"));
    assert!(is_of(&out[0], victim));
    // What was told, and nothing else; handed over before the end.
    assert_eq!(objects_in(&folder.path().join("given")), out);
    assert_eq!(out.len(), 1);
}

#[test]
fn a_server_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    // Other processes of the machine are no concern of theirs.
    let is_own = |request: &Request| request.body.contains("\"comm\":\"moodily\"");
    let moody = Listener::start(move |request, before| match before {
        _ if !is_own(request) => plain("200 OK"),
        0 => plain("503 Service Unavailable"),
        1 => plain("429 Too Many Requests"),
        _ => plain("200 OK"),
    });
    let strict = Listener::start(|_, _| plain("400 Bad Request"));
    let moved = Listener::start(|_, _| {
        Some(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
                .into(),
        )
    });
    let Some(agent) = Agent::start(&[
        "--webhook",
        &moody.url,
        "--webhook",
        &strict.url,
        "--webhook",
        &moved.url,
    ]) else {
        return;
    };
    let first = Victim::called("moodily").kill();
    wait_for("a third try", || {
        (about(&moody, first).len() == 3).then_some(())
    });
    let second = Victim::called("moodily").kill();
    wait_for("the second refusal", || about(&strict, second).pop());
    wait_for("the second move", || about(&moved, second).pop());
    assert_eq!(about(&strict, first).len(), 1);
    assert_eq!(about(&moved, first).len(), 1);
    wait_for("the third try of the second", || {
        (about(&moody, second).len() == 3).then_some(())
    });
    let of_400 = complaints(&agent, "answered 400");
    assert_eq!(of_400.len(), 1, "told once: {of_400:?}");
    assert!(!of_400[0].contains("secret-path"), "{of_400:?}");
    assert!(of_400[0].contains("POST http://127.0.0.1:"), "{of_400:?}");
    assert_eq!(complaints(&agent, "answered 302").len(), 1);
    assert!(complaints(&agent, "answered 503").is_empty());
    let page = agent.get("/metrics", None).body;
    let line = |name: &str| {
        page.lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(!line("whodunit_hook_retries_total{hook=\"webhook-1\"}").ends_with(" 0"));
    assert!(line("whodunit_hook_retries_total{hook=\"webhook-2\"}").ends_with(" 0"));
    let failed = "whodunit_hook_incidents_total{hook=\"webhook-2\",outcome=\"failed\"}";
    assert!(!line(failed).ends_with(" 0"));
}

#[test]
fn a_server_that_hangs_or_is_not_there_holds_nothing_up() {
    let hanging = Listener::start(|request, _| {
        let own = request.body.contains("\"comm\":\"hangs\"");
        if own { None } else { plain("200 OK") }
    });
    let Some(mut agent) = Agent::start(&[
        "--hook-timeout",
        "1",
        "--webhook",
        &hanging.url,
        // Nobody listens on the first port.
        "--webhook",
        "http://127.0.0.1:1/",
    ]) else {
        return;
    };
    let first = Victim::called("hangs").kill();
    wait_for("the request", || about(&hanging, first).pop());
    // It hangs now; verdicts come nonetheless.
    for _ in 0..5 {
        let victim = Victim::new().kill();
        let incident = wait_within(Duration::from_secs(5), || agent.incident_of(victim));
        assert!(incident.is_some(), "a verdict waited for a hook");
    }
    assert_eq!(agent.get("/healthz", None).status, 200);
    wait_for("all tries", || {
        (about(&hanging, first).len() == 4).then_some(())
    });
    wait_for("the complaint", || complaints(&agent, "4 tries").pop());
    wait_for("the other complaint", || {
        let refused = complaints(&agent, "http://127.0.0.1:1/...");
        refused.into_iter().find(|text| text.contains("refused"))
    });
    // What is queued gets ten seconds, no more.
    let began = Instant::now();
    let status = agent.stop();
    assert!(status.success(), "{status}");
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
    assert!(!complaints(&agent, "before the end").is_empty());
}

#[test]
fn a_command_that_hangs_is_ended_with_its_children_and_does_not_call_itself() {
    // It hangs for its own victims only, so that those of others do not fill the queue.
    const COMMAND: &str = "echo $WHODUNIT_INCIDENT_ID >> runs
        grep -q '\"comm\":\"hung\"' || exit 0
        trap '' TERM; sleep 1077 & echo $! >> children; echo why >&2; wait; wait; sleep 1078";
    let Some(agent) = Agent::start(&["--hook-timeout", "1", "--exec", COMMAND]) else {
        return;
    };
    let id = |incident: &Value| incident["id"].as_str().unwrap().to_owned();
    let ran = |id: &str| {
        let runs = fs::read_to_string(agent.path("runs")).unwrap_or_default();
        runs.lines().any(|line| line == id)
    };
    let victim = Victim::called("hung").kill();
    let told = id(&wait_for("its incident", || agent.incident_of(victim)));
    let complaint = wait_for("the complaint", || {
        complaints(&agent, "ran longer than 1s").pop()
    });
    assert!(complaint.contains("it said: why"), "{complaint}");
    assert!(ran(&told));
    let child: u32 = {
        let text = fs::read_to_string(agent.path("children")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    };
    wait_for("the end of its child", || {
        let cmdline = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        (!cmdline.starts_with(b"sleep\x001077")).then_some(())
    });
    // The agent killed it: that is an incident, and none for hooks; what comes after it is one again.
    let own = id(&wait_for("the agent's own kill", || {
        let mut events = agent.events().into_iter();
        events.find(|event| event["sender_pid"] == agent.pid())
    }));
    let after = Victim::new().kill();
    let after = id(&wait_for("the incident after it", || {
        agent.incident_of(after)
    }));
    wait_for("its run", || ran(&after).then_some(()));
    assert!(!ran(&own));
}

#[test]
fn a_command_that_fails_or_talks_or_does_not_read_is_no_trouble() {
    let Some(agent) = Agent::start(&[
        "--exec",
        "exit 7",
        "--exec",
        "head -c 3000000 /dev/zero; printf 'a\\033[31mb' >&2; exit 8",
        "--exec",
        "kill -USR1 $$",
        "--exec",
        "cat >> after",
    ]) else {
        return;
    };
    for _ in 0..3 {
        let victim = Victim::new().kill();
        wait_for("its run", || {
            let after = objects_in(&agent.path("after")).into_iter();
            after.into_iter().find(|one| is_of(one, victim))
        });
    }
    for kind in [
        "ended with status 7",
        "ended with status 8",
        "ended by signal 10",
    ] {
        wait_for(kind, || complaints(&agent, kind).pop());
        assert_eq!(complaints(&agent, kind).len(), 1, "{kind}");
    }
    assert!(!agent.log().contains('\u{1b}') && !agent.log().contains("\\u001b"));
}
