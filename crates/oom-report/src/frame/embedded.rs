//! Lines behind something that no form knows: a shipper's host, file or container name, `grep -r`'s path.
//!
//! The first place where a known form begins is taken for the start of the line; where there is none, the place where
//! the kernel's own words begin. Nothing found here is believed more than a syslog tag.

use crate::cursor::Cursor;

/// Kernel texts that open a report and begin with fixed words.
const STARTS: &[&[u8]] = &[
    b"Memory cgroup out of memory: Kill",
    b"Out of memory: Kill",
    b"Out of memory (oom_kill_allocating_task): Kill",
    b"Out of memory and no killable processes",
    b"[ pid ]   uid  tgid total_vm ",
    b"[  pid  ]   uid  tgid total_vm ",
    b"oom-kill:constraint=",
    b"oom_reaper: reaped process ",
    b"oom_reaper: unable to reap ",
    b"memory: usage ",
];

/// Length of what stands before the line proper; `None` when nothing of the kind is found.
pub(crate) fn prefix_length(line: &[u8]) -> Option<usize> {
    let limit = line.len().min(400);
    (1..limit)
        .find(|at| begins_form(line, *at))
        .or_else(|| begins_text(line))
}

/// Whether a known form begins at `at`, where a separator stands before it.
fn begins_form(line: &[u8], at: usize) -> bool {
    let Some(before) = line.get(at - 1) else {
        return false;
    };
    if !matches!(
        before,
        b' ' | b'\t' | b':' | b'|' | b']' | b'>' | b'-' | b',' | b'"' | b'=' | b')'
    ) {
        return false;
    }
    let Some(rest) = line.get(at..) else {
        return false;
    };
    match rest.first() {
        Some(b'[' | b'<' | b'0'..=b'9' | b'k') => {}
        Some(byte) if byte.is_ascii_uppercase() => {}
        _ => return false,
    }
    // A digit in the middle of a number begins nothing.
    if rest.first().is_some_and(u8::is_ascii_digit) && before.is_ascii_digit() {
        return false;
    }
    let mut frame = super::Frame::bare(rest);
    super::peel::peel(&mut frame);
    frame.framed
}

/// The place of the kernel's own words behind a short prefix that ends with a separator.
fn begins_text(line: &[u8]) -> Option<usize> {
    let at = match STARTS
        .iter()
        .filter_map(|start| memchr::memmem::find(line, start))
        .min()
    {
        Some(at) => at,
        None => {
            // `prefix comm invoked oom-killer: gfp_mask=`: the name is the last word before it.
            let end = memchr::memmem::find(line, b" invoked oom-killer: gfp_mask=")?;
            let head = line.get(..end)?;
            head.iter().rposition(|byte| byte.is_ascii_whitespace())? + 1
        }
    };
    let prefix = line.get(..at)?;
    let trimmed = prefix.trim_ascii_end();
    let separated = trimmed.ends_with(b"|")
        || trimmed.ends_with(b":")
        || trimmed.ends_with(b"]")
        || prefix.ends_with(b"\t");
    let words = trimmed
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .count();
    let mut cursor = Cursor(trimmed);
    // A sentence that quotes the kernel has several words; a shipper's prefix has a name or two.
    let name = cursor.take_while(|byte| !matches!(byte, b'"' | b'\'' | b'`' | b'('));
    (at > 0 && name.len() == trimmed.len() && words <= if separated { 3 } else { 2 }).then_some(at)
}
