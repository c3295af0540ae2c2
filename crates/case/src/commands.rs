//! Commands and words that depend on whom a process belongs to: Kubernetes, a container runtime, systemd, or nobody.
//!
//! Chosen by the cgroup path alone. Ids and units of the path are quoted for the shell, or left to the reader.

use crate::cgroup_path::{CgroupOwner, Level};
use crate::shell;

/// Who starts, stops and restarts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The kubelet.
    Kubernetes,
    /// A container runtime that has a command line of its own by this name.
    Runtime(&'static str),
    /// A container of something else.
    Container,
    /// systemd, as a service or a scope.
    Systemd,
    /// Nobody that the path names.
    Unknown,
}

/// Who keeps what the path names.
pub(crate) fn keeper(owner: &CgroupOwner) -> Keeper {
    match owner.runtime {
        _ if owner.kubernetes => Keeper::Kubernetes,
        Some("docker") => Keeper::Runtime("docker"),
        Some("podman" | "libpod") => Keeper::Runtime("podman"),
        _ if owner.container_id.is_some() || owner.container_name.is_some() => Keeper::Container,
        _ if owner.level == Level::Service && owner.unit.is_some() => Keeper::Systemd,
        _ => Keeper::Unknown,
    }
}

fn container(owner: &CgroupOwner) -> &str {
    owner
        .container_id
        .as_deref()
        .or(owner.container_name.as_deref())
        .and_then(shell::plain)
        .unwrap_or("CONTAINER")
}

fn unit(owner: &CgroupOwner) -> String {
    owner
        .unit
        .as_deref()
        .and_then(shell::quoted)
        .unwrap_or_else(|| "UNIT".into())
}

/// What the program itself wrote before it ended.
pub(crate) fn logs(owner: &CgroupOwner) -> String {
    match keeper(owner) {
        Keeper::Kubernetes => "kubectl logs POD -c CONTAINER --previous".into(),
        Keeper::Runtime(runtime) => format!("{runtime} logs --tail 200 {}", container(owner)),
        Keeper::Systemd => format!("journalctl -u {} -n 200", unit(owner)),
        Keeper::Container | Keeper::Unknown => "journalctl --since '-10 min'".into(),
    }
}

/// How long it is given to end by itself, and what a longer time costs.
pub(crate) fn grace_period(owner: &CgroupOwner) -> (String, &'static str) {
    match keeper(owner) {
        Keeper::Kubernetes => (
            "kubectl explain pod.spec.terminationGracePeriodSeconds".into(),
            "A longer terminationGracePeriodSeconds makes rollouts and node drains slower.",
        ),
        Keeper::Runtime(runtime) => (
            format!("{runtime} stop --time SECONDS {}", container(owner)),
            "A longer time to stop makes every restart slower that meets a program that hangs.",
        ),
        Keeper::Systemd => (
            format!("systemctl show {} -p TimeoutStopUSec", unit(owner)),
            "A longer TimeoutStopSec= makes every stop and shutdown slower that meets a program that hangs.",
        ),
        Keeper::Container | Keeper::Unknown => (
            "timeout --kill-after=SECONDS --signal=TERM SECONDS PROGRAM".into(),
            "A longer time to stop makes every stop slower that meets a program that hangs.",
        ),
    }
}

