//! How the output adapts: to a terminal or a pipe, its colours and width, what is asked to be shown and left out, and
//! the exit status.

use std::io::Read;

use super::*;

const LOG: &str = "write-up/kern.log";

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .arg("explain")
        .args(arguments)
        .current_dir(fixtures_root())
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// What a terminal of so many columns gets, by script(1), which Debian and Ubuntu always have.
fn on_a_terminal(columns: u16, arguments: &str, environment: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_whodunit");
    let output = Command::new("script")
        .args([
            "-qec",
            &format!("stty cols {columns}; '{program}' explain {arguments}"),
            "/dev/null",
        ])
        .current_dir(fixtures_root())
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

fn widest(text: &str) -> usize {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("$ "))
        .map(|line| line.chars().count())
        .max()
        .unwrap()
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let colored = |text: &str| text.contains("\x1b[");
    assert!(colored(&on_a_terminal(80, LOG, &[])));
    // no-color.org: set and not empty.
    assert!(!colored(&on_a_terminal(80, LOG, &[("NO_COLOR", "1")])));
    assert!(colored(&on_a_terminal(80, LOG, &[("NO_COLOR", "")])));
    assert!(!colored(&on_a_terminal(80, LOG, &[("TERM", "dumb")])));
    assert!(!colored(&on_a_terminal(
        80,
        &format!("--color never {LOG}"),
        &[]
    )));
    for (arguments, environment, want) in [
        (&["--color", "auto", LOG][..], &[][..], false),
        (&["--color", "always", LOG], &[("NO_COLOR", "1")], true),
        (&["--color", "never", LOG], &[], false),
    ] {
        let output = run(arguments, environment);
        assert_eq!(
            output.stdout.contains(&0x1b),
            want,
            "{arguments:?} {environment:?}"
        );
    }
    // The formats for programs and tickets have no colour, whatever is asked.
    for format in ["json", "ndjson", "yaml", "markdown"] {
        let output = run(&["--color", "always", "-o", format, LOG], &[]);
        assert!(!output.stdout.contains(&0x1b), "{format}");
    }
}

#[test]
fn the_width_is_the_terminals_or_the_one_asked_for() {
    for columns in [60, 100, 132] {
        let text = on_a_terminal(columns, &format!("--color never {LOG}"), &[]);
        let widest = widest(&text);
        let columns = usize::from(columns);
        assert!(
            widest <= columns && widest > columns - 12,
            "{widest} of {columns}"
        );
    }
    let text = |arguments: &[&str], environment: &[(&str, &str)]| {
        String::from_utf8(run(arguments, environment).stdout).unwrap()
    };
    let default = text(&[LOG], &[]);
    assert!((70..=80).contains(&widest(&default)));
    assert_eq!(
        text(&["--width", "80", LOG], &[("COLUMNS", "120")]),
        default
    );
    assert_eq!(
        text(&[LOG], &[("COLUMNS", "120")]),
        text(&["--width", "120", LOG], &[])
    );
    // Narrower than can be laid out: no panic, and still all there.
    assert!(text(&["--width", "1", LOG], &[]).contains("30 GiB"));
}

#[test]
fn what_is_folded_is_told_and_all_unfolds_it() {
    for name in fixtures() {
        let json: serde_json::Value =
            serde_json::from_str(&explain(&["-o", "json", &name])).unwrap();
        let all = explain(&["--all", "--width", "200", &name]);
        assert!(
            !all.contains("--all shows them"),
            "{name}: still folded with --all"
        );
        for incident in json["incidents"].as_array().unwrap() {
            for stats in incident["memcg"]["stats"].as_array().into_iter().flatten() {
                for field in stats["fields"].as_object().unwrap().keys() {
                    let meaning = incident["memcg"]["meanings"][field].as_str();
                    let meaning =
                        meaning.unwrap_or_else(|| panic!("{name}: no meaning of {field}"));
                    assert!(!meaning.contains('\n') && meaning.len() > 8);
                    let row = all.lines().any(|line| {
                        line.trim_start().starts_with(&format!("{field} "))
                            && line.contains(meaning.split(':').next().unwrap())
                    });
                    assert!(row, "{name}: --all does not show {field}: {meaning}");
                }
            }
            let tasks = incident["ranking"].as_array().unwrap();
            for task in tasks {
                let pid = task["pid"].to_string();
                assert!(
                    all.lines().any(|line| line.trim_start().starts_with(&pid)),
                    "{name}: --all does not show task {pid}"
                );
            }
        }
    }
    // Seventeen more tasks than are shown.
    let log = std::fs::read_to_string(fixtures_root().join(LOG)).unwrap();
    let row = log.lines().find(|line| line.ends_with(" pause")).unwrap();
    let more: String = (0..25)
        .map(|number| row.replace("10869", &format!("{}", 20_000 + number)) + "\n")
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("many.log");
    std::fs::write(&path, log.replacen(row, &format!("{more}{row}"), 1)).unwrap();
    let path = path.to_str().unwrap();
    let folded = explain(&[path]);
    assert!(folded.contains("17 more: --all shows them"), "{folded}");
    assert!(!folded.contains("  20024 "));
    assert!(explain(&["--all", path]).contains("  20024 "));
}

