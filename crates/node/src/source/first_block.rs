//! The first block of a source: read to see what it is, and given back in front of the rest.

use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;

use crate::sniff::SNIFF_BYTES;

/// A pipe holds 64 KiB unless it is asked to hold more; 1 MiB is what an unprivileged user may have
/// (/proc/sys/fs/pipe-max-size). Fewer turns between writer and reader; what is no pipe refuses, and reads as well.
pub(super) fn widen_pipe(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1024 * 1024);
}

/// Reads until the block is full or there is no more.
pub(super) fn read_block(reader: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut block = Vec::with_capacity(SNIFF_BYTES);
    let error = reader
        .take(SNIFF_BYTES as u64)
        .read_to_end(&mut block)
        .err();
    (block, error)
}

/// Reads what a pipe gives at once, up to a block: a live log must not wait until one is full. No less than what
/// the longest magic number takes.
pub(super) fn read_start(reader: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    const ENOUGH_BYTES: usize = 16;
    let mut block = vec![0; SNIFF_BYTES];
    let mut filled = 0;
    let mut error = None;
    while filled < ENOUGH_BYTES {
        match reader.read(block.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
            Err(failed) => {
                error = Some(failed);
                break;
            }
        }
    }
    block.truncate(filled);
    (block, error)
}

/// Gives a block back to the front of its reader, and the error that came behind it.
pub(super) struct Peeked<R> {
    first: Cursor<Vec<u8>>,
    failed: Option<io::Error>,
    rest: R,
}

impl<R> Peeked<R> {
    pub(super) fn new(first: Vec<u8>, failed: Option<io::Error>, rest: R) -> Self {
        Self {
            first: Cursor::new(first),
            failed,
            rest,
        }
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.first.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.rest.read(buffer),
        }
    }
}
