//! This machine: where kernel logs lie and how to get their bytes, and the facts that date them.
//!
//! Returns bytes, notes and errors; reads no line of a log and judges nothing. Every path of the system hangs
//! off one [`Root`], so that tests hand it a tree. Never imports a parser or a view.

pub mod cgroup;
pub mod clock;
pub mod compression;
pub mod discover;
pub mod journal;
pub mod kmsg;
pub mod machine;
mod mapped;
pub mod own_log;
mod progress;
pub mod root;
pub mod rotation;
pub mod sniff;
pub mod source;
mod utf16;

pub use discover::{Found, Problem, find};
pub use machine::Machine;
pub use own_log::{OwnLog, Tried, own_kernel_log};
pub use progress::BytesRead;
pub use root::Root;
pub use source::{Content, OpenError, Opened, Source};
