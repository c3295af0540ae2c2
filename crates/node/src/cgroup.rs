//! Where this machine's cgroup hierarchies are, and what their files say. Facts: /proc/mounts, cgroup v1 and v2 files
//! (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). Changes nothing in them.

mod memory;
mod watch;

use std::path::{Path, PathBuf};

use smol_str::SmolStr;
use whodunit_case::fact::{CgroupHierarchy, CgroupPaths};

use crate::Root;

pub use memory::pressure_of;
pub use watch::CgroupWatch;

/// The hierarchies of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hierarchies {
    /// Mount point of the unified hierarchy (cgroup v2), below the root.
    pub unified: Option<PathBuf>,
    /// Mount point of v1's memory hierarchy, below the root.
    pub memory_v1: Option<PathBuf>,
}

impl Hierarchies {
    /// Finds them in the mount table under `root`: the first process's, where it can be seen, since the root is its.
    pub fn find(root: &Root) -> Self {
        let tables: &[&str] = if root.is_system() {
            &["/proc/self/mounts"]
        } else {
            &["/proc/1/mounts", "/proc/mounts"]
        };
        let found = tables
            .iter()
            .filter_map(|table| std::fs::read(root.join(table)).ok())
            .map(|table| Self::in_table(root, &table))
            .find(|found| found.unified.is_some() || found.memory_v1.is_some());
        // A container often sees the files of the machine and not its mount table.
        found.unwrap_or_else(|| {
            let there = |path: &str, file: &str| {
                let path = root.join(path);
                path.join(file).exists().then_some(path)
            };
            Self {
                unified: there("/sys/fs/cgroup", "cgroup.controllers")
                    .or_else(|| there("/sys/fs/cgroup/unified", "cgroup.controllers")),
                memory_v1: there("/sys/fs/cgroup/memory", "memory.oom_control"),
            }
        })
    }

    fn in_table(root: &Root, table: &[u8]) -> Self {
        let mut found = Self::default();
        for line in String::from_utf8_lossy(table).lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(at), Some(kind), Some(options)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            // A mount point with a space or a backslash in its name is escaped: nobody mounts cgroups there.
            let at = || root.join(at);
            match kind {
                "cgroup2" if found.unified.is_none() => found.unified = Some(at()),
                "cgroup"
                    if found.memory_v1.is_none()
                        && options.split(',').any(|option| option == "memory") =>
                {
                    found.memory_v1 = Some(at());
                }
                _ => {}
            }
        }
        found
    }

    /// The hierarchy that has the memory controller, and its mount point.
    pub fn memory(&self) -> Option<(CgroupHierarchy, &Path)> {
        match (&self.memory_v1, &self.unified) {
            (Some(v1), _) => Some((CgroupHierarchy::MemoryV1, v1)),
            (None, Some(unified)) => Some((CgroupHierarchy::Unified, unified)),
            (None, None) => None,
        }
    }

    /// The path of `paths` in the hierarchy that has the memory controller.
    pub fn memory_path<'p>(&self, paths: &'p CgroupPaths) -> Option<&'p SmolStr> {
        match self.memory()?.0 {
            CgroupHierarchy::MemoryV1 => paths.memory.as_ref(),
            CgroupHierarchy::Unified => paths.unified.as_ref(),
        }
    }
}

/// The directory of a cgroup. `None` for a path that leads out of the hierarchy: one seen from another cgroup
/// namespace begins with `/..`.
pub(crate) fn directory(mount: &Path, path: &str) -> Option<PathBuf> {
    let below = path.trim_start_matches('/');
    let leads_out = Path::new(below)
        .components()
        .any(|part| !matches!(part, std::path::Component::Normal(_)));
    (!leads_out).then(|| mount.join(below))
}
