//! tmp
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// v
pub struct KernelVersion {
    /// `5` of 5.10.0
    pub major: u16,
    /// `10` of 5.10.0
    pub minor: u16,
    /// `0` of 5.10.0
    pub patch: u16,
}
impl KernelVersion {
    /// p
    pub fn parse(s: &str) -> Option<Self> {
        let mut it = s.split(['.', '-']);
        Some(Self {
            major: it.next()?.parse().ok()?,
            minor: it.next()?.parse().ok()?,
            patch: 0,
        })
    }
}
