//! Entries of the journal that are several lines: where they begin, and what they hold.

use crate::frame::journal_export::{self, Entry};
use crate::frame::journal_verbose;

/// A journal entry is looked for no further back than this.
const LONGEST_ENTRY: usize = 128 * 1024;

/// Start of the line or journal entry that holds `offset`, not before `floor`.
pub(super) fn record_start(bytes: &[u8], offset: usize, floor: usize, exported: bool) -> usize {
    let before = bytes.get(floor..offset).unwrap_or_default();
    let line = floor + memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let rest = bytes.get(line..).unwrap_or_default();
    if rest.starts_with(journal_verbose::INDENT) {
        return verbose_start(bytes, offset, line, floor).unwrap_or(line);
    }
    // In an export entry the text is one of several lines; a binary text does not even begin its line.
    let field = rest
        .iter()
        .position(|byte| !(byte.is_ascii_uppercase() || *byte == b'_'));
    let maybe_entry = exported
        || field.is_some_and(|at| rest.get(at) == Some(&b'='))
        || rest.get(..9).is_some_and(|head| head.contains(&0));
    if !maybe_entry {
        return line;
    }
    let earliest = floor.max(line.saturating_sub(LONGEST_ENTRY));
    let within = bytes.get(earliest..line).unwrap_or_default();
    let start = match memchr::memmem::rfind(within, b"\n__CURSOR=") {
        Some(at) => earliest + at + 1,
        None if within.starts_with(journal_export::START) => earliest,
        // The first entry of a log whose start is lost.
        None => {
            let block =
                memchr::memmem::rfind(within, b"\n\n").map_or(earliest, |at| earliest + at + 2);
            let before = bytes.get(block..line).unwrap_or_default();
            let has_text = rest.starts_with(b"MESSAGE=")
                || before.starts_with(b"MESSAGE=")
                || memchr::memmem::find(before, b"\nMESSAGE=").is_some();
            if !has_text {
                return line;
            }
            block
        }
    };
    // The entry must reach as far as the needle; else this is a line that only looks like a field.
    let reaches = bytes
        .get(start..)
        .and_then(|entry| journal_export::read(entry, true))
        .is_some_and(|entry| start + entry.length > offset);
    if reaches { start } else { line }
}

/// Start of the verbose entry whose field begins at `line` and holds `offset`.
fn verbose_start(bytes: &[u8], offset: usize, line: usize, floor: usize) -> Option<usize> {
    let earliest = floor.max(line.saturating_sub(LONGEST_ENTRY));
    let within = bytes.get(earliest..line)?;
    let cursor = memchr::memmem::rfind(within, journal_verbose::CURSOR)?;
    let before = within.get(..cursor)?;
    let start = earliest + memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let entry = bytes
        .get(start..)
        .filter(|rest| journal_verbose::is_head(rest))?;
    let length = journal_verbose::read(entry, true, &mut Vec::new())?.length;
    (start + length > offset).then_some(start)
}

/// Whether the log begins with export entries: then a line with a needle may be one of several in a text.
pub(super) fn has_entries(bytes: &[u8]) -> bool {
    let head = bytes
        .get(..bytes.len().min(LONGEST_ENTRY))
        .unwrap_or_default();
    head.starts_with(journal_export::START) || memchr::memmem::find(head, b"\n__CURSOR=").is_some()
}

/// Whether an entry stands here.
pub(super) fn is_entry(rest: &[u8]) -> bool {
    is_exported(rest) || journal_verbose::is_head(rest)
}

/// Whether an entry of the export format stands here.
pub(super) fn is_exported(rest: &[u8]) -> bool {
    rest.starts_with(journal_export::START) || rest.starts_with(b"MESSAGE=")
}

/// Reads the entry at the start of `rest`, see [`journal_export::read`].
pub(super) fn read<'a>(rest: &'a [u8], last: bool, joined: &'a mut Vec<u8>) -> Option<Entry<'a>> {
    if is_exported(rest) {
        return journal_export::read(rest, last);
    }
    journal_verbose::read(rest, last, joined)
}
