//! The Container Runtime Interface (runtime.v1): containers and the pods they are in, as the kubelet sees them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use tonic::{Code, Status};
use whodunit_case::fact::{ContainerFacts, RuntimeEvent, RuntimeEventKind};

use super::messages::Empty;
use super::messages::cri::{
    Container, ContainerEvent, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse,
    Filter, ListContainersRequest, ListContainersResponse, PodSandboxStatusRequest,
    PodSandboxStatusResponse,
};
use super::service::Services;
use super::spec::{Spec, add_labels};
use crate::clock::boot_ns;

const CONTAINERS: &str = "/runtime.v1.RuntimeService/ListContainers";
const STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";
const SANDBOX: &str = "/runtime.v1.RuntimeService/PodSandboxStatus";
const EVENTS: &str = "/runtime.v1.RuntimeService/GetContainerEvents";

/// What `info` of a verbose answer holds, in containerd and in CRI-O.
#[derive(Default, Deserialize)]
struct Info {
    #[serde(default)]
    pid: Option<u32>,
    #[serde(default, rename = "runtimeSpec")]
    runtime_spec: Option<Spec>,
}

/// A container or a sandbox.
pub(super) async fn lookup(
    services: &Services,
    runtime: &str,
    id: &str,
) -> Result<Option<ContainerFacts>, Status> {
    let mut facts = ContainerFacts {
        id: id.to_owned(),
        runtime: runtime.to_owned(),
        ..ContainerFacts::default()
    };
    Ok(add_to(services, &mut facts).await?.then_some(facts))
}

/// Adds what the CRI knows of the container `facts.id`; says whether it knows it.
pub(super) async fn add_to(
    services: &Services,
    facts: &mut ContainerFacts,
) -> Result<bool, Status> {
    let filter = Filter {
        id: facts.id.clone(),
    };
    let question = ListContainersRequest {
        filter: Some(filter),
    };
    let answer: ListContainersResponse = services.ask(CONTAINERS, None, question).await?;
    // The filter takes the beginning of an id as well.
    let found = answer
        .containers
        .into_iter()
        .find(|container| container.id == facts.id);
    let Some(container) = found else {
        return add_sandbox(services, facts).await;
    };
    let sandbox = container.pod_sandbox_id.clone();
    add_container(facts, container);
    let question = ContainerStatusRequest {
        container_id: facts.id.clone(),
        verbose: true,
    };
    let status: Result<ContainerStatusResponse, _> = services.ask(STATUS, None, question).await;
    if let Ok(status) = status {
        add_info(facts, status.info.get("info"));
        if let Some(image) = status.status.and_then(|status| status.image) {
            let names = [image.user_specified_image, image.image];
            facts.image = names
                .into_iter()
                .find(|name| !name.is_empty() && !name.starts_with("sha256:"))
                .or(facts.image.take());
        }
    }
    let question = PodSandboxStatusRequest {
        pod_sandbox_id: sandbox,
        verbose: false,
    };
    let pod: Result<PodSandboxStatusResponse, _> = services.ask(SANDBOX, None, question).await;
    if let Ok(pod) = pod {
        add_pod(facts, &pod);
    }
    Ok(true)
}

async fn add_sandbox(services: &Services, facts: &mut ContainerFacts) -> Result<bool, Status> {
    let question = PodSandboxStatusRequest {
        pod_sandbox_id: facts.id.clone(),
        verbose: true,
    };
    let answer: Result<PodSandboxStatusResponse, _> = services.ask(SANDBOX, None, question).await;
    let pod = match answer {
        Ok(pod) => pod,
        // CRI-O says "unknown" of what it does not find.
        Err(status) if matches!(status.code(), Code::NotFound | Code::Unknown) => return Ok(false),
        Err(status) => return Err(status),
    };
    let known = pod
        .status
        .as_ref()
        .is_some_and(|status| status.id == facts.id);
    if !known {
        return Ok(false);
    }
    facts.is_sandbox = true;
    add_pod(facts, &pod);
    add_info(facts, pod.info.get("info"));
    if let Some(status) = pod.status {
        facts.labels.extend(status.labels);
    }
    Ok(true)
}

