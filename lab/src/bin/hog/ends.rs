//! The steps by which a process ends, or ends another: limits of processor time, ptrace, pid namespaces, signals; and a
//! terminal to type such commands into.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A shell takes its time to be ready for what is typed.
const TYPING_PAUSE: Duration = Duration::from_millis(120);
/// Programs throw away what is typed while they run (sudo does): the last line is typed again until it is heeded.
const RETYPING_PAUSE: Duration = Duration::from_secs(1);

/// RLIMIT_CPU, soft and hard.
pub(crate) fn limit_processor_time(seconds: u64) -> Result<()> {
    let limit = Rlimit {
        current: Some(seconds),
        maximum: Some(seconds),
    };
    Ok(setrlimit(Resource::Cpu, limit)?)
}

/// Uses the processor until something ends it.
pub(crate) fn burn() -> ! {
    let mut number = 1_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}

/// The next process that is spawned is the first of a pid namespace.
pub(crate) fn new_pid_namespace() -> Result<()> {
    // SAFETY: only the namespace of children to come changes; no memory is handed over.
    let answer = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()).context("unshare(CLONE_NEWPID)")
    }
}

/// Asks the kernel to end `child` with this process: PTRACE_O_EXITKILL.
pub(crate) fn tie_by_ptrace(child: &Child) -> Result<()> {
    let pid = libc::pid_t::try_from(child.id())?;
    let none: *mut libc::c_void = std::ptr::null_mut();
    // SAFETY: PTRACE_SEIZE reads no memory: its address must be 0 and its data are the options themselves.
    let answer = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, none, libc::PTRACE_O_EXITKILL) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()).context("ptrace(PTRACE_SEIZE)")
    }
}

/// Leaves SIGTERM without effect.
pub(crate) fn ignore_term() -> Result<()> {
    // SAFETY: SIG_IGN runs no code of this program.
    let before = unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    if before == libc::SIG_ERR {
        return Err(io::Error::last_os_error()).context("signal(SIGTERM, SIG_IGN)");
    }
    Ok(())
}

/// kill(2) with SIGKILL.
pub(crate) fn kill(pid: u32) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("no process has the pid 0")?;
    Ok(kill_process(pid, Signal::KILL)?)
}

/// Ends itself by SIGSEGV, as a program with a bug does.
pub(crate) fn crash() -> Result<()> {
    kill_process(rustix::process::getpid(), Signal::SEGV)?;
    bail!("SIGSEGV did not end this process")
}

/// Writes the last child's pid, as it is seen from here, to a file that appears whole.
pub(crate) fn say_child(file: &Path, child: &Child) -> Result<()> {
    let draft = file.with_extension("draft");
    fs::write(&draft, format!("{}\n", child.id()))?;
    fs::rename(&draft, file)?;
    Ok(())
}

/// Runs a program in a terminal of its own and types the lines of the standard input into it, as a person would.
pub(crate) fn terminal(program: &[&str]) -> Result<()> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .context("/dev/ptmx")?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name: CString = ptsname(&master, Vec::new())?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("in-terminal")
        .arg(name.to_str()?)
        .args(program)
        .stdin(Stdio::null())
        .spawn()
        .context("spawn")?;
    let mut screen = File::from(master);
    let mut keyboard = screen.try_clone()?;
    let typing = thread::spawn(move || -> io::Result<()> {
        let mut last = String::new();
        for line in io::stdin().lines() {
            last = line? + "\n";
            thread::sleep(TYPING_PAUSE);
            keyboard.write_all(last.as_bytes())?;
        }
        loop {
            thread::sleep(RETYPING_PAUSE);
            keyboard.write_all(last.as_bytes())?;
        }
    });
    let mut shown = [0_u8; 4096];
    // EIO: nobody holds the other side any more.
    while let Ok(length @ 1..) = screen.read(&mut shown) {
        io::stdout().write_all(shown.get(..length).unwrap_or_default())?;
    }
    child.wait()?;
    if typing.is_finished() {
        typing.join().ok().context("typing failed")??;
    }
    Ok(())
}

/// The other side of [`terminal`]: a new session, whose first open terminal becomes its controlling one.
pub(crate) fn in_terminal(name: &str, program: &[&str]) -> Result<()> {
    let (program, arguments) = program.split_first().context("no program is named")?;
    setsid()?;
    let side = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .with_context(|| name.to_owned())?;
    let error = Command::new(program)
        .args(arguments)
        .stdin(side.try_clone()?)
        .stdout(side.try_clone()?)
        .stderr(side)
        .exec();
    Err(error).with_context(|| (*program).to_owned())
}
