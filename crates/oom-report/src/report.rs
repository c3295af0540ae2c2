//! The facts of one kernel out-of-memory report, as the kernel printed them.
//!
//! Types only: no parsing, no judging, no IO. A fact the log does not hold is `None` or an empty list,
//! never 0. Sizes carry their unit in the name; pages stay pages until the page size is known.

mod system;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::kernel_version::KernelVersion;

#[cfg(feature = "serde")]
use {
    schemars::JsonSchema,
    serde::{Deserialize, Serialize},
};

/// One decision of the kernel's OOM killer, with everything the log says about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OomReport {
    /// The lines that make up the report, cleaned of their log framing.
    pub text: ReportText,
    /// Whether the source shows that the kernel wrote these lines.
    pub provenance: Provenance,
    /// When the first line of the report was logged.
    pub time: Stamp,
    /// Host name, where the line form carries one.
    pub node: Option<SmolStr>,
    /// Boot id, where the form carries one (journal).
    pub boot_id: Option<SmolStr>,
    /// Which boot of its machine in this log, 1 for the first, where nothing but the kernel's clock tells (no wall
    /// clock, no boot id).
    pub boot_ordinal: Option<u32>,
    /// Kernel release, from the report's `CPU:` line or from a banner earlier in the log.
    pub kernel_release: Option<SmolStr>,
    /// The same, read.
    pub kernel: Option<KernelVersion>,
    /// Which kind of shortage the kernel acted on.
    pub scope: Option<Scope>,
    /// Line of the `oom-kill:` record (5.0+), which names constraint, memcgs and victim.
    pub constraint_line: Option<LineIndex>,
    /// Line in which the kernel says that somebody asked for the kill with sysrq-f, where the header is lost.
    pub sysrq_line: Option<LineIndex>,
    /// The task that asked for memory.
    pub trigger: Option<Trigger>,
    /// What is known of the memory cgroup, for a memcg kill.
    pub memcg: Option<Memcg>,
    /// The kernel's task table, in its order.
    pub tasks: Vec<Task>,
    /// Who was chosen, in the order of the kill lines. Empty when nobody was.
    pub victims: Vec<Victim>,
    /// System-wide memory state (`Mem-Info` and what follows).
    pub system: Option<SystemMemory>,
    /// Page size, found from numbers that the report prints both in pages and in kB.
    pub page_size_bytes: Option<u64>,
    /// Outcomes other than an ordinary kill.
    pub outcomes: Vec<(Outcome, LineIndex)>,
    /// Sections that a whole report has and this one lacks; what to tell the user is missing.
    pub missing: Vec<Missing>,
    /// Text that could not be read although it stood where a fact was expected.
    pub doubts: Vec<(Doubt, Option<LineIndex>)>,
}

pub use system::{FreeArea, HugePages, NodeMemory, Slab, SystemMemory, Zone};

/// Index into [`ReportText`].
pub type LineIndex = u32;

/// The kernel text of a report, line by line, in one allocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportText {
    text: String,
    lines: Vec<(u64, u32)>,
}

impl ReportText {
    /// Adds a line with its 1-based number in the source; returns its index.
    pub fn push(&mut self, number: u64, text: &str) -> LineIndex {
        self.text.push_str(text);
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.lines.push((number, end));
        u32::try_from(self.lines.len() - 1).unwrap_or(u32::MAX)
    }

    /// The line's number in its source (1-based) and its text.
    pub fn get(&self, index: LineIndex) -> Option<(u64, &str)> {
        let index = index as usize;
        let (number, end) = *self.lines.get(index)?;
        let start = match index {
            0 => 0,
            _ => self.lines.get(index - 1)?.1,
        };
        Some((number, self.text.get(start as usize..end as usize)?))
    }

    /// Gives each line the number that `renumbered` makes of its own.
    pub fn renumber(&mut self, renumbered: impl Fn(u64) -> u64) {
        for line in &mut self.lines {
            line.0 = renumbered(line.0);
        }
    }

