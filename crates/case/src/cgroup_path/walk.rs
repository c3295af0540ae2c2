//! One walk over the components of a cgroup path: what each adds to what is known.

use smol_str::{SmolStr, SmolStrBuilder};

use super::forms::{FORMS, Form, Id, Means};
use super::{CgroupOwner, Level};
use crate::incident::QosClass;

/// What the components so far have told.
#[derive(Default)]
pub(super) struct Walk<'p> {
    owner: CgroupOwner,
    /// Name of the component before, as it stands in the path.
    parent: &'p str,
    /// The first component.
    first: &'p str,
    depth: usize,
}

impl<'p> Walk<'p> {
    pub(super) fn step(&mut self, component: &'p str, end: usize) {
        self.depth += 1;
        if self.depth == 1 {
            self.first = component;
        }
        if self.owner.level == Level::Container && self.owner.kubernetes {
            // A pod's container names the cgroups below its own as it likes, also as another pod's are named.
            self.owner.below_container = true;
            return;
        }
        let matched = self.slice_of_kubepods(component, end)
            || self.colon_form(component, end)
            || self.table(component, end)
            || self.by_parent(component, end);
        if !matched {
            self.plain(component);
        }
        self.parent = component;
    }

    pub(super) fn finish(mut self) -> CgroupOwner {
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
        match self.parent {
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
