//! Raw /dev/kmsg records: `priority,sequence,microseconds,flags[,key=value];text` (Documentation/ABI/testing/dev-kmsg).

use super::{Frame, Origin};
use crate::cursor::Cursor;

/// Takes the prefix of a raw record off. The priority holds the facility in its upper bits: 0 is the kernel, and a
/// process that writes to /dev/kmsg cannot set it (devkmsg_write, kernel/printk/printk.c).
pub(super) fn peel<'a>(frame: &mut Frame<'a>) -> Option<()> {
    let mut cursor = Cursor(frame.text);
    let priority = cursor.number()?;
    cursor.need(b",")?;
    cursor.number()?;
    cursor.need(b",")?;
    let microseconds = cursor.number()?;
    cursor.need(b",")?;
    let flags = cursor.take_while(|byte| byte != b';');
    cursor.need(b";")?;
    let mut parts = flags.split(|byte| *byte == b',');
    let flag = parts.next()?;
    if flag.is_empty() || flag.len() > 2 {
        return None;
    }
    let caller = parts.find_map(|part| part.strip_prefix(b"caller="));
    frame.text = cursor.0;
    frame.boot_us = Some(microseconds);
    frame.caller = caller;
    frame.origin = if priority >> 3 == 0 {
        Origin::Kernel
    } else {
        Origin::Other
    };
    frame.continues = flag.contains(&b'+');
    frame.framed = true;
    Some(())
}

/// `\x0a` -> the byte. Only raw records and some log writers escape; says whether there was anything to do.
pub(super) fn unescape(text: &[u8], into: &mut Vec<u8>) -> bool {
    if memchr::memmem::find(text, b"\\x").is_none() {
        return false;
    }
    into.clear();
    let of_json = without_json_escapes(text);
    let mut rest = of_json.as_deref().unwrap_or(text);
    while let Some(at) = memchr::memmem::find(rest, b"\\x") {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, b""));
        into.extend_from_slice(head);
        let hex = tail
            .get(2..4)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match hex {
            Some(byte) => {
                into.push(byte);
                rest = tail.get(4..).unwrap_or_default();
            }
            None => {
                into.extend_from_slice(b"\\x");
                rest = tail.get(2..).unwrap_or_default();
            }
        }
    }
    into.extend_from_slice(rest);
    true
}

/// The text as it was in a JSON string whose framing is lost. A backslash is itself escaped in a record (`\x5c`): two in a row
/// show the string.
fn without_json_escapes(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(text, b"\\\\x")?;
    let mut escaped = false;
    let kept = |byte: &u8| {
        escaped = !escaped && *byte == b'\\';
        !escaped
    };
    Some(text.iter().copied().filter(kept).collect())
}
