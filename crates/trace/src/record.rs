//! Bytes of one record of the kernel programs into a fact. Pure: no IO, no clock, no panic whatever the bytes are.
//!
//! The layout is `bpf/record.h`. Every text in a record is hostile: processes choose their comm, arguments and file
//! names. It is made valid UTF-8 here and not otherwise changed.

mod cursor;
#[cfg(test)]
mod tests;
mod texts;

use smol_str::SmolStr;
use whodunit_case::fact::{
    Ancestor, CgroupPaths, CpuLimit, Exit, Fact, KillSignal, MemoryCounters, OomMark, Process,
    SenderCall, SignalOrigin, WrittenFile,
};

use crate::call::Table;
use cursor::Cursor;
use texts::{Text, Texts, comm};

/// `RECORD_*` of `bpf/record.h`.
const SIGNAL: u32 = 1;
const EXIT: u32 = 2;
const MARK: u32 = 3;

const SENDER_ANCESTORS: usize = 8;
const TARGET_ANCESTORS: usize = 4;

/// include/linux/sched.h
const PF_EXITING: u32 = 0x0000_0004;
const PF_KTHREAD: u32 = 0x0020_0000;
/// INVALID_UID of user ids, and the audit session of who has none.
const UNSET: u32 = u32::MAX;

/// A record that the programs of this crate did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends too early.
    #[error("record of {length} bytes ends where {needed} bytes were to be read at {at}")]
    Short {
        /// Where.
        at: usize,
        /// Bytes of the field.
        needed: usize,
        /// Bytes of the record.
        length: usize,
    },
    /// It is of another kind.
    #[error("record of unknown kind {0}")]
    Kind(u32),
    /// Its fixed part has another length: the program and its reader are of two versions.
    #[error("record of kind {kind} says that its fixed part has {said} bytes, it has {read}")]
    Size {
        /// `RECORD_*`
        kind: u32,
        /// By the program.
        said: u32,
        /// By this reader.
        read: usize,
    },
}

