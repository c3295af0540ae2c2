//! Watching one machine: live sources to incidents, one turn at a time. Shared by `watch` and the agent; prints and
//! stores nothing itself.
//!
//! One thread waits for all sources at once and does nothing while nothing happens. Sources that cannot be had are
//! told as notes at the start, with what cannot be told apart without them.

mod listener;
mod memory_of_names;
mod sources;
mod standing;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use oom_report::report::OomReport;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use whodunit_case::fact::Fact;
use whodunit_case::gather::{Case, Gatherer, Told};
use whodunit_case::incident::{Incident, SourceInfo, SourceKind};
use whodunit_case::ledger::Ledger;
use whodunit_case::live::{self, Surroundings};
use whodunit_node::kmsg::{Gap, Position};
use whodunit_node::{Machine, Root, clock};
use whodunit_trace::Losses;

use memory_of_names::Names;
pub use sources::{From, Options};
use sources::{Sources, Speaker};
pub use standing::{Standing, State};

/// Kills remembered for findings about repeats.
const KILLS_REMEMBERED: usize = 4096;
/// Incidents of one turn: in a storm the first is kept and told before the last is judged, and memory stays bounded. What
/// is left is due at once.
const TOLD_AT_ONCE: usize = 32;
/// Cases that wait to be told at most, before no more facts are taken: they wait in the tracer's bounded memory then.
const WAITING_MOST: usize = 8192;
/// In a storm, how soon after a fact it is known whether others were lost: to ask the kernel costs as much as a verdict.
const LOSSES_WITHIN: Duration = Duration::from_millis(2);
/// Index of the tracepoints and of the kernel log in an incident's sources.
const LIVE: usize = 0;
const LOG: usize = 1;

/// An incident as it was told.
#[derive(Debug)]
pub struct Seen {
    /// The incident.
    pub incident: Incident,
    /// The raw facts it is made of.
    pub facts: Vec<Fact>,
    /// Not told before. Else: the same with more evidence.
    pub new: bool,
    /// CLOCK_BOOTTIME of its first signal, or of the report's arrival.
    pub happened_boot_ns: Option<u64>,
}

/// What was seen and lost since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records of signals, exits and marks.
    pub facts: u64,
    /// Kernel log records.
    pub log_records: u64,
    /// Kernel reports.
    pub reports: u64,
    /// Lines that read like the kernel's and were a process's.
    pub forged: u64,
    /// Kernel log records that were overwritten before they could be read.
    pub log_lost: u64,
    /// Records of the tracepoints that were lost.
    pub trace_lost: u64,
}

/// The watch over one machine.
pub struct Stakeout {
    root: Root,
    machine: Machine,
    sources: Sources,
    gatherer: Gatherer,
    ledger: Ledger,
    names: Names,
    host_pid_namespace: Option<u32>,
    began_boot_us: u64,
    last_log_byte: Instant,
    counts: Counts,
    losses: Losses,
    /// Facts have come since, which losses may stand beside.
    look_for_losses: bool,
    looked_for_losses: Instant,
    notes: Vec<String>,
}

impl Stakeout {
    /// Opens every source that can be had. [`Stakeout::take_notes`] says which cannot, and what that means.
    pub fn begin(options: &Options) -> io::Result<Self> {
        let root = options.root.clone();
        let machine = Machine::read(&root);
        let mut notes = Vec::new();
        let sources = Sources::open(options, &machine, &mut notes)?;
        let gatherer = Gatherer::new(whodunit_case::gather::Sources {
            signals: sources.sees_signals(),
            reports: sources.log.is_some(),
        });
        Ok(Self {
            host_pid_namespace: sources::own_pid_namespace(&root),
            names: Names::new(),
            began_boot_us: clock::boot_ns() / 1000,
            last_log_byte: Instant::now(),
            ledger: Ledger::new(KILLS_REMEMBERED),
            counts: Counts::default(),
            losses: Losses::default(),
            look_for_losses: false,
            looked_for_losses: Instant::now(),
            gatherer,
            sources,
            machine,
            root,
            notes,
        })
    }

    /// What this watch can see: a line a source.
    pub fn abilities(&self) -> Vec<String> {
        self.sources.abilities()
    }

    /// Whether each source stands, and why not.
    pub fn standing(&self) -> Vec<Standing> {
        self.sources.standing()
    }

    /// What had to be said since the last call.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// What was seen and lost.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Host name and boot id.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// How far the kernel log was read, for the next run.
    pub fn position(&self) -> Option<Position> {
        self.sources.log.as_ref().map(|log| log.position())
    }

    /// The same, unless something of what was read is still in the works.
    pub fn settled_position(&self) -> Option<Position> {
        let settled = self.sources.scanner.settles_after().is_none()
            && self.gatherer.next_deadline_ns().is_none();
        self.position().filter(|_| settled)
    }

