//! Container runtimes: whose a container id is, and what the runtimes say happens to their containers. Facts: the CRI
//! and containerd's own API over gRPC, Docker's API (Podman's is the same) over HTTP, and the state files of all of
//! them where no socket answers. Only asks; never starts, stops or changes a container.
//!
//! All network code runs on one thread of its own behind [`Runtimes`].

mod cache;
mod containerd;
mod cri;
mod docker;
mod handle;
mod messages;
mod service;
mod spec;
mod state_files;

use std::path::PathBuf;

use crate::Root;

pub use handle::{Runtimes, Told};
pub use state_files::from_state_files;

/// What is spoken on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// containerd's API, and the CRI beside it for the pods.
    Containerd,
    /// The CRI alone: CRI-O.
    Cri,
    /// Docker's HTTP API.
    Docker,
}

/// A place where a runtime may answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// How to talk.
    pub protocol: Protocol,
    /// containerd, cri-o, docker, podman.
    pub runtime: &'static str,
    /// The socket.
    pub socket: PathBuf,
}

/// Where the runtimes of common distributions listen. In the order in which they are asked: those that know most of
/// their containers first (Docker's containers are known to its containerd as well, without their names).
const SOCKETS: [(Protocol, &str, &str); 8] = [
    (Protocol::Docker, "docker", "/run/docker.sock"),
    (Protocol::Docker, "podman", "/run/podman/podman.sock"),
    (Protocol::Cri, "cri-o", "/run/crio/crio.sock"),
    (
        Protocol::Containerd,
        "containerd",
        "/run/containerd/containerd.sock",
    ),
    (
        Protocol::Containerd,
        "containerd",
        "/run/k3s/containerd/containerd.sock",
    ),
    (
        Protocol::Containerd,
        "containerd",
        "/run/k0s/containerd.sock",
    ),
    (
        Protocol::Containerd,
        "containerd",
        "/var/snap/microk8s/common/run/containerd.sock",
    ),
    (
        Protocol::Containerd,
        "containerd",
        "/run/docker/containerd/containerd.sock",
    ),
];

/// The usual endpoints of the machine under `root`, there or not.
pub fn usual_endpoints(root: &Root) -> Vec<Endpoint> {
    SOCKETS
        .iter()
        .map(|(protocol, runtime, socket)| Endpoint {
            protocol: *protocol,
            runtime,
            socket: root.join(socket),
        })
        .collect()
}

/// Whether a text can be a container's id. Ids come out of cgroup paths, which anybody may name; here they become
/// part of paths and URLs.
fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
