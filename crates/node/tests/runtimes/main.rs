//! Container runtimes: a real containerd with runc, its CRI plugin and its state files, and servers that answer as
//! Docker and Podman do. A test that can't run says why, and fails when `WHODUNIT_REQUIRE_LAB=1`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

mod containerd;
mod docker;
mod real_containerd;
mod state_files;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use whodunit_case::fact::{Fact, RuntimeEvent, RuntimeEventKind};
use whodunit_node::Root;
use whodunit_node::runtimes::{Endpoint, Runtimes, Told};

/// What the runtimes' thread told so far.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Told>>>);

impl Heard {
    fn listen(&self, root: &Root, endpoints: Vec<Endpoint>) -> Runtimes {
        let heard = self.0.clone();
        Runtimes::start(root, endpoints, move |told| {
            heard.lock().unwrap().push(told)
        })
        .unwrap()
    }

    fn notes(&self) -> Vec<String> {
        let heard = self.0.lock().unwrap();
        heard
            .iter()
            .filter_map(|told| match told {
                Told::Note(note) => Some(note.clone()),
                Told::Fact(_) => None,
            })
            .collect()
    }

    fn events(&self, id: &str) -> Vec<RuntimeEvent> {
        let heard = self.0.lock().unwrap();
        heard
            .iter()
            .filter_map(|told| match told {
                Told::Fact(Fact::Runtime(event)) if event.container_id == id => {
                    Some((**event).clone())
                }
                _ => None,
            })
            .collect()
    }

    fn kinds(&self, id: &str) -> Vec<RuntimeEventKind> {
        self.events(id)
            .into_iter()
            .map(|event| event.kind)
            .collect()
    }

    /// Waits until the events of a container are enough.
    fn wait(
        &self,
        id: &str,
        enough: impl Fn(&[RuntimeEventKind]) -> bool,
    ) -> Vec<RuntimeEventKind> {
        let done = wait_for(Duration::from_secs(15), || enough(&self.kinds(id)));
        let kinds = self.kinds(id);
        assert!(done, "{id}: {kinds:?}; notes: {:?}", self.notes());
        kinds
    }
}

fn wait_for(patience: Duration, done: impl Fn() -> bool) -> bool {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    done()
}
