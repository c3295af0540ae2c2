//! One real kill on this machine, in a cgroup path like a pod's, for a reader of the log to find.

use anyhow::{Context, bail};

use crate::Result;
use crate::cgroup::Names;
use crate::fixtures::recordings;
use crate::machine::{self, Hierarchy};
use crate::scenario::table;
use crate::truth::Truth;

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
