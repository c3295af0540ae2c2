//! What the cgroup file system tells: out-of-memory events, cgroups that ran empty, what a cgroup may use and uses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A cgroup's out-of-memory counts went up (v2 `memory.events` and `memory.events.local`, v1 `memory.oom_control`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CgroupOom {
    /// CLOCK_BOOTTIME when it was read here: up to 10 ms after the kernel counted (cgroup_file_notify).
    pub boot_ns: u64,
    /// From the root of the hierarchy; hostile text.
    pub path: SmolStr,
    /// Which hierarchy.
    pub hierarchy: CgroupHierarchy,
    /// Whose events are counted.
    pub level: EventLevel,
    /// Before.
    pub before: OomCounts,
    /// After.
    pub after: OomCounts,
}

impl CgroupOom {
    /// Processes killed since the count before.
    pub fn kills(&self) -> u64 {
        self.after.oom_kill.saturating_sub(self.before.oom_kill)
    }
}

/// The hierarchy of the memory controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupHierarchy {
    /// cgroup v1's memory hierarchy.
    MemoryV1,
    /// The unified hierarchy, cgroup v2.
    Unified,
}

/// Whose events a count holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventLevel {
    /// The cgroup's own: `oom_kill` counts victims that were in it, `oom` that its limit was hit.
    Local,
    /// Its own and those of all below, also of cgroups that are gone.
    Subtree,
}

/// Counts since the cgroup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OomCounts {
    /// Times that its limit was hit and nothing could be reclaimed; null on v1, which does not count it.
    pub oom: Option<u64>,
    /// Processes killed by the OOM killer.
    pub oom_kill: u64,
    /// Times that the whole cgroup was killed (5.17+).
    pub oom_group_kill: Option<u64>,
}

/// The last process of a cgroup and of all below it is gone (v2 `cgroup.events`, `populated 0`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CgroupEmptied {
    /// CLOCK_BOOTTIME when it was read here.
    pub boot_ns: u64,
    /// From the root of the unified hierarchy; hostile text.
    pub path: SmolStr,
}

/// What a cgroup may use and uses, at one instant. `None`: its files do not say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CgroupMemory {
    /// From the root of the hierarchy; hostile text.
    pub path: SmolStr,
    /// `memory.current`, `memory.usage_in_bytes`.
    pub usage_bytes: Option<u64>,
    /// `memory.max`, `memory.limit_in_bytes`; see `unlimited`.
    pub limit_bytes: Option<u64>,
    /// The limit was read, and there is none.
    pub unlimited: bool,
    /// `memory.high`; v1 has none.
    pub high_bytes: Option<u64>,
    /// `memory.low` (v2).
    pub low_bytes: Option<u64>,
    /// `memory.min` (v2).
    pub min_bytes: Option<u64>,
    /// `memory.peak`, `memory.max_usage_in_bytes`.
    pub peak_bytes: Option<u64>,
    /// `memory.swap.current`; v1: `memory.memsw.usage_in_bytes` less the usage.
    pub swap_usage_bytes: Option<u64>,
    /// `memory.swap.max`; on v1 `memory.memsw.limit_in_bytes`, which is of memory and swap together.
    pub swap_limit_bytes: Option<u64>,
    /// v1 `memory.failcnt`: times that a charge ran against the limit.
    pub failcnt: Option<u64>,
    /// v2 `memory.oom.group`: all die together.
    pub oom_group: Option<bool>,
    /// v1 `oom_kill_disable`: the kernel lets the processes wait.
    pub oom_kill_disabled: Option<bool>,
    /// Out-of-memory counts of the cgroup itself, or of its subtree where the kernel has no others.
    pub oom: Option<OomCounts>,
    /// `memory.stat`, in its order; bytes, pages or events as the kernel's documentation says for each.
    pub stat: Vec<(SmolStr, u64)>,
    /// `memory.pressure` (v2).
    pub pressure: Option<Pressure>,
    /// `cgroup.procs`: how many processes are in it.
    pub processes: Option<u64>,
}

/// Pressure stall information (Documentation/accounting/psi.rst).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pressure {
    /// At least one task waited.
    pub some: Stall,
    /// All tasks waited; null for the processor of a whole machine on kernels before 5.13.
    pub full: Option<Stall>,
}

/// How much of the time was lost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    /// Percent of the last 10 s.
    pub avg10_percent: f32,
    /// Percent of the last 60 s.
    pub avg60_percent: f32,
    /// Percent of the last 300 s.
    pub avg300_percent: f32,
    /// Since boot, or since the cgroup was made.
    pub total_us: u64,
}
