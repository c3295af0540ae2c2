//! What a process costs: processor time of all its threads to the nanosecond, wake-ups, memory.

use std::path::PathBuf;

use anyhow::Context;

/// Since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// On a processor, `schedstat` of every thread that lives.
    pub(super) cpu_ns: u64,
    /// Times it waited and was woken.
    pub(super) wakeups: u64,
}

impl Cost {
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let mut cost = Self::default();
        let threads = PathBuf::from(format!("/proc/{pid}/task"));
        let entries = std::fs::read_dir(&threads).with_context(|| threads.display().to_string())?;
        for entry in entries {
            let thread = entry?.path();
            let schedstat = std::fs::read_to_string(thread.join("schedstat"))?;
            cost.cpu_ns += schedstat
                .split(' ')
                .next()
                .unwrap_or_default()
                .parse::<u64>()?;
            let status = std::fs::read_to_string(thread.join("status"))?;
            cost.wakeups += field(&status, "voluntary_ctxt_switches:").context("status")?;
        }
        Ok(cost)
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            wakeups: self.wakeups.saturating_sub(earlier.wakeups),
        }
    }
}

/// Resident memory, KiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resident {
    /// All of it, the program's own file included.
    pub(super) all_kib: u64,
    /// Not backed by a file.
    pub(super) anon_kib: u64,
}

impl Resident {
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let file = format!("/proc/{pid}/status");
        let status = std::fs::read_to_string(&file).context(file)?;
        Ok(Self {
            all_kib: field(&status, "VmRSS:").context("VmRSS")?,
            anon_kib: field(&status, "RssAnon:").context("RssAnon")?,
        })
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
