//! Loads the programs into the kernel, and takes their records out of the ring buffer.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{MapData, PerCpuArray, RingBuf};
use aya::programs::{BtfTracePoint, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use rustix::process::{Resource, Rlimit, setrlimit};
use whodunit_case::fact::Fact;

use crate::ability::{Abilities, Ability, TraceError, why};
use crate::record;

/// The compiled programs.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/whodunit.bpf.o"));

/// The kernel's word on what it lets even root do.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// How to trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Size of the ring buffer: a power of two, at least a page. A kill and the death of it take 2 to 5 KiB. Counts twice
    /// as resident memory of the process, which the kernel shows it in a row and once more.
    pub ring_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 2 * 1024 * 1024,
        }
    }
}

/// Records that never came out, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Signals that found the ring buffer full.
    pub signals: u64,
    /// Exits that did.
    pub exits: u64,
    /// Marks of the OOM killer that did.
    pub marks: u64,
    /// Events that the kernel showed to no program because the same program was at work on that processor (counted
    /// since 5.12): of which kind is not known.
    pub skipped: u64,
    /// Records that could not be understood.
    pub unreadable: u64,
}

impl Losses {
    /// All of them.
    pub fn total(self) -> u64 {
        self.signals + self.exits + self.marks + self.skipped + self.unreadable
    }
}

/// The programs at work, and what they record. The two may go separate ways: a thread for each.
#[derive(Debug)]
pub struct Tracer {
    /// What they record.
    pub records: Records,
    /// The programs.
    pub programs: Programs,
}

/// The records that the programs made and nobody has taken yet.
pub struct Records {
    ring: RingBuf<MapData>,
    unreadable: Arc<AtomicU64>,
    page_bytes: u64,
}

/// The programs, attached until this is dropped.
pub struct Programs {
    losses: PerCpuArray<MapData, u64>,
    unreadable: Arc<AtomicU64>,
    /// Holds the programs and their attachments.
    programs: Ebpf,
}

impl fmt::Debug for Records {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Records")
            .field("fd", &self.as_fd())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Programs")
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}

impl Tracer {
    /// Loads and attaches every program that this kernel takes; says which it does not take, and why.
    ///
    /// # Errors
    /// When nothing at all can be loaded: no BTF, no permission, lockdown.
    ///
    /// ```no_run
    /// use whodunit_trace::{Options, Tracer};
    /// let (mut tracer, abilities) = Tracer::start(Options::default())?;
    /// println!("signals: {}", abilities.signals);
    /// tracer.records.drain(&mut |fact| println!("{fact:?}"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(options: Options) -> Result<(Self, Abilities), TraceError> {
        let locked = std::fs::read_to_string(LOCKDOWN);
        if locked.is_ok_and(|state| state.contains("[confidentiality]")) {
            return Err(TraceError::Lockdown);
        }
        let btf = Btf::from_sys_fs().map_err(|source| TraceError::NoBtf { source })?;
        allow_locked_memory();
        let mut programs = EbpfLoader::new()
            .btf(Some(&btf))
            .map_max_entries("records", options.ring_bytes)
            .load(OBJECT)
            .map_err(|error| TraceError::of(&error))?;
        let missing = |name| TraceError::NotLoaded {
            what: format!("it has no map {name}"),
        };
        let ring = programs
            .take_map("records")
            .ok_or_else(|| missing("records"))?;
        let ring = RingBuf::try_from(ring).map_err(|error| TraceError::of(&error))?;
        let losses = programs
            .take_map("losses")
            .ok_or_else(|| missing("losses"))?;
        let losses = PerCpuArray::try_from(losses).map_err(|error| TraceError::of(&error))?;
        // Ends before signals: of every kill that is seen, the end is seen.
        let exits = attach(&mut programs, "process_ended", "sched_process_exit", &btf);
        let marks = attach(&mut programs, "victim_marked", "mark_victim", &btf);
        let signals = attach(&mut programs, "signal_generated", "signal_generate", &btf);
        drop(btf);
        give_back_memory();
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let unreadable = Arc::new(AtomicU64::new(0));
        let tracer = Self {
            records: Records {
                ring,
                unreadable: unreadable.clone(),
                page_bytes,
            },
            programs: Programs {
                losses,
                unreadable,
                programs,
            },
        };
        let abilities = Abilities {
            signals,
            exits,
            marks,
        };
        Ok((tracer, abilities))
    }
}

