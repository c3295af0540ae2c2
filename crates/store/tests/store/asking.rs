//! Filters, ids by their beginning, counts.

use jiff::tz::TimeZone;
use whodunit_case::incident::{Killer, VictimInfo};
use whodunit_store::{BucketSize, Filter, Order, Store, StoreError};

use crate::sample::*;

const UID: &str = "8d1b8f6c-2b1c-4a6e-9a53-0a2a0c5ee9a1";

fn filled(path: &std::path::Path) -> Store {
    let mut store = open(path);
    let shop = || pod("shop", "Checkout-7f9", UID);
    let mut group = kill("c3", "2026-03-10T00:30:00Z", "worker", None, None);
    group.incident.victims.push(VictimInfo {
        pid: 7,
        comm: "a-name-of-15-by".into(),
        pod: pod("batch", "night", "11111111-2b1c-4a6e-9a53-0a2a0c5ee9a1"),
        container: container("sidecar", "ffee00"),
        ..VictimInfo::default()
    });
    let mut timeless = kill("d4", "2026-03-10T00:30:00Z", "late", None, None);
    timeless.incident.time = None;
    timeless.incident.node = Some("other".into());
    let records = [
        kill(
            "a1",
            "2026-03-09T10:00:00Z",
            "java",
            shop(),
            container("web", "abcd01"),
        ),
        kill(
            "a2",
            "2026-03-09T10:59:59.999999Z",
            "java",
            shop(),
            container("web", "abcd02"),
        ),
        by(
            kill(
                "b1",
                "2026-03-09T23:30:00Z",
                "nginx",
                pod("shop", "front", "x"),
                container("nginx", "9999"),
            ),
            Killer::Person,
        ),
        group,
        timeless,
    ];
    store
        .insert_all(&records, &[], time("2026-03-12T00:00:00Z"))
        .unwrap();
    store
}

#[test]
fn filters_keep_what_is_asked_for() {
    let (_directory, path) = place();
    let store = filled(&path);
    let text = |text: &str| Some(text.to_owned());
    let all = Filter {
        order: Order::OldestFirst,
        ..Filter::default()
    };
    type Set = fn(&mut Filter, Option<String>);
    let pod: Set = |filter, text| filter.pod = text;
    let namespace: Set = |filter, text| filter.namespace = text;
    let container: Set = |filter, text| filter.container = text;
    let comm: Set = |filter, text| filter.comm = text;
    let node: Set = |filter, text| filter.node = text;
    let cases: &[(Set, &str, &[&str])] = &[
        (pod, "checkout", &["a1", "a2"]),
        (pod, "CHECKOUT-7F", &["a1", "a2"]),
        (pod, "8d1b8f6c_2b1c", &["a1", "a2"]),
        (pod, "night", &["c3"]),
        (pod, "nobody", &[]),
        (pod, "%", &[]),
        (namespace, "shop", &["a1", "a2", "b1"]),
        (namespace, "sho", &[]),
        (container, "abcd", &["a1", "a2"]),
        (container, "ABCD02", &["a2"]),
        (container, "bcd", &[]),
        (container, "web", &["a1", "a2"]),
        (container, "sidecar", &["c3"]),
        (comm, "java", &["a1", "a2"]),
        (comm, "jav", &[]),
        (comm, "a-name-of-15-bytes", &["c3"]),
        (comm, "a-name-of-15-by", &["c3"]),
        (comm, "a-name-of-15-bé", &[]),
        (node, "other", &["d4"]),
        (node, "ip-172", &["a1", "a2", "b1", "c3"]),
    ];
    for (set, asked, expected) in cases {
        let mut filter = all.clone();
        set(&mut filter, text(asked));
        let found = store.incidents(&filter).unwrap();
        let ids: Vec<&str> = found.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, *expected, "{filter:?}");
    }
}

