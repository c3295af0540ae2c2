//! Every source file has one subject, and says in its first line what that is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// A file that is longer has two subjects.
const MOST_LINES: usize = 600;

/// Every Rust file of the project.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["crates", "lab", "benches", "fuzz"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    assert!(files.len() > 100, "{files:?}");
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn no_file_has_two_subjects() {
    let long: Vec<String> = sources()
        .iter()
        .map(|path| (read(path).lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "more than {MOST_LINES} lines: {long:#?}");
}

#[test]
fn every_module_says_what_it_holds() {
    // Tests beside a module are about that module.
    let is_module = |path: &&PathBuf| {
        path.components().any(|part| part.as_os_str() == "src")
            && path.file_stem().is_some_and(|stem| stem != "tests")
            && path.components().all(|part| part.as_os_str() != "tests")
    };
    let silent: Vec<PathBuf> = sources()
        .iter()
        .filter(is_module)
        .filter(|path| !read(path).starts_with("//!"))
        .cloned()
        .collect();
    assert!(silent.is_empty(), "no `//!` in the first line: {silent:#?}");
}
