//! Bytes of a log -> reports: finds the lines that matter, takes their framing off, hands them to the assembler.
//!
//! While no report is open only lines with a needle are looked at; the rest of the log is searched, not read. Works on
//! bytes held whole (a mapped file), with several threads searching ahead, and on a stream, in constant memory.

mod boots;
mod entries;
mod folded;
mod look_back;
mod markup;
mod parallel;
mod rows;
mod stream;
mod wrapped;

use std::time::Duration;

use crate::anchor::{self, Hit};
use crate::assemble::{Assembler, Ignored};
use crate::frame::{self, Scratch, embedded};
use crate::kernel::{self, COMM_BYTES, KernelLine};
use crate::report::OomReport;
use crate::time::Assumptions;
use entries::{has_entries, is_entry, record_start};
use folded::Unfolding;
pub(crate) use folded::unfolded;
pub use parallel::{CopyAt, Search};
use stream::Stream;
use wrapped::{Rejoined, Wrapping};

/// What receives the reports, in the order of the log.
pub type Sink<'a> = &'a mut dyn FnMut(OomReport);

/// Bytes kept behind the reading position of a stream, for reports whose first lines hold no needle.
const KEPT_BEHIND: usize = 256 * 1024;
/// A stream's line or journal entry longer than this is given up.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Finds the reports of one log. Give it the whole bytes once ([`Scanner::scan`]) or chunks ([`Scanner::push`]).
///
/// ```
/// use oom_report::{Assumptions, Scanner};
///
/// let log = b"Mar  9 13:17:05 node-1 kernel: [30320.358563] Memory cgroup out of memory: \
///             Kill process 11190 (app) score 9 or sacrifice child\n";
/// let mut reports = Vec::new();
/// Scanner::new(Assumptions::default()).scan(log, 1, &mut |report| reports.push(report));
/// assert_eq!(reports[0].victims[0].pid, 11190);
/// ```
#[derive(Debug)]
pub struct Scanner {
    assembler: Assembler,
    scratch: Scratch,
    prefix: Option<Vec<u8>>,
    /// See [`markup::decoration`].
    decoration: Vec<u8>,
    wrapping: Wrapping,
    /// The last line read may be broken, and its next piece has not come yet.
    waits: bool,
    /// Whether the log begins with entries of a journal's export, once that was looked at.
    exported: Option<bool>,
    /// Room for a text of several lines.
    joined: Vec<u8>,
    /// Every line is read, needle or not: the slow way, to hold the fast one against.
    every_line: bool,
    unfolding: Unfolding,
    stream: Stream,
}

/// A place in the bytes at hand.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    /// Start of the next line to look at.
    offset: usize,
    /// Lines before it in the whole log.
    lines: u64,
    /// End of the last report's lines: what lies before is never looked at again.
    floor: usize,
    /// A report was read before it.
    behind_report: bool,
}

impl Scanner {
    /// A scanner for one log.
    pub fn new(assumptions: Assumptions) -> Self {
        let assembler = Assembler::new(assumptions);
        Self {
            assembler,
            scratch: Scratch::default(),
            prefix: None,
            decoration: Vec::new(),
            wrapping: Wrapping::default(),
            waits: false,
            exported: None,
            joined: Vec::new(),
            every_line: false,
            unfolding: Unfolding::default(),
            stream: Stream::default(),
        }
    }

    /// The same, but reading every line: slow, and with the same result.
    pub fn line_by_line(assumptions: Assumptions) -> Self {
        Self {
            every_line: true,
            ..Self::new(assumptions)
        }
    }

    /// What was seen and not reported.
    pub fn ignored(&self) -> Ignored {
        self.assembler.ignored
    }

    /// Scans a whole log with `threads` threads (0 counts as 1); the sink is called from this one.
    /// Returns the number of lines.
    pub fn scan(&mut self, bytes: &[u8], threads: usize, sink: Sink<'_>) -> u64 {
        let search = Search {
            threads,
            ..Search::default()
        };
        self.scan_by(bytes, &search, sink)
    }

