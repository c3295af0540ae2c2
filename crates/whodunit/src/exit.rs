//! What the program's exit status says, as in the output contract.

use std::io;
use std::process::ExitCode;

use crate::terminal;

/// How a subcommand ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Looked and finished, whatever was found.
    Finished,
    /// Some source could not be read; the rest is reported.
    SomeUnreadable,
    /// Failed while working, and said so already.
    Failed,
    /// There was a kill, and the user asked to be told so.
    Kill,
}

impl Status {
    /// The number. A wrong command line is 2, by clap; failing is 1.
    pub fn number(self) -> u8 {
        match self {
            Self::Finished => 0,
            Self::Failed => 1,
            Self::SomeUnreadable => 3,
            Self::Kill => 10,
        }
    }
}

/// The exit status; says on standard error what failed. That nobody reads on (`| head`) is no failure.
pub fn code(outcome: anyhow::Result<Status>) -> ExitCode {
    match outcome {
        Ok(status) => ExitCode::from(status.number()),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether somewhere below the reader of the output went away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
