//! What a file holds: compression, damage, other encodings, no log at all, truncation under a mapping.

use super::*;

#[test]
fn compression_goes_by_content_and_joins_members() {
    let plain = log(3_000_000);
    let (front, back) = plain.split_at(1_234_567);
    let mut packed = vec![
        ("gzip", [gzip(front), gzip(back)].concat()),
        ("bzip2", [bzip2(front), bzip2(back)].concat()),
    ];
    for (program, arguments) in [
        ("zstd", &["-q", "-c"][..]),
        ("xz", &["-c", "-T1"]),
        ("gzip", &["-c"]),
        ("bzip2", &["-c"]),
    ] {
        match (
            through(program, arguments, front),
            through(program, arguments, back),
        ) {
            (Some(front), Some(back)) => packed.push((program, [front, back].concat())),
            _ => eprintln!("LOUD: {program} is not installed; its own output was not tested"),
        }
    }
    let frame = |part| zstd::stream::encode_all(part, 3).unwrap();
    // A skippable frame first and between: pzstd writes such.
    let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd".to_vec();
    packed.push((
        "zstd frames",
        [skippable.clone(), frame(front), skippable, frame(back)].concat(),
    ));
    assert!(
        packed.iter().any(|(name, _)| *name == "xz"),
        "xz-utils is part of every Debian"
    );
    for (name, bytes) in packed {
        let tree = tree(&[("no-extension", &bytes)]);
        let opened = open_one(&tree.path().join("no-extension")).unwrap();
        assert_eq!(opened.size_bytes, Some(bytes.len() as u64), "{name}");
        let read = opened.read.clone();
        let (unpacked, error) = opened.content.read_to_end();
        assert!(error.is_none(), "{name}: {error:?}");
        assert!(
            unpacked == plain,
            "{name}: {} of {} bytes",
            unpacked.len(),
            plain.len()
        );
        assert_eq!(read.get(), bytes.len() as u64, "{name}");
    }
}

#[test]
fn a_compressed_file_that_is_cut_or_damaged_gives_what_is_good_and_an_error() {
    let plain = log(4_000_000);
    let mut packed = vec![
        ("gzip", gzip(&plain)),
        ("zstd", zstd::stream::encode_all(&plain[..], 3).unwrap()),
        ("bzip2", bzip2(&plain)),
    ];
    if let Some(bytes) = through("xz", &["-c", "-T1"], &plain) {
        packed.push(("xz", bytes));
    }
    assert_eq!(packed.len(), 4, "xz-utils is part of every Debian");
    for (name, whole) in packed {
        let cut = whole[..whole.len() * 3 / 4].to_vec();
        let mut damaged = whole.clone();
        let middle = damaged.len() * 3 / 4;
        damaged[middle..middle + 64].fill(0xff);
        for (damage, bytes) in [("truncated", cut), ("corrupt", damaged)] {
            let tree = tree(&[("kern.log.gz", &bytes)]);
            let (readable, error) = open_one(&tree.path().join("kern.log.gz"))
                .unwrap()
                .content
                .read_to_end();
            let error = error
                .unwrap_or_else(|| panic!("{name} {damage}: no error"))
                .to_string();
            assert!(error.contains(name), "{error}");
            assert!(
                damage == "corrupt" || error.contains("truncated"),
                "{error}"
            );
            // xz finds damage of a chunk late: its check is at the end of the block. What comes before is right.
            let good = readable
                .iter()
                .zip(&plain)
                .take_while(|(one, other)| one == other)
                .count();
            assert!(
                good * 2 > plain.len(),
                "{name} {damage}: {good} of {} bytes",
                plain.len()
            );
        }
        // Cut within its first bytes: still an error, not an empty log.
        let tree = tree(&[("kern.log", &whole[..7])]);
        let (_, error) = open_one(&tree.path().join("kern.log"))
            .unwrap()
            .content
            .read_to_end();
        assert!(error.is_some(), "{name}");
    }
}

