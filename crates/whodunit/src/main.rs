//! The program: reads the command line, runs one subcommand, turns its outcome into an exit status.

use std::process::ExitCode;

use clap::Parser;
use whodunit::cli::{Cli, Command};
use whodunit::{agent, completions, exit, explain, incident, incidents, man, suspects, watch};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Agent(arguments) => agent::run(&arguments),
        Command::Incidents(arguments) => incidents::run(&arguments),
        Command::Incident(arguments) => incident::run(&arguments),
        Command::Suspects(arguments) => suspects::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    };
    exit::code(outcome)
}
