//! Lines that a terminal or a mail program broke: what stands on the next line is put back.
//!
//! Only a line with the framing of a log is put together, with lines that have none, and only when the line ends before
//! the kernel's text does (the first time), or where the earlier ones were broken (from then on).

use super::Scanner;
use crate::cursor::{Cursor, contains};
use crate::frame::{self, Frame, Origin};
use crate::kernel::{self, COMM_BYTES, KernelLine};
use crate::time::RawTime;

/// A broken line has at least this many bytes.
const NARROWEST: usize = 40;
/// A mail program leaves no more than this of a line empty.
const RAGGED: usize = 24;
/// A word that a mail program breaks has more bytes than this.
const LONG_WORD: usize = 72;
/// Pieces of one line.
const MOST: usize = 24;

/// How the lines of this log were broken, as far as it was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wrapping {
    /// Bytes in a line that a terminal broke.
    width: Option<usize>,
    /// They were broken between words.
    words: bool,
}

/// What became of a line that may be broken.
pub(super) enum Rejoined {
    /// It stands for itself.
    Whole,
    /// Its pieces put together, the bytes and the lines taken beyond the first.
    Joined(Vec<u8>, usize, u64),
    /// The next piece may not have come yet.
    Waits,
}

impl Scanner {
    /// The line at the start of `bytes` (which has `length` bytes with its line end) with the pieces that follow it.
    /// `more`: bytes are still to come.
    pub(super) fn rejoin(&mut self, bytes: &[u8], length: usize, more: bool) -> Rejoined {
        let line = piece(bytes.get(..length).unwrap_or_default());
        let next = bytes.get(length..).unwrap_or_default();
        let long_enough = (line.len() >= NARROWEST || is_stamp_alone(line) || asks(line))
            && !is_record(line)
            && !is_object(line);
        // Nothing is concluded from a next line that is not all there.
        if long_enough
            && more
            && memchr::memchr(b'\n', next).is_none()
            && (self.is_stamped(line) || is_begun(line))
            && (self.wrapping.width.is_some() || self.is_incomplete(line))
        {
            return Rejoined::Waits;
        }
        // Nearly every line of a log begins like the one before. A record of /dev/kmsg is whole as it is read.
        let can_be_broken = long_enough
            && (more || !next.is_empty())
            && (next.is_empty() || self.after_prefix(line) != self.after_prefix(next));
        if !can_be_broken {
            return Rejoined::Whole;
        }
        self.joined(line, bytes.get(length..).unwrap_or_default(), more)
            .unwrap_or(Rejoined::Whole)
    }

    /// The same, for a look ahead: nothing is learned by it.
    pub(super) fn rejoin_unlearned(&mut self, bytes: &[u8], length: usize, more: bool) -> Rejoined {
        let known = self.wrapping;
        let rejoined = self.rejoin(bytes, length, more);
        self.wrapping = known;
        rejoined
    }

    /// Start of the broken line whose piece begins at `start` and holds `offset`; none where that line stands for itself.
    /// Not before `floor`. `more`: bytes are still to come.
    pub(super) fn first_piece(
        &mut self,
        bytes: &[u8],
        start: usize,
        offset: usize,
        floor: usize,
        more: bool,
    ) -> Option<usize> {
        let rest = bytes.get(start..)?;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        if super::is_entry(rest) || self.stamped_by(piece(rest.get(..end)?)).is_some() {
            return None;
        }
        let mut next = start;
        for _ in 0..MOST {
            let before = bytes.get(floor..next)?.strip_suffix(b"\n")?;
            let first = floor + memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            let line = piece(bytes.get(first..next)?);
            let stamped = self.stamped_by(line);
            if stamped == Some(Origin::Other) {
                return None;
            }
            if stamped.is_some() || is_begun(line) {
                let length = next - first;
                return match self.rejoin_unlearned(bytes.get(first..)?, length, more) {
                    Rejoined::Joined(_, taken, _) => {
                        (first + length + taken > offset).then_some(first)
                    }
                    Rejoined::Waits => Some(first),
                    Rejoined::Whole => None,
                };
            }
            next = first;
        }
        None
    }

