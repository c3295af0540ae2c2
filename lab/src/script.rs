//! Turns scenarios into one shell script that runs in an initramfs (busybox) and on this machine (any POSIX shell).
//!
//! The script writes to its standard output, for each scenario: `@@BEGIN name`, then `@@KMSG` and the kernel's new
//! records as `/dev/kmsg` gives them, then `@@PIDS role=pid ...`, then `@@END name`.
//! A scenario that begins again was spoilt: what was said of it before does not count. No record can begin with `@@`:
//! it begins with a number, its continuation lines with a space, and the kernel escapes line breaks in its text.
//! It removes what it made, and ends only processes that are in cgroups that it made.

use std::fmt::Write as _;
use std::path::Path;

use crate::cgroup::CgroupVersion;
use crate::scenario::{Boot, Cue, Player, Scenario};

/// How long a scenario may take to come to its cue, on an emulated processor.
const PATIENCE_S: u64 = 60;
/// Now and then a kernel kills a second time before the memory of the first victim has come back. That is no fault of
/// its reader, and not what the scenario shows: when one dies that should have lived, the scenario is played again.
const TRIES: usize = 4;
/// The `oom_reaper` and the rest of a group are told of a little later.
const SETTLE_S: &str = "0.6";

/// Where a script runs.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// Interface of the memory controller there.
    pub version: CgroupVersion,
    /// Root of the hierarchy that has the memory controller.
    pub hierarchy: &'a Path,
    /// The static `hog`.
    pub hog: &'a Path,
    /// A directory that the script may fill.
    pub scratch: &'a Path,
    /// Also hand `cpuset` down the hierarchy (v2).
    pub with_cpuset: bool,
}

/// The whole script.
#[must_use]
pub fn script(stage: &Stage<'_>, scenarios: &[Scenario]) -> String {
    let mut text = functions(stage);
    for scenario in scenarios {
        let name = scenario.name.replace('-', "_");
        text.push_str(&format!(
            "scene_{name}() {{\n{}}}\n",
            scene(stage, scenario)
        ));
        text.push_str(&vec![format!("scene_{name}"); TRIES].join(" || "));
        text.push('\n');
    }
    text.push_str("echo @@DONE\n");
    text
}

fn functions(stage: &Stage<'_>) -> String {
    let controllers = if stage.with_cpuset {
        "+memory +cpuset"
    } else {
        "+memory"
    };
    let (hand_down, limit) = match stage.version {
        CgroupVersion::V1 => (
            ":".to_owned(),
            "echo $2 > $BASE$1/memory.limit_in_bytes; echo 0 > $BASE$1/memory.swappiness 2>/dev/null",
        ),
        CgroupVersion::V2 => (
            format!("for c in {controllers}; do echo $c > $at/cgroup.subtree_control; done"),
            "echo $2 > $BASE$1/memory.max; [ ! -e $BASE$1/memory.swap.max ] || echo 0 > $BASE$1/memory.swap.max",
        ),
    };
    format!(
        "HOG={hog}\nBASE={base}\nSCRATCH={scratch}\n\
         # Makes the cgroup $1 and its parents; what it made is kept in $D/made, deepest first.\n\
         group() {{\n  at=$BASE\n  for part in $(echo $1 | tr / ' '); do\n    {hand_down}\n    at=$at/$part\n    \
         if [ ! -d $at ]; then\n      mkdir $at || return 1\n      touch $D/made\n      \
         {{ echo $at; cat $D/made; }} > $D/made.new; mv $D/made.new $D/made\n    fi\n  done\n}}\n\
         limit() {{ {limit}; }}\n\
         # Ends who is left in the cgroups of this scenario, and removes what it made.\n\
         strike() {{\n  tries=0\n  while [ -s $D/made ] && [ $tries -lt 60 ]; do\n    tries=$((tries+1))\n    \
         : > $D/left\n    for at in $(cat $D/made); do\n      for pid in $(cat $at/cgroup.procs 2>/dev/null); do \
         kill -9 $pid 2>/dev/null; done\n      rmdir $at 2>/dev/null || [ ! -d $at ] || echo $at >> $D/left\n    \
         done\n    mv $D/left $D/made\n    [ ! -s $D/made ] || sleep 0.1\n  done\n  \
         [ ! -s $D/made ] || echo \"not removed: $(cat $D/made)\" >&2\n  \
         umount $D/shm 2>/dev/null\n  rm -rf $D\n  wait\n}}\n\
         fail() {{ strike; exit 1; }}\n",
        hog = quoted(&stage.hog.to_string_lossy()),
        base = quoted(&stage.hierarchy.to_string_lossy()),
        scratch = quoted(&stage.scratch.to_string_lossy()),
    )
}

