//! `whodunit completions SHELL`: the completion script, on standard output.

use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::Status;

/// Prints the script.
pub fn run(arguments: &CompletionsArgs) -> anyhow::Result<Status> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "whodunit",
        &mut script,
    );
    io::stdout().write_all(&script).context("standard output")?;
    Ok(Status::Finished)
}
