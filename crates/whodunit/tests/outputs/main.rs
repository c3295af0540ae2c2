//! What the binary prints, over real logs: against the JSON Schema, against the contract, and as snapshots that a
//! person can read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

mod backwards;
mod contract;
mod looks;
mod schema;
mod snapshots;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixtures_root() -> PathBuf {
    root().join("tests/fixtures")
}

/// Every log below `tests/fixtures`, by its path there.
fn fixtures() -> Vec<String> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if !matches!(
                path.extension().and_then(|extension| extension.to_str()),
                Some("md" | "json")
            ) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&fixtures_root(), &mut found);
    let mut names: Vec<String> = found
        .iter()
        .map(|path| {
            path.strip_prefix(fixtures_root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    assert!(names.len() > 90, "fixtures are gone: {}", names.len());
    names
}

/// What `whodunit explain` prints, run where the fixtures are so that paths are the same on every machine.
fn explain(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .arg("explain")
        .args(arguments)
        .current_dir(fixtures_root())
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
