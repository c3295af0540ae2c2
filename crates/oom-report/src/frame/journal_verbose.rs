//! `journalctl -o verbose`: a line with the time and the cursor, then the fields, four spaces before each (systemd:
//! src/shared/logs-show.c, output_verbose).

use super::journal_export::{Entry, Fields, is_field};
use crate::time::RawTime;

/// Stands before each field, and before the further lines of a value with as many spaces as its name is long.
pub(crate) const INDENT: &[u8] = b"    ";
/// The first line is no longer: a time and a cursor of six parts.
const LONGEST_HEAD: usize = 300;
/// What stands between the time and the cursor.
pub(crate) const CURSOR: &[u8] = b" [s=";

/// The text of an entry whose first line is lost, and maybe some of the spaces.
pub(super) fn text_alone(line: &[u8]) -> Option<&[u8]> {
    let field = line.trim_ascii_start();
    (1..=INDENT.len())
        .contains(&(line.len() - field.len()))
        .then(|| field.strip_prefix(b"MESSAGE="))?
}

/// Whether an entry begins here: `Wed 2021-01-13 12:34:56.789012 UTC [s=...;i=...;b=...;m=...;t=...;x=...]`.
pub(crate) fn is_head(rest: &[u8]) -> bool {
    // Most lines are none: four bytes tell.
    let is = |at: usize, byte: u8| rest.get(at) == Some(&byte);
    is(3, b' ') && is(8, b'-') && is(11, b'-') && is(14, b' ') && cursor(rest).is_some()
}

/// The parts of the cursor in the first line.
fn cursor(rest: &[u8]) -> Option<&[u8]> {
    let head = rest.get(..rest.len().min(LONGEST_HEAD))?;
    let line = head.get(..memchr::memchr(b'\n', head)?)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let at = memchr::memmem::find(line, CURSOR)?;
    line.get(at + 2..)?.strip_suffix(b"]")
}

/// Reads the entry at the start of `input`. `None` when there is none, or its end is not in the input and more may come
/// (`last` false). A text of several lines is put together in `joined`.
pub(crate) fn read<'a>(input: &'a [u8], last: bool, joined: &'a mut Vec<u8>) -> Option<Entry<'a>> {
    let cursor = cursor(input)?;
    let mut fields = Fields::new();
    let mut time = RawTime::None;
    for part in cursor.split(|byte| *byte == b';') {
        match part.split_at_checked(2) {
            Some((b"b=", id)) => fields.take(b"_BOOT_ID", id),
            Some((b"t=", hex)) => time = epoch(hex),
            _ => {}
        }
    }
    let mut lines = 1;
    let mut text_line = 0;
    let mut in_text = false;
    joined.clear();
    let mut rest = input.get(memchr::memchr(b'\n', input)? + 1..)?;
    loop {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if !last {
                return None;
            }
            // A value without its line end may be cut and is not taken.
            if rest.starts_with(INDENT) {
                lines += 1;
                rest = b"";
            }
            break;
        };
        let (line, after) = (rest.get(..end)?, rest.get(end + 1..)?);
        let Some(field) = line.strip_prefix(INDENT) else {
            break;
        };
        lines += 1;
        rest = after;
        let field = field.strip_suffix(b"\r").unwrap_or(field);
        if let Some(at) = memchr::memchr(b'=', field).filter(|_| is_field(field)) {
            let (name, value) = (field.get(..at)?, field.get(at + 1..)?);
            in_text = name == b"MESSAGE";
            if in_text {
                text_line = lines - 1;
                joined.clear();
                joined.extend(value);
            }
            fields.take(name, value);
        } else if in_text {
            // Further lines of a value are indented as far as its first.
            joined.push(b'\n');
            joined.extend(field.strip_prefix(b"        ").unwrap_or(field));
        }
    }
    let mut frame = fields.frame();
    frame.time = time;
    if joined.len() > frame.text.len() {
        frame.text = joined;
    }
    Some(Entry {
        frame,
        text_line,
        lines,
        length: input.len() - rest.len(),
    })
}

/// Microseconds of the realtime clock, in hexadecimal digits.
fn epoch(hex: &[u8]) -> RawTime {
    std::str::from_utf8(hex)
        .ok()
        .and_then(|digits| i64::from_str_radix(digits, 16).ok())
        .map_or(RawTime::None, RawTime::EpochUs)
}
