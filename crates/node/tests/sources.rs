//! Sources against real trees: order, compression, what is skipped, what fails and with which words, the ring
//! buffer's protocol, a real binary journal, truncation under a mapping.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use whodunit_case::incident::SourceKind;
use whodunit_node::rotation::{Age, generation};
use whodunit_node::sniff::sniff;
use whodunit_node::{
    Content, Found, Machine, OpenError, Root, Source, find, kmsg, own_kernel_log, sniff,
};

const LINE: &[u8] = b"Jan  2 03:04:05 host kernel: [  123.456789] app invoked oom-killer: gfp_mask=0xcc0, order=0\n";

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    directory
}

fn names(found: &Found, below: &Path) -> Vec<String> {
    let name = |source: &Source| {
        let path = source.path.as_ref().unwrap();
        path.strip_prefix(below).unwrap().display().to_string()
    };
    found.sources.iter().map(name).collect()
}

fn only(found: Found) -> Source {
    assert_eq!(found.sources.len(), 1, "{found:?}");
    found.sources.into_iter().next().unwrap()
}

fn open_one(path: &Path) -> Result<whodunit_node::Opened, OpenError> {
    only(find(&[path.to_owned()])).open()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pipes bytes through a program of the system, which is not our decoder's own code.
fn through(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = spawned.ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program} failed");
    Some(output.stdout)
}

/// Lines that compress neither to nothing nor badly.
fn log(bytes: usize) -> Vec<u8> {
    let mut log = Vec::with_capacity(bytes + 128);
    let mut state = 1_u64;
    while log.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        writeln!(
            log,
            "Jan  2 03:04:05 host kernel: [{:12.6}] eth0: {state:016x}",
            (state >> 40) as f64
        )
        .unwrap();
    }
    log
}

#[test]
fn names_tell_family_and_age() {
    let order = [
        &[
            "kern.log.10.gz",
            "kern.log.3.gz",
            "kern.log.2.zst",
            "kern.log.1",
            "kern.log",
        ][..],
        &[
            "messages-20251228.xz",
            "messages-20260101",
            "messages-20260108.gz",
            "messages",
        ],
        &["app-1767225600.gz", "app-1767312000.gz", "app"],
        &["kern-2026-01-01.log", "kern-2026-01-02.log.gz", "kern.log"],
        &["system.2.log", "system.1.log", "system.log"],
        &[
            "syslog.2026-01-01T00:00:00",
            "syslog.2026-01-01T12:00:00",
            "syslog",
        ],
        &["dmesg.4.gz", "dmesg.0", "dmesg"],
        &["Xorg.log.old", "Xorg.log"],
    ];
    for expected in order {
        let mut shuffled = expected.to_vec();
        shuffled.reverse();
        shuffled.sort_by_key(|name| generation(name));
        assert_eq!(shuffled, expected);
        let families: Vec<_> = expected
            .iter()
            .map(|name| generation(name).family)
            .collect();
        assert!(
            families.windows(2).all(|pair| pair[0] == pair[1]),
            "{families:?}"
        );
    }
    for name in [
        "node7",
        "ip-10-0-0-12",
        "kern.log",
        "oom-2",
        ".1",
        "20260101",
        "report.txt",
        "3.10.0",
    ] {
        assert!(
            !matches!(generation(name).age, Age::Dated(_)),
            "{name}: {:?}",
            generation(name)
        );
        assert!(!generation(name).family.is_empty(), "{name}");
    }
}

#[test]
fn a_directory_is_read_oldest_first_and_once() {
    let files = [
        "kern.log",
        "kern.log.1",
        "kern.log.3.gz",
        "kern.log.2.gz",
        "messages",
        "messages-20260101",
    ];
    let tree = tree(&files.map(|name| (name, LINE)));
    fs::create_dir(tree.path().join("sub")).unwrap();
    fs::write(tree.path().join("sub/syslog"), LINE).unwrap();
    symlink(tree.path(), tree.path().join("sub/up")).unwrap();
    symlink(tree.path().join("kern.log"), tree.path().join("zz-again")).unwrap();
    let expected = [
        "kern.log.3.gz",
        "kern.log.2.gz",
        "kern.log.1",
        "kern.log",
        "messages-20260101",
        "messages",
        "sub/syslog",
    ];
    let found = find(&[tree.path().to_owned()]);
    assert_eq!(names(&found, tree.path()), expected);
    assert!(found.problems.is_empty(), "{:?}", found.problems);

    // As a shell's kern.log* hands them over; the other file keeps its place.
    let named = [
        "messages",
        "kern.log",
        "kern.log.1",
        "kern.log.2.gz",
        "sub/syslog",
        "kern.log.3.gz",
        "kern.log",
    ];
    let found = find(&named.map(|name| tree.path().join(name)));
    let expected = [
        "messages",
        "kern.log.3.gz",
        "kern.log.2.gz",
        "kern.log.1",
        "kern.log",
        "sub/syslog",
    ];
    assert_eq!(names(&found, tree.path()), expected);
}

