//! Peels one layer of framing after another until kernel text is left, or another writer is found.

use super::host::{host_name, is_of_report};
use super::{Frame, Origin, kmsg, stamp};
use crate::cursor::Cursor;
use crate::time::RawTime;

/// Takes all layers off. The layers inside a syslog header are the kernel's own stamp and caller id only: what a
/// process name may look like is never taken for a layer.
pub(super) fn peel(frame: &mut Frame<'_>) {
    // Two rounds of outer framing: a shipper's or CRI's stamp around a syslog or kernel line.
    for _ in 0..3 {
        match outer(frame) {
            Some(Next::Outer) => {}
            Some(Next::Kernel) => return kernel_stamp(frame),
            Some(Next::Done) | None => return,
        }
    }
}

enum Next {
    /// More framing may follow.
    Outer,
    /// Only the kernel's own stamp may follow.
    Kernel,
    /// The text is bare.
    Done,
}

fn outer(frame: &mut Frame<'_>) -> Option<Next> {
    let text = frame.text;
    match text.first()? {
        b'0'..=b'9' => {
            if kmsg::peel(frame).is_some() {
                return Some(Next::Done);
            }
            let mut cursor = Cursor(text);
            // Syslog over TCP counts the octets of each message (RFC 6587): `142 <4>1 2026-11-24T05:00:00Z ...`.
            let mut counted = cursor;
            if counted.number().is_some() && counted.eat(b" ") && counted.peek() == Some(b'<') {
                let mut message = *frame;
                message.text = counted.0;
                if let Some(next) = priority(&mut message) {
                    *frame = message;
                    return Some(next);
                }
            }
            if let Some((time, comma)) = stamp::iso(&mut cursor) {
                return after_iso(frame, cursor, time, comma);
            }
            if let Some(time) = stamp::unix(&mut cursor) {
                frame.time = time;
                return host_and_tag(frame, cursor);
            }
            // Chinese, Japanese and Korean number their months.
            frame.time = stamp::rfc3164(&mut cursor)?;
            host_and_tag(frame, cursor)
        }
        b'<' => priority(frame),
        b'[' => bracket(frame),
        b'{' => None,
        // `journalctl -o json-seq` (RFC 7464)
        0x1e => {
            frame.text = text.get(1..)?;
            Some(Next::Outer)
        }
        _ => named(frame),
    }
}

/// `[  123.456789] `, `[Tue Mar  9 13:17:05 2021] ` or a shipper's `[pod/name/container] `.
fn bracket(frame: &mut Frame<'_>) -> Option<Next> {
    let mut cursor = Cursor(frame.text);
    if let Some(boot_us) = stamp::boot(&mut cursor) {
        frame.boot_us = Some(boot_us);
        frame.framed = true;
        cursor.eat(b" ");
        frame.text = cursor.0;
        // `journalctl -o short-monotonic`: the stamp is followed by host and writer.
        if let Some((host, tag, has_pid, rest)) = split_host_tag(cursor)
            && (tag == b"kernel" || has_pid)
        {
            set_writer(frame, Some(host), tag);
            frame.text = rest;
            return Some(Next::Done);
        }
        caller(frame);
        return Some(Next::Done);
    }
    if let Some(time) = stamp::ctime(&mut cursor).or_else(|| stamp::bracketed_rfc3164(&mut cursor))
    {
        frame.time = time;
        frame.framed = true;
        cursor.eat(b" ");
        frame.text = cursor.0;
        caller(frame);
        return Some(Next::Done);
    }
    if let Some((time, _)) = bracketed_iso(&mut cursor) {
        frame.time = time;
        frame.framed = true;
        cursor.eat(b":");
        cursor.eat(b" ");
        frame.text = cursor.0;
        return Some(Next::Kernel);
    }
    if let Some(time) = stamp::relative(&mut cursor) {
        frame.time = time;
        frame.framed = true;
        cursor.eat(b" ");
        frame.text = cursor.0;
        caller(frame);
        return Some(Next::Done);
    }
    // `kubectl logs --prefix`: the rest is a whole line of its own.
    let mut shipper = Cursor(frame.text);
    if shipper.eat(b"[pod/") && shipper.until(b"] ").is_some() {
        frame.framed = true;
        frame.cap = Origin::Unverified;
        frame.text = shipper.0;
        return Some(Next::Outer);
    }
    None
}