    /// The same, searched in a way of its own.
    pub fn scan_by(&mut self, bytes: &[u8], search: &Search<'_>, sink: Sink<'_>) -> u64 {
        if folded::is_folded(bytes) {
            return self.scan_folded(bytes, search, sink);
        }
        let mut position = Position::default();
        let mut lines = 0;
        let every_line = self.every_line;
        parallel::search_in_order(bytes, search, every_line, &mut |end, hits, newlines| {
            let last = end == bytes.len();
            self.walk(bytes, end, hits, lines, &mut position, last, sink);
            lines += newlines;
        });
        self.assembler.finish();
        self.hand_over(sink);
        lines + u64::from(!bytes.is_empty() && !bytes.ends_with(b"\n"))
    }

    /// In pieces: unfolded, it would take its size once more.
    fn scan_folded(&mut self, bytes: &[u8], search: &Search<'_>, sink: Sink<'_>) -> u64 {
        for piece in bytes.chunks(KEPT_BEHIND) {
            self.push(piece, sink);
            if let Some(searched) = search.searched {
                searched(piece.len() as u64);
            }
        }
        self.finish(sink)
    }

    /// Takes the next bytes of a stream.
    pub fn push(&mut self, chunk: &[u8], sink: Sink<'_>) {
        self.room(chunk.len()).copy_from_slice(chunk);
        self.filled(chunk.len(), sink);
    }

    /// Room for the next `bytes` of a stream, to be filled from the front: so that a reader can read right into it.
    /// What is filled counts with [`Scanner::filled`] only.
    pub fn room(&mut self, bytes: usize) -> &mut [u8] {
        self.stream.make_room(bytes);
        let end = self.stream.end;
        self.stream
            .buffer
            .get_mut(end..end + bytes)
            .unwrap_or_default()
    }

    /// Takes the first `count` bytes of the room as the next bytes of the stream.
    pub fn filled(&mut self, count: usize, sink: Sink<'_>) {
        if self.unfolding.is_plain() {
            return self.take(count, sink);
        }
        let end = self.stream.end;
        let room = self.stream.buffer.get(end..).unwrap_or_default();
        let filled = room.get(..count.min(room.len())).unwrap_or_default();
        let unfolded = self.unfolding.feed(filled);
        self.take_unfolded(&unfolded, sink);
    }

    fn take_unfolded(&mut self, unfolded: &[u8], sink: Sink<'_>) {
        self.room(unfolded.len()).copy_from_slice(unfolded);
        self.take(unfolded.len(), sink);
    }

    fn take(&mut self, count: usize, sink: Sink<'_>) {
        let mut stream = std::mem::take(&mut self.stream);
        let count = stream.skip(count.min(stream.buffer.len() - stream.end));
        let searched_from = stream.searched();
        let old_end = stream.end;
        stream.end += count;
        // Whole lines only: a line's end is in the new bytes, or the line waits.
        let new = stream.buffer.get(old_end..stream.end).unwrap_or_default();
        if let Some(end) = memchr::memrchr(b'\n', new) {
            let end = old_end + end + 1;
            self.read_stream(&mut stream, searched_from.min(end), end, false, sink);
        }
        stream.give_up_endless_line();
        self.stream = stream;
    }

    /// For a log that is followed: how long no byte must come before [`Scanner::settle`] hands something over.
    /// `None` while no report is open.
    pub fn settles_after(&self) -> Option<Duration> {
        self.assembler.settles_after()
    }

    /// For a log that is followed: no byte came for `quiet`, so hand over what is complete by that. A few
    /// milliseconds after a kill line, 10 s after a report that stopped without one.
    ///
    /// The report stays open: if more of it comes (`oom_reaper:`, a member of a group that was killed late), it is
    /// handed over again, whole, with the same first line ([`crate::report::ReportText::first_line`]). A report that
    /// got no more lines is handed over once.
    ///
    /// ```
    /// use oom_report::{Assumptions, Scanner};
    ///
    /// let line = b"3,7,1000,-;Memory cgroup out of memory: Killed process 9 (app) total-vm:8kB, \
    ///              anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n";
    /// let mut scanner = Scanner::new(Assumptions::default());
    /// let mut reports = Vec::new();
    /// scanner.push(line, &mut |report| reports.push(report));
    /// assert!(reports.is_empty());
    /// let quiet = scanner.settles_after().unwrap();
    /// scanner.settle(quiet, &mut |report| reports.push(report));
    /// assert_eq!(reports.len(), 1);
    /// ```
    pub fn settle(&mut self, quiet: Duration, sink: Sink<'_>) {
        self.assembler.settle(quiet);
        self.hand_over(sink);
    }

