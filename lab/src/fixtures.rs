//! Keeps what the lab saw: `<release>-<v1|v2>/<scenario>.kmsg` (or `.console`), `<scenario>.truth.json` beside it,
//! and a README in every folder.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::Result;
use crate::cgroup::{CgroupVersion, Names};
use crate::kernel::Suite;
use crate::machine::Hierarchy;
use crate::scenario::{Boot, Scenario, table};
use crate::script::CONSOLE_MARK;
use crate::transcript::{takes, truth};
use crate::truth::Truth;
use crate::{machine, vm};

/// What the kernel wrote in one scenario, and the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// `kmsg` (records as `/dev/kmsg` gives them) or `console` (lines as the console got them).
    pub form: &'static str,
    /// What the kernel wrote.
    pub log: Vec<u8>,
    /// What happened.
    pub truth: Truth,
    /// What the scenario shows.
    pub about: &'static str,
}

/// Stages every scenario of one start of a virtual machine, save those named in `without`.
pub fn record_vm(
    vmlinuz: &Path,
    hog: &Path,
    boot: Boot,
    without: &[&str],
) -> Result<Vec<Recording>> {
    let scenarios: Vec<Scenario> = table::scenarios(&Names::new("virtual machine"))
        .into_iter()
        .filter(|scenario| scenario.boot == boot && !without.contains(&scenario.name))
        .filter(|scenario| scenario.versions.contains(&CgroupVersion::V2))
        .collect();
    let run = vm::run(vmlinuz, hog, boot, &scenarios)?;
    if boot == Boot::Panic {
        let [scenario] = scenarios.as_slice() else {
            bail!("a machine panics once, so only one scenario can end so");
        };
        return Ok(vec![Recording {
            form: "console",
            log: after_mark(&run.console)
                .context("the console lacks the lab's mark")?
                .to_vec(),
            truth: truth(
                scenario,
                &Default::default(),
                &run.kernel_release,
                CgroupVersion::V2,
            )?,
            about: scenario.about,
        }]);
    }
    recordings(
        &scenarios,
        &run.transcript,
        &run.kernel_release,
        CgroupVersion::V2,
    )
}

/// Stages on this machine what can be staged here without harm, with cgroup names from `seed`.
pub fn record_here(hierarchy: &Hierarchy, hog: &Path, seed: &str) -> Result<Vec<Recording>> {
    let mut scenarios: Vec<Scenario> = table::scenarios(&Names::new(seed))
        .into_iter()
        .filter(|scenario| scenario.here_too && scenario.versions.contains(&hierarchy.version))
        .collect();
    if !machine::may_lower_scores() {
        for player in scenarios.iter_mut().flat_map(|scenario| &mut scenario.cast) {
            player.oom_score_adj = player.oom_score_adj.max(0);
        }
    }
    let transcript = machine::run(hierarchy, hog, &scenarios)?;
    recordings(
        &scenarios,
        &transcript,
        &machine::kernel_release(),
        hierarchy.version,
    )
}

/// Joins scenarios with what was said of them.
pub fn recordings(
    scenarios: &[Scenario],
    transcript: &[u8],
    release: &str,
    version: CgroupVersion,
) -> Result<Vec<Recording>> {
    let takes = takes(transcript)?;
    scenarios
        .iter()
        .map(|scenario| {
            let take = takes
                .get(scenario.name)
                .with_context(|| format!("{} was not played", scenario.name))?;
            if !take.ended {
                bail!(
                    "{} was spoilt each time that it was played; the last time:\n{}",
                    scenario.name,
                    String::from_utf8_lossy(&take.kmsg)
                );
            }
            Ok(Recording {
                form: "kmsg",
                log: take.kmsg.clone(),
                truth: truth(scenario, &take.pids, release, version)?,
                about: scenario.about,
            })
        })
        .collect()
}

/// Everything behind the line that holds the mark.
fn after_mark(console: &[u8]) -> Option<&[u8]> {
    let mark = CONSOLE_MARK.as_bytes();
    let at = console
        .windows(mark.len())
        .position(|bytes| bytes == mark)?
        + mark.len();
    let rest = console.get(at..)?;
    let line_end = rest.iter().position(|byte| *byte == b'\n')? + 1;
    rest.get(line_end..)
}

/// Writes recordings of one kernel into a folder of `out`; what the folder held before is removed.
pub fn write(out: &Path, recordings: &[Recording], suite: Option<Suite>) -> Result<PathBuf> {
    let first = recordings.first().context("nothing was recorded")?;
    let folder = out.join(format!(
        "{}-{}",
        first.truth.kernel_release, first.truth.cgroup_version
    ));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for recording in recordings {
        let name = &recording.truth.scenario;
        fs::write(
            folder.join(format!("{name}.{}", recording.form)),
            &recording.log,
        )?;
        let mut truth = serde_json::to_string_pretty(&recording.truth)?;
        truth.push('\n');
        fs::write(folder.join(format!("{name}.truth.json")), truth)?;
    }
    fs::write(folder.join("README.md"), readme(first, recordings, suite))?;
    Ok(folder)
}

fn readme(first: &Recording, recordings: &[Recording], suite: Option<Suite>) -> String {
    let Truth {
        kernel_release,
        cgroup_version,
        ..
    } = &first.truth;
    let place = match suite {
        Some(suite) => format!(
            "Debian {}'s cloud kernel, started by `qemu-system-x86_64 -accel tcg -m 512 -smp 2` with an initramfs of \
             busybox and the lab's `hog`; `lab fixtures --kernel {}` makes them again",
            suite.name, suite.kernel
        ),
        None => "The machine that ran the lab, in cgroups made for it; `lab fixtures --kernel here` makes them \
                 again (on the kernel that it is run on)"
            .to_owned(),
    };
    let mut text = format!(
        "# Kernel {kernel_release}, cgroup {cgroup_version}\n\n\
         Real logs of staged kills. {place}.\n\n\
         A `.kmsg` file holds the records that `/dev/kmsg` gave from the start of the scenario to its end, as they \
         came; a `.console` file what the kernel wrote to its serial console. The `.truth.json` beside it was made \
         from what the lab set up (cgroups, limits, names, scores) and from the pids that the processes told \
         themselves, not from the log. Nothing was edited.\n\n| scenario | what it shows |\n| --- | --- |\n"
    );
    for recording in recordings {
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            recording.truth.scenario, recording.about
        );
    }
    text
}
