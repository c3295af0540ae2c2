//! Runs the scripts, here and in virtual machines, and takes apart what they say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::Order;
use super::table::{Kind, Stage};
use crate::cgroup::{CgroupVersion, Names};
use crate::kernel::{Suite, vmlinuz};
use crate::{Result, hog, machine, packages, vm};

const STAGE: &str = include_str!("stage.sh");
const KINDS: &str = include_str!("kinds.sh");
const RUNTIMES: &str = include_str!("runtimes.sh");

/// Runs in one virtual machine: what they leave in its small memory is gone with it.
const TURNS_A_MACHINE: usize = 100;

/// One run of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Name of the kind.
    pub kind: String,
    /// From 1.
    pub number: usize,
    /// It came to its end as the script wants it.
    pub staged: bool,
    /// What it said when it did not.
    pub said: String,
    /// The incidents about it.
    pub incidents: Vec<Value>,
}

/// What came of one performance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Played {
    /// `uname -r`.
    pub kernel_release: String,
    /// The runs, in their order.
    pub runs: Vec<Run>,
    /// What the program noted while it watched.
    pub notes: Vec<String>,
    /// Last words of virtual machines that hung and were started again.
    pub hung: Vec<String>,
}

impl Played {
    /// Adds what came of one virtual machine.
    fn add(&mut self, run: vm::Run, names: &Names) -> Result<()> {
        let more = take_apart(&run.transcript, names)?;
        self.kernel_release = run.kernel_release;
        self.runs.extend(more.runs);
        self.notes.extend(more.notes);
        Ok(())
    }
}

/// The marks that only one run has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Marks {
    container_ids: [String; 2],
    pod_uids: [String; 2],
}

impl Marks {
    fn of(names: &Names, kind: &str, number: usize) -> Self {
        let of = |which: &str| format!("{kind}/{number}/{which}");
        Self {
            container_ids: ["a", "b"].map(|which| names.container_id(&of(which))),
            pod_uids: ["a", "b"].map(|which| names.pod_uid(&of(which))),
        }
    }

    /// Whether an incident, as the program printed it, speaks of the run's cgroups.
    fn stand_in(&self, line: &str) -> bool {
        self.container_ids.iter().any(|id| line.contains(id))
            || self
                .pod_uids
                .iter()
                .any(|uid| line.contains(uid) || line.contains(&uid.replace('-', "_")))
    }
}

/// The stage as the scripts know it.
struct Setting<'a> {
    version: CgroupVersion,
    memory: &'a Path,
    unified: &'a Path,
    root: &'a str,
    hog: &'a Path,
    busybox: &'a Path,
    whodunit: &'a Path,
    scratch: &'a Path,
    in_initramfs: bool,
}

/// A kind, and which run of it.
type Turn<'a> = (&'a Kind, usize);

fn turns<'a>(kinds: &[&'a Kind], order: &Order) -> Vec<Turn<'a>> {
    kinds
        .iter()
        .flat_map(|kind| (1..=runs_of(kind, order)).map(|number| (*kind, number)))
        .collect()
}

fn script(setting: &Setting<'_>, turns: &[Turn<'_>], names: &Names, order: &Order) -> String {
    let path = |path: &Path| format!("'{}'", path.display());
    let mut text = format!(
        "HOG={hog}\nBUSYBOX={busybox}\nWHODUNIT={whodunit}\nSCRATCH={scratch}\nMEM={memory}\nUNIFIED={unified}\nROOT='{root}'\nV={version}\n\
         BYSTANDERS={bystanders}\nRUNC_RUN='{runc_run}'\n{STAGE}\n{KINDS}\n{RUNTIMES}\n",
        hog = path(setting.hog),
        busybox = path(setting.busybox),
        whodunit = path(setting.whodunit),
        scratch = path(setting.scratch),
        memory = path(setting.memory),
        unified = path(setting.unified),
        root = setting.root,
        version = match setting.version {
            CgroupVersion::V1 => 1,
            CgroupVersion::V2 => 2,
        },
        bystanders = order.bystanders,
        // The root of an initramfs can't be pivoted.
        runc_run = if setting.in_initramfs {
            "--no-pivot"
        } else {
            ""
        },
    );
    // Whoever read the words may be gone: what was made is removed all the same.
    text.push_str("trap '' PIPE\nbegin_watch || { strike; exit 1; }\n");
    for (kind, number) in turns {
        let marks = Marks::of(names, kind.name, *number);
        let _ = writeln!(
            text,
            "play {} {number} {} {}",
            kind.name,
            marks.container_ids.join(" "),
            marks.pod_uids.join(" ")
        );
    }
    text.push_str("end_watch\n");
    // A virtual machine ends, with all that was made in it.
    if !setting.in_initramfs {
        text.push_str("strike > /dev/null 2>&1\n");
    }
    text.push_str("echo @@DONE\n");
    text
}