    /// How many lines are held.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no line is held.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Number of the first line in the source, 1-based.
    pub fn first_line(&self) -> Option<u64> {
        self.lines.iter().map(|line| line.0).min()
    }

    /// Number of the last line in the source, 1-based.
    pub fn last_line(&self) -> Option<u64> {
        self.lines.iter().map(|line| line.0).max()
    }

    /// All lines in order, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        (0..self.lines.len()).filter_map(|index| self.get(u32::try_from(index).ok()?))
    }
}

/// How sure the source makes us that the kernel itself wrote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize, JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Provenance {
    /// The form carries no sign of who wrote the line (bare text, plain dmesg output).
    #[default]
    Unverified,
    /// A syslog tag `kernel:` says so; any local process can write such a line through syslog.
    KernelTag,
    /// Facility 0 in a record that user space cannot forge (/dev/kmsg, the journal's trusted fields).
    Kernel,
}

/// When a line was logged, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Microseconds since boot, as the kernel printed them.
    pub boot_us: Option<u64>,
    /// Wall clock, where the form carries one.
    pub wall: Option<WallTime>,
}

/// A wall-clock time, and what had to be assumed to get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTime {
    /// The instant.
    pub timestamp: Timestamp,
    /// The line had no year; the one in the caller's assumptions was taken.
    pub year_assumed: bool,
    /// The line had no zone; the one in the caller's assumptions was taken.
    pub zone_assumed: bool,
}

/// The kernel's constraint, or sysrq. Source: `enum oom_constraint`, include/linux/oom.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize, JsonSchema),
    serde(rename_all = "lowercase")
)]
pub enum Scope {
    /// `CONSTRAINT_MEMCG`: a memory cgroup reached its limit.
    Memcg,
    /// `CONSTRAINT_NONE`: the machine ran out.
    Global,
    /// `CONSTRAINT_CPUSET`: the allowed memory nodes of a cpuset ran out.
    Cpuset,
    /// `CONSTRAINT_MEMORY_POLICY`: the nodes of a memory policy ran out.
    Mempolicy,
    /// Somebody pressed (or wrote) sysrq-f.
    Sysrq,
}

/// The task whose allocation could not be met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct Trigger {
    /// Thread id, from the `CPU:` line.
    pub pid: Option<u32>,
    /// Thread name.
    pub comm: SmolStr,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The allocation's flags, raw.
    pub gfp_mask: Option<u64>,
    /// The flags by name: as printed (4.6+), else decoded by kernel version.
    pub gfp_flags: Vec<SmolStr>,
    /// Log2 of the pages asked for; -1 is sysrq-f (4.3+).
    pub order: Option<i32>,
    /// CPU it ran on.
    pub cpu: Option<u32>,
    /// User id, printed in the `CPU:` line from 6.12 on.
    pub uid: Option<u32>,
    /// Kernel release as in the `CPU:` line.
    pub kernel_release: Option<SmolStr>,
    /// `Hardware name:`.
    pub hardware: Option<SmolStr>,
    /// Name of its cpuset.
    pub cpuset: Option<SmolStr>,
    /// NUMA nodes that its cpuset allows, as printed.
    pub mems_allowed: Option<SmolStr>,
    /// NUMA nodes that the allocation was limited to (`nodemask=`), as printed; none for `(null)`.
    pub nodemask: Option<SmolStr>,
    /// Call trace, innermost first, without addresses and offsets; without the guesses of the kernel's unwinder (`?`)
    /// unless there is nothing else.
    pub stack: Vec<SmolStr>,
    /// The report came from the page-fault path (`pagefault_out_of_memory`).
    pub page_fault: bool,
    /// Where the header stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: Option<LineIndex>,
    /// Where the `CPU:` line stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub cpu_line: Option<LineIndex>,
}

