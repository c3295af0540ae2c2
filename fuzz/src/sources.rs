//! Any bytes as a file: told what it is, decompressed, converted; and any name as that of a rotated log.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};
use whodunit_node::compression::is_compressed;
use whodunit_node::rotation::generation;
use whodunit_node::sniff::{self, SNIFF_BYTES, sniff};
use whodunit_node::{Content, OpenError, find};

use crate::dice;

/// Read of a stream at most: a kilobyte can unpack to gigabytes.
const READ_BYTES: u64 = 1024 * 1024;

/// What came out of a file.
struct Out {
    bytes: Vec<u8>,
    failed: bool,
}

/// A file that holds `bytes`, read as the program would: without a place in the file system to clean up after a crash.
fn read(bytes: &[u8]) -> Result<Out, OpenError> {
    let mut file = File::from(memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("a file in memory"));
    file.write_all(bytes).expect("a file in memory");
    file.rewind().expect("a file in memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let found = find(std::slice::from_ref(&path));
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let [source] = found.sources.as_slice() else {
        panic!("{:?}", found.sources);
    };
    assert_eq!(source.size_bytes, Some(bytes.len() as u64));
    let opened = source.open()?;
    let mut out = Vec::new();
    let failed = match opened.content {
        Content::Bytes(bytes) => {
            out.extend_from_slice(&bytes);
            bytes.check().is_err()
        }
        Content::Stream(stream) => stream.take(READ_BYTES).read_to_end(&mut out).is_err(),
    };
    assert!(opened.read.get() <= bytes.len() as u64);
    Ok(Out { bytes: out, failed })
}

fn utf16(text: &str, little_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|unit| {
            if little_endian {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// What is packed comes out again; cut, its beginning does, with an error.
fn packed_and_cut(text: &[u8], dice: u64) {
    if !matches!(
        sniff(text.get(..SNIFF_BYTES).unwrap_or(text)),
        sniff::Content::Text
    ) {
        return;
    }
    let lossy = String::from_utf8_lossy(text);
    if lossy.starts_with('\0') && dice % 4 == 3 {
        // UTF-16's mark and a NUL are UTF-32's mark.
        return;
    }
    let (packed, expected, whole_only) = match dice % 5 {
        0 => (gzip(text), text.to_vec(), false),
        1 => {
            // Two members in a file are one log.
            let (one, two) = text.split_at(text.len() / 2);
            ([gzip(one), gzip(two)].concat(), text.to_vec(), true)
        }
        2 => (
            zstd::encode_all(text, 1).expect("writing to memory"),
            text.to_vec(),
            false,
        ),
        3 => (bzip2(text), text.to_vec(), false),
        _ => {
            let expected = lossy.replace('\u{feff}', "").into_bytes();
            (utf16(&lossy, dice & 16 == 0), expected, true)
        }
    };
    let out = read(&packed).expect("packed text is read");
    assert!(
        !out.failed && out.bytes == expected,
        "packed in way {}",
        dice % 4
    );
    if whole_only {
        return;
    }
    let cut = packed
        .get(..(dice >> 8) as usize % packed.len())
        .unwrap_or_default();
    // So short that it is not known for what it was: text, then.
    if !is_compressed(sniff(cut)) {
        return;
    }
    if let Ok(out) = read(cut) {
        assert!(expected.starts_with(&out.bytes), "cut: other bytes");
        assert!(out.failed, "cut, and nothing said");
    }
}

/// The order of names is one, whatever they are.
fn rotated(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes.get(..256).unwrap_or(bytes));
    let names: Vec<&str> = text.split('\n').take(6).collect();
    for name in &names {
        let read = generation(name);
        assert_eq!(read.family.is_empty(), name.is_empty(), "{name:?}");
        let packed = generation(&format!("{name}.gz"));
        assert!(
            name.is_empty() || packed.family.len() <= name.len() + 3,
            "{name:?}"
        );
    }
}

/// Reads a file of these bytes.
///
/// # Panics
/// When text does not come out as it is, or what was packed differs.
pub fn holds(bytes: &[u8]) {
    let dice = dice(bytes);
    rotated(bytes);
    let first = bytes.get(..SNIFF_BYTES).unwrap_or(bytes);
    match sniff(first) {
        // Would start journalctl on it: another program, and not this one's to try.
        sniff::Content::Journal => {}
        sniff::Content::Text | sniff::Content::Empty => {
            let out = read(bytes).expect("text is read");
            assert!(out.bytes == bytes && !out.failed, "text changed");
        }
        sniff::Content::Other(_) | sniff::Content::Binary => {
            assert!(
                matches!(read(bytes), Err(OpenError::Skipped { .. })),
                "not skipped"
            );
        }
        sniff::Content::Utf16 { .. } => {
            let out = read(bytes).expect("UTF-16 is read");
            assert_eq!(out.failed, bytes.len() % 2 == 1);
            assert!(std::str::from_utf8(&out.bytes).is_ok());
        }
        sniff::Content::Gzip
        | sniff::Content::Zstd
        | sniff::Content::Xz
        | sniff::Content::Bzip2 => {
            let _ = read(bytes);
        }
    }
    packed_and_cut(bytes, dice);
}
