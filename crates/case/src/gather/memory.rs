//! A map that remembers a bounded number of things and forgets the oldest.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Adds or replaces; gives what was forgotten for it.
    pub(super) fn put(&mut self, key: K, value: V) -> Option<(K, V)> {
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        // Keys that were taken out still stand in the order.
        while self.values.len() > self.most || self.order.len() > 2 * self.most {
            let oldest = self.order.pop_front()?;
            if let Some(value) = self.values.remove(&oldest) {
                return Some((oldest, value));
            }
        }
        None
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    pub(super) fn take(&mut self, key: &K) -> Option<V> {
        self.values.remove(key)
    }
}
