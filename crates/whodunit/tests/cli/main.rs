//! The command line: the binary where it needs no judgement, and the way from arguments to printed incidents with a
//! judge and a view of the test's own, over real files and the real scanner.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

mod pipeline;
mod program;
mod selection;
mod standard_input;

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
    Container, Incident, IncidentSource, Pod, SourceInfo, SourceKind, VictimInfo,
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
    fn incident(&mut self, report: OomReport, _source: usize, info: &SourceInfo) -> Incident {
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

fn incident(report: OomReport, info: &SourceInfo) -> Incident {
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
            boot: None,
            complete: true,
            provenance: Provenance::Unverified,
        },
        victims,
        ..Incident::empty()
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
