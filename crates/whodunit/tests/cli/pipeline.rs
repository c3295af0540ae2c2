//! From paths to printed incidents: order, threads, what fails, what is told once.

use super::*;

#[test]
fn incidents_come_in_the_order_of_the_sources_whatever_the_threads() {
    let tree = tempfile::tempdir().unwrap();
    let mut expected = String::new();
    for file in 0..12_u64 {
        // The older the longer: later sources are done before earlier ones.
        let kills: Vec<u64> = (0..60 - file).map(|kill| file * 1000 + kill + 1).collect();
        let log: String = kills
            .iter()
            .map(|number| noise(20) + &kill(*number))
            .collect();
        fs::write(tree.path().join(format!("kern.log.{}", 12 - file)), log).unwrap();
        kills
            .iter()
            .for_each(|number| expected += &format!("[{number}]\n"));
    }
    for threads in ["1", "2", "7", "64"] {
        for output in ["ndjson", "terminal"] {
            let ran = run(&["--threads", threads, "-o", output, &path(&tree, "")]);
            assert_eq!(ran.status.unwrap(), Status::Finished);
            assert!(ran.out == expected, "{threads} {output}: {}", ran.out);
            assert!(ran.view.calls.starts_with("bi") && ran.view.calls.ends_with("ie"));
            assert_eq!(ran.view.sources.len(), 12);
            assert_eq!(ran.view.sources[11].lines, Some(49 * 21));
            assert!(ran.view.warnings.is_empty(), "{:?}", ran.view.warnings);
        }
    }
}

#[test]
fn a_stream_gives_the_same_as_a_file() {
    let log: String = (1..50).map(|number| noise(3000) + &kill(number)).collect();
    assert!(
        log.len() > 5_000_000,
        "larger than what is copied, and than several chunks"
    );
    let tree = tree(&[("kern.log", &log)]);
    let fifo = tree.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let writer = std::thread::spawn({
        let (fifo, log) = (fifo.clone(), log.clone());
        move || fs::write(fifo, log).unwrap()
    });
    let piped = run(&[&fifo.display().to_string()]);
    writer.join().unwrap();
    let mapped = run(&[&path(&tree, "kern.log")]);
    assert_eq!(piped.out.lines().count(), 49);
    assert_eq!(piped.out, mapped.out);
    for ran in [&piped, &mapped] {
        assert_eq!(ran.view.sources[0].bytes, Some(log.len() as u64));
        assert_eq!(ran.view.sources[0].lines, Some(49 * 3001));
        assert_eq!(ran.view.seen[48].source.first_line, Some(49 * 3001));
    }
}

#[test]
fn a_live_pipe_is_told_before_it_ends() {
    let tree = tempfile::tempdir().unwrap();
    let fifo = tree.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let (told, heard) = std::sync::mpsc::channel();
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(fifo).unwrap();
            // Less than any buffer; the reaper's line is the last that the report can have.
            let reaped = "Jan  2 03:01:05 node-7 kernel: [1.010000] oom_reaper: reaped process 1 (app1), now \
                          anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n";
            let start = kill(1) + reaped + &noise(120);
            assert!(start.len() < 8000);
            pipe.write_all(start.as_bytes()).unwrap();
            let first = heard.recv_timeout(Duration::from_secs(20));
            drop(pipe);
            first
        }
    });
    let view = TestView {
        told: Some(told),
        ..TestView::default()
    };
    let fifo = fifo.display().to_string();
    let ran = run_at(&Root::at("/nonexistent"), &["-o", "ndjson", &fifo], view);
    assert_eq!(
        writer.join().unwrap().as_deref(),
        Ok("[1]"),
        "only told at the end of the pipe"
    );
    assert_eq!(ran.out, "[1]\n");
}

#[test]
fn what_cannot_be_read_is_said_and_stops_no_other() {
    let mut cut = flate2_of(&noise(5000));
    cut.truncate(cut.len() / 2);
    let tree = tree(&[("good", &(kill(1) + &kill(2)))]);
    fs::write(tree.path().join("cut.gz"), cut).unwrap();
    fs::write(
        tree.path().join("random"),
        [7_u8, 0, 1, 2, 200, 3].repeat(500),
    )
    .unwrap();
    let arguments = ["missing", "cut.gz", "random", "good"].map(|name| path(&tree, name));
    let ran = run(&arguments.each_ref().map(String::as_str));
    assert_eq!(ran.status.unwrap().number(), 3);
    assert_eq!(ran.out, "[1]\n[2]\n");
    let expected = [
        ("missing", "is the path right?"),
        ("cut.gz", "truncated"),
        ("random", "binary"),
    ];
    assert_eq!(ran.view.warnings.len(), 3, "{:?}", ran.view.warnings);
    for ((name, why), warning) in expected.iter().zip(&ran.view.warnings) {
        assert!(warning.contains(name) && warning.contains(why), "{warning}");
    }
    let errors: Vec<_> = ran
        .view
        .sources
        .iter()
        .map(|source| source.error.is_some())
        .collect();
    assert_eq!(errors, [true, true, false]);

    let skipped_only = run(&[&path(&tree, "random")]);
    assert_eq!(skipped_only.status.unwrap().number(), 0);
    let kill_wins = run(&["--fail-on-kill", &arguments[0], &arguments[3]]);
    assert_eq!(kill_wins.status.unwrap().number(), 10);
    let no_kill = run(&["--fail-on-kill", "--comm", "other", &arguments[3]]);
    assert_eq!(no_kill.status.unwrap().number(), 0);
}

