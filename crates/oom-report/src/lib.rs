//! Kernel out-of-memory reports from bytes.

pub mod kernel_version;
pub mod report;