#[test]
fn quiet_is_a_line_a_kill_and_no_notes() {
    let log = "kernels/6.12.117+deb13-cloud-amd64-v2/repeated-kills.kmsg";
    let output = run(&["--quiet", log], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 3);
    for line in text.lines() {
        assert!(line.contains("crash-loop[") && line.contains("kernel-memcg-container"));
    }
    assert!(output.stderr.is_empty());
    // Without --quiet there is a note; errors are told all the same.
    let forged = "kernels/6.12.117+deb13-cloud-amd64-v2/forged.kmsg";
    assert!(!run(&[forged], &[]).stderr.is_empty());
    assert!(run(&["--quiet", forged], &[]).stderr.is_empty());
    assert!(!run(&["--quiet", "/nonexistent"], &[]).stderr.is_empty());
}

#[test]
fn kills_are_chosen_by_pod_container_name_and_time() {
    let count = |arguments: &[&str]| {
        let output = run(
            &[
                &["-o", "ndjson", "--year", "2020", "--timezone", "UTC"],
                arguments,
            ]
            .concat(),
            &[],
        );
        assert_eq!(output.status.code(), Some(0));
        output.stdout.iter().filter(|byte| **byte == b'\n').count()
    };
    for (arguments, want) in [
        (&[LOG][..], 1),
        (&["--pod", "7a1f4c62-61d9-11ea-9b1c-0a58c0a80c21", LOG], 1),
        (&["--pod", "7a1f4c62", LOG], 1),
        (&["--pod", "another", LOG], 0),
        (&["--container", "3f9c0d5b7e2a", LOG], 1),
        (&["--container", "0d5b7e2a", LOG], 0),
        (&["--comm", "app", LOG], 1),
        (&["--comm", "ap", LOG], 0),
        (&["--comm", "pause", LOG], 0),
        (&["--since", "2020-03-09T13:17:05Z", LOG], 1),
        (&["--since", "2020-03-09T13:17:06Z", LOG], 0),
        (&["--until", "2020-03-09T13:17:06Z", LOG], 1),
        (&["--until", "2020-03-09T13:17:05Z", LOG], 0),
        (&["--since", "2020-03-09", "--until", "2020-03-10", LOG], 1),
        (&["--since", "2020-03-09", "--comm", "java", LOG], 0),
    ] {
        assert_eq!(count(arguments), want, "{arguments:?}");
    }
}

#[test]
fn the_exit_status_tells_what_came_of_it() {
    let forged = "kernels/6.12.117+deb13-cloud-amd64-v2/forged.kmsg";
    for (arguments, status) in [
        (&[LOG][..], 0),
        (&[forged], 0),
        (&["--fail-on-kill", LOG], 10),
        (&["--fail-on-kill", forged], 0),
        // What was left out does not count.
        (&["--fail-on-kill", "--comm", "java", LOG], 0),
        (&["/nonexistent"], 3),
        (&["/nonexistent", LOG], 3),
        (&["--fail-on-kill", "/nonexistent", LOG], 10),
        (&["--fail-on-kill", "/nonexistent", forged], 3),
        (&["--width", "none", LOG], 2),
        (&["--since", "someday", LOG], 1),
    ] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        let complained = matches!(status, 1..=3);
        assert!(
            !complained || !output.stderr.is_empty(),
            "{arguments:?} says nothing"
        );
    }
    // A standard output that takes nothing.
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["explain", LOG])
        .current_dir(fixtures_root())
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for format in ["terminal", "json", "ndjson", "yaml", "markdown"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
            .args(["explain", "-o", format, "--all", "."])
            .current_dir(fixtures_root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The output is far more than a pipe holds.
        let mut first = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(!complaints.contains("ipe"), "{format}: {complaints}");
    }
}