fn add_container(facts: &mut ContainerFacts, container: Container) {
    if let Some(metadata) = container.metadata {
        facts.name = Some(metadata.name);
        // The kubelet counts a container's restarts as the attempt.
        facts.restart_count = Some(metadata.attempt);
    }
    let labels: BTreeMap<String, String> = container.labels.into_iter().collect();
    add_labels(facts, &labels);
    add_labels(facts, &container.annotations.into_iter().collect());
    facts.labels.extend(labels);
    let image = container.image.map(|image| image.image).unwrap_or_default();
    let image = [image, container.image_ref]
        .into_iter()
        .find(|name| !name.is_empty());
    facts.image = facts.image.take().or(image);
}

fn add_pod(facts: &mut ContainerFacts, pod: &PodSandboxStatusResponse) {
    let Some(metadata) = pod
        .status
        .as_ref()
        .and_then(|status| status.metadata.as_ref())
    else {
        return;
    };
    facts.pod_name = Some(metadata.name.clone());
    facts.pod_namespace = Some(metadata.namespace.clone());
    facts.pod_uid = Some(metadata.uid.clone());
}

fn add_info(facts: &mut ContainerFacts, info: Option<&String>) {
    let info: Info = info
        .and_then(|info| serde_json::from_str(info).ok())
        .unwrap_or_default();
    facts.init_pid = facts.init_pid.or(info.pid.filter(|pid| *pid != 0));
    if let Some(spec) = info.runtime_spec {
        spec.add_to(facts);
    }
}

/// Ids of all containers, running or not.
pub(super) async fn containers(services: &Services) -> Result<Vec<String>, Status> {
    let question = ListContainersRequest { filter: None };
    let answer: ListContainersResponse = services.ask(CONTAINERS, None, question).await?;
    Ok(answer
        .containers
        .into_iter()
        .map(|container| container.id)
        .collect())
}

/// Hands over events until the stream ends; `connected` is called when it stands. CRI-O has them from 1.26 on, and
/// only when told so (`enable_pod_events`).
pub(super) async fn events(
    services: &Services,
    runtime: &str,
    connected: impl FnOnce(),
    sink: &(dyn Fn(RuntimeEvent) + Send + Sync),
) -> Result<(), Status> {
    // The server says nothing before the first event: that it is there shows by another question.
    containers(services).await?;
    connected();
    let mut stream = services
        .subscribe::<_, ContainerEvent>(EVENTS, Empty {})
        .await?;
    while let Some(event) = stream.message().await? {
        let status = event
            .statuses
            .iter()
            .find(|status| status.id == event.container_id);
        let kinds = match (event.kind, status) {
            (1, _) => vec![RuntimeEventKind::Started { pid: None }],
            (2, Some(status)) => ended(status),
            (3, _) => vec![RuntimeEventKind::Deleted],
            _ => Vec::new(),
        };
        for kind in kinds {
            sink(RuntimeEvent {
                boot_ns: boot_ns(),
                time: Timestamp::from_nanosecond(event.created_at.into()).ok(),
                runtime: runtime.to_owned(),
                container_id: event.container_id.clone(),
                kind,
            });
        }
    }
    Ok(())
}

/// How a container ended. CRI-O and containerd give the reason `OOMKilled` to one that the OOM killer took a process
/// of.
fn ended(status: &ContainerStatus) -> Vec<RuntimeEventKind> {
    let mut kinds = Vec::new();
    if status.reason == "OOMKilled" {
        kinds.push(RuntimeEventKind::Oom);
    }
    if let Ok(status) = u32::try_from(status.exit_code) {
        kinds.push(RuntimeEventKind::Exited {
            pid: None,
            status,
            exec: false,
        });
    }
    kinds
}
