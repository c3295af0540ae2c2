//! Docker's API over HTTP (v1.24 and later answer alike here), which Podman speaks as well.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use whodunit_case::fact::{ContainerFacts, RuntimeEvent, RuntimeEventKind};

use super::service::PATIENCE;
use super::spec::add_labels;
use crate::clock::boot_ns;

/// Largest answer: a container's description has some 10 KiB, a list less a container.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// Longest event: one line of JSON with all labels of a container.
const EVENT_BYTES: usize = 1024 * 1024;
/// `{"type":["container"]}`.
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D";

#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "Id")]
    id: String,
    #[serde(default, rename = "Name")]
    name: String,
    #[serde(default, rename = "RestartCount")]
    restart_count: Option<u32>,
    #[serde(default, rename = "Config")]
    config: Config,
    #[serde(default, rename = "State")]
    state: State,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default, rename = "Image")]
    image: Option<String>,
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default, rename = "Pid")]
    pid: Option<u32>,
    /// Podman's.
    #[serde(default, rename = "CgroupPath")]
    cgroup: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Id")]
    id: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Action")]
    action: String,
    #[serde(rename = "Actor")]
    actor: Actor,
    #[serde(default, rename = "timeNano")]
    time_ns: Option<i64>,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default, rename = "Attributes")]
    attributes: Option<BTreeMap<String, String>>,
}

/// A container by its id.
pub(super) async fn lookup(
    socket: &Path,
    runtime: &str,
    id: &str,
) -> io::Result<Option<ContainerFacts>> {
    let Some(inspected) = ask::<Inspected>(socket, &format!("/containers/{id}/json")).await? else {
        return Ok(None);
    };
    // A name is taken for an id as well, and anybody may give one.
    if inspected.id != id {
        return Ok(None);
    }
    let labels = inspected.config.labels.unwrap_or_default();
    let mut facts = ContainerFacts {
        id: inspected.id,
        runtime: runtime.to_owned(),
        init_pid: inspected.state.pid.filter(|pid| *pid != 0),
        cgroup: inspected.state.cgroup.filter(|path| !path.is_empty()),
        ..ContainerFacts::default()
    };
    add_labels(&mut facts, &labels);
    let name = inspected.name.trim_start_matches('/');
    if facts.name.is_none() && !name.is_empty() {
        facts.name = Some(name.to_owned());
    }
    facts.image = facts.image.or(inspected.config.image);
    facts.restart_count = facts.restart_count.or(inspected.restart_count);
    facts.labels = labels;
    Ok(Some(facts))
}

/// Ids of all that run.
pub(super) async fn running(socket: &Path) -> io::Result<Vec<String>> {
    let listed: Vec<Listed> = ask(socket, "/containers/json").await?.unwrap_or_default();
    Ok(listed.into_iter().map(|container| container.id).collect())
}

/// Hands over events until the stream ends; `connected` is called when it stands.
pub(super) async fn events(
    socket: &Path,
    runtime: &str,
    connected: impl FnOnce(),
    sink: &(dyn Fn(RuntimeEvent) + Send + Sync),
) -> io::Result<()> {
    let response = match tokio::time::timeout(PATIENCE, get(socket, EVENTS)).await {
        Ok(response) => response?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    if response.status() != StatusCode::OK {
        return Err(io::Error::other(format!("HTTP {}", response.status())));
    }
    connected();
    let mut body = response.into_body();
    let mut waiting: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        waiting.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        // One object a line; older engines leave the line end out between two.
        let mut objects = serde_json::Deserializer::from_slice(&waiting).into_iter::<Event>();
        let mut read = 0;
        let mut broken = false;
        loop {
            match objects.next() {
                Some(Ok(event)) => {
                    read = objects.byte_offset();
                    if let Some(event) = told(event, runtime) {
                        sink(event);
                    }
                }
                Some(Err(error)) => {
                    broken = !error.is_eof();
                    break;
                }
                None => break,
            }
        }
        if broken {
            // Of another form: on with the next line.
            let rest = waiting.get(read..).unwrap_or_default();
            let rest = rest.strip_prefix(b"\n").map_or(rest, |behind| {
                read += 1;
                behind
            });
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => read += end + 1,
                None => read = waiting.len(),
            }
        }
        waiting.drain(..read);
        if waiting.len() > EVENT_BYTES {
            return Err(io::Error::other("an event without end"));
        }
    }
    Ok(())
}

fn told(event: Event, runtime: &str) -> Option<RuntimeEvent> {
    let attributes = event.actor.attributes.unwrap_or_default();
    let number = |name: &str| attributes.get(name)?.parse::<u32>().ok();
    let kind = match event.action.as_str() {
        "start" => RuntimeEventKind::Started { pid: None },
        "oom" => RuntimeEventKind::Oom,
        // `died` and `containerExitCode` are Podman's.
        "die" | "died" => RuntimeEventKind::Exited {
            pid: None,
            status: number("exitCode").or_else(|| number("containerExitCode"))?,
            exec: false,
        },
        "exec_die" => RuntimeEventKind::Exited {
            pid: None,
            status: number("exitCode")?,
            exec: true,
        },
        "kill" => RuntimeEventKind::Kill {
            signal: number("signal"),
        },
        "destroy" | "remove" => RuntimeEventKind::Deleted,
        _ => return None,
    };
    Some(RuntimeEvent {
        boot_ns: boot_ns(),
        time: event
            .time_ns
            .and_then(|time| Timestamp::from_nanosecond(time.into()).ok()),
        runtime: runtime.to_owned(),
        container_id: event.actor.id,
        kind,
    })
}

/// Asks for JSON; `None`: there is no such thing (404).
async fn ask<T: DeserializeOwned>(socket: &Path, path: &str) -> io::Result<Option<T>> {
    let answer = async {
        let response = get(socket, path).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(io::Error::other(format!("HTTP {status}"))),
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES);
        let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Some(serde_json::from_slice(&bytes)?))
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn get(socket: &Path, path: &str) -> io::Result<Response<Incoming>> {
    let stream = TokioIo::new(UnixStream::connect(socket).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(io::Error::other)?;
    // It ends with the sender and the body.
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("Host", "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    sender.send_request(request).await.map_err(io::Error::other)
}