    /// The stream is over. Returns the number of its lines.
    pub fn finish(&mut self, sink: Sink<'_>) -> u64 {
        let held = self.unfolding.finish();
        self.take_unfolded(&held, sink);
        let mut stream = std::mem::take(&mut self.stream);
        let end = stream.end;
        let searched_from = stream.searched();
        self.read_stream(&mut stream, searched_from, end, true, sink);
        self.assembler.finish();
        self.hand_over(sink);
        let unread = stream
            .buffer
            .get(stream.position.offset..end)
            .unwrap_or_default();
        stream.position.lines
            + memchr::memchr_iter(b'\n', unread).count() as u64
            + u64::from(!unread.is_empty() && !unread.ends_with(b"\n"))
    }

    fn read_stream(
        &mut self,
        stream: &mut Stream,
        from: usize,
        end: usize,
        last: bool,
        sink: Sink<'_>,
    ) {
        let Some(unsearched) = stream.buffer.get(from..end) else {
            return;
        };
        let (mut hits, newlines) = parallel::hits(unsearched, unsearched.len(), self.every_line);
        let position = stream.position;
        let between = stream.buffer.get(position.offset..from).unwrap_or_default();
        let lines_before = position.lines + memchr::memchr_iter(b'\n', between).count() as u64;
        for hit in &mut hits {
            hit.offset += from;
        }
        let mut position = position;
        let Some(bytes) = stream.buffer.get(..end) else {
            return;
        };
        self.waits = false;
        self.walk(bytes, end, &hits, lines_before, &mut position, last, sink);
        stream.search_again = !last && (self.waits || self.at_open_entry(bytes, position.offset));
        if !self.assembler.is_active() && !last && !stream.search_again {
            self.note_boots(bytes, position.offset, end);
            position = Position {
                offset: end,
                lines: lines_before + newlines,
                floor: position.floor,
                behind_report: position.behind_report,
            };
        }
        stream.position = position;
    }

    /// Whether an unfinished journal entry stands at `offset`.
    fn at_open_entry(&self, bytes: &[u8], offset: usize) -> bool {
        bytes.get(offset..).is_some_and(|rest| {
            is_entry(rest) && entries::read(rest, false, &mut Vec::new()).is_none()
        })
    }

    /// Goes through `bytes[..end]` from `position`, along `hits` (absolute offsets; their line counts start at
    /// `lines_before`). Lines that end beyond `end` are left for later unless `last`.
    #[allow(clippy::too_many_arguments)]
    fn walk(
        &mut self,
        bytes: &[u8],
        end: usize,
        hits: &[Hit],
        lines_before: u64,
        position: &mut Position,
        last: bool,
        sink: Sink<'_>,
    ) {
        let mut hits = hits.iter();
        loop {
            if self.assembler.is_active() {
                if !self.step(bytes, end, position, last) {
                    break;
                }
                self.step_rows(bytes, end, position);
                position.floor = position.offset;
                position.behind_report = true;
            } else {
                let Some(hit) = hits.find(|hit| hit.offset >= position.offset) else {
                    break;
                };
                if hit.offset > 0 && self.exported.is_none() {
                    self.exported = Some(has_entries(bytes));
                }
                let exported = self.exported == Some(true);
                let floor = position.floor.min(hit.offset);
                let start = record_start(bytes, hit.offset, floor, exported);
                let more = !last && end == bytes.len();
                let start = self
                    .first_piece(bytes, start, hit.offset, floor, more)
                    .unwrap_or(start);
                let in_line = bytes.get(start..hit.offset).unwrap_or_default();
                let back = memchr::memchr_iter(b'\n', in_line).count() as u64;
                self.note_boots(bytes, position.offset, start);
                position.lines = (lines_before + hit.newlines).saturating_sub(back);
                position.offset = start;
                self.look_back(bytes, position);
                // A needle in an entry or a line that opens nothing: on behind it.
                if !self.step(bytes, end, position, last) {
                    break;
                }
                while self.assembler.opening && position.offset <= hit.offset {
                    if !self.step(bytes, end, position, last) {
                        break;
                    }
                }
                self.assembler.opening = false;
                if self.assembler.is_active() {
                    position.floor = position.offset;
                    position.behind_report = true;
                }
            }
            self.hand_over(sink);
        }
        self.hand_over(sink);
    }

