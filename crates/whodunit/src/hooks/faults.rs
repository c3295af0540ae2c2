//! Failures of a hook in words: each kind once an hour at most, with how often it came since.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::voice::Voice;

/// The same kind is told again after this time.
const AGAIN: Duration = Duration::from_secs(3600);
/// Kinds told apart; more of them are told as one.
const MOST: usize = 64;

pub(super) struct Faults {
    title: String,
    voice: Voice,
    told: HashMap<String, Told>,
}

struct Told {
    when: Instant,
    since: u64,
}

impl Faults {
    pub(super) fn new(title: String, voice: Voice) -> Self {
        Self {
            title,
            voice,
            told: HashMap::new(),
        }
    }

    pub(super) fn tell(&mut self, kind: &str, text: &str, now: Instant) {
        if let Some(text) = self.words(kind, text, now) {
            self.voice.complain(&text);
        }
    }

    /// What is to be said, if anything.
    fn words(&mut self, kind: &str, text: &str, now: Instant) -> Option<String> {
        let known = self.told.contains_key(kind);
        let kind = if known || self.told.len() < MOST {
            kind
        } else {
            ""
        };
        let title = &self.title;
        match self.told.get_mut(kind) {
            Some(told) if now.duration_since(told.when) < AGAIN => {
                told.since += 1;
                None
            }
            Some(told) => {
                let since = std::mem::take(&mut told.since);
                told.when = now;
                Some(format!(
                    "{title}: {text} ({since} more failures of this kind in between)"
                ))
            }
            None => {
                let told = Told {
                    when: now,
                    since: 0,
                };
                self.told.insert(kind.to_owned(), told);
                Some(format!(
                    "{title}: {text}. Failures of this kind are told once an hour"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_once_an_hour_with_how_often_it_came() {
        let mut faults = Faults::new("exec `x`".into(), Voice::Log);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = faults.words("exit 1", "it ended with 1", at(0)).unwrap();
        assert!(first.starts_with("exec `x`: it ended with 1."), "{first}");
        assert!(faults.words("exit 1", "it ended with 1", at(1)).is_none());
        assert!(faults.words("exit 2", "it ended with 2", at(1)).is_some());
        assert!(
            faults
                .words("exit 1", "it ended with 1", at(3599))
                .is_none()
        );
        let again = faults.words("exit 1", "it ended with 1", at(3601)).unwrap();
        assert!(again.contains("2 more failures"), "{again}");
    }

    #[test]
    fn kinds_are_bounded() {
        let mut faults = Faults::new("h".into(), Voice::Log);
        let now = Instant::now();
        let told = (0..1000)
            .filter(|n| faults.words(&n.to_string(), "no", now).is_some())
            .count();
        assert_eq!(told, MOST + 1);
    }
}