/// The fact that a record tells. `page_bytes` is the machine's page size: the kernel counts memory in pages.
///
/// ```
/// // A mark of the OOM killer: kind, size, boot_ns, tgid, by_tgid.
/// let mut bytes = Vec::new();
/// bytes.extend(3_u32.to_ne_bytes());
/// bytes.extend(24_u32.to_ne_bytes());
/// bytes.extend(1_000_000_u64.to_ne_bytes());
/// bytes.extend(42_u32.to_ne_bytes());
/// bytes.extend(7_u32.to_ne_bytes());
/// let fact = whodunit_trace::record::read(&bytes, 4096)?;
/// let whodunit_case::fact::Fact::OomMark(mark) = fact else { panic!() };
/// assert_eq!((mark.tgid, mark.by_tgid), (42, 7));
/// # Ok::<(), whodunit_trace::record::RecordError>(())
/// ```
pub fn read(bytes: &[u8], page_bytes: u64) -> Result<Fact, RecordError> {
    let mut cursor = Cursor::new(bytes);
    let kind = cursor.u32()?;
    let size = cursor.u32()?;
    let boot_ns = cursor.u64()?;
    let mut reader = Reader {
        cursor,
        page_bytes,
        kind,
        size,
    };
    match kind {
        SIGNAL => Ok(Fact::Signal(Box::new(reader.signal(boot_ns)?))),
        EXIT => Ok(Fact::Exit(Box::new(reader.exit(boot_ns)?))),
        MARK => Ok(Fact::OomMark(OomMark {
            boot_ns,
            tgid: reader.cursor.u32()?,
            by_tgid: reader.cursor.u32()?,
        })),
        kind => Err(RecordError::Kind(kind)),
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    page_bytes: u64,
    kind: u32,
    size: u32,
}

/// `struct process`, its texts not yet looked up.
struct RawProcess {
    start_boot_ns: u64,
    cgroup_id: u64,
    pid: u32,
    tgid: u32,
    uid: u32,
    login_uid: u32,
    login_session: u32,
    pid_namespace: u32,
    namespaced_tgid: u32,
    flags: u32,
    comm: [u8; 16],
    exe: Text,
    tty: Text,
    arguments: Text,
    unified: Text,
    memory: Text,
}

/// `struct ancestor`.
struct RawAncestor {
    start_boot_ns: u64,
    tgid: u32,
    uid: u32,
    login_uid: u32,
    pid_namespace: u32,
    namespaced_tgid: u32,
    comm: [u8; 16],
    exe: Text,
    tty: Text,
    unified: Text,
    memory: Text,
}

/// `struct subject`.
struct RawSubject {
    process: RawProcess,
    ancestors: Vec<RawAncestor>,
    memory: MemoryCounters,
}

impl Reader<'_> {
    fn signal(&mut self, boot_ns: u64) -> Result<KillSignal, RecordError> {
        let target = self.subject()?;
        let signal = self.cursor.u32()?;
        let code = self.cursor.i32()?;
        let origin = match self.cursor.u32()? {
            0 => SignalOrigin::NoInfo,
            1 => SignalOrigin::Kernel,
            _ => SignalOrigin::Siginfo,
        };
        let group = self.cursor.u32()? != 0;
        let result = self.cursor.i32()?;
        let in_call = self.cursor.u32()?;
        let number = self.cursor.i64()?;
        let written_filesystem = self.text()?;
        let written_path = self.text()?;
        let tracer_tgid = self.cursor.u32()?;
        let ptrace_exitkill = self.cursor.u32()? != 0;
        let cpu_hard_limit_s = self.cursor.u64()?;
        let cpu_used_ns = self.cursor.u64()?;
        let sender = self.process()?;
        let (sender_ancestors, call_argument) = self.ancestors(SENDER_ANCESTORS)?;
        let texts = self.texts()?;

        let call = match in_call {
            _ if sender.flags & PF_EXITING != 0 => SenderCall::Exit,
            0 => SenderCall::NoCall,
            way => {
                Table::of_machine(way == 2).map_or(SenderCall::NotKnown, |table| table.call(number))
            }
        };
        let written_file = (call == SenderCall::Write)
            .then(|| {
                Some(WrittenFile {
                    filesystem: texts.string(written_filesystem)?,
                    path: texts.path(written_path)?,
                })
            })
            .flatten();
        Ok(KillSignal {
            boot_ns,
            signal,
            code,
            origin,
            group,
            result,
            call,
            system_call: (in_call != 0).then_some(number),
            kill_pid: (call == SenderCall::Kill).then(|| call_argument.cast_signed()),
            written_file,
            sender: sender.told(&texts),
            sender_ancestors: told(sender_ancestors, &texts),
            target: target.process.told(&texts),
            target_ancestors: told(target.ancestors, &texts),
            memory: target.memory,
            cpu_limit: (cpu_hard_limit_s != u64::MAX).then_some(CpuLimit {
                hard_s: cpu_hard_limit_s,
                used_ms: cpu_used_ns / 1_000_000,
            }),
            ptrace_exitkill,
            tracer_tgid: (tracer_tgid != 0).then_some(tracer_tgid),
        })
    }

    fn exit(&mut self, boot_ns: u64) -> Result<Exit, RecordError> {
        let ended = self.subject()?;
        let wait_status = self.cursor.i32()?;
        let _reserved = self.cursor.u32()?;
        let texts = self.texts()?;
        Ok(Exit {
            boot_ns,
            process: ended.process.told(&texts),
            ancestors: told(ended.ancestors, &texts),
            wait_status,
            memory: ended.memory,
        })
    }

    fn subject(&mut self) -> Result<RawSubject, RecordError> {
        let process = self.process()?;
        let (ancestors, levels) = self.ancestors(TARGET_ANCESTORS)?;
        let [full_level, group_level] = halves(levels);
        let memory = MemoryCounters {
            memcg_full_level: full_level.checked_sub(1),
            memcg_group_level: group_level.checked_sub(1),
            ..self.memory()?
        };
        Ok(RawSubject {
            process,
            ancestors,
            memory,
        })
    }

    fn process(&mut self) -> Result<RawProcess, RecordError> {
        let process = RawProcess {
            start_boot_ns: self.cursor.u64()?,
            cgroup_id: self.cursor.u64()?,
            pid: self.cursor.u32()?,
            tgid: self.cursor.u32()?,
            uid: self.cursor.u32()?,
            login_uid: self.cursor.u32()?,
            login_session: self.cursor.u32()?,
            pid_namespace: self.cursor.u32()?,
            namespaced_tgid: self.cursor.u32()?,
            flags: self.cursor.u32()?,
            comm: self.cursor.array()?,
            exe: self.text()?,
            tty: self.text()?,
            arguments: self.text()?,
            unified: self.text()?,
            memory: self.text()?,
        };
        let _reserved = self.cursor.u32()?;
        Ok(process)
    }

    /// The array has room for `room`, the count before it says how many are there. With the word between the two.
    fn ancestors(&mut self, room: usize) -> Result<(Vec<RawAncestor>, u32), RecordError> {
        let count = usize::try_from(self.cursor.u32()?).unwrap_or(room);
        let between = self.cursor.u32()?;
        let mut ancestors = Vec::with_capacity(count.min(room));
        for at in 0..room {
            let ancestor = RawAncestor {
                start_boot_ns: self.cursor.u64()?,
                tgid: self.cursor.u32()?,
                uid: self.cursor.u32()?,
                login_uid: self.cursor.u32()?,
                pid_namespace: self.cursor.u32()?,
                namespaced_tgid: {
                    let number = self.cursor.u32()?;
                    let _reserved = self.cursor.u32()?;
                    number
                },
                comm: self.cursor.array()?,
                exe: self.text()?,
                tty: self.text()?,
                unified: self.text()?,
                memory: self.text()?,
            };
            if at < count {
                ancestors.push(ancestor);
            }
        }
        Ok((ancestors, between))
    }

    fn memory(&mut self) -> Result<MemoryCounters, RecordError> {
        let page_bytes = self.page_bytes;
        let kib = |pages: i64| {
            let pages = u64::try_from(pages).ok()?;
            Some(pages.checked_mul(page_bytes)? / 1024)
        };
        let total_vm_kib = kib(self.cursor.i64()?);
        let file_rss_kib = kib(self.cursor.i64()?);
        let anon_rss_kib = kib(self.cursor.i64()?);
        let shmem_rss_kib = kib(self.cursor.i64()?);
        let swap_kib = kib(self.cursor.i64()?);
        let marked_max_kib = kib(self.cursor.i64()?);
        let pgtables_bytes = self.cursor.i64()?;
        let memcg_usage_kib = kib(self.cursor.i64()?);
        let limit_pages = self.cursor.i64()?;
        let oom_score_adj = self.cursor.i64()?;
        // The kernel brings its mark up to date only when the size shrinks.
        let now_kib = [file_rss_kib, anon_rss_kib, shmem_rss_kib]
            .into_iter()
            .try_fold(0_u64, |sum, part| sum.checked_add(part?));
        // include/linux/page_counter.h: PAGE_COUNTER_MAX is no limit.
        let no_limit = i64::MAX / i64::try_from(page_bytes.max(1)).unwrap_or(i64::MAX);
        Ok(MemoryCounters {
            total_vm_kib,
            anon_rss_kib,
            file_rss_kib,
            shmem_rss_kib,
            swap_kib,
            pgtables_kib: u64::try_from(pgtables_bytes).ok().map(|bytes| bytes / 1024),
            max_rss_kib: marked_max_kib.max(now_kib),
            oom_score_adj: i32::try_from(oom_score_adj).ok(),
            memcg_usage_kib,
            memcg_limit_kib: if limit_pages < no_limit {
                kib(limit_pages)
            } else {
                None
            },
            memcg_full_level: None,
            memcg_group_level: None,
        })
    }

    fn text(&mut self) -> Result<Text, RecordError> {
        Ok(Text {
            at: self.cursor.u16()?,
            length: self.cursor.u16()?,
        })
    }

    /// The texts, once the fixed part was read to its end.
    fn texts(&mut self) -> Result<Texts<'_>, RecordError> {
        if usize::try_from(self.size) != Ok(self.cursor.at()) {
            return Err(RecordError::Size {
                kind: self.kind,
                said: self.size,
                read: self.cursor.at(),
            });
        }
        let _used = self.cursor.u32()?;
        let _reserved = self.cursor.u32()?;
        Ok(Texts(self.cursor.rest()))
    }
}

