//! Forms that are seen less often: switches of dmesg and journalctl, other syslog daemons, exports and pages.

use super::*;

pub(super) const RARER: &[Form] = &[
    Form {
        name: "dmesg -d",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[{} <    0.000214>] {text}", seconds(us))),
    },
    Form {
        name: "journalctl short-delta",
        provenance: KernelTag,
        boot: true,
        wall: None,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "[{} <    0.000214 >] node-1 kernel: {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "dmesg -T -d",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("[Tue Nov 24 05:00:00 2026 <    0.000686>] {text}")),
    },
    Form {
        name: "crash log -T",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("[Tue Nov 24 05:00:00 UTC 2026] {text}")),
    },
    Form {
        name: "journalctl short-full, a zone without a name",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "Tue 2026-11-24 08:00:00 +03 node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "syslog, Chinese",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| bytes(format!("11\u{6708} 24 05:00:00 node-1 kernel: {text}")),
    },
    Form {
        name: "syslog, two spaces before the stamp",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "Nov 24 05:00:00 node-1 kernel:  [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "syslog by a relay",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("10.0.0.7/node-1"),
        line: |us, _, text| {
            bytes(format!(
                "Nov 24 05:00:00 10.0.0.7/node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "syslog, an IPv6 address in brackets",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("2001:db8::1"),
        line: |us, _, text| {
            bytes(format!(
                "Nov 24 05:00:00 [2001:db8::1] kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "socklog",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00.00000 kern.warn: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "a stamp alone",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| bytes(format!("2026-11-24T05:00:00.000000Z {text}")),
    },
    Form {
        name: "syslog behind a collector's stamp",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00.000Z Nov 24 05:00:00 node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "json, a collector's own names",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "{{\"TimeGenerated\":\"2026-11-24T05:00:00Z\",\"Computer\":\"node-1\",\"SyslogMessage\":{}}}",
                json(&format!(" [{}] {text}", seconds(us)))
            ))
        },
    },
    Form {
        name: "json, the host an object",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "{{\"@timestamp\":\"2026-11-24T05:00:00Z\",\"host\":{{\"name\":\"node-1\"}},\"message\":{}}}",
                json(&format!("[{}] {text}", seconds(us)))
            ))
        },
    },
];
