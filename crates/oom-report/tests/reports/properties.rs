//! What holds for any log: cut anywhere, mixed with anything, in any form, the facts are the same or fewer.

use std::collections::BTreeSet;

use oom_report::report::OomReport;
use oom_report::{Assumptions, Scanner, Search};
use proptest::prelude::*;

use crate::agreement::no_fact_is_new;
use crate::damage::{behind_escape, cut};
use crate::line_forms::{FORMS, wrap};
use crate::{CONTAINER_LIMIT, cases, facts, records, scan, scan_one};

/// The fixtures that the lab made, whole logs of real kernels, and the one above.
fn logs() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");
    let mut logs = vec![CONTAINER_LIMIT.to_owned()];
    let mut folders = vec![std::path::PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "kmsg") {
                logs.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
            }
        }
    }
    logs.sort();
    logs
}

fn fast(log: &[u8], threads: usize) -> (Vec<OomReport>, u64) {
    let mut reports = Vec::new();
    let lines =
        Scanner::new(Assumptions::default()).scan(log, threads, &mut |report| reports.push(report));
    (reports, lines)
}

fn slow(log: &[u8]) -> (Vec<OomReport>, u64) {
    let mut reports = Vec::new();
    let lines = Scanner::line_by_line(Assumptions::default())
        .scan(log, 1, &mut |report| reports.push(report));
    (reports, lines)
}

fn streamed(log: &[u8], chunk: usize) -> (Vec<OomReport>, u64) {
    let mut reports = Vec::new();
    let mut scanner = Scanner::new(Assumptions::default());
    for (at, part) in log.chunks(chunk).enumerate() {
        if at % 2 == 0 {
            scanner.push(part, &mut |report| reports.push(report));
        } else {
            // A reader that fills less than the room it was given.
            let room = scanner.room(part.len() + at % 7);
            assert_eq!(room.len(), part.len() + at % 7);
            room[..part.len()].copy_from_slice(part);
            scanner.filled(part.len(), &mut |report| reports.push(report));
        }
    }
    let lines = scanner.finish(&mut |report| reports.push(report));
    (reports, lines)
}

