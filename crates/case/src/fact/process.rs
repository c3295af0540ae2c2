//! A process at one instant, as the kernel knew it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A process, or the thread of it that acted. `tgid` and `start_boot_ns` together name it for the life of a boot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Thread id in the initial pid namespace.
    pub pid: u32,
    /// Thread group id: what user space calls the pid.
    pub tgid: u32,
    /// When the thread group leader started: `start_boottime` of task_struct (5.5+), CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    /// Name of the thread group leader for a target, of the acting thread for a sender; hostile text, 15 bytes at most.
    pub comm: SmolStr,
    /// File name (not path) of its executable, which a program cannot change as it can its comm; null for a kernel
    /// thread and for one whose memory is gone.
    pub exe: Option<SmolStr>,
    /// Its arguments, as far as they were read (256 bytes); hostile text. Empty when they were not.
    pub arguments: Vec<SmolStr>,
    /// Effective user id in the initial user namespace.
    pub uid: u32,
    /// The login that everything it does is accounted to (audit loginuid); null when no login set one.
    pub login_uid: Option<u32>,
    /// The audit session of that login.
    pub login_session: Option<u32>,
    /// Inode number of its pid namespace, as in /proc/PID/ns/pid.
    pub pid_namespace: Option<u32>,
    /// Its thread group id inside that namespace; 1 is the namespace's init.
    pub namespaced_tgid: Option<u32>,
    /// Where it is in the cgroup hierarchies.
    pub cgroups: CgroupPaths,
    /// Controlling terminal, `pts3`.
    pub tty: Option<SmolStr>,
    /// A kernel thread (PF_KTHREAD).
    pub kernel_thread: bool,
    /// It was on its way out (PF_EXITING).
    pub exiting: bool,
}

impl Process {
    /// Whether both are the same process, seen by sources of different precision: /proc/PID/stat gives the start in
    /// hundredths of a second, the tracepoints in nanoseconds.
    pub fn is_same(&self, other: &Self) -> bool {
        const TICK_NS: u64 = 10_000_000;
        self.tgid == other.tgid && self.start_boot_ns / TICK_NS == other.start_boot_ns / TICK_NS
    }
}

/// Paths from the root of a hierarchy, as in /proc/PID/cgroup; hostile text. One that is deeper than its source reads
/// (16 levels for eBPF) lacks the upper part and starts with `…`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CgroupPaths {
    /// In the unified hierarchy (cgroup v2).
    pub unified: Option<SmolStr>,
    /// In the hierarchy of the memory controller, where that is v1.
    pub memory: Option<SmolStr>,
    /// Id of the cgroup in the unified hierarchy (its inode number).
    pub unified_id: Option<u64>,
}

impl CgroupPaths {
    /// The path that tells the owner: the memory controller's where it says more than the root, else the unified one.
    pub fn path(&self) -> Option<&str> {
        let told = |path: &Option<SmolStr>| path.as_deref().is_some_and(|path| path != "/");
        match (told(&self.memory), told(&self.unified)) {
            (true, _) => self.memory.as_deref(),
            (false, true) => self.unified.as_deref(),
            (false, false) => self.memory.as_deref().or(self.unified.as_deref()),
        }
    }
}

/// A process above another in the tree, with as much as tells who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ancestor {
    /// Thread group id.
    pub tgid: u32,
    /// See [`Process::start_boot_ns`].
    pub start_boot_ns: u64,
    /// Hostile text.
    pub comm: SmolStr,
    /// See [`Process::exe`].
    pub exe: Option<SmolStr>,
    /// Effective user id.
    pub uid: u32,
    /// See [`Process::login_uid`].
    pub login_uid: Option<u32>,
    /// See [`Process::tty`].
    pub tty: Option<SmolStr>,
    /// See [`Process::pid_namespace`].
    pub pid_namespace: Option<u32>,
    /// See [`Process::namespaced_tgid`].
    pub namespaced_tgid: Option<u32>,
    /// See [`CgroupPaths::path`].
    pub cgroup: Option<SmolStr>,
}

impl Ancestor {
    /// Whether it is that process.
    pub fn is(&self, process: &Process) -> bool {
        (self.tgid, self.start_boot_ns) == (process.tgid, process.start_boot_ns)
    }
}

/// What a process and its memory cgroup held at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MemoryCounters {
    /// Virtual size.
    pub total_vm_kib: Option<u64>,
    /// Resident anonymous. From 6.2 on the kernel counts per CPU: may lag by some pages a CPU.
    pub anon_rss_kib: Option<u64>,
    /// Resident file-backed.
    pub file_rss_kib: Option<u64>,
    /// Resident shmem.
    pub shmem_rss_kib: Option<u64>,
    /// Swapped out.
    pub swap_kib: Option<u64>,
    /// Page tables.
    pub pgtables_kib: Option<u64>,
    /// Most that was ever resident.
    pub max_rss_kib: Option<u64>,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Charged to its memory cgroup.
    pub memcg_usage_kib: Option<u64>,
    /// Limit of its memory cgroup; null when it has none.
    pub memcg_limit_kib: Option<u64>,
    /// How many levels above its memory cgroup the one stands that was full (0: its own), when the kernel killed it by its
    /// own decision; null when none was. Of several the one with the least room (memory.max less usage, or v1's).
    #[serde(default)]
    pub memcg_full_level: Option<u32>,
    /// The same way up to the first memory cgroup with `memory.oom.group` (v2, since 4.19), for such a kill; null when none
    /// has it.
    #[serde(default)]
    pub memcg_group_level: Option<u32>,
}
