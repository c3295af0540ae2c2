//! The name in a report's header, where what stood before it may be lost.

use crate::cursor::Cursor;
use crate::kernel::COMM_BYTES;

/// The name in `comm`, which is all that stands before the kernel's words in line `number` of the log, behind its framing if it
/// is `framed`.
pub(super) fn of_header(comm: &[u8], framed: bool, number: u64) -> &[u8] {
    let may_be_torn = number == 1 && !framed;
    let comm = behind_lost_framing(comm, framed, number);
    let comm = if may_be_torn {
        behind_colour(comm)
    } else {
        comm
    };
    let mut cursor = Cursor(comm);
    if number == 1 {
        cursor.rest_of_character();
    }
    let comm = cursor.0;
    // What is longer than any name, or stands at the very start of a bare log, may be the rest of a cut line: its last word
    // is the name's, or at least its end. The `CPU:` line settles it.
    let doubtful = may_be_torn || comm.len() > COMM_BYTES;
    match comm.iter().rposition(u8::is_ascii_whitespace) {
        Some(at) if doubtful => comm.get(at + 1..).unwrap_or(comm),
        _ => comm,
    }
}

/// Framing whose start is lost leaves its last bracket or quote before the name.
fn behind_lost_framing(comm: &[u8], framed: bool, number: u64) -> &[u8] {
    let is_end =
        |byte: &u8| matches!(byte, b']' | b'"' | 0) || number == 1 && matches!(byte, b';' | b'=');
    // `runc:[2:INIT]` is a name. An object's first value may be cut to the stamp that is in it, and in it.
    let is_lost = |at: &usize| {
        comm.get(*at).is_some_and(is_end) && (!framed || number == 1 && is_torn_stamp(comm, *at))
    };
    let end = (0..comm.len()).rev().find(is_lost);
    let lost = end.filter(|at| at + 1 < comm.len());
    let rest = lost.and_then(|at| comm.get(at + 1..));
    rest.map_or(comm, |rest| {
        rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start()
    })
}

/// Whether a stamp that has lost its start ends at `end`: `"2026-11-24T05:00:00Z"`, `3612.803204] `.
fn is_torn_stamp(comm: &[u8], end: usize) -> bool {
    let before = comm.get(..end).unwrap_or_default().trim_ascii_start();
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let ends_bracket = comm.get(end..).is_some_and(|rest| rest.starts_with(b"] "));
    comm.starts_with(b"\"") || ends_bracket && before.iter().all(is_of_number)
}

/// What stands behind half a colour's sequence, and maybe behind the next one, whole.
fn behind_colour(comm: &[u8]) -> &[u8] {
    let from = memchr::memmem::rfind(comm, b"\x1b[").map_or(0, |at| at + 2);
    let mut rest = Cursor(comm.get(from..).unwrap_or_default());
    match rest.rest_of_colour() {
        Some(digits) if !digits.is_empty() => rest.0,
        _ => comm,
    }
}

#[cfg(test)]
mod tests {
    use super::of_header;

    #[test]
    fn what_is_left_of_framing_is_no_part_of_a_name() {
        for (comm, framed, number, expected) in [
            ("3612.803204] red", true, 1, "red"),
            ("] red", true, 1, "red"),
            (".803204] a \"c", true, 1, "a \"c"),
            ("\"2026-11-24T05:00:00Z\" red", true, 1, "red"),
            ("MESSAGE=red", false, 1, "red"),
            ("[2J\u{1b}[31mred", false, 1, "red"),
            ("ython3", false, 1, "ython3"),
            ("\u{e9}t\u{e9}", false, 1, "\u{e9}t\u{e9}"),
            // Names.
            ("runc:[2:INIT]", true, 1, "runc:[2:INIT]"),
            ("1=red", true, 1, "1=red"),
            ("1]red", true, 1, "1]red"),
            ("1] red", true, 2, "1] red"),
            ("two words", true, 1, "two words"),
            ("two words", false, 2, "two words"),
            ("", true, 1, ""),
        ] {
            let found = of_header(comm.as_bytes(), framed, number);
            assert_eq!(found, expected.as_bytes(), "{comm}");
        }
        assert_eq!(of_header(b"\xa9t", false, 1), b"t");
    }
}
