//! What this process costs, under the names that every Prometheus client uses. From /proc/self, read when asked.

use std::fs::File;

use procfs_core::FromRead;
use procfs_core::process::Stat;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Of this process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct OwnCost {
    /// User and system time, all threads.
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    /// Unix time.
    pub(super) start_seconds: Option<f64>,
    pub(super) open_fds: Option<u64>,
    /// Soft limit; none: without limit.
    pub(super) max_fds: Option<u64>,
}

impl OwnCost {
    /// As it is now; what cannot be read is left out.
    pub(super) fn read() -> Self {
        let stat = File::open("/proc/self/stat")
            .ok()
            .and_then(|file| Stat::from_read(file).ok());
        let ticks = clock_ticks_per_second() as f64;
        let started = |stat: &Stat| boot_seconds().map(|boot| boot + stat.starttime as f64 / ticks);
        // The folder's own descriptor is among them.
        let open = std::fs::read_dir("/proc/self/fd").ok();
        let open = open.map(|entries| (entries.count() as u64).saturating_sub(1));
        Self {
            cpu_seconds: stat
                .as_ref()
                .map(|stat| (stat.utime + stat.stime) as f64 / ticks),
            resident_bytes: stat.as_ref().map(|stat| stat.rss * page_size() as u64),
            virtual_bytes: stat.as_ref().map(|stat| stat.vsize),
            threads: stat
                .as_ref()
                .and_then(|stat| u64::try_from(stat.num_threads).ok()),
            start_seconds: stat.as_ref().and_then(started),
            open_fds: open,
            max_fds: getrlimit(Resource::Nofile).current,
        }
    }
}

/// Unix time of the boot: `btime` in /proc/stat.
fn boot_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_from_this_machine() {
        let cost = OwnCost::read();
        assert!(cost.resident_bytes.unwrap() > 1 << 20, "{cost:?}");
        assert!(cost.virtual_bytes.unwrap() > cost.resident_bytes.unwrap());
        assert!(cost.threads.unwrap() >= 1 && cost.open_fds.unwrap() >= 3);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let age = now.as_secs_f64() - cost.start_seconds.unwrap();
        assert!((-2.0..3600.0).contains(&age), "{age}");
    }
}
