//! A file mapped into memory that survives being truncated by its writer (`copytruncate`) while it is read.
//!
//! Reading a mapped page past the file's new end raises SIGBUS, which ends a process. Here a handler puts zero
//! pages in the place of what is gone, and the mapping remembers it. Only this module has unsafe code.
//!
//! A page that is touched for the first time costs a fault. Where the page cache holds the file in large folios, a fault
//! brings in megabytes, and touching is the soonest; where it holds single pages, a fault brings in 64 KiB
//! (`fault_around_bytes`, `mm/memory.c`), and copying with pread(2) is sooner.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many files can be mapped at once; more are refused, and are then read as streams.
const SLOTS: usize = 64;

/// One mapping that the handler knows. `length` 0: free. `start` 0: being filled or emptied.
struct Slot {
    start: AtomicUsize,
    length: AtomicUsize,
    cut: AtomicBool,
}

static MAPPINGS: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        length: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
    }
}; SLOTS];

/// What handled SIGBUS before (the standard library's stack overflow message).
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Bytes of a file as it was when it was opened; zeros from where it was truncated since.
pub(crate) struct Mapped {
    map: memmap2::Mmap,
    slot: &'static Slot,
    file: File,
}

/// Places in a file that are tried for what touching it costs, and bytes tried at each.
const TRIED_PLACES: usize = 8;
const TRIED_BYTES: usize = 2 << 20;
/// What one fault brings in at the least.
const FAULT_AROUND_BYTES: usize = 64 << 10;
/// Page faults a MiB from which on copying is sooner: a fault costs 5 µs, the copy of a MiB some 30 µs more than its touch.
const FAULTS_A_MIB: u64 = 6;

impl Mapped {
    /// Maps a regular file that is not empty. Fails where the file system cannot map, or too many are mapped.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        install_handler()?;
        // SAFETY: the file may change under the mapping. Its bytes are only read as plain `u8`, of which every value
        // is valid, and a page that vanishes is replaced by the handler. A racing write can make two reads of
        // one byte differ; readers of a log take each line as text that anybody could have written.
        let map = unsafe { memmap2::Mmap::map(file)? };
        // Advice: a file system that refuses it reads as well.
        let _ = map.advise(memmap2::Advice::Sequential);
        let slot = MAPPINGS
            .iter()
            .find(|slot| {
                slot.length
                    .compare_exchange(0, map.len(), Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            })
            .ok_or_else(|| io::Error::other("too many files are mapped"))?;
        slot.cut.store(false, Ordering::Relaxed);
        slot.start.store(map.as_ptr().addr(), Ordering::Release);
        let file = file.try_clone()?;
        Ok(Self { map, slot, file })
    }

    /// Whether copying these bytes out of the file is sooner than touching them here. Touches a few of them.
    pub(crate) fn is_sooner_copied(&self) -> bool {
        let apart = self.map.len() / TRIED_PLACES;
        if apart < TRIED_BYTES {
            return false;
        }
        let before = page_faults();
        for place in 0..TRIED_PLACES {
            let from = place * apart;
            for at in (from..from + TRIED_BYTES).step_by(FAULT_AROUND_BYTES) {
                std::hint::black_box(self.map.get(at).copied());
            }
        }
        let tried_mib = (TRIED_PLACES * TRIED_BYTES) as u64 >> 20;
        page_faults().saturating_sub(before) > FAULTS_A_MIB * tried_mib
    }

    /// Fills `buffer` with the file's bytes from `offset` on; `false` when there are not so many, or not to be read.
    pub(crate) fn copy_at(&self, offset: usize, buffer: &mut [u8]) -> bool {
        self.file.read_exact_at(buffer, offset as u64).is_ok()
    }

    /// Whether the file was truncated while it was read; what was behind its new end read as zeros.
    pub(crate) fn was_cut(&self) -> bool {
        self.slot.cut.load(Ordering::Acquire)
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.slot.start.store(0, Ordering::Release);
        self.slot.length.store(0, Ordering::Release);
    }
}

/// Page faults of this thread, also those that read from a disk: there, too, copying is sooner (getrusage(2)).
fn page_faults() -> u64 {
    // SAFETY: an all-zero rusage is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value.
    match unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) } {
        0 => u64::try_from(usage.ru_minflt + usage.ru_majflt).unwrap_or(0),
        _ => 0,
    }
}

/// Puts [`on_sigbus`] in place, once.
fn install_handler() -> io::Result<()> {
    static INSTALLED: OnceLock<Option<i32>> = OnceLock::new();
    let failed = INSTALLED.get_or_init(|| {
        // SAFETY: an all-zero sigaction is a valid value (default action, empty mask).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            on_sigbus;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: both pointers are to live values; reads the action in force and changes nothing.
        if unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) } != 0 {
            return io::Error::last_os_error().raw_os_error();
        }
        // Known to the handler before the handler can run.
        let _ = PREVIOUS.set(previous);
        // SAFETY: the handler has the signature that SA_SIGINFO asks for and lives as long as the program.
        match unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) } {
            0 => None,
            _ => io::Error::last_os_error().raw_os_error(),
        }
    });
    match failed {
        None => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(*code)),
    }
}

/// Async-signal-safe: atomics, `mmap` and `sigaction` only, and `errno` as it was.
extern "C" fn on_sigbus(
    _signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel hands a valid siginfo to a SA_SIGINFO handler, and si_addr is set for SIGBUS.
    let address = unsafe { (*info).si_addr() }.addr();
    // SAFETY: errno is the calling thread's own.
    let errno = unsafe { *libc::__errno_location() };
    for slot in &MAPPINGS {
        let start = slot.start.load(Ordering::Acquire);
        let end = start.saturating_add(slot.length.load(Ordering::Acquire));
        if start == 0 || !(start..end).contains(&address) {
            continue;
        }
        // 4 KiB divides every page size Linux has; mmap wants a multiple of the real one.
        // SAFETY: sysconf(_SC_PAGESIZE) reads a constant.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let from = address & !(page - 1);
        // SAFETY: [from, end) lies in a mapping that is ours, read-only, and kept until its `Mapped` is dropped by
        // the thread that is reading it now; zero pages in its place keep every pointer into it valid.
        let replaced = unsafe {
            libc::mmap(
                std::ptr::without_provenance_mut(from),
                end - from,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if replaced != libc::MAP_FAILED {
            slot.cut.store(true, Ordering::Release);
            // SAFETY: as above.
            unsafe { *libc::__errno_location() = errno };
            return;
        }
    }
    // Not ours: as it was before, and the faulting instruction runs again.
    if let Some(previous) = PREVIOUS.get() {
        // SAFETY: `previous` is what the kernel returned for this signal.
        unsafe { libc::sigaction(libc::SIGBUS, previous, std::ptr::null_mut()) };
    }
}
