//! Out-of-memory counts and ends of cgroups, as the kernel tells of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use whodunit_case::fact::{CgroupHierarchy, CgroupOom, EventLevel, Fact};
use whodunit_node::cgroup::CgroupWatch;

use crate::stage::{Stage, until};

const PATIENCE: Duration = Duration::from_secs(5);

fn own(stage: &Stage, facts: &[Fact]) -> Vec<CgroupOom> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::CgroupOom(oom) if oom.path.starts_with(stage.path.as_str()) => {
                Some((**oom).clone())
            }
            _ => None,
        })
        .collect()
}

/// Watches until a kill in `path` is told; gives all that was told of the stage's cgroups.
fn told(watch: &mut CgroupWatch, stage: &Stage, path: &str) -> Vec<CgroupOom> {
    let mut facts = Vec::new();
    let came = until(watch, PATIENCE, |watch| {
        watch.read(&mut |fact| facts.push(fact)).unwrap();
        own(stage, &facts)
            .iter()
            .any(|oom| oom.path == path && oom.level == EventLevel::Local && oom.kills() > 0)
    });
    assert!(came, "no kill in {path} was told: {facts:?}");
    own(stage, &facts)
}

#[test]
fn kills_in_old_new_and_nested_cgroups_are_told_with_their_counts() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let old = format!("{}/old", stage.path);
    stage.make(&old).unwrap();
    stage.kill_in(&old);
    let mut watch = CgroupWatch::start(&stage.hierarchies).unwrap();
    assert_eq!(watch.take_notes(), Vec::<String>::new());

    // One that is there, with a kill before: counted from there.
    stage.kill_in(&old);
    let oom = told(&mut watch, &stage, &old);
    let local = oom
        .iter()
        .find(|oom| oom.path == old && oom.level == EventLevel::Local)
        .unwrap();
    assert_eq!((local.before.oom_kill, local.after.oom_kill), (1, 2));
    assert_eq!(local.hierarchy, stage.hierarchy);

    // One that is made meanwhile, with another below it.
    let new = format!("{}/new", stage.path);
    let nested = format!("{new}/nested");
    stage.make(&new).unwrap();
    stage.make(&nested).unwrap();
    stage.kill_in(&nested);
    let mut oom = told(&mut watch, &stage, &nested);
    let local = oom
        .iter()
        .find(|oom| oom.path == nested && oom.level == EventLevel::Local)
        .unwrap();
    assert_eq!((local.before.oom_kill, local.after.oom_kill), (0, 1));
    if stage.hierarchy == CgroupHierarchy::Unified {
        // An emulated machine may run against the limit again before the victim's memory is back.
        assert!(local.after.oom >= Some(1), "{local:?}");
        // The parent tells of its subtree, up to 10 ms later.
        let parent = |oom: &[CgroupOom]| {
            oom.iter()
                .any(|oom| oom.path == new && oom.level == EventLevel::Subtree && oom.kills() == 1)
        };
        let _ = until(&mut watch, Duration::from_secs(1), |watch| {
            watch
                .read(&mut |fact| oom.extend(own(&stage, &[fact])))
                .unwrap();
            parent(&oom)
        });
        assert!(parent(&oom), "{oom:?}");
    }
}

#[test]
fn a_parents_limit_is_told_where_the_victim_was() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let child = format!("{}/child", stage.path);
    stage.make(&child).unwrap();
    let mut watch = CgroupWatch::start(&stage.hierarchies).unwrap();
    stage.limit(&stage.path, 16 << 20);
    stage.start(&child, "exec tail /dev/zero").wait().unwrap();
    let oom = told(&mut watch, &stage, &child);
    let kills = |path: &str| -> u64 {
        oom.iter()
            .filter(|oom| oom.path == path && oom.level == EventLevel::Local)
            .map(CgroupOom::kills)
            .sum()
    };
    assert_eq!(kills(&child), 1);
    assert_eq!(kills(&stage.path), 0);
}

#[test]
fn a_cgroup_that_ran_empty_is_told_once() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let Some(unified) = stage.hierarchies.unified.clone() else {
        panic!("no unified hierarchy: {:?}", stage.hierarchies);
    };
    // The unified hierarchy is there beside v1's as well.
    let directory = unified.join(format!("whodunit-test-empty-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let path = format!("/{}", directory.file_name().unwrap().to_str().unwrap());
    let mut watch = CgroupWatch::start(&stage.hierarchies).unwrap();
    let own = stage.path.clone();
    stage.remove(&own);
    let mut child = std::process::Command::new("sh")
        .args([
            "-c",
            &format!(
                "echo $$ > {}/cgroup.procs; exec sleep 0.3",
                directory.display()
            ),
        ])
        .spawn()
        .unwrap();
    let mut emptied = Vec::new();
    let mut read = |watch: &mut CgroupWatch| {
        watch
            .read(&mut |fact| {
                if let Fact::CgroupEmptied(fact) = fact
                    && fact.path == path
                {
                    emptied.push(fact);
                }
            })
            .unwrap();
        !emptied.is_empty()
    };
    let came = until(&mut watch, PATIENCE, &mut read);
    // Nothing more comes of it.
    let _ = until(&mut watch, Duration::from_millis(200), |watch| {
        read(watch);
        false
    });
    child.wait().unwrap();
    std::fs::remove_dir(&directory).unwrap();
    assert!(came);
    assert_eq!(emptied.len(), 1);
}

#[test]
fn three_hundred_cgroups_are_followed_through_making_and_removing_and_cost_nothing_while_idle() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let mut watch = CgroupWatch::start(&stage.hierarchies).unwrap();
    let before = watch.cgroups();
    let paths: Vec<String> = (0..300)
        .map(|index| format!("{}/c{index}", stage.path))
        .collect();
    for path in &paths {
        stage.make(path).unwrap();
    }
    let all = |watch: &mut CgroupWatch| {
        watch.read(&mut |_| {}).unwrap();
        watch.cgroups() >= before + 300
    };
    assert!(
        until(&mut watch, PATIENCE, all),
        "{} cgroups",
        watch.cgroups()
    );
    assert_eq!(watch.take_notes(), Vec::<String>::new());
    // Other tests make cgroups of their own meanwhile: what they cause is counted as well.
    let cpu_ns = || {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        spent.tv_sec * 1_000_000_000 + spent.tv_nsec
    };
    let start_ns = cpu_ns();
    let _ = until(&mut watch, Duration::from_secs(1), |watch| {
        watch.read(&mut |_| {}).unwrap();
        false
    });
    let spent_us = (cpu_ns() - start_ns) / 1000;
    eprintln!("{spent_us} us of processor time in a second");
    assert!(spent_us < 20_000, "{spent_us} us in a second");
    let last = paths.last().unwrap();
    stage.kill_in(last);
    let oom = told(&mut watch, &stage, last);
    assert!(
        oom.iter()
            .all(|oom| oom.path == *last || oom.level == EventLevel::Subtree),
        "{oom:?}"
    );
    for path in &paths {
        stage.remove(path);
    }
    let none = |watch: &mut CgroupWatch| {
        watch.read(&mut |_| {}).unwrap();
        watch.cgroups() <= before + 20
    };
    assert!(
        until(&mut watch, PATIENCE, none),
        "{} cgroups are left",
        watch.cgroups()
    );
}
