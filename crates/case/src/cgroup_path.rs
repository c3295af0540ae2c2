//! From the path of a memory cgroup to what it belongs to: QoS class, pod, container, unit, session.
//!
//! A path is walked once, component by component; what a component means stands in the table of
//! [`forms`]. Text in, facts out: nothing here opens a cgroup, and a path that fits no form is not an error.

mod forms;
mod walk;

use smol_str::SmolStr;

use crate::fact::Process;
use crate::incident::QosClass;
use walk::Walk;

/// Which kind of cgroup a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// The root cgroup.
    Root,
    /// A cgroup of no known kind.
    #[default]
    Other,
    /// A systemd slice, or a directory that holds the cgroups of a runtime (`/docker`, `/ecs`).
    Slice,
    /// A systemd service, or a scope that is no session and no container.
    Service,
    /// A login session or a user's own service manager and what runs under it.
    UserSession,
    /// The parent of all pods of a node.
    Kubepods,
    /// The parent of all Burstable or all BestEffort pods.
    QosTier,
    /// A Kubernetes pod, or a podman pod.
    Pod,
    /// A group of containers or processes of another scheduler: ECS task, Slurm job.
    Task,
    /// A container, or a cgroup made inside of one.
    Container,
    /// The runtime's monitor process of a container (conmon), beside the container.
    Monitor,
}

/// What a cgroup path tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CgroupOwner {
    /// What the path itself is.
    pub level: Level,
    /// QoS class, for kubepods paths at tier level or below.
    pub qos_class: Option<QosClass>,
    /// Pod uid with dashes; a static pod's is the 32 hex digits of its manifest's hash.
    pub pod_uid: Option<SmolStr>,
    /// Container id, or as much of it as the path holds.
    pub container_id: Option<SmolStr>,
    /// Container name, for runtimes that name their cgroups by it (LXC, systemd-nspawn, ECS on Fargate).
    pub container_name: Option<SmolStr>,
    /// `docker`, `containerd`, `cri-o`, `podman`, `lxc` ...; none when the path does not tell.
    pub runtime: Option<&'static str>,
    /// The path goes on below the container: a cgroup that the container made for itself.
    pub below_container: bool,
    /// The container that this Kubernetes node or Docker daemon itself runs in (kind, k3d, docker-in-docker).
    pub outer_container_id: Option<SmolStr>,
    /// Name of the scheduler's own unit: ECS task, Slurm job, Nomad allocation.
    pub task_name: Option<SmolStr>,
    /// The innermost systemd unit outside of any container, escapes undone.
    pub unit: Option<SmolStr>,
    /// User id of a session.
    pub session_uid: Option<u32>,
    /// The path lies below a kubepods cgroup (or is one).
    pub kubernetes: bool,
    /// Bytes of the path that name the container's own cgroup.
    container_end: Option<usize>,
    /// Bytes of the path that name the pod's cgroup.
    pod_end: Option<usize>,
}

impl CgroupOwner {
    /// Reads a path as the kernel prints it (`/kubepods/burstable/pod.../...`). Never fails.
    ///
    /// ```
    /// use whodunit_case::cgroup_path::{CgroupOwner, Level};
    /// let owner = CgroupOwner::of("/kubepods.slice/kubepods-pod8d1b8f6c_2b1c_4a6e_9a53_0a2a0c5ee9a1.slice");
    /// assert_eq!(owner.level, Level::Pod);
    /// assert_eq!(owner.pod_uid.as_deref(), Some("8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1"));
    /// ```
    pub fn of(path: &str) -> Self {
        let mut walk = Walk::default();
        let mut start = 0;
        for component in path.split('/') {
            let end = start + component.len();
            // `..` comes from a path seen out of another cgroup namespace.
            if !component.is_empty() && component != "." && component != ".." {
                walk.step(component, end);
            }
            start = end + 1;
        }
        walk.finish()
    }

    /// Of the cgroup that a process is in; nobody's where that was not seen.
    pub(crate) fn of_process(process: &Process) -> Self {
        process.cgroups.path().map(Self::of).unwrap_or_default()
    }

