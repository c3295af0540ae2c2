//! Whole outputs, kept to be read. `cargo insta review` (or `INSTA_UPDATE=always`) takes a change over; read it first as
//! the one who is woken by it at night.

use std::fmt::Write;

use super::*;

const V2: &str = "kernels/6.12.117+deb13-cloud-amd64-v2";
const V1: &str = "kernels/6.18.44-fc-v669-v1";

/// Name, and the log below the fixtures.
fn told() -> Vec<(&'static str, String)> {
    let v2 = |name: &str| format!("{V2}/{name}");
    let v1 = |name: &str| format!("{V1}/{name}");
    vec![
        ("write-up", "write-up/kern.log".into()),
        ("one-line", "write-up/one-line.log".into()),
        ("container-limit-v1", v1("container-limit.kmsg")),
        ("container-limit-v2", v2("container-limit.kmsg")),
        ("pod-limit", v2("pod-limit.kmsg")),
        ("pod-limit-v1", v1("pod-limit.kmsg")),
        ("ancestor-limit", v2("ancestor-limit.kmsg")),
        ("service", v2("service.kmsg")),
        ("docker", v2("docker.kmsg")),
        ("child-killed", v2("child-killed.kmsg")),
        ("group-kill", v2("group-kill.kmsg")),
        ("global", v2("global.kmsg")),
        ("cpuset", v2("cpuset.kmsg")),
        ("mempolicy", v2("mempolicy.kmsg")),
        ("sysrq-f", v2("sysrq-f.kmsg")),
        ("tmpfs", v2("tmpfs.kmsg")),
        ("huge-pages", v2("huge-pages.kmsg")),
        ("adj-victim", v2("adj-victim.kmsg")),
        ("unkillable", v2("unkillable.kmsg")),
        ("panic-on-oom", v2("panic-on-oom.console")),
        ("hostile-escape", v2("hostile-escape.kmsg")),
        ("hostile-newline", v2("hostile-newline.kmsg")),
        ("hostile-fields", v2("hostile-fields.kmsg")),
        ("repeated-kills", v2("repeated-kills.kmsg")),
        ("forged", v2("forged.kmsg")),
    ]
}

/// With the year set, times do not hang on when the file was written.
fn printed(arguments: &[&str]) -> String {
    explain(&[&["--year", "2020"], arguments].concat())
}

fn keep(name: &str, output: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, output));
}

#[test]
fn for_people_at_80_columns() {
    for (name, log) in told() {
        let output = printed(&["--width", "80", &log]);
        for line in output.lines() {
            let is_command = line.trim_start().starts_with("$ ");
            assert!(
                is_command || line.chars().count() <= 80,
                "{name}: {line:?} runs over the edge"
            );
        }
        keep(&format!("terminal-80-{name}"), &output);
    }
}

#[test]
fn for_people_at_120_columns() {
    for (name, log) in told() {
        if matches!(name, "write-up" | "global" | "pod-limit-v1") {
            keep(
                &format!("terminal-120-{name}"),
                &printed(&["--width", "120", &log]),
            );
        }
    }
}

#[test]
fn with_nothing_folded() {
    keep(
        "terminal-all-write-up",
        &printed(&["--all", "write-up/kern.log"]),
    );
    keep(
        "terminal-all-container-limit-v2",
        &printed(&["--all", &format!("{V2}/container-limit.kmsg")]),
    );
}

#[test]
fn in_colour() {
    let output = printed(&["--color", "always", "write-up/kern.log"]);
    keep("terminal-colour-write-up", &output.replace('\x1b', "ESC"));
}

#[test]
fn in_ascii_alone() {
    let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["explain", "--year", "2020", "write-up/kern.log"])
        .current_dir(fixtures_root())
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(output.stdout.is_ascii());
    keep(
        "terminal-ascii-write-up",
        &String::from_utf8(output.stdout).unwrap(),
    );
}

#[test]
fn as_markdown() {
    for (name, log) in told() {
        if matches!(name, "write-up" | "pod-limit" | "hostile-escape" | "global") {
            keep(
                &format!("markdown-{name}"),
                &printed(&["-o", "markdown", &log]),
            );
        }
    }
}

#[test]
fn as_json() {
    let json: serde_json::Value =
        serde_json::from_str(&printed(&["-o", "json", "write-up/kern.log"])).unwrap();
    keep(
        "json-write-up",
        &serde_json::to_string_pretty(&json)
            .unwrap()
            .replace(env!("CARGO_PKG_VERSION"), "VERSION"),
    );
}

#[test]
fn in_one_line_each() {
    let mut all = String::new();
    for (name, log) in told() {
        let _ = write!(all, "# {name}\n{}", printed(&["--quiet", &log]));
    }
    keep("quiet", &all);
}
