//! The output contract as types: an incident and the document that holds incidents (schema version 1).
//!
//! Views format these, the store keeps them and reads them back, the JSON Schema under `docs/` is generated from them.
//! A field that is added later takes `#[serde(default)]` (an `Option` needs none), so that incidents stored before it
//! can still be read.
//! Nothing here computes a fact.

mod live;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use oom_report::report::{
    Doubt, MemcgStats, Missing, Outcome, Provenance, Reaped, Scope, StatUnit, SystemMemory, Task,
    Trigger,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::fact::{Exit, KillSignal, RuntimeEvent};

pub use live::Sender;

/// Version of the contract.
pub const SCHEMA: u32 = 1;

/// What `-o json` prints.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// `whodunit x.y.z`
    pub tool: String,
    /// What was read; cites point into this list.
    pub sources: Vec<SourceInfo>,
    /// In the order of the sources, each in time order.
    pub incidents: Vec<Incident>,
    /// What could not be read or had to be assumed.
    pub warnings: Vec<String>,
}

/// One thing that was read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq)]
pub struct SourceInfo {
    /// How it was reached.
    pub kind: SourceKind,
    /// Path, where it has one.
    pub path: Option<String>,
    /// Bytes read, after decompression.
    pub bytes: Option<u64>,
    /// Lines read, where they were counted.
    pub lines: Option<u64>,
    /// What was assumed to turn its times into UTC, in words; null when nothing was.
    pub time_assumption: Option<String>,
    /// Why it could not be read (wholly), in words.
    pub error: Option<String>,
}

/// How a source was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A file.
    File,
    /// Standard input.
    Stdin,
    /// /dev/kmsg.
    Kmsg,
    /// journalctl.
    Journal,
    /// The kernel's tracepoints.
    Ebpf,
}

/// One decision to kill.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Same kill, same id: made of what the kernel printed of the victims, not of where it was read.
    pub id: String,
    /// RFC 3339 UTC; null when the source has no wall clock.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub time: Option<Timestamp>,
    /// The line had no year, or no zone, and one was assumed.
    pub time_assumed: bool,
    /// Seconds since boot as the kernel prints them.
    pub boot_time_s: Option<f64>,
    /// Where known.
    pub boot_id: Option<String>,
    /// Host name where the log carries it.
    pub node: Option<String>,
    /// Where it was read.
    pub source: IncidentSource,
    /// The same kill in other places, `path:line`.
    pub also_in: Vec<String>,
    /// Who did it.
    pub verdict: Verdict,
    /// Kernel OOM kills only.
    pub scope: Option<Scope>,
    /// Who asked for memory.
    pub trigger: Option<Trigger>,
    /// The memory cgroup.
    pub memcg: Option<MemcgInfo>,
    /// Who died.
    pub victims: Vec<VictimInfo>,
    /// The kernel's task table.
    pub tasks: Vec<Task>,
    /// The kernel's choice, computed again: most killable first. Empty without a task table.
    pub ranking: Vec<RankedTask>,
    /// The machine.
    pub system: Option<SystemMemory>,
    /// Container of the first victim.
    pub container: Option<Container>,
    /// Pod of the first victim.
    pub pod: Option<Pod>,
    /// Where the victim's cgroup belongs, when it is no pod (docker, ECS, systemd unit, user session ...), in words.
    pub owner: Option<String>,
    /// How memory was split when the limit was hit, for charts. Empty when the report does not say.
    pub usage_split: Vec<UsagePart>,
    /// What is true and matters.
    pub findings: Vec<Finding>,
    /// What to change.
    pub remedies: Vec<Remedy>,
    /// What else the kernel said it did.
    pub outcomes: Vec<Outcome>,
    /// Sections that a whole report has and this one lacks.
    pub missing: Vec<Missing>,
    /// Why part of it should be taken with care.
    pub doubts: Vec<Doubt>,
    /// Who generated the signal, where that was seen.
    pub sender: Option<Sender>,
}

/// Where an incident was read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct IncidentSource {
    /// How the source was reached.
    pub kind: SourceKind,
    /// Path, where it has one.
    pub path: Option<String>,
    /// 1-based.
    pub first_line: Option<u64>,
    /// 1-based.
    pub last_line: Option<u64>,
    /// Which boot of its machine in this source, 1 for the first; null where a wall clock or `boot_id` tells the boots
    /// apart, or the lines have no clock at all.
    pub boot: Option<u32>,
    /// No section is missing and nothing was cut.
    pub complete: bool,
    /// Who wrote the lines, as far as the form shows.
    pub provenance: Provenance,
}

