//! Whether the main loop is alive, and what it has to see with: shared with whoever asks from another thread.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stakeout::{Standing, State};
use crate::terminal::printable;

/// A main loop that has not turned for so long is not alive: it turns every ten seconds when nothing happens.
const ALIVE_WITHIN: Duration = Duration::from_secs(30);

/// How the main loop does.
#[derive(Debug)]
pub(super) struct Health(Mutex<Known>);

#[derive(Debug)]
struct Known {
    turned: Instant,
    begun: bool,
    standing: Vec<Standing>,
    store: Option<String>,
}

impl Health {
    /// It begins now; opening the sources may take as long as a turn.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Known {
            turned: Instant::now(),
            begun: false,
            standing: Vec::new(),
            store: None,
        }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The main loop made a turn. `store`: why incidents cannot be kept.
    pub(super) fn turned(&self, now: Instant, standing: Vec<Standing>, store: Option<String>) {
        let mut known = self.known();
        known.turned = now;
        known.standing = standing;
        known.store = store;
    }

    /// The sources were opened.
    pub(super) fn begun(&self) {
        self.known().begun = true;
    }

    /// Whether it is alive, and the page that says so.
    pub(super) fn liveness(&self, now: Instant) -> (bool, Value) {
        let since = now.saturating_duration_since(self.known().turned);
        let alive = since < ALIVE_WITHIN;
        let page = json!({
            "alive": alive,
            "last_turn_seconds_ago": since.as_secs_f64(),
            "alive_within_seconds": ALIVE_WITHIN.as_secs(),
        });
        (alive, page)
    }

    /// Whether all sources that were asked for stand and incidents are kept, and the page that says what does not.
    pub(super) fn readiness(&self, now: Instant) -> (bool, Value) {
        let (alive, _) = self.liveness(now);
        let known = self.known();
        let sources: serde_json::Map<String, Value> = known
            .standing
            .iter()
            .map(|standing| (standing.source.to_owned(), state(&standing.state)))
            .collect();
        let store = match &known.store {
            None => json!({"state": "stands"}),
            Some(why) => json!({"state": "missing", "why": why}),
        };
        let missing = known.standing.iter().any(Standing::is_missing) || known.store.is_some();
        let ready = alive && known.begun && !missing;
        let page = json!({
            "ready": ready,
            "begun": known.begun,
            "sources": sources,
            "store": store,
        });
        (ready, page)
    }

    /// One line for a service manager.
    pub(super) fn in_words(&self, told: u64) -> String {
        let known = self.known();
        let sources = known
            .standing
            .iter()
            .filter(|standing| standing.is_missing());
        let mut missing: Vec<&str> = sources.map(|standing| standing.source).collect();
        missing.extend(known.store.is_some().then_some("store"));
        let without = match missing.is_empty() {
            true => String::new(),
            false => format!(" without {}", missing.join(", ")),
        };
        printable(&format!("Watching{without}; {told} incident(s) told"))
    }
}

fn state(state: &State) -> Value {
    match state {
        State::Stands => json!({"state": "stands"}),
        State::Missing { why } => json!({"state": "missing", "why": why}),
        State::NotAsked => json!({"state": "not-asked"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(state: State) -> Vec<Standing> {
        vec![Standing {
            source: "signals",
            state,
        }]
    }

    #[test]
    fn alive_is_who_turned_a_moment_ago() {
        let health = Health::new();
        let now = Instant::now();
        assert!(health.liveness(now).0);
        assert!(!health.liveness(now + Duration::from_secs(31)).0);
        health.turned(now + Duration::from_secs(30), Vec::new(), None);
        assert!(health.liveness(now + Duration::from_secs(31)).0);
    }

    #[test]
    fn ready_is_who_has_all_that_was_asked_for() {
        let health = Health::new();
        let now = Instant::now();
        health.turned(now, standing(State::Stands), None);
        assert!(!health.readiness(now).0, "it has not begun");
        health.begun();
        assert!(health.readiness(now).0);
        assert_eq!(health.in_words(3), "Watching; 3 incident(s) told");
        health.turned(now, standing(State::NotAsked), None);
        assert!(health.readiness(now).0);
        let why = "no \u{1b}[31mBTF".to_owned();
        health.turned(now, standing(State::Missing { why }), None);
        let (ready, page) = health.readiness(now);
        assert!(!ready);
        assert_eq!(page["sources"]["signals"]["why"], "no \u{1b}[31mBTF");
        assert!(!page.to_string().contains('\u{1b}'));
        health.turned(now, standing(State::Stands), Some("disk full".into()));
        assert!(!health.readiness(now).0);
        assert_eq!(
            health.in_words(0),
            "Watching without store; 0 incident(s) told"
        );
        health.turned(now, standing(State::Stands), None);
        assert!(!health.readiness(now + Duration::from_secs(60)).0);
    }
}
