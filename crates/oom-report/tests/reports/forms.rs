//! The same report in every form of a log line.

use oom_report::report::Provenance;

use crate::line_forms::{FORMS, wrap};
use crate::{CONTAINER_LIMIT, facts, records, scan, scan_one};

#[test]
fn every_form_gives_the_same_facts() {
    let records = records(CONTAINER_LIMIT);
    let plain = scan_one(CONTAINER_LIMIT.as_bytes());
    for form in FORMS.iter() {
        let log = wrap(form, &records);
        let reports = scan(&log);
        assert_eq!(
            reports.len(),
            1,
            "{}:\n{}",
            form.name,
            String::from_utf8_lossy(&log[..600])
        );
        let report = &reports[0];
        assert_eq!(facts(report), facts(&plain), "{}", form.name);
        assert_eq!(report.provenance, form.provenance, "{}", form.name);
        assert_eq!(
            report.time.boot_us,
            form.boot.then_some(records[0].0),
            "{}",
            form.name
        );
        let wall = report.time.wall.map(|wall| wall.timestamp.to_string());
        assert_eq!(wall.as_deref(), form.wall, "{}", form.name);
        assert_eq!(report.node.as_deref(), form.node, "{}", form.name);
    }
}

#[test]
fn an_object_behind_a_prefix_is_read_as_an_object() {
    let report = scan_one(
        br#"worker-7 {"log":"[   20.039832] a\\x1bb invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"}"#,
    );
    assert_eq!(report.trigger.unwrap().comm, "a\u{1b}b");
}

#[test]
fn forms_mixed_in_one_file_are_told_apart() {
    let records = records(CONTAINER_LIMIT);
    let mut log = Vec::new();
    // Objects over several lines are known by how a log begins.
    let forms: Vec<_> = FORMS
        .iter()
        .filter(|form| form.name != "journal json-pretty")
        .collect();
    for (at, form) in forms.iter().enumerate() {
        let pid = format!("{}", 20_000 + at);
        let own: Vec<_> = records
            .iter()
            .map(|(us, text)| (*us + at as u64 * 100_000_000, text.replace("11595", &pid)))
            .collect();
        log.extend(wrap(form, &own));
        log.extend(b"Nov 24 05:00:01 node-1 kubelet[812]: nothing of interest\n");
    }
    let reports = scan(&log);
    let pids: Vec<u32> = reports
        .iter()
        .flat_map(|report| report.victims.iter().map(|victim| victim.pid))
        .collect();
    let expected: Vec<u32> = (0..forms.len() as u32).map(|at| 20_000 + at).collect();
    assert_eq!(pids, expected);
    for (report, form) in reports.iter().zip(&forms) {
        assert_eq!(report.provenance, form.provenance, "{}", form.name);
        assert_eq!(report.missing, [], "{}", form.name);
    }
}

/// `gcloud logging read --format=json --order=asc`
#[test]
fn a_list_of_objects_over_several_lines_is_read() {
    let entries: Vec<_> = records(CONTAINER_LIMIT)
        .iter()
        .map(|(_, text)| {
            serde_json::json!({
                "insertId": "1",
                "jsonPayload": {"MESSAGE": text, "SYSLOG_IDENTIFIER": "kernel", "_TRANSPORT": "kernel"},
                "timestamp": "2026-11-24T05:00:00.000000Z",
            })
        })
        .collect();
    let log = serde_json::to_string_pretty(&entries).unwrap();
    let report = scan_one(log.as_bytes());
    assert_eq!(facts(&report), facts(&scan_one(CONTAINER_LIMIT.as_bytes())));
    // A citation names the line that its object begins on.
    let first = report.text.first_line().unwrap();
    assert_eq!(log.lines().nth(first as usize - 1), Some("  {"));
}

/// `dmesg --json`, as util-linux 2.38 prints it; with `--decode` it says who wrote a line.
#[test]
fn a_list_of_dmesg_in_an_object_is_read() {
    let dmesg = |head: &str| {
        let entry = |(us, text): &(u64, String)| {
            format!(
                "{{\n{head}         \"time\": {:5}.{:06},\n         \"msg\": {}\n      }}",
                us / 1_000_000,
                us % 1_000_000,
                serde_json::Value::from(text.as_str())
            )
        };
        let entries: Vec<_> = records(CONTAINER_LIMIT).iter().map(entry).collect();
        format!(
            "{{\n   \"dmesg\": [\n      {}\n   ]\n}}\n",
            entries.join(",")
        )
    };
    let whole = scan_one(CONTAINER_LIMIT.as_bytes());
    for (head, provenance) in [
        ("         \"pri\": 6,\n", Provenance::Unverified),
        (
            "         \"fac\": \"kern\",\n         \"pri\": \"info\",\n",
            Provenance::Kernel,
        ),
    ] {
        let log = dmesg(head);
        let report = scan_one(log.as_bytes());
        assert_eq!(facts(&report), facts(&whole));
        assert_eq!(report.provenance, provenance);
        assert_eq!(report.time.boot_us, whole.time.boot_us);
        assert!(report.time.wall.is_none());
        let first = report.text.first_line().unwrap() as usize;
        assert!(
            log.lines().nth(first - 1).unwrap().ends_with('{'),
            "{first}"
        );
    }
    let forged = dmesg("         \"fac\": \"user\",\n         \"pri\": \"warn\",\n");
    assert_eq!(scan(forged.as_bytes()), []);
}

