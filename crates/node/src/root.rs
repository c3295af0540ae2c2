//! The directory that every system path hangs off. Holds no other path and opens nothing.

use std::path::{Path, PathBuf};

/// `/` on a real machine, a temporary tree in tests, the host's mount point in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The machine itself.
    pub fn system() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A tree that looks like one.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The path of `absolute` (`/var/log`) below this root.
    ///
    /// ```
    /// use whodunit_node::Root;
    /// assert_eq!(Root::at("/host").join("/dev/kmsg"), std::path::Path::new("/host/dev/kmsg"));
    /// ```
    pub fn join(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }

    /// Whether this is the running machine, so that system calls speak of the same thing as its files.
    pub fn is_system(&self) -> bool {
        self.0 == Path::new("/")
    }
}
