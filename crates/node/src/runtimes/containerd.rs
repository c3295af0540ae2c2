//! containerd's API: its containers of all namespaces, and its events of their tasks. The pods are asked for through
//! the CRI, which listens on the same socket.

use jiff::Timestamp;
use prost::Message;
use tonic::{Code, Status};
use whodunit_case::fact::{ContainerFacts, RuntimeEvent, RuntimeEventKind};

use super::cri;
use super::messages::Empty;
use super::messages::containerd::{
    Container, Envelope, GetContainerRequest, GetContainerResponse, GetTaskRequest,
    GetTaskResponse, ListNamespacesResponse, ListTasksResponse, SubscribeRequest, TaskEvent,
    TaskExit,
};
use super::service::Services;
use super::spec::{Spec, add_labels};
use crate::clock::boot_ns;

const NAMESPACES: &str = "/containerd.services.namespaces.v1.Namespaces/List";
const CONTAINER: &str = "/containerd.services.containers.v1.Containers/Get";
const TASK: &str = "/containerd.services.tasks.v1.Tasks/Get";
const TASKS: &str = "/containerd.services.tasks.v1.Tasks/List";
const EVENTS: &str = "/containerd.services.events.v1.Events/Subscribe";

/// The namespace of the CRI plugin.
const KUBERNETES: &str = "k8s.io";
/// That of Docker.
const DOCKER: &str = "moby";

/// Topics of events: the runtime's word of what happened to a container's processes.
const TOPICS: [&str; 4] = ["/tasks/start", "/tasks/oom", "/tasks/exit", "/tasks/delete"];

/// Looks for a container in every namespace.
pub(super) async fn lookup(
    services: &Services,
    id: &str,
) -> Result<Option<ContainerFacts>, Status> {
    for namespace in namespaces(services).await? {
        let question = GetContainerRequest { id: id.to_owned() };
        let found: Result<GetContainerResponse, _> =
            services.ask(CONTAINER, Some(&namespace), question).await;
        let container = match found {
            Ok(answer) => answer.container,
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => return Err(status),
        };
        let Some(container) = container.filter(|container| container.id == id) else {
            continue;
        };
        let mut facts = facts(container, &namespace);
        let question = GetTaskRequest {
            container_id: id.to_owned(),
        };
        let task: Result<GetTaskResponse, _> = services.ask(TASK, Some(&namespace), question).await;
        facts.init_pid = task
            .ok()
            .and_then(|task| task.process)
            .map(|process| process.pid)
            .filter(|pid| *pid != 0);
        if namespace == KUBERNETES {
            // Without the plugin the labels have to do.
            let _ = cri::add_to(services, &mut facts).await;
        }
        return Ok(Some(facts));
    }
    Ok(None)
}

/// Ids of all that run.
pub(super) async fn running(services: &Services) -> Result<Vec<String>, Status> {
    let mut ids = Vec::new();
    for namespace in namespaces(services).await? {
        let answer: ListTasksResponse = services.ask(TASKS, Some(&namespace), Empty {}).await?;
        ids.extend(answer.tasks.into_iter().map(|task| {
            if task.container_id.is_empty() {
                task.id
            } else {
                task.container_id
            }
        }));
    }
    Ok(ids)
}

/// Hands over events until the stream ends; `connected` is called when it stands.
pub(super) async fn events(
    services: &Services,
    runtime: &str,
    connected: impl FnOnce(),
    sink: &(dyn Fn(RuntimeEvent) + Send + Sync),
) -> Result<(), Status> {
    let question = SubscribeRequest {
        filters: TOPICS
            .iter()
            .map(|topic| format!("topic=={topic:?}"))
            .collect(),
    };
    // The server says nothing before the first event: that it is there shows by another question.
    namespaces(services).await?;
    connected();
    let mut stream = services.subscribe::<_, Envelope>(EVENTS, question).await?;
    while let Some(envelope) = stream.message().await? {
        if let Some(event) = event(envelope, runtime) {
            sink(event);
        }
    }
    Ok(())
}

async fn namespaces(services: &Services) -> Result<Vec<String>, Status> {
    let answer: ListNamespacesResponse = services.ask(NAMESPACES, None, Empty {}).await?;
    Ok(answer
        .namespaces
        .into_iter()
        .map(|namespace| namespace.name)
        .collect())
}

fn facts(container: Container, namespace: &str) -> ContainerFacts {
    let runtime = if namespace == DOCKER {
        "docker"
    } else {
        "containerd"
    };
    let mut facts = ContainerFacts {
        id: container.id,
        runtime: runtime.to_owned(),
        labels: container.labels.into_iter().collect(),
        ..ContainerFacts::default()
    };
    let labels = facts.labels.clone();
    add_labels(&mut facts, &labels);
    if let Some(spec) = container.spec.and_then(|spec| Spec::read(&spec.value)) {
        spec.add_to(&mut facts);
    }
    if facts.image.is_none() && !container.image.is_empty() {
        facts.image = Some(container.image);
    }
    facts
}

fn event(envelope: Envelope, runtime: &str) -> Option<RuntimeEvent> {
    let bytes = envelope.event?.value;
    let task = TaskEvent::decode(bytes.as_slice()).ok();
    let (container_id, kind) = match envelope.topic.as_str() {
        "/tasks/start" => {
            let task = task?;
            let pid = Some(task.pid).filter(|pid| *pid != 0);
            (task.container_id, RuntimeEventKind::Started { pid })
        }
        "/tasks/oom" => (task?.container_id, RuntimeEventKind::Oom),
        "/tasks/delete" => (task?.container_id, RuntimeEventKind::Deleted),
        "/tasks/exit" => {
            let exit = TaskExit::decode(bytes.as_slice()).ok()?;
            let kind = RuntimeEventKind::Exited {
                pid: Some(exit.pid).filter(|pid| *pid != 0),
                status: exit.exit_status,
                exec: exit.id != exit.container_id,
            };
            (exit.container_id, kind)
        }
        _ => return None,
    };
    let time = envelope
        .timestamp
        .and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    let runtime = if envelope.namespace == DOCKER {
        "docker"
    } else {
        runtime
    };
    Some(RuntimeEvent {
        boot_ns: boot_ns(),
        time,
        runtime: runtime.to_owned(),
        container_id,
        kind,
    })
}
