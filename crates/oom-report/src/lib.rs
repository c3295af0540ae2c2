//! Kernel out-of-memory reports from bytes.