    /// The part of `path` that is the container's own cgroup; `path` is the one this was read from.
    pub fn container_path<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.get(..self.container_end?)
    }

    /// The part of `path` that is the pod's cgroup; `path` is the one this was read from.
    pub fn pod_path<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.get(..self.pod_end?)
    }

    /// The level in words for a person: `container`, `pod`, `Burstable tier`, `kubepods`, `system.slice` ...
    pub fn level_in_words(&self) -> String {
        match self.level {
            Level::Root => "root".into(),
            Level::Other => "cgroup".into(),
            Level::Slice | Level::Service => match &self.unit {
                Some(unit) => unit.to_string(),
                None => "slice".into(),
            },
            Level::UserSession => self.session_in_words(),
            Level::Kubepods => "kubepods".into(),
            Level::QosTier => match self.qos_class {
                Some(class) => format!("{class:?} tier"),
                None => "QoS tier".into(),
            },
            Level::Pod => "pod".into(),
            Level::Task => match &self.task_name {
                Some(name) => format!("task {name}"),
                None => "task".into(),
            },
            Level::Container if self.below_container => "cgroup inside the container".into(),
            Level::Container => "container".into(),
            Level::Monitor => "container monitor".into(),
        }
    }

    /// Whose service manager runs the unit, where it is not the machine's own.
    pub fn manager_uid(&self) -> Option<u32> {
        let unit = self.unit.as_deref()?;
        let of_machine =
            unit.starts_with("session-") || unit.starts_with("user@") || unit.ends_with(".slice");
        self.session_uid.filter(|_| !of_machine)
    }

    /// A login session, all that a user runs, or a unit of the user's own service manager.
    fn session_in_words(&self) -> String {
        let Some(uid) = self.session_uid else {
            return "user session".into();
        };
        let unit = self.unit.as_deref().unwrap_or_default();
        let session = unit
            .strip_prefix("session-")
            .and_then(|rest| rest.strip_suffix(".scope"));
        match session {
            Some(number) => format!("session {number} of user {uid}"),
            None if unit.ends_with(".slice") => format!("the slice of user {uid}"),
            None if unit.starts_with("user@") => format!("the service manager of user {uid}"),
            None if !unit.is_empty() => format!("{unit} of user {uid}"),
            None => format!("session of user {uid}"),
        }
    }

    /// Whom the cgroup belongs to when it is no Kubernetes pod, in words.
    pub fn owner_in_words(&self) -> Option<String> {
        if self.pod_uid.is_some() && self.kubernetes {
            return None;
        }
        let container = self.container_id.as_ref().or(self.container_name.as_ref());
        if let Some(id) = container {
            let runtime = self
                .runtime
                .map(|name| format!("{name} "))
                .unwrap_or_default();
            let id = short_id(id);
            return Some(match &self.task_name {
                Some(task) => format!("{runtime}container {id} of task {task}"),
                None => format!("{runtime}container {id}"),
            });
        }
        match self.level {
            Level::Slice => Some(format!("slice {}", self.unit.as_deref()?)),
            Level::Service => Some(format!("systemd unit {}", self.unit.as_deref()?)),
            Level::UserSession | Level::Task | Level::Kubepods | Level::QosTier => {
                Some(self.level_in_words())
            }
            Level::Monitor => Some("a container's monitor process".into()),
            Level::Root => Some("the root cgroup: no container and no unit".into()),
            Level::Pod => Some(format!("{} pod", self.runtime.unwrap_or("unknown"))),
            Level::Other | Level::Container => None,
        }
    }
}

/// The first 12 characters of an id, as container tools print it; names that are no ids stay whole.
pub fn short_id(id: &str) -> &str {
    match id.get(..12) {
        Some(short) if id.len() >= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => short,
        _ => id,
    }
}

/// Whether `path` is `ancestor` or lies below it.
pub fn is_same_or_below(path: &str, ancestor: &str) -> bool {
    let ancestor = ancestor.trim_end_matches('/');
    match path.strip_prefix(ancestor) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests;
