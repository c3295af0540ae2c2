//! The bytes of a stream at hand: what was not read yet, and what a report may still be looked back for.

use super::{KEPT_BEHIND, LONGEST_LINE, Position};

/// A stream's bytes that are still of use.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Room; what is in use of it ends at `end`.
    pub(super) buffer: Vec<u8>,
    pub(super) end: usize,
    /// Where unread lines begin in the buffer, and their number.
    pub(super) position: Position,
    /// A line is being skipped since it is too long.
    pub(super) skipping: bool,
    /// A journal entry or a broken line was not all there: its needles are looked for again.
    pub(super) search_again: bool,
}

impl Stream {
    pub(super) fn held(&self) -> &[u8] {
        self.buffer.get(..self.end).unwrap_or_default()
    }

    /// Where the bytes begin that were not searched yet.
    pub(super) fn searched(&self) -> usize {
        if self.search_again {
            return self.position.offset;
        }
        memchr::memrchr(b'\n', self.held())
            .map_or(0, |end| end + 1)
            .max(self.position.offset)
    }

    /// Drops what is no longer needed once there is no other room for `bytes` more.
    pub(super) fn make_room(&mut self, bytes: usize) {
        if self.buffer.len() - self.end >= bytes {
            return;
        }
        let drop = self
            .position
            .offset
            .saturating_sub(KEPT_BEHIND)
            .max(self.position.floor.min(self.position.offset))
            .min(self.position.offset);
        self.buffer.copy_within(drop..self.end, 0);
        self.end -= drop;
        self.position.offset -= drop;
        self.position.floor = self.position.floor.saturating_sub(drop);
        if self.buffer.len() - self.end < bytes {
            // Some more than is needed now, so that bytes are not moved each time.
            self.buffer.resize(self.end + bytes + 6 * KEPT_BEHIND, 0);
        }
    }

    /// Throws away what belongs to a line that is being skipped, of `count` bytes in the room. Returns how many are left.
    pub(super) fn skip(&mut self, count: usize) -> usize {
        if !self.skipping {
            return count;
        }
        let new = self.buffer.get(self.end..self.end + count);
        match memchr::memchr(b'\n', new.unwrap_or_default()) {
            Some(line_end) => {
                self.skipping = false;
                self.position.lines += 1;
                let rest = self.end + line_end + 1;
                self.buffer.copy_within(rest..self.end + count, self.end);
                count - line_end - 1
            }
            None => 0,
        }
    }

    /// Gives up a line that has no end.
    pub(super) fn give_up_endless_line(&mut self) {
        if self.end - self.position.offset > LONGEST_LINE + KEPT_BEHIND {
            let partial = memchr::memrchr(b'\n', self.held()).map_or(0, |end| end + 1);
            let unread = self
                .buffer
                .get(self.position.offset..partial)
                .unwrap_or_default();
            self.position.lines += memchr::memchr_iter(b'\n', unread).count() as u64;
            self.end = 0;
            self.position.offset = 0;
            self.position.floor = 0;
            self.skipping = true;
        }
    }
}
