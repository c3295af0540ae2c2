//! From the path of a memory cgroup to what it belongs to: QoS class, pod, container, unit, session.
//!
//! A path is walked once, component by component; what a component means stands in the table of
//! [`forms`]. Text in, facts out: nothing here opens a cgroup, and a path that fits no form is not an error.

mod forms;

use smol_str::{SmolStr, SmolStrBuilder};

use crate::incident::QosClass;
use forms::{FORMS, Form, Id, Means};

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
            Level::UserSession => match self.session_uid {
                Some(uid) => format!("session of user {uid}"),
                None => "user session".into(),
            },
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

/// What the components so far have told.
#[derive(Default)]
struct Walk {
    owner: CgroupOwner,
    /// Name of the component before, as it stands in the path.
    parent: SmolStr,
    /// The first component.
    first: SmolStr,
    depth: usize,
}

impl Walk {
    fn step(&mut self, component: &str, end: usize) {
        self.depth += 1;
        if self.depth == 1 {
            self.first = SmolStr::new(component);
        }
        let matched = self.slice_of_kubepods(component, end)
            || self.colon_form(component, end)
            || self.table(component, end)
            || self.by_parent(component, end);
        if !matched {
            self.plain(component);
        }
        self.parent = SmolStr::new(component);
    }

    fn finish(mut self) -> CgroupOwner {
        if self.depth == 0 {
            self.owner.level = Level::Root;
        }
        self.owner
    }

    /// Leaves what was found outside: a new kubepods or container begins inside of a container.
    fn enter_nested(&mut self) {
        if self.owner.level == Level::Container {
            let outer = self
                .owner
                .container_id
                .take()
                .or(self.owner.container_name.take());
            self.owner = CgroupOwner {
                outer_container_id: outer,
                ..CgroupOwner::default()
            };
        }
    }

    /// `kubepods`, `burstable`, `pod<uid>` and the slices `[prefix-]kubepods[-tier][-pod<uid>].slice`.
    /// Source: pkg/kubelet/cm/cgroup_manager_linux.go (CgroupName.ToSystemd, ToCgroupfs), pod_container_manager_linux.go.
    fn slice_of_kubepods(&mut self, component: &str, end: usize) -> bool {
        let name = component.strip_suffix(".slice");
        if component == "kubepods" {
            self.enter_nested();
            self.kubepods();
            return true;
        }
        if let Some(rest) = name.and_then(after_kubepods) {
            self.enter_nested();
            self.kubepods();
            return self.systemd_rest(rest, end);
        }
        if !self.owner.kubernetes || self.owner.level == Level::Container {
            return false;
        }
        match component {
            "burstable" => self.tier(QosClass::Burstable),
            "besteffort" => self.tier(QosClass::BestEffort),
            _ => match component.strip_prefix("pod").filter(|uid| is_pod_uid(uid)) {
                Some(uid) if self.owner.pod_uid.is_none() => self.pod(SmolStr::new(uid), end),
                _ => return false,
            },
        }
        true
    }

    fn systemd_rest(&mut self, rest: &str, end: usize) -> bool {
        let (class, rest) = match rest {
            "" => return true,
            _ => match rest.strip_prefix("-burstable") {
                Some(rest) => (Some(QosClass::Burstable), rest),
                None => match rest.strip_prefix("-besteffort") {
                    Some(rest) => (Some(QosClass::BestEffort), rest),
                    None => (None, rest),
                },
            },
        };
        if let Some(class) = class {
            self.tier(class);
        }
        match rest.strip_prefix("-pod").filter(|uid| is_pod_uid(uid)) {
            Some(uid) => {
                // A dash separates slices in systemd, so the kubelet writes the uid's dashes as underscores.
                let mut dashed = SmolStrBuilder::new();
                uid.chars()
                    .for_each(|c| dashed.push(if c == '_' { '-' } else { c }));
                self.pod(dashed.finish(), end);
                true
            }
            None => rest.is_empty(),
        }
    }

