//! First lines of a boot in the part of a log that is not read, where only they tell two boots apart.

use super::Scanner;
use crate::assemble::{BANNER, is_banner};
use crate::frame;

impl Scanner {
    /// Looks for them in lines that are skipped; `bytes[from..to]` begins and ends with a line.
    pub(super) fn note_boots(&mut self, bytes: &[u8], from: usize, to: usize) {
        let Some(skipped) = bytes
            .get(from..to)
            .filter(|_| self.assembler.counts_boots())
        else {
            return;
        };
        for found in memchr::memmem::find_iter(skipped, BANNER) {
            let before = skipped.get(..found).unwrap_or_default();
            let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            let rest = skipped.get(start..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            let frame = frame::frame(line, self.prefix.as_deref(), &mut self.scratch);
            if is_banner(&frame) {
                self.assembler.begin_boot(&frame);
            }
        }
    }
}
