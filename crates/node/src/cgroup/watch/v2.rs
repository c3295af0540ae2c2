//! The unified hierarchy: one inotify instance over directories and event files.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use smol_str::SmolStr;
use whodunit_case::fact::{CgroupEmptied, CgroupHierarchy, CgroupOom, EventLevel, Fact, OomCounts};

use super::queue::Queue;
use crate::cgroup::memory::{flat, get, oom_counts};
use crate::clock::boot_ns;

/// What the inotify instance is known by in the queue.
const INOTIFY: u64 = u64::MAX - 1;

/// Files of a cgroup that the kernel notifies of, and what a change of them means.
const FILES: [(&str, What); 3] = [
    ("memory.events.local", What::Events(EventLevel::Local)),
    ("memory.events", What::Events(EventLevel::Subtree)),
    ("cgroup.events", What::Populated),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Directory,
    Events(EventLevel),
    Populated,
}

/// All cgroups of the unified hierarchy.
#[derive(Debug)]
pub(super) struct V2 {
    mount: PathBuf,
    inotify: OwnedFd,
    watches: HashMap<i32, (What, SmolStr)>,
    cgroups: HashMap<SmolStr, Cgroup>,
    /// Said already that there are too few watches.
    exhausted: bool,
}

#[derive(Debug, Default)]
struct Cgroup {
    watches: Vec<i32>,
    local: OomCounts,
    subtree: OomCounts,
    populated: bool,
}

