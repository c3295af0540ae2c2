//! Lines in the order of a log -> reports: which line belongs to which report, when one begins, when it is over.
//!
//! The kernel holds a lock while it prints a report, so lines of two reports mix only where a log mixes two machines,
//! or where lines were lost. What tells the lines apart (host, caller id, time) is used; where nothing does, the facts
//! that could be either's are dropped and the victims kept.

mod aftermath;
mod announced;
mod aside;
mod boots;
mod picked;
mod rows;
mod settle;
mod tangle;

use std::collections::VecDeque;

use crate::anchor;
use crate::cursor::text;
use crate::draft::{BACK_US, Draft, Stage, Taken};
use crate::frame::{Frame, Origin};
use crate::kernel::kill::{Cause, Killed};
use crate::kernel::{self, KernelLine};
use crate::report::{OomReport, Outcome, Victim};
use crate::time::Assumptions;
use announced::Remembered;
use boots::Boots;
use tangle::Tangle;

pub(crate) use boots::{BANNER, is_banner};

/// Lines that do not belong to an unfinished report before it is given up.
const PATIENCE: u32 = 512;
/// The same after the kill line: group members and the reaper follow at once.
const PATIENCE_AFTER_KILL: u32 = 32;
/// A report's lines follow each other at once, even on a slow console.
pub(crate) const GAP_US: u64 = 10_000_000;
/// A function that is in the call trace already, or a list of tasks with nothing between it and the trace, so long behind
/// the last line, is another report's: the end of the one and the start of the other are lost.
const TRACE_GAP_US: u64 = 500_000;
/// A report whose last line is longer ago is not one that runs beside the next.
pub(crate) const PAUSE_US: u64 = 1_000_000;
/// Finished reports that still wait for their reaper line.
const WAITING: usize = 16;

/// Counts of what was seen and not made a report of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Lines that read like a kernel report's but were written by a process, as the log's framing shows.
    pub forged: u64,
    /// Kill lines that repeat one already reported (quoted by another daemon, or copied).
    pub repeated: u64,
}

/// The state between lines.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    pub(crate) assumptions: Assumptions,
    drafts: Vec<Draft>,
    waiting: VecDeque<OomReport>,
    ready: VecDeque<OomReport>,
    /// Reports handed over before they were over, by their first line, with the lines they had.
    told: VecDeque<(Option<u64>, usize)>,
    remembered: VecDeque<Remembered>,
    boots: Boots,
    /// A report of another kind began inside the open one: a stack and memory that follow may be its.
    aside: bool,
    /// The kernel's clock at the last line of the report that ended last.
    last_boot_us: Option<u64>,
    /// Two reports run into each other: kills since then, and what may say more of them.
    tangle: Option<Tangle>,
    /// That has happened in this log: it holds more than one machine's lines.
    mixed: bool,
    /// The lines come from before a needle: any part of a report may open one.
    pub(crate) opening: bool,
    pub(crate) ignored: Ignored,
    /// The line taken last began a report.
    pub(crate) headed: bool,
}

impl Assembler {
    pub(crate) fn new(assumptions: Assumptions) -> Self {
        Self {
            assumptions,
            ..Self::default()
        }
    }