/// `[2021-03-09T13:17:05.123456] `
fn bracketed_iso(cursor: &mut Cursor<'_>) -> Option<(RawTime, bool)> {
    let mut ahead = *cursor;
    ahead.need(b"[")?;
    let found = stamp::iso(&mut ahead)?;
    ahead.need(b"]")?;
    *cursor = ahead;
    Some(found)
}

/// `<4>`: the kernel's own `dmesg -r` and /proc/kmsg form, RFC 3164 or RFC 5424.
fn priority(frame: &mut Frame<'_>) -> Option<Next> {
    let mut cursor = Cursor(frame.text);
    cursor.need(b"<")?;
    let priority = cursor.number().filter(|priority| *priority < 1024)?;
    cursor.need(b">")?;
    let kernel = priority >> 3 == 0;
    let mut version = cursor;
    if version.eat(b"1 ") {
        return rfc5424(frame, version, kernel);
    }
    frame.framed = true;
    frame.text = cursor.0;
    let mut own = cursor;
    if stamp::boot(&mut own).is_some() || stamp::ctime(&mut own).is_some() {
        // The kernel's buffer: a process cannot get facility 0 into it.
        frame.origin = if kernel {
            Origin::Kernel
        } else {
            Origin::Other
        };
        return Some(Next::Kernel);
    }
    if !kernel {
        frame.origin = Origin::Other;
        return Some(Next::Done);
    }
    frame.origin = Origin::KernelTag;
    Some(Next::Outer)
}

/// `TIME HOST APP PROCID MSGID SD MSG` after `<4>1 `.
fn rfc5424<'a>(frame: &mut Frame<'a>, mut cursor: Cursor<'a>, kernel: bool) -> Option<Next> {
    if cursor.peek() == Some(b'-') {
        cursor.eat(b"-");
    } else {
        frame.time = stamp::iso(&mut cursor)?.0;
    }
    cursor.need(b" ")?;
    let host = cursor.word();
    cursor.need(b" ")?;
    let app = cursor.word();
    cursor.need(b" ")?;
    cursor.word();
    cursor.need(b" ")?;
    cursor.word();
    cursor.need(b" ")?;
    if !cursor.eat(b"-") {
        while cursor.eat(b"[") {
            structured_data(&mut cursor)?;
        }
    }
    cursor.eat(b" ");
    cursor.eat(b"\xef\xbb\xbf");
    set_writer(frame, Some(host).filter(|host| *host != b"-"), app);
    if !kernel {
        frame.origin = Origin::Other;
    }
    frame.text = cursor.0;
    Some(if frame.origin == Origin::Other {
        Next::Done
    } else {
        Next::Kernel
    })
}

/// The rest of `[id name="value" ...]`; a quote and a bracket in a value are escaped.
fn structured_data(cursor: &mut Cursor<'_>) -> Option<()> {
    let mut quoted = false;
    let mut escaped = false;
    let length = cursor.0.iter().position(|byte| {
        let end = !quoted && *byte == b']';
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        end
    })?;
    cursor.0 = cursor.0.get(length + 1..)?;
    Some(())
}

