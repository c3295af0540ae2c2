//! The way of a fact through the program: sources -> reports -> incidents -> filter -> view, one report at a time,
//! so that memory does not grow with the input. Decides nothing: what an incident is and how it looks comes in
//! through [`Judge`] and [`View`].

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use oom_report::report::OomReport;
use oom_report::{Assumptions, Ignored, Scanner};
use whodunit_case::incident::{Incident, SourceInfo};
use whodunit_node::{Content, OpenError, Opened, Source};

use crate::dating::{self, Known};
use crate::filter::{Answer, Filter};
use crate::held::{Held, place};
use crate::progress::{Progress, Sum};

/// Bytes of a stream handed to the scanner at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Reports of one source that wait for the sources before it.
const REPORTS_WAITING: usize = 32;

/// Sources for each worker that may be read before the ones before them are told.
const SOURCES_AHEAD: usize = 4;

/// Makes an incident of a report, and remembers the ones before it, in bounded memory.
pub trait Judge {
    /// The report as an incident. `source` is its place in the document's sources.
    fn incident(&mut self, report: &OomReport, source: usize, info: &SourceInfo) -> Incident;

    /// Where the same kill was read before, as [`place`] writes it.
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

/// The reading side: shared by the workers.
struct Reading<'a> {
    sources: &'a [Source],
    first_opened: Mutex<Option<Opened>>,
    known: &'a Known,
    threads_per_source: usize,
    sum: Sum,
    stop: AtomicBool,
}

impl Reading<'_> {
    /// Reads one source to its end. `tell` returns false when nobody listens any more.
    fn read(
        &self,
        index: usize,
        source: &Source,
        assumptions: &Assumptions,
        tell: &mut dyn FnMut(Event) -> bool,
    ) {
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        let opened_before = match index {
            0 => self
                .first_opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
            _ => None,
        };
        let opened = match opened_before.map_or_else(|| source.open(), Ok) {
            Ok(opened) => opened,
            Err(skipped @ OpenError::Skipped { .. }) => {
                let _ = tell(Event::Skipped(skipped.to_string()));
                let _ = tell(Event::Ended(Ended::default()));
                return;
            }
            Err(error) => {
                let error = Some(error.to_string());
                let _ = tell(Event::Ended(Ended {
                    error,
                    ..Ended::default()
                }));
                return;
            }
        };
        for note in &opened.notes {
            let _ = tell(Event::Note(format!("{}: {note}", source.name())));
        }
        self.sum.opened(index, opened.read.clone());
        let mut scanner = Scanner::new(assumptions.clone());
        let mut ended = match opened.content {
            Content::Bytes(bytes) => {
                let lines = scanner.scan(&bytes, self.threads_per_source, &mut |report| {
                    let _ = tell(Event::Report(Box::new(report)));
                });
                opened.read.add(bytes.len() as u64);
                Ended {
                    bytes: Some(bytes.len() as u64),
                    lines: Some(lines),
                    error: bytes
                        .check()
                        .err()
                        .map(|error| format!("{}: {error}", source.name())),
                    ..Ended::default()
                }
            }
            Content::Stream(stream) => self.stream(source, stream, &mut scanner, tell),
        };
        ended.ignored = scanner.ignored();
        self.sum.closed(index);
        let _ = tell(Event::Ended(ended));
    }

    fn stream(
        &self,
        source: &Source,
        mut stream: Box<dyn Read + Send>,
        scanner: &mut Scanner,
        tell: &mut dyn FnMut(Event) -> bool,
    ) -> Ended {
        let mut listening = true;
        let mut sink = |report: OomReport| listening &= tell(Event::Report(Box::new(report)));
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut bytes = 0_u64;
        let mut error = None;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    bytes += read as u64;
                    scanner.push(buffer.get(..read).unwrap_or_default(), &mut sink);
                }
                Err(failed) if failed.kind() == io::ErrorKind::Interrupted => {}
                Err(failed) => {
                    error = Some(format!(
                        "{}: {failed}; what came before it was read ({bytes} bytes)",
                        source.name()
                    ));
                    break;
                }
            }
        }
        let lines = scanner.finish(&mut sink);
        Ended {
            bytes: Some(bytes),
            lines: Some(lines),
            error,
            ..Ended::default()
        }
    }
}

/// The telling side: one thread, in the order of the sources.
struct Telling<'a> {
    judge: &'a mut dyn Judge,
    view: &'a mut dyn View,
    out: &'a mut dyn Write,
    warn: &'a mut dyn FnMut(&Warning),
    filter: &'a Filter,
    progress: &'a Progress,
    held: Held,
    infos: Vec<SourceInfo>,
    warnings: Vec<String>,
    without_time: usize,
    /// Kills of the current source that were printed before: the first one, where it was printed from, how many.
    again: Option<(String, String, usize)>,
    done: Done,
}

