//! A process that misbehaves to order: it joins a cgroup, takes a name and a score, and eats memory step by step.
//!
//! `hog STEP...` performs its steps from left to right; `hog kmsg-next`, `hog kmsg-dump SEQ`, `hog await-exit PID
//! SECONDS` and `hog await-file FILE SECONDS` serve the script that directs it. It is linked statically: what
//! it holds is what it was told to take. It never decides anything: what it does is in its arguments.
#![allow(unsafe_code)] // mmap, madvise, set_mempolicy, unshare, ptrace and signal have no safe form

mod ends;

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
use rustix::process::Signal;

const MIB: usize = 1 << 20;
/// The smallest page of every architecture that the lab runs on.
const PAGE_BYTES: usize = 4096;
/// `/dev/kmsg` gives one record a read; `CONSOLE_EXT_LOG_MAX` in `kernel/printk/printk.c` is 8192.
const RECORD_BYTES: usize = 16 * 1024;

const USAGE: &str = "\
usage: hog STEP...          (performed from left to right)
  cgroup DIR    move this process into the cgroup at DIR
  name HEX      take this name (PR_SET_NAME), bytes in hexadecimal
  adj N         write N to its own oom_score_adj
  say FILE      write its pid to FILE
  wait FILE     wait until FILE is there
  anon MIB      map anonymous memory and touch all of it
  huge MIB      the same with MADV_HUGEPAGE
  churn MIB     map anonymous memory, touch it and let it go (MADV_FREE), for ever
  reserve MIB   map memory and never touch it
  tmpfs FILE MIB  write so much to FILE; goes on to the next step when the kernel refuses
  threads N     start N idle threads
  bind-node N   take memory from NUMA node N only (MPOL_BIND)
  spawn STEP... end   start a child with these steps
  sleep SECONDS
  exit STATUS   end with this exit status
  crash         end by SIGSEGV
  cpu-limit S   set RLIMIT_CPU, soft and hard
  burn          use the processor for ever
  ignore-term   ignore SIGTERM
  kill PID      send SIGKILL
  end-with-parent  have the kernel end this process with its parent (PR_SET_PDEATHSIG)
  kill-child    send SIGKILL to the last child
  tie-child     have the kernel end the last child with this process (PTRACE_O_EXITKILL)
  say-child FILE  write the last child's pid to FILE
  wait-child    wait until the last child has ended
  new-pid-namespace  the next child is the first process of a pid namespace
usage: hog kmsg-next | kmsg-dump SEQ | await-exit PID SECONDS | await-file FILE SECONDS
usage: hog terminal PROGRAM ARGUMENT...   (types its standard input into a terminal that PROGRAM runs in)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] | ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["kmsg-next"] => kmsg_next(),
        ["kmsg-dump", from] => number(from).and_then(kmsg_dump),
        ["await-exit", pid, seconds] => await_exit(pid, seconds),
        ["await-file", file, seconds] => await_file(file, seconds),
        ["terminal", program @ ..] => ends::terminal(program),
        ["in-terminal", name, program @ ..] => ends::in_terminal(name, program),
        steps => perform(steps),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hog: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a process holds until it ends.
#[derive(Default)]
struct Held {
    children: Vec<Child>,
}

impl Held {
    fn last(&mut self) -> Result<&mut Child> {
        self.children.last_mut().context("nobody was spawned yet")
    }
}

fn perform(mut steps: &[&str]) -> Result<()> {
    let mut held = Held::default();
    loop {
        steps = match steps {
            [] => break,
            ["spawn", rest @ ..] => {
                let (child_steps, after) = split_at_end(rest)?;
                let child = Command::new(std::env::current_exe()?)
                    .args(child_steps)
                    .spawn()
                    .context("spawn")?;
                held.children.push(child);
                after
            }
            ["tmpfs", file, mib, rest @ ..] => {
                fill_file(Path::new(file), number(mib)?)?;
                rest
            }
            ["burn", ..] => ends::burn(),
            ["crash", rest @ ..] => {
                ends::crash()?;
                rest
            }
            ["ignore-term", rest @ ..] => {
                ends::ignore_term()?;
                rest
            }
            ["new-pid-namespace", rest @ ..] => {
                ends::new_pid_namespace()?;
                rest
            }
            ["end-with-parent", rest @ ..] => {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                rest
            }
            ["kill-child", rest @ ..] => {
                ends::kill(held.last()?.id())?;
                rest
            }
            ["tie-child", rest @ ..] => {
                ends::tie_by_ptrace(held.last()?)?;
                rest
            }
            ["wait-child", rest @ ..] => {
                held.last()?.wait()?;
                rest
            }
            ["say-child", file, rest @ ..] => {
                ends::say_child(Path::new(file), held.last()?)?;
                rest
            }
            [verb, value, rest @ ..] => {
                step(verb, value).with_context(|| format!("{verb} {value}"))?;
                rest
            }
            [verb] => bail!("`{verb}` lacks its value\n{USAGE}"),
        };
    }
    for mut child in held.children {
        child.wait()?;
    }
    Ok(())
}