#[test]
fn what_is_no_log_is_skipped_with_its_reason() {
    let mut random = Vec::new();
    let mut state = 88_172_645_463_325_252_u64;
    while random.len() < 100_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        random.extend_from_slice(&state.to_le_bytes());
    }
    let mut tar = vec![b'x'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("random", random.clone(), "binary"),
        ("zeros", vec![0; 5000], "binary"),
        (
            "wtmp",
            [&b"~\0\0\0reboot\0\0\0\x01\x02\x03\0\0\x07"[..]; 40].concat(),
            "binary",
        ),
        ("random.gz", gzip(&random), "binary"),
        ("logs.tar.gz", gzip(&tar), "tar archive"),
        ("twice.gz", gzip(&gzip(LINE)), "compressed twice"),
        ("log.lz4", b"\x04\x22\x4d\x18".to_vec(), "lz4cat"),
        ("ls", fs::read("/proc/self/exe").unwrap(), "a program"),
    ];
    for (name, bytes, why) in cases {
        let tree = tree(&[(name, &bytes)]);
        match open_one(&tree.path().join(name)) {
            Err(error @ OpenError::Skipped { .. }) => {
                let said = error.to_string();
                assert!(said.contains(name) && said.contains(why), "{said}");
                assert_eq!(said.lines().count(), 1, "{said}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn text_is_text_in_any_locale_and_with_a_hole_in_it() {
    // GB 18030, Latin-1, a terminal's colours, a crash's hole of zeros, one line.
    let gb18030: &[u8] =
        b"[\xd2\xbb 1\xd4\xc2  2 03:04:05 2026] \xc4\xda\xb4\xe6\xb2\xbb\xd7\xe3\n";
    let hole = [LINE, &[0; 3000], LINE].concat();
    for bytes in [
        LINE,
        gb18030,
        b"J\xe4n  2 host kernel: x\n",
        b"\x1b[32m[    1.0]\x1b[0m oom\r\n",
        &hole,
    ] {
        assert_eq!(
            sniff(bytes),
            sniff::Content::Text,
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    let tree = tree(&[("empty", b""), ("bom", &[b"\xef\xbb\xbf", LINE].concat())]);
    assert_eq!(
        open_one(&tree.path().join("empty"))
            .unwrap()
            .content
            .read_to_end()
            .0,
        b""
    );
    assert!(
        open_one(&tree.path().join("bom"))
            .unwrap()
            .content
            .read_to_end()
            .0
            .ends_with(LINE)
    );
}

#[test]
fn utf_16_is_converted() {
    // Longer than a block, so that a pair of surrogates falls on its edge somewhere.
    let text: String = (0..4000)
        .map(|number| format!("{number} Köln 🦀\n"))
        .collect();
    for big in [false, true] {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes: Vec<u8> = units
            .flat_map(|unit: u16| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect();
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let tree = tree(&[("dmesg.txt", &bytes)]);
            let opened = open_one(&tree.path().join("dmesg.txt")).unwrap();
            assert!(opened.notes[0].contains("UTF-16"));
            let (read, error) = opened.content.read_to_end();
            assert_eq!(String::from_utf8(read).unwrap(), text);
            assert!(error.is_none());
        }
    }
}

#[test]
fn a_large_file_is_mapped_and_survives_its_truncation() {
    let plain = log(9_000_000);
    let tree = tree(&[("kern.log", &plain)]);
    let path = tree.path().join("kern.log");
    let Content::Bytes(bytes) = open_one(&path).unwrap().content else {
        panic!("not in memory")
    };
    assert!(bytes[..] == plain[..]);
    assert!(bytes.check().is_ok());

    let Content::Bytes(bytes) = open_one(&path).unwrap().content else {
        panic!("not in memory")
    };
    let shorter = 1_000_000;
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(shorter as u64)
        .unwrap();
    // Without the handler this read would end the test with SIGBUS.
    assert!(bytes[..shorter] == plain[..shorter]);
    assert!(bytes[shorter..].iter().all(|byte| *byte == 0));
    assert!(bytes.check().unwrap_err().to_string().contains("truncated"));
}
