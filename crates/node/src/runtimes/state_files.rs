//! What runtimes keep of their containers on disk, for when their sockets do not answer. No interface of theirs, but
//! unchanged for years; what can't be read is left out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use whodunit_case::fact::ContainerFacts;

use super::is_id;
use super::spec::{Spec, add_labels};
use crate::Root;

/// Largest file that is read: a spec has some 20 KiB, containers.json some hundred bytes a container.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Directories of bundles, one a namespace, then one a container with `config.json` and `init.pid`: containerd's
/// runtime v2 shims (core/runtime/v2/bundle.go).
const BUNDLES: [&str; 4] = [
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/k3s/containerd/io.containerd.runtime.v2.task",
    "/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task",
];
/// Docker's own (daemon/container/container.go).
const DOCKER: &str = "/var/lib/docker/containers";
/// containers/storage, of CRI-O and Podman: persistent, and of this boot.
const STORAGE: [&str; 2] = [
    "/run/containers/storage/overlay-containers",
    "/var/lib/containers/storage/overlay-containers",
];
/// runc's own state, one a container (libcontainer/container_linux.go), directly or a namespace below.
const RUNC: [&str; 5] = [
    "/run/runc",
    "/run/containerd/runc",
    "/run/k3s/containerd/runc",
    "/run/docker/runtime-runc",
    "/run/crun",
];

/// What the state files under `root` tell of a container. `id` in full.
pub fn from_state_files(root: &Root, id: &str) -> Option<ContainerFacts> {
    if !is_id(id) {
        return None;
    }
    let mut facts = docker(root, id)
        .or_else(|| bundle(root, id))
        .or_else(|| storage(root, id));
    if facts.as_ref().is_none_or(|facts| facts.init_pid.is_none())
        && let Some(state) = runc(root, id)
    {
        let known = facts.get_or_insert_with(|| ContainerFacts {
            id: id.to_owned(),
            runtime: "runc".to_owned(),
            ..ContainerFacts::default()
        });
        known.init_pid = known.init_pid.or(state.init_process_pid);
        if known.cgroup.is_none() {
            known.cgroup = state.cgroup();
        }
    }
    facts
}

fn bundle(root: &Root, id: &str) -> Option<ContainerFacts> {
    let directory = BUNDLES
        .iter()
        .find_map(|bundles| in_namespaces(&root.join(bundles), id))?;
    let mut facts = ContainerFacts {
        id: id.to_owned(),
        runtime: "containerd".to_owned(),
        init_pid: pid(&directory.join("init.pid")),
        ..ContainerFacts::default()
    };
    if let Some(spec) = json::<Spec>(&directory.join("config.json")) {
        spec.add_to(&mut facts);
    }
    Some(facts)
}

/// The directory `parent/NAMESPACE/id`.
fn in_namespaces(parent: &Path, id: &str) -> Option<PathBuf> {
    std::fs::read_dir(parent)
        .ok()?
        .flatten()
        .map(|namespace| namespace.path().join(id))
        .find(|directory| directory.is_dir())
}

#[derive(Deserialize)]
struct DockerContainer {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default, rename = "Name")]
    name: String,
    #[serde(default, rename = "RestartCount")]
    restart_count: Option<u32>,
    #[serde(default, rename = "Config")]
    config: DockerConfig,
    #[serde(default, rename = "State")]
    state: DockerState,
}

#[derive(Default, Deserialize)]
struct DockerConfig {
    #[serde(default, rename = "Image")]
    image: Option<String>,
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct DockerState {
    #[serde(default, rename = "Pid")]
    pid: Option<u32>,
}

fn docker(root: &Root, id: &str) -> Option<ContainerFacts> {
    let file = root.join(DOCKER).join(id).join("config.v2.json");
    let container: DockerContainer = json(&file)?;
    if container.id != id {
        return None;
    }
    let labels = container.config.labels.unwrap_or_default();
    let mut facts = ContainerFacts {
        id: container.id,
        runtime: "docker".to_owned(),
        ..ContainerFacts::default()
    };
    add_labels(&mut facts, &labels);
    let name = container.name.trim_start_matches('/');
    facts.name.get_or_insert_with(|| name.to_owned());
    facts.image = facts.image.or(container.config.image);
    facts.restart_count = facts.restart_count.or(container.restart_count);
    facts.init_pid = container.state.pid.filter(|pid| *pid != 0);
    facts.labels = labels;
    Some(facts)
}

/// An entry of containers.json; `metadata` is JSON of CRI-O's or Podman's own in a text.
#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    metadata: String,
}

#[derive(Default, Deserialize)]
struct StoredMetadata {
    #[serde(default, rename = "image-name")]
    image_name: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "metadata-name")]
    metadata_name: Option<String>,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default)]
    pod: Option<bool>,
}

fn storage(root: &Root, id: &str) -> Option<ContainerFacts> {
    let mut facts = ContainerFacts {
        id: id.to_owned(),
        runtime: "cri-o".to_owned(),
        ..ContainerFacts::default()
    };
    let mut found = false;
    for storage in STORAGE {
        let directory = root.join(storage).join(id).join("userdata");
        if let Some(spec) = json::<Spec>(&directory.join("config.json")) {
            spec.add_to(&mut facts);
            found = true;
        }
        facts.init_pid = facts.init_pid.or_else(|| pid(&directory.join("pidfile")));
        let all = json::<Vec<Stored>>(&root.join(storage).join("containers.json"));
        let Some(stored) = all.into_iter().flatten().find(|stored| stored.id == id) else {
            continue;
        };
        found = true;
        let metadata: StoredMetadata = serde_json::from_str(&stored.metadata).unwrap_or_default();
        let name = metadata.metadata_name.or(metadata.name);
        facts.name = facts
            .name
            .or(name)
            .or_else(|| stored.names.first().cloned());
        facts.image = facts.image.or(metadata.image_name);
        facts.restart_count = facts.restart_count.or(metadata.attempt);
        facts.is_sandbox |= metadata.pod == Some(true);
    }
    found.then_some(facts)
}

/// runc's state.json, as far as it is of use.
#[derive(Deserialize)]
struct RuncState {
    #[serde(default)]
    init_process_pid: Option<u32>,
    #[serde(default)]
    cgroup_paths: BTreeMap<String, String>,
}

impl RuncState {
    /// v1: `memory` -> `/sys/fs/cgroup/memory/PATH`; v2: `` -> `/sys/fs/cgroup/PATH`.
    fn cgroup(&self) -> Option<String> {
        let path = self
            .cgroup_paths
            .get("memory")
            .or_else(|| self.cgroup_paths.get(""))?;
        let path = path.strip_prefix("/sys/fs/cgroup")?;
        let path = path
            .strip_prefix("/memory/")
            .map_or(path, |_| path.trim_start_matches("/memory"));
        Some(path.to_owned())
    }
}

fn runc(root: &Root, id: &str) -> Option<RuncState> {
    RUNC.iter().find_map(|runc| {
        let parent = root.join(runc);
        let direct = parent.join(id);
        let directory = if direct.is_dir() {
            direct
        } else {
            in_namespaces(&parent, id)?
        };
        json(&directory.join("state.json"))
    })
}

fn pid(file: &Path) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn json<T: DeserializeOwned>(file: &Path) -> Option<T> {
    let mut text = Vec::new();
    File::open(file)
        .ok()?
        .take(FILE_BYTES)
        .read_to_end(&mut text)
        .ok()?;
    serde_json::from_slice(&text).ok()
}