/// Splits at the `end` that belongs to an already read `spawn`.
fn split_at_end<'a, 'b>(steps: &'a [&'b str]) -> Result<(&'a [&'b str], &'a [&'b str])> {
    let mut depth = 0usize;
    for (at, word) in steps.iter().enumerate() {
        match (*word, depth) {
            ("spawn", _) => depth += 1,
            ("end", 0) => {
                let (inside, rest) = steps.split_at(at);
                return Ok((inside, rest.get(1..).unwrap_or_default()));
            }
            ("end", _) => depth -= 1,
            _ => {}
        }
    }
    bail!("`spawn` without `end`")
}

fn step(verb: &str, value: &str) -> Result<()> {
    match verb {
        "cgroup" => fs::write(Path::new(value).join("cgroup.procs"), "0")?,
        "name" => rustix::thread::set_name(&name_from_hex(value)?)?,
        "adj" => fs::write("/proc/self/oom_score_adj", value)?,
        "say" => say(Path::new(value))?,
        "wait" => {
            while !Path::new(value).exists() {
                thread::sleep(Duration::from_millis(20));
            }
        }
        "anon" => {
            let bytes = number::<usize>(value)? * MIB;
            touch(map(bytes, ProtFlags::READ | ProtFlags::WRITE)?, bytes);
        }
        "huge" => {
            let bytes = number::<usize>(value)? * MIB;
            let start = map(bytes, ProtFlags::READ | ProtFlags::WRITE)?;
            // SAFETY: `start` is a live private mapping of `bytes` bytes that only this function knows; the advice
            // changes the size of the pages behind it, not its contents.
            unsafe { madvise(start.cast(), bytes, Advice::LinuxHugepage)? };
            touch(start, bytes);
        }
        "churn" => {
            let bytes = number::<usize>(value)? * MIB;
            let start = map(bytes, ProtFlags::READ | ProtFlags::WRITE)?;
            loop {
                for offset in (0..bytes).step_by(MIB) {
                    // SAFETY: `offset` is inside the mapping of `bytes` bytes, a whole number of MiB, at `start`.
                    let part = unsafe { start.add(offset) };
                    touch(part, MIB);
                    // SAFETY: the mapping is alive and nothing relies on what is in it.
                    unsafe { madvise(part.cast(), MIB, Advice::LinuxFree)? };
                }
            }
        }
        "reserve" => {
            map(number::<usize>(value)? * MIB, ProtFlags::READ)?;
        }
        "threads" => {
            for _ in 0..number::<usize>(value)? {
                thread::spawn(|| thread::sleep(Duration::from_secs(3600)));
            }
        }
        "bind-node" => bind_to_node(number(value)?)?,
        "cpu-limit" => ends::limit_processor_time(number(value)?)?,
        "kill" => ends::kill(number(value)?)?,
        "exit" => std::process::exit(number(value)?),
        "sleep" => thread::sleep(Duration::from_secs(number(value)?)),
        _ => bail!("no such step\n{USAGE}"),
    }
    Ok(())
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N> {
    text.parse()
        .ok()
        .with_context(|| format!("`{text}` is not a number that fits"))
}

fn name_from_hex(hex: &str) -> Result<CString> {
    let bytes = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect::<Result<Vec<u8>>>()?;
    Ok(CString::new(bytes)?)
}

/// Writes the pid under another name first, so that who waits for the file never reads it half written.
fn say(file: &Path) -> Result<()> {
    let draft = file.with_extension("draft");
    fs::write(&draft, format!("{}\n", std::process::id()))?;
    fs::rename(&draft, file)?;
    Ok(())
}

/// Maps private anonymous memory that stays until the process ends.
fn map(bytes: usize, protection: ProtFlags) -> Result<*mut u8> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a null hint lets the kernel choose a free range, so no other mapping is replaced.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, protection, flags)? };
    Ok(start.cast())
}

