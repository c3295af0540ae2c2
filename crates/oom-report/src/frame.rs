//! The log's side: one line of any log -> the kernel text in it, and what the framing says of time, host and writer.
//!
//! Layers are peeled from the left, each told by its own shape, so that wrapped forms (a syslog line in a container's
//! JSON log behind a shipper's prefix) need no code of their own. Decides nothing about reports.

pub(crate) mod embedded;
mod host;
pub(crate) mod journal_export;
pub(crate) mod journal_verbose;
pub(crate) mod json;
mod kmsg;
mod peel;
mod remembered;
mod stamp;

use crate::time::RawTime;
pub(crate) use remembered::is_plain;

/// Who wrote the line, as far as its framing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The framing names another writer: never part of a report.
    Other,
    /// No sign.
    Unverified,
    /// Tag `kernel:` in a syslog form.
    KernelTag,
    /// Facility 0 where user space cannot set it.
    Kernel,
}

/// A line without its framing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame<'a> {
    /// What the kernel printed, if it was the kernel.
    pub(crate) text: &'a [u8],
    pub(crate) boot_us: Option<u64>,
    pub(crate) time: RawTime,
    pub(crate) host: Option<&'a [u8]>,
    /// `T1234` or `C0` (CONFIG_PRINTK_CALLER)
    pub(crate) caller: Option<&'a [u8]>,
    pub(crate) boot_id: Option<&'a [u8]>,
    pub(crate) origin: Origin,
    /// The most that any layer outside lets us believe.
    pub(crate) cap: Origin,
    /// The line has framing at all.
    pub(crate) framed: bool,
    /// The framing shows that the text ends before the kernel's did.
    pub(crate) cut: bool,
    /// A raw kmsg record that continues the one before (`+`).
    pub(crate) continues: bool,
}

impl<'a> Frame<'a> {
    /// A line of which nothing is known yet.
    pub(crate) fn bare(text: &'a [u8]) -> Self {
        Self {
            text,
            boot_us: None,
            time: RawTime::None,
            host: None,
            caller: None,
            boot_id: None,
            origin: Origin::Unverified,
            cap: Origin::Kernel,
            framed: false,
            cut: false,
            continues: false,
        }
    }

    /// Who wrote it, no more than the layers allow.
    pub(crate) fn believed(&self) -> Origin {
        self.origin.min(self.cap)
    }
}

/// Room for text that is not in the input as it stands (JSON strings, escapes), kept from line to line.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    json: json::Fields,
    value: Vec<u8>,
    unescaped: Vec<u8>,
    remembered: remembered::Remembered,
}

/// The frame of a log's first line, if it is the rest of a JSON object, or its middle. A line that is `framed` by itself has the
/// stamp in the object's text, or begins with a value that is one.
pub(crate) fn rest_of_object<'a>(
    line: &'a [u8],
    framed: bool,
    scratch: &'a mut Scratch,
) -> Option<Frame<'a>> {
    let Scratch {
        json, unescaped, ..
    } = scratch;
    let begins_whole = line.starts_with(b"{");
    if framed && begins_whole {
        return None;
    }
    // The object may have its start, and only what stood around it cut.
    let inner = memchr::memmem::find(line, b"{\"").and_then(|at| line.get(at..));
    let of_inner = |json: &mut json::Fields| {
        inner
            .filter(|_| !framed)
            .and_then(|inner| json::decode(inner, json))
    };
    let is_rest = line.ends_with(b"}")
        && (of_inner(json) == Some(json::Decoded::Whole)
            || json::decode_part(line, json::Part::Rest, json));
    let is_middle = !is_rest
        && !begins_whole
        && (json::decode_part(line, json::Part::Middle, json)
            || of_inner(json) == Some(json::Decoded::Cut));
    if !is_rest && !is_middle {
        return None;
    }
    let mut frame = json.frame(Frame::bare(line));
    frame.cut = is_middle;
    if framed {
        // Two readings, and what a line of another form quotes is nobody's word.
        frame.cap = Origin::Unverified;
    }
    if json.peel_inner() {
        peel::peel(&mut frame);
    }
    if memchr::memchr(b'\\', frame.text).is_some() && kmsg::unescape(frame.text, unescaped) {
        frame.text = unescaped;
    }
    Some(frame)
}

/// A column of a CSV or a string of a list: what stands behind the closing quote is not the line's.
fn within_quotes<'a>(prefix: &[u8], rest: &'a [u8]) -> &'a [u8] {
    let is_quote = |last: &&u8| matches!(**last, b'"' | b'\'' | b'`');
    let Some(quote) = prefix.last().filter(is_quote) else {
        return rest;
    };
    let closes = |at: &usize| {
        let after = rest.get(at + 1..).unwrap_or_default();
        after.trim_ascii().is_empty() || after.starts_with(b",")
    };
    let end = memchr::memchr_iter(*quote, rest).find(closes);
    rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest)
}

/// The line without its own framing; what stood before the kernel's stamp of an earlier line is not read again.
fn peeled<'a>(line: &'a [u8], remembered: &mut remembered::Remembered) -> Frame<'a> {
    let by_reading = || {
        let mut frame = Frame::bare(line);
        peel::peel(&mut frame);
        frame
    };
    if let Some(frame) = remembered.frame(line) {
        debug_assert_eq!(frame, by_reading());
        return frame;
    }
    let frame = by_reading();
    remembered.note(line, &frame);
    frame
}

/// The frame of a row of a task table, where it is nothing but the kernel's stamp behind the same bytes as in the line before,
/// or alone: what [`frame()`] would make of it. All that stands before the text is plain.
pub(crate) fn of_row<'a>(line: &'a [u8], scratch: &Scratch) -> Option<Frame<'a>> {
    let frame = match line.first() {
        Some(b'[') => remembered::stamped(Frame::bare(line)),
        _ => scratch.remembered.frame(line),
    };
    frame.filter(|frame| frame.text.first() == Some(&b'['))
}

/// Takes the framing off `line` (no line end in it). `prefix` is what a shipper put before earlier lines of the
/// same file, learned by [`embedded`].
pub(crate) fn frame<'a>(
    line: &'a [u8],
    prefix: Option<&[u8]>,
    scratch: &'a mut Scratch,
) -> Frame<'a> {
    let Scratch {
        json,
        value,
        unescaped,
        remembered,
    } = scratch;
    let mut frame = peeled(line, remembered);
    if let Some(text) = journal_verbose::text_alone(line) {
        frame = Frame::bare(text);
        frame.framed = true;
    }
    if !frame.framed
        && let Some(prefix) = prefix
        && let Some(rest) = line.strip_prefix(prefix)
    {
        frame = match embedded::is_key(prefix).then(|| json::value(prefix, rest, value)) {
            Some(whole) => Frame {
                cut: !whole,
                ..Frame::bare(value)
            },
            None => Frame::bare(within_quotes(prefix, rest)),
        };
        frame.framed = true;
        frame.cap = Origin::KernelTag;
        peel::peel(&mut frame);
    }
    if frame.text.first() == Some(&b'{')
        && frame.origin != Origin::Other
        && let Some(decoded) = json::decode(frame.text, json)
    {
        frame = json.frame(frame);
        frame.cut |= decoded == json::Decoded::Cut;
        if json.peel_inner() {
            peel::peel(&mut frame);
        }
    }
    if memchr::memchr(b'\\', frame.text).is_some() && kmsg::unescape(frame.text, unescaped) {
        frame.text = unescaped;
    }
    frame
}
