//! `lab fixtures` and `lab demo`. Wiring only.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};
use whodunit_lab::kernel::{SUITES, Suite, vmlinuz};
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
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Fixtures { kernel, out } => make_fixtures(kernel.as_deref(), &out),
        Task::Demo { explain_with } => demo::show(&explain_with),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
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
