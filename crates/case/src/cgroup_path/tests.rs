//! The table of path forms, walked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

const A: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const B: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const UID: &str = "8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1";
const HASH: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// Path (with `{a}`, `{b}` for container ids, `{uid}`, `{u_id}`, `{hash}`), level, QoS, pod, container, runtime, outer.
type Row = (
    &'static str,
    Level,
    Option<QosClass>,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
);

use Level::*;
use QosClass::*;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("/", Root, None, None, None, None, None),
    // Kubernetes, cgroupfs.
    ("/kubepods", Kubepods, None, None, None, None, None),
    ("/kubepods/burstable", QosTier, Some(Burstable), None, None, None, None),
    ("/kubepods/besteffort", QosTier, Some(BestEffort), None, None, None, None),
    ("/kubepods/pod{uid}", Pod, Some(Guaranteed), Some(UID), None, None, None),
    ("/kubepods/pod{uid}/{a}", Container, Some(Guaranteed), Some(UID), Some(A), None, None),
    ("/kubepods/burstable/pod{uid}", Pod, Some(Burstable), Some(UID), None, None, None),
    ("/kubepods/burstable/pod{uid}/{a}", Container, Some(Burstable), Some(UID), Some(A), None, None),
    ("/kubepods/burstable/pod{hash}/{a}", Container, Some(Burstable), Some(HASH), Some(A), None, None),
    ("/kubepods/besteffort/pod{uid}/crio-{a}", Container, Some(BestEffort), Some(UID), Some(A), Some("cri-o"), None),
    ("/kubepods/burstable/pod{uid}/{a}/init.scope", Container, Some(Burstable), Some(UID), Some(A), None, None),
    ("/kubepods/burstable/pod{uid}/kata_{a}", Container, Some(Burstable), Some(UID), Some(A), Some("kata"), None),
    // Kubernetes, systemd.
    ("/kubepods.slice", Kubepods, None, None, None, None, None),
    ("/kubepods.slice/kubepods-burstable.slice", QosTier, Some(Burstable), None, None, None, None),
    ("/kubepods.slice/kubepods-pod{u_id}.slice", Pod, Some(Guaranteed), Some(UID), None, None, None),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{u_id}.slice/cri-containerd-{a}.scope", Container, Some(Burstable), Some(UID), Some(A), Some("containerd"), None),
    ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{hash}.slice/crio-{a}.scope", Container, Some(BestEffort), Some(HASH), Some(A), Some("cri-o"), None),
    ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{u_id}.slice/crio-{a}.scope/container", Container, Some(BestEffort), Some(UID), Some(A), Some("cri-o"), None),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{u_id}.slice/crio-conmon-{a}.scope", Monitor, Some(Burstable), Some(UID), Some(A), None, None),
    ("/kubepods.slice/kubepods-pod{u_id}.slice/docker-{a}.scope", Container, Some(Guaranteed), Some(UID), Some(A), Some("docker"), None),
    ("/system.slice/containerd.service/kubepods-burstable-pod{u_id}.slice:cri-containerd:{a}", Container, Some(Burstable), Some(UID), Some(A), Some("containerd"), None),
    // The id cut by the terminal's width.
    ("/kubepods.slice/kubepods-pod{u_id}.slice/cri-containerd-0123456789abcdef", Container, Some(Guaranteed), Some(UID), Some("0123456789abcdef"), Some("containerd"), None),
    // Kubernetes inside of containers.
    ("/docker/{b}/kubelet/kubepods/burstable/pod{uid}/{a}", Container, Some(Burstable), Some(UID), Some(A), None, Some(B)),
    ("/docker/{b}/kubepods/besteffort/pod{uid}", Pod, Some(BestEffort), Some(UID), None, None, Some(B)),
    ("/docker/{b}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{u_id}.slice/cri-containerd-{a}.scope", Container, Some(Burstable), Some(UID), Some(A), Some("containerd"), Some(B)),
    ("/system.slice/docker-{b}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{u_id}.slice/cri-containerd-{a}.scope", Container, Some(Guaranteed), Some(UID), Some(A), Some("containerd"), Some(B)),
    ("/../kubelet/kubepods/pod{uid}/{a}", Container, Some(Guaranteed), Some(UID), Some(A), None, None),
    ("/docker/{b}/docker/{a}", Container, None, None, Some(A), Some("docker"), Some(B)),
    ("/system.slice/docker-{b}.scope/system.slice/docker-{a}.scope", Container, None, None, Some(A), Some("docker"), Some(B)),
    // Inside of a pod's container all is that container's, whatever it calls its cgroups.
    ("/kubepods/burstable/pod{uid}/{b}/docker/{a}", Container, Some(Burstable), Some(UID), Some(B), None, None),
    ("/kubepods/burstable/pod{uid}/{a}/kubepods/besteffort/pod{hash}/{b}", Container, Some(Burstable), Some(UID), Some(A), None, None),
    ("/kubepods.slice/kubepods-pod{u_id}.slice/cri-containerd-{a}.scope/kubepods.slice/kubepods-pod{hash}.slice/crio-{b}.scope", Container, Some(Guaranteed), Some(UID), Some(A), Some("containerd"), None),
    ("/lxc.payload.node1/kubepods.slice/kubepods-pod{u_id}.slice/cri-containerd-{a}.scope", Container, Some(Guaranteed), Some(UID), Some(A), Some("containerd"), Some("node1")),
    // Docker, containerd, podman alone.
    ("/docker", Slice, None, None, None, None, None),
    ("/docker/{a}", Container, None, None, Some(A), Some("docker"), None),
    ("/docker/{a}/system.slice/nginx.service", Container, None, None, Some(A), Some("docker"), None),
    ("/system.slice/docker-{a}.scope", Container, None, None, Some(A), Some("docker"), None),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{a}.scope", Container, None, None, Some(A), Some("docker"), None),
    ("/actions_job/{a}", Container, None, None, Some(A), Some("docker"), None),
    ("/lxc/{a}", Container, None, None, Some(A), Some("docker"), None),
    ("/docker/buildkit/k9x2mb1v0qz7w5n3r8t6y4u2i", Container, None, None, Some("k9x2mb1v0qz7w5n3r8t6y4u2i"), Some("buildkit"), None),
    ("/k8s.io/{a}", Container, None, None, Some(A), Some("containerd"), None),
    ("/default/demo", Container, None, None, Some("demo"), Some("containerd"), None),
    ("/system.slice/nerdctl-{a}.scope", Container, None, None, Some(A), Some("containerd"), None),
    ("/machine.slice/libpod-{a}.scope", Container, None, None, Some(A), Some("podman"), None),
    ("/machine.slice/libpod-{a}.scope/container", Container, None, None, Some(A), Some("podman"), None),
    ("/machine.slice/libpod-conmon-{a}.scope", Monitor, None, None, Some(A), None, None),
    ("/machine.slice/machine-libpod_pod_{b}.slice/libpod-{a}.scope", Container, None, Some(B), Some(A), Some("podman"), None),
    ("/machine.slice/machine-libpod_pod_{b}.slice", Pod, None, Some(B), None, Some("podman"), None),
    ("/libpod_parent/libpod-{a}", Container, None, None, Some(A), Some("podman"), None),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{a}.scope", Container, None, None, Some(A), Some("podman"), None),
    ("/{a}", Container, None, None, Some(A), None, None),
    // Other schedulers.
    ("/ecs/{hash}/{a}", Container, None, None, Some(A), Some("docker"), None),
    ("/ecs/{hash}", Task, None, None, None, None, None),
    ("/ecs/prod-cluster/{hash}/{a}", Container, None, None, Some(A), Some("docker"), None),
    ("/ecs/{uid}/{a}", Container, None, None, Some(A), Some("docker"), None),
    ("/ecstasks.slice/ecstasks-{hash}.slice/docker-{a}.scope", Container, None, None, Some(A), Some("docker"), None),
    ("/hadoop-yarn/container_e17_1410901177871_0001_01_000005", Container, None, None, Some("container_e17_1410901177871_0001_01_000005"), Some("yarn"), None),
    ("/mesos/{uid}", Container, None, None, Some(UID), Some("mesos"), None),
    ("/slurm/uid_1000/job_42/step_0/task_0", Task, None, None, None, None, None),
    ("/system.slice/slurmstepd.scope/job_42/step_0/user/task_0", Task, None, None, None, None, None),
    // systemd.
    ("/system.slice", Slice, None, None, None, None, None),
    ("/system.slice/nginx.service", Service, None, None, None, None, None),
    ("/system.slice/system-getty.slice/getty@tty1.service", Service, None, None, None, None, None),
    ("/init.scope", Service, None, None, None, None, None),
    ("/user.slice", Slice, None, None, None, None, None),
    ("/user.slice/user-1000.slice", UserSession, None, None, None, None, None),
    ("/user.slice/user-1000.slice/session-3.scope", UserSession, None, None, None, None, None),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox.scope", UserSession, None, None, None, None, None),
    ("/machine.slice/machine-qemu\\x2d1\\x2ddb.scope", Service, None, None, None, None, None),
    ("/limits/small", Other, None, None, None, None, None),
    // Names that only look like the others.
    ("/notkubepods", Other, None, None, None, None, None),
    ("/docker/short", Other, None, None, None, None, None),
    ("/system.slice/docker-notanid.scope", Service, None, None, None, None, None),

];