/// Entries inside the one object that an API answers with.
#[test]
fn lists_of_entries_that_interfaces_answer_with_are_read() {
    let records = records(CONTAINER_LIMIT);
    let line = |us: &u64, text: &str| {
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        format!("Nov 24 05:00:00 ip-10-0-0-1 kernel: [{s:5}.{us:06}] {text}")
    };
    // `aws logs filter-log-events`
    let events: Vec<_> = records
        .iter()
        .map(|(us, text)| {
            serde_json::json!({
                "logStreamName": "i-0abc", "timestamp": 1795496400123_u64, "message": line(us, text),
                "ingestionTime": 1795496405000_u64, "eventId": "3785",
            })
        })
        .collect();
    let of_aws =
        serde_json::json!({"events": events, "searchedLogStreams": [{"logStreamName": "i-0abc"}]});
    // Elasticsearch
    let hits: Vec<_> = records
        .iter()
        .map(|(us, text)| {
            serde_json::json!({
                "_index": "syslog", "_id": "1",
                "_source": {"message": line(us, text), "@timestamp": "2026-11-24T05:00:00.000Z", "tags": [{"a": 1}]},
            })
        })
        .collect();
    let of_elastic = serde_json::json!({"_shards": {"failures": []}, "hits": {"hits": hits, "max_score": null}, "took": 5});
    for document in [of_aws, of_elastic] {
        let log = serde_json::to_string_pretty(&document).unwrap();
        let report = scan_one(log.as_bytes());
        assert_eq!(facts(&report), facts(&scan_one(CONTAINER_LIMIT.as_bytes())));
        assert_eq!(report.node.as_deref(), Some("ip-10-0-0-1"));
        let wall = report.time.wall.unwrap();
        assert!(
            wall.timestamp
                .to_string()
                .starts_with("2026-11-24T05:00:00"),
            "{}",
            wall.timestamp
        );
    }
    // `kubectl get events -o json`
    let events: Vec<_> = [101, 102]
        .map(|pid| {
            serde_json::json!({
                "apiVersion": "v1", "kind": "Event", "reason": "OOMKilling", "lastTimestamp": "2026-11-24T05:00:00Z",
                "metadata": {"name": "n.1", "managedFields": [{"manager": "npd"}]},
                "message": format!("Memory cgroup out of memory: Kill process {pid} (java) score 1000 or sacrifice child"),
                "source": {"component": "kernel-monitor", "host": "node-1"},
            })
        })
        .into();
    let document = serde_json::json!({"apiVersion": "v1", "items": events, "kind": "List", "metadata": {"resourceVersion": ""}});
    let reports = scan(serde_json::to_string_pretty(&document).unwrap().as_bytes());
    let pids: Vec<_> = reports.iter().map(|report| report.victims[0].pid).collect();
    assert_eq!(pids, [101, 102]);
    assert_eq!(reports[0].node.as_deref(), Some("node-1"));
    assert!(reports[0].time.wall.is_some());
}

#[test]
fn years_and_zones_that_are_assumed_are_said_to_be() {
    let report = scan_one(b"Mar  9 13:17:05 ip-172 kernel: [30320.358563] Memory cgroup out of memory: Kill process 11190 (app) score 9 or sacrifice child\n");
    let wall = report.time.wall.unwrap();
    assert_eq!(wall.timestamp.to_string(), "2026-03-09T13:17:05Z");
    assert!(wall.year_assumed && wall.zone_assumed);
    assert_eq!(report.time.boot_us, Some(30_320_358_563));
    // A date later than the log's last change is last year's.
    let report = scan_one(
        b"Dec 31 23:59:59 n kernel: Out of memory: Kill process 1 (a) score 9 or sacrifice child\n",
    );
    assert_eq!(
        report.time.wall.unwrap().timestamp.to_string(),
        "2025-12-31T23:59:59Z"
    );
}

/// scripts/decode_stacktrace.sh puts the place in the source where the offset stood, and drops the indentation.
#[test]
fn a_call_trace_with_places_in_the_source_is_the_same() {
    let whole = scan_one(CONTAINER_LIMIT.as_bytes());
    let decoded: String = records(CONTAINER_LIMIT)
        .iter()
        .map(|(_, text)| match text.split_once("+0x") {
            Some((function, _)) if !text.contains("RIP:") => format!(
                "{} (include/linux/mm.h:9 mm/oom_kill.c:77 (discriminator 3))\n",
                function.trim_start()
            ),
            _ => format!("{text}\n"),
        })
        .collect();
    let report = scan_one(decoded.as_bytes());
    assert!(decoded.contains("mm/oom_kill.c:77"));
    assert_eq!(
        report.trigger.unwrap().stack,
        whole.trigger.as_ref().unwrap().stack
    );
    assert_eq!(report.missing, whole.missing);
}
