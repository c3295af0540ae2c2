//! Programs that are measured: started, waited for, watched.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Builds whodunit for release into `target`.
pub(crate) fn build(target: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "whodunit",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .with_context(|| format!("{}", cargo.display()))?;
    if !status.success() {
        bail!("cargo build --release -p whodunit: {status}");
    }
    Ok(())
}

/// Before others that want the processors too; without the right to it, as it is.
pub(crate) fn raise_priority() {
    let _ = rustix::process::setpriority_process(None, -5);
}

/// This process, and all that it starts from now on, on the first `count` of the processors it may use. Says on how many.
pub(crate) fn use_processors(count: usize) -> anyhow::Result<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    static ALLOWED: std::sync::OnceLock<CpuSet> = std::sync::OnceLock::new();
    let allowed = match ALLOWED.get() {
        Some(allowed) => *allowed,
        None => *ALLOWED.get_or_init(|| sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new())),
    };
    let mut chosen = CpuSet::new();
    for cpu in (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .take(count)
    {
        chosen.set(cpu);
    }
    sched_setaffinity(None, &chosen).context("choice of processors")?;
    Ok(chosen.count() as usize)
}

/// Runs it to its end, its output thrown away.
pub(crate) fn time(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| name(command))?;
    let took = start.elapsed();
    if !status.success() {
        bail!("{}: {status}", name(command));
    }
    Ok(took)
}

/// The same, with the first `bytes` of `log` coming through a pipe.
pub(crate) fn time_piped(
    command: &mut Command,
    log: &Path,
    bytes: u64,
) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut child = piped(command)?;
    feed(&mut child, log, bytes).with_context(|| name(command))?;
    let status = child.wait().with_context(|| name(command))?;
    let took = start.elapsed();
    if !status.success() {
        bail!("{}: {status}", name(command));
    }
    Ok(took)
}

/// What it prints.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| name(command))?;
    if !output.status.success() {
        bail!("{}: {}", name(command), output.status);
    }
    Ok(output.stdout)
}

/// Most anonymous memory it had at a time (`RssAnon`, /proc/PID/status), in KiB, looked at five thousand times a
/// second. Pages of mapped files are not in it. With `piped`, those bytes of that log come through a pipe.
pub(crate) fn peak_anon_kib(
    command: &mut Command,
    input: Option<(&Path, u64)>,
) -> anyhow::Result<u64> {
    let mut child = match input {
        Some(_) => piped(command)?,
        None => command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| name(command))?,
    };
    let status_file = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || {
        let mut peak = 0;
        // The file is empty of sizes once the process is over.
        while let Some(kib) = anon_kib(&status_file) {
            peak = peak.max(kib);
            std::thread::sleep(Duration::from_micros(200));
        }
        peak
    });
    if let Some((log, bytes)) = input {
        feed(&mut child, log, bytes).with_context(|| name(command))?;
    }
    let peak = watcher.join().ok().context("the watcher's thread")?;
    let status = child.wait().with_context(|| name(command))?;
    if !status.success() || peak == 0 {
        bail!("{}: {status}, {peak} KiB seen", name(command));
    }
    Ok(peak)
}

fn anon_kib(status_file: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status_file).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn piped(command: &mut Command) -> anyhow::Result<Child> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| name(command))
}

/// Writes the log into the child's standard input, as `cat` would.
fn feed(child: &mut Child, log: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut input = child.stdin.take().context("standard input")?;
    let mut file = File::open(log).with_context(|| log.display().to_string())?;
    let mut buffer = vec![0; 128 << 10];
    let mut left = bytes;
    while left > 0 {
        let read = std::io::Read::read(&mut file, &mut buffer)? as u64;
        if read == 0 {
            break;
        }
        let part = read.min(left);
        input.write_all(buffer.get(..part as usize).unwrap_or_default())?;
        left -= part;
    }
    Ok(())
}

fn name(command: &Command) -> String {
    format!("{command:?}")
}