#[test]
fn the_same_kill_in_two_files_is_told_once() {
    let both = kill(1) + &kill(2);
    let tree = tree(&[
        ("kern.log", &both),
        ("syslog", &(noise(10) + &both + &kill(3))),
    ]);
    let ran = run(&[&path(&tree, "")]);
    assert_eq!(ran.out, "[1]\n[2]\n[3]\n");
    assert_eq!(
        ran.view.seen[0].also_in,
        [format!("{}:11", path(&tree, "syslog"))]
    );
    assert!(ran.view.warnings.is_empty(), "{:?}", ran.view.warnings);
    assert_eq!(ran.judge.remembered, ["[1]", "[2]", "[3]"]);

    let ran = run(&["--comm", "app1", "-o", "ndjson", &path(&tree, "")]);
    assert_eq!(ran.out, "[1]\n");
    let said = &ran.view.warnings;
    assert!(
        said.len() == 1 && said[0].contains("1 kill(s)"),
        "what was not asked for is not named: {said:?}"
    );

    // Printed as they are found, they can only be named afterwards.
    let ran = run(&["-o", "ndjson", &path(&tree, "")]);
    assert_eq!(ran.out, "[1]\n[2]\n[3]\n");
    assert_eq!(ran.view.warnings.len(), 1, "{:?}", ran.view.warnings);
    let said = &ran.view.warnings[0];
    assert!(
        said.contains("2 kill(s) were told before") && said.contains("syslog:11, is the one at"),
        "{said}"
    );

    // More than are held back: order and once-ness stay.
    let many: String = (1..=600).map(kill).collect();
    let tree = self::tree(&[("kern.log", &many), ("syslog", &many)]);
    let ran = run(&[&path(&tree, "")]);
    let expected: String = (1..=600).map(|number| format!("[{number}]\n")).collect();
    assert!(ran.out == expected, "{}", ran.out);
    let named = ran
        .view
        .seen
        .iter()
        .filter(|incident| !incident.also_in.is_empty())
        .count();
    assert!(named > 0);
    let rest = format!("{} kill(s) were told before", 600 - named);
    assert!(
        ran.view.warnings[0].contains(&rest),
        "{:?}",
        ran.view.warnings
    );
}

#[test]
fn a_view_that_breaks_ends_the_run_and_a_broken_pipe_is_no_failure() {
    let many: String = (1..=5000).map(kill).collect();
    let tree = tree(&[("a", &many), ("b", &many.replace("process ", "process 9"))]);
    for threads in ["1", "2"] {
        let view = TestView {
            break_after: Some(3),
            ..TestView::default()
        };
        let arguments = ["--threads", threads, "-o", "ndjson", &path(&tree, "")];
        let ran = run_at(&Root::at("/nonexistent"), &arguments, view);
        let error = ran.status.unwrap_err();
        assert!(whodunit::exit::is_broken_pipe(&error), "{error:?}");
        assert_eq!(ran.out, "[1]\n[2]\n[3]\n");
        assert_eq!(
            format!("{:?}", whodunit::exit::code(Err(error))),
            format!("{:?}", std::process::ExitCode::SUCCESS)
        );
    }
    let other = anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull));
    assert!(!whodunit::exit::is_broken_pipe(&other));
}

#[test]
fn this_machines_log_is_named_and_dated() {
    let line = "4,1234,56789000000,-;Memory cgroup out of memory: Killed process 42 (app) total-vm:1000kB, \
                anon-rss:100kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n";
    let tree = tree(&[("dev/kmsg", line), ("proc/stat", "btime 1767225600\n")]);
    let ran = run_at(&Root::at(tree.path()), &[], TestView::default());
    assert_eq!(ran.status.unwrap(), Status::Finished);
    assert_eq!(ran.out, "[42]\n");
    assert_eq!(ran.view.seen[0].source.kind, SourceKind::Kmsg);
    assert_eq!(
        ran.view.seen[0].time.unwrap().to_string(),
        "2026-01-01T15:46:29Z"
    );
    assert_eq!(ran.view.warnings[0], "reading /dev/kmsg");
    assert!(
        ran.view
            .warnings
            .iter()
            .any(|warning| warning.contains("first 1234 records")),
        "{:?}",
        ran.view.warnings
    );

    let nothing = tempfile::tempdir().unwrap();
    let ran = run_at(&Root::at(nothing.path()), &[], TestView::default());
    assert_eq!(ran.status.unwrap().number(), 3);
    assert!(
        ran.view.warnings[0].contains("hand one over"),
        "{:?}",
        ran.view.warnings
    );
    assert_eq!(ran.view.warnings.len(), 7);
}
