//! A log that is followed: reports leave while more of them may come, and come again whole when it does.
//!
//! The end of a report is not marked. In a file the next lines show it; in a live log the next line may be hours away,
//! so silence has to do. The lines of a report come as fast as the kernel prints, which a slow console holds up:
//! what counts as silence is measured by the report's own lines.

use std::time::Duration;

use super::{Assembler, GAP_US, OomReport};
use crate::draft::{Draft, Stage};

/// Silence after a kill line that ends a report, at least. Group members are printed without a pause
/// (mm/oom_kill.c: oom_kill_process), so only a preempted kernel makes it longer.
const QUIET_US: u64 = 1_000;
/// That many of the longest pauses between the report's latest lines. A stack's lines come slower than the others,
/// since the kernel looks each name up.
const PAUSES: u64 = 3;
/// And no more than this.
const QUIET_MAX_US: u64 = 250_000;
/// Reports remembered as handed over: more than can wait at a time.
const TOLD: usize = 64;

impl Assembler {
    /// How long the log has to be silent before [`Assembler::settle`] has something to do. `None`: nothing is open.
    pub(crate) fn settles_after(&self) -> Option<Duration> {
        if self.waiting.iter().any(|report| self.is_news(report)) {
            return Some(Duration::ZERO);
        }
        self.drafts
            .iter()
            .filter(|draft| !is_ended(draft) || self.is_news(&draft.report))
            .map(quiet_us)
            .min()
            .map(Duration::from_micros)
    }

    /// Hands over what is complete after a silence of `quiet`. What was killed but may still get lines (reaper, group
    /// members) stays open, and is handed over again, whole, if it does.
    pub(crate) fn settle(&mut self, quiet: Duration) {
        let mut at = 0;
        while let Some(draft) = self.drafts.get(at) {
            if Duration::from_micros(quiet_us(draft)) > quiet {
                at += 1;
            } else if is_ended(draft) {
                if draft.is_oom() && self.is_news(&draft.report) {
                    let report = draft.clone().finish();
                    self.tell(&report);
                    self.ready.push_back(report);
                }
                at += 1;
            } else {
                // Its end was lost, or the machine stood still for long.
                self.conclude(at);
            }
        }
        let news: Vec<OomReport> = self
            .waiting
            .iter()
            .filter(|report| self.is_news(report))
            .cloned()
            .collect();
        for report in news {
            self.tell(&report);
            self.ready.push_back(report);
        }
        self.ready
            .make_contiguous()
            .sort_by_key(|report| report.text.first_line());
    }

    /// A report on its way out, unless it left before as it is.
    pub(super) fn hand_out(&mut self, report: OomReport) {
        if self.is_news(&report) {
            self.ready.push_back(report);
        }
    }

    fn is_news(&self, report: &OomReport) -> bool {
        !self
            .told
            .contains(&(report.text.first_line(), report.text.len()))
    }

    fn tell(&mut self, report: &OomReport) {
        let first_line = report.text.first_line();
        self.told.retain(|(known, _)| *known != first_line);
        if self.told.len() >= TOLD {
            self.told.pop_front();
        }
        self.told.push_back((first_line, report.text.len()));
    }
}

/// Whether the kernel has said what became of it.
fn is_ended(draft: &Draft) -> bool {
    draft.stage == Stage::Killed || !draft.report.outcomes.is_empty()
}

fn quiet_us(draft: &Draft) -> u64 {
    if is_ended(draft) && draft.firm.is_none() {
        draft
            .pause_us
            .saturating_mul(PAUSES)
            .clamp(QUIET_US, QUIET_MAX_US)
    } else {
        GAP_US
    }
}
