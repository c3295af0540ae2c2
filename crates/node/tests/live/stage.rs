//! Cgroups to kill in, removed at the end whatever happens.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use whodunit_case::fact::CgroupHierarchy;
use whodunit_node::Root;
use whodunit_node::cgroup::Hierarchies;

/// A cgroup of a test's own.
pub(crate) struct Stage {
    pub(crate) hierarchies: Hierarchies,
    pub(crate) hierarchy: CgroupHierarchy,
    pub(crate) mount: PathBuf,
    /// From the root of the hierarchy.
    pub(crate) path: String,
    made: Vec<PathBuf>,
}

impl Stage {
    /// `None`, with the reason on standard error, where no cgroup can be made.
    pub(crate) fn set() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let hierarchies = Hierarchies::find(&Root::system());
        let Some((hierarchy, mount)) = hierarchies.memory() else {
            return cannot("no cgroup hierarchy is mounted");
        };
        let mount = mount.to_owned();
        let path = format!(
            "/whodunit-test-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let mut stage = Self {
            hierarchies,
            hierarchy,
            mount,
            path,
            made: Vec::new(),
        };
        if hierarchy == CgroupHierarchy::Unified {
            let _ = fs::write(stage.mount.join("cgroup.subtree_control"), "+memory");
        }
        let own = stage.path.clone();
        if let Err(error) = stage.make(&own) {
            return cannot(&format!(
                "no cgroup can be made in {}: {error}",
                stage.mount.display()
            ));
        }
        Some(stage)
    }

    pub(crate) fn directory(&self, path: &str) -> PathBuf {
        self.mount.join(path.trim_start_matches('/'))
    }

    /// Makes a cgroup; on v2 its parent hands the memory controller down.
    pub(crate) fn make(&mut self, path: &str) -> std::io::Result<()> {
        let directory = self.directory(path);
        if self.hierarchy == CgroupHierarchy::Unified && directory.parent() != Some(&self.mount) {
            fs::write(
                directory.parent().unwrap().join("cgroup.subtree_control"),
                "+memory",
            )?;
        }
        fs::create_dir(&directory)?;
        self.made.push(directory);
        Ok(())
    }

    pub(crate) fn limit(&self, path: &str, bytes: u64) {
        let file = match self.hierarchy {
            CgroupHierarchy::MemoryV1 => "memory.limit_in_bytes",
            CgroupHierarchy::Unified => "memory.max",
        };
        fs::write(self.directory(path).join(file), bytes.to_string()).unwrap();
    }

    pub(crate) fn remove(&mut self, path: &str) {
        let directory = self.directory(path);
        remove(&directory);
        self.made.retain(|made| *made != directory);
    }

    /// A process in the cgroup `path` that runs `command` of a shell.
    pub(crate) fn start(&self, path: &str, command: &str) -> Child {
        let procs = self.directory(path).join("cgroup.procs");
        Command::new("sh")
            .args([
                "-c",
                &format!("echo $$ > '{}' && {command}", procs.display()),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Limits the cgroup and lets a process run against it until it is killed; gives its pid.
    pub(crate) fn kill_in(&self, path: &str) -> u32 {
        self.limit(path, 16 << 20);
        // tail keeps a line that has no end.
        let mut child = self.start(path, "exec tail /dev/zero");
        let status = child.wait().unwrap();
        assert!(!status.success(), "tail ended by itself");
        child.id()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            remove(directory);
        }
    }
}

fn remove(directory: &Path) {
    for _ in 0..100 {
        let gone = fs::remove_dir(directory).is_ok() || !directory.exists();
        if gone {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!("not removed: {}", directory.display());
}

pub(crate) fn cannot<T>(why: &str) -> Option<T> {
    assert!(!whodunit_lab::required(), "{why}");
    eprintln!("not tested: {why}");
    None
}

/// Waits for the descriptor; says whether it became readable.
pub(crate) fn readable(descriptor: impl AsFd, patience: Duration) -> bool {
    let mut descriptors = [PollFd::new(&descriptor, PollFlags::IN)];
    let patience = Timespec::try_from(patience).unwrap();
    poll(&mut descriptors, Some(&patience)).unwrap() > 0
}

/// Calls `read` whenever the descriptor is readable, until it says so or the time is over; says whether it did.
pub(crate) fn until<T: AsFd>(
    source: &mut T,
    patience: Duration,
    mut read: impl FnMut(&mut T) -> bool,
) -> bool {
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if readable(source.as_fd(), left) && read(source) {
            return true;
        }
        if left.is_zero() {
            return false;
        }
    }
}
