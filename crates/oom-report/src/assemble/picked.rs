//! Lines that did not stay as the kernel printed them one after the other: told twice by a screen, newest first, or picked
//! out by their words.

use super::Assembler;
use crate::draft::{Draft, Stage};
use crate::frame::Frame;
use crate::kernel::KernelLine;
use crate::kernel::kill::ConstraintLine;
use crate::report::Outcome;

impl Assembler {
    /// Whether it is a report's last line once more: a terminal that scrolled, or a log that was written twice. Kills are
    /// compared elsewhere.
    pub(super) fn stands_twice(&self, line: &KernelLine<'_>, frame: &Frame<'_>) -> bool {
        let of_report = match line {
            KernelLine::Other
            | KernelLine::Killed(_)
            | KernelLine::Announce(_)
            | KernelLine::Sharing { .. }
            | KernelLine::Reaped(_)
            | KernelLine::ReapFailed { .. }
            | KernelLine::Outcome(_) => false,
            // Without a clock it may be another one's.
            KernelLine::Header(_) => frame.boot_us.is_some(),
            _ => true,
        };
        of_report
            && self.drafts.last().is_some_and(|draft| {
                draft.foreign == 0
                    && draft.last_boot_us == frame.boot_us
                    && draft
                        .last_text()
                        .is_some_and(|last| last.as_bytes() == frame.text)
                    && draft.same_writer(frame)
            })
    }

    /// A log whose newest lines come first, too short to show it: the line that says why stands behind the kill. Says
    /// whether it was so.
    pub(super) fn explains_kill(
        &mut self,
        line: &ConstraintLine<'_>,
        frame: &Frame<'_>,
        number: u64,
    ) -> bool {
        let is_its = |draft: &&mut Draft| {
            let victim = draft.report.victims.first();
            draft.stage == Stage::Killed
                && draft.report.constraint_line.is_none()
                && draft.report.trigger.is_none()
                && draft.report.text.len() == 1
                && draft.same_writer(frame)
                && victim.is_some_and(|victim| Some(victim.pid) == line.pid)
        };
        let Some(draft) = self.drafts.iter_mut().rev().find(is_its) else {
            return false;
        };
        let index = draft.keep(frame, number);
        draft.apply_constraint(line, index);
        true
    }

    /// Whether a process was announced, so that a line without sizes may be the kill of a child of it (2.6).
    pub(super) fn awaits_child(&self, frame: &Frame<'_>) -> bool {
        self.drafts.iter().any(|draft| {
            let mut victims = draft.report.victims.iter();
            draft.stage == Stage::Decision
                && draft.could_hold(frame)
                && victims.any(|victim| victim.announced_only)
        })
    }

    /// Ends reports of a kernel that stopped the machine: what comes now is of the next boot.
    pub(super) fn conclude_panicked(&mut self, frame: &Frame<'_>) {
        self.conclude_where(|draft| {
            let mut outcomes = draft.report.outcomes.iter();
            let panicked = outcomes
                .any(|(outcome, _)| matches!(outcome, Outcome::Panic | Outcome::Deadlocked));
            panicked && draft.same_writer(frame)
        });
    }
}
