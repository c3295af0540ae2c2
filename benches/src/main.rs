//! The benchmarks: how fast whodunit reads a log, against ripgrep and against what the machine can do at best; and what
//! watching a machine is worth ([`live`]): real kills, counted, timed and compared with bpftrace's tools.
//!
//! ```text
//! cargo run --release -p whodunit-benches -- [scan|stdin|parse|start|latency|storm|idle|peers|all] [--quick]
//! ```
//!
//! Every figure of reading is a ratio within one run: whodunit, its peer (`rg`, Debian's `ripgrep`) and the limit (the
//! same bytes read once and nothing else done) take turns, round after round, so that what else the machine does hits
//! all alike. Printed are the fastest round, the median, and the noise: how far the median lies above the fastest. A
//! target is held against the fastest rounds. What is read are real reports of tests/fixtures/kernels in noise made here
//! ([`noise`]), the same on every machine; kept under target/bench from run to run. Figures of watching are quantiles
//! and counts of one run, with the machine's load beside them.
//!
//! `--quick` is for CI: small logs, few rounds, few kills; it sees that everything runs and counts right, and judges no
//! time. Without it a missed target is an exit status of 1; a wrong count is one in any case.

mod child;
mod facts;
mod limit;
mod live;
mod log_file;
mod noise;
mod outcome;
mod parse;
mod reports;
mod rounds;
mod scan;
mod start;
mod stdin;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::outcome::Outcome;

/// How fast whodunit is and what it costs, against its peers and the machine's limit.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which one
    #[command(subcommand)]
    what: Option<What>,
    /// Small and short: counts are checked, times are not
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// A big log, mostly noise, mapped: against ripgrep, on one core and on two; peak memory
    Scan,
    /// The same through a pipe: throughput, and memory at three lengths
    Stdin,
    /// Full reports with 500 tasks each: MiB/s of one core, facts a report
    Parse,
    /// From start to verdict on a kern.log of 1 MB
    Start,
    /// Live: 10,000 kills in a storm, each told once and rightly
    Storm,
    /// Live: from the kill to the verdict on standard output
    Latency,
    /// Live: what watching costs while nothing happens
    Idle,
    /// Live: who sees which kill, and what a kill costs under each: against bpftrace's killsnoop and oomkill
    Peers,
    /// All of them
    All,
    /// Kills, for the live ones
    #[command(hide = true)]
    Act {
        /// Who kills whom
        #[command(subcommand)]
        act: live::act::Act,
    },
    /// Counts the line ends of a mapped file: the limit of any scanner
    #[command(hide = true)]
    Newlines {
        /// File
        path: PathBuf,
    },
    /// Reads standard input to its end: the limit of any reader of a pipe
    #[command(hide = true)]
    Drain,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.what {
        Some(What::Newlines { path }) => {
            println!("{}", limit::newlines(path)?);
            return Ok(ExitCode::SUCCESS);
        }
        Some(What::Drain) => {
            println!("{}", limit::drain()?);
            return Ok(ExitCode::SUCCESS);
        }
        Some(What::Act { act }) => {
            live::act::run(act)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let what = arguments.what.unwrap_or(What::All);
    let bench = Bench::prepare(arguments.quick)?;
    let mut outcome = Outcome::new(arguments.quick);
    let all = matches!(what, What::All);
    if all || matches!(what, What::Parse) {
        parse::run(&bench, &mut outcome).context("parse")?;
    }
    if all || matches!(what, What::Start) {
        start::run(&bench, &mut outcome).context("start")?;
    }
    if all || matches!(what, What::Scan) {
        scan::run(&bench, &mut outcome).context("scan")?;
    }
    if all || matches!(what, What::Stdin) {
        stdin::run(&bench, &mut outcome).context("stdin")?;
    }
    if all || matches!(what, What::Latency) {
        live::latency::run(&bench, &mut outcome).context("latency")?;
    }
    if all || matches!(what, What::Storm) {
        live::storm::run(&bench, &mut outcome).context("storm")?;
    }
    if all || matches!(what, What::Idle) {
        live::idle::run(&bench, &mut outcome).context("idle")?;
    }
    if all || matches!(what, What::Peers) {
        live::peers::run(&bench, &mut outcome).context("peers")?;
    }
    Ok(outcome.told())
}

/// What all of them need.
struct Bench {
    /// The program, built for release.
    whodunit: PathBuf,
    /// This program, for the limits.
    own: PathBuf,
    /// Where logs are kept from run to run.
    folder: PathBuf,
    quick: bool,
}

impl Bench {
    /// Builds the program as it is shipped, so that no stale one is measured.
    fn prepare(quick: bool) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("the path of this program")?;
        let release = own.parent().context("the folder of this program")?;
        let target = release.parent().context("the target folder")?;
        child::build(target)?;
        child::raise_priority();
        let folder = target.join("bench");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self {
            whodunit: target.join("release").join("whodunit"),
            own,
            folder,
            quick,
        })
    }

    /// A folder for one run; gone after it.
    fn scratch(&self) -> anyhow::Result<tempfile::TempDir> {
        let scratch = tempfile::Builder::new()
            .prefix("live-")
            .tempdir_in(&self.folder);
        scratch.with_context(|| self.folder.display().to_string())
    }
}
