//! Finds the program that the lab holds to the truth.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::Result;

/// Set to have the tests of the lab ask another program than the one that is built beside them.
pub const PROGRAM_VARIABLE: &str = "WHODUNIT_BIN";

/// `WHODUNIT_BIN`, else the newest program in the target folder `target`.
pub fn whodunit(target: &Path) -> Result<PathBuf> {
    if let Some(set) = std::env::var_os(PROGRAM_VARIABLE) {
        return Ok(set.into());
    }
    let built = ["release", "debug"].map(|profile| target.join(profile).join("whodunit"));
    let newest = built
        .into_iter()
        .filter_map(|file| Some((std::fs::metadata(&file).ok()?.modified().ok()?, file)))
        .max_by_key(|(modified, _)| *modified);
    newest.map(|(_, file)| file).with_context(|| {
        format!(
            "no whodunit in {}: build it first, or name it in {PROGRAM_VARIABLE}",
            target.display()
        )
    })
}
