//! The queue before a hook: bounded in number and in bytes, never waited for by the side that fills it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use whodunit_case::incident::Incident;

/// Incidents that wait at most.
const MOST: usize = 1000;
/// Bytes of JSON that wait at most: a report with a task table of 500 rows has about 100 kB.
const MOST_BYTES: usize = 8 << 20;

/// One incident on its way to a hook.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    /// Its id: hexadecimal digits.
    pub(super) id: String,
    /// The killer's code.
    pub(super) killer: String,
    /// The contract's object and a line feed.
    pub(super) json: Arc<[u8]>,
}

impl Delivery {
    pub(super) fn new(incident: &Incident, json: Vec<u8>) -> Self {
        let killer = serde_json::to_value(incident.verdict.killer).ok();
        let killer = killer.as_ref().and_then(serde_json::Value::as_str);
        Self {
            id: incident.id.clone(),
            killer: killer.unwrap_or_default().to_owned(),
            json: json.into(),
        }
    }
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    bytes: usize,
    /// Being handed over.
    at_hand: bool,
    closed: bool,
    abandoned: bool,
    gone: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives whether there was room. A single one always fits.
    pub(super) fn offer(&self, delivery: Delivery) -> bool {
        let mut state = self.lock();
        let bytes = state.bytes + delivery.json.len();
        let full = state.waiting.len() >= MOST || bytes > MOST_BYTES;
        if state.closed || full && !state.waiting.is_empty() {
            return false;
        }
        state.bytes = bytes;
        state.waiting.push_back(delivery);
        self.changed.notify_all();
        true
    }

    /// The next; waits for it. None when the queue was closed and nothing is left.
    pub(super) fn take(&self) -> Option<Delivery> {
        let waited = self.changed.wait_while(self.lock(), |state| {
            state.waiting.is_empty() && !state.closed
        });
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let next = state.waiting.pop_front()?;
        state.bytes -= next.json.len();
        state.at_hand = true;
        Some(next)
    }

    /// What was taken last was dealt with.
    pub(super) fn done(&self) {
        self.lock().at_hand = false;
    }

    pub(super) fn waiting(&self) -> u64 {
        self.lock().waiting.len() as u64
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The thread behind the queue has ended.
    pub(super) fn gone(&self) {
        self.lock().gone = true;
        self.changed.notify_all();
    }

    /// Waits for that.
    pub(super) fn wait_gone(&self, most: Duration) {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), most, |state| !state.gone);
        drop(waited);
    }

    /// Empties the queue; gives how many were not handed over.
    pub(super) fn abandon(&self) -> usize {
        let mut state = self.lock();
        let left = state.waiting.len() + usize::from(state.at_hand && !state.gone);
        state.waiting.clear();
        state.bytes = 0;
        state.abandoned = true;
        self.changed.notify_all();
        left
    }

    /// Whether what is at hand is to be given up.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Waits so long, or until that; gives whether it is so.
    pub(super) fn wait_abandoned(&self, most: Duration) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), most, |state| !state.abandoned);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(bytes: usize) -> Delivery {
        Delivery {
            id: "1".into(),
            killer: "person".into(),
            json: vec![b' '; bytes].into(),
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let queue = Queue::default();
        let taken = (0..MOST + 5).filter(|_| queue.offer(delivery(10))).count();
        assert_eq!(taken, MOST);
        assert!(queue.take().is_some());
        assert!(queue.offer(delivery(10)));
        assert!(!queue.offer(delivery(10)));
    }

    #[test]
    fn bytes_are_bounded_too_but_one_always_fits() {
        let queue = Queue::default();
        assert!(queue.offer(delivery(MOST_BYTES + 1)));
        assert!(!queue.offer(delivery(1)));
        assert!(queue.take().is_some());
        assert!(queue.offer(delivery(MOST_BYTES)));
        assert!(!queue.offer(delivery(1)));
    }

    #[test]
    fn a_closed_queue_gives_what_it_holds_and_ends() {
        let queue = Queue::default();
        assert!(queue.offer(delivery(1)));
        queue.close();
        assert!(!queue.offer(delivery(1)));
        assert!(queue.take().is_some());
        assert_eq!(queue.abandon(), 1, "it is still at hand");
        queue.done();
        assert!(queue.take().is_none());
        assert_eq!(queue.abandon(), 0);
    }
}
