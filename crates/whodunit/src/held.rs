//! The same kill read in several places (kern.log and syslog, a file and its copy) is told once, with the other
//! places named: incidents are held back for a while, so that these can still be added. Holds a bounded number.

use std::collections::VecDeque;

use whodunit_case::incident::Incident;

/// Incidents held back at most. One with a task table of 500 rows takes about 100 kB, so 256 of them keep memory
/// within tens of megabytes however long the input is.
pub const HELD_MAX: usize = 256;

/// Incidents on their way to the view, in order.
#[derive(Debug)]
pub struct Held {
    most: usize,
    incidents: VecDeque<Incident>,
}

impl Held {
    /// `most` 0: nothing is held back.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            incidents: VecDeque::new(),
        }
    }

    /// Adds another place to the incident that was read at `first`. False when it is not held (any more).
    pub fn add_place(&mut self, again: &Incident, first: &str) -> bool {
        let same = |held: &&mut Incident| held.id == again.id && place(held) == first;
        match self.incidents.iter_mut().rev().find(same) {
            Some(held) => {
                held.also_in.push(place(again));
                true
            }
            None => false,
        }
    }

    /// Takes an incident, gives those to be printed now.
    pub fn take(&mut self, incident: Incident) -> impl Iterator<Item = Incident> {
        self.incidents.push_back(incident);
        let excess = self.incidents.len().saturating_sub(self.most);
        self.incidents.drain(..excess)
    }

    /// The rest, in order.
    pub fn finish(self) -> impl Iterator<Item = Incident> {
        self.incidents.into_iter()
    }
}

/// `path:line`, `-` for a source without a path.
pub fn place(incident: &Incident) -> String {
    let source = &incident.source;
    format!(
        "{}:{}",
        source.path.as_deref().unwrap_or("-"),
        source.first_line.unwrap_or(0)
    )
}
