//! The command line: the binary where it needs no judgement, and the way from arguments to printed incidents with a
//! judge and a view of the test's own, over real files and the real scanner.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use clap::Parser;
use jiff::ZonedDateTime;
use oom_report::report::{OomReport, Provenance};
use tempfile::TempDir;
use whodunit::cli::{Cli, Command as Subcommand, ExplainArgs};
use whodunit::exit::Status;
use whodunit::explain::run_with;
use whodunit::filter::{Answer, Filter};
use whodunit::held::place;
use whodunit::moment::moment;
use whodunit::pipeline::{Judge, View};
use whodunit::{dating, terminal};
use whodunit_case::incident::{
    Confidence, Container, Incident, IncidentSource, Killer, Pod, SourceInfo, SourceKind, Verdict,
    VictimInfo,
};
use whodunit_node::Root;

fn whodunit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn explain_args(arguments: &[&str]) -> ExplainArgs {
    let Subcommand::Explain(arguments) =
        Cli::try_parse_from(["whodunit", "explain"].iter().chain(arguments))
            .unwrap()
            .command
    else {
        panic!("not explain")
    };
    *arguments
}

/// The shortest whole kill: victim, pid and boot time differ by number.
fn kill(number: u64) -> String {
    format!(
        "Jan  2 03:{:02}:05 node-7 kernel: [{number}.000000] Memory cgroup out of memory: Killed process {number} (app{number}) \
         total-vm:1000kB, anon-rss:100kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n",
        number % 60
    )
}

fn noise(lines: usize) -> String {
    (0..lines)
        .map(|line| format!("Jan  2 03:04:05 node-7 systemd[1]: Started session {line}.\n"))
        .collect()
}

