//! Imports run downwards only, and every dependency from outside has its reason in ARCHITECTURE.md.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::root;

/// Our crates and those of ours that each may import: the one place to enter a new crate.
///
/// whodunit -> (view, store, kubernetes, recorder, trace, node) -> case -> oom-report; those in the brackets do not
/// import each other.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("oom-report", &[]),
    ("whodunit-case", &["oom-report"]),
    ("whodunit-kubernetes", &["whodunit-case", "oom-report"]),
    ("whodunit-node", &["whodunit-case", "oom-report"]),
    ("whodunit-recorder", &["whodunit-case", "oom-report"]),
    ("whodunit-store", &["whodunit-case", "oom-report"]),
    ("whodunit-trace", &["whodunit-case", "oom-report"]),
    ("whodunit-view", &["whodunit-case", "oom-report"]),
    (
        "whodunit",
        &[
            "oom-report",
            "whodunit-case",
            "whodunit-kubernetes",
            "whodunit-node",
            "whodunit-recorder",
            "whodunit-store",
            "whodunit-trace",
            "whodunit-view",
        ],
    ),
    // Knows the truth by itself: what it shares with the program it could not test.
    (LAB, &[]),
    (
        "whodunit-benches",
        &[
            "oom-report",
            "whodunit",
            "whodunit-case",
            "whodunit-node",
            "whodunit-view",
            LAB,
        ],
    ),
];

/// Tests of any crate may have their kills from the lab.
const LAB: &str = "whodunit-lab";

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("`cargo metadata` of this workspace")
}

/// Whether a dependency is one of this workspace.
fn is_ours(packages: &[&Package], name: &str) -> bool {
    packages.iter().any(|package| package.name.as_str() == name)
}

#[test]
fn imports_run_downwards_only() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    assert!(packages.len() >= 7, "{packages:?}");
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!("{name} has no place in the order of crates"));
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| is_ours(&packages, &dependency.name))
        {
            let in_tests = dependency.kind == DependencyKind::Development;
            if !(allowed.contains(&dependency.name.as_str()) || in_tests && dependency.name == LAB)
            {
                wrong.push(format!("{name} imports {}", dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_order_of_crates_is_an_order() {
    // A crate stands behind all that it may import, so that the table itself cannot hold a circle.
    for (at, (name, allowed)) in MAY_IMPORT.iter().enumerate() {
        for import in *allowed {
            let place = MAY_IMPORT.iter().position(|(known, _)| known == import);
            assert!(
                place.is_some_and(|place| place < at),
                "{name} may import {import}"
            );
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let page = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&page)
        .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    // Rows of tables: `name`, `other` | reason.
    let named: BTreeSet<&str> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let used: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !is_ours(&packages, name))
        .collect();
    assert!(used.len() > 10, "{used:?}");
    let missing: Vec<_> = used.difference(&named).collect();
    assert!(
        missing.is_empty(),
        "not in a table of ARCHITECTURE.md, in backticks: {missing:?}"
    );
}
