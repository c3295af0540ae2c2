//! What must hold for any bytes at all, as functions that panic where it does not: the fuzz targets call them.
//!
//! Each module is one way in of bytes that nobody vouches for. Reads the fixtures and nothing else of the file system.

pub mod cgroup_path;
pub mod explain;
pub mod forms;
pub mod record;
pub mod scan;
pub mod sources;

// Shared with the parser's tests, so that both hold the same.
#[path = "../../crates/oom-report/tests/reports/agreement.rs"]
mod agreement;
#[path = "../../crates/oom-report/tests/reports/damage.rs"]
mod damage;
// What a form is expected to show is the tests' business only.
#[allow(dead_code)]
#[path = "../../crates/oom-report/tests/reports/line_forms.rs"]
mod line_forms;
mod pages;

/// A number that depends on all bytes and on nothing else: decides what a target leaves open (sizes of chunks, width
/// of a page), so that every file is an input as it is.
fn dice(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
