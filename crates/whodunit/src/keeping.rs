//! Incidents on their way into the store: kept before they are told. When the store cannot be had, watching goes on,
//! what could not be stored waits, and the user is told what to do about it, once.

mod caretaker;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use whodunit_case::fact::Fact;
use whodunit_case::incident::Incident;
use whodunit_case::live::{self, LostBoot};
use whodunit_node::Machine;
use whodunit_node::kmsg::Position as LogPosition;
use whodunit_store::{
    BACKLOG_MAX, Backlog, Inserted, OnBroken, Options, Position, Record, Store, StoreError, Upkeep,
    WhenKnown, default_path,
};

use crate::stakeout::{Seen, Stakeout};
use crate::voice::Voice;
use caretaker::Caretaker;

/// Under which name the position in the kernel's log is stored.
const LOG: &str = "kmsg";
/// How long the end waits for the disk. What is committed is safe without that.
const CLOSING: Duration = Duration::from_secs(5);
/// How often a sign of life of this boot is written.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// The store, if there is one, and what waits for it.
pub struct Keeping {
    path: Option<PathBuf>,
    voice: Voice,
    store: Option<Store>,
    caretaker: Option<Caretaker>,
    backlog: Backlog,
    kept_position: Option<LogPosition>,
    complained: Option<String>,
    signed: Option<Instant>,
    errors: u64,
}

/// An incident that was kept and is to be told.
#[derive(Debug)]
pub struct Told {
    /// The incident.
    pub incident: Incident,
    /// The raw facts it is made of.
    pub facts: Vec<Fact>,
    /// CLOCK_BOOTTIME of its first signal.
    pub happened_boot_ns: Option<u64>,
}

/// How the store does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreState {
    /// Why they cannot be at present.
    pub why_not: Option<String>,
    /// Times that the store could not be opened, written or asked.
    pub errors: u64,
    /// Incidents that wait to be stored.
    pub waiting: u64,
    /// Incidents that were given up.
    pub dropped: u64,
}

impl Keeping {
    /// Nothing is kept.
    pub fn none(voice: Voice) -> Self {
        Self {
            path: None,
            voice,
            store: None,
            caretaker: None,
            backlog: Backlog::new(1),
            kept_position: None,
            complained: None,
            signed: None,
            errors: 0,
        }
    }