/// One of the counters a memory cgroup is charged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Charged, in KiB.
    pub usage_kib: Option<u64>,
    /// Limit, in KiB. The kernel prints a huge number (v1) or `max`-derived value for "no limit".
    pub limit_kib: Option<u64>,
    /// How often a charge hit the limit since the cgroup was made.
    pub failcnt: Option<u64>,
    /// Where it stands.
    pub line: Option<LineIndex>,
}

/// The memory cgroup facts of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memcg {
    /// The cgroup whose limit was hit (`oom_memcg`, `as a result of limit of`).
    pub path: Option<SmolStr>,
    /// The cgroup of the victim (`task_memcg`, `Task in`).
    pub victim_path: Option<SmolStr>,
    /// Where the two paths stand (for kernels before 5.0: `Task in ... killed as a result of limit of ...`).
    pub path_line: Option<LineIndex>,
    /// `memory:`
    pub memory: Counter,
    /// `memory+swap:` (v1)
    pub memsw: Counter,
    /// `kmem:` (v1)
    pub kmem: Counter,
    /// `swap:` (v2)
    pub swap: Counter,
    /// Statistics of every cgroup that the report lists.
    pub stats: Vec<MemcgStats>,
    /// The cgroup named by `Tasks in ... are going to be killed due to memory.oom.group set`.
    pub group_path: Option<SmolStr>,
    /// Where that stands.
    pub group_line: Option<LineIndex>,
}

/// `Memory cgroup stats for PATH:` and its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct MemcgStats {
    /// The cgroup; `None` where the kernel printed none (some 4.19 to 5.x builds print an empty name).
    pub path: Option<SmolStr>,
    /// Names and integers exactly as printed.
    pub fields: NamedValues,
    /// The unit of those fields that are sizes.
    pub unit: StatUnit,
    /// Where it starts.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: Option<LineIndex>,
}

/// Unit of the sizes in [`MemcgStats::fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub enum StatUnit {
    /// KiB: the one-line form of kernels before 5.3, and of v1 before 6.5.
    KB,
    /// Bytes: the `memory.stat` form (5.3 and later, v1 from 6.5).
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "bytes"))]
    Bytes,
}

impl MemcgStats {
    /// A size field in KiB, whatever the unit printed.
    pub fn kib(&self, name: &str) -> Option<u64> {
        let value = self.fields.get(name)?;
        Some(match self.unit {
            StatUnit::KB => value,
            StatUnit::Bytes => value / 1024,
        })
    }
}

/// Names and numbers in the order printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedValues(pub Vec<(SmolStr, u64)>);

impl NamedValues {
    /// The number of that name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(feature = "serde")]
impl Serialize for NamedValues {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key.as_str(), value)))
    }
}

/// Keeps the order, which a map would not.
#[cfg(feature = "serde")]
impl<'de> Deserialize<'de> for NamedValues {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> serde::de::Visitor<'de> for Pairs {
            type Value = NamedValues;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("names and numbers")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<NamedValues, A::Error> {
                let mut values = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    values.push(pair);
                }
                Ok(NamedValues(values))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(feature = "serde")]
impl JsonSchema for NamedValues {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NamedValues".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}})
    }
}

/// One row of the kernel's task table (`dump_task`, mm/oom_kill.c). Sizes are pages, as printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct Task {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// User id.
    pub uid: Option<u32>,
    /// Thread group id.
    pub tgid: u32,
    /// Virtual size, pages.
    pub total_vm_pages: u64,
    /// Resident, pages.
    pub rss_pages: u64,
    /// Resident anonymous, pages (6.8+).
    pub rss_anon_pages: Option<u64>,
    /// Resident file-backed, pages (6.8+).
    pub rss_file_pages: Option<u64>,
    /// Resident shmem, pages (6.8+).
    pub rss_shmem_pages: Option<u64>,
    /// Number of page-table pages (before 4.15).
    pub nr_ptes: Option<u64>,
    /// Number of page-middle-directory pages (4.1 to 4.14).
    pub nr_pmds: Option<u64>,
    /// Bytes of page tables (4.15+).
    pub pgtables_bytes: Option<u64>,
    /// Swapped out, pages.
    pub swapents_pages: Option<u64>,
    /// CPU (only before 3.3).
    pub cpu: Option<u32>,
    /// -1000 to 1000.
    pub oom_score_adj: i32,
    /// Name of the thread.
    pub comm: SmolStr,
    /// Where the row stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: LineIndex,
}

