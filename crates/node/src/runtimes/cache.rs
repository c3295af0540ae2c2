//! What was asked before: a bounded number of containers, the least lately used leave first. Also that a container
//! is not known, for a moment.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use whodunit_case::fact::ContainerFacts;

/// Containers remembered: some kilobytes each, so some megabytes.
const CONTAINERS: usize = 2048;
/// How long nobody is asked again for a container that nobody knew: it may be about to be made.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);

/// By container id.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<String, Entry>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    facts: Option<ContainerFacts>,
    at: Instant,
    used: u64,
}

impl Cache {
    /// The outer `None`: ask. The inner: nobody knows it, and that was asked just now.
    pub(super) fn get(&mut self, id: &str, now: Instant) -> Option<Option<ContainerFacts>> {
        self.uses += 1;
        let entry = self.entries.get_mut(id)?;
        entry.used = self.uses;
        if entry.facts.is_none() && now.duration_since(entry.at) > UNKNOWN_FOR {
            return None;
        }
        Some(entry.facts.clone())
    }

    pub(super) fn put(&mut self, id: &str, facts: Option<ContainerFacts>, now: Instant) {
        self.uses += 1;
        if self.entries.len() >= CONTAINERS && !self.entries.contains_key(id) {
            // One pass now and then: a quarter leaves at a time.
            let mut used: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
            used.sort_unstable();
            let keep_from = used.get(used.len() / 4).copied().unwrap_or(0);
            self.entries.retain(|_, entry| entry.used >= keep_from);
        }
        let known = self
            .entries
            .get(id)
            .is_some_and(|entry| entry.facts.is_some());
        // A container that is gone is still the one that it was.
        if facts.is_none() && known {
            return;
        }
        let used = self.uses;
        self.entries.insert(
            id.to_owned(),
            Entry {
                facts,
                at: now,
                used,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_what_is_used_stays() {
        let mut cache = Cache::default();
        let now = Instant::now();
        let facts = ContainerFacts::default();
        cache.put("used", Some(facts.clone()), now);
        for index in 0..3 * CONTAINERS {
            cache.put(&index.to_string(), Some(facts.clone()), now);
            assert!(cache.get("used", now).is_some());
            assert!(cache.entries.len() <= CONTAINERS);
        }
        assert!(cache.get("0", now).is_none());
    }

    #[test]
    fn an_unknown_container_is_asked_for_again_and_a_known_one_is_not_forgotten() {
        let mut cache = Cache::default();
        let now = Instant::now();
        cache.put("a", None, now);
        assert_eq!(cache.get("a", now), Some(None));
        assert_eq!(cache.get("a", now + 2 * UNKNOWN_FOR), None);
        cache.put("a", Some(ContainerFacts::default()), now);
        cache.put("a", None, now);
        assert_eq!(cache.get("a", now), Some(Some(ContainerFacts::default())));
    }
}
