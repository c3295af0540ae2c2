//! One real kill on this machine, in a cgroup path like a pod's, and what a reader of the kernel's log makes of it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::Result;
use crate::cgroup::Names;
use crate::fixtures::recordings;
use crate::machine::{self, Hierarchy};
use crate::scenario::table;
use crate::truth::Truth;

/// A log that a real kernel wrote of the same kill: for machines that can't be a stage.
const RECORDING: &str = "tests/fixtures/first/container-limit.kmsg";

/// Provokes the kill and has `program` explain it from the kernel's log; elsewhere from the recording.
pub fn show(program: &Path) -> Result<()> {
    let mut explain = Command::new(program);
    explain.arg("explain");
    match machine::hierarchy() {
        Ok(hierarchy) => {
            println!(
                "Provoking a real OOM kill in a container's cgroup (cgroup {}) ...",
                hierarchy.version
            );
            let truth = demo(&hierarchy)?;
            let path = truth
                .incidents
                .first()
                .and_then(|incident| incident.task_memcg.as_deref())
                .context("the kill has no cgroup")?;
            println!(
                "Done, in {path}\n\n$ whodunit explain --container {}\n",
                container_id(path)
            );
            explain.args(["--container", container_id(path)]);
        }
        Err(why) => {
            println!(
                "No kill can be provoked on this machine ({why:#}).\nA log of a real one instead:\n"
            );
            println!("$ whodunit explain {RECORDING}\n");
            let root = Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .context("no workspace above lab/")?;
            explain.arg(root.join(RECORDING));
        }
    }
    let done = explain
        .status()
        .with_context(|| format!("{}", program.display()))?;
    if !done.success() {
        bail!("{}: {done}", program.display());
    }
    Ok(())
}

/// What runtimes name in the last part of a container's cgroup: `cri-containerd-ID.scope`, `ID`.
fn container_id(cgroup: &str) -> &str {
    let leaf = cgroup.rsplit('/').next().unwrap_or(cgroup);
    let leaf = leaf.strip_suffix(".scope").unwrap_or(leaf);
    leaf.rsplit('-').next().unwrap_or(leaf)
}

/// Stages the kill of a container by its own limit and tells what happened.
pub fn demo(hierarchy: &Hierarchy) -> Result<Truth> {
    let hog = crate::hog::build()?;
    let seed = format!("demo {}", std::process::id());
    let scenario = table::scenarios(&Names::new(seed))
        .into_iter()
        .find(|scenario| scenario.name == "container-limit")
        .context("the table lacks container-limit")?;
    let transcript = machine::run(hierarchy, &hog, std::slice::from_ref(&scenario))?;
    let recording = recordings(
        &[scenario],
        &transcript,
        &machine::kernel_release(),
        hierarchy.version,
    )?
    .pop()
    .context("nothing was recorded")?;
    if recording.log.is_empty() {
        bail!("the kernel wrote nothing: nobody was killed");
    }
    Ok(recording.truth)
}