fn tree(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

/// Takes from the report what the pipeline needs: id, time, place, victims.
#[derive(Default)]
struct TestJudge {
    remembered: Vec<String>,
    places: HashMap<String, String>,
}

impl Judge for TestJudge {
    fn incident(&mut self, report: &OomReport, _source: usize, info: &SourceInfo) -> Incident {
        incident(report, info)
    }

    fn seen(&mut self, incident: &Incident) -> Option<String> {
        self.places.get(&incident.id).cloned()
    }

    fn remember(&mut self, incident: &Incident) {
        self.remembered.push(incident.id.clone());
        self.places.insert(incident.id.clone(), place(incident));
    }
}

fn incident(report: &OomReport, info: &SourceInfo) -> Incident {
    let victims: Vec<_> = report
        .victims
        .iter()
        .map(|victim| VictimInfo {
            pid: victim.pid,
            comm: victim.comm.clone(),
            ..VictimInfo::default()
        })
        .collect();
    Incident {
        id: format!(
            "{:?}",
            victims.iter().map(|victim| victim.pid).collect::<Vec<_>>()
        ),
        time: report.time.wall.map(|wall| wall.timestamp),
        time_assumed: false,
        boot_time_s: None,
        boot_id: None,
        node: None,
        source: IncidentSource {
            kind: info.kind,
            path: info.path.clone(),
            first_line: report.text.first_line(),
            last_line: report.text.last_line(),
            complete: true,
            provenance: Provenance::Unverified,
        },
        also_in: Vec::new(),
        verdict: Verdict {
            killer: Killer::Unknown,
            confidence: Confidence::Unknown,
            summary: String::new(),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            not_looked_at: Vec::new(),
        },
        scope: None,
        trigger: None,
        memcg: None,
        victims,
        tasks: Vec::new(),
        ranking: Vec::new(),
        system: None,
        container: None,
        pod: None,
        owner: None,
        usage_split: Vec::new(),
        findings: Vec::new(),
        remedies: Vec::new(),
        outcomes: Vec::new(),
        missing: Vec::new(),
        doubts: Vec::new(),
    }
}

/// One line an incident, and everything kept.
#[derive(Default)]
struct TestView {
    seen: Vec<Incident>,
    sources: Vec<SourceInfo>,
    warnings: Vec<String>,
    calls: String,
    break_after: Option<usize>,
    told: Option<std::sync::mpsc::Sender<String>>,
}

impl View for TestView {
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        self.calls.push('b');
        Ok(())
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        if self.break_after == Some(self.seen.len()) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.calls.push('i');
        self.seen.push(incident.clone());
        if let Some(told) = &self.told {
            let _ = told.send(incident.id.clone());
        }
        writeln!(out, "{}", incident.id)
    }

    fn end(
        &mut self,
        _out: &mut dyn Write,
        sources: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()> {
        self.calls.push('e');
        self.sources = sources.to_vec();
        self.warnings = warnings.to_vec();
        Ok(())
    }
}

struct Ran {
    status: anyhow::Result<Status>,
    judge: TestJudge,
    view: TestView,
    out: String,
}

fn run_at(root: &Root, arguments: &[&str], mut view: TestView) -> Ran {
    let mut judge = TestJudge::default();
    let mut out = Vec::new();
    let status = run_with(
        &explain_args(arguments),
        root,
        &mut judge,
        &mut view,
        &mut out,
    );
    Ran {
        status,
        judge,
        view,
        out: String::from_utf8(out).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ran {
    run_at(&Root::at("/nonexistent"), arguments, TestView::default())
}

fn path(tree: &TempDir, name: &str) -> String {
    tree.path().join(name).display().to_string()
}

#[test]
fn incidents_come_in_the_order_of_the_sources_whatever_the_threads() {
    let tree = tempfile::tempdir().unwrap();
    let mut expected = String::new();
    for file in 0..12_u64 {
        // The older the longer: later sources are done before earlier ones.
        let kills: Vec<u64> = (0..60 - file).map(|kill| file * 1000 + kill + 1).collect();
        let log: String = kills
            .iter()
            .map(|number| noise(20) + &kill(*number))
            .collect();
        fs::write(tree.path().join(format!("kern.log.{}", 12 - file)), log).unwrap();
        kills
            .iter()
            .for_each(|number| expected += &format!("[{number}]\n"));
    }
    for threads in ["1", "2", "7", "64"] {
        for output in ["ndjson", "terminal"] {
            let ran = run(&["--threads", threads, "-o", output, &path(&tree, "")]);
            assert_eq!(ran.status.unwrap(), Status::Finished);
            assert!(ran.out == expected, "{threads} {output}: {}", ran.out);
            assert!(ran.view.calls.starts_with("bi") && ran.view.calls.ends_with("ie"));
            assert_eq!(ran.view.sources.len(), 12);
            assert_eq!(ran.view.sources[11].lines, Some(49 * 21));
            assert!(ran.view.warnings.is_empty(), "{:?}", ran.view.warnings);
        }
    }
}

#[test]
fn a_stream_gives_the_same_as_a_file() {
    let log: String = (1..50).map(|number| noise(3000) + &kill(number)).collect();
    assert!(
        log.len() > 5_000_000,
        "larger than what is copied, and than several chunks"
    );
    let tree = tree(&[("kern.log", &log)]);
    let fifo = tree.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let writer = std::thread::spawn({
        let (fifo, log) = (fifo.clone(), log.clone());
        move || fs::write(fifo, log).unwrap()
    });
    let piped = run(&[&fifo.display().to_string()]);
    writer.join().unwrap();
    let mapped = run(&[&path(&tree, "kern.log")]);
    assert_eq!(piped.out.lines().count(), 49);
    assert_eq!(piped.out, mapped.out);
    for ran in [&piped, &mapped] {
        assert_eq!(ran.view.sources[0].bytes, Some(log.len() as u64));
        assert_eq!(ran.view.sources[0].lines, Some(49 * 3001));
        assert_eq!(ran.view.seen[48].source.first_line, Some(49 * 3001));
    }
}

/// Not a test of its own: what the ones below start, to have a standard input and a memory of their own.
#[test]
#[ignore = "started by other tests"]
fn child_that_explains_its_standard_input() {
    let ran = run(&["-", "--threads", "1"]);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("{peak}");
    for incident in &ran.view.seen {
        println!("KILL {} {}", incident.id, incident.time.unwrap());
    }
    println!("LINES {}", ran.view.sources[0].lines.unwrap());
}

fn explain_stdin(stdin: Stdio, feed: impl FnOnce(&mut dyn Write) + Send + 'static) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_explains_its_standard_input",
            "--ignored",
            "--nocapture",
        ])
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let feeder = child
        .stdin
        .take()
        .map(|mut stdin| std::thread::spawn(move || feed(&mut stdin)));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    if let Some(feeder) = feeder {
        feeder.join().unwrap();
    }
    text(&output.stdout).to_owned()
}

#[test]
fn memory_is_constant_on_standard_input() {
    let block = noise(20_000);
    let blocks = 300_000_000 / block.len();
    let said = explain_stdin(Stdio::piped(), move |stdin| {
        for number in 0..blocks as u64 {
            stdin.write_all(block.as_bytes()).unwrap();
            stdin.write_all(kill(number + 1).as_bytes()).unwrap();
        }
    });
    let number = |line: &str| -> u64 {
        line.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap()
    };
    let peak_kib = number(said.lines().find(|line| line.contains("VmHWM")).unwrap());
    assert!(peak_kib < 64 * 1024, "{peak_kib} KiB");
    assert_eq!(said.matches("KILL").count(), blocks);
    let lines = number(said.lines().find(|line| line.contains("LINES")).unwrap());
    assert_eq!(lines, blocks as u64 * 20_001);
}

#[test]
fn standard_input_is_decompressed_and_dated() {
    let said = explain_stdin(Stdio::piped(), |stdin| {
        stdin.write_all(&flate2_of(&kill(1))).unwrap()
    });
    assert!(said.contains("KILL [1]"), "{said}");

    let tree = tree(&[("kern.log", &kill(1))]);
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(tree.path().join("kern.log"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_609_632_000))
        .unwrap();
    let said = explain_stdin(file.into(), |_| {});
    assert!(said.contains("KILL [1] 2021-01-02T03:01:05Z"), "{said}");
}

#[test]
fn a_bar_is_drawn_on_a_terminal_after_a_second() {
    let tree = tree(&[("kern.log", &(noise(20_000) + &kill(1)))]);
    let me = std::env::current_exe().unwrap().display().to_string();
    let child = "--exact child_that_explains_its_standard_input --ignored --nocapture";
    // script(1) of bsdutils, which every Debian has, gives a terminal.
    let on_terminal = |wait: &str, to: &str| {
        let pipe = format!(
            "(cat {}; sleep {wait}) | {me} {child} {to}",
            path(&tree, "kern.log")
        );
        let output = Command::new("script")
            .args(["-qec", &pipe, "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("KILL [1]"), "{said}");
        said
    };
    let slow = on_terminal("1.6", "");
    assert!(slow.contains("MiB/s") || slow.contains("KiB/s"), "{slow}");
    for said in [on_terminal("0", ""), on_terminal("1.6", "2>&1 | cat")] {
        assert!(!said.contains("iB/s"), "{said}");
    }
}

#[test]
fn a_live_pipe_is_told_before_it_ends() {
    let tree = tempfile::tempdir().unwrap();
    let fifo = tree.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let (told, heard) = std::sync::mpsc::channel();
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(fifo).unwrap();
            // Less than any buffer; the reaper's line is the last that the report can have.
            let reaped = "Jan  2 03:01:05 node-7 kernel: [1.010000] oom_reaper: reaped process 1 (app1), now \
                          anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n";
            let start = kill(1) + reaped + &noise(120);
            assert!(start.len() < 8000);
            pipe.write_all(start.as_bytes()).unwrap();
            let first = heard.recv_timeout(Duration::from_secs(20));
            drop(pipe);
            first
        }
    });
    let view = TestView {
        told: Some(told),
        ..TestView::default()
    };
    let fifo = fifo.display().to_string();
    let ran = run_at(&Root::at("/nonexistent"), &["-o", "ndjson", &fifo], view);
    assert_eq!(
        writer.join().unwrap().as_deref(),
        Ok("[1]"),
        "only told at the end of the pipe"
    );
    assert_eq!(ran.out, "[1]\n");
}