fn after_iso<'a>(
    frame: &mut Frame<'a>,
    mut cursor: Cursor<'a>,
    time: RawTime,
    comma: bool,
) -> Option<Next> {
    frame.time = time;
    frame.framed = true;
    // The bracket whose start is lost, of a stamp in brackets.
    cursor.eat(b"]");
    if !cursor.eat(b" ") && !cursor.eat(b"\t") {
        cursor.eat(b":");
        cursor.spaces();
    }
    frame.text = cursor.0;
    if comma {
        // dmesg --time-format iso: no host, no tag.
        caller(frame);
        return Some(Next::Done);
    }
    // CRI: `stdout F text`. What a container prints is nobody's word but its own.
    let mut cri = cursor;
    if (cri.eat(b"stdout ") || cri.eat(b"stderr ")) && (cri.eat(b"F ") || cri.eat(b"P ")) {
        frame.cap = Origin::Unverified;
        frame.text = cri.0;
        return Some(Next::Outer);
    }
    // Loki's `logcli query`: `2026-11-24T05:00:00Z {job="systemd-journal", node="n1"} text`.
    let mut labelled = cursor;
    if labels(&mut labelled).is_some() {
        frame.cap = Origin::Unverified;
        frame.text = labelled.0;
        return Some(Next::Outer);
    }
    // The reason of an event that kubectl lists behind its time.
    let mut reason = cursor;
    reason.spaces();
    if reason.eat(b"OOMKilling ") {
        reason.spaces();
        frame.text = reason.0;
        return Some(Next::Done);
    }
    // A collector's stamp before the whole line of a syslog.
    if stamp::rfc3164(&mut cursor.clone()).is_some() {
        return Some(Next::Outer);
    }
    if cursor.peek() == Some(b'[') || cursor.peek() == Some(b'<') || cursor.peek() == Some(b'{') {
        let is_host = cursor.peek() == Some(b'[') && host_name(&mut cursor.clone()).is_some();
        return match is_host {
            true => host_and_tag(frame, cursor),
            false => Some(Next::Outer),
        };
    }
    let next = host_and_tag(frame, cursor).or(Some(Next::Done));
    if frame.origin == Origin::Unverified
        && frame.host.is_none()
        && let Some(at) = inner_stamp(cursor.0)
    {
        // A hypervisor's log of its guest's console: `2023-12-04T10:49:30Z In(05) vcpu-5 - Guest: <6>[123.456789] ...`.
        frame.cap = Origin::KernelTag;
        frame.text = cursor.0.get(at..).unwrap_or_default();
        return Some(Next::Outer);
    }
    next
}

/// `{name="value", ...} `, a quote in a value escaped.
fn labels(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.need(b"{")?;
    while !cursor.eat(b"}") {
        let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() {
            return None;
        }
        cursor.need(b"=\"")?;
        let mut escaped = false;
        cursor.take_while(|byte| {
            let inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            inside
        });
        cursor.need(b"\"")?;
        cursor.eat(b", ");
    }
    (cursor.eat(b" ") || cursor.eat(b"\t")).then_some(())
}

/// Where the kernel's own stamp, or its priority and stamp, begins behind a short text that ends with a colon.
fn inner_stamp(text: &[u8]) -> Option<usize> {
    let head = text.get(..text.len().min(80))?;
    memchr::memmem::find_iter(head, b": ").find_map(|at| {
        let mut cursor = Cursor(text.get(at + 2..)?);
        if cursor.eat(b"<") {
            cursor.number()?;
            cursor.need(b">")?;
        }
        stamp::boot(&mut cursor)?;
        Some(at + 2)
    })
}

