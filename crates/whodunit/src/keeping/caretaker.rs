//! Upkeep of the store on a thread of its own: what is too old or too much goes, and what was written is brought to
//! the disk, while the watch goes on. It has a connection of its own; it tells nothing but what went wrong.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use whodunit_store::{Check, Options, Store, StoreError, Upkeep};

use crate::voice::Voice;

/// Without anything written: age alone makes incidents go.
const IDLE: Duration = Duration::from_secs(3600);
/// What is written within this time is tended together.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the end waits for work at hand. It is left undone after that; nothing is lost by it.
const LAST: Duration = Duration::from_secs(3);

/// The thread that looks after the store.
pub(super) struct Caretaker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    written: bool,
    /// Counts the files: one that was moved aside is not looked after any more.
    file: u64,
    ended: bool,
    gone: bool,
}

impl Caretaker {
    /// Begins to look after the store at `path`.
    pub(super) fn start(path: PathBuf, voice: Voice) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let inner = shared.clone();
        let thread = std::thread::Builder::new()
            .name("upkeep".into())
            .spawn(move || {
                inner.tend(path, voice);
                inner.lock().gone = true;
                inner.changed.notify_all();
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Something was written.
    pub(super) fn written(&self) {
        self.shared.lock().written = true;
        self.shared.changed.notify_all();
    }

    /// The store was opened anew.
    pub(super) fn reopened(&self) {
        self.shared.lock().file += 1;
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        if self.shared.wait(LAST, |state| state.gone)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at most so long; gives whether it came true.
    fn wait(&self, most: Duration, until: fn(&State) -> bool) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), most, |state| !until(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        until(&state)
    }

    fn tend(&self, path: PathBuf, voice: Voice) {
        let options = Options {
            check: Check::None,
            upkeep: Upkeep::Separate,
            ..Options::default()
        };
        let mut store: Option<Store> = None;
        let mut known_file = 0;
        let mut complained = None;
        loop {
            self.wait(IDLE, |state| state.written || state.ended);
            let file = {
                let mut state = self.lock();
                if state.ended {
                    return;
                }
                state.written = false;
                state.file
            };
            if file != known_file {
                store = None;
                known_file = file;
            }
            let tended = tend_once(&mut store, &path, &options);
            match tended {
                Ok(()) => complained = None,
                Err(error) => {
                    store = None;
                    let text = format!("upkeep of the store: {error}; it is tried again");
                    if complained.as_ref() != Some(&text) {
                        voice.complain(&text);
                        complained = Some(text);
                    }
                }
            }
            if self.wait(PAUSE, |state| state.ended) {
                return;
            }
        }
    }
}

fn tend_once(
    store: &mut Option<Store>,
    path: &std::path::Path,
    options: &Options,
) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let store = match store {
        Some(store) => store,
        None => store.insert(Store::open(path, options, now)?),
    };
    store.upkeep(now).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use jiff::SignedDuration;
    use whodunit_case::live::{LostBoot, node_lost};
    use whodunit_store::{Filter, Record};

    use super::*;

    /// Stored so long ago.
    fn put(store: &mut Store, boot_id: &str, days_ago: i64) {
        let now = Timestamp::now() - SignedDuration::from_hours(24 * days_ago);
        let boot = LostBoot {
            boot_id,
            last_seen: now,
            clean_shutdown: false,
            next_boot_id: "next",
            next_booted: None,
        };
        let record = Record::new(node_lost(&boot, None), Vec::new());
        store.insert(&record, now).unwrap();
    }

    #[test]
    fn old_incidents_go_while_the_store_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("incidents.db");
        let options = Options {
            upkeep: Upkeep::Separate,
            ..Options::default()
        };
        let mut store = Store::open(&path, &options, Timestamp::now()).unwrap();
        let caretaker = Caretaker::start(path.clone(), Voice::Log).unwrap();
        let counts = |store: &Store| store.incidents(&Filter::default()).unwrap().len();
        for round in 0..2 {
            put(&mut store, &format!("old-{round}"), 40);
            put(&mut store, &format!("new-{round}"), 0);
            assert_eq!(counts(&store), 2 + round);
            caretaker.written();
            let end = Instant::now() + Duration::from_secs(30);
            while counts(&store) != 1 + round {
                assert!(Instant::now() < end, "the old one is still there");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let began = Instant::now();
        drop(caretaker);
        assert!(began.elapsed() < LAST, "the end is not waited for");
    }
}