#[test]
fn what_cannot_be_read_is_said_and_stops_no_other() {
    let mut cut = flate2_of(&noise(5000));
    cut.truncate(cut.len() / 2);
    let tree = tree(&[("good", &(kill(1) + &kill(2)))]);
    fs::write(tree.path().join("cut.gz"), cut).unwrap();
    fs::write(
        tree.path().join("random"),
        [7_u8, 0, 1, 2, 200, 3].repeat(500),
    )
    .unwrap();
    let arguments = ["missing", "cut.gz", "random", "good"].map(|name| path(&tree, name));
    let ran = run(&arguments.each_ref().map(String::as_str));
    assert_eq!(ran.status.unwrap().number(), 3);
    assert_eq!(ran.out, "[1]\n[2]\n");
    let expected = [
        ("missing", "is the path right?"),
        ("cut.gz", "truncated"),
        ("random", "binary"),
    ];
    assert_eq!(ran.view.warnings.len(), 3, "{:?}", ran.view.warnings);
    for ((name, why), warning) in expected.iter().zip(&ran.view.warnings) {
        assert!(warning.contains(name) && warning.contains(why), "{warning}");
    }
    let errors: Vec<_> = ran
        .view
        .sources
        .iter()
        .map(|source| source.error.is_some())
        .collect();
    assert_eq!(errors, [true, true, false]);

    let skipped_only = run(&[&path(&tree, "random")]);
    assert_eq!(skipped_only.status.unwrap().number(), 0);
    let kill_wins = run(&["--fail-on-kill", &arguments[0], &arguments[3]]);
    assert_eq!(kill_wins.status.unwrap().number(), 10);
    let no_kill = run(&["--fail-on-kill", "--comm", "other", &arguments[3]]);
    assert_eq!(no_kill.status.unwrap().number(), 0);
}

