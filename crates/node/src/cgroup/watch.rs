//! Out-of-memory counts and ends of all cgroups, told by the kernel when they change: nothing is polled, and no
//! work grows with the number of cgroups or processes while nothing happens.
//!
//! cgroup v2: inotify on each directory (new cgroups), `memory.events.local`, `memory.events` and `cgroup.events`; the
//! kernel notifies at most every 10 ms a file (cgroup_file_notify). cgroup v1: an eventfd on each
//! `memory.oom_control`, which tells that a limit was hit before anybody is killed, so the count is read again a
//! little later. Costs a kilobyte of kernel memory a watch, and on v1 one file descriptor a cgroup.

mod queue;
mod v1;
mod v2;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use whodunit_case::fact::{CgroupHierarchy, Fact};

use super::Hierarchies;
use queue::Queue;
use v1::V1;
use v2::V2;

/// Watches every cgroup.
#[derive(Debug)]
pub struct CgroupWatch {
    queue: Queue,
    unified: Option<V2>,
    memory_v1: Option<V1>,
    notes: Vec<String>,
}

impl CgroupWatch {
    /// Begins to watch: what was counted before is the measure for what comes. Fails only when the kernel has no
    /// inotify or epoll to give; what can't be watched is in [`CgroupWatch::take_notes`].
    pub fn start(hierarchies: &Hierarchies) -> io::Result<Self> {
        let mut queue = Queue::new()?;
        let mut notes = Vec::new();
        let unified = match &hierarchies.unified {
            Some(mount) => Some(V2::start(mount, &mut queue, &mut notes)?),
            None => None,
        };
        let memory_v1 = match &hierarchies.memory_v1 {
            Some(mount) => Some(V1::start(mount, &mut queue, &mut notes)?),
            None => None,
        };
        if hierarchies.memory().is_none() {
            notes.push(
                "no cgroup hierarchy is mounted: out-of-memory counts and ends of cgroups can't be watched".into(),
            );
        } else if let (Some((CgroupHierarchy::Unified, _)), Some(unified)) =
            (hierarchies.memory(), &unified)
            && !unified.counts_memory()
        {
            notes.push(format!(
                "{}: the kernel has no memory controller there: out-of-memory counts can't be watched",
                unified.mount().display()
            ));
        }
        Ok(Self {
            queue,
            unified,
            memory_v1,
            notes,
        })
    }

    /// Deals with what happened since the last call, without waiting. To be called when the descriptor is readable.
    pub fn read(&mut self, sink: &mut dyn FnMut(Fact)) -> io::Result<()> {
        let ready = self.queue.ready()?;
        if let Some(unified) = &mut self.unified {
            unified.read(&mut self.notes, sink)?;
        }
        if let Some(v1) = &mut self.memory_v1 {
            v1.read(&ready, &mut self.queue, &mut self.notes, sink)?;
        }
        Ok(())
    }

    /// How many cgroups are watched, of both hierarchies.
    pub fn cgroups(&self) -> usize {
        self.unified.as_ref().map_or(0, V2::len) + self.memory_v1.as_ref().map_or(0, V1::len)
    }

    /// What can't be watched, and events that were lost: each said once.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

impl AsFd for CgroupWatch {
    /// Readable (POLLIN) when [`CgroupWatch::read`] has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}
