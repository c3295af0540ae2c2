//! Where the words of a running watch go: a person's standard error, or a service's log. Any thread may speak.

use crate::terminal;

/// How notes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// On standard error, for a person.
    Terminal {
        /// Without what is only good to know.
        quiet: bool,
    },
    /// Through `tracing`.
    Log,
}

impl Voice {
    /// What is going on as it should.
    pub fn inform(self, text: &str) {
        match self {
            Self::Terminal { quiet: true } => {}
            Self::Terminal { quiet: false } => terminal::complain(text),
            Self::Log => tracing::info!(target: "whodunit", "{}", terminal::printable(text)),
        }
    }

    /// What limits the evidence: a source that is not there, records that were lost.
    pub fn note(self, text: &str) {
        match self {
            Self::Terminal { quiet: true } => {}
            Self::Terminal { quiet: false } => terminal::complain(text),
            Self::Log => tracing::warn!(target: "whodunit", "{}", terminal::printable(text)),
        }
    }

    /// What somebody has to do something about.
    pub fn complain(self, text: &str) {
        match self {
            Self::Terminal { .. } => terminal::complain(text),
            Self::Log => tracing::error!(target: "whodunit", "{}", terminal::printable(text)),
        }
    }
}
