//! The messages of the CRI (k8s.io/cri-api, runtime/v1/api.proto) and of containerd's API (api/services, api/events,
//! api/types), with the fields that are read here. Protobuf passes over the fields that a message does not name, and
//! numbers never change their meaning within a version of an API, so this holds for every version of the runtimes.
//! Written down instead of generated: generating needs protoc, which few machines have.

use std::collections::HashMap;

use prost::Message;

/// google.protobuf.Any.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// google.protobuf.Timestamp.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

/// A message without fields that are of use.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Empty {}

/// containerd.services.*.
pub(super) mod containerd {
    use super::{Any, HashMap, Message, Timestamp};

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct GetContainerRequest {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) id: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct GetContainerResponse {
        #[prost(message, optional, tag = "1")]
        pub(in crate::runtimes) container: Option<Container>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct Container {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) id: String,
        #[prost(map = "string, string", tag = "2")]
        pub(in crate::runtimes) labels: HashMap<String, String>,
        #[prost(string, tag = "3")]
        pub(in crate::runtimes) image: String,
        /// JSON of the OCI spec.
        #[prost(message, optional, tag = "5")]
        pub(in crate::runtimes) spec: Option<Any>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ListNamespacesResponse {
        #[prost(message, repeated, tag = "1")]
        pub(in crate::runtimes) namespaces: Vec<Namespace>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct Namespace {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) name: String,
    }

    /// containerd.services.tasks.v1.GetRequest.
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct GetTaskRequest {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) container_id: String,
    }

    /// containerd.services.tasks.v1.GetResponse.
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct GetTaskResponse {
        #[prost(message, optional, tag = "1")]
        pub(in crate::runtimes) process: Option<Process>,
    }

    /// containerd.services.tasks.v1.ListTasksResponse.
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ListTasksResponse {
        #[prost(message, repeated, tag = "1")]
        pub(in crate::runtimes) tasks: Vec<Process>,
    }

    /// containerd.v1.types.Process. In a list `id` is the container's (runtime/v2/shim.go leaves `container_id` out).
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct Process {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) container_id: String,
        #[prost(string, tag = "2")]
        pub(in crate::runtimes) id: String,
        #[prost(uint32, tag = "3")]
        pub(in crate::runtimes) pid: u32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct SubscribeRequest {
        #[prost(string, repeated, tag = "1")]
        pub(in crate::runtimes) filters: Vec<String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct Envelope {
        #[prost(message, optional, tag = "1")]
        pub(in crate::runtimes) timestamp: Option<Timestamp>,
        #[prost(string, tag = "2")]
        pub(in crate::runtimes) namespace: String,
        #[prost(string, tag = "3")]
        pub(in crate::runtimes) topic: String,
        #[prost(message, optional, tag = "4")]
        pub(in crate::runtimes) event: Option<Any>,
    }

    /// containerd.events.TaskStart, TaskOOM (which has no pid), and the fields that TaskDelete shares with them.
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct TaskEvent {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) container_id: String,
        #[prost(uint32, tag = "2")]
        pub(in crate::runtimes) pid: u32,
    }

    /// containerd.events.TaskExit; `id` is the container's for its first process, else the exec's.
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct TaskExit {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) container_id: String,
        #[prost(string, tag = "2")]
        pub(in crate::runtimes) id: String,
        #[prost(uint32, tag = "3")]
        pub(in crate::runtimes) pid: u32,
        #[prost(uint32, tag = "4")]
        pub(in crate::runtimes) exit_status: u32,
    }
}

/// runtime.v1.
pub(super) mod cri {
    use super::{HashMap, Message};

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ListContainersRequest {
        #[prost(message, optional, tag = "1")]
        pub(in crate::runtimes) filter: Option<Filter>,
    }

    /// ContainerFilter and PodSandboxFilter: both have the id first.
    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct Filter {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) id: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ListContainersResponse {
        #[prost(message, repeated, tag = "1")]
        pub(in crate::runtimes) containers: Vec<Container>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct Container {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) id: String,
        #[prost(string, tag = "2")]
        pub(in crate::runtimes) pod_sandbox_id: String,
        #[prost(message, optional, tag = "3")]
        pub(in crate::runtimes) metadata: Option<ContainerMetadata>,
        #[prost(message, optional, tag = "4")]
        pub(in crate::runtimes) image: Option<ImageSpec>,
        #[prost(string, tag = "5")]
        pub(in crate::runtimes) image_ref: String,
        #[prost(map = "string, string", tag = "8")]
        pub(in crate::runtimes) labels: HashMap<String, String>,
        #[prost(map = "string, string", tag = "9")]
        pub(in crate::runtimes) annotations: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ContainerMetadata {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) name: String,
        #[prost(uint32, tag = "2")]
        pub(in crate::runtimes) attempt: u32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ImageSpec {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) image: String,
        #[prost(string, tag = "18")]
        pub(in crate::runtimes) user_specified_image: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ContainerStatusRequest {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) container_id: String,
        #[prost(bool, tag = "2")]
        pub(in crate::runtimes) verbose: bool,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ContainerStatusResponse {
        #[prost(message, optional, tag = "1")]
        pub(in crate::runtimes) status: Option<ContainerStatus>,
        /// JSON of the runtime's own under `info`, with the pid.
        #[prost(map = "string, string", tag = "2")]
        pub(in crate::runtimes) info: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ContainerStatus {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) id: String,
        #[prost(message, optional, tag = "2")]
        pub(in crate::runtimes) metadata: Option<ContainerMetadata>,
        #[prost(int32, tag = "7")]
        pub(in crate::runtimes) exit_code: i32,
        #[prost(message, optional, tag = "8")]
        pub(in crate::runtimes) image: Option<ImageSpec>,
        #[prost(string, tag = "10")]
        pub(in crate::runtimes) reason: String,
        #[prost(map = "string, string", tag = "12")]
        pub(in crate::runtimes) labels: HashMap<String, String>,
        #[prost(map = "string, string", tag = "13")]
        pub(in crate::runtimes) annotations: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct PodSandboxStatusRequest {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) pod_sandbox_id: String,
        #[prost(bool, tag = "2")]
        pub(in crate::runtimes) verbose: bool,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct PodSandboxStatusResponse {
        #[prost(message, optional, tag = "1")]
        pub(in crate::runtimes) status: Option<PodSandboxStatus>,
        #[prost(map = "string, string", tag = "2")]
        pub(in crate::runtimes) info: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct PodSandboxStatus {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) id: String,
        #[prost(message, optional, tag = "2")]
        pub(in crate::runtimes) metadata: Option<PodSandboxMetadata>,
        #[prost(map = "string, string", tag = "7")]
        pub(in crate::runtimes) labels: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct PodSandboxMetadata {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) name: String,
        #[prost(string, tag = "2")]
        pub(in crate::runtimes) uid: String,
        #[prost(string, tag = "3")]
        pub(in crate::runtimes) namespace: String,
        #[prost(uint32, tag = "4")]
        pub(in crate::runtimes) attempt: u32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::runtimes) struct ContainerEvent {
        #[prost(string, tag = "1")]
        pub(in crate::runtimes) container_id: String,
        /// 0 created, 1 started, 2 stopped, 3 deleted.
        #[prost(int32, tag = "2")]
        pub(in crate::runtimes) kind: i32,
        /// Nanoseconds since the epoch.
        #[prost(int64, tag = "3")]
        pub(in crate::runtimes) created_at: i64,
        #[prost(message, repeated, tag = "5")]
        pub(in crate::runtimes) statuses: Vec<ContainerStatus>,
    }
}