fn scene(stage: &Stage<'_>, scenario: &Scenario) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line(format!("echo @@BEGIN {}", scenario.name));
    line(format!(
        "D=$SCRATCH/{}; mkdir -p $D/shm; : > $D/made",
        scenario.name
    ));
    line("trap fail INT TERM".into());
    line("mount -t tmpfs -o size=256m whodunit-lab $D/shm".into());
    for group in &scenario.groups {
        line(format!("group {}", group.path));
        if let Some(mib) = group.limit_mib {
            line(format!("limit {} {}", group.path, mib << 20));
        }
        if let Some(node) = group.mems {
            line(format!("echo {node} > $BASE{}/cpuset.mems", group.path));
        }
        if group.oom_group && stage.version == CgroupVersion::V2 {
            line(format!("echo 1 > $BASE{}/memory.oom.group", group.path));
        }
    }
    line("SEQ=$($HOG kmsg-next)".into());
    for player in &scenario.cast {
        if let Some(role) = player.enters_after {
            line(format!(
                "$HOG await-exit $(cat $D/{role}) {PATIENCE_S} || fail; sleep {SETTLE_S}"
            ));
        }
        line(format!("$HOG {} &", steps(player).join(" ")));
        for spoken in player.with_children() {
            line(format!(
                "$HOG await-file $D/{} {PATIENCE_S} || fail",
                spoken.role
            ));
        }
    }
    if scenario.boot == Boot::Panic {
        line(format!("echo '{CONSOLE_MARK}' > /dev/console"));
    }
    for shell in &scenario.shell {
        line(shell.clone());
    }
    match scenario.cue {
        Cue::Exit(role) => line(format!(
            "$HOG await-exit $(cat $D/{role}) {PATIENCE_S} || fail"
        )),
        Cue::Said(file) => line(format!("$HOG await-file $D/{file} {PATIENCE_S} || fail")),
        Cue::Nothing => {}
    }
    line(format!("sleep {SETTLE_S}"));
    line("echo @@KMSG; $HOG kmsg-dump $SEQ".into());
    let mut pids = String::from("echo @@PIDS");
    for player in scenario.players() {
        let _ = write!(pids, " {role}=$(cat $D/{role})", role = player.role);
    }
    line(pids);
    let doomed: Vec<&str> = scenario
        .endings
        .iter()
        .flat_map(|ending| ending.victims.iter().copied())
        .collect();
    line("spoilt=0".into());
    if scenario.boot != Boot::Panic {
        for player in scenario
            .players()
            .iter()
            .filter(|player| !doomed.contains(&player.role))
        {
            line(format!(
                "! $HOG await-exit $(cat $D/{}) 0 2>/dev/null || spoilt=1",
                player.role
            ));
        }
    }
    line("strike".into());
    line(format!("[ $spoilt = 1 ] || echo @@END {}", scenario.name));
    line("return $spoilt".into());
    text
}

/// Stands on the console before the last scenario of a machine that will panic.
pub const CONSOLE_MARK: &str = "whodunit-lab: what follows was staged";

fn steps(player: &Player) -> Vec<String> {
    let mut words: Vec<String> = vec![
        "cgroup".into(),
        format!("$BASE{}", player.group),
        "name".into(),
        player
            .comm
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        "adj".into(),
        player.oom_score_adj.to_string(),
    ];
    let placed = |word: &String| word.replace("{dir}", "$D").replace("{shm}", "$D/shm");
    words.extend(player.before.iter().map(placed));
    for child in &player.children {
        words.push("spawn".into());
        words.extend(steps(child));
        words.push("end".into());
    }
    words.push("say".into());
    words.push(format!("$D/{}", player.role));
    words.extend(player.after.iter().map(placed));
    words.extend(["sleep".into(), "3600".into()]);
    words
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;
    use crate::cgroup::Names;
    use crate::scenario::table;

    #[test]
    fn every_shell_reads_the_script_of_every_scenario() {
        for version in [CgroupVersion::V1, CgroupVersion::V2] {
            let stage = Stage {
                version,
                hierarchy: Path::new("/a path/memory"),
                hog: Path::new("/it's a hog"),
                scratch: Path::new("/tmp/x"),
                with_cpuset: true,
            };
            let text = script(&stage, &table::scenarios(&Names::new("test")));
            let read = Command::new("sh")
                .args(["-n", "-c", &text])
                .output()
                .unwrap();
            assert!(
                read.status.success(),
                "{}",
                String::from_utf8_lossy(&read.stderr)
            );
        }
    }

    #[test]
    fn a_child_is_spawned_before_its_parent_tells_that_it_is_ready() {
        let parent = Player::new("init", "app\n", "/g")
            .child(Player::new("worker", "w", "/g").then("anon 9"));
        let words = steps(&parent).join(" ");
        assert!(
            words.starts_with("cgroup $BASE/g name 6170700a adj 0 spawn cgroup"),
            "{words}"
        );
        assert!(
            words.ends_with("say $D/worker anon 9 sleep 3600 end say $D/init sleep 3600"),
            "{words}"
        );
    }
}
