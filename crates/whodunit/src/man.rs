//! `whodunit man`: manual pages, made from the command line's grammar.

use std::fs;
use std::io::{self, Write};

use anyhow::{Context, bail};
use clap::{Command, CommandFactory};

use crate::cli::{Cli, ManArgs};
use crate::exit::Status;

/// Prints one page, or writes all.
pub fn run(arguments: &ManArgs) -> anyhow::Result<Status> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    if let Some(directory) = &arguments.directory {
        for command in std::iter::once(&program).chain(program.get_subcommands()) {
            let path = directory.join(format!("{}.1", page_name(command)));
            fs::write(&path, page(command)?).with_context(|| path.display().to_string())?;
        }
        return Ok(Status::Finished);
    }
    let command = match &arguments.command {
        None => &program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command,
            None => bail!("there is no subcommand {name:?}: `whodunit --help` lists them"),
        },
    };
    io::stdout()
        .write_all(&page(command)?)
        .context("standard output")?;
    Ok(Status::Finished)
}

/// `whodunit`, `whodunit-explain`
fn page_name(command: &Command) -> String {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned()
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(page_name(command))
        .render(&mut page)?;
    Ok(page)
}
