//! What really happened in a staged scenario: made of what was set up and of the pids that the cast told, never of
//! the kernel's log.

use serde::{Deserialize, Serialize};

use crate::cgroup::CgroupVersion;

/// What a reader of the log of one scenario has to find out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Name of the scenario.
    pub scenario: String,
    /// `uname -r` where it was staged.
    pub kernel_release: String,
    /// Which cgroup interface held the memory controller.
    pub cgroup_version: CgroupVersion,
    /// Every decision to kill, in order; empty when nothing may be reported.
    pub incidents: Vec<IncidentTruth>,
}

/// One decision of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentTruth {
    /// Code of the killer, as in the output contract.
    pub killer: String,
    /// `memcg`, `global`, `cpuset`, `mempolicy` or `sysrq`.
    pub scope: String,
    /// Who died; empty when the kernel found nobody to kill.
    pub victims: Vec<ProcessTruth>,
    /// Who asked for memory; null when that was no process of the cast.
    pub trigger: Option<ProcessTruth>,
    /// Cgroup whose limit was hit; null when it was no cgroup's.
    pub oom_memcg: Option<String>,
    /// Cgroup of the victim.
    pub task_memcg: Option<String>,
    /// Limit of `oom_memcg`.
    pub limit_kib: Option<u64>,
    /// About how much anonymous memory the first victim held, as far as the staging fixes it.
    pub approx_anon_kib: Option<u64>,
    /// About how much shared memory (tmpfs) was charged, as far as the staging fixes it.
    pub approx_shmem_kib: Option<u64>,
}

/// One process of the cast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessTruth {
    /// Pid in the machine's first pid namespace.
    pub pid: u32,
    /// Its name, at most 15 bytes; hostile ones hold control characters.
    pub comm: String,
    /// -1000 to 1000.
    pub oom_score_adj: i32,
}
