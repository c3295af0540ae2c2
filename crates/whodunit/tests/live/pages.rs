//! What the agent answers over HTTP.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use openmetrics_parser::openmetrics::parse_openmetrics;
use openmetrics_parser::prometheus::parse_prometheus;
use openmetrics_parser::{
    HistogramValue, OpenMetricsValue, PrometheusType, PrometheusValue, RenderableMetricValue,
    Sample,
};
use serde_json::Value;

use crate::http::{ask, get};
use crate::stage::{Agent, Victim, wait_for};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// Sum of the samples whose labels are these.
fn sum<T: RenderableMetricValue + Clone>(
    samples: impl Iterator<Item = Sample<T>>,
    labels: &[(&str, &str)],
    number: impl Fn(&T) -> f64,
) -> f64 {
    let fits = |sample: &Sample<T>| {
        let own: HashMap<String, String> = sample
            .get_labelset()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        labels
            .iter()
            .all(|(name, value)| own.get(*name).is_some_and(|own| own == value))
    };
    samples
        .filter(fits)
        .map(|sample| number(&sample.value))
        .sum()
}

fn prometheus(text: &str, family: &str, labels: &[(&str, &str)]) -> f64 {
    let exposition = parse_prometheus(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let family = exposition
        .families
        .get(family)
        .unwrap_or_else(|| panic!("no {family} in\n{text}"));
    sum(
        family.iter_samples().cloned(),
        labels,
        |value| match value {
            PrometheusValue::Counter(counter) => counter.value.as_f64(),
            PrometheusValue::Gauge(gauge) => gauge.as_f64(),
            PrometheusValue::Histogram(histogram) => count(histogram),
            other => panic!("{other:?}"),
        },
    )
}

fn open_metrics(text: &str, family: &str, labels: &[(&str, &str)]) -> f64 {
    let exposition = parse_openmetrics(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let family = exposition
        .families
        .get(family)
        .unwrap_or_else(|| panic!("no {family} in\n{text}"));
    sum(
        family.iter_samples().cloned(),
        labels,
        |value| match value {
            OpenMetricsValue::Counter(counter) => counter.value.as_f64(),
            OpenMetricsValue::Gauge(gauge) => gauge.as_f64(),
            OpenMetricsValue::Histogram(histogram) => count(histogram),
            other => panic!("{other:?}"),
        },
    )
}

fn count(histogram: &HistogramValue) -> f64 {
    histogram.count.unwrap() as f64
}

#[test]
fn a_kill_is_counted_in_both_formats() {
    let Some(agent) = Agent::start(&["--exec", "true"]) else {
        return;
    };
    const OWN: &[(&str, &str)] = &[
        ("killer", "application-parent"),
        ("namespace", ""),
        ("pod", ""),
        ("container", ""),
    ];
    let pids: Vec<u32> = (0..3).map(|_| Victim::new().kill()).collect();
    for pid in &pids {
        wait_for("its incident", || agent.incident_of(*pid));
    }
    let plain = agent.get("/metrics", None);
    assert_eq!(plain.status, 200);
    assert_eq!(
        plain.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let open = agent.get("/metrics", Some(OPEN_METRICS));
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.body.ends_with("# EOF\n") && !plain.body.contains("# EOF"));
    // Others may be killed on this machine meanwhile.
    assert!(prometheus(&plain.body, "whodunit_kills_total", OWN) >= 3.0);
    assert!(open_metrics(&open.body, "whodunit_kills", OWN) >= 3.0);
    let killer = &OWN[..1];
    assert!(prometheus(&plain.body, "whodunit_incidents_total", killer) >= 3.0);
    assert!(open_metrics(&open.body, "whodunit_incidents", killer) >= 3.0);
    assert!(prometheus(&plain.body, "whodunit_verdict_lag_seconds", &[]) >= 3.0);
    assert!(open_metrics(&open.body, "whodunit_verdict_lag_seconds", &[]) >= 3.0);
    for source in [
        "signals",
        "exits",
        "oom-marks",
        "kernel-log",
        "cgroups",
        "runtimes",
    ] {
        let source = &[("source", source)];
        assert_eq!(prometheus(&plain.body, "whodunit_source_up", source), 1.0);
    }
    assert_eq!(prometheus(&plain.body, "whodunit_store_up", &[]), 1.0);
    assert!(prometheus(&plain.body, "whodunit_store_size_bytes", &[]) > 4096.0);
    let version = &[("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(
        open_metrics(&open.body, "whodunit_build_info", version),
        1.0
    );
    let resident = prometheus(&plain.body, "process_resident_memory_bytes", &[]);
    let truth = Command::new("ps")
        .args(["-o", "rss=", "-p", &agent.pid().to_string()])
        .output()
        .unwrap();
    let truth: f64 = std::str::from_utf8(&truth.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(
        (resident / 1024.0 / truth - 1.0).abs() < 0.5,
        "{resident} {truth}"
    );
    let delivered = &[("hook", "exec-1"), ("outcome", "delivered")];
    wait_for("the hook's count", || {
        let page = agent.get("/metrics", None).body;
        (prometheus(&page, "whodunit_hook_incidents_total", delivered) >= 3.0).then_some(())
    });
}

#[test]
fn every_counter_is_called_total_and_every_family_says_what_it_is() {
    let Some(agent) = Agent::start(&["--exec", "true"]) else {
        return;
    };
    let victim = Victim::new().kill();
    wait_for("its incident", || agent.incident_of(victim));
    let text = agent.get("/metrics", None).body;
    let exposition = parse_prometheus(&text).unwrap();
    assert!(exposition.families.len() > 20, "{text}");
    for family in exposition.families.values() {
        let name = &family.family_name;
        let counter = family.family_type == PrometheusType::Counter;
        assert_eq!(counter, name.ends_with("_total"), "{name}");
        assert!(!family.help.is_empty(), "{name}");
        assert!(family.family_type != PrometheusType::Unknown, "{name}");
        assert!(
            name.starts_with("whodunit_") || name.starts_with("process_"),
            "{name}"
        );
    }
}

#[test]
fn health_is_told() {
    let Some(agent) = Agent::start(&[]) else {
        return;
    };
    let alive = agent.get("/healthz", None);
    assert_eq!(
        (alive.status, alive.header("content-type")),
        (200, Some("application/json"))
    );
    let page: Value = serde_json::from_str(&alive.body).unwrap();
    assert_eq!(page["alive"], true);
    let ready = agent.get("/readyz", None);
    let page: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!((ready.status, &page["ready"]), (200, &Value::Bool(true)));
    assert_eq!(page["sources"]["signals"]["state"], "stands");
    assert_eq!(page["store"]["state"], "stands");
    assert_eq!(agent.get("/nothing", None).status, 404);
    let posted = ask(
        agent.address(),
        "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let head = ask(agent.address(), "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn a_main_loop_that_stands_still_is_not_alive() {
    // Its log goes into a small pipe that nobody reads any more: once that is full the main loop waits there, and the
    // pages go on to answer.
    let Some(agent) = Agent::start(&[]) else {
        return;
    };
    drop(agent);
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["agent", "--listen", "127.0.0.1:0", "--store"])
        .arg(folder.path().join("incidents.db"))
        .stderr(writer)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(reader);
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
        if let Some(at) = line.find("http://") {
            break line[at + 7..].split('/').next().unwrap().to_owned();
        }
    };
    wait_for("its sources", || {
        (get(&address, "/readyz", None).status == 200).then_some(())
    });
    assert_eq!(get(&address, "/healthz", None).status, 200);
    for _ in 0..40 {
        Victim::new().kill();
    }
    let dead = wait_for("the answer that it is not alive", || {
        std::thread::sleep(Duration::from_millis(500));
        Some(get(&address, "/healthz", None)).filter(|answer| answer.status == 503)
    });
    let page: Value = serde_json::from_str(&dead.body).unwrap();
    assert_eq!(page["alive"], false);
    assert!(
        page["last_turn_seconds_ago"].as_f64().unwrap() >= 30.0,
        "{page}"
    );
    assert_eq!(get(&address, "/readyz", None).status, 503);
    // It can write again, and lives again.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    wait_for("life", || {
        (get(&address, "/healthz", None).status == 200).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn clients_that_say_nothing_are_sent_away() {
    let Some(agent) = Agent::start(&[]) else {
        return;
    };
    let silent: Vec<TcpStream> = (0..64)
        .map(|_| TcpStream::connect(agent.address()).unwrap())
        .collect();
    // 64 of them, 16 at a time, five seconds each; then it is this one's turn.
    let began = Instant::now();
    assert_eq!(agent.get("/healthz", None).status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(29),
        "{:?}",
        began.elapsed()
    );
    assert!(
        began.elapsed() > Duration::from_secs(3),
        "connections are not bounded"
    );
    drop(silent);
    let victim = Victim::new().kill();
    wait_for("its incident", || agent.incident_of(victim));
}
