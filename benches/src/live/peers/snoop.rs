//! bpftrace's tools: found, started where they see tracefs, and their lines read for a victim and its killer.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use whodunit_lab::packages;

use super::Sight;
use crate::live::cost::Cost;
use crate::live::held::Deed;

/// Where distributions put the tools that are in nobody's PATH.
const TOOLS: &str = "/usr/share/bpftrace/tools";
/// To compile and attach.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program for bpftrace.
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// After `bpftrace -B line`.
    arguments: Vec<String>,
}

/// The tools; none without bpftrace.
pub(super) fn tools() -> anyhow::Result<Option<Vec<Tool>>> {
    if packages::find("bpftrace").is_none() {
        return Ok(None);
    }
    let file = |name: &'static str| -> anyhow::Result<Tool> {
        let elsewhere = Path::new(TOOLS).join(name);
        let path: PathBuf = packages::find(name)
            .or_else(|| elsewhere.is_file().then_some(elsewhere))
            .with_context(|| format!("bpftrace is here, {name} is not"))?;
        Ok(Tool {
            name,
            arguments: vec![path.to_string_lossy().into_owned()],
        })
    };
    let stand_in = Tool {
        name: "oom:mark_victim",
        arguments: vec![
            "-e".into(),
            "BEGIN { printf(\"Tracing\\n\"); } tracepoint:oom:mark_victim { printf(\"%d by %d (%s)\\n\", args->pid, pid, comm); }".into(),
        ],
    };
    Ok(Some(vec![
        file("killsnoop.bt")?,
        file("oomkill.bt")?,
        stand_in,
    ]))
}

/// A tool at work.
pub(super) struct Snoop {
    name: &'static str,
    child: Child,
    reader: JoinHandle<Vec<String>>,
}

impl Snoop {
    /// Starts it and waits until it traces; what it said, if it does not.
    pub(super) fn start(tool: &Tool) -> anyhow::Result<Result<Self, String>> {
        // tracefs is not mounted everywhere: mounted for it alone, in a mount namespace of its own.
        let mount = "[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; exec bpftrace -B line \"$@\"";
        let mut child = Command::new("unshare")
            .args(["--mount", "sh", "-c", mount, "sh"])
            .args(&tool.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("unshare")?;
        let stdout = child.stdout.take().context("standard output")?;
        let mut stderr = child.stderr.take().context("standard error")?;
        let (tell, ready) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut lines = Vec::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("Tracing") {
                    let _ = tell.send(());
                }
                lines.push(line);
            }
            lines
        });
        // BEGIN runs before the other probes are attached.
        let traces = ready.recv_timeout(PATIENCE).is_ok();
        std::thread::sleep(Duration::from_millis(500));
        if traces && child.try_wait()?.is_none() {
            return Ok(Ok(Self {
                name: tool.name,
                child,
                reader,
            }));
        }
        let _ = child.kill();
        child.wait()?;
        let mut said = String::new();
        stderr.read_to_string(&mut said)?;
        let _ = reader.join();
        Ok(Err(said.lines().collect::<Vec<_>>().join(" / ")))
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn cost(&self) -> anyhow::Result<Cost> {
        Cost::of(self.child.id())
    }

    /// What it printed.
    pub(super) fn stop(mut self) -> anyhow::Result<Vec<String>> {
        if let Some(pid) = Pid::from_raw(i32::try_from(self.child.id())?) {
            kill_process(pid, Signal::INT)?;
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{}: {status}", self.name);
        }
        self.reader.join().ok().context("the reader's thread")
    }
}

/// Whether the lines have the victim, and on the same line its killer. Each number of a line that stands alone counts:
/// which column it is in is for the reader of the tool to know.
pub(super) fn sight(deed: &Deed, lines: &[String]) -> Sight {
    let has = |line: &str, pid: u32| {
        line.split(|c: char| !c.is_ascii_digit())
            .any(|word| word.parse() == Ok(pid))
    };
    let mut seen = lines
        .iter()
        .filter(|line| has(line, deed.victim))
        .peekable();
    if seen.peek().is_none() {
        return Sight::Nothing;
    }
    if deed.killer == deed.victim || seen.any(|line| has(line, deed.killer)) {
        return Sight::Named;
    }
    Sight::Seen
}
