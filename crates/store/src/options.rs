//! How a store is to be opened. Values only.

use std::time::Duration;

use jiff::SignedDuration;

/// How a store is to be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// For writing or only to be asked.
    pub access: Access,
    /// What to look at before it is used.
    pub check: Check,
    /// What to do about a damaged file.
    pub on_broken: OnBroken,
    /// What a commit must survive.
    pub durability: Durability,
    /// How long to wait for another program's lock.
    pub wait: Duration,
    /// How long and how much to keep.
    pub retention: Retention,
    /// Who waits for the disk now and then.
    pub upkeep: Upkeep,
}

impl Default for Options {
    /// For writing, quickly checked, a damaged file is an error, commits survive the death of the process, one second
    /// of waiting.
    fn default() -> Self {
        Self {
            access: Access::Write,
            check: Check::Quick,
            on_broken: OnBroken::Fail,
            durability: Durability::ProcessDeath,
            wait: Duration::from_secs(1),
            retention: Retention::default(),
            upkeep: Upkeep::WithInserts,
        }
    }
}

impl Options {
    /// To be asked only, while another program may be writing. Not checked: the writer did that.
    pub fn read_only() -> Self {
        Self {
            access: Access::Read,
            check: Check::None,
            wait: Duration::from_secs(5),
            ..Self::default()
        }
    }
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Made when it is not there, brought to the newest schema.
    Write,
    /// Must be there; nothing in the file is changed.
    Read,
}

/// What is looked at before a store is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    None,
    /// `PRAGMA quick_check`: every page and row, but not that indexes and tables agree.
    Quick,
    /// `PRAGMA integrity_check`: those too.
    Full,
}

/// What to do about a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBroken {
    /// Give an error.
    Fail,
    /// Rename it to `PATH.broken-TIMESTAMP`, with its `-wal`, and begin a new one. A file that does not look like a
    /// store is never moved.
    MoveAside,
}

/// What a commit must survive. Either way the file is never damaged by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process at any point, SIGKILL included: what is committed lies in the kernel's page cache, which
    /// no process takes along. A power cut or a kernel panic may lose the last commits, those since the last
    /// [`crate::Store::sync`] at most. Costs no wait for the disk (`synchronous=NORMAL`).
    ProcessDeath,
    /// A power cut, too: each commit waits for the disk (`synchronous=FULL`).
    PowerCut,
}

/// When the write-ahead log is copied into the file, and the retention runs. Both wait for the disk: some milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// Some inserts do it in passing: about one in a hundred.
    WithInserts,
    /// Somebody calls [`crate::Store::upkeep`] every second or so, best from a thread with a [`crate::Store`] of its
    /// own, which works beside the one that inserts. An insert copies the log only in a storm, when that has grown to 4
    /// MiB before anybody came by: some ten milliseconds.
    Separate,
}

/// How long and how much to keep. The oldest goes first, in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Since it was first stored; 30 days by default. None: for ever.
    pub max_age: Option<SignedDuration>,
    /// On disk, the write-ahead log included; 256 MiB by default. None: without limit. The newest incident stays
    /// whatever its size. A reader that keeps a query open holds the log back, so that it grows until the query ends.
    pub max_bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_age: Some(SignedDuration::from_hours(30 * 24)),
            max_bytes: Some(256 << 20),
        }
    }
}
