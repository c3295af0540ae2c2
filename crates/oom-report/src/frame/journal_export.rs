//! The journal's export format: blocks of `FIELD=value` lines, a blank line after each; values with control
//! characters as name, little-endian length and bytes (systemd: docs/JOURNAL_EXPORT_FORMATS.md).

use super::{Frame, Origin};
use crate::cursor::Cursor;
use crate::time::RawTime;

/// A block read from the input, borrowed.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) frame: Frame<'a>,
    /// Lines from the block's first to that of its text: the offset of the text's line number.
    pub(crate) text_line: u64,
    /// Lines in the block with its blank line.
    pub(crate) lines: u64,
    /// Bytes of the block with its blank line.
    pub(crate) length: usize,
}

/// First bytes of every block as journalctl writes it.
pub(crate) const START: &[u8] = b"__CURSOR=";

/// Reads the block at the start of `input`. `None` when its end is not in the input and more may come (`last` false).
pub(crate) fn read(input: &[u8], last: bool) -> Option<Entry<'_>> {
    let mut frame = Frame::bare(b"");
    let mut transport: Option<&[u8]> = None;
    let mut facility: Option<u64> = None;
    let mut identifier: Option<&[u8]> = None;
    let mut rest = input;
    let mut lines = 0;
    let mut text_line = 0;
    loop {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if !last {
                return None;
            }
            // The last block may lack its blank line; a value without its line end may be cut and is not taken.
            if is_field(rest) {
                lines += 1;
                rest = b"";
            }
            break;
        };
        let (line, after) = (rest.get(..end)?, rest.get(end + 1..)?);
        lines += 1;
        if line.is_empty() {
            rest = after;
            break;
        }
        if !is_field(line) {
            // Another log goes on here: its lines are not this block's.
            lines -= 1;
            break;
        }
        let (name, value) = match memchr::memchr(b'=', line) {
            Some(at) => {
                rest = after;
                (line.get(..at)?, line.get(at + 1..)?)
            }
            None => {
                // Binary: length in 8 bytes, the value, a line end.
                let Some((size, tail)) = after.split_first_chunk::<8>() else {
                    if !last {
                        return None;
                    }
                    lines += memchr::memchr_iter(b'\n', after).count() as u64
                        + u64::from(!after.is_empty() && !after.ends_with(b"\n"));
                    rest = b"";
                    break;
                };
                let size = usize::try_from(u64::from_le_bytes(*size)).unwrap_or(usize::MAX);
                let Some(value) = tail.get(..size) else {
                    // A length beyond any log line is not this format (or hostile): the block ends here.
                    if !last && size < 1 << 24 {
                        return None;
                    }
                    rest = after;
                    break;
                };
                lines += u64::try_from(memchr::memchr_iter(b'\n', after.get(..8 + size)?).count())
                    .unwrap_or(0);
                rest = tail.get(size..)?;
                if let Some(next) = rest.strip_prefix(b"\n") {
                    rest = next;
                    lines += 1;
                }
                (line, value)
            }
        };
        let number = || Cursor(value).number();
        match name {
            b"MESSAGE" => {
                frame.text = value;
                text_line = lines - 1;
            }
            b"_TRANSPORT" => transport = Some(value),
            b"SYSLOG_FACILITY" => facility = number(),
            b"SYSLOG_IDENTIFIER" => identifier = Some(value),
            b"_HOSTNAME" => frame.host = Some(value),
            b"_BOOT_ID" => frame.boot_id = Some(value),
            b"_SOURCE_MONOTONIC_TIMESTAMP" => frame.boot_us = number(),
            b"__REALTIME_TIMESTAMP" => {
                frame.time = number()
                    .and_then(|us| i64::try_from(us).ok())
                    .map_or(RawTime::None, RawTime::EpochUs);
            }
            _ => {}
        }
    }
    frame.framed = true;
    frame.origin = match (transport, facility) {
        (Some(b"kernel"), Some(0)) => Origin::Kernel,
        (Some(b"kernel"), None) => Origin::KernelTag,
        (None, _) if identifier == Some(b"kernel") => Origin::KernelTag,
        _ => Origin::Other,
    };
    // A value may end with the kernel text's own line end.
    frame.text = frame.text.strip_suffix(b"\n").unwrap_or(frame.text);
    Some(Entry {
        frame,
        text_line,
        lines,
        length: input.len() - rest.len(),
    })
}

/// Whether the line begins as a field does: a name of capitals, digits and `_`, then `=` or the line's end.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b'=').next().unwrap_or_default();
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}