    /// What the cites of an incident point into.
    pub fn source_infos() -> Vec<SourceInfo> {
        let info = |kind, path: Option<&str>| SourceInfo {
            kind,
            path: path.map(str::to_owned),
            bytes: None,
            lines: None,
            time_assumption: None,
            error: None,
        };
        vec![
            info(SourceKind::Ebpf, None),
            info(SourceKind::Kmsg, Some(sources::KMSG)),
        ]
    }

    /// Waits until something happens, `stop` is readable or `most` has passed; hands over the incidents of it.
    /// Gives whether to go on.
    pub fn turn(
        &mut self,
        stop: BorrowedFd<'_>,
        most: Option<Duration>,
        sink: &mut dyn FnMut(Seen),
    ) -> io::Result<bool> {
        let timeout = self.timeout(most);
        let (stopped, ready) = {
            let full = self.gatherer.waiting() >= WAITING_MOST;
            let (speakers, descriptors): (Vec<Speaker>, Vec<_>) = self
                .sources
                .fds()
                .filter(|(speaker, _)| !(full && *speaker == Speaker::Trace))
                .unzip();
            let mut fds: Vec<PollFd<'_>> = descriptors
                .into_iter()
                .chain([stop])
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                .collect();
            let timeout = timeout.map(|timeout| Timespec {
                tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(timeout.subsec_nanos()),
            });
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let spoke = |fd: &PollFd<'_>| !fd.revents().is_empty();
            let ready: Vec<Speaker> = speakers
                .into_iter()
                .zip(&fds)
                .filter(|(_, fd)| spoke(fd))
                .map(|(speaker, _)| speaker)
                .collect();
            (fds.last().is_some_and(spoke), ready)
        };
        self.read(|speaker| ready.contains(&speaker));
        self.tell(sink);
        Ok(!stopped)
    }

    /// Everything that still waits, whole or not: the end.
    pub fn end(&mut self, sink: &mut dyn FnMut(Seen)) {
        self.read(|_| true);
        self.note_losses();
        let mut reports = Vec::new();
        self.sources
            .scanner
            .finish(&mut |report| reports.push(report));
        self.take_reports(reports);
        for told in self.gatherer.finish() {
            self.tell_one(told, sink);
        }
    }

    fn timeout(&self, most: Option<Duration>) -> Option<Duration> {
        let now_ns = clock::boot_ns();
        let case = self
            .gatherer
            .next_deadline_ns()
            .map(|deadline| Duration::from_nanos(deadline.saturating_sub(now_ns)));
        let quiet = self.last_log_byte.elapsed();
        let log = self
            .sources
            .scanner
            .settles_after()
            .map(|after| after.saturating_sub(quiet));
        let losses = self.until_losses();
        [most, case, log, losses].into_iter().flatten().min()
    }

    /// Everything that is there. The log is read before the tracepoints and handed in after them: whatever it speaks of,
    /// the signal was there first, however long this thread had to wait between the two. These two are looked at in any
    /// case, the others cost more and are read when they have something.
    fn read(&mut self, ready: impl Fn(Speaker) -> bool) {
        let reports = self.read_log();
        let now_ns = clock::boot_ns();
        if self.gatherer.waiting() < WAITING_MOST || !reports.is_empty() {
            let gatherer = &mut self.gatherer;
            let take = &mut |fact| gatherer.take(fact, now_ns);
            let facts = self.sources.read_trace(take);
            self.counts.facts += facts as u64;
            if facts > 0 {
                self.look_for_losses = true;
            }
        }
        if self.until_losses() == Some(Duration::ZERO) {
            self.look_for_losses = false;
            self.looked_for_losses = Instant::now();
            self.note_losses();
        }
        self.take_reports(reports);
        let gatherer = &mut self.gatherer;
        let notes = &mut self.notes;
        let mut take = |fact| gatherer.take(fact, now_ns);
        if ready(Speaker::Cgroups) {
            self.sources.read_cgroups(notes, &mut take);
        }
        if ready(Speaker::Runtimes) {
            self.sources.read_runtimes(notes, &mut take);
        }
    }

    fn until_losses(&self) -> Option<Duration> {
        let since = self.looked_for_losses.elapsed();
        self.look_for_losses
            .then(|| LOSSES_WITHIN.saturating_sub(since))
    }

    fn note_losses(&mut self) {
        let Some(losses) = self
            .sources
            .losses()
            .filter(|losses| *losses != self.losses)
        else {
            return;
        };
        let lost = losses.total() - self.losses.total();
        self.notes.push(format!(
            "{lost} records of signals or exits were lost (the buffer was full): what they would have shown is unknown"
        ));
        self.losses = losses;
        self.counts.trace_lost = losses.total();
    }