#[test]
fn pipes_sockets_and_dead_links_in_a_directory_get_a_line() {
    let tree = tree(&[("kern.log", LINE)]);
    let made = Command::new("mkfifo")
        .arg(tree.path().join("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    symlink("nowhere", tree.path().join("dead")).unwrap();
    symlink("circle", tree.path().join("circle")).unwrap();
    let found = find(&[tree.path().to_owned()]);
    assert_eq!(names(&found, tree.path()), ["kern.log"]);
    let said: Vec<_> = found
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    for (name, why) in [
        ("circle", "nowhere"),
        ("dead", "nowhere"),
        ("fifo", "a named pipe"),
        ("socket", "a socket"),
    ] {
        assert!(
            said.iter()
                .any(|line| line.contains(name) && line.contains(why)),
            "{name}: {said:?}"
        );
    }
    assert!(found.problems.iter().all(|problem| !problem.unreadable));
}

#[test]
fn a_pipe_that_was_named_is_read() {
    let tree = tree(&[]);
    let fifo = tree.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::write(fifo, LINE).unwrap()
    });
    let (bytes, error) = open_one(&fifo).unwrap().content.read_to_end();
    writer.join().unwrap();
    assert_eq!(bytes, LINE);
    assert!(error.is_none());
}

#[test]
fn a_path_that_fails_is_named_and_stops_no_other() {
    let tree = tree(&[("kern.log", LINE)]);
    symlink("circle", tree.path().join("circle")).unwrap();
    let paths =
        ["missing", "circle", "kern.log/within", "kern.log"].map(|name| tree.path().join(name));
    let found = find(&paths);
    assert_eq!(names(&found, tree.path()), ["kern.log"]);
    assert_eq!(found.problems.len(), 3);
    for (problem, path) in found.problems.iter().zip(&paths) {
        assert!(problem.unreadable);
        assert!(
            problem.message.starts_with(&path.display().to_string()),
            "{}",
            problem.message
        );
    }
    assert!(found.problems[0].message.contains("is the path right?"));
    assert!(found.problems[1].message.contains("in a circle"));
}