    /// `None` when the line is not broken.
    fn joined(&mut self, line: &[u8], following: &[u8], more: bool) -> Option<Rejoined> {
        let width = line.len();
        if !self.is_stamped(line) && !is_begun(line) {
            return None;
        }
        if self.wrapping.width.is_some_and(|known| width > known) {
            self.wrapping.width = None;
        }
        let known = self.wrapping.width == Some(width);
        let mut joined = line.to_vec();
        let (mut taken, mut lines) = (0, 0);
        let mut filled = Some(width) >= self.wrapping.width;
        while lines < MOST as u64 {
            let rest = following.get(taken..)?;
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if more && (known || self.wrapping.width.is_some() || self.is_incomplete(&joined)) {
                    return Some(Rejoined::Waits);
                }
                break;
            };
            let raw = piece(rest.get(..=end)?);
            let text = self.unquoted(raw);
            if text.is_empty() || super::is_entry(raw) || self.stamped_by(raw).is_some() {
                break;
            }
            if !known && self.wrapping.width.is_none() && !self.is_incomplete(&joined) {
                break;
            }
            // A mail program breaks at a space and drops it; a terminal breaks anywhere.
            let direct = [joined.as_slice(), text].concat();
            let spaced = [joined.trim_ascii_end(), b" ", text.trim_ascii_start()].concat();
            // Pieces that somebody indented are whole words; in a table, the spaces are the table's.
            let indented = text.starts_with(b"  ") && contains(&joined, b"illed process ");
            let only_spaced = indented
                || self.is_incomplete(&direct) && !self.is_incomplete(&spaced)
                || self.says_nothing(&direct) && !self.says_nothing(&spaced);
            self.wrapping.words |= only_spaced;
            // A word too long for the line is broken anywhere, too.
            let in_word = |byte: &&u8| !byte.is_ascii_whitespace();
            let last_word = joined.iter().rev().take_while(in_word).count();
            let first_word = text.iter().take_while(in_word).count();
            let long_word = last_word + first_word > width.max(LONG_WORD) && filled;
            joined = if only_spaced || self.wrapping.words && !long_word {
                spaced
            } else {
                direct
            };
            taken += end + 1;
            lines += 1;
            filled = Some(raw.len()) >= self.wrapping.width;
            // All pieces but the last fill the width, or nearly so where words are kept whole.
            if !self.is_incomplete(&joined) && raw.len() < width || raw.len() + RAGGED < width {
                break;
            }
        }
        if lines == 0 || (!known && self.is_incomplete(&joined)) {
            return None;
        }
        if width >= NARROWEST {
            self.wrapping.width = Some(width);
        }
        Some(Rejoined::Joined(joined, taken, lines))
    }

    /// The line without what a shipper or a quotation puts before each.
    fn unquoted<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match self
            .prefix
            .as_deref()
            .and_then(|prefix| line.strip_prefix(prefix))
        {
            Some(rest) => rest,
            None => line.strip_prefix(b"> ").unwrap_or(line),
        }
    }

    /// The first bytes of what stands behind the prefix: a line that begins like the next one is not broken.
    pub(super) fn after_prefix<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let text = self.unquoted(line);
        text.get(..4).unwrap_or(text)
    }

    fn framed<'a>(&'a mut self, line: &'a [u8]) -> Frame<'a> {
        frame::frame(line, self.prefix.as_deref(), &mut self.scratch)
    }

    /// Whether the line has a stamp, and is not another program's.
    fn is_stamped(&mut self, line: &[u8]) -> bool {
        self.stamped_by(line)
            .is_some_and(|origin| origin != Origin::Other)
    }

    /// Who wrote a line that has a stamp: it is the first piece of whatever it is. None where it has none.
    fn stamped_by(&mut self, line: &[u8]) -> Option<Origin> {
        let learned = self.prefix_if_needed(line, false);
        let frame = frame::frame(
            line,
            learned.as_deref().or(self.prefix.as_deref()),
            &mut self.scratch,
        );
        let stamped = frame.boot_us.is_some() || frame.time != RawTime::None;
        stamped.then(|| frame.believed())
    }

    /// With the prefix that this line needs.
    fn framed_by_need<'a>(&'a mut self, line: &'a [u8]) -> Frame<'a> {
        match self.prefix_if_needed(line, false) {
            Some(prefix) => frame::frame(line, Some(&prefix), &mut self.scratch),
            None => self.framed(line),
        }
    }

    /// Whether the kernel's text is none that is known.
    fn says_nothing(&mut self, line: &[u8]) -> bool {
        let frame = self.framed_by_need(line);
        matches!(kernel::read(frame.text, false), KernelLine::Other)
    }

    /// Whether the kernel's text ends before its last field.
    fn is_incomplete(&mut self, line: &[u8]) -> bool {
        let frame = self.framed_by_need(line);
        match kernel::read(frame.text, false) {
            KernelLine::Other => true,
            KernelLine::Header(header) => {
                header.oom_score_adj.is_none() || header.comm.len() > COMM_BYTES
            }
            KernelLine::Cpu(cpu) => cpu.release.is_none(),
            KernelLine::Killed(killed) => killed.cut || frame.text.trim_ascii_end().ends_with(b","),
            KernelLine::Constraint(constraint) => {
                constraint.pid.is_none() || constraint.uid.is_none()
            }
            KernelLine::Usage(usage) => usage.failcnt.is_none(),
            // All in one line on v1: each value has its unit.
            KernelLine::Stats(_) => {
                contains(frame.text, b"KB ") && !frame.text.trim_ascii_end().ends_with(b"KB")
            }
            _ => false,
        }
    }
}

/// `[29924.805968] `, `<6>[29924.805968] `: a mail program puts a word that is longer than its line on the next one.
fn is_stamp_alone(line: &[u8]) -> bool {
    let line = after_priority(line.trim_ascii_end());
    line.starts_with(b"[") && line.ends_with(b"]") && line.len() >= 8 && line.contains(&b'.')
}

/// `[   34.423940] mkfs.ext4 invoked`: the needle of the header is on the next line.
fn asks(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b" invoked")
}

/// The line without the priority that `dmesg -r` and a serial console put before the stamp.
fn after_priority(line: &[u8]) -> &[u8] {
    let mut cursor = Cursor(line);
    match (cursor.eat(b"<"), cursor.number(), cursor.eat(b">")) {
        (true, Some(_), true) => cursor.0,
        _ => line,
    }
}

/// Whether a bare line is the start of one that the kernel ends otherwise.
fn is_begun(line: &[u8]) -> bool {
    match kernel::read(line, false) {
        KernelLine::Header(header) => header.order.is_none() && header.gfp_mask.is_some(),
        KernelLine::Killed(killed) => killed.cut,
        _ => false,
    }
}

/// `4,1234,56789,-;text`
fn is_record(line: &[u8]) -> bool {
    let fields = line
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b',')
        .count();
    fields >= 5
        && line
            .get(..fields)
            .is_some_and(|fields| memchr::memchr_iter(b',', fields).count() == 3)
}

/// `{"log":"text"}`, whatever stands before it: its end shows that it is whole.
fn is_object(line: &[u8]) -> bool {
    line.ends_with(b"}") && contains(line, b"{\"")
}

fn piece(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
