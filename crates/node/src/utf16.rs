//! UTF-16 to UTF-8 as it is read, in constant memory. Knows nothing of lines.

use std::io::{self, Read};

/// A reader of UTF-8 over a reader of UTF-16. A lone surrogate becomes U+FFFD; an odd last byte is an error.
pub(crate) struct Utf16Reader<R> {
    inner: R,
    little_endian: bool,
    raw: Vec<u8>,
    high_surrogate: Option<u16>,
    ready: Vec<u8>,
    taken: usize,
}

impl<R: Read> Utf16Reader<R> {
    pub(crate) fn new(inner: R, little_endian: bool) -> Self {
        Self {
            inner,
            little_endian,
            raw: Vec::new(),
            high_surrogate: None,
            ready: Vec::new(),
            taken: 0,
        }
    }

    /// Reads and decodes one block; false at the end.
    fn refill(&mut self) -> io::Result<bool> {
        self.ready.clear();
        self.taken = 0;
        let mut block = [0_u8; 8192];
        let read = self.inner.read(&mut block)?;
        if read == 0 {
            if !self.raw.is_empty() {
                self.raw.clear();
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "UTF-16 text ends in the middle of a character",
                ));
            }
            return Ok(false);
        }
        self.raw
            .extend_from_slice(block.get(..read).unwrap_or_default());
        let even = self.raw.len() & !1;
        let units: Vec<u16> = self
            .raw
            .chunks_exact(2)
            .filter_map(|pair| {
                let pair: [u8; 2] = pair.try_into().ok()?;
                Some(if self.little_endian {
                    u16::from_le_bytes(pair)
                } else {
                    u16::from_be_bytes(pair)
                })
            })
            .collect();
        self.raw.drain(..even);
        let mut units: Vec<u16> = self
            .high_surrogate
            .take()
            .into_iter()
            .chain(units)
            .collect();
        if let Some(last @ 0xd800..=0xdbff) = units.last().copied() {
            self.high_surrogate = Some(last);
            units.pop();
        }
        let mut utf8 = [0_u8; 4];
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            // The byte order mark is no text.
            if character != '\u{feff}' {
                self.ready
                    .extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken >= self.ready.len() {
            if !self.refill()? {
                return Ok(0);
            }
        }
        let mut rest = self.ready.get(self.taken..).unwrap_or_default();
        let read = rest.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}
