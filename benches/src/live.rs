//! Live watching: real kills on this machine, and what the whole program (`whodunit watch -o ndjson`, as it is shipped)
//! says of them. Needs root, eBPF and a memory controller; without them a benchmark of these fails, it is not left out.
//!
//! The kills are made by processes of their own ([`act`]) that write down whom they killed, by which process, and
//! between which two moments of CLOCK_BOOTTIME; [`watched`] runs the program and notes when each line of it arrived, by
//! the same clock; [`held`] holds the one against the other.

pub(crate) mod act;
mod cost;
mod held;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod peers;
pub(crate) mod storm;
mod watched;

/// CLOCK_BOOTTIME, nanoseconds: the clock of the kernel's records.
fn boot_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// The value that lies above `part` of the sorted `values`: 0.5 is the median.
fn quantile(values: &[u64], part: f64) -> u64 {
    let at = (values.len() as f64 * part) as usize;
    let last = values.len().saturating_sub(1);
    values.get(at.min(last)).copied().unwrap_or_default()
}

/// Milliseconds, for people.
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// How busy the machine is with other things: figures of a busy one are no measure.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut words = text.split(' ');
    let one_minute = words.next().unwrap_or("?");
    let running = words.nth(2).unwrap_or("?");
    format!("load {one_minute}, {running} tasks running or there")
}
