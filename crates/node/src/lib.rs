//! This machine: where kernel logs lie and how to get their bytes, the facts that date them, and live evidence:
//! the log as it grows, cgroups, processes, logins, container runtimes.
//!
//! Returns bytes, facts, notes and errors; reads no line of a log and judges nothing. Every path of the system hangs
//! off one [`Root`], so that tests hand it a tree. Never imports a parser or a view.

pub mod cgroup;
pub mod clock;
pub mod compression;
pub mod discover;
pub mod journal;
pub mod kmsg;
pub mod logins;
pub mod machine;
mod mapped;
pub mod memory;
pub mod own_log;
pub mod process;
mod progress;
pub mod root;
pub mod rotation;
pub mod runtimes;
pub mod sniff;
pub mod source;
mod utf16;

pub use discover::{Found, Problem, find};
pub use machine::Machine;
pub use own_log::{OwnLog, Tried, own_kernel_log};
pub use progress::BytesRead;
pub use root::Root;
pub use source::{Content, OpenError, Opened, Source};
