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
    let mut fields = Fields::new();
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
        if name == b"MESSAGE" {
            text_line = lines - 1;
        }
        fields.take(name, value);
    }
    Some(Entry {
        frame: fields.frame(),
        text_line,
        lines,
        length: input.len() - rest.len(),
    })
}

/// What the fields of an entry say, whatever form it is printed in (systemd.journal-fields(7)).
#[derive(Debug)]
pub(super) struct Fields<'a> {
    frame: Frame<'a>,
    transport: Option<&'a [u8]>,
    facility: Option<u64>,
    identifier: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(super) fn new() -> Self {
        Self {
            frame: Frame::bare(b""),
            transport: None,
            facility: None,
            identifier: None,
        }
    }

    pub(super) fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let number = || Cursor(value).number();
        match name {
            b"MESSAGE" => self.frame.text = value,
            b"_TRANSPORT" => self.transport = Some(value),
            b"SYSLOG_FACILITY" => self.facility = number(),
            b"SYSLOG_IDENTIFIER" => self.identifier = Some(value),
            b"_HOSTNAME" => self.frame.host = Some(value),
            b"_BOOT_ID" => self.frame.boot_id = Some(value),
            b"_SOURCE_MONOTONIC_TIMESTAMP" => self.frame.boot_us = number(),
            b"__REALTIME_TIMESTAMP" => {
                self.frame.time = number()
                    .and_then(|us| i64::try_from(us).ok())
                    .map_or(RawTime::None, RawTime::EpochUs);
            }
            _ => {}
        }
    }

    pub(super) fn frame(self) -> Frame<'a> {
        let origin = match (self.transport, self.facility) {
            (Some(b"kernel"), Some(0)) => Origin::Kernel,
            (Some(b"kernel"), None) => Origin::KernelTag,
            (None, _) if self.identifier == Some(b"kernel") => Origin::KernelTag,
            _ => Origin::Other,
        };
        let text = self.frame.text;
        Frame {
            framed: true,
            origin,
            // A value may end with the kernel text's own line end.
            text: text.strip_suffix(b"\n").unwrap_or(text),
            ..self.frame
        }
    }
}

/// Whether the line begins as a field does: a name of capitals, digits and `_`, then `=` or the line's end.
pub(super) fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b'=').next().unwrap_or_default();
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}
