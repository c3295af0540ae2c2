//! Many deaths: ordinary ones that nobody is accused of, storms, and a buffer that is too small for one; and how the
//! tracer starts and wakes.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use whodunit_case::fact::Fact;
use whodunit_trace::{Options, Tracer};

use crate::INSIDE;
use crate::scene::{Actor, Check, scene};

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("a_thousand_ordinary_deaths", a_thousand_ordinary_deaths),
    ("a_storm_of_kills", a_storm_of_kills),
    ("losses_are_counted", losses_are_counted),
    ("the_descriptor_wakes", the_descriptor_wakes),
    ("who_may_not_trace_is_told", who_may_not_trace_is_told),
];

/// Signals by `parent` and ends of its children, `(signals, ends)` as numbers of the signal.
fn of_children(facts: &[Fact], parent: u32) -> (Vec<u32>, Vec<i32>) {
    let mut signals = Vec::new();
    let mut ends = Vec::new();
    for fact in facts {
        match fact {
            Fact::Signal(signal)
                if signal.sender.tgid == parent
                    || signal
                        .target_ancestors
                        .first()
                        .is_some_and(|one| one.tgid == parent) =>
            {
                signals.push(signal.signal);
            }
            Fact::Exit(exit) if exit.ancestors.first().is_some_and(|one| one.tgid == parent) => {
                ends.push(exit.wait_status);
            }
            _ => {}
        }
    }
    (signals, ends)
}

fn a_thousand_ordinary_deaths() -> anyhow::Result<()> {
    let herd = Actor::new("herd", &["ordinary", "400", "300", "200", "100"]);
    let pid = herd.pid();
    assert!(herd.act().success());
    let mut scene = scene()?;
    scene.drain();
    let (signals, ends) = of_children(&scene.facts, pid);
    assert_eq!(signals, [15; 100]);
    assert_eq!(ends, [15; 100]);
    Ok(())
}

fn a_storm_of_kills() -> anyhow::Result<()> {
    let count = if std::env::var_os(INSIDE).is_some() {
        1_000
    } else {
        10_000
    };
    let mut storm = Actor::new("storm", &["storm", &count.to_string()]);
    let pid = storm.pid();
    let mut scene = scene()?;
    let before = scene.losses();
    storm.go();
    assert!(storm.wait_in(&mut scene).success());
    scene.drain();
    let (signals, ends) = of_children(&scene.facts, pid);
    assert_eq!(scene.losses(), before, "losses");
    assert_eq!((signals.len(), ends.len()), (count, count));
    let mut targets: Vec<(u32, u64)> = Vec::new();
    for fact in &scene.facts {
        if let Fact::Signal(signal) = fact
            && signal.sender.tgid == pid
        {
            assert_eq!(
                (signal.signal, signal.sender.exe.as_deref()),
                (9, Some("storm"))
            );
            targets.push((signal.target.tgid, signal.target.start_boot_ns));
        }
    }
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), count, "different targets");
    Ok(())
}

/// A second tracer with a buffer of one page that nobody empties: what it has and what it lost is what the first saw.
fn losses_are_counted() -> anyhow::Result<()> {
    let mut scene = scene()?;
    let (mut small, _) = Tracer::start(Options { ring_bytes: 65536 })?;
    scene.drain();
    let before = scene.facts.len();
    let first_boot_ns = scene.facts.iter().map(boot_ns).max().unwrap_or(0);
    let mut storm = Actor::new("storm", &["storm", "200"]);
    let pid = storm.pid();
    storm.go();
    assert!(storm.wait_in(&mut scene).success());
    scene.drain();
    let losses = small.programs.losses()?;
    let mut has = Vec::new();
    small.records.drain(&mut |fact| has.push(fact));
    has.retain(|fact| boot_ns(fact) > first_boot_ns);
    let seen = &scene.facts[before..];
    let (signals, ends) = of_children(seen, pid);
    assert_eq!((signals.len(), ends.len()), (200, 200));
    let count = |facts: &[Fact], signal: bool| {
        let of_kind = |fact: &&Fact| matches!(fact, Fact::Signal(_)) == signal;
        u64::try_from(facts.iter().filter(of_kind).count()).unwrap()
    };
    assert!(losses.signals > 100 && losses.exits > 100, "{losses:?}");
    assert_eq!(
        count(&has, true) + losses.signals,
        count(seen, true),
        "signals: {losses:?}"
    );
    assert_eq!(
        count(&has, false) + losses.exits + losses.marks,
        count(seen, false),
        "ends and marks: {losses:?}"
    );
    Ok(())
}

/// Who waits for the tracer's descriptor is woken by a kill, and not before. Other processes of the machine may send
/// signals meanwhile: their facts are taken and it waits on.
fn the_descriptor_wakes() -> anyhow::Result<()> {
    let mut scene = scene()?;
    let victim = Actor::new("victim", &["sleep"]);
    let pid = victim.pid();
    let mut killer = Actor::new("assassin", &["kill", "9", &pid.to_string()]);
    scene.drain();
    killer.go();
    loop {
        let mut ready = [PollFd::from_borrowed_fd(scene.fd(), PollFlags::IN)];
        let patience = Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        assert_eq!(poll(&mut ready, Some(&patience))?, 1, "nobody was woken");
        assert!(scene.drain() > 0, "woken for nothing");
        let of_victim =
            |fact: &Fact| matches!(fact, Fact::Signal(signal) if signal.target.tgid == pid);
        if scene.facts.iter().any(of_victim) {
            return Ok(());
        }
    }
}

fn who_may_not_trace_is_told() -> anyhow::Result<()> {
    let user = Actor::new("user", &["trace-as-user", "65534"]);
    for part in [
        "does not let this process",
        "CAP_BPF",
        "CAP_PERFMON",
        "root",
    ] {
        assert!(user.line.contains(part), "{}", user.line);
    }
    Ok(())
}

fn boot_ns(fact: &Fact) -> u64 {
    match fact {
        Fact::Signal(signal) => signal.boot_ns,
        Fact::Exit(exit) => exit.boot_ns,
        Fact::OomMark(mark) => mark.boot_ns,
        other => panic!("the tracer makes no such fact: {other:?}"),
    }
}
