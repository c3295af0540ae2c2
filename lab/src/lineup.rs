//! The line-up: every kind of death is provoked for real while the program watches, and what was provoked is held
//! against what it told.
//!
//! [`table`] says which kinds there are and what must be said of each; three shell scripts provoke them, on this
//! machine and in the virtual machines alike; [`play`] runs them and takes their words apart; [`matrix`] compares and
//! prints. What the program told is attributed to a run by the container ids and pod uids that only this run has.

pub mod matrix;
pub mod play;
mod record;
pub mod table;

use std::path::PathBuf;

use anyhow::Context;

use crate::Result;
use crate::kernel::Suite;
use matrix::Outcome;
use table::{KINDS, Kind};

/// What is to be provoked, and where.
#[derive(Debug, Clone)]
pub struct Order {
    /// Runs of each kind.
    pub runs: usize,
    /// Ordinary deaths in a run of the bystanders.
    pub bystanders: usize,
    /// Only these kinds; all when empty.
    pub kinds: Vec<String>,
    /// The program that watches, on this machine.
    pub whodunit: PathBuf,
    /// Also writes the facts of the first run of each kind into this folder.
    pub record: Option<PathBuf>,
}

/// A machine of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The machine that runs the lab.
    Here,
    /// A virtual machine with this kernel.
    Vm(Suite),
}

impl Place {
    /// `here`, or the name of a kernel or a Debian suite.
    pub fn of(name: &str) -> Result<Self> {
        if name == "here" {
            return Ok(Self::Here);
        }
        Suite::of(name)
            .map(Self::Vm)
            .with_context(|| format!("no such kernel in the lab: {name}"))
    }

    /// How it is called in a report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Vm(suite) => suite.kernel,
        }
    }

    /// The kinds that can be provoked there.
    pub fn kinds(self, wanted: &[String]) -> Result<Vec<&'static Kind>> {
        for name in wanted {
            KINDS
                .iter()
                .find(|kind| kind.name == *name)
                .with_context(|| format!("no such kind in the line-up: {name}"))?;
        }
        let named = |kind: &&Kind| wanted.is_empty() || wanted.iter().any(|name| name == kind.name);
        Ok(KINDS
            .iter()
            .filter(|kind| kind.stage.holds(self))
            .filter(named)
            .collect())
    }
}

/// Provokes what is ordered in one place.
pub fn run(place: Place, order: &Order) -> Result<Outcome> {
    let kinds = place.kinds(&order.kinds)?;
    let played = match place {
        Place::Here => play::here(&kinds, order)?,
        Place::Vm(suite) => play::vm(suite, &kinds, order)?,
    };
    if let Some(folder) = &order.record {
        record::write(folder, &kinds, &played)?;
    }
    Ok(matrix::compare(place, &kinds, played))
}
