//! Takes the records of the tracepoints out of the kernel's buffer as they come, on a thread of its own: while a verdict
//! is judged, stored and printed, and that may have to wait for a disk or a reader, the buffer does not fill up.
//!
//! The thread runs before others where it may (SCHED_FIFO, CAP_SYS_NICE): thousands that are killed at once want a
//! processor, all of them, to die on, and who waits his turn among them finds the buffer overrun. It alone drains; who
//! wants what lies there asks it, so that nobody who may have to wait for a processor keeps it waiting by a lock.
//!
//! What waits here is bounded; when it is full the thread lets the kernel's buffer fill, which counts what it loses.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::thread::JoinHandleExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use thread_priority::ThreadPriority;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
};
use whodunit_case::fact::Fact;
use whodunit_trace::{Losses, Programs, Records, Tracer};

/// Facts that wait at most: of 5,000 kills and as many ends, at 3 KiB each.
const MOST: usize = 10_000;
/// Between two drains, at least. The kernel's buffer has room for what can be killed in ten times as long.
const REST: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};
/// Facts handed over at once.
const AT_ONCE: usize = 256;

/// The tracer at work.
pub(super) struct Listener {
    programs: Programs,
    /// To look whether something lies in the kernel's buffer.
    waiting: OwnedFd,
    heard: Arc<Heard>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// With what is to be said of it.
    pub(super) fn start(tracer: Tracer, notes: &mut Vec<String>) -> io::Result<Self> {
        let Tracer { records, programs } = tracer;
        let waiting = records.as_fd().try_clone_to_owned()?;
        let heard = Arc::new(Heard::new()?);
        let thread = std::thread::Builder::new().name("trace".into()).spawn({
            let heard = heard.clone();
            move || {
                // Whoever waits for an answer learns that none will come, however this ends.
                let _over = Over(&heard);
                listen(records, &heard);
            }
        })?;
        if let Err(error) = run_before_others(&thread) {
            notes.push(format!(
                "records of signals are not taken before all else (SCHED_FIFO: {error}; CAP_SYS_NICE allows it): when \
                 hundreds are killed at once some may be lost, and that is told then"
            ));
        }
        Ok(Self {
            programs,
            waiting,
            heard,
            thread: Some(thread),
        })
    }

    /// Hands over what was heard and what lies in the kernel's buffer by now, and gives how much.
    pub(super) fn take(&self, sink: &mut dyn FnMut(Fact)) -> usize {
        let mut count = 0;
        let mut hand_over = |facts: Vec<Fact>| {
            count += facts.len();
            facts.into_iter().for_each(&mut *sink);
        };
        // Room first, which the thread may be waiting for.
        hand_over(self.heard.take());
        // Looked at before the thread is: what it has in hand then is no longer in the buffer.
        let waits = readable(&self.waiting);
        let goal = self.heard.drain_to_await(waits);
        while !self.heard.await_drain(goal) {
            hand_over(self.heard.take());
        }
        hand_over(self.heard.take());
        count
    }

