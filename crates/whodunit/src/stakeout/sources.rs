//! The live sources of a machine: opened as far as they can be had, and what is missing said in words.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use oom_report::{Assumptions, Scanner};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use whodunit_case::fact::{ContainerFacts, Fact};
use whodunit_node::cgroup::{CgroupWatch, Hierarchies};
use whodunit_node::kmsg::{Begun, Follower, Position, Start};
use whodunit_node::runtimes::{self, Runtimes, usual_endpoints};
use whodunit_node::{Machine, Root};
use whodunit_trace::{Abilities, Ability, Losses, Tracer};

use super::listener::Listener;
use super::standing::{Standing, State};

/// The kernel's log.
pub(super) const KMSG: &str = "/dev/kmsg";
/// How long a verdict waits for a container's name. A runtime that is slower is asked again with the next evidence.
const PATIENCE: Duration = Duration::from_millis(5);

/// What to watch.
#[derive(Debug, Clone)]
pub struct Options {
    /// The machine.
    pub root: Root,
    /// Where to begin in the kernel's log.
    pub from: From,
    /// Use eBPF.
    pub signals: bool,
    /// Ask container runtimes.
    pub runtimes: bool,
    /// Watch the cgroups' counts.
    pub cgroups: bool,
    /// Trace options.
    pub trace: whodunit_trace::Options,
}

/// Where to begin in the kernel's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// With what comes.
    Now,
    /// With the oldest record that the kernel still holds.
    Oldest,
    /// Where an earlier run stopped; in another boot, with the oldest record.
    Position(Position),
}

/// Who has something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    Trace,
    Log,
    Cgroups,
    Runtimes,
}

pub(super) struct Sources {
    trace: Option<Listener>,
    abilities: Option<Abilities>,
    pub(super) log: Option<Follower>,
    pub(super) scanner: Scanner,
    cgroups: Option<CgroupWatch>,
    runtimes: Option<Runtimes>,
    told: Receiver<runtimes::Told>,
    /// Readable when the runtimes' thread has told something.
    pub(super) waker: Arc<OwnedFd>,
    /// Why a source that was asked for is not there.
    missing: BTreeMap<&'static str, String>,
}

const SIGNALS: &str = "signals";
const EXITS: &str = "exits";
const MARKS: &str = "oom-marks";
const KERNEL_LOG: &str = "kernel-log";
const CGROUPS: &str = "cgroups";
const RUNTIMES: &str = "runtimes";

impl Sources {
    pub(super) fn open(
        options: &Options,
        machine: &Machine,
        notes: &mut Vec<String>,
    ) -> io::Result<Self> {
        let root = &options.root;
        let mut missing_sources = BTreeMap::new();
        let (trace, abilities) = match options.signals.then(|| Tracer::start(options.trace)) {
            Some(Ok((tracer, abilities))) => {
                (Some(Listener::start(tracer, notes)?), Some(abilities))
            }
            Some(Err(error)) => {
                for source in [SIGNALS, EXITS, MARKS] {
                    missing_sources.insert(source, error.to_string());
                }
                notes.push(format!(
                    "eBPF: {error}. Without it senders of signals are not seen: a kill by a person, a runtime, a daemon or the \
                     application itself cannot be told from one another, and kernel kills are told from the log alone."
                ));
                (None, None)
            }
            None => (None, None),
        };
        if let Some(abilities) = &abilities {
            notes.extend(missing(abilities));
        }
        let start = match &options.from {
            From::Now => Start::Now,
            From::Oldest => Start::Oldest,
            From::Position(position) => Start::After(position.clone()),
        };
        let log = match Follower::open(root, &start) {
            Ok(follower) => {
                notes.extend(begun(follower.begun()));
                Some(follower)
            }
            Err(error) => {
                missing_sources.insert(KERNEL_LOG, format!("{KMSG}: {error}"));
                notes.push(format!(
                    "{KMSG}: {error} ({}). Without it OOM kills are told without sizes, limits and cgroups.",
                    whodunit_node::kmsg::hint(&error)
                ));
                None
            }
        };
        if options.cgroups {
            allow_descriptors();
        }
        let cgroups = match options
            .cgroups
            .then(|| CgroupWatch::start(&Hierarchies::find(root)))
        {
            Some(Ok(mut watch)) => {
                notes.extend(watch.take_notes());
                Some(watch)
            }
            Some(Err(error)) => {
                missing_sources.insert(CGROUPS, error.to_string());
                notes.push(format!(
                    "cgroups: {error}. Their out-of-memory counts are not watched."
                ));
                None
            }
            None => None,
        };
        let waker = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (tell, told) = mpsc::channel();
        let wake = waker.clone();
        let runtimes = options.runtimes.then(|| {
            Runtimes::start(root, usual_endpoints(root), move |one| {
                let _ = tell.send(one);
                let _ = rustix::io::write(&*wake, &1_u64.to_ne_bytes());
            })
        });
        let runtimes = match runtimes {
            Some(Ok(runtimes)) => Some(runtimes),
            Some(Err(error)) => {
                missing_sources.insert(RUNTIMES, error.to_string());
                notes.push(format!(
                    "container runtimes: {error}. Containers are named by their ids only."
                ));
                None
            }
            None => None,
        };
        let assumptions = Assumptions {
            boot: machine.boot_time,
            node: machine.hostname.clone(),
            boot_id: machine.boot_id.clone(),
            ..Assumptions::default()
        };
        Ok(Self {
            trace,
            abilities,
            log,
            scanner: Scanner::new(assumptions),
            cgroups,
            runtimes,
            told,
            waker,
            missing: missing_sources,
        })
    }

    /// Whether the sender of every signal is seen.
    pub(super) fn sees_signals(&self) -> bool {
        self.abilities
            .as_ref()
            .is_some_and(|abilities| matches!(abilities.signals, Ability::Works { .. }))
    }

