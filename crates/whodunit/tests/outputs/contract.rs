//! The output contract, key by key: every key that it names is there, under that name, in that unit; what a log does
//! not say is null; cites show lines that are really there.

use serde_json::Value;

use super::*;

/// Places in an incident, and the keys that the contract names there. A place that is null is not looked into; every
/// place has to be met in some fixture.
const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "id",
            "time",
            "boot_time_s",
            "boot_id",
            "node",
            "source",
            "verdict",
            "scope",
            "trigger",
            "memcg",
            "victims",
            "tasks",
            "system",
            "container",
            "pod",
            "findings",
            "remedies",
        ],
    ),
    (
        "/source",
        &["kind", "path", "first_line", "last_line", "complete"],
    ),
    (
        "/verdict",
        &[
            "killer",
            "confidence",
            "summary",
            "evidence",
            "ruled_out",
            "not_looked_at",
        ],
    ),
    ("/verdict/evidence/*", &["source", "line", "text"]),
    ("/verdict/ruled_out/*", &["killer", "because", "evidence"]),
    ("/verdict/not_looked_at/*", &["what", "why", "how_to"]),
    (
        "/trigger",
        &[
            "pid",
            "comm",
            "oom_score_adj",
            "gfp_mask",
            "gfp_flags",
            "order",
            "cpu",
            "kernel_release",
            "hardware",
            "cpuset",
            "mems_allowed",
            "stack",
        ],
    ),
    (
        "/memcg",
        &[
            "path",
            "usage_kib",
            "limit_kib",
            "failcnt",
            "memsw_usage_kib",
            "memsw_limit_kib",
            "memsw_failcnt",
            "kmem_usage_kib",
            "kmem_limit_kib",
            "kmem_failcnt",
            "swap_usage_kib",
            "swap_limit_kib",
            "swap_failcnt",
            "victim_path",
            "stats",
        ],
    ),
    ("/memcg/stats/*", &["path", "fields", "unit"]),
    (
        "/victims/*",
        &[
            "pid",
            "tgid",
            "comm",
            "uid",
            "total_vm_kib",
            "anon_rss_kib",
            "file_rss_kib",
            "shmem_rss_kib",
            "pgtables_kib",
            "oom_score_adj",
            "badness",
            "group_kill",
            "reaped",
            "container",
            "pod",
        ],
    ),
    (
        "/victims/*/reaped",
        &["anon_rss_kib", "file_rss_kib", "shmem_rss_kib"],
    ),
    (
        "/victims/*/container",
        &[
            "id",
            "runtime",
            "name",
            "image",
            "is_pause",
            "restart_count",
        ],
    ),
    (
        "/victims/*/pod",
        &["uid", "namespace", "name", "qos_class", "owner"],
    ),
    (
        "/tasks/*",
        &[
            "pid",
            "uid",
            "tgid",
            "total_vm_pages",
            "rss_pages",
            "swapents_pages",
            "oom_score_adj",
            "comm",
        ],
    ),
    (
        "/system",
        &[
            "mem_info",
            "zones",
            "swap_free_kib",
            "swap_total_kib",
            "page_size_bytes",
        ],
    ),
    (
        "/container",
        &[
            "id",
            "runtime",
            "name",
            "image",
            "is_pause",
            "restart_count",
        ],
    ),
    ("/pod", &["uid", "namespace", "name", "qos_class", "owner"]),
    (
        "/findings/*",
        &["code", "severity", "title", "detail", "values", "evidence"],
    ),
    ("/findings/*/evidence/*", &["source", "line", "text"]),
    (
        "/remedies/*",
        &["code", "title", "detail", "commands", "risk"],
    ),
];

fn at<'a>(value: &'a Value, place: &str) -> Vec<&'a Value> {
    let mut now = vec![value];
    for step in place.split('/').skip(1) {
        now = now
            .into_iter()
            .flat_map(|value| match step {
                "*" => value.as_array().into_iter().flatten().collect::<Vec<_>>(),
                key => vec![&value[key]],
            })
            .collect();
    }
    now.into_iter().filter(|value| !value.is_null()).collect()
}

fn incidents() -> Vec<(String, Value)> {
    fixtures()
        .into_iter()
        .flat_map(|name| {
            let json: Value = serde_json::from_str(&explain(&["-o", "json", &name])).unwrap();
            assert_eq!(json["schema"], 1);
            assert_eq!(
                json["tool"],
                concat!("whodunit ", env!("CARGO_PKG_VERSION"))
            );
            for key in ["sources", "incidents", "warnings"] {
                assert!(json[key].is_array(), "{name}: {key}");
            }
            let incidents = json["incidents"].as_array().unwrap().clone();
            incidents
                .into_iter()
                .map(move |incident| (name.clone(), incident))
        })
        .collect()
}

