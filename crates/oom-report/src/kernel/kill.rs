//! The decision: constraint, kill, group and reaper lines (mm/oom_kill.c, mm/memcontrol.c).

use super::{COMM_BYTES, KernelLine};
use crate::cursor::{Cursor, contains};
use crate::report::Outcome;

/// `oom-kill:constraint=..,nodemask=..,cpuset=..,mems_allowed=..,oom_memcg=..,task_memcg=..,task=..,pid=..,uid=..`
/// (dump_oom_summary, 5.0+; oom_memcg is replaced by `global_oom` when no memcg limit was hit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ConstraintLine<'a> {
    pub(crate) constraint: &'a [u8],
    pub(crate) nodemask: Option<&'a [u8]>,
    pub(crate) cpuset: Option<&'a [u8]>,
    pub(crate) mems_allowed: Option<&'a [u8]>,
    pub(crate) oom_memcg: Option<&'a [u8]>,
    pub(crate) global: bool,
    pub(crate) task_memcg: Option<&'a [u8]>,
    pub(crate) task: Option<&'a [u8]>,
    pub(crate) pid: Option<u32>,
    pub(crate) uid: Option<u32>,
}

/// `[PREFIX: ]Kill process N (c) score S or sacrifice child` (before 5.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announce<'a> {
    pub(crate) pid: u32,
    pub(crate) comm: &'a [u8],
    pub(crate) score: Option<u64>,
    pub(crate) cause: Cause,
}

/// What stands before `Kill process` or `Killed process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing: the constraint stands elsewhere.
    Unsaid,
    /// `Out of memory`
    Machine,
    /// `Out of memory (oom_kill_allocating_task)`
    AllocatingTask,
    /// `Memory cgroup out of memory`
    Memcg,
}

/// `[PREFIX: ]Killed process N (c)[, UID N,] total-vm:..kB, anon-rss:..kB, file-rss:..kB[, shmem-rss:..kB][, UID:N pgtables:NkB oom_score_adj:N]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Killed<'a> {
    pub(crate) pid: u32,
    pub(crate) comm: &'a [u8],
    pub(crate) cause: Cause,
    pub(crate) uid: Option<u32>,
    pub(crate) total_vm_kib: Option<u64>,
    pub(crate) anon_rss_kib: Option<u64>,
    pub(crate) file_rss_kib: Option<u64>,
    pub(crate) shmem_rss_kib: Option<u64>,
    pub(crate) pgtables_kib: Option<u64>,
    pub(crate) oom_score_adj: Option<i32>,
    /// The line ends before its last field.
    pub(crate) cut: bool,
    /// Nothing but the process: no sizes, and no words of the kernel's before it.
    pub(crate) bare: bool,
}

impl Killed<'_> {
    /// What tells two kills of processes with one pid and name apart: total-vm and anon-rss.
    pub(crate) fn sizes_kib(&self) -> [Option<u64>; 2] {
        [self.total_vm_kib, self.anon_rss_kib]
    }
}

/// `oom_reaper: reaped process N (c), now anon-rss:..kB, file-rss:..kB, shmem-rss:..kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReapedLine<'a> {
    pub(crate) pid: u32,
    pub(crate) comm: &'a [u8],
    pub(crate) anon_rss_kib: Option<u64>,
    pub(crate) file_rss_kib: Option<u64>,
    pub(crate) shmem_rss_kib: Option<u64>,
}

/// What follows the name in a kill line.
const NAME_END: &[u8] = b") total-vm:";