/// Forms that begin with a letter: RFC 3164 and journalctl's short forms, `Tue 2021-03-09 ...`, `kern  :warn  : `.
fn named(frame: &mut Frame<'_>) -> Option<Next> {
    let mut cursor = Cursor(frame.text);
    if let Some(time) = stamp::rfc3164(&mut cursor) {
        frame.time = time;
        return host_and_tag(frame, cursor);
    }
    if let Some(next) = decoded(frame) {
        return Some(next);
    }
    // OpenWrt's logread: `Sat Jan 27 00:14:32 2024 kern.warn kernel: ...`.
    let mut logread = cursor;
    let day = logread.take_while(|byte| byte != b' ');
    if (2..=12).contains(&day.len())
        && logread.eat(b" ")
        && let Some(time) = stamp::rfc3164(&mut logread)
    {
        frame.time = time;
        return host_and_tag(frame, logread);
    }
    // short-full: a weekday first, in any language.
    let mut full = cursor;
    let day = full.take_while(|byte| byte != b' ');
    if (2..=12).contains(&day.len())
        && full.eat(b" ")
        && full.peek().is_some_and(|byte| byte.is_ascii_digit())
        && let Some((time, _)) = stamp::iso(&mut full)
    {
        frame.time = time;
        // Any zone's abbreviation but UTC's is ambiguous: it is skipped, and the zone assumed.
        let mut zone = full;
        zone.eat(b" ");
        let name = zone.word();
        if name.len() <= 5 && name.iter().all(u8::is_ascii_uppercase) && !name.is_empty() {
            full = zone;
        }
        return host_and_tag(frame, full);
    }
    let mut tag = cursor;
    if tag.eat(b"kernel: ") {
        frame.framed = true;
        frame.origin = Origin::KernelTag;
        frame.text = tag.0;
        return Some(Next::Kernel);
    }
    None
}

const LEVELS: [&[u8]; 9] = [
    b"emerg", b"alert", b"crit", b"err", b"warn", b"warning", b"notice", b"info", b"debug",
];

/// Takes `kern.warn `, which BusyBox and OpenWrt print before the tag.
fn facility_and_level(cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    let facility = ahead.take_while(|byte| byte.is_ascii_alphanumeric());
    if facility.is_empty() || !ahead.eat(b".") {
        return;
    }
    let level = ahead.take_while(|byte| byte.is_ascii_lowercase());
    // socklog ends it with a colon, and has no tag.
    if LEVELS.contains(&level) && (ahead.eat(b" ") || ahead.eat(b": ")) {
        *cursor = ahead;
    }
}

/// `dmesg -x`: `kern  :warn  : [  123.456789] text`; `talosctl dmesg`: `kern: warning: [2025-06-04T04:51:57.572Z]: text`.
fn decoded(frame: &mut Frame<'_>) -> Option<Next> {
    const FACILITIES: [&[u8]; 12] = [
        b"kern",
        b"user",
        b"mail",
        b"daemon",
        b"auth",
        b"syslog",
        b"lpr",
        b"news",
        b"uucp",
        b"cron",
        b"authpriv",
        b"ftp",
    ];
    let mut cursor = Cursor(frame.text);
    let facility = cursor.take_while(|byte| byte.is_ascii_lowercase());
    cursor.spaces();
    cursor.need(b":")?;
    cursor.spaces();
    let level = cursor.take_while(|byte| byte.is_ascii_lowercase());
    cursor.spaces();
    cursor.need(b":")?;
    if !LEVELS.contains(&level)
        || !(FACILITIES.contains(&facility) || facility.starts_with(b"local"))
    {
        return None;
    }
    cursor.eat(b" ");
    frame.framed = true;
    frame.text = cursor.0;
    frame.origin = if facility == b"kern" {
        Origin::Kernel
    } else {
        Origin::Other
    };
    let mut iso = cursor;
    if let Some((time, _)) = stamp::iso(&mut iso) {
        iso.eat(b" ");
        frame.time = time;
        frame.text = iso.0;
    } else if let Some((time, _)) = bracketed_iso(&mut iso) {
        iso.eat(b":");
        iso.eat(b" ");
        frame.time = time;
        frame.text = iso.0;
    }
    Some(Next::Kernel)
}

