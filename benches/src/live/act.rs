//! Who kills: processes of their own, started by the benchmarks, that make sleepers and end them, and print a line a
//! kill: `kind victim killer after_ns before_ns`, the two moments of CLOCK_BOOTTIME between which it happened.
//!
//! Each says `ready`, waits for a line, acts, tells. One thread, so that fork(2) is safe.
#![allow(unsafe_code)] // fork, setuid of the audit system, pause: nothing safe does these

use std::io::{BufRead, Write};
mod cast;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Subcommand;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use whodunit_lab::cgroup::{CgroupVersion, Names};
use whodunit_lab::machine::{self, Hierarchy};

use super::boot_ns;

/// Sleepers that live at a time when all are killed without a pause.
const HERD: usize = 250;
/// Limit of a small memory cgroup.
const SMALL_BYTES: usize = 4 << 20;
/// The user that kills as a person: any but root.
const PERSON: u32 = 1000;
/// Ordinary ends among the kills, one in so many.
const BYSTANDERS: usize = 10;

/// What is to be done.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Act {
    /// A supervisor kills its own children
    Parent {
        /// How many
        count: usize,
        /// From one kill to the next; all sleep before the first dies. 0: all at once
        pause_us: u64,
    },
    /// The same, herd after herd, as fast as it goes, with ordinary ends in between
    Herds {
        /// How many
        count: usize,
    },
    /// Persons, each a process that sends one signal and is gone
    Persons {
        /// How many
        count: usize,
    },
    /// The kernel: small memory cgroups whose one process wants more
    Oom {
        /// How many
        count: usize,
    },
    /// One kill of each kind
    Cast,
    /// Nobody is killed: so many processes sleep until the standard input is closed
    Sleep {
        /// How many
        count: usize,
    },
}

/// Acts.
pub(crate) fn run(act: &Act) -> anyhow::Result<()> {
    match act {
        Act::Parent { count, pause_us } => paced(*count, Duration::from_micros(*pause_us)),
        Act::Herds { count } => herds(*count),
        Act::Oom { count } => {
            let mut cgroups = Cgroups::new(&machine::hierarchy()?)?;
            ready()?;
            await_line()?;
            tell(&oom(*count, &mut cgroups)?)
        }
        Act::Persons { count } => {
            ready()?;
            await_line()?;
            tell(&persons(*count)?)
        }
        Act::Cast => cast::play(),
        Act::Sleep { count } => {
            let mut herd = herd(*count)?;
            ready()?;
            await_line()?;
            for pid in herd.drain(..) {
                let _ = kill_process(pid, Signal::TERM);
                waitpid(Some(pid), WaitOptions::empty())?;
            }
            Ok(())
        }
    }
}

/// One kill as it was done.
struct Deed {
    kind: &'static str,
    victim: Pid,
    killer: Pid,
    after_ns: u64,
    before_ns: u64,
}

fn tell(deeds: &[Deed]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for deed in deeds {
        writeln!(
            out,
            "{} {} {} {} {}",
            deed.kind,
            deed.victim.as_raw_nonzero(),
            deed.killer.as_raw_nonzero(),
            deed.after_ns,
            deed.before_ns
        )?;
    }
    Ok(out.flush()?)
}

fn ready() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    Ok(out.flush()?)
}

fn await_line() -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(())
}

/// A child that does `what` and ends with its status.
fn fork(what: impl FnOnce() -> i32) -> anyhow::Result<Pid> {
    // SAFETY: this process has one thread, so that the child may do anything its parent may.
    let child = unsafe { libc::fork() };
    match child {
        0 => {
            let status = what();
            // SAFETY: ends the child without what the parent registered for its own end.
            unsafe { libc::_exit(status) }
        }
        pid => Pid::from_raw(pid)
            .filter(|_| pid > 0)
            .with_context(|| format!("fork: {}", std::io::Error::last_os_error())),
    }
}

fn sleep() -> i32 {
    loop {
        // SAFETY: waits for a signal.
        unsafe { libc::pause() };
    }
}

fn herd(count: usize) -> anyhow::Result<Vec<Pid>> {
    (0..count).map(|_| fork(sleep)).collect()
}

fn strike(kind: &'static str, victim: Pid) -> anyhow::Result<Deed> {
    let after_ns = boot_ns();
    kill_process(victim, Signal::KILL)?;
    Ok(Deed {
        kind,
        victim,
        killer: rustix::process::getpid(),
        after_ns,
        before_ns: boot_ns(),
    })
}

/// All sleep before the first dies; then one at a time, at set moments.
fn paced(count: usize, pause: Duration) -> anyhow::Result<()> {
    let herd = herd(count)?;
    ready()?;
    await_line()?;
    let begin = Instant::now();
    let mut deeds = Vec::with_capacity(count);
    for (number, victim) in (0_u32..).zip(&herd) {
        let moment = begin + pause * number;
        if let Some(early) = moment.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        deeds.push(strike("parent", *victim)?);
    }
    for victim in herd {
        waitpid(Some(victim), WaitOptions::empty())?;
    }
    tell(&deeds)
}

/// Herd after herd; what a kill costs, from the first signal of a herd to the end of its last, is told behind all.
fn herds(count: usize) -> anyhow::Result<()> {
    ready()?;
    await_line()?;
    let mut deeds = Vec::with_capacity(count);
    let mut dying = Duration::ZERO;
    while deeds.len() < count {
        let herd = herd(HERD.min(count - deeds.len()))?;
        bystanders(herd.len() / BYSTANDERS)?;
        let begin = Instant::now();
        for victim in &herd {
            deeds.push(strike("parent", *victim)?);
        }
        for victim in herd {
            waitpid(Some(victim), WaitOptions::empty())?;
        }
        dying += begin.elapsed();
    }
    let calls: u64 = deeds
        .iter()
        .map(|deed| deed.before_ns - deed.after_ns)
        .sum();
    tell(&deeds)?;
    println!("cost {} {}", dying.as_nanos(), calls);
    Ok(())
}