/// Not a terminal: no bar, however long it takes. (On one, after a second: `tests/cli`.)
#[test]
fn no_bar_where_nobody_watches() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1300));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr)
            .chars()
            .filter(|character| *character == '\r' || *character == '\x1b')
            .count(),
        0
    );
}

/// Each shell's own checker, where it is installed, and what makes the script one of that shell everywhere.
#[test]
fn completions_load() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef whodunit"),
        ("fish", "complete -c whodunit"),
    ] {
        let script = Command::new(env!("CARGO_BIN_EXE_whodunit"))
            .args(["completions", shell])
            .output()
            .unwrap()
            .stdout;
        let text = String::from_utf8(script.clone()).unwrap();
        assert!(text.contains(sign), "{shell}");
        for option in ["fail-on-kill", "since", "pod", "markdown"] {
            assert!(text.contains(option), "{shell}: {option}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &script).unwrap();
        match Command::new(shell)
            .arg("-n")
            .arg(file.path())
            .stdin(Stdio::null())
            .output()
        {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            Err(error) => assert!(
                shell != "bash" && error.kind() == std::io::ErrorKind::NotFound,
                "{shell}: {error}"
            ),
        }
    }
}

/// A log without a wall clock: the second boot's times are not the first's, and nothing is counted across them.
#[test]
fn kills_of_two_boots_are_told_apart() {
    let kill = |seconds: &str| {
        format!(
            "[{seconds}] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/system.slice/app.service,task_memcg=/system.slice/app.service,task=app,pid=300,uid=0\n\
             [{seconds}] Memory cgroup out of memory: Killed process 300 (app) total-vm:9000kB, anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n"
        )
    };
    let banner = "[    0.000000] Linux version 6.1.0-18-amd64 #1 SMP\n";
    let directory = tempfile::tempdir().unwrap();
    let told = |log: String| {
        let path = directory.path().join("console.log");
        std::fs::write(&path, log).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let json: serde_json::Value =
            serde_json::from_str(&explain(&["-o", "json", &path])).unwrap();
        (
            json["incidents"].clone(),
            explain(&["--width", "200", &path]),
        )
    };
    let (incidents, text) =
        told([banner, &kill("   12.500000"), banner, &kill("   12.900000")].concat());
    assert_eq!(incidents.as_array().unwrap().len(), 2);
    assert_eq!(
        (
            &incidents[0]["source"]["boot"],
            &incidents[1]["source"]["boot"]
        ),
        (&1.into(), &2.into())
    );
    assert!(
        text.contains("12.900000 s after boot 2 of this log"),
        "{text}"
    );
    assert!(!text.contains("was killed before"), "{text}");
    let (incidents, text) = told(
        [
            banner,
            &kill("   12.500000"),
            &kill("   72.900000").replace("300", "301"),
        ]
        .concat(),
    );
    assert_eq!(incidents[1]["source"]["boot"], 1);
    assert!(text.contains("was killed before, 60 s ago"), "{text}");
}

/// Before 5.0 the line of the cpuset may be all that names a container.
#[test]
fn who_asked_is_placed_by_its_cpuset_where_no_path_is_there() {
    let id = "609e7ec068ac9642229a994438d5a1f68ab5fe9ef81748e367d35b997bd65ae8";
    let asked = |cpuset: &str| {
        let log = format!(
            "[    1.000000] app invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null),  order=0, oom_score_adj=0\n\
             [    1.000001] app cpuset={cpuset} mems_allowed=0\n\
             [    1.000002] Memory cgroup out of memory: Killed process 93 (app) total-vm:9448kB, anon-rss:100kB, file-rss:4kB, shmem-rss:0kB\n"
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kern.log");
        std::fs::write(&path, log).unwrap();
        explain(&["--width", "120", path.to_str().unwrap()])
    };
    assert!(asked(id).contains("asked by app, in container 609e7ec068ac,"));
    assert!(
        asked(&format!("cri-containerd-{id}.scope"))
            .contains("asked by app, in container 609e7ec068ac,")
    );
    assert!(asked("/").contains("asked by app, GFP"));
}
