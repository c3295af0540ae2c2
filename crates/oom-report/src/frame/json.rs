//! One JSON object a line: Docker's json-file, journalctl's JSON, and what log shippers make of either.

use serde_json::Value;

use super::{Frame, Origin};
use crate::cursor::Cursor;
use crate::time::{RawTime, epoch};

/// What a JSON line holds, owned, since JSON strings are not in the input as they stand.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    message: Vec<u8>,
    host: Option<Vec<u8>>,
    boot_id: Option<Vec<u8>>,
    boot_us: Option<u64>,
    time: RawTime,
    writer: Writer,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// The object does not say.
    #[default]
    Unsaid,
    /// Journal: kernel transport, facility 0. `dmesg --json --decode`: facility 0.
    Kernel,
    /// A field names the kernel as the program.
    NamedKernel,
    /// Another program.
    Other,
}

/// Keys that hold the text, in the order of preference.
const MESSAGE: &[&str] = &[
    "MESSAGE",
    "message",
    "log",
    "msg",
    "text",
    "line",
    "body",
    "textPayload",
    "short_message",
    "full_message",
    "SyslogMessage",
    "Message",
    "_msg",
    "_raw",
];
/// Keys under which collectors put the object that they were given.
const NESTED: &[&str] = &[
    "jsonPayload",
    "_source",
    "log_processed",
    "fields",
    "journal",
    "content",
    "attributes",
    "body",
    "result",
];
const HOST: &[&str] = &[
    "_HOSTNAME",
    "hostname",
    "host",
    "nodename",
    "node",
    "node_name",
    "host.name",
    "HOST",
    "HostName",
    "Computer",
    "sysloghost",
];
const PROGRAM: &[&str] = &[
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "syslog_identifier",
    "ident",
    "appname",
    "app_name",
    "program",
    "programname",
    "syslogtag",
];
/// Keys that hold the syslog facility, a number or a name: the journal's, and what collectors call it.
const FACILITY: &[&str] = &[
    "SYSLOG_FACILITY",
    "syslog_facility",
    "syslogfacility",
    "syslogfacility-text",
    "facility",
    "facility_label",
    // `dmesg --json --decode`
    "fac",
];
/// Facilities other than the kernel's, by name (syslog(3)). Graylog's `facility` may be anything.
const OTHERS_FACILITIES: &[&str] = &[
    "user",
    "user-level",
    "mail",
    "daemon",
    "system",
    "auth",
    "security/authorization",
    "syslog",
    "syslogd",
    "lpr",
    "line printer",
    "news",
    "network news",
    "uucp",
    "cron",
    "clock",
    "authpriv",
    "ftp",
];
const TIME: &[&str] = &[
    "time",
    "@timestamp",
    "timestamp",
    "ts",
    "date",
    "datetime",
    "TimeGenerated",
    "timereported",
    "ISODATE",
    "_time",
    "_SOURCE_REALTIME_TIMESTAMP",
    // Kubernetes' events
    "lastTimestamp",
    "eventTime",
];

/// How much of an object there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded {
    Whole,
    /// The object ends inside its text: the text is cut.
    Cut,
}

/// Reads the object. `None` when it is none or holds no text.
pub(crate) fn decode(text: &[u8], fields: &mut Fields) -> Option<Decoded> {
    match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(object)) => fields.fill(&object).then_some(Decoded::Whole),
        Ok(_) => None,
        Err(error) if error.is_eof() => {
            let object = mended(b"", text)?;
            fields.fill(&object).then_some(Decoded::Cut)
        }
        Err(_) => fields.fill(&object(text)?).then_some(Decoded::Whole),
    }
}

/// What may have stood before the rest of an object: as far as into its text,
const IN_TEXT: &[u8] = b"{\"log\":\"";
/// or anywhere outside of its text.
const LOST: [&[u8]; 6] = [
    b"{\"lost\":\"",
    b"{\"",
    b"{\"lost\"",
    b"{\"lost\":",
    b"{\"lost\":1",
    b"{",
];

/// How far a part of an object that has lost its start goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// To the object's end.
    Rest,
    /// Not as far: its end is lost, too.
    Middle,
}

