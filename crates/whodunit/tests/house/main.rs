//! The house rules that a machine can hold: who imports whom, why each dependency is there, how long a file is, and
//! that each says what it holds. They are written down in ARCHITECTURE.md and CONTRIBUTING.md.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod directions;
mod sources;

use std::path::PathBuf;

/// The workspace's folder.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
