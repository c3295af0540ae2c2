//! The kernel's ring buffer through /dev/kmsg: every record that it holds now, raw, and how many it lost.
//! Does not read the records beyond their sequence number. Format: Documentation/ABI/testing/dev-kmsg.

mod follow;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

pub use follow::{Batch, Begun, Follower, Gap, Position, Start};

/// A read shorter than a record fails with EINVAL; the kernel's own limit is 8 KiB (`CONSOLE_EXT_LOG_MAX`,
/// kernel/printk), 2 KiB on newer kernels (`PRINTK_MESSAGE_MAX`).
const RECORD_MAX_BYTES: usize = 64 * 1024;

/// What the ring buffer held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ring {
    /// Records as read (`4,1234,56789,-;text` and their continuation lines), each ending in a newline.
    pub bytes: Vec<u8>,
    /// Records overwritten before this reader came: those from boot on.
    pub overwritten_before: u64,
    /// Records overwritten while it read (EPIPE), told by the gap in the sequence numbers.
    pub overwritten_meanwhile: u64,
}

impl Ring {
    /// What of it the reader of a verdict should know.
    pub fn lost_note(&self) -> Option<String> {
        match (self.overwritten_before, self.overwritten_meanwhile) {
            (0, 0) => None,
            (before, 0) => Some(format!(
                "the ring buffer has overwritten its first {before} records since boot; older kills are in the journal or under /var/log"
            )),
            (before, meanwhile) => Some(format!(
                "the ring buffer has overwritten its first {before} records since boot, and {meanwhile} more while it was read: reports may be cut"
            )),
        }
    }
}

/// Reads all records there are, without waiting for more.
pub fn read(path: &Path) -> io::Result<Ring> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    collect(|record| file.read(record))
}

/// Collects records from a function that behaves as read(2) on /dev/kmsg does: one record a call, EAGAIN (or 0) at
/// the end, EPIPE when records were overwritten since the last call.
pub fn collect(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<Ring> {
    let mut ring = Ring::default();
    let mut buffer = vec![0; RECORD_MAX_BYTES];
    let mut expected: Option<u64> = None;
    let mut overwritten = false;
    loop {
        let length = match read(&mut buffer) {
            Ok(0) => return Ok(ring),
            Ok(length) => length,
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(ring),
                Some(libc::EPIPE) => {
                    overwritten = true;
                    continue;
                }
                Some(libc::EINTR) => continue,
                _ => return Err(error),
            },
        };
        let record = buffer.get(..length).unwrap_or_default();
        if let Some(sequence) = sequence(record) {
            match expected {
                None => ring.overwritten_before = sequence,
                Some(expected) if overwritten => {
                    ring.overwritten_meanwhile += sequence.saturating_sub(expected);
                }
                // Without EPIPE a gap is a record that the kernel left out of the stream, not one lost.
                Some(_) => {}
            }
            overwritten = false;
            expected = Some(sequence + 1);
        }
        ring.bytes.extend_from_slice(record);
        if !record.ends_with(b"\n") {
            ring.bytes.push(b'\n');
        }
    }
}

/// The second field of `prefix,sequence,microseconds,flags;`.
fn sequence(record: &[u8]) -> Option<u64> {
    let field = record.split(|byte| *byte == b',').nth(1)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// What to do when it cannot be opened or read.
pub fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "run it with sudo; without root the kernel lets nobody read its log while kernel.dmesg_restrict is 1 \
             (`sysctl kernel.dmesg_restrict`), and in a container CAP_SYSLOG is needed"
        }
        io::ErrorKind::NotFound => {
            "no such device: in a container, hand it in (docker: `--device /dev/kmsg`, Kubernetes: a hostPath volume)"
        }
        _ => "try `dmesg | whodunit explain -`",
    }
    .to_owned()
}
