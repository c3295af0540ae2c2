//! What labels, annotations and OCI specs tell of a container: text in, facts out.

use std::collections::BTreeMap;

use serde::Deserialize;
use whodunit_case::fact::ContainerFacts;

/// The parts of an OCI runtime spec (config.json) that tell whose a container is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    linux: Option<Linux>,
}

#[derive(Debug, Default, Deserialize)]
struct Linux {
    #[serde(default, rename = "cgroupsPath")]
    cgroups_path: Option<String>,
}

/// Annotations and labels by what they tell, the best source first: the kubelet's labels, those of containerd's CRI
/// plugin (pkg/cri/annotations), CRI-O's (pkg/annotations), Podman's.
const POD_NAME: [&str; 3] = [
    "io.kubernetes.pod.name",
    "io.kubernetes.cri.sandbox-name",
    "io.kubernetes.cri-o.KubeName",
];
const POD_NAMESPACE: [&str; 3] = [
    "io.kubernetes.pod.namespace",
    "io.kubernetes.cri.sandbox-namespace",
    "io.kubernetes.cri-o.Namespace",
];
const POD_UID: [&str; 2] = ["io.kubernetes.pod.uid", "io.kubernetes.cri.sandbox-uid"];
const NAME: [&str; 3] = [
    "io.kubernetes.container.name",
    "io.kubernetes.cri.container-name",
    "nerdctl/name",
];
const IMAGE: [&str; 3] = [
    "io.kubernetes.cri.image-name",
    "io.kubernetes.cri-o.ImageName",
    "io.kubernetes.cri-o.Image",
];
const RESTARTS: [&str; 2] = [
    "io.kubernetes.container.restartCount",
    "annotation.io.kubernetes.container.restartCount",
];
/// Where it is said that a container is a pod's pause container, and with which words.
const KIND: [&str; 4] = [
    "io.cri-containerd.kind",
    "io.kubernetes.cri.container-type",
    "io.kubernetes.cri-o.ContainerType",
    "io.kubernetes.docker.type",
];
const SANDBOX: [&str; 2] = ["sandbox", "podsandbox"];
/// The name that dockershim gave to it.
const SANDBOX_NAME: &str = "POD";

impl Spec {
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Adds what the spec tells and `facts` does not know yet.
    pub(super) fn add_to(&self, facts: &mut ContainerFacts) {
        if let Some(annotations) = &self.annotations {
            add_labels(facts, annotations);
            if annotations.get("io.container.manager").map(String::as_str) == Some("libpod") {
                facts.runtime = "podman".to_owned();
            } else if annotations
                .keys()
                .any(|key| key.starts_with("io.kubernetes.cri-o."))
            {
                facts.runtime = "cri-o".to_owned();
            }
        }
        let path = self
            .linux
            .as_ref()
            .and_then(|linux| linux.cgroups_path.as_deref());
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            facts.cgroup.get_or_insert_with(|| cgroup_of(path));
        }
    }
}

/// Adds what labels or annotations tell and `facts` does not know yet. They are not kept as labels.
pub(super) fn add_labels(facts: &mut ContainerFacts, labels: &BTreeMap<String, String>) {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| labels.get(*name))
            .filter(|value| !value.is_empty())
    };
    let add = |field: &mut Option<String>, names: &[&str]| {
        if field.is_none() {
            *field = first(names).cloned();
        }
    };
    add(&mut facts.pod_name, &POD_NAME);
    add(&mut facts.pod_namespace, &POD_NAMESPACE);
    add(&mut facts.pod_uid, &POD_UID);
    add(&mut facts.name, &NAME);
    add(&mut facts.image, &IMAGE);
    if facts.restart_count.is_none() {
        facts.restart_count = first(&RESTARTS).and_then(|count| count.parse().ok());
    }
    facts.is_sandbox |= first(&KIND).is_some_and(|kind| SANDBOX.contains(&kind.as_str()))
        || facts.name.as_deref() == Some(SANDBOX_NAME);
}

/// `linux.cgroupsPath` -> the path in the hierarchy. runc's systemd driver has `slice:prefix:name`, and names the
/// scope `prefix-name.scope`; a slice `a-b.slice` lies in `a.slice`.
fn cgroup_of(path: &str) -> String {
    let mut parts = path.split(':');
    let (Some(slice), Some(prefix), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
    };
    let slice = if slice.is_empty() {
        "system.slice"
    } else {
        slice
    };
    let mut full = String::new();
    if let Some(stem) = slice.strip_suffix(".slice").filter(|stem| *stem != "-") {
        for (at, _) in stem.match_indices('-') {
            if let Some(parent) = stem.get(..at) {
                full.push_str(&format!("/{parent}.slice"));
            }
        }
        full.push_str(&format!("/{slice}"));
    }
    if name.ends_with(".slice") {
        return format!("{full}/{name}");
    }
    if prefix.is_empty() {
        format!("{full}/{name}.scope")
    } else {
        format!("{full}/{prefix}-{name}.scope")
    }
}

#[cfg(test)]
mod tests {
    use super::cgroup_of;

    #[test]
    fn cgroup_paths_of_both_drivers() {
        for (spec, expected) in [
            (
                "/kubepods/burstable/pod1/abc",
                "/kubepods/burstable/pod1/abc",
            ),
            ("default/abc", "/default/abc"),
            (
                "kubepods-burstable-pod1_2.slice:cri-containerd:abc",
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-abc.scope",
            ),
            ("system.slice:docker:abc", "/system.slice/docker-abc.scope"),
            (":docker:abc", "/system.slice/docker-abc.scope"),
            ("-.slice:runc:abc", "/runc-abc.scope"),
        ] {
            assert_eq!(cgroup_of(spec), expected);
        }
    }
}
