//! Logs with no clock but the kernel's own: which boot a line is of, where one log holds several.
//!
//! Such a clock begins anew with each boot, so times of two boots must not be compared. A new boot shows in the
//! kernel's first line, or in a report whose clock stands before the last one's. Only told where the log has neither a
//! wall clock nor the id of the boot.

use smol_str::SmolStr;

use super::{Assembler, PAUSE_US};
use crate::cursor::{Cursor, text};
use crate::frame::{Frame, Origin};
use crate::time::RawTime;

/// Where the kernel's first line begins (`linux_banner`, init/version.c).
pub(crate) const BANNER: &[u8] = b"Linux version ";
/// It is printed before the clock has moved.
const EARLY_US: u64 = 10_000_000;
/// Machines in one log.
const MACHINES: usize = 64;
/// Two copies of one line differ by no more: a form may print milliseconds only.
const COPY_US: u64 = 1_000;

/// The boots of one machine, as far as its reports show.
#[derive(Debug)]
struct Machine {
    host: Option<SmolStr>,
    /// 1 for the first.
    ordinal: u32,
    /// When its latest report began.
    latest_us: u64,
    /// The kernel said hello since.
    rebooted: bool,
}

/// The boots of all machines of one log.
#[derive(Debug, Default)]
pub(super) struct Boots {
    machines: Vec<Machine>,
    /// The latest report had no other clock: the kernel's first lines count.
    counting: bool,
}

/// A moment of one boot.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Moment {
    ordinal: Option<u32>,
    boot_us: Option<u64>,
    /// The line's stamps, whatever else it has.
    stamp_us: Option<u64>,
    time: RawTime,
}

impl Moment {
    /// Whether lines of the two moments can be one and the same line, copied.
    pub(super) fn may_be_copies(&self, other: &Self) -> bool {
        let (Some(one), Some(two)) = (self.ordinal, other.ordinal) else {
            return true;
        };
        one == two
            || match (self.boot_us, other.boot_us) {
                (Some(one), Some(two)) => one.abs_diff(two) <= COPY_US,
                _ => true,
            }
    }

    /// Whether lines of the two moments were printed at once, as far as their stamps show.
    pub(super) fn is_same(&self, other: &Self) -> Option<bool> {
        match (self.stamp_us, other.stamp_us) {
            (Some(one), Some(two)) => Some(one.abs_diff(two) <= COPY_US),
            // A second may hold several kills.
            _ => self.time.is_apart(&other.time).then_some(false),
        }
    }
}

impl Boots {
    /// Of which boot a report is that begins with this line.
    pub(super) fn of_report(&mut self, frame: &Frame<'_>, known: bool) -> Option<u32> {
        self.counting = !known && frame.boot_us.is_some() && is_undated(frame);
        let boot_us = frame.boot_us.filter(|_| self.counting)?;
        let host = frame.host.map(text);
        if let Some(machine) = self.machines.iter_mut().find(|known| known.host == host) {
            let fell = machine.latest_us.saturating_sub(boot_us) > PAUSE_US;
            machine.ordinal += u32::from(fell || machine.rebooted);
            machine.rebooted = false;
            machine.latest_us = boot_us;
            return Some(machine.ordinal);
        }
        if self.machines.len() >= MACHINES {
            self.machines.remove(0);
        }
        self.machines.push(Machine {
            host,
            ordinal: 1,
            latest_us: boot_us,
            rebooted: false,
        });
        Some(1)
    }

    /// The moment of a line that begins no report.
    pub(super) fn moment(&self, frame: &Frame<'_>) -> Moment {
        let host = frame.host.map(text);
        let boot_us = frame.boot_us.filter(|_| is_undated(frame));
        let machine = self
            .machines
            .iter()
            .find(|known| known.host == host)
            .filter(|_| self.counting);
        Moment {
            ordinal: machine.zip(boot_us).map(|(machine, boot_us)| {
                let fell = machine.latest_us.saturating_sub(boot_us) > PAUSE_US;
                machine.ordinal + u32::from(fell || machine.rebooted)
            }),
            boot_us,
            stamp_us: frame.boot_us,
            time: frame.time,
        }
    }
}

fn is_undated(frame: &Frame<'_>) -> bool {
    frame.time == RawTime::None && frame.boot_id.is_none()
}

/// Whether the line is the first of a boot.
pub(crate) fn is_banner(frame: &Frame<'_>) -> bool {
    let mut cursor = Cursor(frame.text);
    cursor.eat(BANNER)
        && cursor.peek().is_some_and(|byte| byte.is_ascii_digit())
        && frame.boot_us.is_some_and(|boot_us| boot_us < EARLY_US)
        && frame.believed() != Origin::Other
}

impl Assembler {
    /// Whether the first line of a boot would be of use.
    pub(crate) fn counts_boots(&self) -> bool {
        self.boots.counting
    }

    /// Takes the first line of a boot: whatever was open is over.
    pub(crate) fn begin_boot(&mut self, frame: &Frame<'_>) {
        if !self.boots.counting {
            return;
        }
        let host = frame.host.map(text);
        for machine in &mut self.boots.machines {
            machine.rebooted |= machine.host == host;
        }
        let mut at = 0;
        while let Some(draft) = self.drafts.get(at) {
            if draft.same_writer(frame) {
                self.conclude(at);
            } else {
                at += 1;
            }
        }
    }
}
