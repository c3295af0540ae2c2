//! Stages scenarios on the machine that runs the lab, in cgroups of their own, and leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::Result;
use crate::cgroup::CgroupVersion;
use crate::scenario::Scenario;
use crate::script::{Stage, script};

/// Where this machine lets memory be limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Which interface it is.
    pub version: CgroupVersion,
    /// Its root.
    pub root: PathBuf,
}

/// Why this machine can't be a stage, or its memory controller.
pub fn hierarchy() -> Result<Hierarchy> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root may make cgroups here");
    }
    fs::File::open("/dev/kmsg").context("the kernel's log can't be read: /dev/kmsg")?;
    let mounts = fs::read_to_string("/proc/mounts").context("/proc/mounts")?;
    let found = hierarchy_in(&mounts, |root| {
        fs::read_to_string(root.join("cgroup.controllers")).is_ok_and(|controllers| {
            controllers
                .split_whitespace()
                .any(|controller| controller == "memory")
        })
    })
    .context("no cgroup hierarchy with a memory controller is mounted")?;
    // A container sees the files and may still not write them.
    let probe = found
        .root
        .join(format!("whodunit-lab-probe-{}", std::process::id()));
    fs::create_dir(&probe)
        .with_context(|| format!("cgroups can't be made in {}", found.root.display()))?;
    fs::remove_dir(&probe).with_context(|| probe.display().to_string())?;
    Ok(found)
}

/// Root of the unified hierarchy, whatever controllers it has.
pub fn unified_hierarchy() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").context("/proc/mounts")?;
    unified_in(&mounts).context("the unified cgroup hierarchy is not mounted")
}

fn unified_in(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (root, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| root.into())
    })
}

fn hierarchy_in(mounts: &str, has_memory_v2: impl Fn(&Path) -> bool) -> Option<Hierarchy> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (root, kind, options) = (
            PathBuf::from(fields.next()?),
            fields.next()?,
            fields.next()?,
        );
        let version = match kind {
            "cgroup" if options.split(',').any(|option| option == "memory") => CgroupVersion::V1,
            "cgroup2" if has_memory_v2(&root) => CgroupVersion::V2,
            _ => return None,
        };
        Some(Hierarchy { version, root })
    })
}

/// `uname -r`.
#[must_use]
pub fn kernel_release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// Whether an `oom_score_adj` below 0 can be set here: CAP_SYS_RESOURCE, which root in a container may lack.
/// The scenarios come out the same without it; nobody is shielded in them then.
#[must_use]
pub fn may_lower_scores() -> bool {
    Command::new("sh")
        .args(["-c", "echo -1000 > /proc/self/oom_score_adj"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Stages `scenarios` here and gives back what the script said.
pub fn run(hierarchy: &Hierarchy, hog: &Path, scenarios: &[Scenario]) -> Result<Vec<u8>> {
    let directory = tempfile::Builder::new().prefix("whodunit-lab-").tempdir()?;
    let stage = Stage {
        version: hierarchy.version,
        hierarchy: &hierarchy.root,
        hog,
        scratch: directory.path(),
        with_cpuset: false,
    };
    let file = directory.path().join("script");
    fs::write(&file, script(&stage, scenarios))?;
    let played = Command::new("sh")
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("sh")?;
    if !played.status.success() {
        bail!("the script ended with {}", played.status);
    }
    Ok(played.stdout)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_the_hierarchy_that_has_the_memory_controller() {
        let mixed = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
                     cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = hierarchy_in(mixed, |_| false).unwrap();
        assert_eq!(
            (found.version, found.root.to_str().unwrap()),
            (CgroupVersion::V1, "/sys/fs/cgroup/memory")
        );
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
        assert_eq!(
            hierarchy_in(unified, |_| true).unwrap().version,
            CgroupVersion::V2
        );
        assert_eq!(hierarchy_in(unified, |_| false), None);
        assert_eq!(
            unified_in(mixed).unwrap(),
            Path::new("/sys/fs/cgroup/unified")
        );
        assert_eq!(unified_in("tmpfs /tmp tmpfs rw 0 0\n"), None);
    }
}
