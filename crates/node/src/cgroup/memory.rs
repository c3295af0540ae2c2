//! What cgroups may use and use, from their files: one cgroup, or all from it up to the root.

use std::io;
use std::path::Path;

use procfs_core::{FromRead, MemoryPressure, PressureRecord};
use smol_str::SmolStr;
use whodunit_case::fact::{CgroupHierarchy, CgroupMemory, OomCounts, Pressure, Stall};

use super::{Hierarchies, directory};

/// v1 shows "no limit" as the largest number of whole pages: PAGE_COUNTER_MAX, 2^63 less a page; 64 KiB pages are the
/// largest (include/linux/page_counter.h).
const V1_UNLIMITED_BYTES: u64 = (1 << 63) - (64 << 10);

impl Hierarchies {
    /// The memory of the cgroup `path` and of every cgroup above it, innermost first, the root last. Those that are
    /// gone are left out; an empty list: no memory controller, or nothing of the path is there.
    pub fn memory_along(&self, path: &str) -> Vec<CgroupMemory> {
        let mut path = path.trim_end_matches('/');
        let mut levels = Vec::new();
        loop {
            levels.extend(self.memory_of(if path.is_empty() { "/" } else { path }));
            let Some(slash) = path.rfind('/') else {
                return levels;
            };
            path = path.get(..slash).unwrap_or_default();
        }
    }

    /// The memory of one cgroup; `None` when it is not there.
    pub fn memory_of(&self, path: &str) -> Option<CgroupMemory> {
        let (hierarchy, mount) = self.memory()?;
        let directory = directory(mount, path)?;
        if !directory.is_dir() {
            return None;
        }
        let mut memory = match hierarchy {
            CgroupHierarchy::MemoryV1 => v1(&directory),
            CgroupHierarchy::Unified => v2(&directory),
        };
        memory.path = SmolStr::new(path);
        memory.stat = flat(&directory.join("memory.stat"));
        memory.processes = read(&directory.join("cgroup.procs"))
            .ok()
            .map(|text| text.lines().count() as u64);
        Some(memory)
    }

    /// Usage and limit of one cgroup, KiB: the two numbers that are worth reading while a victim still dies.
    pub fn usage_and_limit_kib(&self, path: &str) -> (Option<u64>, Option<u64>) {
        let Some((hierarchy, mount)) = self.memory() else {
            return (None, None);
        };
        let Some(directory) = directory(mount, path) else {
            return (None, None);
        };
        let (usage, limit) = match hierarchy {
            CgroupHierarchy::MemoryV1 => ("memory.usage_in_bytes", "memory.limit_in_bytes"),
            CgroupHierarchy::Unified => ("memory.current", "memory.max"),
        };
        let kib = |file: &str| number(&directory.join(file)).map(|bytes| bytes >> 10);
        let limit = kib(limit).filter(|kib| *kib < V1_UNLIMITED_BYTES >> 10);
        (kib(usage), limit)
    }
}

fn v1(directory: &Path) -> CgroupMemory {
    let value = |file: &str| number(&directory.join(file));
    let (usage, limit) = (
        value("memory.usage_in_bytes"),
        value("memory.limit_in_bytes"),
    );
    let unlimited = |bytes: &u64| *bytes >= V1_UNLIMITED_BYTES;
    let control = flat(&directory.join("memory.oom_control"));
    CgroupMemory {
        usage_bytes: usage,
        limit_bytes: limit.filter(|bytes| !unlimited(bytes)),
        unlimited: limit.is_some_and(|bytes| unlimited(&bytes)),
        peak_bytes: value("memory.max_usage_in_bytes"),
        swap_usage_bytes: value("memory.memsw.usage_in_bytes")
            .zip(usage)
            .map(|(both, memory)| both.saturating_sub(memory)),
        swap_limit_bytes: value("memory.memsw.limit_in_bytes").filter(|bytes| !unlimited(bytes)),
        failcnt: value("memory.failcnt"),
        oom_kill_disabled: get(&control, "oom_kill_disable").map(|value| value != 0),
        oom: oom_counts(&control),
        ..CgroupMemory::default()
    }
}

fn v2(directory: &Path) -> CgroupMemory {
    let value = |file: &str| number(&directory.join(file));
    let limit = read(&directory.join("memory.max"));
    let local = flat(&directory.join("memory.events.local"));
    let counts = if local.is_empty() {
        flat(&directory.join("memory.events"))
    } else {
        local
    };
    CgroupMemory {
        usage_bytes: value("memory.current"),
        limit_bytes: value("memory.max"),
        unlimited: limit.is_ok_and(|text| text.trim() == "max"),
        high_bytes: value("memory.high"),
        low_bytes: value("memory.low"),
        min_bytes: value("memory.min"),
        peak_bytes: value("memory.peak"),
        swap_usage_bytes: value("memory.swap.current"),
        swap_limit_bytes: value("memory.swap.max"),
        oom_group: value("memory.oom.group").map(|value| value != 0),
        oom: oom_counts(&counts),
        pressure: pressure_of(&directory.join("memory.pressure")),
        ..CgroupMemory::default()
    }
}

/// The out-of-memory counts among the rows of `memory.events` or `memory.oom_control`.
pub(super) fn oom_counts(rows: &[(SmolStr, u64)]) -> Option<OomCounts> {
    Some(OomCounts {
        oom: get(rows, "oom"),
        // v1 counts since 4.13.
        oom_kill: get(rows, "oom_kill")?,
        oom_group_kill: get(rows, "oom_group_kill"),
    })
}

/// Reads a file of `name value` rows; empty when it is not there.
pub(super) fn flat(path: &Path) -> Vec<(SmolStr, u64)> {
    read(path).map_or_else(|_| Vec::new(), |text| rows(&text))
}

pub(super) fn rows(text: &str) -> Vec<(SmolStr, u64)> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((SmolStr::new(name), value.trim().parse().ok()?))
        })
        .collect()
}

pub(super) fn get(rows: &[(SmolStr, u64)], name: &str) -> Option<u64> {
    let (_, value) = rows.iter().find(|(known, _)| known == name)?;
    Some(*value)
}

/// A file of one number. `max` is none.
fn number(path: &Path) -> Option<u64> {
    read(path).ok()?.trim().parse().ok()
}

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// A PSI file: `/proc/pressure/memory`, or a cgroup's `memory.pressure`. `None` where the kernel has none, or has
/// them switched off.
pub fn pressure_of(path: &Path) -> Option<Pressure> {
    let text = read(path).ok()?;
    // The processor's file of a whole machine has no line for all before 5.13; the reader wants one.
    let has_full = text.lines().any(|line| line.starts_with("full"));
    let padded = if has_full {
        text
    } else {
        format!("{}\n{}", text.trim_end(), text.replacen("some", "full", 1))
    };
    let MemoryPressure { some, full } = MemoryPressure::from_read(padded.as_bytes()).ok()?;
    Some(Pressure {
        some: stall(&some),
        full: has_full.then(|| stall(&full)),
    })
}

fn stall(record: &PressureRecord) -> Stall {
    Stall {
        avg10_percent: record.avg10,
        avg60_percent: record.avg60,
        avg300_percent: record.avg300,
        total_us: record.total,
    }
}
