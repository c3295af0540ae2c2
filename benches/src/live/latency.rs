//! From a kill to its verdict on standard output: from the kernel's own time of the signal (CLOCK_BOOTTIME, in the
//! verdict's evidence) to the moment at which the reader of the pipe has the whole line, by the same clock.
//!
//! Paced: one kill at a time, as on a node with trouble. In a burst: 2,000 within a second, as when a crowd is swept
//! away. At once: as many, as fast as one process can send signals; what is measured then is how long the last waits, and
//! there is no target but that every one is told. Each with a store (a verdict is kept before it is told) and without one.

use std::path::Path;

use crate::Bench;
use crate::outcome::Outcome;

use super::held::{hold, verdicts};
use super::watched::{Actor, Watched};
use super::{load, ms, quantile};

/// At most.
const MEDIAN_MS: f64 = 5.0;
const P99_MS: f64 = 25.0;

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let scratch = bench.scratch()?;
    println!(
        "latency: from the kill to the verdict on standard output ({})",
        load()
    );
    let paced = if bench.quick { 100 } else { 400 };
    for (what, count, pause_us) in [
        ("paced", paced, 10_000),
        ("burst", 2_000, 500),
        ("at once", 2_000, 0),
    ] {
        for with in ["with a store", "--no-store"] {
            let file = scratch.path().join(format!("{what}.sqlite"));
            let store = (with != "--no-store").then_some(file.as_path());
            let times = measure(bench, store, count, pause_us)?;
            let (median, p99) = (ms(quantile(&times, 0.5)), ms(quantile(&times, 0.99)));
            println!(
                "  {what}, {count} kills, one every {:.1} ms, {with}: median {median:.2} ms, p90 {:.2} ms, p99 {p99:.2} ms, most {:.2} ms",
                f64::from(pause_us) / 1e3,
                ms(quantile(&times, 0.9)),
                ms(times.last().copied().unwrap_or_default()),
            );
            if pause_us == 0 {
                continue;
            }
            outcome.target(
                &format!(
                    "{what}, {with}: median {median:.2} ms, at most {MEDIAN_MS} ms; p99 {p99:.2} ms, at most {P99_MS} ms"
                ),
                median < MEDIAN_MS && p99 < P99_MS,
            );
        }
    }
    Ok(())
}

/// Sorted, nanoseconds, one a kill.
fn measure(
    bench: &Bench,
    store: Option<&Path>,
    count: usize,
    pause_us: u32,
) -> anyhow::Result<Vec<u64>> {
    let watched = Watched::start(&bench.whodunit, store)?;
    let words = [count.to_string(), pause_us.to_string()];
    let mut actor = Actor::ready(&bench.own, &["parent", &words[0], &words[1]])?;
    actor.go()?;
    let done = actor.done()?;
    watched.await_lines(count);
    let told = watched.stop()?;
    let verdicts = verdicts(&told.lines)?;
    let held = hold(&done.deeds, &verdicts);
    anyhow::ensure!(
        held.right == count,
        "{} of {count} told rightly; missing {}, twice {}, wrong {}: {:?}; it says: {}",
        held.right,
        held.missing.len(),
        held.twice.len(),
        held.wrong.len(),
        held.wrong.first(),
        told.notes.join("; "),
    );
    let mut times: Vec<u64> = verdicts
        .iter()
        .filter_map(|one| Some(one.arrived_ns.saturating_sub(one.signal_ns?)))
        .collect();
    times.sort_unstable();
    Ok(times)
}