fn flate2_of(text: &str) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let packed = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    packed
}

#[test]
fn the_same_kill_in_two_files_is_told_once() {
    let both = kill(1) + &kill(2);
    let tree = tree(&[
        ("kern.log", &both),
        ("syslog", &(noise(10) + &both + &kill(3))),
    ]);
    let ran = run(&[&path(&tree, "")]);
    assert_eq!(ran.out, "[1]\n[2]\n[3]\n");
    assert_eq!(
        ran.view.seen[0].also_in,
        [format!("{}:11", path(&tree, "syslog"))]
    );
    assert!(ran.view.warnings.is_empty(), "{:?}", ran.view.warnings);
    assert_eq!(ran.judge.remembered, ["[1]", "[2]", "[3]"]);

    let ran = run(&["--comm", "app1", "-o", "ndjson", &path(&tree, "")]);
    assert_eq!(ran.out, "[1]\n");
    let said = &ran.view.warnings;
    assert!(
        said.len() == 1 && said[0].contains("1 kill(s)"),
        "what was not asked for is not named: {said:?}"
    );

    // Printed as they are found, they can only be named afterwards.
    let ran = run(&["-o", "ndjson", &path(&tree, "")]);
    assert_eq!(ran.out, "[1]\n[2]\n[3]\n");
    assert_eq!(ran.view.warnings.len(), 1, "{:?}", ran.view.warnings);
    let said = &ran.view.warnings[0];
    assert!(
        said.contains("2 kill(s) were told before") && said.contains("syslog:11, is the one at"),
        "{said}"
    );

    // More than are held back: order and once-ness stay.
    let many: String = (1..=600).map(kill).collect();
    let tree = self::tree(&[("kern.log", &many), ("syslog", &many)]);
    let ran = run(&[&path(&tree, "")]);
    let expected: String = (1..=600).map(|number| format!("[{number}]\n")).collect();
    assert!(ran.out == expected, "{}", ran.out);
    let named = ran
        .view
        .seen
        .iter()
        .filter(|incident| !incident.also_in.is_empty())
        .count();
    assert!(named > 0);
    let rest = format!("{} kill(s) were told before", 600 - named);
    assert!(
        ran.view.warnings[0].contains(&rest),
        "{:?}",
        ran.view.warnings
    );
}

#[test]
fn a_view_that_breaks_ends_the_run_and_a_broken_pipe_is_no_failure() {
    let many: String = (1..=5000).map(kill).collect();
    let tree = tree(&[("a", &many), ("b", &many.replace("process ", "process 9"))]);
    for threads in ["1", "2"] {
        let view = TestView {
            break_after: Some(3),
            ..TestView::default()
        };
        let arguments = ["--threads", threads, "-o", "ndjson", &path(&tree, "")];
        let ran = run_at(&Root::at("/nonexistent"), &arguments, view);
        let error = ran.status.unwrap_err();
        assert!(whodunit::exit::is_broken_pipe(&error), "{error:?}");
        assert_eq!(ran.out, "[1]\n[2]\n[3]\n");
        assert_eq!(
            format!("{:?}", whodunit::exit::code(Err(error))),
            format!("{:?}", std::process::ExitCode::SUCCESS)
        );
    }
    let other = anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull));
    assert!(!whodunit::exit::is_broken_pipe(&other));
}