/// Reads a part of an object whose start is lost; `false` when it is none. Its text is empty when the name of the text's key is
/// lost.
pub(crate) fn decode_part(text: &[u8], part: Part, fields: &mut Fields) -> bool {
    let is_in = |sign: &[u8]| memchr::memmem::find(text, sign).is_some();
    let ends_a_key = |end: &[u8]| text.trim_ascii_start().starts_with(end);
    // Any words may be the middle of a value or of a text: only a key and its value show that there was an object, or an
    // escape that no other form has.
    let has_key = is_in(b"\":") || is_in(b"\" : \"") || ends_a_key(b":\"") || ends_a_key(b": \"");
    // So does the end of a value where each key has a line of its own.
    let ends_a_value = text
        .strip_suffix(b"\",")
        .is_some_and(|value| string(value).is_some());
    let has_escape =
        is_in(b"\\u00") || text.starts_with(b"\"") && (is_in(b"\\\"") || is_in(b"\\\\"));
    if part == Part::Middle && !has_key && !ends_a_value && !has_escape {
        return false;
    }
    let mut is_object = false;
    let mut holds_text = |lost: &[u8], fields: &mut Fields| {
        let object = match part {
            Part::Rest => object(&[lost, text].concat()),
            Part::Middle => mended(lost, text),
        };
        is_object |= object.is_some();
        object.is_some_and(|object| fields.fill(&object))
    };
    let within = |lost: &&[u8]| [b"{\"lost\":", *lost].concat();
    if LOST
        .iter()
        .any(|lost| holds_text(lost, fields) || holds_text(&within(lost), fields))
    {
        return true;
    }
    // Where keys follow and the end is lost, the first value may be any.
    if (part == Part::Rest || !has_key) && holds_text(IN_TEXT, fields) {
        return true;
    }
    *fields = Fields::default();
    is_object
}

/// The object that `start` and `text` begin, ended where the text stops: inside a string or anywhere else.
fn mended(start: &[u8], text: &[u8]) -> Option<serde_json::Map<String, Value>> {
    const ENDS: [&[u8]; 5] = [b"}", b"\":0}", b":0}", b"0}", b"\"lost\":0}"];
    // As many as may be open.
    const OUTER: &[u8] = b"}}}";
    object(&[start, &closed(text), OUTER].concat()).or_else(|| {
        ENDS.iter()
            .find_map(|end| object(&[start, text, *end, OUTER].concat()))
    })
}

/// The object that `text` is, or was before the objects around it lost their starts.
fn object(text: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let first = values.next()?.ok()?;
    let rest = text.get(values.byte_offset()..)?;
    match first {
        Value::Object(object) if rest.iter().all(|byte| *byte == b'}') => Some(object),
        _ => None,
    }
}

/// Reads the value `rest` behind a key with its opening quote, of an object (or a YAML mapping) that is printed over several
/// lines. `false` when its end is not there.
pub(crate) fn value(key: &[u8], rest: &[u8], into: &mut Vec<u8>) -> bool {
    into.clear();
    let rest = rest.trim_ascii_end();
    let ended = rest.strip_suffix(b",").unwrap_or(rest);
    let quote = key.last().copied().unwrap_or(b'"');
    let inside = ended.strip_suffix(&[quote]);
    if quote == b'"' {
        if let Some(text) = inside.and_then(string) {
            into.extend(text.bytes());
            return true;
        }
        if let Some(text) = string(without_half_escape(rest)) {
            into.extend(text.bytes());
            return false;
        }
    }
    into.extend(inside.unwrap_or(rest));
    inside.is_some()
}

/// The string that stands between quotes as `inside`.
fn string(inside: &[u8]) -> Option<String> {
    serde_json::from_slice(&[b"\"", inside, b"\""].concat()).ok()
}

/// A string that is cut, closed, and the object with it.
fn closed(text: &[u8]) -> Vec<u8> {
    [without_half_escape(text), b"\"}"].concat()
}

/// What of a string that is cut can be read: half an escape at its end is dropped.
fn without_half_escape(text: &[u8]) -> &[u8] {
    let tail = text.len().saturating_sub(6);
    let last = memchr::memrchr(b'\\', text.get(tail..).unwrap_or_default());
    let Some(at) = last.map(|at| tail + at) else {
        return text;
    };
    let before = text.get(..at).unwrap_or_default();
    let escaped = before.iter().rev().take_while(|byte| **byte == b'\\');
    let is_escaped = escaped.count() % 2 == 1;
    let needs = if text.get(at + 1) == Some(&b'u') {
        6
    } else {
        2
    };
    if !is_escaped && text.len() - at < needs {
        before
    } else {
        text
    }
}