    pub(super) fn abilities(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.abilities {
            Some(abilities) => lines.push(format!(
                "signals: {}; ends of processes: {}; OOM marks: {}",
                abilities.signals, abilities.exits, abilities.marks
            )),
            None => lines.push("signals: not seen".to_owned()),
        }
        let state = |there: bool| if there { "followed" } else { "not read" };
        lines.push(format!("kernel log: {}", state(self.log.is_some())));
        if let Some(cgroups) = &self.cgroups {
            lines.push(format!("cgroups watched: {}", cgroups.cgroups()));
        }
        lines
    }

    /// What to wait for.
    pub(super) fn fds(&self) -> impl Iterator<Item = (Speaker, BorrowedFd<'_>)> {
        let trace = self.trace.iter();
        let trace = trace.map(|trace| (Speaker::Trace, trace.as_fd()));
        let log = self.log.iter().map(|log| (Speaker::Log, log.as_fd()));
        let cgroups = self.cgroups.iter();
        let cgroups = cgroups.map(|cgroups| (Speaker::Cgroups, cgroups.as_fd()));
        let runtimes = [(Speaker::Runtimes, self.waker.as_fd())];
        trace.chain(log).chain(cgroups).chain(runtimes)
    }

    /// Whether each source is there, and why not.
    pub(super) fn standing(&self) -> Vec<Standing> {
        let state = |source: &'static str, stands: bool| {
            let state = match (stands, self.missing.get(source)) {
                (true, _) => State::Stands,
                (false, Some(why)) => State::Missing { why: why.clone() },
                (false, None) => State::NotAsked,
            };
            Standing { source, state }
        };
        let program = |source: &'static str, ability: fn(&Abilities) -> &Ability| match self
            .abilities
            .as_ref()
            .map(ability)
        {
            Some(Ability::Works { .. }) => state(source, true),
            Some(Ability::Missing { why }) => Standing {
                source,
                state: State::Missing { why: why.clone() },
            },
            None => state(source, false),
        };
        vec![
            program(SIGNALS, |abilities| &abilities.signals),
            program(EXITS, |abilities| &abilities.exits),
            program(MARKS, |abilities| &abilities.marks),
            state(KERNEL_LOG, self.log.is_some()),
            state(CGROUPS, self.cgroups.is_some()),
            state(RUNTIMES, self.runtimes.is_some()),
        ]
    }

    /// The kernel's log cannot be read any more.
    pub(super) fn lose_log(&mut self, why: String) {
        self.missing.insert(KERNEL_LOG, why);
        self.log = None;
    }

    pub(super) fn read_trace(&self, sink: &mut dyn FnMut(Fact)) -> usize {
        self.trace.as_ref().map_or(0, |trace| trace.take(sink))
    }

    pub(super) fn losses(&self) -> Option<Losses> {
        self.trace.as_ref().and_then(|trace| trace.losses().ok())
    }

    pub(super) fn read_cgroups(&mut self, notes: &mut Vec<String>, sink: &mut dyn FnMut(Fact)) {
        let Some(cgroups) = &mut self.cgroups else {
            return;
        };
        if let Err(error) = cgroups.read(sink) {
            notes.push(format!(
                "cgroups: {error}; their counts are not watched any more"
            ));
            self.missing.insert(CGROUPS, error.to_string());
            self.cgroups = None;
            return;
        }
        notes.extend(cgroups.take_notes());
    }

    pub(super) fn read_runtimes(&mut self, notes: &mut Vec<String>, sink: &mut dyn FnMut(Fact)) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&*self.waker, &mut count);
        for told in self.told.try_iter() {
            match told {
                runtimes::Told::Fact(fact) => sink(fact),
                runtimes::Told::Note(note) => notes.push(note),
            }
        }
    }

    pub(super) fn container(&self, id: &str) -> Option<ContainerFacts> {
        self.runtimes.as_ref()?.lookup(id, PATIENCE)
    }
}

/// cgroup v1 takes a descriptor for each cgroup, and the usual limit is 1024: raised as far as it may be. Where that is
/// not enough, the watch says of which cgroup on. What this program starts gets the limit, too.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
}

/// What cannot be told without each program.
fn missing(abilities: &Abilities) -> Vec<String> {
    [
        (
            "signals",
            &abilities.signals,
            "senders of signals are not seen: kills by people, runtimes, daemons and the application cannot be told apart",
        ),
        (
            "ends of processes",
            &abilities.exits,
            "a plain exit(137) is not seen, and verdicts do not wait for the end of a victim",
        ),
        (
            "OOM marks",
            &abilities.marks,
            "an OOM kill whose report is missing in the log cannot be told from another kill by the kernel",
        ),
    ]
    .into_iter()
    .filter_map(|(what, ability, meaning)| match ability {
        Ability::Works { .. } => None,
        Ability::Missing { why } => Some(format!("eBPF, {what}: {why}: {meaning}")),
    })
    .collect()
}

fn begun(begun: &Begun) -> Option<String> {
    match begun {
        Begun::AsAsked => None,
        Begun::OtherBoot { saved } => Some(format!(
            "{KMSG}: the machine was booted since the last run (boot {saved}): beginning with this boot's oldest record"
        )),
        Begun::PositionAhead { saved } => Some(format!(
            "{KMSG}: the saved position {saved} lies ahead of the log: beginning with the oldest record"
        )),
    }
}

/// Inode number in `/proc/self/ns/pid`: `pid:[4026531836]`.
pub(super) fn own_pid_namespace(root: &Root) -> Option<u32> {
    let link = std::fs::read_link(root.join("/proc/self/ns/pid")).ok()?;
    let text = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    text.parse().ok()
}
