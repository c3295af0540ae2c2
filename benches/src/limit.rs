//! What any scanner has to do at least: touch every byte once, and nothing else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;

/// Line ends in a mapped file, counted by `memchr` (vector code, one load a byte): the speed of memory and of the
/// kernel's mapping.
pub(crate) fn newlines(path: &Path) -> anyhow::Result<usize> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    // SAFETY: the benchmark's own file, which nothing writes to while it runs; read as plain bytes.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(&file) }.with_context(|| path.display().to_string())?;
    Ok(memchr::memchr_iter(b'\n', &map).count())
}

/// Bytes of standard input, read in the pieces a pipe hands out and thrown away.
pub(crate) fn drain() -> anyhow::Result<u64> {
    let mut input = std::io::stdin().lock();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match input.read(&mut buffer).context("standard input")? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}
