//! Builds the static `hog`.

use std::path::PathBuf;

use crate::{Result, static_program};

/// Path of the hog, built if it is not up to date.
pub fn build() -> Result<PathBuf> {
    static_program::binary("whodunit-lab", "hog")
}
