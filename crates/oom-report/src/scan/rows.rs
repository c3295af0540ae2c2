//! Rows of a task table that follow each other: most of a long report's lines.
//!
//! Each begins like the line before and is whole, so what is asked of any line (is it broken, escaped, prefixed, whose is
//! it?) has been answered. The first that is not quite so is left to the way of all lines, which this one never
//! contradicts: the scanner that reads line by line goes without it, and property tests hold the two against each other.

use super::{Position, Scanner, is_entry};
use crate::frame;

impl Scanner {
    /// Takes the rows at `position`, while another line stands whole behind each and begins like it.
    pub(super) fn step_rows(&mut self, bytes: &[u8], end: usize, position: &mut Position) {
        if self.every_line
            || self.prefix.is_some()
            || !self.decoration.is_empty()
            || !self.assembler.in_table()
        {
            return;
        }
        let mut rest = bytes.get(position.offset..end).unwrap_or_default();
        let Some(mut length) = memchr::memchr(b'\n', rest) else {
            return;
        };
        while let Some((line, [_, next @ ..])) = rest.split_at_checked(length)
            && let Some(next_length) = memchr::memchr(b'\n', next)
            && self.after_prefix(line) == self.after_prefix(next)
            && !is_entry(rest)
            && let Some(frame) = frame::of_row(line, &self.scratch)
            && self.assembler.take_row(&frame, position.lines + 1)
        {
            self.waits = false;
            position.offset += length + 1;
            position.lines += 1;
            (rest, length) = (next, next_length);
        }
    }
}
