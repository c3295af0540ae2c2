//! The way of a fact through the program: sources -> reports -> incidents -> filter -> view, one report at a time,
//! so that memory does not grow with the input. Decides nothing: what an incident is and how it looks comes in
//! through [`Judge`] and [`View`].

mod reading;
mod telling;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use oom_report::Ignored;
use oom_report::report::OomReport;
use whodunit_case::incident::{Incident, SourceInfo};
use whodunit_node::{Opened, Source};

use crate::dating::Known;
use crate::filter::Filter;
use crate::held::Held;
use crate::progress::{Progress, Sum};
use reading::Reading;
use telling::Telling;

/// Reports of one source that wait for the sources before it.
const REPORTS_WAITING: usize = 32;

/// Sources for each worker that may be read before the ones before them are told.
const SOURCES_AHEAD: usize = 4;

/// Makes an incident of a report, and remembers the ones before it, in bounded memory.
pub trait Judge {
    /// The report as an incident. `source` is its place in the document's sources.
    fn incident(&mut self, report: OomReport, source: usize, info: &SourceInfo) -> Incident;

    /// Where the same kill was read before, as [`crate::held::place`] writes it.
    fn seen(&mut self, incident: &Incident) -> Option<String>;

    /// Remembers a kill that was not seen before, for that and for what shows only across kills.
    fn remember(&mut self, incident: &Incident);
}

/// Prints. The calls come in this order: `begin`, `incident` for each, `end`.
pub trait View {
    /// Before the first incident.
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()>;
    /// One incident.
    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()>;
    /// After the last: what was read, and what could not be or had to be assumed.
    fn end(
        &mut self,
        out: &mut dyn Write,
        sources: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()>;
}

/// What to read, and how.
#[derive(Debug)]
pub struct Job {
    /// In the order to read them.
    pub sources: Vec<Source>,
    /// The first source, where finding it opened it.
    pub first_opened: Option<Opened>,
    /// What finding the sources brought up.
    pub warnings: Vec<Warning>,
    /// What to assume of times.
    pub known: Known,
    /// Which incidents to print.
    pub filter: Filter,
    /// Threads in all, at least 1.
    pub threads: usize,
    /// Incidents to hold back for other places of the same kill.
    pub hold: usize,
    /// Whether a bar is wanted.
    pub progress: bool,
}

/// Something the reader of a verdict should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// One sentence. May hold a file's name, and that anything: make it printable.
    pub text: String,
    /// Something that was asked for could not be read.
    pub error: bool,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Incidents printed.
    pub printed: usize,
    /// Of these, with a victim.
    pub kills: usize,
    /// Sources that could not be read, or not wholly.
    pub unreadable: usize,
}

/// Something that a source has to say.
enum Event {
    Note(String),
    Skipped(String),
    Report(Box<OomReport>),
    Ended(Ended),
}

/// A source is done.
#[derive(Default)]
struct Ended {
    bytes: Option<u64>,
    lines: Option<u64>,
    error: Option<String>,
    ignored: Ignored,
}

/// Reads all sources and prints the incidents that the filter keeps. `warn` gets what could not be read or had to be
/// assumed, as it comes. Fails only when the view does.
pub fn run(
    job: Job,
    judge: &mut dyn Judge,
    view: &mut dyn View,
    out: &mut dyn Write,
    warn: &mut dyn FnMut(&Warning),
) -> io::Result<Done> {
    let Job {
        sources,
        first_opened,
        warnings,
        known,
        filter,
        threads,
        hold,
        progress,
    } = job;
    let sum = Sum::default();
    let total = sources
        .iter()
        .map(|source| source.size_bytes)
        .sum::<Option<u64>>();
    let progress = Progress::start(progress, total, sum.clone());
    let reading = Reading {
        threads_per_source: (threads / sources.len().max(1)).max(1),
        sources: &sources,
        first_opened: Mutex::new(first_opened),
        known: &known,
        sum,
        stop: AtomicBool::new(false),
    };
    let mut telling = Telling {
        judge,
        view,
        out,
        warn,
        filter: &filter,
        progress: &progress,
        held: Held::new(hold),
        infos: Vec::with_capacity(sources.len()),
        warnings: Vec::new(),
        without_time: 0,
        again: None,
        done: Done::default(),
    };
    for warning in warnings {
        telling.warn(warning);
    }
    telling.view.begin(telling.out)?;
    let workers = threads.min(sources.len());
    if workers <= 1 {
        for (index, source) in sources.iter().enumerate() {
            let assumptions = known.assumptions(source);
            telling.begin_source(source);
            let mut outcome = Ok(());
            reading.read(index, source, &assumptions, &mut |event| {
                if outcome.is_ok() {
                    outcome = telling.event(index, &assumptions, event);
                }
                outcome.is_ok()
            });
            outcome?;
        }
    } else {
        side_by_side(workers, &reading, &mut telling)?;
    }
    telling.end()
}

/// Several sources are read at the same time; what they say is told in their order. Only a few are handed out ahead
/// of the one that is being told, so that memory does not grow with their number either.
fn side_by_side(
    workers: usize,
    reading: &Reading<'_>,
    telling: &mut Telling<'_>,
) -> io::Result<()> {
    let (hand_out, jobs) = mpsc::channel::<(usize, SyncSender<Event>)>();
    let jobs = Mutex::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((index, events)) = job else { return };
                    let Some(source) = reading.sources.get(index) else {
                        return;
                    };
                    let assumptions = reading.known.assumptions(source);
                    reading.read(index, source, &assumptions, &mut |event| {
                        events.send(event).is_ok()
                    });
                }
            });
        }
        // Moved into this closure, so that the workers end when it does, whatever the outcome.
        let hand_out = hand_out;
        let mut ahead: VecDeque<Receiver<Event>> = VecDeque::new();
        let mut handed_out = 0;
        for (index, source) in reading.sources.iter().enumerate() {
            while ahead.len() <= workers * SOURCES_AHEAD && handed_out < reading.sources.len() {
                let (events, receiver) = mpsc::sync_channel(REPORTS_WAITING);
                ahead.push_back(receiver);
                // The workers are there as long as this scope.
                let _ = hand_out.send((handed_out, events));
                handed_out += 1;
            }
            let Some(events) = ahead.pop_front() else {
                break;
            };
            let assumptions = reading.known.assumptions(source);
            telling.begin_source(source);
            let told = events
                .into_iter()
                .try_for_each(|event| telling.event(index, &assumptions, event));
            if told.is_err() {
                reading.stop.store(true, Ordering::Relaxed);
                return told;
            }
        }
        Ok(())
    })
}
