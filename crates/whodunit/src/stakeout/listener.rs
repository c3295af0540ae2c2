//! Takes the records of the tracepoints out of the kernel's buffer as they come, on a thread of its own: while a verdict
//! is judged, stored and printed, and that may have to wait for a disk or a reader, the buffer does not fill up.
//!
//! What waits here is bounded; when it is full the thread lets the kernel's buffer fill, which counts what it loses.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use whodunit_case::fact::Fact;
use whodunit_trace::{Losses, Tracer};

/// Facts that wait at most: of 5,000 kills and as many ends, at 3 KiB each.
const MOST: usize = 10_000;
/// Facts handed over at once.
const AT_ONCE: usize = 256;

/// The tracer at work.
pub(super) struct Listener {
    tracer: Arc<Mutex<Tracer>>,
    heard: Arc<Heard>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(super) fn start(tracer: Tracer) -> io::Result<Self> {
        let records = tracer.fd().try_clone_to_owned()?;
        let tracer = Arc::new(Mutex::new(tracer));
        let heard = Arc::new(Heard::new()?);
        let thread = std::thread::Builder::new().name("trace".into()).spawn({
            let (tracer, heard) = (tracer.clone(), heard.clone());
            move || listen(&records, &tracer, &heard)
        })?;
        Ok(Self {
            tracer,
            heard,
            thread: Some(thread),
        })
    }

    /// Hands over what was heard and what still lies in the kernel's buffer, and gives how much.
    pub(super) fn take(&self, sink: &mut dyn FnMut(Fact)) -> usize {
        // The thread hands over what it has before it lets go of the tracer: nothing is on its way between the two.
        let mut tracer = lock(&self.tracer);
        let heard = self.heard.take();
        let count = heard.len();
        heard.into_iter().for_each(&mut *sink);
        count + tracer.drain_most(MOST, sink)
    }

    pub(super) fn losses(&self) -> io::Result<Losses> {
        lock(&self.tracer).losses()
    }
}

impl AsFd for Listener {
    /// Readable when something was heard.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.heard.spoken.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.heard.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(records: &OwnedFd, tracer: &Mutex<Tracer>, heard: &Heard) {
    loop {
        let mut fds = [
            PollFd::new(records, PollFlags::IN),
            PollFd::new(&heard.ended, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Nothing else can go wrong with two descriptors that are open; what is lost then is counted.
            Err(_) => return,
        }
        loop {
            let mut tracer = lock(tracer);
            let mut facts = Vec::new();
            tracer.drain_most(AT_ONCE, &mut |fact| facts.push(fact));
            let more = facts.len() == AT_ONCE;
            heard.put(facts);
            drop(tracer);
            if !heard.await_room() {
                return;
            }
            if !more {
                break;
            }
        }
    }
}

/// What was heard and not yet taken.
struct Heard {
    state: Mutex<State>,
    room: Condvar,
    spoken: OwnedFd,
    ended: OwnedFd,
}

#[derive(Default)]
struct State {
    facts: Vec<Fact>,
    ended: bool,
}

impl Heard {
    fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            state: Mutex::default(),
            room: Condvar::new(),
            spoken: eventfd(0, flags)?,
            ended: eventfd(0, flags)?,
        })
    }

    fn put(&self, mut facts: Vec<Fact>) {
        if facts.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        let silent = state.facts.is_empty();
        state.facts.append(&mut facts);
        drop(state);
        if silent {
            ring(&self.spoken);
        }
    }

    fn take(&self) -> Vec<Fact> {
        // The bell first: what comes after it rings again.
        let _ = rustix::io::read(&self.spoken, &mut [0; 8]);
        let facts = std::mem::take(&mut lock(&self.state).facts);
        self.room.notify_all();
        facts
    }

    /// Waits while too much is there. False: it is over.
    fn await_room(&self) -> bool {
        let state = lock(&self.state);
        let full = |state: &mut State| state.facts.len() >= MOST && !state.ended;
        let state = self.room.wait_while(state, full);
        !state.unwrap_or_else(PoisonError::into_inner).ended
    }

    fn end(&self) {
        lock(&self.state).ended = true;
        self.room.notify_all();
        ring(&self.ended);
    }
}

fn ring(bell: &OwnedFd) {
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

/// A thread that panicked with the lock left facts, not half of one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use whodunit_case::fact::OomMark;

    use super::*;

    fn facts(count: usize) -> Vec<Fact> {
        let mark = OomMark {
            boot_ns: 1,
            tgid: 2,
            by_tgid: 3,
        };
        vec![Fact::OomMark(mark); count]
    }

    fn readable(bell: &OwnedFd) -> bool {
        let now = rustix::event::Timespec::default();
        poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&now)).unwrap() == 1
    }

    #[test]
    fn the_bell_rings_while_something_waits() {
        let heard = Heard::new().unwrap();
        heard.put(Vec::new());
        assert!(!readable(&heard.spoken));
        heard.put(facts(2));
        heard.put(facts(3));
        assert!(readable(&heard.spoken));
        assert_eq!(heard.take().len(), 5);
        assert!(!readable(&heard.spoken));
        assert!(heard.take().is_empty());
    }

    #[test]
    fn who_is_full_waits_until_it_is_emptied_or_over() {
        let heard = Arc::new(Heard::new().unwrap());
        assert!(heard.await_room());
        heard.put(facts(MOST));
        let waiting = std::thread::spawn({
            let heard = heard.clone();
            move || {
                (
                    heard.await_room(),
                    heard.put(facts(MOST)),
                    heard.await_room(),
                )
            }
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        assert_eq!(heard.take().len(), MOST);
        std::thread::sleep(Duration::from_millis(20));
        heard.end();
        assert_eq!(waiting.join().unwrap(), (true, (), false));
        assert!(readable(&heard.ended));
    }
}
