//! The unit file as it is shipped, under a real systemd: in a virtual machine, with every limit that it sets.

use std::path::PathBuf;

use anyhow::Context;
use whodunit_lab::kernel::{Suite, vmlinuz};
use whodunit_lab::{hog, packages, vm};

/// A service manager that waits for a first word, asks for signs of life within 4 s, and starts what `play` needs.
const UNITS: [(&str, &str); 3] = [
    (
        "system/default.target",
        "[Unit]\nDefaultDependencies=no\nWants=whodunit.service play.service\n",
    ),
    (
        "system/play.service.d/after.conf",
        "[Unit]\nAfter=whodunit.service\n",
    ),
    // The machine has no sysinit.target to come after.
    (
        "system/whodunit.service.d/machine.conf",
        "[Unit]\nDefaultDependencies=no\n[Service]\nWatchdogSec=4\nStandardError=file:/tmp/log\n",
    ),
];

const SCRIPT: &str = r#"
show() { systemctl show whodunit.service -p "$1" --value; }
echo "started: $(show ActiveState) $(show SubState)"
main=$(show MainPID)
echo "says: $(show StatusText)"
echo "capabilities: $(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/$main/status)"
echo "real-time: $(for thread in /proc/$main/task/*; do cut -d ' ' -f 41 $thread/stat; done | sort -u | tr '\n' ' ')"
hog say /tmp/victim sleep 3600 &
hog await-file /tmp/victim 60
victim=$(cat /tmp/victim)
hog kill "$victim"
hog await-exit "$victim" 60
# Longer than the watchdog waits for a sign of life.
sleep 9
echo "same process: $([ "$main" = "$(show MainPID)" ] && echo yes) restarts $(show NRestarts)"
systemctl stop whodunit.service
echo "stopped: $(show ActiveState) $(show Result) $(show ExecMainStatus)"
echo "kept in: $(ls /var/lib/whodunit | tr '\n' ' ')"
kept=$(/usr/local/bin/whodunit incidents --store /var/lib/whodunit/incidents.db -o ndjson | grep -c "\"pid\":$victim,")
echo "incidents of the victim: $kept"
echo "log:"
cat /tmp/log
"#;

fn stage() -> whodunit_lab::Result<String> {
    packages::ensure()?;
    packages::ensure_peers()?;
    let suite = Suite::of("6.12").context("not a kernel of the lab")?;
    let programs: [(&str, PathBuf); 3] = [
        ("hog", hog::build()?),
        (
            "usr/local/bin/whodunit",
            env!("CARGO_BIN_EXE_whodunit").into(),
        ),
        ("systemctl", "/bin/systemctl".into()),
    ];
    let shipped = include_str!("../../../../packaging/systemd/whodunit.service");
    let mut units = vec![("system/whodunit.service".to_owned(), shipped.to_owned())];
    units.extend(UNITS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let run = vm::run_script_under_systemd(&vmlinuz(suite)?, &programs, &units, SCRIPT)?;
    Ok(String::from_utf8_lossy(&run.transcript).into_owned())
}

#[test]
fn the_shipped_unit_runs_under_systemd() {
    let said = match stage() {
        Ok(said) => said,
        Err(why) if whodunit_lab::required() => panic!("systemd could not be staged: {why:#}"),
        Err(why) => {
            eprintln!("\n*** NOT TESTED: the unit under systemd: {why:#}\n");
            return;
        }
    };
    let line = |start: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(start));
        found.unwrap_or_else(|| panic!("no `{start}` in:\n{said}"))
    };
    assert_eq!(line("started: "), "active running", "{said}");
    assert_eq!(line("says: "), "Watching; 0 incident(s) told", "{said}");
    // BPF, PERFMON, SYSLOG, SYS_PTRACE, DAC_READ_SEARCH, KILL, SYS_NICE: bits 39, 38, 34, 19, 2, 5, 23
    // (include/uapi/linux/capability.h).
    let bits = [39, 38, 34, 19, 2, 5, 23].map(|bit| 1_u64 << bit);
    let expected = format!("{:016x}", bits.into_iter().sum::<u64>());
    assert_eq!(line("capabilities: "), expected, "{said}");
    // proc(5), rt_priority: the thread that takes the kernel's records, and the others.
    assert_eq!(line("real-time: ").trim(), "0 1", "{said}");
    assert_eq!(line("same process: "), "yes restarts 0", "{said}");
    assert_eq!(line("stopped: "), "inactive success 0", "{said}");
    assert_eq!(line("incidents of the victim: "), "1", "{said}");
    for works in [
        "signals: works; ends of processes: works; OOM marks: works",
        "kernel log: followed",
    ] {
        assert!(said.contains(works), "{said}");
    }
}