/// The line-up. Codes as in the output contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Killer {
    /// The container's own memory limit.
    KernelMemcgContainer,
    /// The pod's limit.
    KernelMemcgPod,
    /// A limit above the pod: QoS tier, kubepods, a slice.
    KernelMemcgAncestor,
    /// A memory cgroup limit, level not known.
    KernelMemcg,
    /// `memory.oom.group`.
    KernelGroupKill,
    /// The machine ran out.
    KernelGlobal,
    /// The nodes of a cpuset ran out.
    KernelCpuset,
    /// The nodes of a memory policy ran out.
    KernelMempolicy,
    /// sysrq-f.
    KernelSysrq,
    /// The pid namespace's init ended.
    KernelPidnsExit,
    /// `cgroup.kill`.
    KernelCgroupKill,
    /// RLIMIT_CPU hard limit.
    KernelRlimitCpu,
    /// Hardware memory error.
    KernelHwpoison,
    /// exec or core dump of a sibling thread.
    KernelExecOrCoredump,
    /// PTRACE_O_EXITKILL.
    KernelPtraceExitkill,
    /// systemd-oomd.
    DaemonSystemdOomd,
    /// earlyoom.
    DaemonEarlyoom,
    /// Another memory daemon.
    DaemonOther,
    /// Eviction.
    KubeletEviction,
    /// Liveness or startup probe.
    KubeletProbe,
    /// Grace period over.
    KubeletGracePeriod,
    /// Preemption.
    KubeletPreemption,
    /// Node shutdown.
    KubeletNodeShutdown,
    /// Kubelet, reason not known.
    Kubelet,
    /// The container runtime by itself.
    Runtime,
    /// A person.
    Person,
    /// A supervisor in the application.
    ApplicationParent,
    /// The program itself.
    ApplicationSelf,
    /// The node went away.
    NodeLost,
    /// Not known.
    Unknown,
}

/// How sure.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// No evidence.
    Unknown,
    /// Some evidence.
    Possible,
    /// Most likely.
    Probable,
    /// The evidence leaves no other reading.
    Certain,
}

/// Who did it, and how we know.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The killer.
    pub killer: Killer,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence that a tired person understands. May hold text from the log: escape before printing.
    pub summary: String,
    /// What convicts.
    pub evidence: Vec<Cite>,
    /// Who it was not.
    pub ruled_out: Vec<RuledOut>,
    /// What this command could not see.
    pub not_looked_at: Vec<NotLookedAt>,
}

/// A suspect that the evidence clears.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RuledOut {
    /// The suspect.
    pub killer: Killer,
    /// Why.
    pub because: String,
    /// What shows it.
    pub evidence: Vec<Cite>,
}

/// Evidence that was out of reach.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NotLookedAt {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// The command that would look.
    pub how_to: String,
}

/// A citation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cite {
    /// A line of a source.
    Line {
        /// Index into the document's sources.
        source: usize,
        /// 1-based.
        line: u64,
        /// The kernel text of that line, log framing taken off, hostile text and all.
        text: String,
    },
    /// A field of a file.
    File {
        /// Path.
        file: String,
        /// Which.
        field: String,
        /// As read.
        value: String,
    },
    /// A field of an API object.
    Object {
        /// `Pod ns/name`
        object: String,
        /// Which.
        field: String,
        /// As read.
        value: String,
    },
    /// A signal.
    Signal {
        /// As the kernel's tracepoint showed it.
        signal: Box<KillSignal>,
    },
    /// The end of a process.
    Exit {
        /// As the kernel's tracepoint showed it.
        exit: Box<Exit>,
    },
    /// A runtime's event.
    RuntimeEvent {
        /// As it came.
        runtime_event: Box<RuntimeEvent>,
    },
}

/// The memory cgroup of a memcg kill.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct MemcgInfo {
    /// The cgroup whose limit was hit.
    pub path: Option<String>,
    /// Which level that is, in words: `container`, `pod`, `Burstable tier`, `kubepods`, `system.slice` ...
    pub level: Option<String>,
    /// `memory:` line.
    pub usage_kib: Option<u64>,
    /// Null also when the kernel printed its "no limit" number.
    pub limit_kib: Option<u64>,
    /// Times the limit was hit.
    pub failcnt: Option<u64>,
    /// memory+swap, v1.
    pub memsw_usage_kib: Option<u64>,
    /// memory+swap, v1.
    pub memsw_limit_kib: Option<u64>,
    /// memory+swap, v1.
    pub memsw_failcnt: Option<u64>,
    /// Kernel memory, v1.
    pub kmem_usage_kib: Option<u64>,
    /// Kernel memory, v1.
    pub kmem_limit_kib: Option<u64>,
    /// Kernel memory, v1.
    pub kmem_failcnt: Option<u64>,
    /// Swap, v2.
    pub swap_usage_kib: Option<u64>,
    /// Swap, v2.
    pub swap_limit_kib: Option<u64>,
    /// Swap, v2.
    pub swap_failcnt: Option<u64>,
    /// The cgroup of the victim.
    pub victim_path: Option<String>,
    /// Every cgroup the report lists.
    pub stats: Vec<MemcgStats>,
    /// One-line meaning of every field name that occurs in `stats`.
    pub meanings: BTreeMap<String, Cow<'static, str>>,
}

