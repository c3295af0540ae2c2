//! The binary: help, wrong usage, completions, manual pages, a closed pipe.

use super::*;

#[test]
fn help_version_and_wrong_usage() {
    let help = whodunit(&["explain", "--help"]);
    assert!(help.status.success());
    for option in [
        "--output",
        "--quiet",
        "--since",
        "--until",
        "--pod",
        "--container",
        "--comm",
        "--fail-on-kill",
        "--all",
        "--width",
        "--color",
        "--timezone",
        "--year",
        "--threads",
        "--no-progress",
        "Exit status",
    ] {
        assert!(text(&help.stdout).contains(option), "{option}");
    }
    assert_eq!(
        text(&whodunit(&["--version"]).stdout).trim(),
        concat!("whodunit ", env!("CARGO_PKG_VERSION"))
    );
    for wrong in [
        &["explain", "--nonsense"][..],
        &["nonsense"],
        &[],
        &["explain", "-o", "xml"],
        &["explain", "--threads", "0"],
        &["explain", "--timezone", "Europe/Atlantis"],
        &["explain", "--year", "99"],
        &["explain", "--comm", ""],
        &["completions", "cmd.exe"],
    ] {
        let output = whodunit(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    assert_eq!(
        explain_args(&["--since", "-30min"]).since.as_deref(),
        Some("-30min")
    );
}

#[test]
fn completions_are_scripts_of_their_shells() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = whodunit(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        assert!(text(&output.stdout).contains("fail-on-kill"), "{shell}");
    }
    let script = whodunit(&["completions", "bash"]).stdout;
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(&script).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn manual_pages_are_printed_and_written() {
    let page = whodunit(&["man", "explain"]);
    assert!(page.status.success());
    let page = text(&page.stdout);
    assert!(page.contains(".TH whodunit-explain 1"), "{}", &page[..200]);
    assert!(page.contains("fail\\-on\\-kill"));
    assert!(text(&whodunit(&["man"]).stdout).contains(".TH whodunit 1"));
    let directory = tempfile::tempdir().unwrap();
    assert!(
        whodunit(&["man", "--directory", directory.path().to_str().unwrap()])
            .status
            .success()
    );
    for name in [
        "whodunit.1",
        "whodunit-explain.1",
        "whodunit-completions.1",
        "whodunit-man.1",
    ] {
        assert!(directory.path().join(name).is_file(), "{name}");
    }
    let missing = whodunit(&["man", "--directory", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).contains("/nonexistent/whodunit.1"),
        "{}",
        text(&missing.stderr)
    );
    assert_eq!(whodunit(&["man", "nonsense"]).status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["man", "explain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closed before it is written to, or after what a pipe holds: neither is an error.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn no_name_of_a_file_reaches_the_terminal_as_an_escape_sequence() {
    assert_eq!(
        terminal::printable("a\x1b[2Jb\nc\u{202e}d\u{9b}é"),
        "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}é"
    );
    let name = "\x1b]0;evil\x07";
    let output = whodunit(&["man", "--directory", name]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.contains(&0x1b) && !output.stderr.contains(&0x07));
    assert!(Path::new(name).components().count() == 1);
}