    /// Whether the next line matters even when it holds no needle.
    pub(crate) fn is_active(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// Whether a line of that time is too long after the last report's end to have run into it.
    pub(crate) fn is_long_after_last(&self, boot_us: Option<u64>) -> bool {
        self.last_boot_us
            .zip(boot_us)
            .is_some_and(|(last, now)| now.saturating_sub(last) > PAUSE_US)
    }

    /// The next finished report.
    pub(crate) fn next_ready(&mut self) -> Option<OomReport> {
        self.ready.pop_front()
    }

    /// Takes one line. `cut`: the line ends before its line end was seen.
    pub(crate) fn feed(&mut self, frame: &Frame<'_>, number: u64, cut: bool) {
        let cut = cut || frame.cut;
        if frame.believed() == Origin::Other {
            // Most lines of a log are others', and hold no needle: they need not be read.
            let has_needle = anchor::is_in(frame.text, frame.text.len());
            if has_needle && kernel::read(frame.text, cut).opens() {
                self.ignored.forged += 1;
            }
            return self.grow_impatient();
        }
        let line = kernel::read(frame.text, cut);
        if matches!(line, KernelLine::Other) && is_banner(frame) {
            return self.begin_boot(frame);
        }
        self.give_up_stale(&line, frame);
        if self.stands_twice(&line, frame) {
            return;
        }
        if self.is_aside(&line) {
            return self.grow_impatient();
        }
        match &line {
            KernelLine::Header(_) => {
                self.headed = true;
                self.conclude_panicked(frame);
                self.begin(&line, frame, number, cut);
            }
            KernelLine::Outcome(Outcome::Panic | Outcome::Deadlocked) => {
                self.conclude_panicked(frame);
                self.body(&line, frame, number, cut);
            }
            KernelLine::Constraint(constraint) if self.explains_kill(constraint, frame, number) => {
            }
            KernelLine::Killed(killed) if killed.bare && !self.awaits_child(frame) => {
                self.grow_impatient();
            }
            KernelLine::Killed(killed) => self.killed(killed, frame, number),
            KernelLine::Announce(announce) => self.announced(announce, frame, number),
            KernelLine::Sharing { pid, comm } => {
                // Always about the victim just killed.
                match self.holder(frame).filter(|at| {
                    self.draft(*at)
                        .is_some_and(|draft| draft.stage >= Stage::Decision)
                }) {
                    Some(at) => {
                        if let Some(draft) = self.drafts.get_mut(at) {
                            let index = draft.keep(frame, number);
                            draft.share(*pid, comm, index);
                        }
                    }
                    None => self.add_to_waiting(*pid, comm, frame, number),
                }
            }
            KernelLine::Reaped(reaped) => self.reaped(reaped, frame, number),
            KernelLine::ReapFailed { pid, comm } => {
                self.conclude_chosen(*pid, frame);
                if !self.with_victim(*pid, comm, frame, number, |victim| {
                    victim.reap_failed = true
                }) {
                    let at = self.open(frame);
                    if let Some(draft) = self.drafts.get_mut(at) {
                        let index = draft.keep(frame, number);
                        draft.report.victims.push(Victim {
                            pid: *pid,
                            comm: text(comm),
                            reap_failed: true,
                            lines: vec![index],
                            ..Victim::default()
                        });
                        self.conclude(at);
                    }
                }
            }
            _ => self.body(&line, frame, number, cut),
        }
    }

    /// Ends everything that is open: the log is over.
    pub(crate) fn finish(&mut self) {
        while !self.drafts.is_empty() {
            self.conclude(0);
        }
        while let Some(report) = self.waiting.pop_front() {
            self.hand_out(report);
        }
        self.tangle = None;
    }

    fn draft(&self, at: usize) -> Option<&Draft> {
        self.drafts.get(at)
    }

    /// The draft that a line with this framing belongs to: by host and caller, then by time, then the newest.
    fn holder(&self, frame: &Frame<'_>) -> Option<usize> {
        let candidates = || {
            self.drafts.iter().enumerate().filter(|(_, draft)| {
                draft.could_hold(frame) && !(self.mixed && draft.is_paused(frame))
            })
        };
        if self.drafts.len() > 1
            && candidates().count() > 1
            && let Some(boot_us) = frame.boot_us
        {
            let distance = |draft: &Draft| {
                draft
                    .last_boot_us
                    .map_or(u64::MAX, |last| last.abs_diff(boot_us))
            };
            let nearest = candidates().map(|(_, draft)| distance(draft)).min()?;
            let near = |at: &(usize, &Draft)| distance(at.1) <= nearest.saturating_add(BACK_US);
            if nearest < PAUSE_US && candidates().filter(near).count() == 1 {
                return candidates().find(near).map(|(at, _)| at);
            }
        }
        candidates().next_back().map(|(at, _)| at)
    }

    fn open(&mut self, frame: &Frame<'_>) -> usize {
        let mut draft = Draft::new(frame, &self.assumptions);
        let report = &draft.report;
        let known = report.time.wall.is_some() || report.boot_id.is_some();
        draft.report.boot_ordinal = self.boots.of_report(frame, known);
        self.drafts.push(draft);
        self.drafts.len() - 1
    }

    /// A header begins a report, whatever was open.
    fn begin(&mut self, line: &KernelLine<'_>, frame: &Frame<'_>, number: u64, cut: bool) {
        self.conclude_where(|draft| draft.stage >= Stage::Killed && draft.could_hold(frame));
        // Another machine's report that is all but over gets little more time.
        for draft in self
            .drafts
            .iter_mut()
            .filter(|draft| draft.stage >= Stage::Killed)
        {
            draft.foreign += PATIENCE_AFTER_KILL / 2;
        }
        // A report that stopped a second ago lost its end; one that stopped just now may go on.
        self.conclude_where(|draft| {
            draft.could_hold(frame) && draft.stage < Stage::Killed && draft.is_paused(frame)
        });
        let rivals: Vec<usize> = self
            .drafts
            .iter()
            .enumerate()
            .filter(|(_, draft)| {
                let apart_us = draft.last_boot_us.zip(frame.boot_us);
                let beside = apart_us.is_none_or(|(last, now)| last.abs_diff(now) <= PAUSE_US);
                draft.same_writer(frame) && beside && draft.stage < Stage::Killed
            })
            .map(|(at, _)| at)
            .collect();
        // Two clocks.
        self.mixed |= self.drafts.iter().any(|draft| {
            draft.stage < Stage::Killed && draft.same_writer(frame) && draft.is_later_than(frame)
        });
        let at = self.open(frame);
        if let Some(draft) = self.drafts.get_mut(at) {
            draft.take(line, frame, number, cut);
            if !rivals.is_empty() {
                draft.firm = Some(Box::new(draft.clone()));
            }
        }
        for rival in rivals {
            if let Some(draft) = self
                .drafts
                .get_mut(rival)
                .filter(|draft| draft.firm.is_none())
            {
                draft.firm = Some(Box::new(draft.clone()));
            }
        }
    }

    /// A line that is part of a report's body, or of nothing.
    fn body(&mut self, line: &KernelLine<'_>, frame: &Frame<'_>, number: u64, cut: bool) {
        if let Some(tangle) = self.tangle.as_mut() {
            // Whose it is cannot be told; only what names its victim is of use.
            if let KernelLine::Constraint(constraint) = line {
                tangle.decide(constraint, frame, number);
            }
            return self.grow_impatient();
        }
        let continued = self
            .drafts
            .iter()
            .rposition(|draft| draft.goes_on_with(frame));
        let Some(at) = continued.or_else(|| self.holder(frame)) else {
            if line.opens()
                || self.opening && !matches!(line, KernelLine::Other | KernelLine::Suppressed)
            {
                let at = self.open(frame);
                let taken = self
                    .drafts
                    .get_mut(at)
                    .map(|draft| draft.take(line, frame, number, cut));
                if taken != Some(Taken::Yes) {
                    self.drafts.remove(at);
                }
            } else {
                self.grow_impatient();
            }
            return;
        };
        let taken = self
            .drafts
            .get_mut(at)
            .map_or(Taken::Foreign, |draft| draft.take(line, frame, number, cut));
        match taken {
            Taken::Yes => {}
            Taken::Foreign => {
                let over = self
                    .draft(at)
                    .is_some_and(|draft| draft.stage == Stage::Killed);
                if self
                    .draft(at)
                    .is_some_and(|draft| draft.goes_on_after_kill(line, frame))
                {
                    self.take_back_kill(at);
                    self.grow_impatient();
                } else if over && line.opens() {
                    // The next report, its header lost.
                    self.conclude(at);
                    self.body(line, frame, number, cut);
                } else {
                    self.grow_impatient();
                }
            }
            Taken::Conflict => self.conflict(at, line, frame, number, cut),
        }
    }

    /// A section came twice or out of order: lines of two reports are mixed.
    fn conflict(
        &mut self,
        at: usize,
        line: &KernelLine<'_>,
        frame: &Frame<'_>,
        number: u64,
        cut: bool,
    ) {
        let rivals = self
            .drafts
            .iter()
            .filter(|draft| draft.firm.is_some())
            .count();
        let decided = self
            .draft(at)
            .is_some_and(|draft| draft.stage >= Stage::Decision && draft.firm.is_none());
        // Lines picked out by `killed as a result of limit of`: each is a report's only one.
        let picked_out = matches!(line, KernelLine::TaskIn { .. })
            && self
                .draft(at)
                .is_some_and(|draft| draft.report.text.len() == 1 && draft.stage == Stage::Memory);
        // The machine's memory, printed for another reason.
        let asked_by_nobody = matches!(line, KernelLine::Usage(_))
            && self.draft(at).is_some_and(|draft| {
                draft.report.trigger.is_none() && draft.report.memcg.is_none()
            });
        if rivals < 2 && (decided && line.opens() || picked_out || asked_by_nobody) {
            // A report without its kill line, then the rest of another.
            self.conclude(at);
            return self.body(line, frame, number, cut);
        }
        self.entangle();
        self.body(line, frame, number, cut);
    }

    fn killed(&mut self, killed: &Killed<'_>, frame: &Frame<'_>, number: u64) {
        // Without a clock nothing shows whether the report of an earlier victim is over.
        let strict = self.mixed || frame.boot_us.is_none() && !self.remembered.is_empty();
        if self.tangle.is_some() {
            return self.killed_in_tangle(killed, frame, number);
        }
        let sizes = killed.sizes_kib();
        let holder = self.holder(frame).filter(|at| {
            self.draft(*at).is_some_and(|draft| {
                let in_group = draft
                    .report
                    .memcg
                    .as_ref()
                    .is_some_and(|memcg| memcg.group_line.is_some());
                let known = draft
                    .report
                    .victims
                    .iter()
                    .any(|victim| victim.pid == killed.pid);
                let announced = draft
                    .report
                    .victims
                    .iter()
                    .any(|victim| victim.announced_only);
                let chosen = draft
                    .chosen()
                    .is_none_or(|pid| pid == killed.pid || announced);
                match draft.stage {
                    Stage::Killed => known || in_group && (!self.mixed || draft.lists(killed)),
                    // A child may die in place of the announced process, under a plain `Killed process`.
                    _ => {
                        !draft.contradicts(killed.cause)
                            && !draft.spares_all()
                            && (!strict && !draft.is_paused(frame)
                                || draft.may_end_with(killed)
                                || !self.mixed && draft.is_header_right_before(frame, number))
                            && (chosen || known || !self.mixed && draft.chose_thread_of(killed))
                            && (!announced || known || killed.cause == Cause::Unsaid)
                    }
                }
            })
        });
        if self.is_tangled(holder, killed, frame) {
            self.entangle();
            return self.killed_in_tangle(killed, frame, number);
        }
        let holder = match holder.filter(|at| self.draft(*at).is_some_and(|draft| draft.doubted)) {
            // What announced it was a copy, too.
            Some(at) if self.is_repeated(killed.pid, killed.comm, sizes, frame) => {
                self.drafts.remove(at);
                None
            }
            _ => holder,
        };
        let at = match holder {
            Some(at) => at,
            None => {
                if self.join_chosen(killed, frame, number) {
                    return;
                }
                if self.is_repeated(killed.pid, killed.comm, sizes, frame) {
                    self.ignored.repeated += 1;
                    return;
                }
                // A decided report of the same writer that this kill is not part of, is over.
                if let Some(at) = self.holder(frame).filter(|at| {
                    self.draft(*at)
                        .is_some_and(|draft| draft.stage == Stage::Killed)
                }) {
                    self.conclude(at);
                }
                self.open(frame)
            }
        };
        if let Some(draft) = self.drafts.get_mut(at) {
            draft.doubted = false;
            let index = draft.keep(frame, number);
            draft.kill(killed, index);
        }
        self.remember(killed.pid, killed.comm, sizes, frame);
    }

    fn grow_impatient(&mut self) {
        let mut at = 0;
        while let Some(draft) = self.drafts.get_mut(at) {
            draft.foreign += 1;
            let patience = if draft.stage == Stage::Killed {
                PATIENCE_AFTER_KILL
            } else {
                PATIENCE
            };
            if draft.foreign > patience {
                self.conclude(at);
            } else {
                at += 1;
            }
        }
        if self.drafts.is_empty() {
            self.tangle = None;
        }
    }

    /// Ends drafts whose last line is long before this one, or not so long before what shows that much is lost.
    fn give_up_stale(&mut self, line: &KernelLine<'_>, frame: &Frame<'_>) {
        let Some(boot_us) = frame.boot_us else { return };
        let mut at = 0;
        while let Some(draft) = self.drafts.get(at) {
            let stale = draft
                .last_boot_us
                .map(|last| boot_us.saturating_sub(last))
                .is_some_and(|gap_us| {
                    gap_us > GAP_US
                        || gap_us > TRACE_GAP_US
                            && (draft.was_called(line) || draft.has_no_middle(line))
                })
                && draft.could_hold(frame);
            if stale && self.drafts.len() == 1 {
                self.conclude(at);
            } else {
                at += 1;
            }
        }
    }

    /// Concludes every draft of which `is_over` says so.
    fn conclude_where(&mut self, is_over: impl Fn(&Draft) -> bool) {
        while let Some(at) = self.drafts.iter().position(&is_over) {
            self.conclude(at);
        }
    }

    /// Takes a draft out and lets it wait for its reaper line, or drops it if it is no OOM report.
    fn conclude(&mut self, at: usize) {
        if at >= self.drafts.len() {
            return;
        }
        let mut draft = self.drafts.remove(at);
        self.adopt_chosen(&mut draft);
        self.last_boot_us = draft.last_boot_us;
        if self.drafts.is_empty() {
            self.tangle = None;
        }
        if draft.doubted {
            self.ignored.repeated += 1;
        }
        if draft.doubted || !draft.is_oom() {
            return;
        }
        let report = draft.finish();
        let place = self
            .waiting
            .iter()
            .rposition(|earlier| earlier.text.first_line() < report.text.first_line())
            .map_or(0, |at| at + 1);
        self.waiting.insert(place, report);
        self.release();
    }

    /// Reports leave in their order, as soon as nothing more is to be expected of the first.
    fn release(&mut self) {
        while let Some(first) = self.waiting.front() {
            let done = first
                .victims
                .iter()
                .all(|victim| victim.reaped.is_some() || victim.reap_failed)
                && !first.victims.is_empty();
            let line = first.text.first_line();
            let earlier_open = self
                .drafts
                .iter()
                .any(|draft| draft.report.text.first_line() < line);
            if (!done || earlier_open) && self.waiting.len() <= WAITING {
                return;
            }
            if let Some(report) = self.waiting.pop_front() {
                self.hand_out(report);
            }
        }
    }
}
