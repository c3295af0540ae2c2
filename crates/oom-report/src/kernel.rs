//! The kernel's side: one line of kernel text (log framing already off) -> what it says.
//!
//! Format strings are those of mm/oom_kill.c, mm/memcontrol.c, mm/page_alloc.c and lib/show_mem.c or
//! mm/show_mem.c, 3.10 to 7.x; docs/kernel-reports.md lists them by version. Knows nothing of timestamps,
//! sources or the order of lines.

pub(crate) mod kill;
pub(crate) mod memcg;
pub(crate) mod show_mem;
pub(crate) mod table;
pub(crate) mod trigger;

use crate::report::Outcome;

/// Longest name of a task (TASK_COMM_LEN less its end, include/linux/sched.h).
pub(crate) const COMM_BYTES: usize = 15;

/// What one line of kernel text says. `Other` is not part of a report, as far as the line alone shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KernelLine<'a> {
    /// `COMM invoked oom-killer: ...`
    Header(trigger::Header<'a>),
    /// `COMM cpuset=NAME mems_allowed=LIST` (before 5.0)
    Cpuset {
        cpuset: &'a [u8],
        mems_allowed: &'a [u8],
    },
    /// `CPU: N PID: N Comm: ...`
    Cpu(trigger::CpuLine<'a>),
    /// `Hardware name: ...`
    Hardware(&'a [u8]),
    /// `Call Trace:` and the marks `<TASK>`, `<IRQ>`
    StackMark,
    /// A function of the call trace.
    StackFrame(trigger::StackFrame<'a>),
    /// Registers printed after the call trace.
    Registers,
    /// `Task in VICTIM killed as a result of limit of LIMIT` (before 5.0)
    TaskIn { victim: &'a [u8], limit: &'a [u8] },
    /// `memory: usage ..` and its kind
    Usage(memcg::Usage),
    /// `Memory cgroup stats for PATH:`, with the numbers on the same line before 5.3
    Stats(memcg::StatsLine<'a>),
    /// Part of `Mem-Info` and what follows it
    ShowMem(show_mem::ShowMemLine<'a>),
    /// `Tasks state (memory values in pages):`
    TasksState,
    /// `[ pid ]   uid  tgid total_vm ...`
    TableHeader(table::Columns),
    /// A row of the table, unread
    TaskRow(&'a [u8]),
    /// `oom-kill:constraint=...`
    Constraint(kill::ConstraintLine<'a>),
    /// `Kill process N (c) score S or sacrifice child`
    Announce(kill::Announce<'a>),
    /// `Killed process N (c) ...`
    Killed(kill::Killed<'a>),
    /// `Kill process N (c) sharing same memory`
    Sharing { pid: u32, comm: &'a [u8] },
    /// `Tasks in PATH are going to be killed due to memory.oom.group set`
    Group(&'a [u8]),
    /// `oom_reaper: reaped process ...`
    Reaped(kill::ReapedLine<'a>),
    /// `oom_reaper: unable to reap pid:N (c)`
    ReapFailed { pid: u32, comm: &'a [u8] },
    /// `sysrq: Manual OOM execution`
    SysrqAsked,
    /// `Out of memory and no killable processes...` and its like
    Outcome(Outcome),
    /// Lines dropped by a rate limit
    Suppressed,
    /// `COMM: page allocation failure: order:0, ...` and its like: what follows of a stack and of memory is no OOM report's
    OtherReport,
    /// Anything else
    Other,
}

impl KernelLine<'_> {
    /// Whether the line can begin (what is left of) a report. Each of these holds one of [`crate::anchor::NEEDLES`].
    pub(crate) fn opens(&self) -> bool {
        match self {
            Self::Header(_)
            | Self::TableHeader(_)
            | Self::Constraint(_)
            | Self::Announce(_)
            | Self::Sharing { .. }
            | Self::Reaped(_)
            | Self::ReapFailed { .. }
            | Self::TaskIn { .. } => true,
            Self::Killed(killed) => !killed.bare,
            Self::Outcome(outcome) => {
                matches!(outcome, Outcome::NoKillableProcesses | Outcome::Panic)
            }
            Self::Group(_)
            | Self::Cpuset { .. }
            | Self::SysrqAsked
            | Self::Cpu(_)
            | Self::Hardware(_)
            | Self::StackMark
            | Self::StackFrame(_)
            | Self::Registers
            | Self::Usage(_)
            | Self::Stats(_)
            | Self::ShowMem(_)
            | Self::TasksState
            | Self::TaskRow(_)
            | Self::Suppressed
            | Self::OtherReport
            | Self::Other => false,
        }
    }
}

/// Reads one line. `cut` says that the text ends before the kernel's did (end of input, pager mark): what stands
/// at its very end is then not believed.
pub(crate) fn read(text: &[u8], cut: bool) -> KernelLine<'_> {
    let text = if cut {
        without_doubtful_end(text)
    } else {
        text
    };
    match text.first() {
        Some(b'[') => read_bracket(text, cut),
        Some(b' ' | b'\t' | b'<' | b'?') => read_indented(text, cut),
        Some(first) => read_text(*first, text, cut),
        None => KernelLine::Other,
    }
}

fn read_bracket(text: &[u8], cut: bool) -> KernelLine<'_> {
    if table::is_row(text) {
        // The name ends the row: of a cut row it may be a part only.
        return if cut {
            KernelLine::Other
        } else {
            KernelLine::TaskRow(text)
        };
    }
    if let Some(columns) = table::read_header(text) {
        return KernelLine::TableHeader(columns);
    }
    trigger::read_stack(text).unwrap_or(KernelLine::Other)
}

fn read_indented(text: &[u8], cut: bool) -> KernelLine<'_> {
    if let Some(line) = trigger::read_stack(text) {
        return line;
    }
    let trimmed = text.trim_ascii_start();
    if let Some(line) = show_mem::read(trimmed) {
        return KernelLine::ShowMem(line);
    }
    match trimmed.first() {
        // Some forms indent the whole text.
        Some(b'[') => read_bracket(trimmed, cut),
        Some(first) if !trimmed.starts_with(b"<") => read_text(*first, trimmed, cut),
        _ => KernelLine::Other,
    }
}

fn read_text(first: u8, text: &[u8], cut: bool) -> KernelLine<'_> {
    if text.starts_with(b"Tasks state (memory values in pages)") {
        return KernelLine::TasksState;
    }
    let found = match first {
        b'M' | b'O' | b'K' | b'T' | b'o' | b'S' | b's' => {
            kill::read(text, cut).or_else(|| memcg::read(text, cut))
        }
        b'm' | b'k' => memcg::read(text, cut),
        b'C' | b'H' | b'P' | b'R' => trigger::read_cpu(text),
        _ => None,
    };
    found
        .or_else(|| show_mem::read(text).map(KernelLine::ShowMem))
        .or_else(|| trigger::read_header(text))
        .or_else(|| trigger::read_stack(text))
        .or_else(|| trigger::read_cpuset(text))
        .or_else(|| table::read_header(text).map(KernelLine::TableHeader))
        .or_else(|| suppressed(text))
        .or_else(|| sysrq_asked(text))
        .or_else(|| other_report(text))
        .unwrap_or(KernelLine::Other)
}

/// `printk: 12 messages suppressed.`, `dump_header: 3 callbacks suppressed`, `oom_kill_process: ...`
fn suppressed(text: &[u8]) -> Option<KernelLine<'_>> {
    (text.trim_ascii_end().ends_with(b"callbacks suppressed")
        || crate::cursor::contains(text, b"messages suppressed"))
    .then_some(KernelLine::Suppressed)
}

/// What the handler of sysrq-f says before it has the OOM killer called (`sysrq_moom_op`, drivers/tty/sysrq.c): behind
/// `SysRq : `, `sysrq: SysRq : ` or `sysrq: ` by version.
fn sysrq_asked(text: &[u8]) -> Option<KernelLine<'_>> {
    let mut cursor = crate::cursor::Cursor(text);
    let by_handler = cursor.eat(b"sysrq: ");
    (cursor.eat(b"SysRq : ") || by_handler).then_some(())?;
    cursor
        .0
        .trim_ascii_end()
        .eq(b"Manual OOM execution")
        .then_some(KernelLine::SysrqAsked)
}

/// Reports of other shortages that go on like one of the OOM killer (`warn_alloc`, mm/page_alloc.c; sysrq-m).
fn other_report(text: &[u8]) -> Option<KernelLine<'_>> {
    const WORDS: [&[u8]; 4] = [
        b": page allocation failure: order:",
        b": page allocation failure. order:",
        b": page allocation stalls for ",
        b": vmalloc error: size ",
    ];
    (WORDS
        .iter()
        .any(|words| crate::cursor::contains(text, words))
        || text.starts_with(b"sysrq: Show Memory")
        || text.starts_with(b"SysRq : Show Memory"))
    .then_some(KernelLine::OtherReport)
}

/// Digits at the end of a cut line may be the first digits of a longer number.
fn without_doubtful_end(text: &[u8]) -> &[u8] {
    let without = |is_digit: fn(&u8) -> bool| {
        let kept = text.iter().rposition(|byte| !is_digit(byte));
        text.get(..kept.map_or(0, |at| at + 1)).unwrap_or(text)
    };
    let before_hex = without(u8::is_ascii_hexdigit);
    if before_hex.ends_with(b"0x") {
        return before_hex;
    }
    without(|byte| byte.is_ascii_digit() || *byte == b'-')
}