#[test]
fn every_key_of_the_contract_is_there() {
    let incidents = incidents();
    for (place, keys) in KEYS {
        let mut met = 0;
        for (name, incident) in &incidents {
            for value in at(incident, place) {
                met += 1;
                for key in *keys {
                    assert!(value.get(key).is_some(), "{name}: {place}/{key}");
                }
            }
        }
        assert!(met > 0, "{place} is in no fixture");
    }
}

/// Sizes are integers in the unit of their name; what is not known is null and never an empty text.
#[test]
fn units_are_integers_and_nothing_is_an_empty_text() {
    fn walk(value: &Value, path: &str, name: &str) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let sized = ["_kib", "_bytes", "_pages", "_ms"]
                        .iter()
                        .any(|unit| key.ends_with(unit));
                    assert!(
                        !sized
                            || value.is_null()
                            || value.is_i64()
                            || value.is_u64()
                            || value.is_array()
                            || value.is_object(),
                        "{name}: {path}/{key} = {value}"
                    );
                    // A remedy's list of letters, or a command that there is none of, may be empty.
                    let may_be_empty = matches!(key.as_str(), "migrate_types" | "how_to" | "risk");
                    assert!(
                        may_be_empty || value != "",
                        "{name}: {path}/{key} is an empty text"
                    );
                    walk(value, &format!("{path}/{key}"), name);
                }
            }
            Value::Array(items) => items
                .iter()
                .for_each(|item| walk(item, &format!("{path}/*"), name)),
            _ => {}
        }
    }
    for (name, incident) in incidents() {
        walk(&incident, "", &name);
        for stats in at(&incident, "/memcg/stats/*") {
            assert!(
                stats["unit"] == "KB" || stats["unit"] == "bytes",
                "{name}: {}",
                stats["unit"]
            );
        }
        for task in at(&incident, "/tasks/*") {
            let tables = ["nr_ptes", "pgtables_bytes"]
                .iter()
                .filter(|key| task[**key].is_u64())
                .count();
            assert_eq!(tables, 1, "{name}: {task}");
        }
    }
}

/// The text of each cite stands in the line that it names.
#[test]
fn cites_name_lines_that_are_there() {
    let mut checked = 0;
    for (name, incident) in incidents() {
        let bytes = std::fs::read(fixtures_root().join(&name)).unwrap();
        let log = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = log.lines().collect();
        for place in ["/verdict/evidence/*", "/findings/*/evidence/*"] {
            for cite in at(&incident, place) {
                let number = usize::try_from(cite["line"].as_u64().unwrap()).unwrap();
                let text = cite["text"].as_str().unwrap();
                // /dev/kmsg writes some characters as escapes, which the text has no more.
                let plain = text
                    .split(|character: char| !(' '..='~').contains(&character) || character == '\\')
                    .max_by_key(|part| part.len())
                    .unwrap();
                // A line that a terminal or a mail program broke is put together: its beginning stands there.
                let broken = name.contains("broken") || name.contains("wrapped");
                let plain = if broken {
                    &plain[..plain.len().min(24)]
                } else {
                    plain
                };
                let line = lines[number - 1];
                // A stamp may stand alone, and the text on the next line.
                let alone = broken && line.trim_end().ends_with(']');
                let line = if alone { lines[number] } else { line };
                assert!(
                    line.contains(plain),
                    "{name}:{number}: {line}\nlacks\n{plain}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

/// The pod and container of a victim are those of the incident, and those of its cgroup's path.
#[test]
fn victims_carry_their_own_container_and_pod() {
    let mut met = 0;
    for (name, incident) in incidents() {
        let Some(path) = incident["memcg"]["victim_path"].as_str() else {
            continue;
        };
        // A task that is exiting has left its container's cgroup.
        if path == "/" && incident["scope"] == "memcg" {
            continue;
        }
        let Some(first) = incident["victims"].get(0) else {
            continue;
        };
        assert_eq!(first["container"], incident["container"], "{name}");
        assert_eq!(first["pod"], incident["pod"], "{name}");
        if let Some(id) = first["container"]["id"].as_str() {
            met += 1;
            assert!(path.contains(id), "{name}");
        }
        if let Some(uid) = first["pod"]["uid"].as_str() {
            assert!(path.contains(uid) || path.contains(&uid.replace('-', "_")));
        }
    }
    assert!(met > 50, "{met}");
}