impl V2 {
    pub(super) fn start(
        mount: &Path,
        queue: &mut Queue,
        notes: &mut Vec<String>,
    ) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        queue.add(&inotify, INOTIFY)?;
        let mut this = Self {
            mount: mount.to_owned(),
            inotify,
            watches: HashMap::new(),
            cgroups: HashMap::new(),
            exhausted: false,
        };
        // What was counted before is no news.
        this.add(SmolStr::new_static("/"), false, notes, &mut |_| {});
        Ok(this)
    }

    pub(super) fn mount(&self) -> &Path {
        &self.mount
    }

    pub(super) fn len(&self) -> usize {
        self.cgroups.len()
    }

    /// Whether memory is controlled here. Not so where v1 has the controller, or the kernel was told to have none.
    pub(super) fn counts_memory(&self) -> bool {
        std::fs::read_to_string(self.mount.join("cgroup.controllers")).is_ok_and(|controllers| {
            controllers
                .split_whitespace()
                .any(|controller| controller == "memory")
        })
    }

    pub(super) fn read(
        &mut self,
        notes: &mut Vec<String>,
        sink: &mut dyn FnMut(Fact),
    ) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut events: Vec<(i32, ReadFlags, Option<Vec<u8>>)> = Vec::new();
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes().to_vec());
                    events.push((event.wd(), event.events(), name));
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (watch, flags, name) in events {
            self.event(watch, flags, name.as_deref(), notes, sink);
        }
        Ok(())
    }

    fn event(
        &mut self,
        watch: i32,
        flags: ReadFlags,
        name: Option<&[u8]>,
        notes: &mut Vec<String>,
        sink: &mut dyn FnMut(Fact),
    ) {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            notes.push(
                "events of cgroups were lost (fs.inotify.max_queued_events): all were read again"
                    .into(),
            );
            return self.look_again(notes, sink);
        }
        if flags.contains(ReadFlags::IGNORED) {
            self.watches.remove(&watch);
            return;
        }
        let Some((what, path)) = self.watches.get(&watch).cloned() else {
            return;
        };
        match (what, name) {
            (What::Directory, Some(name)) if flags.contains(ReadFlags::ISDIR) => {
                // A name that is no UTF-8 is kept out: the path could not be told apart from another.
                let Ok(name) = std::str::from_utf8(name) else {
                    return;
                };
                let child = below(&path, name);
                if flags.contains(ReadFlags::CREATE) {
                    self.add(child, true, notes, sink);
                } else if flags.contains(ReadFlags::DELETE) {
                    self.remove(&child);
                }
            }
            (What::Directory, _) => {
                if flags.contains(ReadFlags::DELETE_SELF) {
                    self.remove(&path);
                }
            }
            (what, _) => self.compare(&path, what, sink),
        }
    }

    /// Watches a cgroup and all below it. `new`: made since the start, so that every count in it is news.
    fn add(
        &mut self,
        path: SmolStr,
        new: bool,
        notes: &mut Vec<String>,
        sink: &mut dyn FnMut(Fact),
    ) {
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            let directory = self.directory(&path);
            // Watched first, listed then: what is made in between is in both.
            let flags = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::DELETE_SELF
                | WatchFlags::ONLYDIR;
            if !self.cgroups.contains_key(&path) {
                let Some(watch) = self.watch(&directory, flags, notes) else {
                    continue;
                };
                self.watches.insert(watch, (What::Directory, path.clone()));
                let mut cgroup = Cgroup {
                    watches: vec![watch],
                    ..Cgroup::default()
                };
                for (file, what) in FILES {
                    let file = directory.join(file);
                    if let Some(watch) = self.watch(&file, WatchFlags::MODIFY, notes) {
                        self.watches.insert(watch, (what, path.clone()));
                        cgroup.watches.push(watch);
                    }
                }
                if !new {
                    cgroup.local = counts(&directory, EventLevel::Local).unwrap_or_default();
                    cgroup.subtree = counts(&directory, EventLevel::Subtree).unwrap_or_default();
                    cgroup.populated = populated(&directory);
                }
                self.cgroups.insert(path.clone(), cgroup);
                if new {
                    // Something may have happened before the watch stood.
                    for (_, what) in FILES {
                        self.compare(&path, what, sink);
                    }
                }
            }
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries.flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir())
                    && let Some(name) = entry.file_name().to_str()
                {
                    open.push(below(&path, name));
                }
            }
        }
    }

    fn watch(&mut self, path: &Path, flags: WatchFlags, notes: &mut Vec<String>) -> Option<i32> {
        match inotify::add_watch(&self.inotify, path, flags) {
            Ok(watch) => Some(watch),
            Err(Errno::NOSPC | Errno::NOMEM) => {
                if !std::mem::replace(&mut self.exhausted, true) {
                    notes.push(format!(
                        "{}: no more inotify watches: this cgroup and those after it are not watched; raise \
                         fs.inotify.max_user_watches (4 for each cgroup are needed)",
                        path.display()
                    ));
                }
                None
            }
            // The cgroup has no such controller, or is gone.
            Err(_) => None,
        }
    }

    /// Reads a file whose change was told, and says what is new.
    fn compare(&mut self, path: &SmolStr, what: What, sink: &mut dyn FnMut(Fact)) {
        let directory = self.directory(path);
        let Some(cgroup) = self.cgroups.get_mut(path) else {
            return;
        };
        match what {
            What::Directory => {}
            What::Populated => {
                let now = populated(&directory);
                if std::mem::replace(&mut cgroup.populated, now) && !now {
                    sink(Fact::CgroupEmptied(CgroupEmptied {
                        boot_ns: boot_ns(),
                        path: path.clone(),
                    }));
                }
            }
            What::Events(level) => {
                let Some(after) = counts(&directory, level) else {
                    return;
                };
                let known = match level {
                    EventLevel::Local => &mut cgroup.local,
                    EventLevel::Subtree => &mut cgroup.subtree,
                };
                let before = std::mem::replace(known, after);
                if before != after && (after.oom_kill, after.oom) > (0, Some(0)) {
                    sink(Fact::CgroupOom(Box::new(CgroupOom {
                        boot_ns: boot_ns(),
                        path: path.clone(),
                        hierarchy: CgroupHierarchy::Unified,
                        level,
                        before,
                        after,
                    })));
                }
            }
        }
    }

    /// Forgets a cgroup that was removed.
    fn remove(&mut self, path: &SmolStr) {
        if let Some(cgroup) = self.cgroups.remove(path) {
            for watch in cgroup.watches {
                self.watches.remove(&watch);
                // Gone with its inode, mostly.
                let _ = inotify::remove_watch(&self.inotify, watch);
            }
        }
    }

    /// After lost events: everything is read, new cgroups are found, those that are gone forgotten.
    fn look_again(&mut self, notes: &mut Vec<String>, sink: &mut dyn FnMut(Fact)) {
        let known: Vec<SmolStr> = self.cgroups.keys().cloned().collect();
        for path in known {
            if self.directory(&path).is_dir() {
                for (_, what) in FILES {
                    self.compare(&path, what, sink);
                }
            } else {
                self.remove(&path);
            }
        }
        self.add(SmolStr::new_static("/"), true, notes, sink);
    }

    fn directory(&self, path: &str) -> PathBuf {
        self.mount
            .join(OsStr::from_bytes(path.trim_start_matches('/').as_bytes()))
    }
}

pub(super) fn below(path: &str, name: &str) -> SmolStr {
    SmolStr::from(format!("{}/{name}", path.trim_end_matches('/')))
}

fn counts(directory: &Path, level: EventLevel) -> Option<OomCounts> {
    let file = match level {
        EventLevel::Local => "memory.events.local",
        EventLevel::Subtree => "memory.events",
    };
    oom_counts(&flat(&directory.join(file)))
}

fn populated(directory: &Path) -> bool {
    get(&flat(&directory.join("cgroup.events")), "populated") == Some(1)
}