#[test]
fn a_year_comes_from_when_the_file_was_written() {
    let tree = tree(&[
        ("kern.log", &kill(1)),
        ("december", &kill(2).replace("Jan  2", "Dec 30")),
    ]);
    // 2021-01-03: 2 January is this year's, 30 December last year's.
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_609_632_000);
    for name in ["kern.log", "december"] {
        fs::File::options()
            .write(true)
            .open(tree.path().join(name))
            .unwrap()
            .set_modified(written)
            .unwrap();
    }
    let times = |arguments: &[&str]| -> Vec<String> {
        let mut all = arguments.to_vec();
        let paths = [path(&tree, "kern.log"), path(&tree, "december")];
        all.extend(paths.iter().map(String::as_str));
        let ran = run(&all);
        let assumption = ran.view.sources[0].time_assumption.clone().unwrap();
        let times = ran
            .view
            .seen
            .iter()
            .map(|incident| incident.time.unwrap().to_string());
        times.chain([assumption]).collect()
    };
    let found = times(&[]);
    assert_eq!(found[..2], ["2021-01-02T03:01:05Z", "2020-12-30T03:02:05Z"]);
    assert!(
        found[2].contains("2021-01-03") && found[2].contains("UTC"),
        "{}",
        found[2]
    );
    let found = times(&["--year", "2019", "--timezone", "+02:00"]);
    assert_eq!(found[..2], ["2019-01-02T01:01:05Z", "2019-12-30T01:02:05Z"]);
    assert!(
        found[2].contains("2019") && found[2].contains("+02"),
        "{}",
        found[2]
    );
}

#[test]
fn this_machines_log_is_named_and_dated() {
    let line = "4,1234,56789000000,-;Memory cgroup out of memory: Killed process 42 (app) total-vm:1000kB, \
                anon-rss:100kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n";
    let tree = tree(&[("dev/kmsg", line), ("proc/stat", "btime 1767225600\n")]);
    let ran = run_at(&Root::at(tree.path()), &[], TestView::default());
    assert_eq!(ran.status.unwrap(), Status::Finished);
    assert_eq!(ran.out, "[42]\n");
    assert_eq!(ran.view.seen[0].source.kind, SourceKind::Kmsg);
    assert_eq!(
        ran.view.seen[0].time.unwrap().to_string(),
        "2026-01-01T15:46:29Z"
    );
    assert_eq!(ran.view.warnings[0], "reading /dev/kmsg");
    assert!(
        ran.view
            .warnings
            .iter()
            .any(|warning| warning.contains("first 1234 records")),
        "{:?}",
        ran.view.warnings
    );

    let nothing = tempfile::tempdir().unwrap();
    let ran = run_at(&Root::at(nothing.path()), &[], TestView::default());
    assert_eq!(ran.status.unwrap().number(), 3);
    assert!(
        ran.view.warnings[0].contains("hand one over"),
        "{:?}",
        ran.view.warnings
    );
    assert_eq!(ran.view.warnings.len(), 7);
}

#[test]
fn since_and_until_leave_out_what_has_no_time_and_say_so() {
    let bare = kill(7).split_once("kernel: ").unwrap().1.to_owned();
    let tree = tree(&[
        (
            "iso",
            &kill(1).replace("Jan  2 03:01:05", "2026-01-02T03:01:05+00:00"),
        ),
        ("bare", &bare),
    ]);
    let both = [path(&tree, "iso"), path(&tree, "bare")];
    let ran = run(&[
        "--since",
        "2026-01-01",
        "--timezone",
        "UTC",
        &both[0],
        &both[1],
    ]);
    assert_eq!(ran.out, "[1]\n");
    assert!(
        ran.view.warnings[0].contains("1 kill(s) have no wall-clock time"),
        "{:?}",
        ran.view.warnings
    );
    let ran = run(&["--until", "2026-01-02T03:01:05Z", &both[0]]);
    assert_eq!(ran.out, "");
    let ran = run(&["--since", "soon", &both[0]]);
    assert!(
        ran.status
            .unwrap_err()
            .to_string()
            .contains("--since: \"soon\" is no time")
    );
}

