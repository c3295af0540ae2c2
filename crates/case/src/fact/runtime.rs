//! What container runtimes know: whose a container is, and what they say happened to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A container as its runtime describes it. All text is hostile: whoever may make a container chooses it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ContainerFacts {
    /// Full id.
    pub id: String,
    /// containerd, cri-o, docker, podman.
    pub runtime: String,
    /// Name in its pod, or Docker's name.
    pub name: Option<String>,
    /// Image reference.
    pub image: Option<String>,
    /// Pod name.
    pub pod_name: Option<String>,
    /// Pod namespace.
    pub pod_namespace: Option<String>,
    /// Pod uid.
    pub pod_uid: Option<String>,
    /// Restarts of the container in its pod.
    pub restart_count: Option<u32>,
    /// Its first process, in the initial pid namespace.
    pub init_pid: Option<u32>,
    /// Its cgroup from the hierarchy's root, where the runtime says.
    pub cgroup: Option<String>,
    /// The pod's sandbox.
    pub is_sandbox: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Something a runtime said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeEvent {
    /// CLOCK_BOOTTIME when it arrived here.
    pub boot_ns: u64,
    /// The runtime's own time stamp.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub time: Option<Timestamp>,
    /// containerd, cri-o, docker, podman.
    pub runtime: String,
    /// Whose.
    pub container_id: String,
    /// What.
    pub kind: RuntimeEventKind,
}

/// What a runtime said of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum RuntimeEventKind {
    /// Its first process started.
    Started {
        /// In the initial pid namespace.
        pid: Option<u32>,
    },
    /// The runtime was told of an OOM kill in its cgroup (containerd TaskOOM, Docker `oom`).
    Oom,
    /// A process of it ended (containerd TaskExit, Docker `die`).
    Exited {
        /// In the initial pid namespace.
        pid: Option<u32>,
        /// As the runtime gives it: 128 + signal after a signal.
        status: u32,
        /// Not its first process: one that was started in it later (`ctr task exec`, `kubectl exec`).
        exec: bool,
    },
    /// A signal was asked for through the runtime (Docker `kill`).
    Kill {
        /// Number.
        signal: Option<u32>,
    },
    /// It was removed.
    Deleted,
}
