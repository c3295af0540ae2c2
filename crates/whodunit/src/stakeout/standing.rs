//! Whether each source stands, in a word and a reason: for those who ask from outside. Values only.

/// A source of a stakeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its short name, stable: `signals`, `exits`, `oom-marks`, `kernel-log`, `cgroups`, `runtimes`.
    pub source: &'static str,
    /// Whether it is there.
    pub state: State,
}

/// Whether a source is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is read.
    Stands,
    /// It was asked for and is not there.
    Missing {
        /// What came back.
        why: String,
    },
    /// Nobody asked for it.
    NotAsked,
}

impl Standing {
    /// Whether something that was asked for is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self.state, State::Missing { .. })
    }
}
