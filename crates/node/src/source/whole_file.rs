//! A file read as a stream, as far as it reached when it was opened.

use std::fs::File;
use std::io::{self, Read};

/// Ends at the size the file had: a writer that is faster than the reader keeps nobody waiting. A file that has
/// become shorter is an error behind what could be read.
pub(super) struct WholeFile {
    file: File,
    left_bytes: u64,
}

impl WholeFile {
    /// `left_bytes`: from where the file is read on, to its end.
    pub(super) fn new(file: File, left_bytes: u64) -> Self {
        Self { file, left_bytes }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Read for WholeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left_bytes)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        let read = self.file.read(buffer)?;
        if read == 0 {
            self.left_bytes = 0;
            return Err(truncated());
        }
        self.left_bytes -= read as u64;
        Ok(read)
    }
}

/// The writer took back what it had written (`copytruncate`).
pub(super) fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file was truncated while it was read; what had been behind its new end is lost",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[test]
    fn ends_at_the_size_it_had() {
        let mut read = Vec::new();
        let mut whole = WholeFile::new(file(b"one\ntwo\nadded\n"), 8);
        assert_eq!(whole.read_to_end(&mut read).unwrap(), 8);
        assert_eq!(read, b"one\ntwo\n");
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error_once() {
        let mut read = Vec::new();
        let mut whole = WholeFile::new(file(b"one\n"), 8);
        let error = whole.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read, b"one\n");
        assert_eq!(whole.read(&mut [0; 8]).unwrap(), 0);
    }
}
