//! The same kill read in several places (kern.log and syslog, a file and its copy) is told once, with the other
//! places named. Holds a bounded number of incidents back to do so.

use std::collections::{HashMap, VecDeque};

use whodunit_case::incident::Incident;

/// Incidents held back at most. One with a task table of 500 rows takes about 100 kB, so 256 of them keep memory
/// within tens of megabytes however long the input is.
pub const HELD_MAX: usize = 256;

/// Incidents on their way to the view.
#[derive(Debug)]
pub struct SaidOnce {
    hold: usize,
    held: VecDeque<Incident>,
    /// By id, where it was first read; it stays here after its incident has left.
    first: HashMap<String, First>,
}

#[derive(Debug)]
struct First {
    place: String,
    told: bool,
}

/// Whether a kill was read before.
#[derive(Debug, PartialEq, Eq)]
pub enum Before {
    /// No.
    New,
    /// Yes; the other place was added to it, or it was not asked for.
    Known,
    /// Yes, and it has been printed already.
    Printed {
        /// This place.
        place: String,
        /// The place it was printed from.
        first: String,
    },
}

impl SaidOnce {
    /// `hold` 0: nothing is held back, and a second place comes back as [`Before::Printed`].
    pub fn new(hold: usize) -> Self {
        Self {
            hold,
            held: VecDeque::new(),
            first: HashMap::new(),
        }
    }

    /// Looks whether the kill was read before, and notes its place.
    pub fn before(&mut self, incident: &Incident) -> Before {
        let place = place(incident);
        let Some(first) = self.first.get(&incident.id) else {
            self.first
                .insert(incident.id.clone(), First { place, told: false });
            return Before::New;
        };
        match self
            .held
            .iter_mut()
            .rev()
            .find(|held| held.id == incident.id)
        {
            Some(held) => held.also_in.push(place),
            None if first.told => {
                return Before::Printed {
                    place,
                    first: first.place.clone(),
                };
            }
            None => {}
        }
        Before::Known
    }

    /// Takes a new incident, gives those to be printed now.
    pub fn take(&mut self, incident: Incident) -> impl Iterator<Item = Incident> {
        if let Some(first) = self.first.get_mut(&incident.id) {
            first.told = true;
        }
        self.held.push_back(incident);
        let excess = self.held.len().saturating_sub(self.hold);
        self.held.drain(..excess)
    }

    /// The rest, in order.
    pub fn finish(self) -> impl Iterator<Item = Incident> {
        self.held.into_iter()
    }
}

/// `path:line`
fn place(incident: &Incident) -> String {
    let source = &incident.source;
    let path = source
        .path
        .clone()
        .unwrap_or_else(|| format!("{:?}", source.kind).to_lowercase());
    match source.first_line {
        Some(line) => format!("{path}:{line}"),
        None => path,
    }
}