fn runs_of(kind: &Kind, order: &Order) -> usize {
    kind.runs_most.unwrap_or(usize::MAX).min(order.runs)
}

/// Performs the kinds on this machine.
pub(super) fn here(kinds: &[&Kind], order: &Order) -> Result<Played> {
    let hierarchy = machine::hierarchy()?;
    packages::ensure_peers()?;
    let unified = machine::unified_hierarchy()?;
    let hog = hog::build()?;
    let scratch = tempfile::Builder::new()
        .prefix("whodunit-lineup-")
        .tempdir()?;
    let seed = format!("{}", std::process::id());
    let names = Names::new(format!("line-up {seed}"));
    let setting = Setting {
        version: hierarchy.version,
        memory: &hierarchy.root,
        unified: &unified,
        root: &format!("/whodunit-lineup-{seed}"),
        hog: &hog,
        busybox: &packages::find("busybox").context("no busybox")?,
        whodunit: &order.whodunit,
        scratch: scratch.path(),
        in_initramfs: false,
    };
    let file = scratch.path().join("script");
    fs::write(&file, script(&setting, &turns(kinds, order), &names, order))?;
    // In a session of its own: what it starts has no terminal, as what a daemon starts has none; nor anybody's login.
    let nobody = "[ ! -e /proc/self/loginuid ] || echo 4294967295 > /proc/self/loginuid 2>/dev/null; exec sh \"$0\"";
    let done = Command::new("setsid")
        .args(["--wait", "sh", "-c", nobody])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("setsid")?;
    let played = take_apart(&done.stdout, &names)?;
    Ok(Played {
        kernel_release: machine::kernel_release(),
        ..played
    })
}

/// Performs the kinds in a virtual machine.
pub(super) fn vm(suite: Suite, kinds: &[&Kind], order: &Order) -> Result<Played> {
    packages::ensure()?;
    packages::ensure_peers()?;
    let image = vmlinuz(suite)?;
    let names = Names::new(format!("line-up {}", suite.kernel));
    let setting = Setting {
        version: CgroupVersion::V2,
        memory: Path::new("/sys/fs/cgroup"),
        unified: Path::new("/sys/fs/cgroup"),
        root: "",
        hog: Path::new("/bin/hog"),
        busybox: Path::new("/bin/busybox"),
        whodunit: Path::new("/bin/whodunit"),
        scratch: Path::new("/tmp"),
        in_initramfs: true,
    };
    let mut programs = vec![("hog", hog::build()?), ("whodunit", order.whodunit.clone())];
    for name in ["earlyoom", "runc"] {
        programs.push((
            name,
            packages::find(name).with_context(|| format!("no {name}"))?,
        ));
    }
    let (under_systemd, plain): (Vec<&Kind>, Vec<&Kind>) =
        kinds.iter().partition(|kind| kind.stage == Stage::Systemd);
    let mut played = Played::default();
    for turns in turns(&plain, order).chunks(TURNS_A_MACHINE) {
        let words = script(&setting, turns, &names, order);
        let run = not_hung(&mut played.hung, || {
            vm::run_script(&image, &programs, &words)
        })?;
        played.add(run, &names)?;
    }
    if !under_systemd.is_empty() {
        programs.push((
            "lib/systemd/systemd-oomd",
            "/lib/systemd/systemd-oomd".into(),
        ));
        let words = script(&setting, &turns(&under_systemd, order), &names, order);
        let units = oomd_units(&under_systemd, &names, order);
        let run = not_hung(&mut played.hung, || {
            vm::run_script_under_systemd(&image, &programs, &units, &words)
        })?;
        played.add(run, &names)?;
    }
    Ok(played)
}

/// An emulated kernel gets stuck now and then. The machine is started a second time, which is said; what the first one did
/// counts for nothing.
fn not_hung(hung: &mut Vec<String>, machine: impl Fn() -> Result<vm::Run>) -> Result<vm::Run> {
    machine().or_else(|error| {
        hung.push(error.downcast::<vm::Hung>()?.to_string());
        machine()
    })
}

