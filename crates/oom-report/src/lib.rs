//! Reads the Linux kernel's out-of-memory reports from any log: bytes in, typed facts out.
//!
//! No IO, no clock, no other crate of whodunit's. [`Scanner`] finds the reports in a log's bytes; [`report::OomReport`]
//! is what it finds. Kernels 3.10 to 7.x, cgroup v1 and v2, every usual framing of a log line.

mod anchor;
mod assemble;
mod backwards;
mod cursor;
mod draft;
mod frame;
pub mod gfp;
mod kernel;
pub mod kernel_version;
pub mod memcg_stat;
pub mod month_names;
pub mod report;
mod scan;
mod time;

pub use assemble::Ignored;
pub use backwards::{Turned, runs_backwards, turned};
pub use scan::{CopyAt, Scanner, Search, Sink};
pub use time::Assumptions;
