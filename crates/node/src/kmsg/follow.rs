//! /dev/kmsg as it grows: raw records in the order of their sequence numbers, what was overwritten before it could be
//! read, and a position that a later run goes on from. Facts: read(2) on the device
//! (Documentation/ABI/testing/dev-kmsg). Never waits, and never looks into a record beyond its number and time.
//!
//! For a reader of OOM reports: hand [`Batch::bytes`] to the scanner; while it has a report open, poll with
//! its `settles_after()` as the timeout, and call its `settle` when that passes without a record. A report is then
//! told a few milliseconds after the kernel's last line of it, and told again, whole, should a line come later.
//!
//! The position to save is the one at which the scanner had nothing open (`settles_after()` is `None`): a run that
//! ends in the middle of a report then reads it whole again, and none is lost. One that was told since comes again,
//! with the same incident id.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::RECORD_MAX_BYTES;
use crate::Root;

/// Bytes of one [`Batch`], about: a reader that is far behind still gets to do other things.
const BATCH_BYTES: usize = 1024 * 1024;

/// How far a reader has come. To be saved, and handed to [`Follower::open`] after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// `/proc/sys/kernel/random/boot_id`; sequence numbers begin again at every boot.
    pub boot_id: String,
    /// Sequence number of the next record.
    pub next_sequence: u64,
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that the kernel still holds.
    Oldest,
    /// With the next that is written.
    Now,
    /// Where an earlier run stopped.
    After(Position),
}

/// What became of the wish where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// As wished.
    AsAsked,
    /// The position is of another boot: began with this boot's oldest record.
    OtherBoot {
        /// The boot that the position was saved in.
        saved: String,
    },
    /// The position lies beyond what this boot has written, so it can't be right: began with the oldest record.
    PositionAhead {
        /// The number that it named.
        saved: u64,
    },
}

/// Records that were overwritten unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many.
    pub lost: u64,
    /// Sequence number of the last record before them; `None`: they are the boot's first.
    pub after_sequence: Option<u64>,
    /// Sequence number of the first record behind them.
    pub before_sequence: u64,
    /// When the record before them was written, microseconds on the kernel's log clock; `None` when it was not read
    /// by this run.
    pub after_boot_us: Option<u64>,
    /// When the record behind them was written.
    pub before_boot_us: Option<u64>,
}

/// What one call of [`Follower::read`] got.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records as read, each ending in a newline.
    pub bytes: Vec<u8>,
    /// How many.
    pub records: u64,
    /// What was lost between them, or before the first.
    pub gaps: Vec<Gap>,
    /// There is more to read at once.
    pub more: bool,
    /// The device is at its end for good: only a pipe in its place does that.
    pub ended: bool,
}

/// Follows the kernel's log.
#[derive(Debug)]
pub struct Follower<R = File> {
    device: R,
    boot_id: String,
    begun: Begun,
    /// Number of the next record, once known.
    next: Option<u64>,
    /// Records below it were read by an earlier run.
    skip_below: u64,
    last_boot_us: Option<u64>,
    buffer: Box<[u8]>,
}

impl Follower {
    /// Opens /dev/kmsg under `root`. With [`Start::Now`] what is there is passed over, which takes a microsecond a
    /// record.
    pub fn open(root: &Root, start: &Start) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut device = File::from(rustix::fs::open(
            root.join("/dev/kmsg"),
            flags,
            Mode::empty(),
        )?);
        let boot_id = crate::Machine::read(root).boot_id.unwrap_or_default();
        let saved = match start {
            Start::After(position) if position.boot_id == boot_id => position.next_sequence,
            _ => return Follower::on(device, boot_id, start),
        };
        // A number that this boot has not come to yet would keep silent until it does.
        let mut probe = Follower::on(&device, boot_id.clone(), &Start::Now)?;
        let end = std::mem::take(&mut probe.next).unwrap_or(0);
        drop(probe);
        device.seek(SeekFrom::Start(0))?;
        if saved <= end {
            return Follower::on(device, boot_id, start);
        }
        let follower = Follower::on(device, boot_id, &Start::Oldest)?;
        Ok(Self {
            begun: Begun::PositionAhead { saved },
            ..follower
        })
    }
}

impl<R: AsFd> AsFd for Follower<R> {
    /// Readable (POLLIN) when there is a record, POLLERR beside it when records were overwritten.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl<R: Read> Follower<R> {
    /// On any device that reads as /dev/kmsg does: one record a call, EAGAIN at the end, EPIPE when the next record
    /// was overwritten.
    pub fn on(device: R, boot_id: String, start: &Start) -> io::Result<Self> {
        let (begun, skip_below) = match start {
            Start::Oldest | Start::Now => (Begun::AsAsked, 0),
            Start::After(position) if position.boot_id == boot_id => {
                (Begun::AsAsked, position.next_sequence)
            }
            Start::After(position) => {
                let saved = position.boot_id.clone();
                (Begun::OtherBoot { saved }, 0)
            }
        };
        let mut follower = Self {
            device,
            boot_id,
            begun,
            next: (skip_below > 0).then_some(skip_below),
            skip_below,
            last_boot_us: None,
            buffer: vec![0; RECORD_MAX_BYTES].into_boxed_slice(),
        };
        if *start == Start::Now {
            loop {
                let batch = follower.read()?;
                if !batch.more {
                    break;
                }
            }
        }
        Ok(follower)
    }

    /// What became of the wish where to begin, as far as it shows yet.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Behind everything that was handed out. To be saved when that has been dealt with.
    pub fn position(&self) -> Position {
        Position {
            boot_id: self.boot_id.clone(),
            next_sequence: self.next.unwrap_or(self.skip_below),
        }
    }

    /// Reads what is there, without waiting: about a megabyte at most.
    pub fn read(&mut self) -> io::Result<Batch> {
        let mut batch = Batch::default();
        loop {
            if batch.bytes.len() >= BATCH_BYTES {
                batch.more = true;
                return Ok(batch);
            }
            let length = match self.device.read(&mut self.buffer) {
                Ok(0) => {
                    batch.ended = true;
                    return Ok(batch);
                }
                Ok(length) => length,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(batch),
                    // The next record is gone: its successor's number tells how many went with it.
                    Some(libc::EPIPE | libc::EINTR) => continue,
                    _ => return Err(error),
                },
            };
            let record = self.buffer.get(..length).unwrap_or_default();
            if let Some((sequence, boot_us)) = number_and_time(record) {
                if sequence < self.skip_below {
                    self.last_boot_us = Some(boot_us);
                    continue;
                }
                let expected = self.next.unwrap_or(0);
                if sequence > expected {
                    batch.gaps.push(Gap {
                        lost: sequence - expected,
                        after_sequence: expected.checked_sub(1),
                        before_sequence: sequence,
                        after_boot_us: self.last_boot_us,
                        before_boot_us: Some(boot_us),
                    });
                }
                self.next = Some(sequence + 1);
                self.last_boot_us = Some(boot_us);
            }
            batch.records += 1;
            batch.bytes.extend_from_slice(record);
            if !record.ends_with(b"\n") {
                batch.bytes.push(b'\n');
            }
        }
    }
}

/// The second and third field of `prefix,sequence,microseconds,flags;text`.
fn number_and_time(record: &[u8]) -> Option<(u64, u64)> {
    let mut fields = record.split(|byte| *byte == b',').skip(1);
    let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
    Some((number()?, number()?))
}
