//! The program against the truth: every stored recording, and kills that are provoked while the test runs, here and
//! on other kernels. A live test that can't run says why, and fails when `WHODUNIT_REQUIRE_LAB=1`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use whodunit_lab::cgroup::CgroupVersion;
use whodunit_lab::fixtures::{Recording, record_here, record_vm};
use whodunit_lab::kernel::{SUITES, vmlinuz};
use whodunit_lab::scenario::Boot;
use whodunit_lab::truth::{IncidentTruth, ProcessTruth, Truth};
use whodunit_lab::{Result, hog, machine, packages, program};

/// What a size may differ from what was set up: page tables, stacks, the program itself.
const APPROXIMATE_KIB: u64 = 8 * 1024;

// ---- asking the program ----

/// The program that was built beside this test.
fn whodunit() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    program::whodunit(test.ancestors().nth(3).unwrap()).unwrap()
}

fn explain(file: &Path) -> Value {
    let done = Command::new(whodunit())
        .arg("explain")
        .arg(file)
        .args(["-o", "json"])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "whodunit explain {}: {}\n{}",
        file.display(),
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).expect("the program prints JSON")
}

// ---- comparing ----

/// Every way in which the document differs from the truth.
fn differences(truth: &Truth, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let incidents = document["incidents"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    // A kernel may decide again at once (nobody to kill, or the victim's memory not yet free): such further decisions
    // are about the same cgroup. Anything else was made up.
    let mut further = incidents.iter().skip(truth.incidents.len());
    let again = truth.incidents.last().is_some_and(|last| {
        last.oom_memcg.is_some()
            && further.all(|one| one["memcg"]["path"].as_str() == last.oom_memcg.as_deref())
    });
    if incidents.len() != truth.incidents.len()
        && !(incidents.len() > truth.incidents.len() && again)
    {
        found.push(format!(
            "{} incidents, in truth {}",
            incidents.len(),
            truth.incidents.len()
        ));
    }
    for (at, (incident, expected)) in incidents.iter().zip(&truth.incidents).enumerate() {
        found.extend(
            incident_differences(expected, incident)
                .into_iter()
                .map(|one| format!("incident {at}: {one}")),
        );
    }
    found
}

fn incident_differences(truth: &IncidentTruth, incident: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, said: &Value, expected: Value| {
        if *said != expected {
            found.push(format!("{what}: said {said}, in truth {expected}"));
        }
    };
    compare(
        "verdict.killer",
        &incident["verdict"]["killer"],
        truth.killer.as_str().into(),
    );
    compare("scope", &incident["scope"], truth.scope.as_str().into());
    if let Some(trigger) = &truth.trigger {
        compare(
            "trigger.comm",
            &incident["trigger"]["comm"],
            trigger.comm.as_str().into(),
        );
        compare(
            "trigger.pid",
            &incident["trigger"]["pid"],
            trigger.pid.into(),
        );
        compare(
            "trigger.oom_score_adj",
            &incident["trigger"]["oom_score_adj"],
            trigger.oom_score_adj.into(),
        );
    }
    let memcg = &incident["memcg"];
    if truth.scope == "memcg" {
        compare(
            "memcg.path",
            &memcg["path"],
            truth.oom_memcg.as_deref().into(),
        );
        compare(
            "memcg.limit_kib",
            &memcg["limit_kib"],
            truth.limit_kib.into(),
        );
    }
    if let Some(path) = &truth.task_memcg {
        compare(
            "memcg.victim_path",
            &memcg["victim_path"],
            path.as_str().into(),
        );
    }

    let none = Vec::new();
    let victims = incident["victims"].as_array().unwrap_or(&none);
    let said: BTreeSet<String> = victims.iter().map(identity_said).collect();
    let expected: BTreeSet<String> = truth.victims.iter().map(identity).collect();
    if said != expected || victims.len() != expected.len() {
        found.push(format!(
            "victims: said {said:?} ({} of them), in truth {expected:?}",
            victims.len()
        ));
    }

    if let (Some(expected), Some(first)) = (truth.approx_anon_kib, truth.victims.first()) {
        let victim = victims.iter().find(|victim| victim["pid"] == first.pid);
        let said = victim.and_then(|victim| victim["anon_rss_kib"].as_u64());
        if said.is_none_or(|said| said.abs_diff(expected) > APPROXIMATE_KIB) {
            found.push(format!(
                "anon_rss_kib: said {said:?}, in truth about {expected}"
            ));
        }
    }
    if let Some(expected) = truth.approx_shmem_kib {
        let said = shmem_kib(memcg, truth.oom_memcg.as_deref());
        if said.is_none_or(|said| said.abs_diff(expected) > APPROXIMATE_KIB) {
            found.push(format!(
                "shared memory of the cgroup: said {said:?} KiB, in truth about {expected}"
            ));
        }
    }
    found
}

fn identity(process: &ProcessTruth) -> String {
    format!(
        "{} {:?} adj {}",
        process.pid, process.comm, process.oom_score_adj
    )
}

fn identity_said(victim: &Value) -> String {
    format!(
        "{} {:?} adj {}",
        victim["pid"],
        victim["comm"].as_str().unwrap_or("(no comm)"),
        victim["oom_score_adj"]
    )
}

/// `shmem` (bytes, v2; also KB in v1) among the statistics of the cgroup at `path`, or of the only one.
fn shmem_kib(memcg: &Value, path: Option<&str>) -> Option<u64> {
    let stats = memcg["stats"].as_array()?;
    let one = stats
        .iter()
        .find(|one| one["path"].as_str().is_some() && one["path"].as_str() == path)
        .or_else(|| stats.first())?;
    let fields = &one["fields"];
    let value = fields["shmem"]
        .as_u64()
        .or_else(|| fields["total_shmem"].as_u64())?;
    Some(if one["unit"] == "bytes" {
        value / 1024
    } else {
        value
    })
}

/// Holds the program to the truth of every recording; one panic tells all that is wrong.
fn hold(recordings: &[Recording], ours: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = String::new();
    for recording in recordings {
        let truth = &recording.truth;
        let file = directory
            .path()
            .join(format!("{}.{}", truth.scenario, recording.form));
        fs::write(&file, &recording.log).unwrap();
        let mut document = explain(&file);
        if let Some(prefix) = ours {
            keep_ours(&mut document, truth, prefix);
        }
        for difference in differences(truth, &document) {
            let _ = writeln!(
                wrong,
                "{} {} {}: {difference}",
                truth.kernel_release, truth.cgroup_version, truth.scenario
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "the program and the truth differ:\n{wrong}"
    );
}

/// On a machine that others use, a kill of theirs may fall into a recording: only those of our own cgroups count, and
/// those that tell of no cgroup at all or of pid 1, which would be wrong.
fn keep_ours(document: &mut Value, truth: &Truth, pod: &str) {
    let paths: Vec<&str> = truth
        .incidents
        .iter()
        .filter_map(|incident| incident.oom_memcg.as_deref())
        .collect();
    if let Some(incidents) = document["incidents"].as_array_mut() {
        incidents.retain(|incident| {
            let path = incident["memcg"]["path"].as_str();
            path.is_none_or(|path| paths.contains(&path) || path.contains(pod))
                || incident["victims"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|victim| victim["pid"] == 1))
        });
    }
}

// ---- stored ----

fn stored() -> Vec<Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("tests/fixtures/kernels");
    let mut all = Vec::new();
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    for folder in folders {
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in &files {
            let form = match file.extension().and_then(OsStr::to_str) {
                Some("kmsg") => "kmsg",
                Some("console") => "console",
                _ => continue,
            };
            let truth = fs::read(file.with_extension("truth.json"))
                .expect("a recording has its truth beside it");
            all.push(Recording {
                form,
                log: fs::read(file).unwrap(),
                truth: serde_json::from_slice(&truth).expect("a truth of this lab"),
                about: "stored",
            });
        }
    }
    all
}

#[test]
fn stored_recordings_cover_the_kernels_of_the_lab() {
    let stored = stored();
    for kernel in SUITES
        .iter()
        .filter(|suite| !suite.fixtures_only)
        .map(|suite| suite.kernel)
    {
        let of_kernel: BTreeSet<&str> = stored
            .iter()
            .filter(|one| one.truth.kernel_release.starts_with(&format!("{kernel}.")))
            .filter(|one| one.truth.cgroup_version == CgroupVersion::V2)
            .map(|one| one.truth.scenario.as_str())
            .collect();
        let expected: BTreeSet<&str> =
            whodunit_lab::scenario::table::scenarios(&whodunit_lab::cgroup::Names::new(""))
                .into_iter()
                .map(|scenario| scenario.name)
                .collect();
        assert_eq!(of_kernel, expected, "scenarios of {kernel}");
    }
    assert!(
        stored
            .iter()
            .any(|one| one.truth.cgroup_version == CgroupVersion::V1),
        "nothing with cgroup v1"
    );
}

#[test]
fn stored_recordings_are_explained_as_they_happened() {
    let stored = stored();
    assert!(!stored.is_empty());
    hold(&stored, None);
}

// ---- live ----

/// Runs a live test, or says loudly why it can't be run.
fn live(what: &str, stage: impl FnOnce() -> Result<Vec<Recording>>, ours: Option<&str>) {
    match stage() {
        Ok(recordings) => hold(&recordings, ours),
        Err(why) if whodunit_lab::required() => {
            panic!("{what} could not be staged: {why:#}")
        }
        Err(why) => eprintln!("\n*** NOT TESTED: {what} could not be staged: {why:#}\n"),
    }
}

#[test]
fn live_kills_on_this_machine() {
    let seed = format!("live {}", std::process::id());
    let pod = whodunit_lab::cgroup::Names::new(seed.clone()).pod_slice("forged");
    live(
        "kills on this machine",
        || record_here(&machine::hierarchy()?, &hog::build()?, &seed),
        Some(&pod),
    );
}

fn live_kernel(kernel: &str) {
    let suite = SUITES
        .into_iter()
        .find(|suite| suite.kernel == kernel)
        .expect("a kernel of the lab");
    live(
        &format!("kills on kernel {kernel}"),
        || {
            packages::ensure()?;
            let (image, hog) = (vmlinuz(suite)?, hog::build()?);
            let mut recorded = Vec::new();
            for boot in Boot::ALL {
                recorded.extend(record_vm(&image, &hog, boot, suite.without)?);
            }
            Ok(recorded)
        },
        None,
    );
}

#[test]
fn live_kills_on_kernel_5_10() {
    live_kernel("5.10");
}

#[test]
fn live_kills_on_kernel_6_1() {
    live_kernel("6.1");
}

#[test]
fn live_kills_on_kernel_6_12() {
    live_kernel("6.12");
}