#[test]
fn moments_are_read_as_people_write_them() {
    let now: ZonedDateTime = "2026-03-31T14:00:00+02:00[+02:00]".parse().unwrap();
    for (text, expected) in [
        ("2026-01-31T14:00:00Z", "2026-01-31T14:00:00Z"),
        ("2026-01-31T14:00:00.5+01:00", "2026-01-31T13:00:00.5Z"),
        ("2026-01-31", "2026-01-30T22:00:00Z"),
        ("2026-01-31 14:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31 14:00:30", "2026-01-31T12:00:30Z"),
        ("13:30", "2026-03-31T11:30:00Z"),
        ("now", "2026-03-31T12:00:00Z"),
        ("today", "2026-03-30T22:00:00Z"),
        ("yesterday", "2026-03-29T22:00:00Z"),
        ("2h", "2026-03-31T10:00:00Z"),
        ("-30min", "2026-03-31T11:30:00Z"),
        ("1h30m", "2026-03-31T10:30:00Z"),
        ("90 seconds ago", "2026-03-31T11:58:30Z"),
        ("1 month", "2026-02-28T12:00:00Z"),
        ("@1767225600", "2026-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            moment(text, &now)
                .map(|moment| moment.to_string())
                .as_deref(),
            Ok(expected),
            "{text}"
        );
    }
    for text in ["", "soon", "2026-13-01", "@x", "25:00"] {
        assert!(
            moment(text, &now).unwrap_err().contains("is no time"),
            "{text}"
        );
    }
}

#[test]
fn zones_are_read() {
    for (text, seconds) in [
        ("UTC", 0),
        ("Z", 0),
        ("+02:00", 7200),
        ("-0330", -12600),
        ("+2", 7200),
        ("+5:30", 19800),
    ] {
        let zone = dating::zone(text).unwrap();
        assert_eq!(zone.to_fixed_offset().unwrap().seconds(), seconds, "{text}");
    }
    assert!(dating::zone("local").is_ok());
    for text in ["Europe/Atlantis", "+25:00", "+", "", "+aa:bb"] {
        assert!(dating::zone(text).is_err(), "{text}");
    }
}

#[test]
fn the_filter_judges_victims_and_their_homes() {
    let container = Container {
        id: Some("4d5a9c0e77".to_owned()),
        runtime: None,
        name: Some("web".to_owned()),
        image: None,
        is_pause: false,
        restart_count: None,
    };
    let pod = Pod {
        uid: Some("0b5e8a4c-77aa-4b0e-9e52-3d4d0a2d0b11".to_owned()),
        namespace: None,
        name: Some("Shop-7f".to_owned()),
        qos_class: None,
        owner: None,
    };
    let mut one = incident(
        &OomReport::default(),
        &SourceInfo {
            kind: SourceKind::File,
            path: None,
            bytes: None,
            lines: None,
            time_assumption: None,
            error: None,
        },
    );
    let victim = |comm: &str| VictimInfo {
        comm: comm.into(),
        ..VictimInfo::default()
    };
    one.victims = vec![
        victim("java"),
        VictimInfo {
            container: Some(container),
            pod: Some(pod),
            ..victim("gunicorn: worke")
        },
    ];
    one.time = Some("2026-01-02T03:04:05Z".parse().unwrap());
    let at = |time: &str| Some(time.parse().unwrap());
    let word = |word: &str| Some(word.to_owned());
    let keep = [
        Filter::default(),
        Filter {
            comm: word("java"),
            ..Filter::default()
        },
        Filter {
            comm: word("gunicorn: worker [shop]"),
            ..Filter::default()
        },
        Filter {
            pod: word("0b5e8a4c-77aa-4b0e-9e52-3d4d0a2d0b11"),
            ..Filter::default()
        },
        Filter {
            pod: word("0B5E8A4C_77aa"),
            ..Filter::default()
        },
        Filter {
            pod: word("shop"),
            ..Filter::default()
        },
        Filter {
            container: word("4D5a"),
            ..Filter::default()
        },
        Filter {
            container: word("web"),
            ..Filter::default()
        },
        Filter {
            since: at("2026-01-02T03:04:05Z"),
            until: at("2026-01-02T03:04:06Z"),
            ..Filter::default()
        },
    ];
    for filter in keep {
        assert_eq!(filter.answer(&one), Answer::Keep, "{filter:?}");
    }
    let drop = [
        Filter {
            comm: word("jav"),
            ..Filter::default()
        },
        Filter {
            comm: word("javac"),
            ..Filter::default()
        },
        Filter {
            pod: word("other"),
            ..Filter::default()
        },
        Filter {
            container: word("5a9c"),
            ..Filter::default()
        },
        Filter {
            container: word("we"),
            ..Filter::default()
        },
        Filter {
            since: at("2026-01-02T03:04:06Z"),
            ..Filter::default()
        },
        Filter {
            until: at("2026-01-02T03:04:05Z"),
            ..Filter::default()
        },
        Filter {
            comm: word("java"),
            pod: word("other"),
            ..Filter::default()
        },
    ];
    for filter in drop {
        assert_eq!(filter.answer(&one), Answer::Drop, "{filter:?}");
    }
    one.time = None;
    let since = Filter {
        since: at("2026-01-02T03:04:05Z"),
        ..Filter::default()
    };
    assert_eq!(since.answer(&one), Answer::TimeUnknown);
    assert_eq!(
        Filter {
            comm: word("x"),
            ..since
        }
        .answer(&one),
        Answer::Drop
    );
}