fn set(id: u32) -> Option<u32> {
    (id != UNSET).then_some(id)
}

/// The two 16 bit fields of a word, in the machine's own order.
fn halves(word: u32) -> [u32; 2] {
    let [a, b, c, d] = word.to_ne_bytes();
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])].map(u32::from)
}

fn told(ancestors: Vec<RawAncestor>, texts: &Texts<'_>) -> Vec<Ancestor> {
    ancestors
        .into_iter()
        .map(|ancestor| ancestor.told(texts))
        .collect()
}

impl RawProcess {
    fn told(self, texts: &Texts<'_>) -> Process {
        Process {
            pid: self.pid,
            tgid: self.tgid,
            start_boot_ns: self.start_boot_ns,
            comm: comm(&self.comm),
            exe: texts.string(self.exe),
            arguments: texts.arguments(self.arguments),
            uid: self.uid,
            login_uid: set(self.login_uid),
            login_session: set(self.login_session),
            pid_namespace: (self.pid_namespace != 0).then_some(self.pid_namespace),
            namespaced_tgid: (self.namespaced_tgid != 0).then_some(self.namespaced_tgid),
            cgroups: CgroupPaths {
                unified: texts.path(self.unified),
                memory: texts.path(self.memory),
                unified_id: (self.cgroup_id != 0).then_some(self.cgroup_id),
            },
            tty: texts.string(self.tty),
            kernel_thread: self.flags & PF_KTHREAD != 0,
            exiting: self.flags & PF_EXITING != 0,
        }
    }
}

impl RawAncestor {
    fn told(self, texts: &Texts<'_>) -> Ancestor {
        let cgroups = CgroupPaths {
            unified: texts.path(self.unified),
            memory: texts.path(self.memory),
            unified_id: None,
        };
        Ancestor {
            tgid: self.tgid,
            start_boot_ns: self.start_boot_ns,
            comm: comm(&self.comm),
            exe: texts.string(self.exe),
            uid: self.uid,
            login_uid: set(self.login_uid),
            tty: texts.string(self.tty),
            pid_namespace: (self.pid_namespace != 0).then_some(self.pid_namespace),
            namespaced_tgid: (self.namespaced_tgid != 0).then_some(self.namespaced_tgid),
            cgroup: cgroups.path().map(SmolStr::new),
        }
    }
}
