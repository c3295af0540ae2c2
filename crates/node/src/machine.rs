//! What dates and names this machine's own log: host name, boot id, time of boot. Reads /proc and the clocks only.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::Root;

/// Facts of the machine under a [`Root`]. `None` where its /proc does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// `/proc/sys/kernel/hostname`.
    pub hostname: Option<String>,
    /// `/proc/sys/kernel/random/boot_id`: random, new at every boot, with dashes.
    pub boot_id: Option<String>,
    /// Wall clock at boot: `btime` of `/proc/stat` (whole seconds, fs/proc/stat.c), made exact by the clocks on
    /// the running machine.
    pub boot_time: Option<Timestamp>,
    /// How long the machine slept since boot. The kernel's log clock stands still meanwhile, so a boot-relative
    /// stamp after the sleep is this much too early (the same is true of `dmesg -T`).
    pub suspended: Duration,
}

impl Machine {
    /// Reads the facts; what is not readable is `None`.
    pub fn read(root: &Root) -> Self {
        let line = |path: &str| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            let text = text.trim();
            (!text.is_empty() && text != "(none)").then(|| text.to_owned())
        };
        let btime = line("/proc/stat").and_then(|stat| boot_time_of_stat(&stat));
        let (boot_time, suspended) = if root.is_system() {
            let (exact, suspended) = clocks();
            // Another time namespace or a wrong clock shows as a gap: then the kernel's own number stands.
            let near = |a: Timestamp, b: Timestamp| {
                a.duration_since(b).abs() < SignedDuration::from_secs(2)
            };
            let boot = match (btime, exact) {
                (Some(btime), Some(exact)) if near(btime, exact) => Some(exact),
                (Some(btime), _) => Some(btime),
                (None, exact) => exact,
            };
            (boot, suspended)
        } else {
            (btime, Duration::ZERO)
        };
        Self {
            hostname: line("/proc/sys/kernel/hostname"),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            boot_time,
            suspended,
        }
    }
}

/// `btime 1767225600`: seconds since the epoch.
fn boot_time_of_stat(stat: &str) -> Option<Timestamp> {
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Timestamp::from_second(seconds.trim().parse().ok()?).ok()
}

/// Wall clock at boot and the time slept since, from three clocks of the running kernel.
fn clocks() -> (Option<Timestamp>, Duration) {
    let read = |id| {
        let time = clock_gettime(id);
        SignedDuration::new(time.tv_sec, i32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let now = Timestamp::now();
    let (since_boot, awake) = (read(ClockId::Boottime), read(ClockId::Monotonic));
    let suspended = Duration::try_from(since_boot - awake).unwrap_or(Duration::ZERO);
    let slept_at_all = suspended > Duration::from_millis(100);
    (
        now.checked_sub(since_boot).ok(),
        if slept_at_all {
            suspended
        } else {
            Duration::ZERO
        },
    )
}