fn fill(template: &str) -> String {
    template
        .replace("{a}", A)
        .replace("{b}", B)
        .replace("{uid}", UID)
        .replace("{u_id}", &UID.replace('-', "_"))
        .replace("{hash}", HASH)
}

#[test]
fn every_form_of_the_table_is_read() {
    for (template, level, qos, pod, container, runtime, outer) in ROWS {
        let path = fill(template);
        let owner = CgroupOwner::of(&path);
        let got = (
            owner.level,
            owner.qos_class,
            owner.pod_uid.as_deref(),
            owner.container_id.as_deref(),
            owner.runtime,
            owner.outer_container_id.as_deref(),
        );
        let want = (*level, *qos, *pod, *container, *runtime, *outer);
        assert_eq!(got, want, "{path}");
    }
}

#[test]
fn named_containers_tell_their_names() {
    for (path, name, runtime) in [
        ("/lxc/web", "web", "lxc"),
        ("/lxc.payload.web", "web", "lxc"),
        ("/lxc.payload/web/system.slice/nginx.service", "web", "lxc"),
        (
            "/machine.slice/systemd-nspawn@web.service/payload",
            "web",
            "systemd-nspawn",
        ),
        (
            "/machine.slice/machine-my\\x2dbox.scope",
            "my-box",
            "systemd-machined",
        ),
        (
            "/garden/6f9d1f4e-1c2b-4a5d-8e7f-0a1b",
            "6f9d1f4e-1c2b-4a5d-8e7f-0a1b",
            "garden",
        ),
        ("/garden/good/handle", "handle", "garden"),
        (
            "/nomad.slice/share.slice/8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1.redis.scope",
            "redis",
            "nomad",
        ),
        (
            "/ecs/0a1b2c3d4e5f60718293a4b5c6d7e8f9/0a1b2c3d4e5f60718293a4b5c6d7e8f9-2",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9-2",
            "containerd",
        ),
    ] {
        let owner = CgroupOwner::of(path);
        assert_eq!(owner.level, Container, "{path}");
        assert_eq!(owner.container_name.as_deref(), Some(name), "{path}");
        assert_eq!(owner.runtime, Some(runtime), "{path}");
    }
}

