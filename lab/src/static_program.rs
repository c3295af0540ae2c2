//! Builds static programs through cargo, into a target directory of their own: what the virtual machines run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::Result;

/// The only target whose standard library a plain installation has and the virtual machines run.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The program `name` of `package`, built if it is not up to date.
pub fn binary(package: &str, name: &str) -> Result<PathBuf> {
    build(&["build", "--release", "-p", package, "--bin", name], name)
}

/// The integration test `name` of `package`, without the package's default features, built if it is not up to date.
pub fn integration_test(package: &str, name: &str) -> Result<PathBuf> {
    let arguments = [
        "test",
        "--no-run",
        "--no-default-features",
        "-p",
        package,
        "--test",
        name,
    ];
    build(&arguments, name)
}

fn build(arguments: &[&str], name: &str) -> Result<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        bail!("static programs of the lab are built for x86_64 only");
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace above lab/")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace)
        .args(arguments)
        .args(["--quiet", "--message-format=json", "--target", TARGET])
        .arg("--target-dir")
        .arg(workspace.join("target/lab-static"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cargo, to build {name}"))?;
    if !built.status.success() {
        bail!("cargo could not build {name}");
    }
    executable(&built.stdout, name).with_context(|| format!("cargo names no executable {name}"))
}

/// The one that cargo says it made for the target `name`.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    messages.split(|byte| *byte == b'\n').find_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        let of_target = message.get("target")?.get("name")?.as_str()? == name;
        let path = message.get("executable")?.as_str()?;
        of_target.then(|| path.into())
    })
}