/// Reads any of the lines of this file.
pub(crate) fn read(text: &[u8], cut: bool) -> Option<KernelLine<'_>> {
    if let Some(rest) = text.strip_prefix(b"oom-kill:") {
        return read_constraint(rest, cut).map(KernelLine::Constraint);
    }
    if let Some(rest) = text.strip_prefix(b"oom_reaper: ") {
        return read_reaper(rest);
    }
    if let Some(rest) = text.strip_prefix(b"Tasks in ") {
        let mut cursor = Cursor(rest);
        let path = cursor.until_last(b" are going to be killed due to memory.oom.group set")?;
        return Some(KernelLine::Group(path));
    }
    let mut cursor = Cursor(text);
    let cause = if cursor.eat(b"Memory cgroup out of memory: ") {
        Cause::Memcg
    // 2.4 and early 2.6 with a capital.
    } else if cursor.eat(b"Out of memory: ") || cursor.eat(b"Out of Memory: ") {
        Cause::Machine
    } else if cursor.eat(b"Out of memory (oom_kill_allocating_task): ") {
        Cause::AllocatingTask
    } else {
        Cause::Unsaid
    };
    if cursor.eat(b"Killed process ") {
        return read_killed(cursor, cause, cut);
    }
    // `kill process N (c) score S or a child` (2.6.32 and others before 2.6.36)
    if cursor.eat(b"Kill process ") || cause != Cause::Unsaid && cursor.eat(b"kill process ") {
        return read_announce(cursor, cause);
    }
    read_outcome(text).map(KernelLine::Outcome)
}

/// Values may hold commas and equal signs (a cgroup or a comm is hostile text), so the line is read from its
/// two ends: the keys before `oom_memcg` hold no free text but the cpuset's name, those after are taken from the right.
fn read_constraint(rest: &[u8], cut: bool) -> Option<ConstraintLine<'_>> {
    let mut cursor = Cursor(rest);
    cursor.need(b"constraint=")?;
    let constraint = cursor.take_while(|byte| byte != b',');
    let mut line = ConstraintLine {
        constraint,
        ..ConstraintLine::default()
    };
    let mut tail = cursor;
    if let Some(before) = tail.until_last(b",uid=") {
        let mut uid = tail;
        line.uid = uid.number_u32().filter(|_| uid.0.trim_ascii().is_empty());
        tail = Cursor(before);
        // The last `,pid=` is the kernel's: what the comm could fake stands left of it.
        let mut head = tail;
        if let Some(before) = head.until_last(b",pid=") {
            line.pid = head.number_u32().filter(|_| head.0.is_empty());
            tail = Cursor(before);
            let mut head = tail;
            if let Some(before) = head.until_last(b",task=") {
                line.task = Some(head.0);
                tail = Cursor(before);
            }
        }
    } else {
        tail = cursor;
    }
    let whole = line.task.is_some();
    if tail.eat(b",nodemask=") {
        line.nodemask = take_nodemask(&mut tail);
    }
    if tail.eat(b",cpuset=") {
        let mut after = tail;
        line.cpuset = after.until(b",mems_allowed=");
        if line.cpuset.is_some() {
            // A list of numbers and dashes with commas: it ends where a letter begins the next key.
            let list =
                after.take_while(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b',');
            let list = list.strip_suffix(b",").unwrap_or(list);
            if !after.0.is_empty() {
                line.mems_allowed = Some(list);
            }
            tail = after;
        }
    }
    let mut paths = tail;
    // People leave out what they find long.
    if line.nodemask.is_none() && line.cpuset.is_none() {
        paths.eat(b",...");
    }
    paths.eat(b",");
    paths.eat(b" ");
    if paths.eat(b"oom_memcg=") {
        let mut split = paths;
        if whole && !contains(paths.0, b",task_memcg=") {
            line.oom_memcg = Some(paths.0);
        } else if let Some(oom_memcg) = split.until(b",task_memcg=") {
            line.oom_memcg = Some(oom_memcg);
            line.task_memcg = (whole || !cut).then_some(split.0).filter(|_| whole);
        }
    } else if paths.eat(b"global_oom") {
        line.global = true;
        if paths.eat(b",task_memcg=") && whole {
            line.task_memcg = Some(paths.0);
        }
    }
    Some(line)
}

/// `(null)` or a list of numbers, and leaves the comma behind it. Without CONFIG_CPUSETS no `cpuset=` follows
/// (cpuset_print_current_mems_allowed is empty then), so the value shows its own end.
fn take_nodemask<'a>(tail: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let mut own = *tail;
    let value = if own.eat(b"(null)") {
        b"(null)"
    } else {
        let list = own.take_while(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b',');
        let list = list.strip_suffix(b",").unwrap_or(list);
        own = Cursor(tail.0.get(list.len()..)?);
        list
    };
    if !value.is_empty() && own.0.starts_with(b",") {
        *tail = own;
        return Some(value);
    }
    // Masked by somebody, or cut.
    let value = Cursor(tail.0).until(b",cpuset=");
    *tail = Cursor(
        tail.0
            .get(value.map_or(tail.0.len(), <[u8]>::len)..)
            .unwrap_or_default(),
    );
    value
}