/// Which assumptions the reports of the current source needed; kept in words in its [`SourceInfo`].
fn assumed(report: &OomReport) -> (bool, bool) {
    report.time.wall.map_or((false, false), |wall| {
        (wall.year_assumed, wall.zone_assumed)
    })
}

impl Telling<'_> {
    fn begin_source(&mut self, source: &Source) {
        self.infos.push(SourceInfo {
            kind: source.kind,
            path: source.path.as_ref().map(|path| path.display().to_string()),
            bytes: None,
            lines: None,
            time_assumption: None,
            error: None,
        });
    }

    fn event(&mut self, index: usize, assumptions: &Assumptions, event: Event) -> io::Result<()> {
        match event {
            Event::Note(note) => {
                self.note(note);
                Ok(())
            }
            Event::Skipped(why) => {
                if let Some(info) = self.infos.get_mut(index) {
                    info.error = Some(why.clone());
                }
                self.note(why);
                Ok(())
            }
            Event::Report(report) => self.report(index, assumptions, &report),
            Event::Ended(ended) => {
                self.ended(index, ended);
                Ok(())
            }
        }
    }

    fn report(
        &mut self,
        index: usize,
        assumptions: &Assumptions,
        report: &OomReport,
    ) -> io::Result<()> {
        let (year, zone) = assumed(report);
        let Some(info) = self.infos.get_mut(index) else {
            return Ok(());
        };
        if info.time_assumption.is_none() {
            info.time_assumption = dating::in_words(assumptions, year, zone);
        }
        let incident = self.judge.incident(report, index, info);
        if let Some(first) = self.judge.seen(&incident) {
            let told = self.held.add_place(&incident, &first);
            if !told && self.filter.answer(&incident) == Answer::Keep {
                self.again
                    .get_or_insert_with(|| (place(&incident), first, 0))
                    .2 += 1;
            }
            return Ok(());
        }
        // A kill counts in the history of its container even where the filter leaves it out.
        self.judge.remember(&incident);
        match self.filter.answer(&incident) {
            Answer::Keep => {}
            Answer::Drop => return Ok(()),
            Answer::TimeUnknown => {
                self.without_time += 1;
                return Ok(());
            }
        }
        self.done.kills += usize::from(!incident.victims.is_empty());
        for incident in self.held.take(incident).collect::<Vec<_>>() {
            self.print(&incident)?;
        }
        Ok(())
    }

    fn print(&mut self, incident: &Incident) -> io::Result<()> {
        self.done.printed += 1;
        // Flushed at once: whoever reads a pipe gets an incident when it is found.
        self.progress.aside(|| {
            self.view
                .incident(self.out, incident)
                .and_then(|()| self.out.flush())
        })
    }

    fn ended(&mut self, index: usize, ended: Ended) {
        let Some(info) = self.infos.get_mut(index) else {
            return;
        };
        info.bytes = ended.bytes;
        info.lines = ended.lines;
        let name = info
            .path
            .clone()
            .unwrap_or_else(|| "standard input".to_owned());
        if ended.error.is_some() {
            info.error.clone_from(&ended.error);
            self.done.unreadable += 1;
        }
        if let Some(error) = ended.error {
            self.warn(Warning {
                text: error,
                error: true,
            });
        }
        if let Some((place, first, count)) = self.again.take() {
            self.note(format!(
                "{name}: {count} kill(s) were told before; the first, at {place}, is the one at {first}"
            ));
        }
        if ended.ignored.forged > 0 {
            let count = ended.ignored.forged;
            self.note(format!(
                "{name}: {count} line(s) read like the kernel's but were written by a process; they count for nothing"
            ));
        }
    }

    fn note(&mut self, text: String) {
        self.warn(Warning { text, error: false });
    }

    fn warn(&mut self, warning: Warning) {
        self.progress.aside(|| (self.warn)(&warning));
        self.warnings.push(warning.text);
    }

    fn end(mut self) -> io::Result<Done> {
        let held = std::mem::replace(&mut self.held, Held::new(0));
        for incident in held.finish() {
            self.print(&incident)?;
        }
        if self.without_time > 0 {
            let count = self.without_time;
            self.note(format!(
                "{count} kill(s) have no wall-clock time and were left out by --since or --until"
            ));
        }
        self.progress.aside(|| {
            self.view
                .end(self.out, &self.infos, &self.warnings)
                .and_then(|()| self.out.flush())
        })?;
        Ok(self.done)
    }
}
