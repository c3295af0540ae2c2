//! What watching costs while nothing happens: 300 memory cgroups that are watched, some hundred processes asleep; then
//! ten times as many processes. Processor time and wake-ups over some seconds, resident memory.

use std::time::Duration;

use whodunit_lab::machine;

use crate::Bench;
use crate::outcome::Outcome;

use super::act::Cgroups;
use super::cost::{Cost, Resident};
use super::load;
use super::watched::{Actor, Watched};

const CGROUPS: usize = 300;
const PROCESSES: usize = 300;
/// Of one processor, at most.
const PERCENT: f64 = 0.2;
const MIB: f64 = 20.0;

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let time = Duration::from_secs(if bench.quick { 3 } else { 20 });
    println!("idle: {CGROUPS} memory cgroups ({})", load());
    let scratch = bench.scratch()?;
    let store = scratch.path().join("idle.sqlite");
    let mut cgroups = Cgroups::new(&machine::hierarchy()?)?;
    for number in 0..CGROUPS {
        cgroups.make(&format!("pod{number}"), None)?;
    }
    let watched = Watched::start(&bench.whodunit, Some(&store))?;
    for note in watched
        .notes()
        .iter()
        .filter(|note| note.contains("cgroup"))
    {
        println!("  it said: {note}");
    }
    let mut costs = Vec::new();
    for processes in [PROCESSES, 10 * PROCESSES] {
        let mut herd = Actor::ready(&bench.own, &["sleep", &processes.to_string()])?;
        // What it does at its start is over by then.
        std::thread::sleep(Duration::from_secs(1));
        let before = watched.cost()?;
        std::thread::sleep(time);
        let cost: Cost = watched.cost()?.since(before);
        let memory = Resident::of(watched.pid())?;
        herd.go()?;
        herd.done()?;
        let percent = cost.cpu_ns as f64 / time.as_nanos() as f64 * 100.0;
        println!(
            "  {processes} more processes, {} s: {percent:.4} % of a processor, {} wake-ups; resident {:.1} MiB, {:.1} MiB of it anonymous",
            time.as_secs(),
            cost.wakeups,
            memory.all_kib as f64 / 1024.0,
            memory.anon_kib as f64 / 1024.0,
        );
        outcome.target(
            &format!(
                "idle, {processes} processes: {percent:.4} % of a processor, below {PERCENT} %"
            ),
            percent < PERCENT,
        );
        let mib = memory.all_kib as f64 / 1024.0;
        outcome.target(
            &format!("idle, {processes} processes: {mib:.1} MiB resident, below {MIB} MiB"),
            mib < MIB,
        );
        costs.push(percent);
    }
    // Both are next to nothing; what grew with the processes would be ten times as much.
    if let [few, many] = costs.as_slice() {
        outcome.target(
            &format!("idle, ten times the processes: {few:.4} % and {many:.4} %, no more than {:.4} % apart", PERCENT / 20.0),
            many - few < PERCENT / 20.0,
        );
    }
    Ok(())
}