/// Each form's first bytes hold what is peculiar to it.
#[test]
fn a_log_cut_in_its_first_lines_says_nothing_new() {
    let mut wrong = Vec::new();
    for form in FORMS.iter() {
        let wrapped = wrap(form, &records(CONTAINER_LIMIT));
        let whole = scan(&wrapped);
        for start in 0..400 {
            for report in scan(&wrapped[start..]) {
                if let Err(fact) = no_fact_is_new(&report, &whole) {
                    wrong.push(format!("{}: from byte {start}: {fact}", form.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same where the other end of the lines is cut, too, by a pager or by the log's end, with names that forms have to escape,
/// one that looks like the kernel's words, and one that is plain.
#[test]
fn a_log_cut_at_both_ends_of_its_lines_says_nothing_new() {
    const BEGINNINGS: [&str; 5] = [
        "NAME invoked",
        "memory: usage",
        "[  11595]",
        "oom-kill:",
        "Memory cgroup out",
    ];
    let mut wrong = Vec::new();
    for name in [
        "red",
        "\\x1b[2J\\x1b[31mred",
        "a\\x5cb \"\\xc3\\xa9",
        ") total-vm:1kB,",
    ] {
        let mut records = records(CONTAINER_LIMIT);
        for (_, text) in &mut records {
            *text = text.replace("python3", name);
        }
        for form in FORMS.iter() {
            let whole = scan(&wrap(form, &records));
            for beginning in BEGINNINGS {
                let beginning = beginning.replace("NAME", name);
                let from = records
                    .iter()
                    .position(|(_, text)| text.starts_with(&beginning))
                    .unwrap();
                let lines = records
                    .iter()
                    .enumerate()
                    .skip(from)
                    .take(2)
                    .map(|(at, (us, text))| (form.line)(*us, at, text));
                let lines: Vec<Vec<u8>> = lines.collect();
                let paged = [60, 90, 140, 200, 400].map(|columns| {
                    let mut shown = lines.clone();
                    shown.iter_mut().for_each(|line| cut(line, columns, ">\n"));
                    shown.concat()
                });
                let first = &lines[0];
                let ended = [75, 110, 170, 300].map(|end| first[..end.min(first.len())].to_vec());
                for log in paged.into_iter().chain(ended) {
                    for start in (0..lines[0].len().min(log.len()))
                        .filter(|start| behind_escape(&log, *start) == *start)
                    {
                        for report in scan(&log[start..]) {
                            if let Err(fact) = no_fact_is_new(&report, &whole) {
                                let line = String::from_utf8_lossy(&log[start..]).into_owned();
                                wrong.push(format!(
                                    "{}: from byte {start} of {}: {fact}:\n{line}",
                                    form.name,
                                    log.len()
                                ));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn any_log() -> impl Strategy<Value = String> {
    proptest::sample::select(logs())
}

/// Two machines' logs. What a process forged is left out: the forms are of the kernel's lines, whoever wrote them.
fn two_logs() -> impl Strategy<Value = (String, String)> {
    let real: Vec<String> = logs()
        .into_iter()
        .filter(|log| !log.contains("forger"))
        .collect();
    (
        proptest::sample::select(real.clone()),
        proptest::sample::select(real),
    )
        .prop_filter(
            "processes of two machines with one number",
            |(one, other)| one == other || processes(one).is_disjoint(&processes(other)),
        )
}

fn processes(log: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for report in scan(log.as_bytes()) {
        found.extend(report.tasks.iter().map(|task| task.pid));
        found.extend(report.victims.iter().map(|victim| victim.pid));
        found.extend(report.trigger.and_then(|trigger| trigger.pid));
    }
    found
}

fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(
            "Nov 24 05:00:00 node-1 kubelet[812]: oom watcher started, will not Kill anything\n"
                .to_owned()
        ),
        Just("4,1,2,-;audit: skill bloom room oom\n".to_owned()),
        Just("{\"log\":\"killed by oom-killer\"}\n".to_owned()),
        "[ -~]{0,120}".prop_map(|text| text + "\n"),
    ]
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn the_fast_scan_finds_what_the_slow_one_finds(
        parts in prop::collection::vec(prop_oneof![
            3 => noise().prop_map(String::into_bytes),
            1 => (any_log(), 0..FORMS.len()).prop_map(|(log, form)| wrap(FORMS[form], &records(&log))),
        ], 0..12),
        cut in any::<prop::sample::Index>(),
        chunk in 1_usize..40_000,
        end in any::<bool>(),
    ) {
        let whole = parts.concat();
        let start = if whole.is_empty() { 0 } else { cut.index(whole.len()) / 2 };
        let log = &whole[start..whole.len() - usize::from(end && !whole.is_empty())];
        let slow = slow(log);
        prop_assert_eq!(&fast(log, 1), &slow, "whole");
        prop_assert_eq!(&streamed(log, chunk), &slow, "streamed");
    }

    #[test]
    fn a_log_cut_anywhere_says_nothing_new(log in any_log(), form in 0..FORMS.len(), from in any::<prop::sample::Index>(), length in any::<prop::sample::Index>()) {
        let wrapped = wrap(FORMS[form], &records(&log));
        let whole = scan(&wrapped);
        let start = from.index(wrapped.len());
        let end = start + length.index(wrapped.len() - start + 1);
        for report in scan(&wrapped[start..end]) {
            if let Err(fact) = no_fact_is_new(&report, &whole) {
                prop_assert!(false, "{}: bytes {start}..{end}: {fact}", FORMS[form].name);
            }
        }
    }

    #[test]
    fn two_logs_mixed_say_nothing_new(
        (one, other) in two_logs(),
        form in 0..FORMS.len(),
        turns in prop::collection::vec(prop_oneof![3 => 0_usize..3, 1 => 0_usize..30], 1..400),
    ) {
        let form = &FORMS[form];
        let lines = |log: &str| -> Vec<Vec<u8>> {
            records(log).iter().enumerate().map(|(at, (us, text))| (form.line)(*us, at, text)).collect()
        };
        let (one, other) = (lines(&one), lines(&other));
        let mut whole = scan(&one.concat());
        whole.extend(scan(&other.concat()));
        let mut mixed = Vec::new();
        let (mut turn, mut next) = (one.as_slice(), other.as_slice());
        for lines in turns {
            let (now, later) = turn.split_at(lines.min(turn.len()));
            mixed.extend(now.concat());
            (turn, next) = (next, later);
        }
        mixed.extend(turn.concat());
        mixed.extend(next.concat());
        for report in scan(&mixed) {
            if let Err(fact) = no_fact_is_new(&report, &whole) {
                prop_assert!(false, "{}: {fact}: {report:#?}", form.name);
            }
        }
    }

    #[test]
    fn random_bytes_do_no_harm(log in prop::collection::vec(any::<u8>(), 0..4000)) {
        scan(&log);
    }
}

/// Searched in copies, of which there are none from `readable` on.
fn copied(log: &[u8], threads: usize, readable: usize) -> (Vec<OomReport>, u64) {
    let copy = |offset: usize, buffer: &mut [u8]| {
        let end = offset + buffer.len();
        if end <= readable {
            buffer.copy_from_slice(&log[offset..end]);
        }
        end <= readable
    };
    let searched = std::cell::Cell::new(0);
    let count = |bytes| searched.set(searched.get() + bytes);
    let search = Search {
        threads,
        copy: Some(&copy),
        searched: Some(&count),
    };
    let mut reports = Vec::new();
    let lines = Scanner::new(Assumptions::default())
        .scan_by(log, &search, &mut |report| reports.push(report));
    assert_eq!(searched.get(), log.len() as u64);
    (reports, lines)
}

#[test]
fn segments_and_threads_do_not_matter() {
    let report = wrap(FORMS[2], &records(CONTAINER_LIMIT));
    let filler =
        "Nov 24 05:00:00 node-1 kubelet[812]: the room is full of oom and skill\n".repeat(1000);
    let mut log = Vec::new();
    while log.len() < 14 << 20 {
        log.extend(filler.as_bytes());
        log.extend(&report);
    }
    let slow = slow(&log);
    assert!(slow.0.len() > 100);
    for threads in 1..4 {
        assert_eq!(fast(&log, threads), slow);
        assert_eq!(copied(&log, threads, log.len()), slow);
        // A file that became shorter: what cannot be copied is searched where it is.
        assert_eq!(copied(&log, threads, 5 << 20), slow);
    }
    for chunk in [9973, 256 << 10, 700_001, 1 << 20] {
        assert_eq!(streamed(&log, chunk), slow);
    }
    assert_eq!(facts(&slow.0[7]), facts(&scan_one(&report)));
}

/// What is kept behind the reading position of a stream is enough for a report whose first lines hold no needle,
/// wherever its buffer happens to be moved.
#[test]
fn reports_without_their_beginning_are_found_in_a_stream() {
    let whole = records(CONTAINER_LIMIT);
    let usage = whole
        .iter()
        .position(|(_, text)| text.starts_with("memory: usage"))
        .unwrap();
    let report = wrap(FORMS[2], &whole[usage..]);
    let noise = "Nov 24 05:00:00 node-1 kubelet[812]: \"Killing container with a grace period\"\n\
                 Nov 24 05:00:00 node-1 systemd[1]: app.service: Main process exited, code=killed, status=9/KILL\n"
        .repeat(997);
    let mut log = Vec::new();
    while log.len() < 6 << 20 {
        log.extend(noise.as_bytes());
        log.extend(&report);
    }
    let slow = slow(&log);
    assert!(slow.0.len() > 10);
    assert!(
        slow.0
            .iter()
            .all(|report| report.memcg.as_ref().unwrap().memory.usage_kib.is_some())
    );
    assert_eq!(fast(&log, 1), slow);
    for chunk in [4099, 65_536, 256 << 10, 1_000_003] {
        assert_eq!(streamed(&log, chunk), slow);
    }
}
