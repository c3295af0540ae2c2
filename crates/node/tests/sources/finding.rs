//! Which files are read, and in which order.

use super::*;

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
fn copies_of_the_ring_buffer_are_read_behind_the_logs_of_their_directory() {
    let files = ["dmesg", "dmesg.0", "kern.log", "node-1.dmesg.txt", "syslog"];
    let tree = tree(&files.map(|name| (name, LINE)));
    let expected = ["kern.log", "syslog", "dmesg.0", "dmesg", "node-1.dmesg.txt"];
    let found = find(&[tree.path().to_owned()]);
    assert_eq!(names(&found, tree.path()), expected);

    // What is named is read as named.
    let found = find(&["dmesg", "kern.log"].map(|name| tree.path().join(name)));
    assert_eq!(names(&found, tree.path()), ["dmesg", "kern.log"]);
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
