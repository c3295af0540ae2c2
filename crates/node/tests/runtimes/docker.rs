//! Docker's and Podman's API: servers that give constructed answers, of the form that Docker Engine 24 and Podman 4
//! give (docs.docker.com/engine/api, docs.podman.io). No engine runs in these tests.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use whodunit_case::fact::RuntimeEventKind as Kind;
use whodunit_node::Root;
use whodunit_node::runtimes::{Endpoint, Protocol, usual_endpoints};

use crate::{Heard, wait_for};

const PATIENCE: Duration = Duration::from_secs(5);
const WEB: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
const OTHER: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

/// Constructed: `docker inspect` of a container that a compose file made, cut to a part of its fields.
const INSPECTED: &str = r#"{"Id":"3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899",
"Created":"2026-11-20T09:00:00.000000000Z","Path":"python","Args":["app.py"],
"State":{"Status":"running","Running":true,"OOMKilled":false,"Pid":4242,"ExitCode":0},
"Image":"sha256:1142f37127b73781ad9262a45796ecdc8a43c74b1a3c29bafb3c9e58b6f1995f","Name":"/shop-web-1","RestartCount":2,
"HostConfig":{"Memory":67108864,"CgroupParent":""},
"Config":{"Hostname":"3f4e5d6c7b8a","Image":"shop/web:1.4","Labels":{"com.docker.compose.project":"shop"}}}"#;

/// Constructed: the events of a container that ran out of memory and of one that was killed, one a line.
const EVENTS: [&str; 6] = [
    r#"{"status":"exec_die","id":"W","from":"shop/web:1.4","Type":"container","Action":"exec_die","Actor":{"ID":"W","Attributes":{"execID":"e","exitCode":"1","image":"shop/web:1.4","name":"shop-web-1"}},"scope":"local","time":1795600000,"timeNano":1795600000123456789}"#,
    r#"{"Type":"container","Action":"oom","Actor":{"ID":"W","Attributes":{"image":"shop/web:1.4","name":"shop-web-1"}},"scope":"local","time":1795600001,"timeNano":1795600001000000000}"#,
    r#"{"Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"W","Attributes":null},"scope":"local","time":1795600001,"timeNano":1795600001000000001}"#,
    r#"{"Type":"container","Action":"kill","Actor":{"ID":"W","Attributes":{"signal":"9","name":"shop-web-1"}},"scope":"local","time":1795600002,"timeNano":1795600002000000000}"#,
    r#"{"Type":"container","Action":"die","Actor":{"ID":"W","Attributes":{"exitCode":"137","execDuration":"3","name":"evil\u001b[2J"}},"scope":"local","time":1795600002,"timeNano":1795600002000000002}"#,
    r#"{"Type":"container","Action":"destroy","Actor":{"ID":"W","Attributes":{}},"scope":"local","time":1795600003,"timeNano":1795600003000000000}"#,
];

/// A server on a socket; what is sent to it goes out on `/events`, as a chunk each.
struct Engine {
    socket: PathBuf,
    events: Option<Sender<Vec<u8>>>,
    asked: Arc<Mutex<Vec<String>>>,
    _directory: tempfile::TempDir,
}

impl Engine {
    fn start(inspected: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (events, outgoing) = channel::<Vec<u8>>();
        let outgoing = Arc::new(Mutex::new(outgoing));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), outgoing, log) = (stream, outgoing.clone(), log.clone()) else {
                    return;
                };
                std::thread::spawn(move || serve(stream, inspected, &outgoing, &log));
            }
        });
        Self {
            socket,
            events: Some(events),
            asked,
            _directory: directory,
        }
    }

    fn say(&self, bytes: &str) {
        self.events
            .as_ref()
            .unwrap()
            .send(bytes.as_bytes().to_vec())
            .unwrap();
    }

    fn asked(&self, what: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.contains(what)).count()
    }

    fn endpoint(&self, runtime: &'static str) -> Endpoint {
        endpoint(&self.socket, runtime)
    }
}

fn endpoint(socket: &Path, runtime: &'static str) -> Endpoint {
    Endpoint {
        protocol: Protocol::Docker,
        runtime,
        socket: socket.to_owned(),
    }
}

