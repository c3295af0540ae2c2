//! Forms that something else put around a log: containers, shippers, viewers, pages.

use super::*;

fn journal_json() -> &'static Form {
    let form = WRITTEN.iter().find(|form| form.name == "journal json");
    form.unwrap()
}

pub(super) const SHIPPED: &[Form] = &[
    Form {
        name: "CRI",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00.000000000Z stdout F [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "CRI kmsg",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, at, text| {
            bytes(format!(
                "2026-11-24T05:00:00.000000000Z stderr F 4,{at},{us},-;{text}"
            ))
        },
    },
    Form {
        name: "docker json-file",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "{{\"log\":{},\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:00.000000000Z\"}}",
                json(&format!("[{}] {text}\n", seconds(us)))
            ))
        },
    },
    Form {
        name: "logcli",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00Z {{job=\"systemd-journal\", unit=\"a \\\"}} b\"}} [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "journal json-seq",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, at, text| [&b"\x1e"[..], &(journal_json().line)(us, at, text)].concat(),
    },
    Form {
        name: "journal json-pretty",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, at, text| {
            let line = (journal_json().line)(us, at, text);
            let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
            bytes(serde_json::to_string_pretty(&object).unwrap())
        },
    },
    Form {
        name: "json message",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| {
            bytes(format!(
                "{{\"@timestamp\":\"2026-11-24T05:00:00Z\",\"host\":\"node-1\",\"ident\":\"kernel\",\"message\":{}}}",
                json(text)
            ))
        },
    },
    Form {
        name: "json msg",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "{{\"ts\":1795496400.0,\"msg\":{}}}",
                json(&format!("[{}] {text}", seconds(us)))
            ))
        },
    },
    Form {
        name: "CRI around docker json",
        provenance: Unverified,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00Z stdout F {{\"log\":{}}}",
                json(&format!("[{}] {text}", seconds(us)))
            ))
        },
    },
    Form {
        name: "grep -r",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "/var/log/kern.log:Nov 24 05:00:00 node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "grep -n",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, at, text| bytes(format!("dmesg.txt:{}:[{}] {text}", at + 1, seconds(us))),
    },
    Form {
        name: "compose",
        provenance: Unverified,
        boot: false,
        wall: None,
        node: None,
        line: |_, _, text| bytes(format!("watcher_1  | {text}")),
    },
    Form {
        name: "stern",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("klog-x7f2p tail [{}] {text}", seconds(us))),
    },
    Form {
        name: "kubectl logs --prefix",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[pod/klog-x7f2p/tail] [{}] {text}", seconds(us))),
    },
    Form {
        name: "shipper host and file",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "worker-7 kern.log Nov 24 05:00:00 node-1 kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "with-unit",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: Some("node-1"),
        line: |_, _, text| {
            bytes(format!(
                "Tue 2026-11-24 05:00:00.000000 UTC node-1 kernel: {text}"
            ))
        },
    },
    Form {
        name: "rfc5424 octets counted",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            let message = format!(
                "<4>1 2026-11-24T05:00:00Z node-1 kernel - - - [{}] {text}",
                seconds(us)
            );
            bytes(format!("{} {message}", message.len()))
        },
    },
    Form {
        name: "talosctl dmesg",
        provenance: Kernel,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| {
            bytes(format!(
                "kern: warning: [2026-11-24T05:00:00.000000000Z]: {text}"
            ))
        },
    },
    Form {
        name: "talosctl dmesg with node",
        provenance: KernelTag,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, _, text| {
            bytes(format!(
                "10.200.70.91: kern:    info: [2026-11-24T05:00:00Z]: {text}"
            ))
        },
    },
    Form {
        name: "dmesg -H",
        provenance: Unverified,
        boot: false,
        wall: WALL,
        node: None,
        line: |_, at, text| match at {
            0 => bytes(format!("[Nov24 05:00] {text}")),
            _ => bytes(format!("[  +0.000012] {text}")),
        },
    },
    Form {
        name: "logread",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "Tue Nov 24 05:00:00 2026 kern.warn kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "BusyBox syslog",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "Nov 24 05:00:00 node-1 kern.warn kernel: [{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "guest console in a hypervisor's log",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "2026-11-24T05:00:00.000Z In(05) vcpu-5 - Guest: <6>[{}] {text}",
                seconds(us)
            ))
        },
    },
    Form {
        name: "json payload",
        provenance: Kernel,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, _, text| {
            bytes(format!(
                "{{\"timestamp\":\"2026-11-24T05:00:00Z\",\"jsonPayload\":{{\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\",\"_HOSTNAME\":\"node-1\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"{us}\",\"MESSAGE\":{}}}}}",
                json(&unescaped(text))
            ))
        },
    },
    Form {
        name: "dmesg --color",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| {
            bytes(format!(
                "\u{1b}[32m[{}] \u{1b}[0m\u{1b}[33m{text}\u{1b}[0m",
                seconds(us)
            ))
        },
    },
    Form {
        name: "quoted",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("> [{}] {text}", seconds(us))),
    },
    Form {
        name: "quoted bare",
        provenance: Unverified,
        boot: false,
        wall: None,
        node: None,
        line: |_, _, text| bytes(format!("> {text}")),
    },
    Form {
        name: "indented",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("    [{}] {text}", seconds(us))),
    },
    Form {
        name: "indented bare",
        provenance: Unverified,
        boot: false,
        wall: None,
        node: None,
        line: |_, _, text| bytes(format!("    {text}")),
    },
    Form {
        name: "fenced",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, at, text| {
            let fence = if at == 0 { "```console\n" } else { "" };
            bytes(format!("{fence}[{}] {text}", seconds(us)))
        },
    },
    Form {
        name: "cat -n",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, at, text| bytes(format!("{:6}\t[{}] {text}", at + 1, seconds(us))),
    },
    Form {
        name: "less -N",
        provenance: KernelTag,
        boot: true,
        wall: WALL,
        node: Some("node-1"),
        line: |us, at, text| {
            bytes(format!(
                "{:7} Nov 24 05:00:00 node-1 kernel: [{}] {text}",
                at + 1,
                seconds(us)
            ))
        },
    },
    Form {
        name: "grep -n bare",
        provenance: Unverified,
        boot: false,
        wall: None,
        node: None,
        line: |_, at, text| bytes(format!("{}:{text}", at + 7)),
    },
    Form {
        name: "cat -n bare",
        provenance: Unverified,
        boot: false,
        wall: None,
        node: None,
        line: |_, at, text| bytes(format!("{:6}\t{text}", at + 95)),
    },
    Form {
        name: "HTML",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| {
            let escaped = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            bytes(format!("[{}] {escaped}", seconds(us)))
        },
    },
    Form {
        name: "HTML dmesg -r",
        provenance: Kernel,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| {
            let escaped = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            bytes(format!("&lt;4&gt;[{}] {escaped}", seconds(us)))
        },
    },
    Form {
        name: "hard spaces",
        provenance: Unverified,
        boot: true,
        wall: None,
        node: None,
        line: |us, _, text| bytes(format!("[{}]\u{a0}{text}", seconds(us))),
    },
];
