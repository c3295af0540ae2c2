//! tmp
/// d
pub struct GfpDecoded {
    /// f
    pub flags: Vec<&'static str>,
    /// u
    pub unknown_bits: u64,
}
/// d
pub fn decode(_: u64, _: crate::kernel_version::KernelVersion) -> GfpDecoded {
    GfpDecoded {
        flags: vec![],
        unknown_bits: 0,
    }
}
