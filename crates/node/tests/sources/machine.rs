//! The machine's own log, its ring buffer, its journal, its clocks.

use super::*;

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