#[test]
fn help_version_and_wrong_usage() {
    let help = whodunit(&["explain", "--help"]);
    assert!(help.status.success());
    for option in [
        "--output",
        "--quiet",
        "--since",
        "--until",
        "--pod",
        "--container",
        "--comm",
        "--fail-on-kill",
        "--all",
        "--width",
        "--color",
        "--timezone",
        "--year",
        "--threads",
        "--no-progress",
        "Exit status",
    ] {
        assert!(text(&help.stdout).contains(option), "{option}");
    }
    assert_eq!(
        text(&whodunit(&["--version"]).stdout).trim(),
        concat!("whodunit ", env!("CARGO_PKG_VERSION"))
    );
    for wrong in [
        &["explain", "--nonsense"][..],
        &["nonsense"],
        &[],
        &["explain", "-o", "xml"],
        &["explain", "--threads", "0"],
        &["explain", "--timezone", "Europe/Atlantis"],
        &["explain", "--year", "99"],
        &["explain", "--comm", ""],
        &["completions", "cmd.exe"],
    ] {
        let output = whodunit(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    assert_eq!(
        explain_args(&["--since", "-30min"]).since.as_deref(),
        Some("-30min")
    );
}

#[test]
fn completions_are_scripts_of_their_shells() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = whodunit(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        assert!(text(&output.stdout).contains("fail-on-kill"), "{shell}");
    }
    let script = whodunit(&["completions", "bash"]).stdout;
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(&script).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn manual_pages_are_printed_and_written() {
    let page = whodunit(&["man", "explain"]);
    assert!(page.status.success());
    let page = text(&page.stdout);
    assert!(page.contains(".TH whodunit-explain 1"), "{}", &page[..200]);
    assert!(page.contains("fail\\-on\\-kill"));
    assert!(text(&whodunit(&["man"]).stdout).contains(".TH whodunit 1"));
    let directory = tempfile::tempdir().unwrap();
    assert!(
        whodunit(&["man", "--directory", directory.path().to_str().unwrap()])
            .status
            .success()
    );
    for name in [
        "whodunit.1",
        "whodunit-explain.1",
        "whodunit-completions.1",
        "whodunit-man.1",
    ] {
        assert!(directory.path().join(name).is_file(), "{name}");
    }
    let missing = whodunit(&["man", "--directory", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).contains("/nonexistent/whodunit.1"),
        "{}",
        text(&missing.stderr)
    );
    assert_eq!(whodunit(&["man", "nonsense"]).status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["man", "explain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closed before it is written to, or after what a pipe holds: neither is an error.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn no_name_of_a_file_reaches_the_terminal_as_an_escape_sequence() {
    assert_eq!(
        terminal::printable("a\x1b[2Jb\nc\u{202e}d\u{9b}é"),
        "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}é"
    );
    let name = "\x1b]0;evil\x07";
    let output = whodunit(&["man", "--directory", name]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.contains(&0x1b) && !output.stderr.contains(&0x07));
    assert!(Path::new(name).components().count() == 1);
}
