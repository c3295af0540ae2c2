//! Builds the hog: one static file, so that its memory is what it was told to take and nothing besides.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::Result;

/// The only target whose standard library a plain installation has and the virtual machines run.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Path of the hog, built if it is not up to date, into a target directory of its own.
pub fn build() -> Result<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the hog is built for x86_64 only");
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace above lab/")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--release", "-p", "whodunit-lab", "--bin", "hog"])
        .args(["--quiet", "--message-format=json", "--target", TARGET])
        .arg("--target-dir")
        .arg(workspace.join("target/lab-static"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .stderr(Stdio::inherit())
        .output()
        .context("cargo, to build the hog")?;
    if !built.status.success() {
        bail!("cargo could not build the hog");
    }
    executable(&built.stdout).context("cargo names no executable hog")
}

/// The one that cargo says it made.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    messages.split(|byte| *byte == b'\n').find_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        let of_hog = message.get("target")?.get("name")?.as_str()? == "hog";
        let path = message.get("executable")?.as_str()?;
        of_hog.then(|| path.into())
    })
}
