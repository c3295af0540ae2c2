//! One descriptor for many: an epoll instance over the inotify instances, the eventfds and the timer.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// What the timer is known by.
pub(super) const TIMER: u64 = u64::MAX;

/// An epoll instance with a timer.
#[derive(Debug)]
pub(super) struct Queue {
    epoll: OwnedFd,
    timer: OwnedFd,
}

impl Queue {
    pub(super) fn new() -> io::Result<Self> {
        let queue = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
            )?,
        };
        queue.add(&queue.timer, TIMER)?;
        Ok(queue)
    }

    /// Also waits for `descriptor`, known by `key`, until that is closed.
    pub(super) fn add(&self, descriptor: impl AsFd, key: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(key);
        Ok(epoll::add(
            &self.epoll,
            descriptor,
            data,
            epoll::EventFlags::IN,
        )?)
    }

    /// The keys of what is readable.
    pub(super) fn ready(&self) -> io::Result<HashSet<u64>> {
        let mut keys = HashSet::new();
        let mut events = Vec::with_capacity(64);
        let now = Timespec::default();
        loop {
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&now),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let before = keys.len();
            keys.extend(events.iter().map(|event| event.data.u64()));
            // The same ones come again until they are read.
            if events.len() < 64 || keys.len() == before {
                return Ok(keys);
            }
        }
    }

    /// Wakes after `delay`, in place of any earlier wish.
    pub(super) fn wake_after(&self, delay: Duration) -> io::Result<()> {
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: delay.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: i64::from(delay.subsec_nanos()),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }

    /// Takes note that the timer rang.
    pub(super) fn quiet_timer(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.timer, &mut count);
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