    fn hand_over(&mut self, sink: Sink<'_>) {
        while let Some(report) = self.assembler.next_ready() {
            sink(report);
        }
    }

    /// Reads the line or entry at `position` and moves behind it. `false` when it is not all there yet.
    fn step(&mut self, bytes: &[u8], end: usize, position: &mut Position, last: bool) -> bool {
        let Some(rest) = bytes
            .get(position.offset..end)
            .filter(|rest| !rest.is_empty())
        else {
            return false;
        };
        if is_entry(rest) {
            // Entries may reach beyond the part searched so far.
            let rest = if last {
                rest
            } else {
                bytes.get(position.offset..).unwrap_or(rest)
            };
            let whole = last || end == bytes.len();
            let Some(entry) = entries::read(rest, whole && last, &mut self.joined) else {
                if rest.len() < LONGEST_LINE {
                    return false;
                }
                return self.step_line(rest, position, last, false);
            };
            let number = position.lines + entry.text_line + 1;
            if entries::is_exported(rest) {
                self.exported = Some(true);
            }
            self.assembler.feed(&entry.frame, number, false);
            position.offset += entry.length;
            position.lines += entry.lines;
            return true;
        }
        let more = !last && end == bytes.len();
        // The pieces of a broken line may reach beyond the part searched so far.
        let rest = if last || more {
            rest
        } else {
            bytes.get(position.offset..).unwrap_or(rest)
        };
        self.step_line(rest, position, last, more)
    }

