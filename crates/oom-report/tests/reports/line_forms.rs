//! Every form of a log line, as a function from a kernel record to bytes.

#[path = "line_forms/rarer.rs"]
mod rarer;
#[path = "line_forms/shipped.rs"]
mod shipped;

use std::sync::LazyLock;

use oom_report::report::Provenance;

/// A form and what it shows.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) provenance: Provenance,
    /// The form carries the seconds since boot.
    pub(crate) boot: bool,
    /// What the first record's wall clock must come out as; records are taken as written at
    /// 2026-11-24 05:00:00 UTC plus their number in microseconds.
    pub(crate) wall: Option<&'static str>,
    pub(crate) node: Option<&'static str>,
    pub(crate) line: fn(u64, usize, &str) -> Vec<u8>,
}

fn seconds(boot_us: u64) -> String {
    format!("{:5}.{:06}", boot_us / 1_000_000, boot_us % 1_000_000)
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The journal holds the text as it was before /dev/kmsg escaped it.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        plain.push_str(&part[2..]);
    }
    plain
}

/// An export entry with its text as a binary field.
fn binary_entry(us: u64, at: usize, text: &str) -> Vec<u8> {
    let text = unescaped(text);
    let mut entry =
        format!("__CURSOR=s=1;i={at}\n__REALTIME_TIMESTAMP=1795496400000000\nMESSAGE\n")
            .into_bytes();
    entry.extend((text.len() as u64).to_le_bytes());
    entry.extend(text.as_bytes());
    entry.extend(format!("\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n_HOSTNAME=node-1\n_SOURCE_MONOTONIC_TIMESTAMP={us}\n\n").bytes());
    entry
}

fn bytes(text: String) -> Vec<u8> {
    (text + "\n").into_bytes()
}

use Provenance::{Kernel, KernelTag, Unverified};

const WALL: Option<&str> = Some("2026-11-24T05:00:00Z");