    /// What the log says by now, for [`Stakeout::take_reports`].
    fn read_log(&mut self) -> Vec<OomReport> {
        let mut reports = Vec::new();
        let mut gaps: Vec<Gap> = Vec::new();
        while let Some(log) = self.sources.log.as_mut() {
            let batch = match log.read() {
                Ok(batch) => batch,
                Err(error) => {
                    self.notes.push(format!(
                        "{}: {error}; the kernel's reports are not read any more",
                        sources::KMSG
                    ));
                    self.sources.lose_log(format!("{}: {error}", sources::KMSG));
                    break;
                }
            };
            if batch.records > 0 {
                self.last_log_byte = Instant::now();
                self.counts.log_records += batch.records;
                self.sources
                    .scanner
                    .push(&batch.bytes, &mut |report| reports.push(report));
            }
            gaps.extend(&batch.gaps);
            if !batch.more {
                break;
            }
        }
        let quiet = self.last_log_byte.elapsed();
        if self
            .sources
            .scanner
            .settles_after()
            .is_some_and(|after| quiet >= after)
        {
            self.sources
                .scanner
                .settle(quiet, &mut |report| reports.push(report));
        }
        for gap in gaps {
            self.counts.log_lost += gap.lost;
            self.notes.push(format!(
                "{}: {} records were overwritten before they could be read (before record {}): a kill may be missing",
                sources::KMSG, gap.lost, gap.before_sequence
            ));
        }
        let forged = self.sources.scanner.ignored().forged;
        if forged > self.counts.forged {
            self.notes.push(format!(
                "{}: {} line(s) read like the kernel's but were written by a process; they count for nothing",
                sources::KMSG,
                forged - self.counts.forged
            ));
            self.counts.forged = forged;
        }
        reports
    }

    fn take_reports(&mut self, reports: Vec<OomReport>) {
        let now_ns = clock::boot_ns();
        for report in reports {
            self.counts.reports += 1;
            self.gatherer.report(report, now_ns);
        }
    }

    fn tell(&mut self, sink: &mut dyn FnMut(Seen)) {
        let now_ns = clock::boot_ns();
        for _ in 0..TOLD_AT_ONCE {
            let Some(told) = self.gatherer.next_due(now_ns) else {
                break;
            };
            self.tell_one(told, sink);
        }
    }

    fn tell_one(&mut self, told: Told, sink: &mut dyn FnMut(Seen)) {
        let (case, new) = match told {
            Told::New(case) => (case, true),
            Told::More(case) => (case, false),
        };
        let incident = self.incident(&case);
        // Only the OOM killer's kills are asked for again: others are no growth and no storm.
        if new && case.report.is_some() {
            self.ledger.add(&incident);
        }
        sink(Seen {
            happened_boot_ns: case.kill.as_ref().map(|kill| kill.boot_ns),
            facts: facts(&case),
            incident,
            new,
        });
    }

    fn incident(&mut self, case: &Case) -> Incident {
        let person = case
            .kill
            .as_deref()
            .and_then(|kill| self.names.of_sender(&self.root, kill));
        let id = case.container_id();
        let senders = case
            .sender_container_id()
            .filter(|own| Some(own) != id.as_ref());
        let container = id.and_then(|id| self.sources.container(&id));
        let sender_container = senders.and_then(|id| self.sources.container(&id));
        let history = case
            .report
            .as_deref()
            .map(|report| {
                let key = whodunit_case::assemble::container_key(report);
                let mut history = self.ledger.history(key.as_deref());
                // Told once more, a kill is not its own predecessor.
                history
                    .retain(|past| past.boot_us.is_none() || past.boot_us != report.time.boot_us);
                history
            })
            .unwrap_or_default();
        // What happened before the watch began no tracepoint can have seen.
        let seen = case
            .report
            .as_ref()
            .and_then(|report| report.time.boot_us)
            .is_none_or(|boot_us| boot_us > self.began_boot_us);
        let around = Surroundings {
            source: LIVE,
            log: Some((LOG, sources::KMSG)),
            node: self.machine.hostname.as_deref(),
            boot_id: self.machine.boot_id.as_deref(),
            booted: self.machine.boot_time,
            host_pid_namespace: self.host_pid_namespace,
            person,
            container,
            sender_container,
            history: &history,
            signals_seen: self.sources.sees_signals() && seen,
            lost: self.losses.total(),
        };
        live::incident(case, &around)
    }
}

/// The raw facts of a case, for the store.
fn facts(case: &Case) -> Vec<Fact> {
    let signals = case
        .asked
        .as_deref()
        .into_iter()
        .chain(case.signals())
        .map(|signal| Fact::Signal(Box::new(signal.clone())));
    let marks = case.marks.iter().map(|mark| Fact::OomMark(*mark));
    let exits = case
        .exits
        .iter()
        .chain(&case.echoes)
        .map(|exit| Fact::Exit(Box::new(exit.clone())));
    let events = case
        .events
        .iter()
        .map(|event| Fact::Runtime(Box::new(event.clone())));
    let counts = case
        .counts
        .iter()
        .map(|count| Fact::CgroupOom(Box::new(count.clone())));
    signals
        .chain(marks)
        .chain(exits)
        .chain(events)
        .chain(counts)
        .collect()
}
