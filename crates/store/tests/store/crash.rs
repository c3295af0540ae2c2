//! SIGKILL at any moment: an incident that was told is there afterwards, and the file is sound.
//!
//! The test starts itself again as the program that is killed: it inserts, and prints each id after `insert` has given
//! `Ok`, as `watch` does.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use whodunit_store::{Check, Filter, Options, Position, Record, Store};

use crate::sample::*;

const CHILD: &str = "STORE_TEST_CHILD";
const ROUNDS: u64 = 30;

/// The program that is killed. `PATH MAX_BYTES FIRST STEP`
fn child(arguments: &str) -> ! {
    let [path, max_bytes, first, step]: [&str; 4] =
        arguments.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let options = options(max_bytes.parse().unwrap());
    let step: u64 = step.parse().unwrap();
    let mut number: u64 = first.parse().unwrap();
    let mut store = Store::open(Path::new(path), &options, now()).unwrap();
    let like = kill("x", "2026-03-09T13:17:05Z", "app", None, None);
    let large = Record::new(
        serde_json::from_slice(&std::fs::read(large_path(Path::new(path))).unwrap()).unwrap(),
        Vec::new(),
    );
    let mut out = std::io::stdout().lock();
    loop {
        let like: &Record = if number.is_multiple_of(3) {
            &large
        } else {
            &like
        };
        let position = Position::new("number", &number).unwrap();
        store
            .insert_all(&[numbered(like, number)], &[position], now())
            .unwrap();
        // One write(2) for each: whole or not there.
        out.write_all(format!("stored {number:016x}\n").as_bytes())
            .unwrap();
        out.flush().unwrap();
        number += step;
    }
}

/// The large incident, for the children: reading the recordings takes longer than they live.
fn large_path(path: &Path) -> PathBuf {
    path.with_file_name("large.json")
}

fn prepare(path: &Path) {
    std::fs::write(
        large_path(path),
        serde_json::to_vec(&large().incident).unwrap(),
    )
    .unwrap();
}

/// When a child is killed.
#[derive(Clone, Copy)]
enum Kill {
    AfterStart(Duration),
    AfterFirstTold(Duration),
}

fn options(max_bytes: u64) -> Options {
    let mut options = keep_all();
    options.wait = Duration::from_secs(30);
    options.retention.max_bytes = (max_bytes > 0).then_some(max_bytes);
    options
}

/// Runs the children for a while, kills them, and gives the numbers that they told, in order.
fn run(test: &str, path: &Path, max_bytes: u64, starts: &[u64], kill: Kill) -> Vec<u64> {
    let mut children = Vec::new();
    for first in starts {
        let arguments = format!("{} {max_bytes} {first} {}", path.display(), starts.len());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(CHILD, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        children.push(child);
    }
    let (first_told, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for child in &mut children {
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let first_told = first_told.clone();
            readers.push(scope.spawn(move || {
                let mut text = String::new();
                while out.read_line(&mut text).unwrap() > 0 && !text.contains("stored ") {}
                // Nobody waits for it any more where the child was killed first.
                let _ = first_told.send(());
                out.read_to_string(&mut text).unwrap();
                text
            }));
        }
        match kill {
            Kill::AfterStart(time) => std::thread::sleep(time),
            Kill::AfterFirstTold(time) => {
                told.recv().unwrap();
                std::thread::sleep(time);
            }
        }
        for child in &mut children {
            child.kill().unwrap();
        }
        for child in &mut children {
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(
                child.wait().unwrap().signal(),
                Some(9),
                "it ended by itself"
            );
        }
        let mut told = Vec::new();
        for reader in readers {
            let text = reader.join().unwrap();
            let ids = text
                .split_inclusive('\n')
                .filter_map(|line| line.strip_prefix("stored "));
            let whole = ids.filter_map(|line| line.strip_suffix('\n'));
            told.extend(whole.map(|id| u64::from_str_radix(id, 16).unwrap()));
        }
        told
    })
}

fn stored(path: &Path) -> BTreeSet<u64> {
    let full = Options {
        check: Check::Full,
        ..options(0)
    };
    let store = Store::open(path, &full, now()).unwrap();
    assert_eq!(store.integrity_check().unwrap(), Vec::<String>::new());
    let entries = store.incidents(&Filter::default()).unwrap();
    entries
        .iter()
        .map(|entry| u64::from_str_radix(&entry.id, 16).unwrap())
        .collect()
}

#[test]
fn no_incident_that_was_told_is_lost() {
    if let Ok(arguments) = std::env::var(CHILD) {
        child(&arguments);
    }
    let (_directory, path) = place();
    prepare(&path);
    let mut numbers = Numbers::from(11);
    let mut told = BTreeSet::new();
    let mut rounds_that_told = 0;
    for round in 0..ROUNDS {
        // From right after its start, while the file is made or looked through, to amid the writing. Every third
        // round with two that write.
        let kill = if round % 5 == 0 {
            Kill::AfterStart(Duration::from_millis(numbers.below(60)))
        } else {
            Kill::AfterFirstTold(Duration::from_micros(numbers.below(150_000)))
        };
        let first = (round + 1) << 32;
        let starts = if round % 3 == 2 {
            vec![first, first + 1]
        } else {
            vec![first]
        };
        let new = run(
            "crash::no_incident_that_was_told_is_lost",
            &path,
            0,
            &starts,
            kill,
        );
        rounds_that_told += u64::from(!new.is_empty());
        told.extend(new.iter().copied());
        let stored = stored(&path);
        let lost: Vec<_> = told.difference(&stored).collect();
        assert!(
            lost.is_empty(),
            "round {round}: {} lost, the first {:x}",
            lost.len(),
            lost[0]
        );
        // Stored together with its incident.
        if let (1, Some(last)) = (starts.len(), new.last()) {
            let store = Store::open(&path, &options(0), now()).unwrap();
            let position: u64 = store.position("number").unwrap().unwrap();
            assert!(position >= *last && stored.contains(&position));
            assert!(!stored.contains(&(position + 1)));
        }
    }
    assert!(
        rounds_that_told > ROUNDS / 2,
        "only {rounds_that_told} rounds told anything"
    );
    eprintln!(
        "{} incidents told in {ROUNDS} rounds, none lost",
        told.len()
    );
}

#[test]
fn a_kill_while_old_ones_are_removed_leaves_the_newest() {
    if let Ok(arguments) = std::env::var(CHILD) {
        child(&arguments);
    }
    const MAX: u64 = 2 << 20;
    let (_directory, path) = place();
    prepare(&path);
    let mut numbers = Numbers::from(5);
    let mut last = None;
    let mut first = 0;
    for round in 0..10 {
        let kill = Kill::AfterFirstTold(Duration::from_millis(20 + numbers.below(300)));
        let test = "crash::a_kill_while_old_ones_are_removed_leaves_the_newest";
        let new = run(test, &path, MAX, &[first], kill);
        last = new.last().copied().or(last);
        let stored = stored(&path);
        let (Some(last), Some(newest)) = (last, stored.last().copied()) else {
            continue;
        };
        assert!(
            newest >= last,
            "round {round}: {last} was told, {newest} is the newest"
        );
        // Nothing is missing in between: only the oldest go.
        let oldest = *stored.first().unwrap();
        assert_eq!(stored.len() as u64, newest - oldest + 1, "round {round}");
        first = newest + 1;
    }
    assert!(
        last.is_some_and(|last| last > 100),
        "{last:?} is too few to reach the limit"
    );
}