    /// Opens the store at `path`, or the usual one. `voice` tells what is wrong with it, now and later.
    pub fn open(path: Option<&Path>, voice: Voice) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let mut keeping = Self {
            path: default_path(path, uid, |name| std::env::var_os(name)),
            backlog: Backlog::new(BACKLOG_MAX),
            ..Self::none(voice)
        };
        if keeping.path.is_none() {
            voice.complain(
                "no place for a store: neither --store nor WHODUNIT_STORE nor a home folder; incidents are not kept",
            );
        }
        keeping.try_open();
        if let Some(store) = &keeping.store {
            let position = store.position::<LogPosition>(LOG);
            match position {
                Ok(position) => keeping.kept_position = position,
                Err(error) => keeping.complain(&error),
            }
        }
        keeping.caretaker = keeping.path.clone().and_then(|path| {
            let caretaker = Caretaker::start(path, voice);
            caretaker
                .inspect_err(|error| {
                    voice.complain(&format!(
                        "no thread for the store's upkeep: {error}; old incidents are removed at the next start"
                    ));
                })
                .ok()
        });
        keeping
    }

    fn try_open(&mut self) {
        let Some(path) = self.path.clone() else {
            return;
        };
        let options = Options {
            on_broken: OnBroken::MoveAside,
            upkeep: Upkeep::Separate,
            ..Options::default()
        };
        match Store::open(&path, &options, Timestamp::now()) {
            Ok(store) => {
                if let Some((aside, why)) = &store.opening().moved_aside {
                    self.voice.complain(&format!(
                        "{}: {why}; it was moved to {} and a new one begun",
                        path.display(),
                        aside.display()
                    ));
                }
                if self.complained.take().is_some() {
                    self.voice
                        .complain(&format!("{}: incidents are kept again", path.display()));
                }
                if let Some(caretaker) = &self.caretaker {
                    caretaker.reopened();
                }
                self.store = Some(store);
            }
            Err(error) => self.complain(&error),
        }
    }

    /// The same complaint once.
    fn complain(&mut self, error: &StoreError) {
        let text = format!(
            "{error}; watching goes on, and {} incidents at most wait to be stored",
            BACKLOG_MAX
        );
        self.errors += 1;
        if self.complained.as_ref() != Some(&text) {
            self.voice.complain(&text);
            self.complained = Some(text);
        }
    }

    /// Where the last run stopped in the kernel's log.
    pub fn position(&self) -> Option<LogPosition> {
        self.kept_position.clone()
    }

    /// Whether something is to be written, or tried again, without anything happening.
    pub fn owes(&self, stakeout: &Stakeout) -> bool {
        self.path.is_some() && (self.store.is_none() || stakeout.position() != self.kept_position)
    }

    /// The store's file, there or not.
    pub fn path(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    /// Whether somebody wants incidents kept, possible or not.
    pub fn is_asked(&self) -> bool {
        self.path.is_some()
    }

    /// Keeps what was seen; gives what is to be told: new, and not told by an earlier run.
    pub fn keep(&mut self, seen: Vec<Seen>, stakeout: &Stakeout) -> Vec<Told> {
        if seen.is_empty() {
            return Vec::new();
        }
        let mut tell: Vec<(Told, bool)> = Vec::with_capacity(seen.len());
        let mut records = Vec::with_capacity(seen.len());
        for one in seen {
            let told = Told {
                incident: one.incident.clone(),
                facts: one.facts.clone(),
                happened_boot_ns: one.happened_boot_ns,
            };
            records.push(Record {
                incident: one.incident,
                sources: Stakeout::source_infos(),
                facts: one.facts,
                when_known: match one.new {
                    true => WhenKnown::KeepBetter,
                    false => WhenKnown::Replace,
                },
            });
            tell.push((told, one.new));
        }
        let waiting = self.backlog.counts().waiting > 0;
        let positions: Vec<Position> = self.position_now(stakeout).into_iter().collect();
        let stored = match self.store.as_mut().filter(|_| !waiting) {
            Some(store) => match store.insert_all(&records, &positions, Timestamp::now()) {
                Ok(inserted) => Some(inserted),
                Err(error) => {
                    self.hold(records, &error);
                    None
                }
            },
            None => {
                if self.path.is_some() {
                    records
                        .into_iter()
                        .for_each(|record| self.backlog.hold(record));
                    self.retry();
                }
                None
            }
        };
        if stored.is_some()
            && let Some(caretaker) = &self.caretaker
        {
            caretaker.written();
        }
        let mut known = stored.unwrap_or_default().into_iter();
        tell.into_iter()
            .filter(|(_, new)| {
                let inserted = known.next().unwrap_or(Inserted::Added);
                *new && inserted == Inserted::Added
            })
            .map(|(told, _)| told)
            .collect()
    }

    fn hold(&mut self, records: Vec<Record>, error: &StoreError) {
        self.complain(error);
        for record in records {
            self.backlog.hold(record);
        }
    }

    fn retry(&mut self) {
        if self.store.is_none() {
            self.try_open();
        }
        let Some(store) = self.store.as_mut() else {
            return;
        };
        match self.backlog.retry(store, Timestamp::now()) {
            Ok(()) => {
                if self.complained.take().is_some() {
                    self.voice.complain("incidents are stored again");
                }
            }
            Err(error) => {
                self.complain(&error);
                // A file that was replaced or mended is another one.
                self.store = None;
            }
        }
    }

    /// How far the log was read, when nothing of it is in the works: a run that goes on from there loses nothing.
    fn position_now(&mut self, stakeout: &Stakeout) -> Option<Position> {
        let position = stakeout.settled_position()?;
        let stored = Position::new(LOG, &position).ok()?;
        self.kept_position = Some(position);
        Some(stored)
    }

    /// From time to time: what waits, the position, a sign of life of this boot.
    pub fn breathe(&mut self, stakeout: &Stakeout) {
        if self.path.is_none() {
            return;
        }
        if let Some(position) = self.position_now(stakeout) {
            self.backlog.hold_position(position);
        }
        self.retry();
        if self
            .signed
            .is_none_or(|signed| signed.elapsed() >= SIGN_OF_LIFE)
        {
            self.sign(stakeout.machine(), false);
        }
    }

    /// Writes down that this boot was alive now, and whether the machine goes down as it should.
    fn sign(&mut self, machine: &Machine, going_down: bool) {
        let (Some(store), Some(boot_id)) = (self.store.as_mut(), machine.boot_id.as_deref()) else {
            return;
        };
        let (node, now) = (machine.hostname.as_deref(), Timestamp::now());
        let signed = match going_down {
            true => store.boot_ends(boot_id, node, now),
            false => store.boot_seen(boot_id, node, now),
        };
        match signed {
            Ok(()) => self.signed = Some(Instant::now()),
            Err(error) => self.complain(&error),
        }
    }

    /// The end: what waits is stored if it can be. `going_down`: the whole machine is being shut down.
    pub fn finish(mut self, stakeout: &Stakeout, going_down: bool) {
        self.breathe(stakeout);
        self.sign(stakeout.machine(), going_down);
        self.caretaker = None;
        let waiting = self.backlog.counts().waiting;
        if self.path.is_some() && waiting > 0 {
            self.voice
                .complain(&format!("{waiting} incident(s) could not be stored"));
        }
        // Closing waits for the disk, which a busy machine may hold back for a minute.
        let store = self.store.take();
        let (done, closed) = mpsc::channel();
        let closing = std::thread::Builder::new().spawn(move || {
            drop(store);
            let _ = done.send(());
        });
        if closing.is_ok() {
            let _ = closed.recv_timeout(CLOSING);
        }
    }

    /// How the store does.
    pub fn state(&self) -> StoreState {
        let counts = self.backlog.counts();
        let why_not = match (&self.path, &self.store) {
            (Some(_), Some(_)) => None,
            (None, _) => Some("no place for a store".to_owned()),
            (Some(_), None) => Some(self.complained.clone().unwrap_or_default()),
        };
        StoreState {
            why_not: why_not.or_else(|| self.complained.clone()),
            errors: self.errors,
            waiting: counts.waiting,
            dropped: counts.dropped,
        }
    }

    /// Whether the machine was booted since the last run: everything that ran on it then is gone. Stores it and gives
    /// what is to be told.
    pub fn restart(&mut self, machine: &Machine) -> Vec<Incident> {
        let (Some(store), Some(boot_id)) = (self.store.as_mut(), machine.boot_id.as_deref()) else {
            return Vec::new();
        };
        let boots = match store.boots() {
            Ok(boots) => boots,
            Err(error) => {
                self.complain(&error);
                return Vec::new();
            }
        };
        let node = machine.hostname.as_deref();
        let here =
            |boot: &&whodunit_store::Boot| boot.node.is_none() || boot.node.as_deref() == node;
        let last = boots.iter().filter(here).max_by_key(|boot| boot.last_seen);
        let lost = last.filter(|last| last.boot_id != boot_id).map(|last| {
            live::node_lost(
                &LostBoot {
                    boot_id: &last.boot_id,
                    last_seen: last.last_seen,
                    clean_shutdown: last.clean_shutdown,
                    next_boot_id: boot_id,
                    next_booted: machine.boot_time,
                },
                node,
            )
        });
        let now = Timestamp::now();
        let _ = store.boot_seen(boot_id, node, now);
        let Some(incident) = lost else {
            return Vec::new();
        };
        let record = Record::new(incident.clone(), Stakeout::source_infos());
        match store.insert(&record, now) {
            Ok(Inserted::Added) => vec![incident],
            Ok(Inserted::Updated | Inserted::KeptBetter) => Vec::new(),
            Err(error) => {
                self.hold(vec![record], &error);
                vec![incident]
            }
        }
    }
}