/// `N (comm)` where `end` must follow the closing bracket. The comm may hold brackets and anything else, so the last
/// place where `end` stands counts.
fn read_process<'a>(cursor: &mut Cursor<'a>, end: &[u8]) -> Option<(u32, &'a [u8])> {
    let mut ahead = *cursor;
    let pid = ahead.number_u32()?;
    if ahead.eat(b", UID ") {
        ahead.number_u32()?;
        ahead.need(b",")?;
    }
    ahead.need(b" (")?;
    let comm = ahead.until_last(end)?;
    *cursor = ahead;
    Some((pid, comm))
}

/// `N (comm)` with nothing of the kernel's behind it that would show where a name with brackets ends: it ends where the
/// longest name could, not with a bracket of the next sentence.
fn read_process_alone<'a>(cursor: &mut Cursor<'a>) -> Option<(u32, &'a [u8])> {
    let mut ahead = *cursor;
    let (pid, comm) = read_process(&mut ahead, b")")?;
    let first = comm.get(..=COMM_BYTES).unwrap_or_default();
    let end = memchr::memrchr(b')', first).filter(|_| memchr::memchr(b'\\', comm).is_none());
    let Some(end) = end else {
        *cursor = ahead;
        return Some((pid, comm));
    };
    cursor.until(b"(")?;
    *cursor = Cursor(cursor.0.get(end + 1..)?);
    Some((pid, comm.get(..end)?))
}

/// `123, UID 27, (mysqld) total-vm:...`
fn uid_of_rhel6(mut cursor: Cursor<'_>) -> Option<u32> {
    cursor.number_u32()?;
    cursor.need(b", UID ")?;
    cursor.number_u32()
}

fn read_announce(cursor: Cursor<'_>, cause: Cause) -> Option<KernelLine<'_>> {
    let mut ahead = cursor;
    if let Some((pid, comm)) = read_process(&mut ahead, b") sharing same memory") {
        return Some(KernelLine::Sharing { pid, comm });
    }
    let mut ahead = cursor;
    if let Some((pid, comm)) = read_process(&mut ahead, b") score ") {
        // A score with no text behind it may have lost digits.
        let score = ahead.number().filter(|_| ahead.0.starts_with(b" or"));
        return Some(KernelLine::Announce(Announce {
            pid,
            comm,
            score,
            cause,
        }));
    }
    if cause == Cause::Unsaid {
        return None;
    }
    let mut ahead = cursor;
    let (pid, comm) = read_process_alone(&mut ahead)?;
    Some(KernelLine::Announce(Announce {
        pid,
        comm,
        score: None,
        cause,
    }))
}

fn read_killed(cursor: Cursor<'_>, cause: Cause, cut: bool) -> Option<KernelLine<'_>> {
    let mut rest = cursor;
    let (pid, comm, uid) = if let Some((pid, comm)) = read_process(&mut rest, NAME_END) {
        // A name may hold the kernel's own words: where the cut is near, the real end of the name may be behind it.
        let shown = comm.len() + NAME_END.len() + rest.0.len();
        if cut && comm.len() + NAME_END.len() <= COMM_BYTES && shown < COMM_BYTES + NAME_END.len() {
            return None;
        }
        (pid, comm, uid_of_rhel6(cursor))
    } else {
        // RHEL 7: `Killed process 123 (java), UID 1000, total-vm:...`
        rest = cursor;
        match read_process(&mut rest, b"), UID ") {
            Some((pid, comm)) => {
                let uid = rest.number_u32();
                if rest.until(b"total-vm:").is_none() {
                    rest = Cursor(b"");
                }
                (pid, comm, uid)
            }
            None => {
                rest = cursor;
                let (pid, comm) = read_process_alone(&mut rest)?;
                if cut && comm.is_empty() {
                    return None;
                }
                // Without sizes and without the kernel's own words before it, this is anybody's sentence, but 2.6's of the
                // process that it announced or of a child of that.
                let bare = cause == Cause::Unsaid && !cut;
                if bare && !rest.0.trim_ascii().is_empty() {
                    return None;
                }
                let killed = Killed {
                    bare,
                    // 2.4 and early 2.6 print no sizes, and a full stop.
                    cut: cut || rest.0.trim_ascii_end() != b".",
                    ..nothing(pid, comm, cause)
                };
                return Some(KernelLine::Killed(killed));
            }
        }
    };
    let mut killed = Killed {
        uid,
        ..nothing(pid, comm, cause)
    };
    killed.total_vm_kib = rest.kib();
    let field = |name: &[u8]| {
        let mut found = rest;
        found.until(name)?;
        Some(found)
    };
    killed.anon_rss_kib = field(b"anon-rss:").and_then(|mut at| at.kib());
    killed.file_rss_kib = field(b"file-rss:").and_then(|mut at| at.kib());
    killed.shmem_rss_kib = field(b"shmem-rss:").and_then(|mut at| at.kib());
    killed.uid = killed
        .uid
        .or_else(|| field(b"UID:").and_then(|mut at| at.number_u32().filter(|_| !at.0.is_empty())));
    killed.pgtables_kib = field(b"pgtables:").and_then(|mut at| at.kib());
    killed.oom_score_adj =
        field(b"oom_score_adj:").and_then(|mut at| i32::try_from(at.signed()?).ok());
    // 5.4+: `UID:` is followed by the page tables and the adjustment.
    let tail_lost = field(b" UID:").is_some() && killed.oom_score_adj.is_none();
    killed.cut = cut || killed.file_rss_kib.is_none() || tail_lost;
    Some(KernelLine::Killed(killed))
}

fn nothing<'a>(pid: u32, comm: &'a [u8], cause: Cause) -> Killed<'a> {
    Killed {
        pid,
        comm,
        cause,
        uid: None,
        total_vm_kib: None,
        anon_rss_kib: None,
        file_rss_kib: None,
        shmem_rss_kib: None,
        pgtables_kib: None,
        oom_score_adj: None,
        cut: false,
        bare: false,
    }
}