fn serve(
    stream: UnixStream,
    inspected: &str,
    outgoing: &Mutex<Receiver<Vec<u8>>>,
    log: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().push(path.clone());
    let whole = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let stopped = || {
        let outgoing = outgoing.lock().unwrap();
        matches!(outgoing.try_recv(), Err(TryRecvError::Disconnected))
    };
    let answer = if path.starts_with("/events") && stopped() {
        whole("503 Service Unavailable", "")
    } else if path.starts_with("/events") {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        writer.write_all(head.as_bytes()).unwrap();
        for chunk in outgoing.lock().unwrap().iter() {
            let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
            framed.extend_from_slice(&chunk);
            framed.extend_from_slice(b"\r\n");
            if writer.write_all(&framed).is_err() {
                return;
            }
        }
        // The engine stops.
        let _ = writer.write_all(b"0\r\n\r\n");
        return;
    } else if path == "/containers/json" {
        whole("200 OK", "[]")
    } else if path.ends_with("/hang/json") {
        std::thread::sleep(Duration::from_secs(6));
        return;
    } else if path.contains(WEB) || path.contains("shop-web-1") || path.contains(OTHER) {
        whole("200 OK", inspected)
    } else {
        whole("404 Not Found", r#"{"message":"No such container"}"#)
    };
    writer.write_all(answer.as_bytes()).unwrap();
}

#[test]
fn docker_names_its_containers_and_tells_of_their_ends() {
    let mut engine = Engine::start(INSPECTED);
    let heard = Heard::default();
    let root = Root::at("/nonexistent");
    let runtimes = heard.listen(&root, vec![engine.endpoint("docker")]);

    let facts = runtimes.lookup(WEB, PATIENCE).expect("docker knows it");
    assert_eq!(facts.id, WEB);
    assert_eq!(
        (
            facts.runtime.as_str(),
            facts.name.as_deref(),
            facts.image.as_deref()
        ),
        ("docker", Some("shop-web-1"), Some("shop/web:1.4"))
    );
    assert_eq!((facts.restart_count, facts.init_pid), (Some(2), Some(4242)));
    assert_eq!(facts.labels["com.docker.compose.project"], "shop");
    assert_eq!(facts.pod_name, None);
    // Asked once.
    runtimes.lookup(WEB, PATIENCE).unwrap();
    assert_eq!(engine.asked(WEB), 1);
    // What is named like an id is not the container of that id.
    assert_eq!(runtimes.lookup(OTHER, PATIENCE), None);
    assert_eq!(runtimes.lookup("shop-web-1", PATIENCE), None);
    assert_eq!(runtimes.lookup("a/../../b", PATIENCE), None);
    assert_eq!(engine.asked(".."), 0);

    // Events come in pieces, two at a time, and with one of another form between.
    let lines: Vec<String> = EVENTS
        .iter()
        .map(|event| event.replace("\"W\"", &format!("\"{WEB}\"")))
        .collect();
    engine.say(&lines[0][..100]);
    engine.say(&lines[0][100..]);
    engine.say(&format!("\n{}\n{}", lines[1], lines[2]));
    engine.say("\n{\"Type\":\"container\",\"Action\":7}\n");
    engine.say(&format!("{}\n{}\n{}\n", lines[3], lines[4], lines[5]));
    let kinds = heard.wait(WEB, |kinds| kinds.contains(&Kind::Deleted));
    assert_eq!(
        kinds,
        [
            Kind::Exited {
                pid: None,
                status: 1,
                exec: true
            },
            Kind::Oom,
            Kind::Kill { signal: Some(9) },
            Kind::Exited {
                pid: None,
                status: 137,
                exec: false
            },
            Kind::Deleted
        ]
    );
    assert_eq!(
        heard.events(WEB)[0].time.unwrap().as_nanosecond(),
        1_795_600_000_123_456_789
    );

    // The engine stops: said once, though it is tried again and again.
    engine.events = None;
    assert!(
        wait_for(PATIENCE, || heard.notes().len() == 1),
        "{:?}",
        heard.notes()
    );
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(heard.notes().len(), 1, "{:?}", heard.notes());
}

#[test]
fn an_engine_that_hangs_or_refuses_holds_nobody_up() {
    let engine = Engine::start(INSPECTED);
    let heard = Heard::default();
    let directory = tempfile::tempdir().unwrap();
    // A file in the place of a socket refuses connections.
    let refusing = directory.path().join("podman.sock");
    std::fs::write(&refusing, "").unwrap();
    let endpoints = vec![endpoint(&refusing, "podman"), engine.endpoint("docker")];
    let runtimes = heard.listen(&Root::at("/nonexistent"), endpoints);
    assert!(runtimes.lookup(WEB, PATIENCE).is_some());
    let begin = std::time::Instant::now();
    assert_eq!(runtimes.lookup("hang", Duration::from_millis(100)), None);
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert!(wait_for(PATIENCE, || heard
        .notes()
        .iter()
        .any(|note| note.starts_with("podman"))));
    let begin = std::time::Instant::now();
    drop(runtimes);
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_machine_without_any_runtime_says_so_once() {
    let tree = tempfile::tempdir().unwrap();
    let root = Root::at(tree.path());
    let heard = Heard::default();
    let runtimes = heard.listen(&root, usual_endpoints(&root));
    assert_eq!(runtimes.lookup(WEB, PATIENCE), None);
    std::thread::sleep(Duration::from_millis(600));
    let notes = heard.notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("/run/containerd/containerd.sock"),
        "{notes:?}"
    );
}
