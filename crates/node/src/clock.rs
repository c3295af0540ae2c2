//! The clock that live facts are stamped with.

use rustix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME, nanoseconds: goes on while the machine sleeps, as the start times of processes do.
pub fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}