impl AsFd for Records {
    /// Readable when there are records: for poll and epoll.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl Records {
    /// Hands over every record that is there, in the order of the kernel's ring, and returns their number. Does not
    /// wait. A record that can't be read is counted in [`Programs::losses`].
    pub fn drain(&mut self, take: &mut dyn FnMut(Fact)) -> usize {
        self.drain_most(usize::MAX, take)
    }

    /// The same, but no more than so many: where they come faster than they are taken, it has an end.
    pub fn drain_most(&mut self, most: usize, take: &mut dyn FnMut(Fact)) -> usize {
        let mut count = 0;
        while count < most
            && let Some(item) = self.ring.next()
        {
            match record::read(&item, self.page_bytes) {
                Ok(fact) => {
                    count += 1;
                    take(fact);
                }
                Err(_) => {
                    self.unreadable.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        count
    }
}

impl Programs {
    /// What was lost since the start. Reads a map and a small file for each program: not for every record.
    ///
    /// # Errors
    /// When the kernel does not give its counters.
    pub fn losses(&self) -> io::Result<Losses> {
        let of = |index: u32| -> io::Result<u64> {
            let counts = self
                .losses
                .get(&index, 0)
                .map_err(|error| io::Error::other(format!("eBPF map `losses`: {error}")))?;
            Ok(counts.iter().sum())
        };
        Ok(Losses {
            signals: of(0)?,
            exits: of(1)?,
            marks: of(2)?,
            skipped: self.skipped()?,
            unreadable: self.unreadable.load(Ordering::Relaxed),
        })
    }

    /// Sum of `recursion_misses` of the programs, which the kernel tells of their descriptors.
    fn skipped(&self) -> io::Result<u64> {
        let mut sum = 0;
        for (_, program) in self.programs.programs() {
            // One that was refused has no descriptor.
            let Ok(fd) = program.fd() else { continue };
            let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
            let text = std::fs::read_to_string(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
            sum += recursion_misses(&text).unwrap_or(0);
        }
        Ok(sum)
    }
}

/// From the text of a program's fdinfo; older kernels have no such line.
fn recursion_misses(fdinfo: &str) -> Option<u64> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))?
        .trim()
        .parse()
        .ok()
}

fn attach(programs: &mut Ebpf, name: &str, tracepoint: &str, btf: &Btf) -> Ability {
    let attach = |programs: &mut Ebpf| -> Result<Option<u32>, ProgramError> {
        let program: &mut BtfTracePoint = programs
            .program_mut(name)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()?;
        program.load(tracepoint, btf)?;
        program.attach()?;
        Ok(program.info()?.verified_instruction_count())
    };
    match attach(programs) {
        Ok(verified_instructions) => Ability::Works {
            verified_instructions,
        },
        Err(error) => Ability::Missing { why: why(&error) },
    }
}

/// Before 5.11 maps count as locked memory of the process. Where the limit may not be raised, the load itself fails
/// and says so.
fn allow_locked_memory() {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    let old = (numbers.next(), numbers.next()) < (Some(5), Some(11));
    if old {
        let no_limit = Rlimit {
            current: None,
            maximum: None,
        };
        let _ = setrlimit(Resource::Memlock, no_limit);
    }
}

/// The kernel's types, taken apart, were tens of megabytes in small pieces, which glibc keeps for later.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer; gives free pages of the heap back.
    #[allow(unsafe_code)]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::recursion_misses;

    #[test]
    fn skipped_events_are_read_from_fdinfo() {
        // Linux 6.18.
        let text =
            "pos:\t0\nprog_type:\t26\nrun_cnt:\t0\nrecursion_misses:\t12\nverified_insns:\t92\n";
        assert_eq!(recursion_misses(text), Some(12));
        assert_eq!(recursion_misses("pos:\t0\nprog_type:\t26\n"), None);
    }
}
