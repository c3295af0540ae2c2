//! Logs that begin with their newest line, as `journalctl -r`, web consoles and `gcloud logging read` give them: told by
//! their stamps, and turned round.

use crate::frame::{self, Scratch};
use crate::report::Stamp;
use crate::scan::unfolded;
use crate::time::Assumptions;

/// So much of a log shows which way it runs.
const HEAD: usize = 64 * 1024;
/// Lines whose stamps are compared.
const LINES: usize = 400;
/// So many lines have to be older than the one before them, and none newer.
const STEPS: usize = 4;

/// A log turned round: its last line is now the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// The lines, the oldest first.
    pub bytes: Vec<u8>,
    /// Their number.
    pub lines: u64,
}

impl Turned {
    /// The number in the log as it was (1-based) of a line of the turned one.
    pub fn line_before(&self, number: u64) -> u64 {
        (self.lines + 1).saturating_sub(number)
    }
}

/// Whether the stamps of a log's first lines run from the newest to the oldest. `head`: its beginning; 64 KiB are enough.
///
/// ```
/// use oom_report::{Assumptions, runs_backwards};
///
/// let newest_first = b"[   12.500000] a\n[   12.400000] b\n[   11.300000] c\n[   10.000000] d\n[    9.900000] e\n";
/// assert!(runs_backwards(newest_first, &Assumptions::default()));
/// let oldest_first = b"[    9.900000] e\n[   10.000000] d\n[   11.300000] c\n[   12.400000] b\n[   12.500000] a\n";
/// assert!(!runs_backwards(oldest_first, &Assumptions::default()));
/// ```
pub fn runs_backwards(head: &[u8], assumptions: &Assumptions) -> bool {
    let head = head.get(..head.len().min(HEAD)).unwrap_or_default();
    // The last line may be cut.
    let whole = memchr::memrchr(b'\n', head).map_or(0, |end| end + 1);
    let head = head.get(..whole).unwrap_or_default();
    let unfolded = unfolded(head);
    let head = unfolded.as_deref().unwrap_or(head);
    let mut scratch = Scratch::default();
    let mut before: Option<Stamp> = None;
    let mut steps = 0;
    for line in head.split(|byte| *byte == b'\n').take(LINES) {
        let frame = frame::frame(line, None, &mut scratch);
        let stamp = assumptions.stamp(frame.boot_us, frame.time);
        if stamp == Stamp::default() {
            continue;
        }
        if let Some(before) = before.replace(stamp) {
            match order(&before, &stamp) {
                Some(std::cmp::Ordering::Less) => return false,
                Some(std::cmp::Ordering::Greater) => steps += 1,
                Some(std::cmp::Ordering::Equal) | None => {}
            }
        }
    }
    steps >= STEPS
}

/// By the wall clock where both have it: it runs on where a machine starts anew. Within one of its ticks by the kernel's.
fn order(one: &Stamp, other: &Stamp) -> Option<std::cmp::Ordering> {
    let walls = one.wall.zip(other.wall);
    let by_wall = walls.map(|(one, other)| one.timestamp.cmp(&other.timestamp));
    let boots = one.boot_us.zip(other.boot_us);
    let by_boot = boots.map(|(one, other)| one.cmp(&other));
    by_wall
        .filter(|order| order.is_ne())
        .or(by_boot)
        .or(by_wall)
}

/// The log with its last line first.
///
/// ```
/// let turned = oom_report::turned(b"c\nb\na");
/// assert_eq!(turned.bytes, b"a\nb\nc\n");
/// assert_eq!(turned.line_before(1), 3);
/// ```
pub fn turned(log: &[u8]) -> Turned {
    let unfolded = unfolded(log);
    let log = unfolded.as_deref().unwrap_or(log);
    let lines = log.strip_suffix(b"\n").unwrap_or(log);
    let mut turned = Turned {
        bytes: Vec::with_capacity(log.len() + 1),
        lines: 0,
    };
    for line in lines.rsplit(|byte| *byte == b'\n') {
        turned.bytes.extend(line);
        turned.bytes.push(b'\n');
        turned.lines += 1;
    }
    turned
}