/// Who ends by itself or on request is nobody's victim.
fn bystanders(count: usize) -> anyhow::Result<()> {
    for number in 0..count {
        let pid = match number % 2 {
            0 => fork(|| 0)?,
            _ => {
                let pid = fork(sleep)?;
                kill_process(pid, Signal::TERM)?;
                pid
            }
        };
        waitpid(Some(pid), WaitOptions::empty())?;
    }
    Ok(())
}

/// The killer is gone before anybody could ask for it; it has the login of a user.
fn persons(count: usize) -> anyhow::Result<Vec<Deed>> {
    let mut deeds = Vec::with_capacity(count);
    for _ in 0..count {
        let victim = fork(sleep)?;
        let after_ns = boot_ns();
        let killer = fork(|| {
            log_in();
            i32::from(kill_process(victim, Signal::KILL).is_err())
        })?;
        waitpid(Some(victim), WaitOptions::empty())?;
        waitpid(Some(killer), WaitOptions::empty())?;
        deeds.push(Deed {
            kind: "person",
            victim,
            killer,
            after_ns,
            before_ns: boot_ns(),
        });
    }
    Ok(deeds)
}

/// Takes a login, unless there is one: nobody can be named by one in vain.
fn log_in() {
    let _ = std::fs::write("/proc/self/loginuid", PERSON.to_string());
}

/// Whether a process that asks for a login has one then; asked of a child, for it is for good.
pub(crate) fn can_log_in() -> anyhow::Result<bool> {
    let child = fork(|| {
        log_in();
        let login = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
        i32::from(login.trim().parse::<u32>().is_ok_and(|uid| uid != u32::MAX))
    })?;
    let status = waitpid(Some(child), WaitOptions::empty())?;
    Ok(status.and_then(|(_, status)| status.exit_status()) == Some(1))
}

fn oom(count: usize, cgroups: &mut Cgroups) -> anyhow::Result<Vec<Deed>> {
    let names = Names::new(format!("storm {}", std::process::id()));
    let mut deeds = Vec::with_capacity(count);
    for number in 0..count {
        let pod = format!("pod {number}");
        let cgroup = cgroups.make(&names.pod_cgroupfs(&pod, "app"), Some(SMALL_BYTES))?;
        let into = cgroup.join("cgroup.procs");
        let after_ns = boot_ns();
        let victim = fork(|| match std::fs::write(&into, "0") {
            Ok(()) => eat(64 * SMALL_BYTES),
            Err(_) => 2,
        })?;
        let status = waitpid(Some(victim), WaitOptions::empty())?;
        let signal = status.and_then(|(_, status)| status.terminating_signal());
        if signal != Some(libc::SIGKILL) {
            bail!("{}: not killed: {status:?}", cgroup.display());
        }
        deeds.push(Deed {
            kind: "oom",
            victim,
            killer: victim,
            after_ns,
            before_ns: boot_ns(),
        });
    }
    Ok(deeds)
}

/// Touches so many bytes, a page at a time.
fn eat(bytes: usize) -> i32 {
    let mut memory: Vec<u8> = Vec::with_capacity(bytes);
    for _ in 0..bytes / 4096 {
        memory.extend_from_slice(std::hint::black_box(&[1; 4096]));
    }
    std::hint::black_box(&memory);
    0
}

/// Memory cgroups that were made here, and go with this.
pub(super) struct Cgroups {
    version: CgroupVersion,
    root: PathBuf,
    made: Vec<PathBuf>,
}

impl Cgroups {
    pub(super) fn new(hierarchy: &Hierarchy) -> anyhow::Result<Self> {
        let root = hierarchy
            .root
            .join(format!("whodunit-bench-{}", std::process::id()));
        let mut this = Self {
            version: hierarchy.version,
            root: hierarchy.root.clone(),
            made: Vec::new(),
        };
        this.ensure(&root)?;
        this.root = root;
        Ok(this)
    }

    /// Makes it and what is missing above it.
    pub(super) fn make(
        &mut self,
        path: &str,
        limit_bytes: Option<usize>,
    ) -> anyhow::Result<PathBuf> {
        let mut at = self.root.clone();
        for name in path.trim_start_matches('/').split('/') {
            at.push(name);
            self.ensure(&at)?;
        }
        if let Some(bytes) = limit_bytes {
            let file = at.join(match self.version {
                CgroupVersion::V1 => "memory.limit_in_bytes",
                CgroupVersion::V2 => "memory.max",
            });
            std::fs::write(&file, bytes.to_string()).with_context(|| file.display().to_string())?;
        }
        Ok(at)
    }

    fn ensure(&mut self, directory: &Path) -> anyhow::Result<()> {
        if directory.is_dir() {
            return Ok(());
        }
        if self.version == CgroupVersion::V2
            && let Some(above) = directory.parent()
        {
            let file = above.join("cgroup.subtree_control");
            std::fs::write(&file, "+memory").with_context(|| file.display().to_string())?;
        }
        std::fs::create_dir(directory).with_context(|| directory.display().to_string())?;
        self.made.push(directory.to_owned());
        Ok(())
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            // A process that is just gone may still be counted in it.
            for _ in 0..100 {
                if !matches!(std::fs::remove_dir(directory), Err(error) if error.raw_os_error() == Some(libc::EBUSY))
                {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