impl Fields {
    /// Takes what the object says; `false` when it holds no text.
    fn fill(&mut self, object: &serde_json::Map<String, Value>) -> bool {
        *self = Self::default();
        let Some(message) = MESSAGE.iter().find_map(|key| bytes(object.get(*key)?)) else {
            let nested = NESTED.iter().find_map(|key| object.get(*key)?.as_object());
            let found = nested.is_some_and(|nested| self.fill(nested));
            if found && self.time == RawTime::None {
                self.time = time_of(object);
            }
            return found;
        };
        self.message = message;
        let spaces = self.message.len() - super::stamp::unspaced(&self.message).len();
        self.message.drain(..spaces);
        while self
            .message
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            self.message.pop();
        }
        let text_of = |key: &str| object.get(key).and_then(Value::as_str);
        let number_of = |key: &str| match object.get(key)? {
            Value::String(text) => text.parse::<u64>().ok(),
            other => other.as_u64(),
        };
        self.host = HOST
            .iter()
            .find_map(|key| text_of(key))
            // Elastic's collectors: `{"host":{"name":"node-1"}}`.
            .or_else(|| object.get("host")?.get("name")?.as_str())
            // Kubernetes' events: `"source": {"component": "kernel-monitor", "host": "node-1"}`.
            .or_else(|| object.get("source")?.get("host")?.as_str())
            .map(|host| host.as_bytes().to_vec());
        self.boot_id = text_of("_BOOT_ID").map(|id| id.as_bytes().to_vec());
        self.boot_us = number_of("_SOURCE_MONOTONIC_TIMESTAMP")
            .or_else(|| number_of("_SOURCE_BOOTTIME_TIMESTAMP"));
        // `dmesg --json`: seconds since boot.
        let since_boot = object.get("time").and_then(Value::as_f64);
        let of_dmesg = object.contains_key("pri") && since_boot.is_some();
        if of_dmesg {
            self.boot_us = since_boot.map(|seconds| (seconds * 1e6).round() as u64);
        }
        self.time = match number_of("__REALTIME_TIMESTAMP") {
            Some(microseconds) => {
                i64::try_from(microseconds).map_or(RawTime::None, RawTime::EpochUs)
            }
            None if of_dmesg => RawTime::None,
            None => time_of(object),
        };
        let facility = FACILITY.iter().find_map(|key| {
            number_of(key)
                .map(|number| number == 0)
                .or_else(|| of_kernel(text_of(key)?))
        });
        self.writer = match text_of("_TRANSPORT") {
            Some("kernel") => match facility {
                Some(true) => Writer::Kernel,
                Some(false) => Writer::Other,
                None => Writer::NamedKernel,
            },
            Some(_) => Writer::Other,
            // The kernel's buffer: a process cannot get facility 0 into it.
            None if of_dmesg && object.contains_key("fac") && facility == Some(true) => {
                Writer::Kernel
            }
            // Only the kernel logs with facility 0; whoever named the program may have been told anything.
            None if facility == Some(false) => Writer::Other,
            None => match PROGRAM.iter().find_map(|key| text_of(key)) {
                Some(name) if name.trim_end_matches(':') == "kernel" => Writer::NamedKernel,
                Some(_) => Writer::Other,
                None => Writer::Unsaid,
            },
        };
        true
    }

    /// The frame of the object's text, in `outer`'s framing.
    pub(crate) fn frame<'a>(&'a self, outer: Frame<'a>) -> Frame<'a> {
        Frame {
            text: &self.message,
            boot_us: self.boot_us.or(outer.boot_us),
            time: if self.time == RawTime::None {
                outer.time
            } else {
                self.time
            },
            host: self.host.as_deref().or(outer.host),
            boot_id: self.boot_id.as_deref().or(outer.boot_id),
            origin: match self.writer {
                Writer::Kernel => Origin::Kernel,
                Writer::NamedKernel => Origin::KernelTag,
                Writer::Unsaid => Origin::Unverified,
                Writer::Other => Origin::Other,
            },
            cap: match self.writer {
                Writer::Unsaid => Origin::Unverified,
                Writer::Kernel | Writer::NamedKernel | Writer::Other => outer.cap,
            },
            framed: true,
            cut: outer.cut,
            caller: None,
            continues: false,
        }
    }

    /// Whether the text may itself be framed: a journal's kernel text is not.
    pub(crate) fn peel_inner(&self) -> bool {
        matches!(self.writer, Writer::Unsaid | Writer::NamedKernel)
    }
}

/// A string, or journalctl's list of bytes for text that is not UTF-8.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Array(list) => list
            .iter()
            .map(|byte| u8::try_from(byte.as_u64()?).ok())
            .collect(),
        _ => None,
    }
}

/// Whether a facility's name is the kernel's; `None` for what is no facility.
fn of_kernel(name: &str) -> Option<bool> {
    match name {
        "kern" | "kernel" => Some(true),
        _ => (OTHERS_FACILITIES.contains(&name)
            || name
                .strip_prefix("local")
                .is_some_and(|number| number.len() == 1))
        .then_some(false),
    }
}

fn time_of(object: &serde_json::Map<String, Value>) -> RawTime {
    TIME.iter()
        .find_map(|key| time(object.get(*key)?))
        .unwrap_or_default()
}

fn time(value: &Value) -> Option<RawTime> {
    match value {
        Value::String(text) => super::stamp::iso(&mut Cursor(text.as_bytes()))
            .map(|(time, _)| time)
            .or_else(|| epoch(text.parse().ok()?)),
        other => epoch(other.as_f64()?),
    }
}
