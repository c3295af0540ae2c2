//! A kernel release string, read.

/// Version of a kernel, comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// `5` of 5.10.0
    pub major: u16,
    /// `10` of 5.10.0
    pub minor: u16,
    /// `0` of 5.10.0
    pub patch: u16,
}