/// A statistic as a size in KiB; `None` for those that count events.
pub fn stat_kib(stats: &MemcgStats, name: &str, value: u64) -> Option<u64> {
    oom_report::memcg_stat::lookup(name).filter(|field| field.is_size)?;
    Some(match stats.unit {
        StatUnit::KB => value,
        StatUnit::Bytes => value / 1024,
    })
}

/// A process that was killed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct VictimInfo {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Thread group id.
    pub tgid: Option<u32>,
    /// Name; hostile text.
    pub comm: SmolStr,
    /// User id.
    pub uid: Option<u32>,
    /// Virtual size.
    pub total_vm_kib: Option<u64>,
    /// Resident anonymous.
    pub anon_rss_kib: Option<u64>,
    /// Resident file-backed.
    pub file_rss_kib: Option<u64>,
    /// Resident shmem.
    pub shmem_rss_kib: Option<u64>,
    /// Page tables.
    pub pgtables_kib: Option<u64>,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The printed score.
    pub badness: Option<u64>,
    /// Killed with its group.
    pub group_kill: bool,
    /// Killed since it shares the memory of the victim.
    pub shares_memory: bool,
    /// What the reaper left.
    pub reaped: Option<Reaped>,
    /// The reaper gave up.
    pub reap_failed: bool,
    /// Its container; of several victims, as far as the log says.
    pub container: Option<Container>,
    /// Its pod.
    pub pod: Option<Pod>,
}

/// A task and the kernel's badness, computed again from the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankedTask {
    /// Process id.
    pub pid: u32,
    /// Its name; hostile text.
    pub comm: SmolStr,
    /// Resident, KiB.
    pub rss_kib: u64,
    /// Swapped out, KiB.
    pub swap_kib: Option<u64>,
    /// -1000 to 1000.
    pub oom_score_adj: i32,
    /// The kernel's points in pages; null when the task may not be killed.
    pub badness_pages: Option<i64>,
    /// The kernel killed it.
    pub killed: bool,
    /// It asked for the memory.
    pub trigger: bool,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// Full id, or as much as the path holds.
    pub id: Option<String>,
    /// docker, containerd, cri-o, podman ...; null when the path does not tell.
    pub runtime: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Image.
    pub image: Option<String>,
    /// The pod's sandbox.
    pub is_pause: bool,
    /// Restarts.
    pub restart_count: Option<u32>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// With dashes. A static pod's is the hash of its manifest.
    pub uid: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// QoS class, from the cgroup path.
    pub qos_class: Option<QosClass>,
    /// Controller.
    pub owner: Option<Owner>,
}

/// Kubernetes' quality of service class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum QosClass {
    /// Requests equal limits for every container.
    Guaranteed,
    /// Some request or limit.
    Burstable,
    /// None.
    BestEffort,
}

/// What controls a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// Deployment, DaemonSet ...
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One part of the usage at the limit; the parts of one list do not overlap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsagePart {
    /// `anonymous`, `huge pages (anonymous)`, `tmpfs/shmem`, `page cache`, `kernel`, `swap`, `other` ...
    pub name: String,
    /// Size.
    pub kib: u64,
    /// The part the kernel cannot give back without killing or swapping.
    pub unreclaimable: bool,
}

/// How much a finding matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Unusual.
    Notice,
    /// Contributes.
    Warning,
    /// The cause, or worse to come.
    Critical,
}

/// Something that is true and matters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// kebab-case and stable.
    pub code: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// A short sentence; may hold hostile text.
    pub title: String,
    /// What it means; may hold hostile text.
    pub detail: String,
    /// The numbers.
    pub values: BTreeMap<Cow<'static, str>, Value>,
    /// What shows it.
    pub evidence: Vec<Cite>,
}

/// A number or a string.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// An integer in the unit of the name.
    Integer(i64),
    /// A ratio or a percentage.
    Number(f64),
    /// Text.
    Text(String),
}

/// What to change.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// kebab-case and stable.
    pub code: Cow<'static, str>,
    /// A short imperative sentence.
    pub title: String,
    /// Why it helps and when it does not.
    pub detail: String,
    /// Commands to copy; hostile text never gets into one unquoted.
    pub commands: Vec<String>,
    /// What can go wrong.
    pub risk: String,
}
