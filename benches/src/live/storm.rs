//! A storm of kills through the whole program: 10,000 of them, as fast as this machine can make them. A supervisor that
//! kills its own children herd after herd; persons, each a process that sends one signal and is gone; the kernel, in
//! small memory cgroups (most of whose reports its rate limit suppresses). Ordinary ends in between. All at once.
//!
//! Counted: every kill is told once on standard output and kept once in the store, by the killer that it was; what is
//! missing is what the program itself said that it lost.

use std::process::Command;

use anyhow::Context;

use crate::outcome::Outcome;
use crate::{Bench, child};

use super::held::{Deed, Held, hold, verdicts};
use super::watched::{Actor, Told, Watched};
use super::{act, load, ms};

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (parent, persons, oom) = if bench.quick {
        (800, 150, 50)
    } else {
        (7_250, 2_500, 250)
    };
    let total = parent + persons + oom;
    println!(
        "storm: {total} kills: {parent} by a supervisor, {persons} by persons, {oom} by the kernel ({})",
        load()
    );
    anyhow::ensure!(
        act::can_log_in()?,
        "no process here can have a login (/proc/self/loginuid): nobody can kill as a person"
    );
    let scratch = bench.scratch()?;
    let store = scratch.path().join("storm.sqlite");
    let watched = Watched::start(&bench.whodunit, Some(&store))?;
    let before = watched.cost()?;
    let mut actors = Vec::new();
    for (what, count) in [("herds", parent), ("persons", persons), ("oom", oom)] {
        let count = count.to_string();
        actors.push(Actor::ready(&bench.own, &[what, &count])?);
    }
    let begin_ns = super::boot_ns();
    for actor in &mut actors {
        actor.go()?;
    }
    let mut deeds: Vec<Deed> = Vec::new();
    for actor in actors {
        deeds.extend(actor.done()?.deeds);
    }
    let took_ns = super::boot_ns() - begin_ns;
    watched.await_lines(deeds.len());
    let cost = watched.cost()?.since(before);
    let told = watched.stop()?;
    let verdicts = verdicts(&told.lines)?;
    let held = hold(&deeds, &verdicts);
    let last_ns = verdicts
        .iter()
        .map(|one| one.arrived_ns)
        .max()
        .unwrap_or_default();
    println!(
        "  {} kills in {:.1} s; the last verdict came {:.0} ms after the last kill; {:.0} us of a processor a kill",
        deeds.len(),
        took_ns as f64 / 1e9,
        ms(last_ns.saturating_sub(begin_ns + took_ns)),
        cost.cpu_ns as f64 / 1e3 / deeds.len() as f64,
    );
    let reported = verdicts.iter().filter(|one| one.reported).count();
    println!(
        "  {reported} of {oom} kills by the kernel came with its report; the others are told from the signal and the cgroups"
    );
    tell(&held);
    let lost = lost(&told);
    let sum = held.right + held.wrong.len() + held.twice.len();
    outcome.count(
        &format!("storm: {} right, {} wrong, {} told twice, {} missing of {total}, {} records reported lost", held.right, held.wrong.len(), held.twice.len(), held.missing.len(), lost),
        held.wrong.is_empty() && held.twice.is_empty() && held.missing.len() as u64 <= lost && sum + held.missing.len() == total,
    );
    let accused = held
        .strangers
        .iter()
        .filter(|one| one.code == "application-parent" || one.code == "person")
        .count();
    println!(
        "  {} verdicts about deaths that are not of this benchmark ({accused} accuse somebody)",
        held.strangers.len()
    );
    let kept = child::output(
        Command::new(&bench.whodunit)
            .args(["incidents", "-o", "ndjson", "--limit", "1000000", "--store"])
            .arg(&store),
    )?;
    let lines: Vec<(u64, Vec<u8>)> = kept
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| (0, line.to_vec()))
        .collect();
    let in_store = hold(&deeds, &super::held::verdicts(&lines)?);
    let bytes = std::fs::metadata(&store).context("the store")?.len();
    println!(
        "  the store: {:.1} MiB, {:.1} KiB a kill",
        bytes as f64 / 1048576.0,
        bytes as f64 / 1024.0 / total as f64
    );
    outcome.count(
        &format!(
            "storm: {} kept rightly in the store, as many as were told",
            in_store.right
        ),
        in_store.right == held.right,
    );
    if in_store.right != held.right {
        tell(&in_store);
    }
    Ok(())
}

/// The first of what is not as it should be.
fn tell(held: &Held) {
    for deed in held.missing.iter().take(3) {
        println!("  missing: {deed:?}");
    }
    for deed in held.twice.iter().take(3) {
        println!("  twice: {deed:?}");
    }
    for (deed, verdict) in held.wrong.iter().take(5) {
        println!("  wrong: {deed:?}: {verdict:?}");
    }
}

/// Records that the program said it lost.
fn lost(told: &Told) -> u64 {
    let mut lost = 0;
    for note in told
        .notes
        .iter()
        .filter(|note| note.contains("lost") || note.contains("overwritten"))
    {
        println!("  it said: {note}");
        let number = note
            .split_whitespace()
            .find_map(|word| word.parse::<u64>().ok());
        if note.contains("records of signals") {
            lost += number.unwrap_or_default();
        }
    }
    lost
}
