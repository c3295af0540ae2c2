//! Incidents on their way into the store: kept before they are told. When the store cannot be had, watching goes on,
//! what could not be stored waits, and the user is told what to do about it, once.

use std::path::Path;

use jiff::Timestamp;
use whodunit_case::incident::Incident;
use whodunit_case::live::{self, LostBoot};
use whodunit_node::Machine;
use whodunit_node::kmsg::Position as LogPosition;
use whodunit_store::{
    BACKLOG_MAX, Backlog, Inserted, OnBroken, Options, Position, Record, Store, StoreError, Upkeep,
    WhenKnown, default_path,
};

use crate::stakeout::{Seen, Stakeout};
use crate::terminal;

/// Under which name the position in the kernel's log is stored.
const LOG: &str = "kmsg";

/// The store, if there is one, and what waits for it.
pub struct Keeping {
    path: Option<std::path::PathBuf>,
    store: Option<Store>,
    backlog: Backlog,
    kept_position: Option<LogPosition>,
    complained: Option<String>,
}

impl Keeping {
    /// Nothing is kept.
    pub fn none() -> Self {
        Self {
            path: None,
            store: None,
            backlog: Backlog::new(1),
            kept_position: None,
            complained: None,
        }
    }

    /// Opens the store at `path`, or the usual one. `say` gets what is wrong with it.
    pub fn open(path: Option<&Path>, say: &mut dyn FnMut(&str)) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let mut keeping = Self {
            path: default_path(path, uid, |name| std::env::var_os(name)),
            backlog: Backlog::new(BACKLOG_MAX),
            ..Self::none()
        };
        if keeping.path.is_none() {
            say(
                "no place for a store: neither --store nor WHODUNIT_STORE nor a home folder; incidents are not kept",
            );
        }
        keeping.try_open();
        if let Some(store) = &keeping.store {
            let position = store.position::<LogPosition>(LOG);
            match position {
                Ok(position) => keeping.kept_position = position,
                Err(error) => say(&format!("{error}")),
            }
        }
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
                    terminal::complain(&format!(
                        "{}: {why}; it was moved to {} and a new one begun",
                        path.display(),
                        aside.display()
                    ));
                }
                if self.complained.take().is_some() {
                    terminal::complain(&format!("{}: incidents are kept again", path.display()));
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
        if self.complained.as_ref() != Some(&text) {
            terminal::complain(&text);
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

    /// Keeps what was seen; gives what is to be told: new, and not told by an earlier run.
    pub fn keep(&mut self, seen: Vec<Seen>, stakeout: &Stakeout) -> Vec<Incident> {
        if seen.is_empty() {
            return Vec::new();
        }
        let mut tell: Vec<(Incident, bool)> = Vec::with_capacity(seen.len());
        let mut records = Vec::with_capacity(seen.len());
        for one in seen {
            records.push(Record {
                incident: one.incident.clone(),
                sources: Stakeout::source_infos(),
                facts: one.facts,
                when_known: match one.new {
                    true => WhenKnown::KeepBetter,
                    false => WhenKnown::Replace,
                },
            });
            tell.push((one.incident, one.new));
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
        let mut known = stored.unwrap_or_default().into_iter();
        tell.into_iter()
            .filter(|(_, new)| {
                let inserted = known.next().unwrap_or(Inserted::Added);
                *new && inserted == Inserted::Added
            })
            .map(|(incident, _)| incident)
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
                    terminal::complain("incidents are stored again");
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
        let machine = stakeout.machine();
        if let (Some(store), Some(boot_id)) = (self.store.as_mut(), machine.boot_id.as_deref()) {
            let now = Timestamp::now();
            let kept = store
                .boot_seen(boot_id, machine.hostname.as_deref(), now)
                .and_then(|()| store.upkeep(now).map(drop));
            if let Err(error) = kept {
                self.complain(&error);
            }
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