fn read_reaper(rest: &[u8]) -> Option<KernelLine<'_>> {
    let mut cursor = Cursor(rest);
    if cursor.eat(b"reaped process ") {
        let mut whole = cursor;
        let (pid, comm) = match read_process(&mut whole, b"), now ") {
            Some(found) => found,
            None => {
                whole = cursor;
                read_process(&mut whole, b")")?
            }
        };
        let field = |name: &[u8]| {
            let mut found = whole;
            found.until(name)?;
            found.kib()
        };
        return Some(KernelLine::Reaped(ReapedLine {
            pid,
            comm,
            anon_rss_kib: field(b"anon-rss:"),
            file_rss_kib: field(b"file-rss:"),
            shmem_rss_kib: field(b"shmem-rss:"),
        }));
    }
    cursor.need(b"unable to reap pid:")?;
    let (pid, comm) = read_process(&mut cursor, b")")?;
    Some(KernelLine::ReapFailed { pid, comm })
}

fn read_outcome(text: &[u8]) -> Option<Outcome> {
    if text.starts_with(b"Out of memory and no killable processes") {
        Some(Outcome::NoKillableProcesses)
    } else if let Some(panic) = panic_words(text) {
        read_panic(panic)
    } else if contains(text, b"OOM request ignored") {
        Some(Outcome::SysrqIgnored)
    } else {
        None
    }
}

/// What a panic says. 2.4 does not say that it does not sync.
fn panic_words(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"Kernel panic - not syncing: ")
        .or_else(|| text.strip_prefix(b"Kernel panic: "))
}

/// `Out of memory: system-wide panic_on_oom is enabled` (or `compulsory`), `out of memory. panic_on_oom is selected` (2.6),
/// `Out of memory and no killable processes...` (before 4.19 the panic itself), `System is deadlocked on memory` (since).
fn read_panic(panic: &[u8]) -> Option<Outcome> {
    if panic.starts_with(b"System is deadlocked on memory") {
        return Some(Outcome::Deadlocked);
    }
    let rest = panic.get(1..)?.strip_prefix(b"ut of memory")?;
    if contains(rest, b"panic_on_oom") || rest.starts_with(b" and no killable processes") {
        Some(Outcome::Panic)
    } else {
        Some(Outcome::Deadlocked)
    }
}
