//! The short way for the rows of a task table.

use super::{Assembler, TRACE_GAP_US};
use crate::draft::Stage;
use crate::frame::Frame;

impl Assembler {
    /// Takes the row of the one open report's table in `frame` as [`Assembler::feed`] would. Where that would have a question,
    /// nothing happens, and `false` comes back.
    pub(crate) fn take_row(&mut self, frame: &Frame<'_>, number: u64) -> bool {
        let [draft] = self.drafts.as_mut_slice() else {
            return false;
        };
        let at_once = draft
            .last_boot_us
            .zip(frame.boot_us)
            .is_some_and(|(last, now)| now.saturating_sub(last) <= TRACE_GAP_US);
        if !at_once
            || self.tangle.is_some()
            || !draft.could_hold(frame)
            || !draft.take_plain_row(frame, number)
        {
            return false;
        }
        self.aside = false;
        true
    }

    /// Whether rows of the one open report's table may follow.
    pub(crate) fn in_table(&self) -> bool {
        matches!(self.drafts.as_slice(), [draft] if draft.stage == Stage::Table)
    }
}