/// How large its tmpfs mounts are, how to bound them, and what to know of it.
pub(crate) fn tmpfs(owner: &CgroupOwner) -> (&'static str, Vec<String>) {
    match keeper(owner) {
        // KEP-1967, SizeMemoryBackedVolumes: stable in Kubernetes 1.32, on by default since 1.22.
        Keeper::Kubernetes => (
            "An emptyDir with medium: Memory counts against the memory limit of the container that writes to it. Set sizeLimit \
             (since Kubernetes 1.22 it also sizes the mount) below the memory limit, or drop medium: Memory.",
            vec![
                "kubectl exec -n NAMESPACE POD -c CONTAINER -- df -h -t tmpfs".into(),
                "kubectl explain pod.spec.volumes.emptyDir.sizeLimit".into(),
            ],
        ),
        Keeper::Runtime(runtime) => (
            "Files on a tmpfs (/dev/shm, mounts with --tmpfs) count against the container's memory limit. Bound them with size= \
             and --shm-size when the container is started, or use a volume on disk.",
            vec![
                format!("{runtime} exec {} df -h -t tmpfs", container(owner)),
                format!("{runtime} run --tmpfs /tmp:size=64m --shm-size=64m ..."),
            ],
        ),
        Keeper::Systemd => (
            "Files on a tmpfs (/tmp, /run, /dev/shm) count against the unit that writes them. Remove what is not needed, mount \
             the tmpfs with size=, or give the unit a directory on disk.",
            vec![
                "df -h -t tmpfs".into(),
                format!(
                    "systemctl show {} -p PrivateTmp -p TemporaryFileSystem",
                    unit(owner)
                ),
            ],
        ),
        Keeper::Container | Keeper::Unknown => (
            "Files on a tmpfs (/tmp, /run, /dev/shm) count as memory of whoever writes them. Remove what is not needed, mount \
             the tmpfs with size=, or use a directory on disk.",
            vec![
                "df -h -t tmpfs".into(),
                "sudo mount -o remount,size=SIZE MOUNTPOINT".into(),
            ],
        ),
    }
}

/// Where memory.high is set for it.
pub(crate) fn memory_high(owner: &CgroupOwner) -> &'static str {
    match keeper(owner) {
        // KEP-2570, MemoryQoS: alpha since 1.22 (cgroup v2 only).
        Keeper::Kubernetes => "In Kubernetes: the alpha feature gate MemoryQoS.",
        Keeper::Systemd | Keeper::Unknown => "systemd: MemoryHigh=.",
        Keeper::Runtime(_) | Keeper::Container => {
            "Container runtimes have no option for it: it is written to the container's cgroup, each time it starts."
        }
    }
}

/// Who sets oom_score_adj for it, and the way to a lower one.
pub(crate) fn oom_score_adj(owner: &CgroupOwner) -> &'static str {
    match keeper(owner) {
        Keeper::Kubernetes => {
            "Kubernetes sets it from the QoS class and the memory request: the way to a lower value is a memory request near \
             the real use, or Guaranteed QoS. Browsers and some databases set it for their own children."
        }
        Keeper::Runtime(_) | Keeper::Container => {
            "A container's comes from --oom-score-adj when it is started; browsers and some databases set it for their own \
             children."
        }
        Keeper::Systemd | Keeper::Unknown => {
            "systemd sets it from OOMScoreAdjust= (user sessions and desktop programs get 100 or 200); browsers and some \
             databases set it for their own children."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01";

    #[test]
    fn commands_are_those_of_the_keeper() {
        for (path, words) in [
            (
                "/kubepods/burstable/pod8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1/".to_owned() + ID,
                ["kubectl logs", "kubectl explain", "kubectl exec"],
            ),
            (
                format!("/docker/{ID}"),
                ["docker logs", "docker stop", "docker exec"],
            ),
            (
                format!("/machine.slice/libpod-{ID}.scope"),
                ["podman logs", "podman stop", "podman exec"],
            ),
            (
                "/system.slice/a'b.service".to_owned(),
                [r"journalctl -u 'a'\''b.service'", "systemctl show", "df -h"],
            ),
            ("/lxc/101".to_owned(), ["journalctl", "timeout", "df -h"]),
            ("/".to_owned(), ["journalctl", "timeout", "df -h"]),
        ] {
            let owner = CgroupOwner::of(&path);
            let commands = [
                logs(&owner),
                grace_period(&owner).0,
                tmpfs(&owner).1.swap_remove(0),
            ];
            for (command, word) in commands.iter().zip(words) {
                assert!(command.starts_with(word), "{path}: {command}");
            }
            let text = [
                tmpfs(&owner).0,
                grace_period(&owner).1,
                memory_high(&owner),
                oom_score_adj(&owner),
            ]
            .concat();
            let all = format!("{text}{commands:?}{:?}", tmpfs(&owner).1).to_lowercase();
            let of_kubernetes = ["kube", "terminationgrace", "emptydir"];
            assert_eq!(
                of_kubernetes.iter().any(|word| all.contains(word)),
                owner.kubernetes,
                "{path}: {all}"
            );
        }
    }
}