/// ` host kernel: `, ` host daemon[12]: `, ` kernel: `, after a syslog stamp.
fn host_and_tag<'a>(frame: &mut Frame<'a>, mut cursor: Cursor<'a>) -> Option<Next> {
    frame.framed = true;
    // A stamp in brackets of which the first is lost.
    if cursor.eat(b"] ") {
        frame.text = cursor.0;
        caller(frame);
        return Some(Next::Done);
    }
    cursor.spaces();
    facility_and_level(&mut cursor);
    frame.text = cursor.0;
    let mut own = cursor;
    if own.eat(b"kernel: ") {
        set_writer(frame, None, b"kernel");
        frame.text = own.0;
        return Some(Next::Kernel);
    }
    if let Some((host, tag, _, rest)) = split_host_tag(cursor) {
        set_writer(frame, Some(host), tag);
        frame.text = rest;
        return Some(if frame.origin == Origin::Other {
            Next::Done
        } else {
            Next::Kernel
        });
    }
    // A host and the kernel's stamp without a tag between them.
    let mut host = cursor;
    let name = host.word();
    host.eat(b" ");
    if host.peek() == Some(b'[') && stamp::boot(&mut Cursor(host.0)).is_some() {
        frame.host = Some(name);
        frame.text = host.0;
        return Some(Next::Kernel);
    }
    Some(Next::Kernel)
}

/// Host, tag, whether a pid follows the tag, and the rest.
type HostTag<'a> = (&'a [u8], &'a [u8], bool, &'a [u8]);

/// Splits `host tag[pid]: rest`; says whether there was a pid.
fn split_host_tag(mut cursor: Cursor<'_>) -> Option<HostTag<'_>> {
    let host = host_name(&mut cursor)?;
    cursor.need(b" ")?;
    cursor.spaces();
    facility_and_level(&mut cursor);
    let tag = cursor.take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'[' | b':'));
    if tag.is_empty() || is_of_report(host, tag) {
        return None;
    }
    let mut has_pid = false;
    let mut pid = cursor;
    if pid.eat(b"[") {
        pid.take_while(|byte| byte != b']' && !byte.is_ascii_whitespace());
        pid.need(b"]")?;
        cursor = pid;
        has_pid = true;
    }
    cursor.need(b":")?;
    cursor.eat(b" ");
    Some((host, tag, has_pid, cursor.0))
}

fn set_writer<'a>(frame: &mut Frame<'a>, host: Option<&'a [u8]>, tag: &[u8]) {
    frame.framed = true;
    if host.is_some() {
        frame.host = host;
    }
    frame.origin = if tag == b"kernel" {
        Origin::KernelTag
    } else {
        Origin::Other
    };
}

/// The stamp that syslog daemons leave in the kernel's text, and the caller id.
fn kernel_stamp(frame: &mut Frame<'_>) {
    let mut cursor = Cursor(frame.text);
    if cursor.eat(b"kernel: ") {
        frame.text = cursor.0;
    }
    cursor = Cursor(stamp::unspaced(cursor.0));
    if let Some(boot_us) = stamp::boot(&mut cursor) {
        frame.boot_us = Some(boot_us);
        frame.framed = true;
        cursor.eat(b" ");
        frame.text = cursor.0;
    } else if let Some(time) = stamp::ctime(&mut cursor) {
        frame.time = time;
        frame.framed = true;
        cursor.eat(b" ");
        frame.text = cursor.0;
    }
    caller(frame);
}

/// `[ T1234] ` or `[    C0] `: thread or CPU that printed the line.
pub(super) fn caller(frame: &mut Frame<'_>) {
    let mut cursor = Cursor(frame.text);
    if !cursor.eat(b"[") {
        return;
    }
    cursor.spaces();
    // In a row of the task table, a number stands here.
    if !matches!(cursor.peek(), Some(b'T' | b'C')) {
        return;
    }
    let id = cursor.take_while(|byte| byte.is_ascii_alphanumeric());
    let digits = id.get(1..).unwrap_or_default();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || !cursor.eat(b"]") {
        return;
    }
    cursor.eat(b" ");
    frame.caller = Some(id);
    frame.text = cursor.0;
}
