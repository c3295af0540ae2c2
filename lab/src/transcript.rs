//! Takes a script's output apart: the kernel's records of each scenario, and what the cast said of itself.
//! It looks at no word of the kernel's.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use crate::Result;
use crate::cgroup::CgroupVersion;
use crate::scenario::{Ending, Scenario};
use crate::truth::{IncidentTruth, ProcessTruth, Truth};

/// What one scenario left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Take {
    /// Records as `/dev/kmsg` gives them.
    pub kmsg: Vec<u8>,
    /// Pid of each role.
    pub pids: BTreeMap<String, u32>,
    /// The scenario came to its end and the stage was cleared.
    pub ended: bool,
}

/// Every scenario of a transcript by name.
pub fn takes(transcript: &[u8]) -> Result<BTreeMap<String, Take>> {
    let mut all: BTreeMap<String, Take> = BTreeMap::new();
    let mut name = String::new();
    let mut in_records = false;
    for line in transcript.split_inclusive(|byte| *byte == b'\n') {
        let Some(words) = line.strip_prefix(b"@@") else {
            if in_records && let Some(take) = all.get_mut(&name) {
                take.kmsg.extend_from_slice(line);
            }
            continue;
        };
        in_records = false;
        let words = String::from_utf8_lossy(words);
        let mut words = words.split_whitespace();
        match words.next() {
            Some("BEGIN") => {
                name = words.next().context("@@BEGIN without a name")?.to_owned();
                all.insert(name.clone(), Take::default());
            }
            Some("KMSG") => in_records = true,
            Some("PIDS") => {
                let take = all.get_mut(&name).context("@@PIDS before @@BEGIN")?;
                for word in words {
                    let (role, pid) = word.split_once('=').context("@@PIDS: no =")?;
                    let pid = pid
                        .parse()
                        .with_context(|| format!("scenario {name}: pid of {role}: `{pid}`"))?;
                    take.pids.insert(role.to_owned(), pid);
                }
            }
            Some("END") => all.get_mut(&name).context("@@END before @@BEGIN")?.ended = true,
            Some("DONE") => {}
            other => bail!("unknown mark {other:?}"),
        }
    }
    Ok(all)
}

/// Joins what was set up with the pids that the cast told.
pub fn truth(
    scenario: &Scenario,
    pids: &BTreeMap<String, u32>,
    kernel_release: &str,
    cgroup_version: CgroupVersion,
) -> Result<Truth> {
    let process = |role: &str| -> Result<ProcessTruth> {
        let player = scenario
            .players()
            .into_iter()
            .find(|player| player.role == role)
            .with_context(|| format!("no player `{role}`"))?;
        Ok(ProcessTruth {
            pid: *pids
                .get(role)
                .with_context(|| format!("`{role}` told no pid"))?,
            comm: player.comm.to_owned(),
            oom_score_adj: player.oom_score_adj,
        })
    };
    let incident = |ending: &Ending| -> Result<IncidentTruth> {
        Ok(IncidentTruth {
            killer: ending.killer.to_owned(),
            scope: ending.scope.to_owned(),
            victims: ending
                .victims
                .iter()
                .map(|role| process(role))
                .collect::<Result<_>>()?,
            trigger: ending.trigger.map(process).transpose()?,
            limit_kib: ending
                .oom_memcg
                .as_deref()
                .and_then(|path| scenario.limit_mib(path))
                .map(|mib| mib << 10),
            oom_memcg: ending.oom_memcg.clone(),
            task_memcg: ending.task_memcg.clone(),
            approx_anon_kib: ending.anon_mib.map(|mib| mib << 10),
            approx_shmem_kib: ending.shmem_mib.map(|mib| mib << 10),
        })
    };
    Ok(Truth {
        scenario: scenario.name.to_owned(),
        kernel_release: kernel_release.to_owned(),
        cgroup_version,
        incidents: scenario
            .endings
            .iter()
            .map(incident)
            .collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn records_and_pids_are_told_apart_and_a_spoilt_try_does_not_count() {
        let transcript = b"@@BEGIN a\n@@KMSG\n4,1,2,-;spoilt\n@@PIDS app=1\n@@BEGIN a\nnoise of a program\n@@KMSG\n\
            4,9,9,-;text @@END b\n SUBSYSTEM=cpu\n@@PIDS app=77 other=78\n@@END a\n@@BEGIN b\n@@KMSG\n@@DONE\n";
        let all = takes(transcript).unwrap();
        assert_eq!(all["a"].kmsg, b"4,9,9,-;text @@END b\n SUBSYSTEM=cpu\n");
        assert_eq!(
            all["a"].pids,
            BTreeMap::from([("app".to_owned(), 77), ("other".to_owned(), 78)])
        );
        assert!(all["a"].ended);
        assert!(!all["b"].ended);
    }

    #[test]
    fn a_pid_that_was_not_told_is_an_error() {
        assert!(takes(b"@@BEGIN a\n@@PIDS app=\n").is_err());
        assert!(takes(b"@@PIDS app=1\n").is_err());
    }
}
