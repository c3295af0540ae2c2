//! Signals and ends of processes, as the kernel's tracepoints show them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::process::{Ancestor, MemoryCounters, Process};

/// A SIGKILL or SIGTERM at the moment it was generated (tracepoint `signal:signal_generate`), in the sender's context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KillSignal {
    /// When.
    pub boot_ns: u64,
    /// Number of the signal: 9 is SIGKILL, 15 SIGTERM.
    pub signal: u32,
    /// si_code: 0 SI_USER (kill), -6 SI_TKILL, -1 SI_QUEUE, 128 SI_KERNEL.
    pub code: i32,
    /// Who filled in the siginfo.
    pub origin: SignalOrigin,
    /// To the whole thread group.
    pub group: bool,
    /// `result` of the tracepoint: 0 delivered, 1 ignored, 2 already pending, 3 and 4 lost (include/trace/events/signal.h).
    pub result: i32,
    /// What the sender was doing in the kernel.
    pub call: SenderCall,
    /// Number of the system call the sender was in, by the table of the way it came (64 or 32 bit); null when it was in
    /// none.
    pub system_call: Option<i64>,
    /// Of kill(2), whom it was for: a process; 0 the sender's own process group, -1 everybody whom it may signal, another
    /// negative number the process group of that number.
    #[serde(default)]
    pub kill_pid: Option<i32>,
    /// The file the sender was writing to, when the call is [`SenderCall::Write`] and the kernel made up the siginfo:
    /// `cgroup.kill` of a cgroup, `sysrq-trigger`.
    pub written_file: Option<WrittenFile>,
    /// Who.
    pub sender: Process,
    /// The sender's parents, nearest first, at most 8.
    pub sender_ancestors: Vec<Ancestor>,
    /// Whom. Its arguments are not read here.
    pub target: Process,
    /// The target's parents, nearest first, at most 4.
    pub target_ancestors: Vec<Ancestor>,
    /// What the target held.
    pub memory: MemoryCounters,
    /// The target's limit of processor time; null when it has none.
    pub cpu_limit: Option<CpuLimit>,
    /// The target was traced, and the tracer asked for its end should it end itself (PTRACE_O_EXITKILL).
    pub ptrace_exitkill: bool,
    /// Thread group id of the target's tracer.
    pub tracer_tgid: Option<u32>,
}

/// Where a signal's siginfo came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalOrigin {
    /// A siginfo that a system call or a fault filled in.
    Siginfo,
    /// SEND_SIG_NOINFO: the kernel on behalf of the sender (cgroup.kill).
    NoInfo,
    /// SEND_SIG_PRIV: the kernel by its own decision (OOM killer, pid namespace teardown, RLIMIT_CPU).
    Kernel,
}

/// A file, as its file system names it. The path is hostile text; the type of the file system is the kernel's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenFile {
    /// Type of the file system it is on: `cgroup2`, `proc`. A file of the same name on another one is another thing.
    pub filesystem: SmolStr,
    /// From the root of that file system; starts with `…` when it is deeper than 16 levels.
    pub path: SmolStr,
}

/// What the sender was in when it generated the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SenderCall {
    /// kill(2)
    Kill,
    /// tkill(2), tgkill(2)
    Tkill,
    /// rt_sigqueueinfo(2), rt_tgsigqueueinfo(2)
    Sigqueue,
    /// pidfd_send_signal(2)
    PidfdSendSignal,
    /// write(2) and its kin: cgroup.kill, /proc/sysrq-trigger
    Write,
    /// exit(2), exit_group(2), or on its way out for another reason (PF_EXITING), whatever call that came in.
    Exit,
    /// execve(2), execveat(2)
    Exec,
    /// Another system call.
    OtherCall,
    /// None: a page fault, an interrupt, a kernel thread.
    NoCall,
    /// The source cannot tell.
    NotKnown,
}

/// RLIMIT_CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CpuLimit {
    /// Hard limit.
    pub hard_s: u64,
    /// Processor time the process had used.
    pub used_ms: u64,
}

/// The OOM killer chose (tracepoint `oom:mark_victim`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OomMark {
    /// When.
    pub boot_ns: u64,
    /// The victim.
    pub tgid: u32,
    /// The task in whose context it happened: who asked for the memory.
    pub by_tgid: u32,
}

/// The last thread of a process ended (tracepoint `sched:sched_process_exit`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// When.
    pub boot_ns: u64,
    /// Who.
    pub process: Process,
    /// Its parents, nearest first, at most 4.
    pub ancestors: Vec<Ancestor>,
    /// As wait(2) gives it: low 7 bits the signal, bit 7 a core dump, next 8 bits the exit status.
    pub wait_status: i32,
    /// Memory; resident sizes are those before the memory was given back, where the kernel still has them.
    pub memory: MemoryCounters,
}

impl Exit {
    /// The signal that ended it.
    pub fn signal(&self) -> Option<u32> {
        let signal = self.wait_status & 0x7f;
        (signal != 0).then_some(signal.unsigned_abs())
    }

    /// The status it exited with, when no signal ended it: 0 to 255.
    pub fn status(&self) -> Option<u32> {
        (self.wait_status & 0x7f == 0).then_some((self.wait_status >> 8 & 0xff).unsigned_abs())
    }
}
