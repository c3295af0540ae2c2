//! The tracer that all tests of a process share, the facts that it told so far, and the cast.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use anyhow::bail;
use whodunit_case::fact::{Exit, Fact, KillSignal, OomMark};
use whodunit_trace::{Losses, Options, Tracer};

use crate::truth::Truth;

/// A test: an error says why it can't be staged here, a panic that the tracer is wrong.
pub(crate) type Check = fn() -> anyhow::Result<()>;

/// Runs a check, or says loudly why it can't be run.
pub(crate) fn live(what: &str, check: Check) {
    match scene().map(drop).and_then(|()| check()) {
        Ok(()) => {}
        Err(why) if whodunit_lab::required() => {
            panic!("{what} could not be staged: {why:#}")
        }
        Err(why) => eprintln!("\n*** NOT TESTED: {what} could not be staged: {why:#}\n"),
    }
}

/// Longest that a fact may take; emulated machines are slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tracer and what it told.
pub(crate) struct Scene {
    tracer: Tracer,
    pub(crate) facts: Vec<Fact>,
}

static SCENE: OnceLock<Result<Mutex<Scene>, String>> = OnceLock::new();

/// The scene, with the tracer attached.
pub(crate) fn scene() -> anyhow::Result<MutexGuard<'static, Scene>> {
    let scene = SCENE.get_or_init(|| {
        let (tracer, abilities) =
            Tracer::start(Options::default()).map_err(|error| error.to_string())?;
        assert!(abilities.all(), "a program was refused: {abilities:#?}");
        println!("{} {abilities:?}", whodunit_lab::machine::kernel_release());
        Ok(Mutex::new(Scene {
            tracer,
            facts: Vec::new(),
        }))
    });
    match scene {
        Ok(scene) => Ok(scene
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())),
        Err(why) => bail!("{why}"),
    }
}

impl Scene {
    /// How many facts came.
    pub(crate) fn drain(&mut self) -> usize {
        let facts = &mut self.facts;
        self.tracer.records.drain(&mut |fact| facts.push(fact))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.tracer.records.as_fd()
    }

    pub(crate) fn losses(&self) -> Losses {
        self.tracer.programs.losses().unwrap()
    }
}

/// Waits for the first fact of which `find` makes something.
pub(crate) fn wait<T>(what: &str, find: impl Fn(&Fact) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        {
            let mut scene = scene().unwrap();
            scene.drain();
            if let Some(found) = scene.facts.iter().find_map(&find) {
                return found;
            }
            assert!(
                Instant::now() < end,
                "no {what} was told; losses: {:?}",
                scene.losses()
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Signals to `tgid` so far, in order.
pub(crate) fn signals_to(tgid: u32) -> Vec<KillSignal> {
    all(|fact| match fact {
        Fact::Signal(signal) if signal.target.tgid == tgid => Some((**signal).clone()),
        _ => None,
    })
}

/// Ends of `tgid` so far: one, or something is wrong.
pub(crate) fn exits_of(tgid: u32) -> Vec<Exit> {
    all(|fact| match fact {
        Fact::Exit(exit) if exit.process.tgid == tgid => Some((**exit).clone()),
        _ => None,
    })
}

fn all<T>(find: impl Fn(&Fact) -> Option<T>) -> Vec<T> {
    let mut scene = scene().unwrap();
    scene.drain();
    scene.facts.iter().filter_map(find).collect()
}

/// The one signal to `tgid`.
pub(crate) fn signal_to(tgid: u32) -> KillSignal {
    wait(&format!("signal to {tgid}"), |fact| match fact {
        Fact::Signal(signal) if signal.target.tgid == tgid => Some((**signal).clone()),
        _ => None,
    })
}

/// The end of `tgid`, which must be told once.
pub(crate) fn exit_of(tgid: u32) -> Exit {
    let exit = wait(&format!("end of {tgid}"), |fact| match fact {
        Fact::Exit(exit) if exit.process.tgid == tgid => Some((**exit).clone()),
        _ => None,
    });
    assert_eq!(exits_of(tgid).len(), 1, "ends of {tgid}");
    exit
}

/// The mark on `tgid`.
pub(crate) fn mark_of(tgid: u32) -> OomMark {
    wait(&format!("mark on {tgid}"), |fact| match fact {
        Fact::OomMark(mark) if mark.tgid == tgid => Some(*mark),
        _ => None,
    })
}

// ---- the cast ----

/// A process that waits for its cue.
pub(crate) struct Actor {
    child: Child,
    cue: Option<ChildStdin>,
    /// What it said when it was ready.
    pub(crate) line: String,
}

impl Actor {
    /// `name` becomes the file name of its program.
    pub(crate) fn new(name: &str, words: &[&str]) -> Self {
        let mut command = Command::new(program(name));
        command.arg("actor").args(words);
        Self::of(command)
    }

    /// Any program that says a line when it is ready and waits for its input.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("ready"), "{command:?} said {line:?}");
        Self {
            cue: child.stdin.take(),
            child,
            line,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn truth(&self) -> Truth {
        Truth::of(self.pid())
    }

    /// Gives the cue.
    pub(crate) fn go(&mut self) {
        self.cue.as_mut().unwrap().write_all(b"g\n").unwrap();
    }

    /// Gives the cue and waits for the end.
    pub(crate) fn act(mut self) -> ExitStatus {
        self.go();
        self.wait()
    }

    /// Takes facts meanwhile: what others do on the machine must not fill the buffer.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            scene().unwrap().drain();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// As [`Actor::wait`], for who has the scene in hand.
    pub(crate) fn wait_in(&mut self, scene: &mut Scene) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            scene.drain();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Children of a process, by /proc.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let mut found: Vec<u32> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
                let after = stat.rsplit_once(") ").map(|(_, after)| after);
                after.and_then(|after| after.split(' ').nth(1)) == Some(&parent.to_string())
            })
        })
        .collect();
    found.sort_unstable();
    found
}

fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("whodunit-live-{}", std::process::id()))
}

/// This program under another name.
fn program(name: &str) -> PathBuf {
    let path = directory().join(name);
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock();
    if !path.is_file() {
        let own = std::env::current_exe().unwrap();
        std::fs::create_dir_all(directory()).unwrap();
        // On another file system one copy serves all names: a virtual machine has little room.
        let copy = directory().join(".copy");
        if std::fs::hard_link(&own, &path).is_err() {
            if !copy.is_file() {
                std::fs::copy(&own, &copy).unwrap();
            }
            std::fs::hard_link(&copy, &path).unwrap();
        }
    }
    path
}

/// Removes what tests left on the file system.
pub(crate) fn clear() {
    let _ = std::fs::remove_dir_all(directory());
}