/// A process that the kernel sent SIGKILL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Victim {
    /// As printed in the kill line (before 3.x the thread, else the thread group leader).
    pub pid: u32,
    /// Its name.
    pub comm: SmolStr,
    /// Thread group id, from the task table.
    pub tgid: Option<u32>,
    /// User id.
    pub uid: Option<u32>,
    /// Virtual size.
    pub total_vm_kib: Option<u64>,
    /// Resident anonymous.
    pub anon_rss_kib: Option<u64>,
    /// Resident file-backed.
    pub file_rss_kib: Option<u64>,
    /// Resident shmem (4.5+).
    pub shmem_rss_kib: Option<u64>,
    /// Page tables (5.4+).
    pub pgtables_kib: Option<u64>,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// `score N or sacrifice child`: the badness in thousandths of the allowed memory (before 5.1).
    pub score: Option<u64>,
    /// Killed because its memory cgroup has `memory.oom.group` set.
    pub group_kill: bool,
    /// Killed only since it shares the memory of the victim (`sharing same memory`).
    pub shares_memory: bool,
    /// Announced by `Kill process` and then spared in favour of a child (before 5.1), or the line after is missing.
    pub announced_only: bool,
    /// What the reaper left, from the `oom_reaper:` line.
    pub reaped: Option<Reaped>,
    /// `oom_reaper: unable to reap`.
    pub reap_failed: bool,
    /// The kill line and the lines that add to it (announcement, reaper).
    pub lines: Vec<LineIndex>,
}

/// What was still resident after the OOM reaper had gone through the victim's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct Reaped {
    /// Anonymous, after.
    pub anon_rss_kib: u64,
    /// File-backed, after.
    pub file_rss_kib: u64,
    /// Shmem, after.
    pub shmem_rss_kib: Option<u64>,
}

/// What else the kernel said it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize, JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Outcome {
    /// `Out of memory and no killable processes...`
    NoKillableProcesses,
    /// `System is deadlocked on memory` (panic follows).
    Deadlocked,
    /// `Kernel panic - not syncing: Out of memory: ... panic_on_oom is enabled`.
    Panic,
    /// `OOM request ignored. No task eligible` (sysrq-f).
    SysrqIgnored,
    /// `oom_reaper: unable to reap pid`.
    ReapFailed,
    /// `oom killer ... disabled` and other refusals.
    KillerDisabled,
}

/// A section that a whole report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize, JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Missing {
    /// `... invoked oom-killer`
    Header,
    /// `CPU: .. PID: .. Comm: ..`
    CpuLine,
    /// The call trace.
    Stack,
    /// The memcg's usage and limit lines.
    MemcgUsage,
    /// The memcg's statistics.
    MemcgStats,
    /// `Mem-Info` (global kills).
    MemInfo,
    /// The task table.
    TaskTable,
    /// `oom-kill:` (5.0+) or `Task in ...` (earlier, memcg).
    Constraint,
    /// `Killed process ...`
    KillLine,
}

/// Why part of a report should be taken with care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize, JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Doubt {
    /// Two reports ran into each other without a mark of which line is whose; facts that could be either's were left out.
    Interleaved,
    /// Lines were dropped by the log's rate limit or the ring buffer.
    LinesLost,
    /// A line ends before the kernel's text does (pager, terminal width, end of input).
    LineCut,
    /// The kernel's own text is known to be wrong in this version and was corrected.
    KernelBug,
    /// The trigger's name differs between the header and the `CPU:` line.
    TriggerMismatch,
    /// Task rows without their header: columns were told by their number.
    TableHeaderMissing,
}