    /// `kubepods-burstable-pod<uid>.slice:cri-containerd:<id>`: a systemd cgroup path handed to a runtime that
    /// uses the cgroupfs driver, which takes it for one directory name.
    fn colon_form(&mut self, component: &str, end: usize) -> bool {
        let mut parts = component.split(':');
        let (Some(slice), Some(prefix), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        if !is_name(id) || !slice.ends_with(".slice") {
            return false;
        }
        let runtime = match prefix {
            "cri-containerd" | "containerd" | "nerdctl" => Some("containerd"),
            "crio" => Some("cri-o"),
            "docker" => Some("docker"),
            "libpod" => Some("podman"),
            _ => None,
        };
        self.enter_nested();
        if let Some(rest) = slice.strip_suffix(".slice").and_then(after_kubepods) {
            self.kubepods();
            self.systemd_rest(rest, end);
            // The pod has no directory of its own in this form.
            self.owner.pod_end = None;
        }
        self.container(Some(SmolStr::new(id)), None, runtime, end);
        true
    }

    fn table(&mut self, component: &str, end: usize) -> bool {
        for Form {
            prefix,
            suffix,
            id,
            means,
        } in FORMS
        {
            let Some(rest) = component.strip_prefix(prefix) else {
                continue;
            };
            // A line cut at the terminal's width loses the suffix; the id is then as long as it is.
            let middle = match rest.strip_suffix(suffix) {
                Some(middle) => middle,
                None if *id == Id::Hex => rest,
                None => continue,
            };
            let fits = match id {
                Id::Hex => is_container_id(middle),
                Id::Name => !middle.is_empty(),
            };
            if !fits {
                continue;
            }
            match means {
                Means::Container(runtime) => {
                    self.enter_nested();
                    self.container(Some(SmolStr::new(middle)), None, Some(runtime), end);
                }
                Means::NamedContainer(runtime) => {
                    self.enter_nested();
                    self.container(None, Some(unescape(middle)), Some(runtime), end);
                }
                Means::Monitor => {
                    self.enter_nested();
                    self.owner.level = Level::Monitor;
                    self.owner.container_id = Some(SmolStr::new(middle));
                }
                Means::PodmanPod => {
                    self.enter_nested();
                    self.owner.runtime = Some("podman");
                    self.pod(SmolStr::new(middle), end);
                    self.owner.qos_class = None;
                }
                Means::EcsTask => {
                    self.owner.level = Level::Task;
                    self.owner.task_name = Some(SmolStr::new(middle));
                }
                Means::SlurmJob => {
                    if self.owner.level == Level::Container {
                        continue;
                    }
                    self.owner.level = Level::Task;
                    self.owner.task_name = Some(SmolStr::new(component));
                }
                Means::VirtualMachine => {
                    self.owner.level = Level::Service;
                    self.owner.unit = Some(unescape(component));
                }
                Means::Session => {
                    if self.owner.level == Level::Container {
                        continue;
                    }
                    self.owner.level = Level::UserSession;
                    self.owner.unit = Some(SmolStr::new(component));
                }
                Means::UserOf => {
                    if self.owner.level == Level::Container {
                        continue;
                    }
                    self.owner.level = Level::UserSession;
                    self.owner.session_uid = middle.parse().ok();
                    self.owner.unit = Some(SmolStr::new(component));
                }
            }
            return true;
        }
        false
    }

    /// Forms that only the directory above makes plain.
    fn by_parent(&mut self, component: &str, end: usize) -> bool {
        let inside = self.owner.level == Level::Container;
        let id = || Some(SmolStr::new(component));
        match self.parent.as_str() {
            // The runtimes' own parents, at the top or inside of a node container.
            "docker" | "actions_job" if is_container_id(component) => {
                self.enter_nested();
                self.container(id(), None, Some("docker"), end);
            }
            "k8s.io" if is_name(component) => {
                self.enter_nested();
                self.container(id(), None, Some("containerd"), end);
            }
            "default" | "moby" if self.depth == 2 && is_name(component) => {
                let runtime = if self.parent == "moby" {
                    "docker"
                } else {
                    "containerd"
                };
                self.container(id(), None, Some(runtime), end);
            }
            "buildkit" if is_name(component) => {
                self.enter_nested();
                self.container(id(), None, Some("buildkit"), end);
            }
            "libpod_parent" if is_container_id(component) => {
                self.owner.runtime = Some("podman");
                self.pod(SmolStr::new(component), end);
                self.owner.qos_class = None;
            }
            "lxc" | "lxc.payload" if !inside || self.parent == "lxc" => {
                self.enter_nested();
                match is_container_id(component) && component.len() == 64 {
                    true => self.container(id(), None, Some("docker"), end),
                    false => self.container(None, id(), Some("lxc"), end),
                }
            }
            "mesos" if is_name(component) => {
                let outer = inside.then(|| self.owner.container_id.clone()).flatten();
                self.container(id(), None, Some("mesos"), end);
                self.owner.outer_container_id = outer;
            }
            "garden" | "good" | "bad"
                if !inside
                    && self.owner.unit.as_deref() == Some("garden")
                    && is_name(component) =>
            {
                // Garden keeps `good` and `bad` below its own directory to tell who is over its CPU share.
                if matches!(component, "good" | "bad") {
                    return false;
                }
                self.container(None, id(), Some("garden"), end);
            }
            _ if !inside && component.starts_with("container_") && self.parent.contains("yarn") => {
                self.container(id(), None, Some("yarn"), end);
            }
            _ if self.first == "ecs" => return self.ecs(component, end),
            _ if self.is_nomad() && !inside => return self.nomad(component, end),
            _ if self.owner.level == Level::Pod => {
                // Whatever a runtime makes directly below a pod is a container.
                let id = is_container_id(component).then(|| SmolStr::new(component));
                let runtime = self.owner.runtime;
                self.container(id, None, runtime, end);
            }
            _ if component.len() == 64 && is_container_id(component) => {
                self.enter_nested();
                self.container(id(), None, None, end);
            }
            _ => return false,
        }
        true
    }

    /// `/ecs/<task>/<container>`, `/ecs/<cluster>/<task>/<container>`; Fargate: `/ecs/<task>/<task>-<number>`.
    fn ecs(&mut self, component: &str, end: usize) -> bool {
        if self.depth < 2 || self.owner.level == Level::Container {
            return false;
        }
        let hex = component.bytes().filter(u8::is_ascii_hexdigit).count();
        let is_task = hex == 32 && matches!(component.len(), 32 | 36);
        if component.len() == 64 && hex == 64 {
            self.container(Some(SmolStr::new(component)), None, Some("docker"), end);
        } else if self.owner.level == Level::Task {
            self.container(None, Some(SmolStr::new(component)), Some("containerd"), end);
        } else if is_task {
            self.owner.level = Level::Task;
            self.owner.task_name = Some(SmolStr::new(component));
        } else {
            return false;
        }
        true
    }

    fn is_nomad(&self) -> bool {
        self.first == "nomad.slice" || self.first == "nomad"
    }

    /// `nomad.slice[/share.slice|/reserve.slice]/<allocation>.<task>.scope` (1.3 and later), `/nomad/<id>` before.
    fn nomad(&mut self, component: &str, end: usize) -> bool {
        let name = component.strip_suffix(".scope").unwrap_or(component);
        let Some(allocation) = name.get(..36).filter(|id| is_uuid(id)) else {
            return false;
        };
        let task = name
            .get(36..)
            .unwrap_or_default()
            .trim_start_matches(['.', '-']);
        let task = (!task.is_empty()).then(|| SmolStr::new(task));
        self.container(
            None,
            task.or_else(|| Some(SmolStr::new(allocation))),
            Some("nomad"),
            end,
        );
        self.owner.task_name = Some(SmolStr::new(allocation));
        true
    }

    fn plain(&mut self, component: &str) {
        let owner = &mut self.owner;
        if owner.level == Level::Container {
            owner.below_container = true;
            return;
        }
        // Steps and tasks below a Slurm job belong to the job.
        if matches!(owner.level, Level::Monitor | Level::Task) {
            return;
        }
        let level = if component.ends_with(".slice") {
            Level::Slice
        } else if component.ends_with(".service") || component.ends_with(".scope") {
            Level::Service
        } else if ROOTS.contains(&component) {
            Level::Slice
        } else {
            Level::Other
        };
        // What a user's own service manager runs belongs to that user.
        if owner.session_uid.is_none() || level == Level::Service {
            if owner.session_uid.is_none() {
                owner.level = level;
            }
            if level != Level::Other || ROOTS.contains(&component) {
                owner.unit = Some(unescape(component));
            }
        }
    }

    fn kubepods(&mut self) {
        self.owner.level = Level::Kubepods;
        self.owner.kubernetes = true;
    }

    fn tier(&mut self, class: QosClass) {
        self.owner.level = Level::QosTier;
        self.owner.qos_class = Some(class);
    }

    fn pod(&mut self, uid: SmolStr, end: usize) {
        self.owner.level = Level::Pod;
        // Guaranteed pods have no tier: they hang directly below kubepods.
        self.owner.qos_class.get_or_insert(QosClass::Guaranteed);
        self.owner.pod_uid = Some(uid);
        self.owner.pod_end = Some(end);
    }

    fn container(
        &mut self,
        id: Option<SmolStr>,
        name: Option<SmolStr>,
        runtime: Option<&'static str>,
        end: usize,
    ) {
        let owner = &mut self.owner;
        owner.level = Level::Container;
        owner.container_id = id;
        owner.container_name = name;
        owner.runtime = runtime;
        owner.below_container = false;
        owner.container_end = Some(end);
    }
}

/// Directories that hold a runtime's cgroups and are no cgroup of a workload themselves.
const ROOTS: [&str; 14] = [
    "docker",
    "k8s.io",
    "default",
    "moby",
    "buildkit",
    "ecs",
    "nomad",
    "lxc",
    "lxc.payload",
    "mesos",
    "garden",
    "kubelet",
    "slurm",
    "hadoop-yarn",
];

/// What stands after `kubepods` in a slice name, `kubepods` being its first part or a later one.
fn after_kubepods(name: &str) -> Option<&str> {
    let at = name.find("kubepods")?;
    let before = name.get(..at)?;
    let rest = name.get(at + "kubepods".len()..)?;
    let whole_part = before.is_empty() || before.ends_with('-');
    (whole_part && (rest.is_empty() || rest.starts_with('-'))).then_some(rest)
}

/// A uuid, a manifest hash, or what an administrator chose as uid of a static pod.
fn is_pod_uid(text: &str) -> bool {
    text.len() <= 128 && is_name(text)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// 12 (as tools shorten it, or as a cut line leaves it) to 64 hex digits.
fn is_container_id(text: &str) -> bool {
    (12..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Undoes systemd's `\x2d` escapes; others and bad ones stay as they are.
fn unescape(text: &str) -> SmolStr {
    if !text.contains("\\x") {
        return SmolStr::new(text);
    }
    let mut out = SmolStrBuilder::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_graphic() => out.push(char::from(byte)),
            _ => {
                out.push_str("\\x");
                rest = after;
                continue;
            }
        }
        rest = after.get(2..).unwrap_or_default();
    }
    out.push_str(rest);
    out.finish()
}

#[cfg(test)]
mod tests;
