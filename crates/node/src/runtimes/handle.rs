//! The plain handle to all runtimes: a thread with the async runtime inside, questions with a time limit, events
//! handed to a function. A socket that is not there, or goes away, is tried again, ever less often.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use whodunit_case::fact::{ContainerFacts, Fact, RuntimeEvent, RuntimeEventKind};

use super::cache::Cache;
use super::service::{Services, in_words};
use super::{Endpoint, Protocol, containerd, cri, docker, from_state_files, is_id};
use crate::Root;

/// First wait before a socket is tried again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// A connection that lasts this long is one.
const STEADY: Duration = Duration::from_secs(5);

/// What the runtimes' thread tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A container started, ran out of memory, ended ...
    Fact(Fact),
    /// A runtime can't be asked, answers again, or none is there: each said once.
    Note(String),
}

/// All container runtimes of the machine.
#[derive(Debug)]
pub struct Runtimes {
    shared: Arc<Shared>,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    root: Root,
    connections: Vec<Connection>,
    cache: Mutex<Cache>,
    sink: Box<dyn Fn(Told) + Send + Sync>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Connection {
    endpoint: Endpoint,
    services: Services,
}

impl Runtimes {
    /// Starts the thread. `sink` is called on it, and must not wait. Nobody has to be there to answer.
    pub fn start(
        root: &Root,
        endpoints: Vec<Endpoint>,
        sink: impl Fn(Told) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        // The channels are tied to the runtime at once.
        let inside = handle.enter();
        let connections: Vec<Connection> = endpoints
            .into_iter()
            .map(|endpoint| Connection {
                services: Services::at(&endpoint.socket),
                endpoint,
            })
            .collect();
        drop(inside);
        let shared = Arc::new(Shared {
            root: root.clone(),
            connections,
            cache: Mutex::new(Cache::default()),
            sink: Box::new(sink),
        });
        shared.say_if_none();
        let (stop, stopped) = oneshot::channel();
        let inner = shared.clone();
        let thread = std::thread::Builder::new()
            .name("runtimes".into())
            .spawn(move || {
                runtime.block_on(async {
                    for connection in inner.connections.clone() {
                        tokio::spawn(follow(inner.clone(), connection));
                    }
                    // Also when the handle is gone without a word.
                    let _ = stopped.await;
                });
                // A question that still waits for a runtime is given up.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            shared,
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Whose container it is: what was asked before, else what a runtime answers within `patience`, else what the
    /// state files say. `id` in full. Waits; not for the async runtime's own thread.
    pub fn lookup(&self, id: &str, patience: Duration) -> Option<ContainerFacts> {
        if !is_id(id) {
            return None;
        }
        if let Some(known) = self.cached(id) {
            return known;
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let (shared, wanted) = (self.shared.clone(), id.to_owned());
        self.handle.spawn(async move {
            let facts = shared.ask(&wanted).await;
            let _ = answer.send(facts);
        });
        let facts = answered.recv_timeout(patience).ok().flatten();
        facts.or_else(|| from_state_files(&self.shared.root, id))
    }

    /// What was asked before, without asking. The inner `None`: nobody knew it a moment ago.
    pub fn cached(&self, id: &str) -> Option<Option<ContainerFacts>> {
        self.shared.cache().get(id, Instant::now())
    }
}

impl Drop for Runtimes {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, text: String) {
        (self.sink)(Told::Note(text));
    }

    fn say_if_none(&self) {
        let there = |connection: &Connection| connection.endpoint.socket.exists();
        if !self.connections.iter().any(there) {
            let looked: Vec<String> = self
                .connections
                .iter()
                .map(|connection| connection.endpoint.socket.display().to_string())
                .collect();
            self.note(format!(
                "no container runtime answers: containers are named by their cgroups and state files only (looked \
                 for {})",
                looked.join(", ")
            ));
        }
    }

    /// Asks all at once, and takes the first in their order that knows it.
    async fn ask(self: &Arc<Self>, id: &str) -> Option<ContainerFacts> {
        let there = |connection: &&Connection| connection.endpoint.socket.exists();
        let questions: Vec<_> = self
            .connections
            .iter()
            .filter(there)
            .cloned()
            .map(|connection| {
                let id = id.to_owned();
                tokio::spawn(async move { connection.lookup(&id).await })
            })
            .collect();
        let mut facts = None;
        let mut failed = false;
        for question in questions {
            match question.await {
                Ok(Ok(found)) => facts = facts.or(found),
                Ok(Err(_)) | Err(_) => failed = true,
            }
        }
        if facts.is_none() {
            facts = from_state_files(&self.root, id);
        }
        // Who did not answer may know it yet.
        if facts.is_some() || !failed {
            self.cache().put(id, facts.clone(), Instant::now());
        }
        facts
    }
}

impl Connection {
    fn name(&self) -> String {
        format!(
            "{} ({})",
            self.endpoint.runtime,
            self.endpoint.socket.display()
        )
    }

    async fn lookup(&self, id: &str) -> Result<Option<ContainerFacts>, String> {
        let Endpoint {
            runtime, socket, ..
        } = &self.endpoint;
        match self.endpoint.protocol {
            Protocol::Containerd => containerd::lookup(&self.services, id)
                .await
                .map_err(|status| in_words(&status)),
            Protocol::Cri => cri::lookup(&self.services, runtime, id)
                .await
                .map_err(|status| in_words(&status)),
            Protocol::Docker => docker::lookup(socket, runtime, id)
                .await
                .map_err(|error| error.to_string()),
        }
    }

    async fn ids(&self) -> Vec<String> {
        let ids = match self.endpoint.protocol {
            Protocol::Containerd => containerd::running(&self.services).await.ok(),
            Protocol::Cri => cri::containers(&self.services).await.ok(),
            Protocol::Docker => docker::running(&self.endpoint.socket).await.ok(),
        };
        ids.unwrap_or_default()
    }

    async fn events(
        &self,
        connected: impl FnOnce(),
        sink: &(dyn Fn(RuntimeEvent) + Send + Sync),
    ) -> Result<(), Refused> {
        let Endpoint {
            runtime, socket, ..
        } = &self.endpoint;
        let grpc = |status: tonic::Status| Refused {
            for_good: status.code() == tonic::Code::Unimplemented,
            why: in_words(&status),
        };
        match self.endpoint.protocol {
            Protocol::Containerd => containerd::events(&self.services, runtime, connected, sink)
                .await
                .map_err(grpc),
            Protocol::Cri => cri::events(&self.services, runtime, connected, sink)
                .await
                .map_err(grpc),
            Protocol::Docker => docker::events(socket, runtime, connected, sink)
                .await
                .map_err(|error| Refused {
                    for_good: false,
                    why: error.to_string(),
                }),
        }
    }
}

/// No events.
struct Refused {
    /// It has none.
    for_good: bool,
    why: String,
}

/// What was last said of a runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Connected,
    Lost,
}

/// Follows a runtime's events as long as the thread lives.
async fn follow(shared: Arc<Shared>, connection: Connection) {
    let mut said = Said::Nothing;
    let mut wait = RETRY.0;
    loop {
        if connection.endpoint.socket.exists() {
            let connected_at = Mutex::new(None);
            let inner = shared.clone();
            let sink = move |event: RuntimeEvent| {
                // While it is there to be asked: a container that is killed may be gone a moment later.
                if matches!(event.kind, RuntimeEventKind::Started { .. }) {
                    let (inner, id) = (inner.clone(), event.container_id.clone());
                    if is_id(&id) {
                        tokio::spawn(async move { inner.ask(&id).await });
                    }
                }
                (inner.sink)(Told::Fact(Fact::Runtime(Box::new(event))));
            };
            let connected = || {
                *connected_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                if said == Said::Lost {
                    shared.note(format!("{}: answers again", connection.name()));
                }
                let (shared, connection) = (shared.clone(), connection.clone());
                tokio::spawn(async move {
                    for id in connection.ids().await {
                        if is_id(&id) && shared.cache().get(&id, Instant::now()).is_none() {
                            shared.ask(&id).await;
                        }
                    }
                });
            };
            let ended = connection.events(connected, &sink).await;
            let connected_at = connected_at
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = connected_at {
                said = Said::Connected;
                // One that hangs up at once is not asked any faster than one that is not there.
                if at.elapsed() > STEADY {
                    wait = RETRY.0;
                }
            }
            match ended {
                Err(Refused {
                    for_good: true,
                    why,
                }) => {
                    return shared.note(format!(
                        "{}: has no events ({why}): containers can be named, their ends are seen by others only",
                        connection.name()
                    ));
                }
                Err(Refused { why, .. }) if said != Said::Lost => {
                    shared.note(format!(
                        "{}: can't be followed ({why}): its events are missed until it answers",
                        connection.name()
                    ));
                    said = Said::Lost;
                }
                Ok(()) if said != Said::Lost => {
                    shared.note(format!(
                        "{}: closed its events: they are missed until it answers again",
                        connection.name()
                    ));
                    said = Said::Lost;
                }
                _ => {}
            }
        } else if said == Said::Connected {
            shared.note(format!(
                "{}: its socket is gone: its events are missed until it is back",
                connection.name()
            ));
            said = Said::Lost;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}
