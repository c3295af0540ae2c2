//! The names that runtimes and systemd give to cgroups, as data. Which directory they stand in does not matter here.

/// One form of a path component: prefix, something, suffix.
pub(super) struct Form {
    /// The component begins with it.
    pub(super) prefix: &'static str,
    /// The component ends with it.
    pub(super) suffix: &'static str,
    /// What stands between.
    pub(super) id: Id,
    /// What such a cgroup is.
    pub(super) means: Means,
}

/// What a component holds between prefix and suffix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// Hex digits of a container id.
    Hex,
    /// Any name.
    Name,
}

/// What a component stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// A container with an id, of this runtime.
    Container(&'static str),
    /// A container with a name, of this runtime.
    NamedContainer(&'static str),
    /// The monitor process of a container.
    Monitor,
    /// A pod of podman.
    PodmanPod,
    /// A task of Amazon ECS.
    EcsTask,
    /// A job or step of Slurm.
    SlurmJob,
    /// A virtual machine of libvirt.
    VirtualMachine,
    /// A login session.
    Session,
    /// A user's slice or service manager; the name is the user id.
    UserOf,
}

const fn hex(prefix: &'static str, suffix: &'static str, means: Means) -> Form {
    Form {
        prefix,
        suffix,
        id: Id::Hex,
        means,
    }
}

const fn name(prefix: &'static str, suffix: &'static str, means: Means) -> Form {
    Form {
        prefix,
        suffix,
        id: Id::Name,
        means,
    }
}

/// Longer prefixes stand before the shorter ones that they begin with.
pub(super) const FORMS: &[Form] = &[
    // containerd's CRI plugin with the systemd driver; nerdctl; kata's sandbox cgroup.
    hex("cri-containerd-", ".scope", Means::Container("containerd")),
    hex("nerdctl-", ".scope", Means::Container("containerd")),
    hex("kata_", "", Means::Container("kata")),
    // CRI-O, both drivers.
    hex("crio-conmon-", ".scope", Means::Monitor),
    hex("crio-", ".scope", Means::Container("cri-o")),
    // Docker with the systemd driver (cri-dockerd too).
    hex("docker-", ".scope", Means::Container("docker")),
    // podman, both drivers.
    hex("libpod-conmon-", ".scope", Means::Monitor),
    hex("libpod-", ".scope", Means::Container("podman")),
    hex("machine-libpod_pod_", ".slice", Means::PodmanPod),
    hex("user-libpod_pod_", ".slice", Means::PodmanPod),
    hex("libpod_pod_", ".slice", Means::PodmanPod),
    // LXC 4 and later, LXD, Incus: `lxc.payload.<name>` beside `lxc.monitor.<name>`.
    name("lxc.payload.", "", Means::NamedContainer("lxc")),
    name("lxc.monitor.", "", Means::Monitor),
    // systemd-nspawn, machined.
    name(
        "systemd-nspawn@",
        ".service",
        Means::NamedContainer("systemd-nspawn"),
    ),
    name("machine-qemu", ".scope", Means::VirtualMachine),
    name(
        "machine-",
        ".scope",
        Means::NamedContainer("systemd-machined"),
    ),
    // Amazon ECS on cgroup v2 with systemd.
    name("ecstasks-", ".slice", Means::EcsTask),
    // Slurm: `job_<id>`, `step_<id>`.
    name("job_", "", Means::SlurmJob),
    // logind. The user's slice and service manager carry the user id.
    name("session-", ".scope", Means::Session),
    name("user@", ".service", Means::UserOf),
    name("user-", ".slice", Means::UserOf),
];
