//! The program at work: started, waited for until it watches, its lines taken with the moment of their arrival, and
//! ended as a user ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::boot_ns;
use super::cost::Cost;
use super::held::Deed;

/// To load three programs into the kernel and walk the cgroups.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines of standard output, each with the moment at which its end was read.
type Lines = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// `whodunit watch -o ndjson`.
pub(super) struct Watched {
    child: Child,
    lines: Lines,
    notes: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Watched {
    /// Starts it and waits until it watches. Without a store, nothing is kept.
    pub(super) fn start(whodunit: &Path, store: Option<&Path>) -> anyhow::Result<Self> {
        let mut command = Command::new(whodunit);
        command.args(["watch", "-o", "ndjson"]);
        match store {
            Some(store) => command.arg("--store").arg(store),
            None => command.arg("--no-store"),
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let stdout = child.stdout.take().context("standard output")?;
        let stderr = child.stderr.take().context("standard error")?;
        let (lines, notes) = (Lines::default(), Arc::default());
        let (tell, ready) = mpsc::channel();
        let readers = vec![
            std::thread::spawn({
                let lines = lines.clone();
                move || read_lines(stdout, &lines)
            }),
            std::thread::spawn({
                let notes: Arc<Mutex<Vec<String>>> = Arc::clone(&notes);
                move || {
                    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                        if line.contains("watching; stop") {
                            let _ = tell.send(());
                        }
                        if let Ok(mut notes) = notes.lock() {
                            notes.push(line);
                        }
                    }
                }
            }),
        ];
        let mut this = Self {
            child,
            lines,
            notes,
            readers,
        };
        if ready.recv_timeout(PATIENCE).is_err() {
            let _ = this.child.kill();
            bail!("{command:?} does not watch: {}", this.notes().join("; "));
        }
        if let Some(why) = this.notes().iter().find(|note| note.contains("not seen")) {
            let _ = this.child.kill();
            bail!("{command:?} cannot see all: {why}");
        }
        Ok(this)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said on standard error.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes
            .lock()
            .map(|notes| notes.clone())
            .unwrap_or_default()
    }

    /// Waits until `expected` lines are there, or none has come for a while.
    pub(super) fn await_lines(&self, expected: usize) {
        let (mut count, mut since) = (0, Instant::now());
        while count < expected && since.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.lines.lock().map_or(0, |lines| lines.len());
            if now > count {
                (count, since) = (now, Instant::now());
            }
        }
        // What is told twice would come late.
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Processor time so far.
    pub(super) fn cost(&self) -> anyhow::Result<Cost> {
        Cost::of(self.pid())
    }

    /// Asks it to end. Its lines with their moments, and what it said.
    pub(super) fn stop(mut self) -> anyhow::Result<Told> {
        if let Some(pid) = Pid::from_raw(i32::try_from(self.pid())?) {
            kill_process(pid, Signal::INT)?;
        }
        let status = self.child.wait()?;
        for reader in self.readers.drain(..) {
            reader.join().ok().context("a reader's thread")?;
        }
        if !status.success() {
            bail!("whodunit watch: {status}: {}", self.notes().join("; "));
        }
        let lines = self
            .lines
            .lock()
            .map(|mut lines| std::mem::take(&mut *lines));
        Ok(Told {
            lines: lines.unwrap_or_default(),
            notes: self.notes(),
        })
    }
}

/// All that it told.
pub(super) struct Told {
    pub(super) lines: Vec<(u64, Vec<u8>)>,
    pub(super) notes: Vec<String>,
}

fn read_lines(mut from: impl Read, lines: &Lines) {
    let mut buffer = vec![0; 1 << 16];
    let mut rest: Vec<u8> = Vec::new();
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let at_ns = boot_ns();
        let mut new = Vec::new();
        for part in buffer
            .get(..length)
            .unwrap_or_default()
            .split_inclusive(|byte| *byte == b'\n')
        {
            rest.extend_from_slice(part);
            if rest.ends_with(b"\n") {
                new.push((at_ns, std::mem::take(&mut rest)));
            }
        }
        if let Ok(mut lines) = lines.lock() {
            lines.extend(new);
        }
    }
}

/// A process of [`super::act`], ready to act.
pub(super) struct Actor {
    child: Child,
    go: ChildStdin,
    out: BufReader<std::process::ChildStdout>,
}

impl Actor {
    pub(super) fn ready(own: &Path, words: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(own);
        let mut child = command
            .arg("act")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let go = child.stdin.take().context("standard input")?;
        let mut out = BufReader::new(child.stdout.take().context("standard output")?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        if line != "ready\n" {
            bail!("{command:?} is not ready: {}", child.wait()?);
        }
        Ok(Self { child, go, out })
    }

    pub(super) fn go(&mut self) -> anyhow::Result<()> {
        Ok(self.go.write_all(b"go\n")?)
    }

    /// What it did, once it is done.
    pub(super) fn done(mut self) -> anyhow::Result<Done> {
        let mut done = Done::default();
        for line in (&mut self.out).lines() {
            let line = line?;
            match line.strip_prefix("cost ") {
                Some(cost) => {
                    let mut numbers = cost.split(' ').map(str::parse);
                    done.dying_ns = numbers.next().context("cost")??;
                    done.calls_ns = numbers.next().context("cost")??;
                }
                None => done.deeds.push(Deed::read(&line)?),
            }
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("an actor failed: {status}");
        }
        Ok(done)
    }
}

/// What an actor did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) deeds: Vec<Deed>,
    /// From the first signal of each herd to the end of its last, summed.
    pub(super) dying_ns: u64,
    /// In kill(2).
    pub(super) calls_ns: u64,
}