#[test]
fn a_file_that_goes_away_after_it_was_found_is_an_error_that_names_it() {
    let tree = tree(&[("kern.log", LINE)]);
    let path = tree.path().join("kern.log");
    let source = only(find(std::slice::from_ref(&path)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = source.open().unwrap_err();
    assert!(matches!(error, OpenError::Unreadable { .. }));
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
}

#[test]
fn compression_goes_by_content_and_joins_members() {
    let plain = log(3_000_000);
    let (front, back) = plain.split_at(1_234_567);
    let mut packed = vec![("gzip", [gzip(front), gzip(back)].concat())];
    for (program, arguments) in [
        ("zstd", &["-q", "-c"][..]),
        ("xz", &["-c", "-T1"]),
        ("gzip", &["-c"]),
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
    ];
    if let Some(bytes) = through("xz", &["-c", "-T1"], &plain) {
        packed.push(("xz", bytes));
    }
    assert_eq!(packed.len(), 3, "xz-utils is part of every Debian");
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
        ("log.bz2", b"BZh91AY&SY".to_vec(), "bzcat"),
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

#[test]
fn the_ring_buffer_is_read_to_its_end_and_losses_are_counted() {
    let mut answers = vec![
        Ok("6,40,1000,-;first\n"),
        Ok("4,41,2000,-;second\n SUBSYSTEM=pci\n"),
        Err(libc::EINTR),
        Err(libc::EPIPE),
        Ok("4,45,3000,-;after the gap\n"),
        Ok("4,46,3000,-;no newline"),
        Err(libc::EAGAIN),
        Ok("4,47,3000,-;never asked for\n"),
    ]
    .into_iter();
    let ring = kmsg::collect(|buffer| match answers.next().unwrap() {
        Ok(record) => {
            buffer[..record.len()].copy_from_slice(record.as_bytes());
            Ok(record.len())
        }
        Err(code) => Err(io::Error::from_raw_os_error(code)),
    })
    .unwrap();
    let expected = "6,40,1000,-;first\n4,41,2000,-;second\n SUBSYSTEM=pci\n4,45,3000,-;after the gap\n4,46,3000,-;no newline\n";
    assert_eq!(String::from_utf8(ring.bytes.clone()).unwrap(), expected);
    assert_eq!(
        (ring.overwritten_before, ring.overwritten_meanwhile),
        (40, 3)
    );
    let note = ring.lost_note().unwrap();
    assert!(note.contains("40") && note.contains("3 more"), "{note}");

    let failed = kmsg::collect(|_| Err(io::Error::from_raw_os_error(libc::EPERM))).unwrap_err();
    assert!(kmsg::hint(&failed).contains("dmesg_restrict"));
}

#[test]
fn the_own_log_is_kmsg_where_it_can_be_read() {
    let record: &[u8] = b"4,0,5140900,-;app invoked oom-killer\n";
    let tree = tree(&[("dev/kmsg", record), ("var/log/kern.log", LINE)]);
    let own = own_kernel_log(&Root::at(tree.path()));
    assert_eq!(own.used.as_deref(), Some("/dev/kmsg"));
    assert_eq!(own.sources[0].kind, SourceKind::Kmsg);
    assert!(own.sources[0].own_machine);
    assert_eq!(own.opened.unwrap().content.read_to_end().0, record);
    assert_eq!(own.tried.len(), 5);
    assert!(
        own.tried
            .iter()
            .all(|tried| !tried.failed && tried.why_not.contains("/dev/kmsg could be read"))
    );
}

#[test]
fn the_own_log_falls_back_to_files_and_says_why() {
    // A directory cannot be read as a device; an empty file is no log.
    let tree = tree(&[
        ("var/log/kern.log", b""),
        ("var/log/messages-20260101.gz", &gzip(b"old\n")),
        ("var/log/messages", b"new\n"),
        ("var/log/syslog", LINE),
    ]);
    fs::create_dir_all(tree.path().join("dev/kmsg")).unwrap();
    let own = own_kernel_log(&Root::at(tree.path()));
    assert_eq!(
        own.used.as_deref(),
        Some("/var/log/messages"),
        "{:?}",
        own.tried
    );
    let texts: Vec<_> = own
        .sources
        .iter()
        .map(|source| source.open().unwrap().content.read_to_end().0)
        .collect();
    assert_eq!(texts, [b"old\n", b"new\n"]);
    let failed: Vec<_> = own
        .tried
        .iter()
        .filter(|tried| tried.failed)
        .map(|tried| tried.place.as_str())
        .collect();
    assert_eq!(failed, ["/dev/kmsg", "the journal", "/var/log/kern.log"]);
    assert!(own.tried[0].why_not.contains("dmesg"), "{:?}", own.tried[0]);

    let nothing = tempfile::tempdir().unwrap();
    let own = own_kernel_log(&Root::at(nothing.path()));
    assert!(own.used.is_none() && own.sources.is_empty());
    assert_eq!(own.tried.iter().filter(|tried| tried.failed).count(), 6);
}

#[test]
fn the_machine_is_read_from_its_tree() {
    let tree = tree(&[
        ("proc/stat", b"cpu  1 2 3\nbtime 1767225600\nprocesses 9\n"),
        ("proc/sys/kernel/hostname", b"node-7\n"),
        (
            "proc/sys/kernel/random/boot_id",
            b"c8a5c5d1-6a52-4d3f-9c52-3d4d0a2d0b11\n",
        ),
    ]);
    let machine = Machine::read(&Root::at(tree.path()));
    assert_eq!(machine.hostname.as_deref(), Some("node-7"));
    assert_eq!(
        machine.boot_id.as_deref(),
        Some("c8a5c5d1-6a52-4d3f-9c52-3d4d0a2d0b11")
    );
    assert_eq!(
        machine.boot_time.unwrap().to_string(),
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(Machine::read(&Root::at("/nonexistent")), Machine::default());

    let here = Machine::read(&Root::system());
    let uptime: f64 = fs::read_to_string("/proc/uptime")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let since = jiff::Timestamp::now().duration_since(here.boot_time.unwrap());
    assert!(
        (since.as_secs_f64() - uptime).abs() < 3.0,
        "{since:?} {uptime}"
    );
}

#[test]
fn modified_times_are_kept() {
    let tree = tree(&[("kern.log", LINE)]);
    let path = tree.path().join("kern.log");
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(then)
        .unwrap();
    assert_eq!(only(find(&[path])).modified, Some(then));
}

/// A binary journal made by systemd's own tool from records in the export format.
fn journal(directory: &Path, file: &str) -> Option<PathBuf> {
    let tool = [
        "/lib/systemd/systemd-journal-remote",
        "/usr/lib/systemd/systemd-journal-remote",
    ]
    .into_iter()
    .find(|path| Path::new(path).is_file())?;
    let boot = "c8a5c5d16a524d3f9c523d4d0a2d0b11";
    let record = |number: u64, transport: &str, message: &str| {
        format!(
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID={boot}\n_TRANSPORT={transport}\n\
             PRIORITY=4\nSYSLOG_FACILITY=0\n_HOSTNAME=node-7\n_MACHINE_ID={boot}\nUNWANTED=field\nMESSAGE={message}\n\n",
            1_767_225_600_000_000 + number
        )
    };
    let export = [
        record(1, "kernel", "app invoked oom-killer: gfp_mask=0xcc0"),
        record(2, "syslog", "Killed process 1 (systemd)"),
        record(3, "kernel", "Killed process 42 (app)"),
    ]
    .concat();
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(file);
    let mut child = Command::new(tool)
        .arg(format!("--output={}", path.display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(export.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    Some(path)
}

#[test]
fn a_binary_journal_gives_the_kernels_records_only() {
    let tree = tree(&[("logs/kern.log", LINE)]);
    let directory = tree.path().join("logs/var [1]*/journal");
    let Some(file) = journal(&directory, "system.journal") else {
        eprintln!(
            "LOUD: systemd-journal-remote is not installed: the binary journal was NOT tested"
        );
        return;
    };
    // Told by content where it has another name.
    let renamed = tree.path().join("re[n]amed*.bin");
    fs::copy(&file, &renamed).unwrap();
    let found = find(&[tree.path().join("logs"), file, renamed]);
    let kinds: Vec<_> = found.sources.iter().map(|source| source.kind).collect();
    assert_eq!(
        kinds,
        [
            SourceKind::File,
            SourceKind::Journal,
            SourceKind::File,
            SourceKind::File
        ]
    );
    for source in &found.sources[1..] {
        let (bytes, error) = source.open().unwrap().content.read_to_end();
        let text = String::from_utf8(bytes).unwrap();
        assert!(error.is_none(), "{source:?} {error:?}");
        assert!(
            text.contains("MESSAGE=app invoked oom-killer")
                && text.contains("MESSAGE=Killed process 42")
        );
        assert!(!text.contains("systemd)"), "forged: {text}");
        for field in [
            "__REALTIME_TIMESTAMP=",
            "_TRANSPORT=kernel",
            "_BOOT_ID=",
            "_HOSTNAME=node-7",
        ] {
            assert!(text.contains(field), "{field}: {text}");
        }
        assert!(!text.contains("UNWANTED"), "{text}");
    }
}

#[test]
fn a_damaged_journal_is_an_error_that_names_it() {
    if !whodunit_node::journal::is_available() {
        eprintln!("LOUD: journalctl is not installed: a damaged journal was NOT tested");
        return;
    }
    let tree = tree(&[("x.journal", b"LPKSHHRH but nothing else")]);
    let path = tree.path().join("x.journal");
    let error = open_one(&path).unwrap_err().to_string();
    assert!(
        error.contains("x.journal") && error.contains("journalctl"),
        "{error}"
    );
}
