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
    /// Provokes one kill by a container's memory limit on this machine; exit status 3 when that can't be done here.
    Demo,
}

/// This machine can't be a stage.
const CANNOT: u8 = 3;

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Fixtures { kernel, out } => make_fixtures(kernel.as_deref(), &out),
        Task::Demo => match machine::hierarchy() {
            Ok(hierarchy) => show(&hierarchy),
            Err(why) => {
                eprintln!("lab: no kill can be provoked on this machine: {why:#}");
                return ExitCode::from(CANNOT);
            }
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show(hierarchy: &machine::Hierarchy) -> Result<()> {
    let truth = demo::demo(hierarchy)?;
    for incident in &truth.incidents {
        for victim in &incident.victims {
            println!(
                "provoked a real OOM kill (cgroup {}): {} (pid {}), limit {} KiB, in {}",
                truth.cgroup_version,
                victim.comm,
                victim.pid,
                incident.limit_kib.unwrap_or_default(),
                incident.task_memcg.as_deref().unwrap_or_default()
            );
        }
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
