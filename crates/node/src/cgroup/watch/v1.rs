//! v1's memory hierarchy: an eventfd on each `memory.oom_control`, registered through `cgroup.event_control`
//! (Documentation/admin-guide/cgroup-v1/memory.rst, 10. OOM Control), and inotify on the directories.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use smol_str::SmolStr;
use whodunit_case::fact::{CgroupHierarchy, CgroupOom, EventLevel, Fact, OomCounts};

use super::queue::{Queue, TIMER};
use super::v2::below;
use crate::cgroup::memory::{flat, oom_counts};
use crate::clock::boot_ns;

/// What the inotify instance is known by in the queue.
const INOTIFY: u64 = u64::MAX - 2;

/// Descriptors left for all else that the program does: the lowest free number is given out, so that a number tells how
/// many are in use.
const SPARED: u64 = 64;

/// When a count is read after its cgroup's limit was hit: the kernel tells first, then writes its report, then kills.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
];

/// All cgroups of the memory hierarchy.
#[derive(Debug)]
pub(super) struct V1 {
    mount: PathBuf,
    inotify: OwnedFd,
    directories: HashMap<i32, SmolStr>,
    cgroups: HashMap<SmolStr, Cgroup>,
    /// By their keys in the queue.
    keys: HashMap<u64, SmolStr>,
    next_key: u64,
    exhausted: bool,
}

#[derive(Debug)]
struct Cgroup {
    watch: i32,
    /// Its descriptor counts notifications; none when it could not be registered.
    event: Option<(u64, OwnedFd)>,
    counts: OomCounts,
    /// Looks still to be had after a notification: when it came, and how many were had.
    told: Option<(Instant, usize)>,
}