    pub(super) fn losses(&self) -> io::Result<Losses> {
        self.programs.losses()
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

/// The lowest of the priorities above all ordinary ones. Not allowed without CAP_SYS_NICE, and to root itself in a v1
/// `cpu` cgroup that has no real-time share (CONFIG_RT_GROUP_SCHED).
fn run_before_others(thread: &JoinHandle<()>) -> Result<(), thread_priority::Error> {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread.as_pthread_t(), ThreadPriority::Min, policy)
}

fn listen(mut records: Records, heard: &Heard) {
    while await_either(&records, heard) {
        heard.begin_drain();
        // No more than lay there at the beginning, if they come faster than they are taken.
        for _ in 0..MOST / AT_ONCE {
            let mut facts = Vec::new();
            records.drain_most(AT_ONCE, &mut |fact| facts.push(fact));
            let last = facts.len() < AT_ONCE;
            heard.put(facts);
            if !heard.await_room() {
                return;
            }
            if last {
                break;
            }
        }
        heard.end_drain();
        rest(heard);
    }
}

/// Lets more come, unless somebody asks: one who kills thousands is not interrupted after each.
fn rest(heard: &Heard) {
    let mut fds = [PollFd::new(&heard.asked, PollFlags::IN)];
    let _ = poll(&mut fds, Some(&REST));
}

/// Waits for records, or to be asked. False: it is over.
fn await_either(records: &Records, heard: &Heard) -> bool {
    let mut fds = [
        PollFd::new(records, PollFlags::IN),
        PollFd::new(&heard.asked, PollFlags::IN),
    ];
    let polled = poll(&mut fds, None);
    let _ = rustix::io::read(&heard.asked, &mut [0; 8]);
    // Nothing else can go wrong with two descriptors that are open; what is lost then is counted.
    matches!(polled, Ok(_) | Err(rustix::io::Errno::INTR)) && !lock(&heard.state).over
}

/// What was heard and not yet taken, and what is asked of the thread.
struct Heard {
    state: Mutex<State>,
    /// Facts were taken.
    room: Condvar,
    /// A drain is done, or can't go on without room.
    answer: Condvar,
    spoken: OwnedFd,
    asked: OwnedFd,
}

#[derive(Default)]
struct State {
    facts: Vec<Fact>,
    drains_begun: u64,
    drains_done: u64,
    over: bool,
}

impl Heard {
    fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            state: Mutex::default(),
            room: Condvar::new(),
            answer: Condvar::new(),
            spoken: eventfd(0, flags)?,
            asked: eventfd(0, flags)?,
        })
    }

    fn begin_drain(&self) {
        lock(&self.state).drains_begun += 1;
    }

    fn end_drain(&self) {
        let mut state = lock(&self.state);
        state.drains_done = state.drains_begun;
        drop(state);
        self.answer.notify_all();
    }

    /// The drain after which all is here that is now on its way, and all that lies in the buffer if something does: then
    /// the thread is told to begin one.
    fn drain_to_await(&self, records_wait: bool) -> u64 {
        let goal = lock(&self.state).drains_begun + u64::from(records_wait);
        if records_wait {
            ring(&self.asked);
        }
        goal
    }

    /// False: the thread waits for room instead, or facts are there meanwhile.
    fn await_drain(&self, goal: u64) -> bool {
        let going =
            |state: &mut State| state.drains_done < goal && !state.over && state.facts.len() < MOST;
        let state = self.answer.wait_while(lock(&self.state), going);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.drains_done >= goal || state.over
    }

    fn put(&self, mut facts: Vec<Fact>) {
        if facts.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        let silent = state.facts.is_empty();
        state.facts.append(&mut facts);
        let full = state.facts.len() >= MOST;
        drop(state);
        if full {
            self.answer.notify_all();
        }
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
        let full = |state: &mut State| state.facts.len() >= MOST && !state.over;
        let state = self.room.wait_while(state, full);
        !state.unwrap_or_else(PoisonError::into_inner).over
    }

    fn end(&self) {
        lock(&self.state).over = true;
        self.room.notify_all();
        self.answer.notify_all();
        ring(&self.asked);
    }
}

/// Says so when it is dropped.
struct Over<'a>(&'a Heard);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn readable(fd: &OwnedFd) -> bool {
    let now = Timespec::default();
    matches!(
        poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)),
        Ok(1..)
    )
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
    fn who_asks_has_all_that_was_there_before() {
        let heard = Arc::new(Heard::new().unwrap());
        assert_eq!(heard.drain_to_await(false), 0);
        assert!(heard.await_drain(0));
        assert!(!readable(&heard.asked));
        // Something lies in the buffer: the drain that is under way may have begun too early.
        heard.begin_drain();
        let goal = heard.drain_to_await(true);
        assert!(readable(&heard.asked));
        let asking = std::thread::spawn({
            let heard = heard.clone();
            move || (heard.await_drain(goal), heard.take().len())
        });
        heard.put(facts(1));
        heard.end_drain();
        std::thread::sleep(Duration::from_millis(20));
        assert!(!asking.is_finished());
        heard.begin_drain();
        heard.put(facts(1));
        heard.end_drain();
        assert_eq!(asking.join().unwrap(), (true, 2));
    }

    #[test]
    fn who_asks_makes_room_and_never_waits_for_one_who_is_gone() {
        let heard = Heard::new().unwrap();
        let goal = heard.drain_to_await(true);
        heard.begin_drain();
        heard.put(facts(MOST));
        assert!(!heard.await_drain(goal));
        assert_eq!(heard.take().len(), MOST);
        drop(Over(&heard));
        assert!(heard.await_drain(goal));
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
        assert!(readable(&heard.asked));
    }
}