#[test]
fn times_killers_order_and_limit() {
    let (_directory, path) = place();
    let store = filled(&path);
    let ids = |filter: &Filter| {
        let found = store.incidents(filter).unwrap();
        found.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    let all = Filter::default();
    // The one without a wall clock counts as of when it was stored.
    assert_eq!(ids(&all), ["d4", "c3", "b1", "a2", "a1"]);
    let filter = Filter {
        limit: Some(2),
        ..all.clone()
    };
    assert_eq!(ids(&filter), ["d4", "c3"]);
    let filter = Filter {
        limit: Some(2),
        order: Order::OldestFirst,
        ..all.clone()
    };
    assert_eq!(ids(&filter), ["a1", "a2"]);
    let since = |text| Some(time(text));
    let filter = Filter {
        since: since("2026-03-09T10:59:59.999999Z"),
        ..all.clone()
    };
    assert_eq!(ids(&filter), ["d4", "c3", "b1", "a2"]);
    let filter = Filter {
        since: since("2026-03-09T10:59:59.999999001Z"),
        ..all.clone()
    };
    assert_eq!(ids(&filter), ["d4", "c3", "b1"]);
    let filter = Filter {
        until: since("2026-03-09T10:59:59.999999Z"),
        ..all.clone()
    };
    assert_eq!(ids(&filter), ["a1"]);
    let filter = Filter {
        until: since("2026-03-09T10:59:59.999999001Z"),
        ..all.clone()
    };
    assert_eq!(ids(&filter), ["a2", "a1"]);
    let filter = Filter {
        killers: vec![Killer::Person, Killer::NodeLost],
        ..all
    };
    assert_eq!(ids(&filter), ["b1"]);
}

#[test]
fn an_id_is_found_by_its_beginning() {
    let (_directory, path) = place();
    let mut store = filled(&path);
    let id = |text: &str| {
        let kept = store.incident(text).unwrap();
        kept.map(|kept| kept.incident.id)
    };
    assert_eq!(id("c").as_deref(), Some("c3"));
    assert_eq!(id("a1").as_deref(), Some("a1"));
    assert_eq!(id(""), None);
    assert_eq!(id("e"), None);
    assert_eq!(id("c3x"), None);
    assert_eq!(id("%"), None);
    let error = store.incident("a").unwrap_err();
    assert!(
        matches!(&error, StoreError::Ambiguous { count: 2, ids, .. } if ids == &["a1", "a2"]),
        "{error}"
    );
    // A whole id that others begin with.
    store
        .insert(&kill("a", "2026-03-09T10:00:00Z", "x", None, None), now())
        .unwrap();
    assert_eq!(store.incident("a").unwrap().unwrap().incident.id, "a");
}

#[test]
fn suspects_are_counted_by_killer_pod_container_and_time() {
    let (_directory, path) = place();
    let store = filled(&path);
    let filter = Filter {
        order: Order::OldestFirst,
        ..Filter::default()
    };
    let suspects = store
        .suspects(&filter, BucketSize::Hour, &TimeZone::UTC)
        .unwrap();
    assert_eq!((suspects.incidents, suspects.victims), (5, 6));
    assert_eq!(suspects.first, Some(time("2026-03-09T10:00:00Z")));
    assert_eq!(suspects.last, Some(time("2026-03-12T00:00:00Z")));
    let killers: Vec<_> = suspects
        .by_killer
        .iter()
        .map(|count| {
            (
                count.killer.as_str(),
                count.tally.incidents,
                count.tally.victims,
            )
        })
        .collect();
    assert_eq!(killers, [("kernel-memcg", 4, 5), ("person", 1, 1)]);
    let pods: Vec<_> = suspects
        .by_pod
        .iter()
        .map(|count| (count.pod.as_deref().unwrap(), count.tally.incidents))
        .collect();
    assert_eq!(pods, [("Checkout-7f9", 2), ("front", 1)]);
    // Restarted: another id, the same name in the same pod.
    let web = &suspects.by_container[0];
    assert_eq!(web.container.as_deref(), Some("web"));
    assert_eq!(web.container_id.as_deref(), Some("abcd02"));
    assert_eq!(web.tally.incidents, 2);
    assert_eq!(web.killers["kernel-memcg"], 2);
    let hours: Vec<_> = suspects
        .over_time
        .iter()
        .map(|bucket| (bucket.start.to_string(), bucket.incidents))
        .collect();
    let hours: Vec<_> = hours
        .iter()
        .map(|(start, count)| (start.as_str(), *count))
        .collect();
    assert_eq!(
        hours,
        [
            ("2026-03-09T10:00:00Z", 2),
            ("2026-03-09T23:00:00Z", 1),
            ("2026-03-10T00:00:00Z", 1),
            ("2026-03-12T00:00:00Z", 1),
        ]
    );
    // Newest first gives the same counts, and so does it however the buckets are met.
    let newest = store
        .suspects(&Filter::default(), BucketSize::Hour, &TimeZone::UTC)
        .unwrap();
    assert_eq!(newest, suspects);
    let json = serde_json::to_value(&suspects).unwrap();
    assert_eq!(json["by_killer"][0]["incidents"], 4);
    assert_eq!(
        serde_json::from_value::<whodunit_store::Suspects>(json).unwrap(),
        suspects
    );
}

#[test]
fn days_are_those_of_the_zone() {
    let (_directory, path) = place();
    let store = filled(&path);
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let filter = Filter {
        until: Some(time("2026-03-11T00:00:00Z")),
        ..Filter::default()
    };
    let suspects = store.suspects(&filter, BucketSize::Day, &zone).unwrap();
    let days: Vec<_> = suspects
        .over_time
        .iter()
        .map(|bucket| (bucket.start, bucket.end, bucket.incidents))
        .collect();
    assert_eq!(
        days,
        [
            (
                time("2026-03-08T23:00:00Z"),
                time("2026-03-09T23:00:00Z"),
                2
            ),
            (
                time("2026-03-09T23:00:00Z"),
                time("2026-03-10T23:00:00Z"),
                2
            ),
        ]
    );
}

#[test]
fn an_empty_store_has_no_suspects() {
    let (_directory, path) = place();
    let store = open(&path);
    let suspects = store
        .suspects(&Filter::default(), BucketSize::Day, &TimeZone::UTC)
        .unwrap();
    assert_eq!(suspects, whodunit_store::Suspects::default());
}