/// systemd-oomd, and services for it to end: each needs more than its slice may hold without pressure.
fn oomd_units(kinds: &[&Kind], names: &Names, order: &Order) -> Vec<(String, String)> {
    let mut wanted = "systemd-oomd.service".to_owned();
    let mut units = vec![
        (
            "oomd.conf".to_owned(),
            "[OOM]\nDefaultMemoryPressureDurationSec=1s\n".to_owned(),
        ),
        (
            "system/systemd-oomd.service".to_owned(),
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nRuntimeDirectory=systemd/oom\n\
             Environment=SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console\nStandardError=file:/tmp/oomd.log\n\
             ExecStart=/lib/systemd/systemd-oomd\n"
                .to_owned(),
        ),
        (
            "system/lineup.slice".to_owned(),
            "[Unit]\nDefaultDependencies=no\n[Slice]\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=0.1%\n"
                .to_owned(),
        ),
    ];
    for kind in kinds {
        for number in 1..=runs_of(kind, order) {
            let [id, _] = Marks::of(names, kind.name, number).container_ids;
            units.push((
                format!("system/{id}.service"),
                format!(
                    "[Unit]\nDefaultDependencies=no\n[Service]\nSlice=lineup.slice\nMemoryHigh=32M\n\
                     ExecStart=/bin/hog wait /tmp/go.{number} churn 96\n"
                ),
            ));
            let _ = write!(wanted, " {id}.service");
        }
    }
    units.push((
        "system/default.target".to_owned(),
        format!("[Unit]\nDefaultDependencies=no\nWants={wanted} play.service\n"),
    ));
    units.push((
        "system/play.service.d/after.conf".to_owned(),
        format!("[Unit]\nAfter={wanted}\n"),
    ));
    units
}

/// Reads the words of the script; incidents that are of no run are others'.
fn take_apart(words: &[u8], names: &Names) -> Result<Played> {
    let words = String::from_utf8_lossy(words);
    let mut played = Played::default();
    let mut seen: Vec<&str> = Vec::new();
    let mut said = String::new();
    let mut whole = false;
    for line in words.lines() {
        let line = line.trim_end_matches('\r');
        if let Some(text) = line.strip_prefix("@@SAID ") {
            said.push_str(text);
            said.push('\n');
        } else if let Some(text) = line.strip_prefix("@@NOTE ") {
            played.notes.push(text.to_owned());
        } else if let Some(text) = line.strip_prefix("@@SEEN ") {
            seen.push(text);
        } else if line == "@@NOWATCH" {
            bail!("the program does not watch: {words}");
        } else if line == "@@DONE" {
            whole = true;
        } else if let Some(text) = line.strip_prefix("@@RAN ") {
            let mut fields = text.split(' ');
            let (kind, number, status) = (fields.next(), fields.next(), fields.next());
            played.runs.push(Run {
                kind: kind.context("@@RAN without a kind")?.to_owned(),
                number: number.context("@@RAN without a number")?.parse()?,
                staged: status == Some("0"),
                said: std::mem::take(&mut said),
                incidents: Vec::new(),
            });
        }
    }
    if !whole {
        let end: String = words.chars().rev().take(2000).collect();
        bail!(
            "the script did not come to its end; its last words:\n{}",
            end.chars().rev().collect::<String>()
        );
    }
    for line in seen {
        let Some(run) = played
            .runs
            .iter_mut()
            .find(|run| Marks::of(names, &run.kind, run.number).stand_in(line))
        else {
            continue;
        };
        run.incidents
            .push(serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?);
    }
    Ok(played)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn incidents_go_to_the_run_whose_cgroups_they_name() {
        let names = Names::new("test");
        let marks = Marks::of(&names, "global", 2);
        let words = format!(
            "@@RUN global 1\n@@SAID a\n@@RAN global 1 1\n@@RUN global 2\n@@RAN global 2 0\n@@WATCHED 0\n@@NOTE b\n\
             @@SEEN {{\"a\":\"/x/{}\"}}\n@@SEEN {{\"other\":1}}\n@@DONE\n",
            marks.pod_uids[1].replace('-', "_")
        );
        let played = take_apart(words.as_bytes(), &names).unwrap();
        assert_eq!(played.runs.len(), 2);
        assert!(!played.runs[0].staged && played.runs[0].said == "a\n");
        assert!(played.runs[1].staged);
        assert_eq!(played.runs[0].incidents.len(), 0);
        assert_eq!(played.runs[1].incidents.len(), 1);
        assert_eq!(played.notes, ["b"]);
        assert!(take_apart(b"@@RUN global 1\n", &names).is_err());
    }

    #[test]
    fn every_shell_reads_the_scripts() {
        for script in [STAGE, KINDS, RUNTIMES] {
            let read = Command::new("sh")
                .args(["-n", "-c", script])
                .output()
                .unwrap();
            assert!(
                read.status.success(),
                "{}",
                String::from_utf8_lossy(&read.stderr)
            );
        }
    }
}
