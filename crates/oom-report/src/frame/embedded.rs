//! Lines behind something that no form knows: a shipper's host, file or container name, `grep -r`'s path.
//!
//! The first place where a known form begins is taken for the start of the line; where there is none, the place where
//! the kernel's own words begin. Nothing found here is believed more than a syslog tag.

use crate::cursor::Cursor;
use crate::kernel::COMM_BYTES;

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

/// What a shipper's prefix ends with.
const SEPARATORS: [&[u8]; 5] = [b"| ", b"> ", b": ", b"] ", b"\t"];

/// Length of what stands before the line proper; `None` when nothing of the kind is found.
pub(crate) fn prefix_length(line: &[u8]) -> Option<usize> {
    let limit = line.len().min(400);
    (1..limit)
        .find(|at| begins_form(line, *at))
        .or_else(|| begins_text(line))
}

/// Length of the number that `grep -n`, `cat -n`, `less -N` or `nl` put before a line.
fn number_length(line: &[u8]) -> Option<usize> {
    let mut cursor = Cursor(line);
    cursor.spaces();
    cursor.number()?;
    if !(cursor.eat(b":") || cursor.eat(b"-") || cursor.eat(b"\t")) {
        cursor.need(b" ")?;
        cursor.eat(b" ");
    }
    Some(line.len() - cursor.0.len())
}

/// Whether the text is as long as a name; an escaped byte (`\x0a`, in JSON `\u000a`) takes four or six.
fn is_of_name_length(comm: &[u8]) -> bool {
    let escapes = |begin: &[u8]| memchr::memmem::find_iter(comm, begin).count();
    let more = escapes(b"\\x") * 3 + escapes(b"\\u00") * 5;
    (1..=COMM_BYTES).contains(&comm.len().saturating_sub(more))
}

/// Whether a name begins like the number of a line or a mark of quotation, rather than like a name.
pub(crate) fn begins_like_prefix(comm: &[u8]) -> bool {
    if comm.starts_with(b"> ") {
        return true;
    }
    let number = number_length(comm).and_then(|length| comm.get(..length));
    // Digits and a space may well begin a name, unless they are aligned.
    number.is_some_and(|number| number.starts_with(b" ") || !number.ends_with(b" "))
}

/// Length of what stands before this line, when `known` stood before another and both differ in their numbers only.
pub(crate) fn like(line: &[u8], known: &[u8]) -> Option<usize> {
    let (mut rest, mut known) = (Cursor(line), Cursor(known));
    loop {
        let mut number = known;
        number.spaces();
        match known.peek() {
            None => return Some(line.len() - rest.0.len()),
            // Numbers may be aligned with spaces.
            Some(_) if number.number().is_some() => {
                known = number;
                rest.spaces();
                rest.number()?;
            }
            Some(byte) => {
                known.need(&[byte])?;
                rest.need(&[byte])?;
            }
        }
    }
}

/// Whether a known form begins at `at`, where a separator stands before it.
fn begins_form(line: &[u8], at: usize) -> bool {
    let Some(before) = line.get(at - 1) else {
        return false;
    };
    if !matches!(
        before,
        b' ' | b'\t' | b':' | b'|' | b']' | b'>' | b'-' | b',' | b'"' | b'\'' | b'`' | b'=' | b')'
    ) {
        return false;
    }
    let Some(rest) = line.get(at..) else {
        return false;
    };
    match rest.first() {
        // Its text must not be taken for a form of its own: it is escaped.
        Some(b'{') => {
            return rest.starts_with(b"{\"")
                && serde_json::from_slice::<serde_json::Value>(rest).is_ok();
        }
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
        .filter_map(|start| crate::cursor::find(line, start))
        .min()
    {
        Some(at) => at,
        None => {
            // `prefix comm invoked oom-killer: gfp_mask=`: the name is what a separator leaves for it, else the last
            // word.
            let end = crate::cursor::find(line, b" invoked oom-killer: gfp_mask=")?;
            let head = line.get(..end)?;
            let fits = |at: &usize| {
                let comm = head.get(*at..).unwrap_or_default();
                // A bracket there is the end of a stamp whose start is lost.
                is_of_name_length(comm) && memchr::memchr2(b']', b'"', comm).is_none()
            };
            let is_number_alone = |at: &usize| fits(at) && head.get(*at) != Some(&b'|');
            if let Some(number) = number_length(head).filter(is_number_alone) {
                return Some(number);
            }
            let behind_key = memchr::memchr2_iter(b'"', b'\'', head)
                .map(|quote| quote + 1)
                .find(|at| head.get(..*at).is_some_and(is_key));
            if let Some(at) = behind_key {
                return Some(at);
            }
            let last_word = head.iter().rposition(|byte| byte.is_ascii_whitespace())? + 1;
            SEPARATORS
                .iter()
                .filter_map(|separator| {
                    Some(memchr::memmem::rfind(head, separator)? + separator.len())
                })
                .max()
                .filter(fits)
                .unwrap_or(last_word)
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
    // `[Apr 28 2025, 9:41 PM] `: a stamp in a form of its own, whatever is in it.
    let is_bracket =
        |inside: &[u8]| inside.len() <= 40 && memchr::memchr2(b'[', b']', inside).is_none();
    let bracketed = trimmed
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
        .is_some_and(is_bracket);
    if is_key(trimmed) || is_event(trimmed) || matches!(trimmed, b"`" | b"'" | b"\"") {
        return Some(at);
    }
    let most = match () {
        () if bracketed => 8,
        () if separated => 3,
        () => 2,
    };
    (at > 0 && name.len() == trimmed.len() && words <= most).then_some(at)
}

/// `    "message": "`, `  message: "`: an object that is printed over several lines.
pub(super) fn is_key(trimmed: &[u8]) -> bool {
    let key = trimmed.trim_ascii_start();
    let quoted = key.strip_prefix(b"\"").and_then(|rest| {
        // journalctl's json-pretty has a space there.
        rest.strip_suffix(b"\": \"")
            .or_else(|| rest.strip_suffix(b"\" : \""))
    });
    let plain = || {
        key.strip_suffix(b": \"")
            .or_else(|| key.strip_suffix(b": '"))
    };
    quoted.or_else(plain).is_some_and(|key| {
        (1..=24).contains(&key.len()) && key.iter().all(u8::is_ascii_alphanumeric)
    })
}

/// What stands before the message of a Kubernetes event: its columns in `kubectl describe` and `kubectl get events`
/// (node-problem-detector's reason for a kernel's kill is OOMKilling), or the note of one that came often.
fn is_event(trimmed: &[u8]) -> bool {
    let mut words = trimmed
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    trimmed.ends_with(b"(combined from similar events):")
        || words.clone().count() <= 16
            && words.any(|word| word == b"OOMKilling")
            && memchr::memchr3(b'"', b'\'', b'`', trimmed).is_none()
}