impl V1 {
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
            directories: HashMap::new(),
            cgroups: HashMap::new(),
            keys: HashMap::new(),
            next_key: 0,
            exhausted: false,
        };
        this.add(SmolStr::new_static("/"), false, queue, notes, &mut |_| {});
        Ok(this)
    }

    /// Those whose out-of-memory events are told; the root has none.
    pub(super) fn len(&self) -> usize {
        let told = |cgroup: &&Cgroup| cgroup.event.is_some();
        self.cgroups.values().filter(told).count()
    }

    pub(super) fn read(
        &mut self,
        ready: &HashSet<u64>,
        queue: &mut Queue,
        notes: &mut Vec<String>,
        sink: &mut dyn FnMut(Fact),
    ) -> io::Result<()> {
        if ready.contains(&TIMER) {
            queue.quiet_timer();
        }
        let now = Instant::now();
        for key in ready {
            let Some(path) = self.keys.get(key) else {
                continue;
            };
            if let Some(cgroup) = self.cgroups.get_mut(path)
                && let Some((_, event)) = &cgroup.event
            {
                let mut count = [0; 8];
                let _ = rustix::io::read(event, &mut count);
                cgroup.told = Some((now, 0));
            }
        }
        self.look(now, queue, sink)?;
        if ready.contains(&INOTIFY) {
            self.read_directories(queue, notes, sink)?;
        }
        Ok(())
    }

    /// Has the looks that are due, and sees to it that the next comes.
    fn look(&mut self, now: Instant, queue: &Queue, sink: &mut dyn FnMut(Fact)) -> io::Result<()> {
        let mut next: Option<Instant> = None;
        let mut due: Vec<SmolStr> = Vec::new();
        for (path, cgroup) in &mut self.cgroups {
            let Some((told, looks)) = &mut cgroup.told else {
                continue;
            };
            let when = |looks: usize| LOOKS.get(looks).map(|delay| *told + *delay);
            while when(*looks).is_some_and(|when| when <= now) {
                *looks += 1;
            }
            match when(*looks) {
                Some(when) => next = Some(next.map_or(when, |next| next.min(when))),
                None => cgroup.told = None,
            }
            due.push(path.clone());
        }
        for path in due {
            self.compare(&path, sink);
        }
        if let Some(next) = next {
            queue.wake_after(
                next.saturating_duration_since(now)
                    .max(Duration::from_micros(100)),
            )?;
        }
        Ok(())
    }

    fn compare(&mut self, path: &SmolStr, sink: &mut dyn FnMut(Fact)) {
        let Some(after) = counts(&self.directory(path)) else {
            return;
        };
        let Some(cgroup) = self.cgroups.get_mut(path) else {
            return;
        };
        let before = std::mem::replace(&mut cgroup.counts, after);
        if after.oom_kill > before.oom_kill {
            sink(Fact::CgroupOom(Box::new(CgroupOom {
                boot_ns: boot_ns(),
                path: path.clone(),
                hierarchy: CgroupHierarchy::MemoryV1,
                level: EventLevel::Local,
                before,
                after,
            })));
        }
    }

    fn read_directories(
        &mut self,
        queue: &mut Queue,
        notes: &mut Vec<String>,
        sink: &mut dyn FnMut(Fact),
    ) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut events: Vec<(i32, ReadFlags, Option<String>)> = Vec::new();
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event
                        .file_name()
                        .and_then(|name| name.to_str().ok())
                        .map(str::to_owned);
                    events.push((event.wd(), event.events(), name));
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (watch, flags, name) in events {
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                notes.push(
                    "events of cgroups were lost (fs.inotify.max_queued_events): all were read again".into(),
                );
                let known: Vec<SmolStr> = self.cgroups.keys().cloned().collect();
                for path in known {
                    if self.directory(&path).is_dir() {
                        self.compare(&path, sink);
                    } else {
                        self.remove(&path);
                    }
                }
                self.add(SmolStr::new_static("/"), true, queue, notes, sink);
            } else if flags.contains(ReadFlags::IGNORED) {
                self.directories.remove(&watch);
            } else if let (Some(parent), Some(name)) = (self.directories.get(&watch), name)
                && flags.contains(ReadFlags::ISDIR)
            {
                let child = below(parent, &name);
                if flags.contains(ReadFlags::CREATE) {
                    self.add(child, true, queue, notes, sink);
                } else if flags.contains(ReadFlags::DELETE) {
                    self.remove(&child);
                }
            }
        }
        Ok(())
    }

    /// Watches a cgroup and all below it. `new`: made since the start, so that every count in it is news.
    fn add(
        &mut self,
        path: SmolStr,
        new: bool,
        queue: &mut Queue,
        notes: &mut Vec<String>,
        sink: &mut dyn FnMut(Fact),
    ) {
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            let directory = self.directory(&path);
            if !self.cgroups.contains_key(&path) {
                let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR;
                let watch = match inotify::add_watch(&self.inotify, &directory, flags) {
                    Ok(watch) => watch,
                    Err(error) => {
                        if matches!(error, Errno::NOSPC | Errno::NOMEM) {
                            self.exhausted(&directory, "inotify watches", notes);
                        }
                        continue;
                    }
                };
                self.directories.insert(watch, path.clone());
                let event = self.register(&directory, queue, notes);
                if let Some((key, _)) = &event {
                    self.keys.insert(*key, path.clone());
                }
                let counts = if new { None } else { counts(&directory) };
                let cgroup = Cgroup {
                    watch,
                    event,
                    counts: counts.unwrap_or_default(),
                    told: None,
                };
                self.cgroups.insert(path.clone(), cgroup);
                if new {
                    self.compare(&path, sink);
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

    fn register(
        &mut self,
        directory: &Path,
        queue: &Queue,
        notes: &mut Vec<String>,
    ) -> Option<(u64, OwnedFd)> {
        let key = self.next_key;
        let registered = (|| {
            let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
            let number = u64::try_from(event.as_raw_fd()).unwrap_or_default();
            if most_descriptors().is_some_and(|most| number + SPARED >= most) {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            let control = File::open(directory.join("memory.oom_control"))?;
            let words = format!("{} {}", event.as_raw_fd(), control.as_raw_fd());
            std::fs::write(directory.join("cgroup.event_control"), words)?;
            queue.add(&event, key)?;
            io::Result::Ok(event)
        })();
        match registered {
            Ok(event) => {
                self.next_key += 1;
                Some((key, event))
            }
            Err(error) => {
                if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                    self.exhausted(directory, &out_of_descriptors(), notes);
                } else if !matches!(error.kind(), ErrorKind::NotFound)
                    // The root has no limit to hit, and so nothing to register (EINVAL).
                    && directory != self.mount
                    && error.raw_os_error() != Some(libc::ENODEV)
                {
                    self.exhausted(directory, &format!("notifications ({error})"), notes);
                }
                None
            }
        }
    }

    fn exhausted(&mut self, directory: &Path, what: &str, notes: &mut Vec<String>) {
        if !std::mem::replace(&mut self.exhausted, true) {
            notes.push(format!(
                "{}: no {what}: out-of-memory counts of this cgroup and of others like it are not watched",
                directory.display()
            ));
        }
    }

    fn remove(&mut self, path: &SmolStr) {
        if let Some(cgroup) = self.cgroups.remove(path) {
            self.directories.remove(&cgroup.watch);
            let _ = inotify::remove_watch(&self.inotify, cgroup.watch);
            if let Some((key, _)) = cgroup.event {
                self.keys.remove(&key);
            }
        }
    }

    fn directory(&self, path: &str) -> PathBuf {
        self.mount.join(path.trim_start_matches('/'))
    }
}

/// Descriptors that this process may have; none: as many as the machine has.
fn most_descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// What to do about it depends on how many there may be.
fn out_of_descriptors() -> String {
    match most_descriptors() {
        Some(limit) => format!(
            "file descriptors left of {limit} (a higher limit: `ulimit -Hn`, LimitNOFILE= of a unit)"
        ),
        None => "file descriptors left on this machine (fs.file-max)".into(),
    }
}

fn counts(directory: &Path) -> Option<OomCounts> {
    oom_counts(&flat(&directory.join("memory.oom_control")))
}
