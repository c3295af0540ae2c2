//! The name of a host where a syslog line has one, and what looks like it and is the kernel's own text.

use crate::cursor::Cursor;

/// A host's name; `None` for a word that ends with a colon, which is a tag, and for what has one inside and is no IPv6
/// address: that is the kernel's (`active_anon:24 inactive_anon:0`). A chain of relays is given as `10.0.0.7/node-1`.
pub(super) fn host_name<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let is_of_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%');
    let mut ahead = *cursor;
    if ahead.eat(b"[") {
        let address = ahead.take_while(|byte| byte != b']' && byte != b' ');
        ahead.need(b"]")?;
        if !address.contains(&b':') || !address.iter().all(is_of_address) {
            return None;
        }
        *cursor = ahead;
        return Some(address);
    }
    let mut has_colon = false;
    let host = cursor.take_while(|byte| {
        has_colon |= byte == b':';
        is_of_host(byte)
    });
    if host.is_empty() || host.starts_with(b"/") || closes_unopened(host) {
        return None;
    }
    let is_address = || !host.ends_with(b":") && host.iter().all(is_of_address);
    (!has_colon || is_address()).then_some(host)
}

/// Whether a bracket ends in it that never began there: no mask of a name does that, but a process may be called so.
fn closes_unopened(host: &[u8]) -> bool {
    let mut open = Vec::new();
    host.iter().any(|byte| match byte {
        b'(' | b'{' | b'<' => {
            open.push(*byte);
            false
        }
        b')' => open.pop() != Some(b'('),
        b'}' => open.pop() != Some(b'{'),
        b'>' => open.pop() != Some(b'<'),
        _ => false,
    })
}

/// Whether what looks like a host and a tag is the start of one of a report's own lines, behind a stamp that stands alone
/// (`kubectl logs --timestamps`, a build's log).
pub(super) fn is_of_report(host: &[u8], tag: &[u8]) -> bool {
    match host {
        b"Hardware" => tag == b"name",
        b"Call" => tag == b"Trace" || tag == b"trace",
        b"DMA" | b"DMA32" | b"Normal" | b"HighMem" | b"Movable" => {
            tag == b"free" || tag == b"per-cpu"
        }
        b"CPU" => tag.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// What a host's name is made of, or what people put in place of it before they publish a log: `<host>`, `***`,
/// `{{node}}`, a name in their own script. `(none)` is a machine without a name. Not what stands in the kernel's text.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(byte, b'-' | b'.' | b'_' | b':' | b'/')
        || matches!(
            byte,
            b'<' | b'>' | b'*' | b'(' | b')' | b'{' | b'}' | b'$' | b'#' | b'@' | b'%' | b'?'
        )
}
