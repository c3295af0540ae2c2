//! The telling side of the pipeline: events to incidents, warnings and sources, in order, in one thread.

use std::io::{self, Write};

use oom_report::Assumptions;
use oom_report::report::OomReport;
use whodunit_case::incident::{Incident, SourceInfo};
use whodunit_node::Source;

use super::{Done, Ended, Event, Judge, View, Warning};
use crate::dating;
use crate::filter::{Answer, Filter};
use crate::held::{Held, place};
use crate::progress::Progress;

/// The telling side: one thread, in the order of the sources.
pub(super) struct Telling<'a> {
    pub(super) judge: &'a mut dyn Judge,
    pub(super) view: &'a mut dyn View,
    pub(super) out: &'a mut dyn Write,
    pub(super) warn: &'a mut dyn FnMut(&Warning),
    pub(super) filter: &'a Filter,
    pub(super) progress: &'a Progress,
    pub(super) held: Held,
    pub(super) infos: Vec<SourceInfo>,
    pub(super) warnings: Vec<String>,
    pub(super) without_time: usize,
    /// Kills of the current source that were printed before: the first one, where it was printed from, how many.
    pub(super) again: Option<(String, String, usize)>,
    pub(super) done: Done,
}

/// Which assumptions the reports of the current source needed; kept in words in its [`SourceInfo`].
fn assumed(report: &OomReport) -> (bool, bool) {
    report.time.wall.map_or((false, false), |wall| {
        (wall.year_assumed, wall.zone_assumed)
    })
}

impl Telling<'_> {
    pub(super) fn begin_source(&mut self, source: &Source) {
        self.infos.push(SourceInfo {
            kind: source.kind,
            path: source.path.as_ref().map(|path| path.display().to_string()),
            bytes: None,
            lines: None,
            time_assumption: None,
            error: None,
        });
    }

    pub(super) fn event(
        &mut self,
        index: usize,
        assumptions: &Assumptions,
        event: Event,
    ) -> io::Result<()> {
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
            Event::Report(report) => self.report(index, assumptions, *report),
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
        report: OomReport,
    ) -> io::Result<()> {
        let (year, zone) = assumed(&report);
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

    pub(super) fn warn(&mut self, warning: Warning) {
        self.progress.aside(|| (self.warn)(&warning));
        self.warnings.push(warning.text);
    }

    pub(super) fn end(mut self) -> io::Result<Done> {
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