/// Writes to every page, so that each is really there. The content differs by page, so that nothing can merge them.
fn touch(start: *mut u8, bytes: usize) {
    for offset in (0..bytes).step_by(PAGE_BYTES) {
        // SAFETY: `offset` is inside the writable mapping of `bytes` bytes at `start`, that nothing else refers to.
        unsafe { start.add(offset).cast::<usize>().write_volatile(offset | 1) };
    }
}

/// Writes `mib` MiB; a refusal (the memory cgroup is full and nobody may be killed) ends the filling, not the process.
/// A short write is the first sign of it: to ask again would make the kernel look for a victim again.
fn fill_file(path: &Path, mib: usize) -> Result<()> {
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    let block = vec![0x5a_u8; MIB / 4];
    for _ in 0..mib * 4 {
        match file.write(&block) {
            Ok(written) if written == block.len() => {}
            Ok(written) => {
                eprintln!(
                    "hog: {}: only {written} of {} bytes",
                    path.display(),
                    block.len()
                );
                return Ok(());
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::OutOfMemory | ErrorKind::StorageFull
                ) =>
            {
                eprintln!("hog: {}: {error}", path.display());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// `set_mempolicy(MPOL_BIND)`, see `include/uapi/linux/mempolicy.h`.
fn bind_to_node(node: u32) -> Result<()> {
    const MPOL_BIND: libc::c_long = 2;
    let mask: libc::c_ulong = 1_u64.checked_shl(node).context("node out of range")?;
    // The kernel reads one bit less than the length it is told (`get_nodes` in mm/mempolicy.c).
    let bits: libc::c_ulong = libc::c_ulong::from(libc::c_ulong::BITS) + 1;
    // SAFETY: the kernel only reads one word at `&mask`, which outlives the call; nothing else is handed over.
    let answer =
        unsafe { libc::syscall(libc::SYS_set_mempolicy, MPOL_BIND, &raw const mask, bits) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error().into())
    }
}

/// Hands every record that the kernel still holds to `see`, each as `/dev/kmsg` gives it.
fn each_record(mut see: impl FnMut(u64, &[u8]) -> io::Result<()>) -> Result<()> {
    let mut kmsg = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")
        .context("/dev/kmsg")?;
    let mut buffer = vec![0_u8; RECORD_BYTES];
    loop {
        match kmsg.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                let record = buffer.get(..length).unwrap_or_default();
                if let Some(sequence) = sequence_of(record) {
                    see(sequence, record)?;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // EPIPE: records were overwritten before they were read; the next read goes on behind the gap.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The second field of `level,sequence,microseconds,flags;text`.
fn sequence_of(record: &[u8]) -> Option<u64> {
    let field = record.split(|byte| *byte == b',').nth(1)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn kmsg_next() -> Result<()> {
    let mut next = 0;
    each_record(|sequence, _| {
        next = sequence + 1;
        Ok(())
    })?;
    println!("{next}");
    Ok(())
}

fn kmsg_dump(from: u64) -> Result<()> {
    let mut out = io::stdout().lock();
    each_record(|sequence, record| {
        if sequence >= from {
            out.write_all(record)
        } else {
            Ok(())
        }
    })?;
    Ok(out.flush()?)
}

/// A process that nobody has waited for yet counts as ended.
fn has_ended(pid: &str) -> bool {
    let Ok(stat) = fs::read(Path::new("/proc").join(OsStr::new(pid)).join("stat")) else {
        return true;
    };
    // The name may hold anything, a parenthesis too: the state follows the last one.
    let state = stat
        .rsplit(|byte| *byte == b')')
        .next()
        .and_then(|rest| rest.get(1));
    matches!(state, Some(b'Z' | b'X') | None)
}

fn await_exit(pid: &str, seconds: &str) -> Result<()> {
    number::<u32>(pid)?;
    await_until(number(seconds)?, || has_ended(pid))
}

fn await_file(file: &str, seconds: &str) -> Result<()> {
    await_until(number(seconds)?, || Path::new(file).exists())
}

fn await_until(seconds: u64, done: impl Fn() -> bool) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !done() {
        if Instant::now() >= end {
            bail!("waited {seconds} seconds in vain");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
