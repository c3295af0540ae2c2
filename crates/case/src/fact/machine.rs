//! What a whole machine had and was told to do at one instant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cgroup::Pressure;

/// Memory settings, memory and pressure of a machine. `None`: its files do not say.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MachineMemory {
    /// vm.overcommit_memory: 0 heuristic, 1 always, 2 never.
    pub overcommit_memory: Option<u32>,
    /// vm.overcommit_ratio, percent.
    pub overcommit_ratio: Option<u32>,
    /// vm.overcommit_kbytes; 0 when the ratio counts.
    pub overcommit_kib: Option<u64>,
    /// vm.panic_on_oom: 0 kill, 1 panic unless the OOM is of a cgroup, 2 always panic.
    pub panic_on_oom: Option<u32>,
    /// vm.oom_kill_allocating_task: the one that asks is killed, not the one with the highest score.
    pub oom_kill_allocating_task: Option<u32>,
    /// vm.swappiness.
    pub swappiness: Option<u32>,
    /// MemTotal.
    pub total_kib: Option<u64>,
    /// MemFree.
    pub free_kib: Option<u64>,
    /// MemAvailable.
    pub available_kib: Option<u64>,
    /// SwapTotal.
    pub swap_total_kib: Option<u64>,
    /// SwapFree.
    pub swap_free_kib: Option<u64>,
    /// CommitLimit: holds with vm.overcommit_memory=2 only.
    pub commit_limit_kib: Option<u64>,
    /// Committed_AS.
    pub committed_as_kib: Option<u64>,
    /// Shmem.
    pub shmem_kib: Option<u64>,
    /// Slab that can't be given back (SUnreclaim).
    pub slab_unreclaimable_kib: Option<u64>,
    /// /proc/pressure/memory.
    pub memory_pressure: Option<Pressure>,
    /// /proc/pressure/io.
    pub io_pressure: Option<Pressure>,
    /// /proc/pressure/cpu.
    pub cpu_pressure: Option<Pressure>,
}
