//! What is said of the measurements, and whether the targets were met.

use std::process::ExitCode;

/// The targets so far.
pub(crate) struct Outcome {
    quick: bool,
    missed: Vec<String>,
}

impl Outcome {
    pub(crate) fn new(quick: bool) -> Self {
        if quick {
            println!("quick: counts are checked, times are shown and not judged");
        }
        Self {
            quick,
            missed: Vec::new(),
        }
    }

    /// Prints a target and whether it was met.
    pub(crate) fn target(&mut self, what: &str, met: bool) {
        let word = match (met, self.quick) {
            (true, _) => "met",
            (false, true) => "not judged",
            (false, false) => "MISSED",
        };
        println!("  target: {what}: {word}");
        if !met && !self.quick {
            self.missed.push(what.to_owned());
        }
    }

    /// Prints what was counted; unlike a time it must be right on a busy machine, too.
    pub(crate) fn count(&mut self, what: &str, right: bool) {
        println!("  count: {what}: {}", if right { "right" } else { "WRONG" });
        if !right {
            self.missed.push(what.to_owned());
        }
    }

    /// The exit status of it all.
    pub(crate) fn told(&self) -> ExitCode {
        for missed in &self.missed {
            println!("missed: {missed}");
        }
        if self.missed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