    /// `more`: bytes behind `rest` are still to come.
    fn step_line(&mut self, rest: &[u8], position: &mut Position, last: bool, more: bool) -> bool {
        let (line, length, cut) = match memchr::memchr(b'\n', rest) {
            Some(end) => (rest.get(..end).unwrap_or_default(), end + 1, false),
            None if last => (rest, rest.len(), true),
            None => return false,
        };
        self.waits = false;
        let active = self.assembler.is_active();
        let known = self.wrapping;
        let rejoined = self.rejoin(rest, length, more);
        // Of lines that are not looked for, nothing is learned: the fast way does not see them.
        let counts = match &rejoined {
            Rejoined::Whole => active || anchor::is_in(rest, length),
            Rejoined::Joined(_, taken, _) => active || anchor::is_in(rest, length + taken),
            Rejoined::Waits => false,
        };
        if !counts {
            self.wrapping = known;
        }
        match rejoined {
            Rejoined::Joined(joined, taken, lines)
                if counts || !anchor::is_in(&joined, joined.len()) =>
            {
                self.read_line(&joined, position.lines + 1, cut);
                position.offset += length + taken;
                position.lines += 1 + lines;
                return true;
            }
            // What opens a report is found by a needle in one piece: where the break is inside of it, nothing is.
            Rejoined::Whole | Rejoined::Joined(..) => {}
            Rejoined::Waits => {
                self.waits = true;
                return false;
            }
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.read_line(line, position.lines + 1, cut);
        position.offset += length;
        position.lines += 1;
        true
    }

    fn read_line(&mut self, line: &[u8], number: u64, cut: bool) {
        let plain = line.strip_suffix(&*self.decoration).unwrap_or(line);
        self.read_plain(plain, number, cut);
        if std::mem::take(&mut self.assembler.headed) {
            self.decoration.clear();
            self.decoration.extend(markup::decoration(line));
        }
    }

    fn read_plain(&mut self, line: &[u8], number: u64, cut: bool) {
        let line = if number == 1 {
            markup::without_torn_start(line)
        } else {
            line
        };
        let mut stripped = Vec::new();
        let line = if markup::strip(line, &mut stripped) {
            stripped.as_slice()
        } else {
            line
        };
        let line = markup::without_tags(line);
        let (line, cut) = match cut_mark(line, number) {
            Some(shown) => (shown, true),
            None => (line, cut),
        };
        // Most lines show their framing at the first look, and need no second one.
        let frame = frame::frame(line, self.prefix.as_deref(), &mut self.scratch);
        let settled = is_settled(self.prefix.as_deref(), &frame, line, cut);
        let (framed, others) = (frame.framed, frame.origin == frame::Origin::Other);
        if settled && (number != 1 || others) {
            return self.assembler.feed(&frame, number, cut);
        }
        if number == 1
            && !others
            && let Some(frame) = frame::rest_of_object(line, framed, &mut self.scratch)
        {
            return self.assembler.feed(&frame, number, cut);
        }
        if settled || line.is_empty() || !is_unclear(line, cut) {
            let frame = frame::frame(line, self.prefix.as_deref(), &mut self.scratch);
            return self.assembler.feed(&frame, number, cut);
        }
        let learned = self.prefix_of(line);
        let prefix = learned.as_deref().or(self.prefix.as_deref());
        let frame = frame::frame(line, prefix, &mut self.scratch);
        self.assembler.feed(&frame, number, cut);
        // Noise teaches nothing: only the lines of a report show what stands before them.
        // Nor does an object that is cut: the whole ones after it are read as objects.
        let is_prefix = learned
            .as_ref()
            .is_some_and(|prefix| !prefix.starts_with(b"{"));
        if is_prefix && self.assembler.is_active() {
            self.prefix = learned;
        }
    }

    /// The prefix of a line that says nothing as it stands, nor behind the prefix known.
    fn prefix_if_needed(&mut self, line: &[u8], cut: bool) -> Option<Vec<u8>> {
        let frame = frame::frame(line, self.prefix.as_deref(), &mut self.scratch);
        let settled = is_settled(self.prefix.as_deref(), &frame, line, cut);
        if settled || line.is_empty() || !is_unclear(line, cut) {
            return None;
        }
        self.prefix_of(line)
    }

    /// What a shipper put before this line: by its form, its words, or by the length of the last line's.
    fn prefix_of(&self, line: &[u8]) -> Option<Vec<u8>> {
        if let Some(length) = embedded::prefix_length(line) {
            return line.get(..length).map(<[u8]>::to_vec);
        }
        let known = self
            .prefix
            .as_ref()
            .filter(|_| self.assembler.is_active())?;
        let same_end = line
            .get(..known.len())
            .is_some_and(|start| start.last() == known.last());
        let length = embedded::like(line, known).or_else(|| same_end.then_some(known.len()))?;
        let (candidate, rest) = line.split_at_checked(length)?;
        // Rows that mean something only in their place (statistics, slabs) are taken on the word of the numbers.
        let numbered = known.iter().any(u8::is_ascii_digit) && known.iter().all(is_of_number);
        (numbered || !is_unclear(rest, false)).then(|| candidate.to_vec())
    }
}

/// Whether the framing is all of it: behind an indentation there may be more than the one known, as numbers of lines.
fn is_settled(prefix: Option<&[u8]>, frame: &frame::Frame<'_>, line: &[u8], cut: bool) -> bool {
    frame.framed
        && !(prefix
            .is_some_and(|prefix| line.starts_with(prefix) && prefix.iter().all(is_of_number))
            && is_unclear(frame.text, cut))
}

/// What the number before a line is made of.
fn is_of_number(byte: &u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_whitespace() || matches!(byte, b':' | b'-')
}

/// Whether the bare line says nothing, or what it says can only be so with a prefix in front.
fn is_unclear(line: &[u8], cut: bool) -> bool {
    match kernel::read(line, cut) {
        KernelLine::Other => true,
        KernelLine::Header(header) => {
            header.comm.len() > COMM_BYTES || embedded::begins_like_prefix(header.comm)
        }
        _ => false,
    }
}

/// The line without the mark that a pager or journalctl leaves where it cut a line, if there is one.
fn cut_mark(line: &[u8], number: u64) -> Option<&[u8]> {
    if let Some(shown) = line.strip_suffix("…".as_bytes()) {
        return Some(shown);
    }
    // `less -S` and journalctl's pager: a lone `>` at the edge of the screen, no nearer to the line's start than one is narrow,
    // unless the start is lost; `<TASK>` and `</TASK>` are the kernel's.
    let shown = line.strip_suffix(b">")?;
    ((line.len() >= 40 || number == 1)
        && !shown.ends_with(b"TASK")
        && !shown.ends_with(b"IRQ")
        && !shown.ends_with(b"NMI"))
    .then_some(shown)
}
