//! Two machines' lines in one log, where nothing in a line tells them apart: less is said, and nothing of both.

use oom_report::report::OomReport;

use crate::{records, scan};

const GROUP_KILL: &str =
    include_str!("../../../../tests/fixtures/kernels/6.1.0-50-cloud-amd64-v2/group-kill.kmsg");
const CONTAINER_LIMIT: &str = include_str!(
    "../../../../tests/fixtures/kernels/6.12.117+deb13-cloud-amd64-v2/container-limit.kmsg"
);
const GLOBAL: &str =
    include_str!("../../../../tests/fixtures/kernels/6.12.117+deb13-cloud-amd64-v2/global.kmsg");

/// The lines from the header on, with neither a clock nor a host of their own.
fn lines(log: &str) -> Vec<String> {
    let line = |(_, text): &(u64, String)| format!("Nov 24 05:00:00 node-1 kernel: {text}\n");
    let mut lines: Vec<String> = records(log).iter().map(line).collect();
    lines.drain(..position(&lines, "invoked oom-killer"));
    lines
}

fn position(lines: &[String], words: &str) -> usize {
    lines.iter().position(|line| line.contains(words)).unwrap()
}

fn of_victim<'a>(reports: &'a [OomReport], comm: &str) -> &'a OomReport {
    let killed = |report: &&OomReport| report.victims.iter().any(|victim| victim.comm == comm);
    reports.iter().find(killed).unwrap()
}

#[test]
fn the_rest_of_a_group_is_not_killed_by_the_next_header() {
    let (group, other) = (lines(GROUP_KILL), lines(CONTAINER_LIMIT));
    let split = position(&group, "are going to be killed");
    // The header alone; all of the report but its end.
    for others in [1, other.len() - 3] {
        let mixed = [
            &group[..split],
            &other[..others],
            &group[split..],
            &other[others..],
        ]
        .concat();
        let reports = scan(mixed.concat().as_bytes());
        for comm in ["helper", "logger", "leader"] {
            let report = of_victim(&reports, comm);
            let trigger = report.trigger.as_ref();
            assert!(
                trigger.is_none_or(|trigger| trigger.comm == "leader"),
                "{comm}: {report:#?}"
            );
        }
        let java = of_victim(&reports, "java");
        assert!(
            java.victims.iter().all(|victim| victim.comm == "java"),
            "{java:#?}"
        );
    }
}

#[test]
fn the_machines_memory_and_a_limit_are_of_two_reports() {
    let (limit, global) = (lines(CONTAINER_LIMIT), lines(GLOBAL));
    let usage = position(&limit, "memory: usage");
    let kill = position(&limit, "Killed process");
    let free = position(&global, "Free swap");
    // The limit's header is lost: its body stands in the other's.
    let mixed = [&global[..free], &limit[usage..kill + 1], &global[free..]].concat();
    let reports = scan(mixed.concat().as_bytes());
    let java = of_victim(&reports, "java");
    assert!(java.trigger.is_none() && java.system.is_none(), "{java:#?}");
    // Both headers are there.
    let mixed = [&limit[..1], &global[..free], &limit[1..], &global[free..]].concat();
    for report in scan(mixed.concat().as_bytes()) {
        assert!(
            report.system.is_none() || report.memcg.is_none(),
            "{report:#?}"
        );
    }
}

#[test]
fn the_machines_memory_alone_before_a_report_is_no_part_of_it() {
    let (limit, global) = (lines(CONTAINER_LIMIT), lines(GLOBAL));
    let (memory, free) = (
        position(&global, "Mem-Info"),
        position(&global, "Free swap"),
    );
    let usage = position(&limit, "memory: usage");
    // What a failed allocation or sysrq-m printed; the report's header is lost.
    let log = [&global[memory..free], &limit[usage..]].concat();
    let reports = scan(log.concat().as_bytes());
    let java = of_victim(&reports, "java");
    let usage_kib = java.memcg.as_ref().and_then(|memcg| memcg.memory.usage_kib);
    assert_eq!(usage_kib, Some(65_536));
    assert!(java.system.is_none(), "{java:#?}");
}

#[test]
fn a_header_is_not_anothers_processs() {
    let (limit, group) = (lines(CONTAINER_LIMIT), lines(GROUP_KILL));
    let cpu = position(&group, " Comm: leader ");
    // The rest of the one and the header of the other are lost.
    let mixed = [&limit[..1], &group[cpu..]].concat();
    let reports = scan(mixed.concat().as_bytes());
    for comm in ["helper", "logger", "leader"] {
        let report = of_victim(&reports, comm);
        assert!(report.trigger.is_none(), "{report:#?}");
    }
}

#[test]
fn a_decision_is_of_the_process_with_its_name_too() {
    let one = lines(CONTAINER_LIMIT);
    let other: Vec<String> = lines(CONTAINER_LIMIT)
        .iter()
        .map(|line| line.replace("java", "node").replace("kubepods", "others"))
        .collect();
    // One and one, but the kills, which are last.
    let mut mixed: Vec<String> = one
        .iter()
        .zip(&other)
        .flat_map(|(one, other)| [one.clone(), other.clone()])
        .collect();
    let end = mixed.len();
    mixed.swap(end - 2, end - 1);
    let reports = scan(mixed.concat().as_bytes());
    let mut killed = 0;
    for report in &reports {
        let path = report
            .memcg
            .as_ref()
            .and_then(|memcg| memcg.path.as_deref())
            .unwrap_or_default();
        for victim in &report.victims {
            killed += 1;
            let own = if victim.comm == "java" {
                "/kubepods"
            } else {
                "/others"
            };
            assert!(path.is_empty() || path.starts_with(own), "{report:#?}");
        }
    }
    assert_eq!(killed, 2);
}