const WRITTEN: &[Form] = &[
    Form {
        name: "bare",
        provenance: Unverified,
        boot: false,
        wall: None,
        node: None,
        line: |_, _, text| bytes(text.into()),
    },
    Form {
        name: "crlf",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[{}] {text}\r", seconds(us))),
    },
    Form {
        name: "dmesg",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[{}] {text}", seconds(us))),
    },
    Form {
        name: "dmesg caller",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[{}] [  T812] {text}", seconds(us))),
    },
    Form {
        name: "console caller",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[{}][    C1] {text}", seconds(us))),
    },
    Form {
        name: "dmesg -r",
        provenance: Kernel,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("<4>[{}] {text}", seconds(us))),
    },
    Form {
        name: "dmesg -x",
        provenance: Kernel,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("kern  :warn  : [{}] {text}", seconds(us))),
    },
    Form {
        name: "dmesg -T",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("[Tue Nov 24 05:00:00 2026] {text}")),
    },
    Form {
        name: "dmesg -T German",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("[Di Nov 24 05:00:00 2026] {text}")),
    },
    Form {
        name: "dmesg -T French",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("[mar. nov. 24 05:00:00 2026] {text}")),
    },
    Form {
        name: "dmesg -T Japanese",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("[火 11月 24 05:00:00 2026] {text}")),
    },
    Form {
        name: "dmesg iso",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("2026-11-24T05:00:00,000000+00:00 {text}")),
    },
    Form {
        name: "dmesg iso zone",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("2026-11-24T06:30:00,000000+0130 {text}")),
    },
    Form {
        name: "kmsg",
        provenance: Kernel,
        boot: true,
        wall: None,
        node: None,
        line: |us, at, text| {
            bytes(format!(
                "4,{},{us},-;{text}\n SUBSYSTEM=cpu\n DEVICE=+cpu:0",
                1000 + at
            ))
        },
    },
    Form {
        name: "kmsg caller",
        provenance: Kernel,
        boot: true,
        wall: None,
        node: None,
        line: |us, at, text| bytes(format!("4,{},{us},-,caller=T812;{text}", 1000 + at)),
    },
    Form {
        name: "syslog",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("ip-172-30-36-152"),
        line: |us, _, text| {
            bytes(format!(
                "Nov 24 05:00:00 ip-172-30-36-152 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "syslog without stamp",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| bytes(format!("Nov 24 05:00:00 node-1 kernel: {text}")),
    },
    Form {
        name: "syslog priority",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "<4>Nov 24 05:00:00 node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "syslog iso",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00.000000+00:00 node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "rfc5424",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "<4>1 2026-11-24T05:00:00Z node-1 kernel - - [meta seq=\"1\\\"]\"] [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "rfc5424 plain",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| {
            bytes(format!(
                "<4>1 2026-11-24T05:00:00Z node-1 kernel - - - {text}"
            ))
        },
    },
    Form {
        name: "short",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1.example.com"),
        line: |_, _, text| bytes(format!("Nov 24 05:00:00 node-1.example.com kernel: {text}")),
    },
    Form {
        name: "short-precise",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| bytes(format!("Nov 24 05:00:00.000000 node-1 kernel: {text}")),
    },
    Form {
        name: "short-iso",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| bytes(format!("2026-11-24T05:00:00+0000 node-1 kernel: {text}")),
    },
    Form {
        name: "short-full",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| bytes(format!("Tue 2026-11-24 05:00:00 UTC node-1 kernel: {text}")),
    },
    Form {
        name: "short-unix",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| bytes(format!("1795496400.000000 node-1 kernel: {text}")),
    },
    Form {
        name: "short-monotonic",
        provenance: KernelTag,
        boot: true,
        wall: None,
        node: Some("node-1"),
        line: |us, _, text| bytes(format!("[{}] node-1 kernel: {text}", seconds(us))),
    },
    Form {
        name: "journal json",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "{{\"__REALTIME_TIMESTAMP\":\"1795496400000000\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\",\"_HOSTNAME\":\"node-1\",\"_BOOT_ID\":\"b0071d\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"{us}\",\"MESSAGE\":{}}}",
                json(&unescaped(text))
            ))
        },
    },
    Form {
        name: "journal export",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, at, text| {
            // journalctl writes a value with control characters as a binary one.
            if text.contains("\\x") {
                return binary_entry(us, at, text);
            }
            bytes(format!(
                "__CURSOR=s=1;i={at}\n__REALTIME_TIMESTAMP=1795496400000000\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n_HOSTNAME=node-1\n_SOURCE_MONOTONIC_TIMESTAMP={us}\nMESSAGE={text}\n"
            ))
        },
    },
    Form {
        name: "journal verbose",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, at, text| {
            // As `journalctl --all` prints it; without, a text with control characters is `[NB blob data]`.
            let text = unescaped(text).replace('\n', "\n            ");
            bytes(format!(
                "Tue 2026-11-24 06:00:00.000000 CET [s=0f;i={at:x};b=b0071d;m={us:x};t=660fe951e1400;x=9c]\n    _HOSTNAME=node-1\n    _TRANSPORT=kernel\n    SYSLOG_FACILITY=0\n    MESSAGE={text}\n    _SOURCE_MONOTONIC_TIMESTAMP={us}"
            ))
        },
    },
    Form {
        name: "journal export binary",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: binary_entry,
    },
];

/// Every form.
pub(crate) static FORMS: LazyLock<Vec<&'static Form>> = LazyLock::new(|| {
    let shipped = shipped::SHIPPED.iter().chain(rarer::RARER);
    WRITTEN.iter().chain(shipped).collect()
});

/// A report in a form.
pub(crate) fn wrap(form: &Form, records: &[(u64, String)]) -> Vec<u8> {
    records
        .iter()
        .enumerate()
        .flat_map(|(at, (us, text))| (form.line)(*us, at, text))
        .collect()
}