#[test]
fn a_cgroup_below_a_container_is_inside_it() {
    let path = fill("/kubepods/burstable/pod{uid}/{a}/workers/1");
    let owner = CgroupOwner::of(&path);
    assert!(owner.below_container);
    assert_eq!(
        owner.container_path(&path),
        Some(fill("/kubepods/burstable/pod{uid}/{a}").as_str())
    );
    assert_eq!(
        owner.pod_path(&path),
        Some(fill("/kubepods/burstable/pod{uid}").as_str())
    );
}

#[test]
fn owners_are_told_in_words() {
    for (path, words) in [
        ("/docker/{a}", Some("docker container 0123456789ab")),
        (
            "/system.slice/nginx.service",
            Some("systemd unit nginx.service"),
        ),
        (
            "/system.slice/dev-my\\x2ddisk.service",
            Some("systemd unit dev-my-disk.service"),
        ),
        (
            "/user.slice/user-1000.slice/session-3.scope",
            Some("session 3 of user 1000"),
        ),
        (
            "/user.slice/user-1000.slice",
            Some("the slice of user 1000"),
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service",
            Some("the service manager of user 1000"),
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/run-u640.service",
            Some("run-u640.service of user 1000"),
        ),
        (
            "/ecs/{hash}/{a}",
            Some("docker container 0123456789ab of task 0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
        ),
        ("/kubepods/pod{uid}/{a}", None),
    ] {
        assert_eq!(
            CgroupOwner::of(&fill(path)).owner_in_words().as_deref(),
            words,
            "{path}"
        );
    }
}

#[test]
fn ancestry_goes_by_whole_components() {
    assert!(is_same_or_below("/a/b", "/a"));
    assert!(is_same_or_below("/a", "/a"));
    assert!(is_same_or_below("/a", "/"));
    assert!(!is_same_or_below("/ab", "/a"));
    assert!(!is_same_or_below("/a", "/a/b"));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(path in "\\PC*") {
        let owner = CgroupOwner::of(&path);
        let _ = (owner.level_in_words(), owner.owner_in_words(), owner.container_path(&path), owner.pod_path(&path));
    }

    #[test]
    fn any_mixture_of_known_components_is_read(parts in proptest::collection::vec(
        prop::sample::select(vec![
            "kubepods", "kubepods.slice", "burstable", "docker", "ecs", "nomad.slice", "..", "lxc", "init.scope",
            "kubepods-burstable-pod8d1b8f6c_2b1c.slice", "poda", "a:b:c", "x.slice:crio:y", "user-1.slice", "job_1",
            "\\x2d\\xé", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "crio-0123456789abcdef",
        ]), 0..8)) {
        let path = format!("/{}", parts.join("/"));
        let owner = CgroupOwner::of(&path);
        // What is inside of a container never counts as the limit of something above it.
        if let Some(container) = owner.container_path(&path) {
            prop_assert!(is_same_or_below(&path, container));
        }
        if let (Some(pod), Some(container)) = (owner.pod_path(&path), owner.container_path(&path)) {
            prop_assert!(is_same_or_below(container, pod));
        }
    }
}
