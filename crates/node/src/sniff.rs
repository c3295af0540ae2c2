//! What the first bytes of a file say it is: text, compressed, a binary journal, or nothing for us.
//! Goes by content, never by name; reads nothing itself.

/// What a file holds, told from its first block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// No byte.
    Empty,
    /// Bytes that look like lines.
    Text,
    /// UTF-16 with a byte order mark (Windows PowerShell's `>` writes it): little endian, or big.
    Utf16 {
        /// Byte order.
        little_endian: bool,
    },
    /// RFC 1952.
    Gzip,
    /// RFC 8878, also its skippable frames.
    Zstd,
    /// The .xz format.
    Xz,
    /// bzip2.
    Bzip2,
    /// systemd's binary journal.
    Journal,
    /// Something known that is not a log; in words, with what to do where there is something to do.
    Other(&'static str),
    /// Not text.
    Binary,
}

/// How many bytes of a file are worth handing to [`sniff`].
pub const SNIFF_BYTES: usize = 8192;

/// Magic numbers at the start of files. The order matters only where one is a prefix of another: none is.
const MAGIC: &[(&[u8], Content)] = &[
    (b"\x1f\x8b", Content::Gzip),
    (b"\x28\xb5\x2f\xfd", Content::Zstd),
    (b"\xfd7zXZ\x00", Content::Xz),
    (b"LPKSHHRH", Content::Journal),
    (b"BZh", Content::Bzip2),
    (
        b"\x04\x22\x4d\x18",
        Content::Other(
            "lz4, which is not read here: hand it over with `lz4cat FILE | whodunit explain -`",
        ),
    ),
    (
        b"\x1f\x9d",
        Content::Other(
            "compress(1), which is not read here: hand it over with `zcat FILE | whodunit explain -`",
        ),
    ),
    (
        b"PK\x03\x04",
        Content::Other("a zip archive: unpack it first"),
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        Content::Other("a 7z archive: unpack it first"),
    ),
    (b"\x7fELF", Content::Other("a program")),
    (
        b"KDUMP   ",
        Content::Other("a crash dump: get its log with `crash` or `makedumpfile --dump-dmesg`"),
    ),
    (b"SQLite format 3\0", Content::Other("an SQLite database")),
    (b"\x89PNG", Content::Other("a picture")),
];

/// Tells what the first block of a file (up to [`SNIFF_BYTES`]) shows it to be.
pub fn sniff(first: &[u8]) -> Content {
    if first.is_empty() {
        return Content::Empty;
    }
    if let Some((_, content)) = MAGIC.iter().find(|(magic, _)| first.starts_with(magic)) {
        return *content;
    }
    match first {
        // Skippable frames: 0x184D2A50 to 0x184D2A5F, little endian.
        [low, 0x2a, 0x4d, 0x18, ..] if low & 0xf0 == 0x50 => return Content::Zstd,
        [0xff, 0xfe, rest @ ..] if !rest.starts_with(&[0, 0]) => {
            return Content::Utf16 {
                little_endian: true,
            };
        }
        [0xfe, 0xff, ..] => {
            return Content::Utf16 {
                little_endian: false,
            };
        }
        _ => {}
    }
    if first.get(257..262) == Some(b"ustar") {
        return Content::Other("a tar archive: unpack it first");
    }
    if is_text(first) {
        Content::Text
    } else {
        Content::Binary
    }
}

/// Whether a block looks like lines of a log in ASCII, UTF-8 or an 8-bit or multi-byte locale.
///
/// A run of NULs counts once: after a crash, ext4 and XFS leave holes of zeros in a log that is text otherwise.
fn is_text(block: &[u8]) -> bool {
    let (mut controls, mut other, mut previous) = (0_usize, 0_usize, b' ');
    for &byte in block {
        match byte {
            0 if previous == 0 => {}
            b'\t' | b'\n' | b'\r' | 0x08 | 0x0c | 0x1b => other += 1,
            0..=0x1f | 0x7f => controls += 1,
            _ => other += 1,
        }
        previous = byte;
    }
    // Random bytes have 27 such control bytes in 256, so about one in ten.
    controls * 20 <= other
}
