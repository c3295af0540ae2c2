//! What a kernel log cannot show, with the command that would. Nothing hostile gets into a command unquoted.

use oom_report::report::Provenance;

use crate::cgroup_path::Level;
use crate::incident::NotLookedAt;
use crate::scene::Scene;
use crate::shell;

/// What live evidence may make needless.
pub(crate) const WRITER: &str = "who wrote these lines";
pub(crate) const POD: &str = "the pod's name, limits and restarts";
pub(crate) const CONTAINER: &str = "the container's name, image and exit";

pub(super) fn not_looked_at(scene: &Scene<'_>) -> Vec<NotLookedAt> {
    let mut list = Vec::new();
    let mut add = |what: &str, why: &str, how_to: String| {
        list.push(NotLookedAt {
            what: what.into(),
            why: why.into(),
            how_to,
        });
    };
    if scene.report.provenance == Provenance::Unverified {
        add(
            WRITER,
            "This form of log carries no sign of it: any process that can write to the log can write such lines.",
            "journalctl -k -o export | whodunit explain -".into(),
        );
    }
    let owner = match scene.victim_path {
        Some(_) => &scene.victim_owner,
        None => &scene.limit_owner,
    };
    if owner.kubernetes
        && let Some(uid) = owner.pod_uid.as_deref().and_then(shell::plain)
    {
        let field = if uid.len() == 32 {
            r#".metadata.annotations["kubernetes.io/config.hash"]"#
        } else {
            ".metadata.uid"
        };
        add(
            POD,
            "The kernel knows only the pod's uid.",
            format!(
                "kubectl get pods -A -o json | jq -r '.items[] | select({field} == \"{uid}\") | .metadata.namespace + \"/\" + .metadata.name'"
            ),
        );
    }
    if let Some(id) = owner.container_id.as_deref().and_then(shell::plain) {
        let command = match owner.runtime {
            Some("docker") => format!("docker inspect {id}"),
            Some("podman") => format!("podman inspect {id}"),
            Some("containerd") if !owner.kubernetes => {
                format!("ctr -n default containers info {id}")
            }
            Some(_) if owner.kubernetes => format!("crictl inspect {id}"),
            None if owner.kubernetes => format!("crictl inspect {id} || docker inspect {id}"),
            _ => String::new(),
        };
        if !command.is_empty() {
            add(
                CONTAINER,
                "The kernel knows only the container's cgroup.",
                command,
            );
        }
    }
    let in_this_tree = scene.limit_owner.outer_container_id.is_none();
    if let Some(path) = scene.limit_path.filter(|_| in_this_tree)
        && let Some(tree) = shell::quoted(&format!("/sys/fs/cgroup{path}"))
        && let Some(v1) = shell::quoted(&format!("/sys/fs/cgroup/memory{path}"))
    {
        let v2_files = "cat memory.events memory.current";
        let v1_files = "cat memory.failcnt memory.usage_in_bytes";
        add(
            "how often this limit was hit before, and what is used now",
            "Only this report was read; the cgroup may be gone by now.",
            match scene.is_cgroup_v1() {
                Some(true) => format!("cd {v1} && {v1_files}"),
                Some(false) => format!("cd {tree} && {v2_files}"),
                None => format!("cd {tree} && {v2_files} || cd {v1} && {v1_files}"),
            },
        );
    }
    if let (Level::Service, Some(unit)) =
        (owner.level, owner.unit.as_deref().and_then(shell::quoted))
    {
        add(
            "how systemd saw the unit end",
            "The kernel knows only the unit's cgroup.",
            format!("systemctl status {unit}; journalctl -u {unit}"),
        );
    }
    if owner.kubernetes {
        add(
            "what the kubelet made of it",
            "Evictions, probe failures and restarts are in the kubelet's log and the pod's status.",
            "journalctl -u kubelet --since '-1 hour'; kubectl get events -A --sort-by=.lastTimestamp".into(),
        );
    }
    list
}
