//! Cgroups that tests make, in whichever hierarchy this machine has, and remove again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use whodunit_lab::cgroup::CgroupVersion;
use whodunit_lab::machine::{Hierarchy, hierarchy};

/// Root of the unified hierarchy.
pub(crate) fn unified_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (root, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| root.into())
    })
}

/// A cgroup with those above it, removed when dropped.
pub(crate) struct Cgroup {
    /// As in /proc/PID/cgroup.
    pub(crate) path: String,
    pub(crate) directory: PathBuf,
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// In the unified hierarchy.
    pub(crate) fn unified(path: &str) -> anyhow::Result<Self> {
        let root = unified_root().context("no unified cgroup hierarchy is mounted")?;
        Self::make(&root, path, false)
    }

    /// In the hierarchy with the memory controller, with that limit.
    pub(crate) fn limited(path: &str, limit_bytes: u64) -> anyhow::Result<Self> {
        let Hierarchy { version, root } = hierarchy()?;
        let made = Self::make(&root, path, version == CgroupVersion::V2)?;
        let (file, value) = match version {
            CgroupVersion::V1 => ("memory.limit_in_bytes", limit_bytes),
            CgroupVersion::V2 => ("memory.max", limit_bytes),
        };
        let file = made.directory.join(file);
        fs::write(&file, value.to_string()).with_context(|| file.display().to_string())?;
        Ok(made)
    }

    fn make(root: &Path, path: &str, with_memory: bool) -> anyhow::Result<Self> {
        let mut directory = root.to_owned();
        let mut made = Vec::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if with_memory {
                let control = directory.join("cgroup.subtree_control");
                fs::write(&control, "+memory").with_context(|| control.display().to_string())?;
            }
            directory.push(name);
            if !directory.is_dir() {
                fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
                made.push(directory.clone());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            directory,
            made,
        })
    }

    pub(crate) fn put(&self, pid: u32) {
        let file = self.directory.join("cgroup.procs");
        fs::write(&file, pid.to_string())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(5);
        for directory in self.made.iter().rev() {
            // Busy until the last of its dead is reaped.
            while fs::remove_dir(directory).is_err() && directory.is_dir() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
