//! Builds the static `hog` through cargo, into a target directory of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::Result;

/// The only target whose standard library a plain installation has and the virtual machines run.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Path of the hog, built if it is not up to date.
pub fn build() -> Result<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the lab's hog is built for x86_64 only");
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace above lab/")?;
    let target_dir = workspace.join("target/lab-static");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "whodunit-lab",
            "--bin",
            "hog",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .status()
        .context("cargo, to build the hog")?;
    if !built.success() {
        bail!("cargo could not build the hog");
    }
    Ok(target_dir.join(TARGET).join("release/hog"))
}
