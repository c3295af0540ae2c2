//! `lab fixtures`, `lab demo` and `lab lineup`. Wiring only.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};
use whodunit_lab::kernel::{SUITES, Suite, vmlinuz};
use whodunit_lab::lineup::{self, Order, Place, matrix};
use whodunit_lab::scenario::Boot;
use whodunit_lab::{Result, demo, fixtures, hog, machine, packages};

/// Provokes real OOM kills and knows the truth about each.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Stages every scenario and keeps the kernel's records with the truth about each.
    Fixtures {
        /// Only this one: `here`, or a kernel of the lab (5.10, 6.1, 6.12, newest) or its Debian suite.
        #[arg(long)]
        kernel: Option<String>,
        /// The folder that gets one folder for each kernel.
        out: PathBuf,
    },
    /// Provokes one kill by a container's memory limit on this machine and has it explained; where that can't be done
    /// here, explains a recording of the same.
    Demo {
        /// The program that explains: a whodunit.
        #[arg(long, value_name = "PROGRAM")]
        explain_with: PathBuf,
    },
    /// Provokes every kind of death while the program watches, and prints what was provoked against what it told.
    Lineup(Lineup),
}

#[derive(clap::Args)]
struct Lineup {
    /// Runs of each kind.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Only these kinds, with commas between.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Where: `here`, or a kernel of the lab (5.10, 6.1, 6.12).
    #[arg(long, default_value = "here")]
    kernel: String,
    /// Ordinary deaths among which nobody may be accused.
    #[arg(long, default_value_t = 1000)]
    bystanders: usize,
    /// The program that watches; the one built beside this one when not given.
    #[arg(long, value_name = "PROGRAM")]
    whodunit: Option<PathBuf>,
    /// Keep the facts of the first run of each kind in this folder.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// The matrix and every failure as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Fixtures { kernel, out } => make_fixtures(kernel.as_deref(), &out),
        Task::Demo { explain_with } => demo::show(&explain_with),
        Task::Lineup(arguments) => line_up(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn line_up(arguments: Lineup) -> Result<()> {
    let whodunit = match arguments.whodunit {
        Some(named) => named,
        None => std::env::current_exe()?.with_file_name("whodunit"),
    };
    let order = Order {
        runs: arguments.runs,
        bystanders: arguments.bystanders,
        kinds: arguments.kinds,
        whodunit,
        record: arguments.record,
    };
    let outcome = lineup::run(Place::of(&arguments.kernel)?, &order)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{}", matrix::print(&outcome));
    }
    if !outcome.is_clean() {
        bail!("the line-up is not clean");
    }
    Ok(())
}

fn make_fixtures(wanted: Option<&str>, out: &std::path::Path) -> Result<()> {
    let hog = hog::build()?;
    let here = wanted.is_none_or(|name| name == "here");
    let suites: Vec<Suite> = SUITES
        .into_iter()
        .filter(|suite| wanted.is_none_or(|name| name == suite.kernel || name == suite.name))
        .collect();
    if !here && suites.is_empty() {
        bail!("no such kernel in the lab: {}", wanted.unwrap_or_default());
    }
    if here {
        let recorded = fixtures::record_here(&machine::hierarchy()?, &hog, "this machine")?;
        println!("{}", fixtures::write(out, &recorded, None)?.display());
    }
    if !suites.is_empty() {
        packages::ensure()?;
    }
    for suite in suites {
        let image = vmlinuz(suite)?;
        let mut recorded = Vec::new();
        for boot in Boot::ALL {
            recorded.extend(fixtures::record_vm(&image, &hog, boot, suite.without)?);
        }
        println!(
            "{}",
            fixtures::write(out, &recorded, Some(suite))?.display()
        );
    }
    Ok(())
}
