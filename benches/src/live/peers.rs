//! Side by side with what people use for it: bpftrace's `killsnoop.bt` and `oomkill.bt` (Debian's package `bpftrace`).
//! The same kills, who sees which and names whom; and what a kill costs under each: the processor time of the observer,
//! and how much longer the killer and the dying take than unobserved, in turns.
//!
//! `oomkill.bt` needs kprobes. Where the kernel has none, what it said is shown; the tracepoint `oom:mark_victim` in one
//! line of bpftrace stands beside it, and for it there.

mod snoop;

use std::path::Path;
use std::time::Duration;

use crate::Bench;
use crate::outcome::Outcome;

use super::cost::Cost;
use super::held::{Deed, verdicts};
use super::watched::{Actor, Watched};
use super::{act, load};
use snoop::{Snoop, Tool};

/// For observers to have their say.
const AFTER: Duration = Duration::from_millis(1500);

pub(crate) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    println!(
        "peers: killsnoop.bt and oomkill.bt of bpftrace ({})",
        load()
    );
    anyhow::ensure!(act::can_log_in()?, "no process here can have a login");
    let tools = match snoop::tools()? {
        Some(tools) => tools,
        None if bench.quick => {
            println!("  NOT COMPARED: bpftrace is not installed here (`make bench` installs it)");
            Vec::new()
        }
        None => anyhow::bail!("bpftrace is not installed: `make bench` installs it"),
    };
    sight(bench, outcome, &tools)?;
    cost(bench, &tools)
}

/// Who sees which.
fn sight(bench: &Bench, outcome: &mut Outcome, tools: &[Tool]) -> anyhow::Result<()> {
    let mut snoops = Vec::new();
    for tool in tools {
        match Snoop::start(tool)? {
            Ok(snoop) => snoops.push(snoop),
            Err(said) => println!("  {} does not run here; it said: {said}", tool.name),
        }
    }
    let watched = Watched::start(&bench.whodunit, None)?;
    let mut cast = Actor::ready(&bench.own, &["cast"])?;
    cast.go()?;
    let deeds = cast.done()?.deeds;
    std::thread::sleep(AFTER);
    let told = verdicts(&watched.stop()?.lines)?;
    let mut columns = vec![(
        "whodunit",
        deeds
            .iter()
            .map(|deed| whodunit_on(deed, &told))
            .collect::<Vec<_>>(),
    )];
    for snoop in snoops {
        let name = snoop.name();
        let lines = snoop.stop()?;
        columns.push((
            name,
            deeds
                .iter()
                .map(|deed| snoop::sight(deed, &lines))
                .collect(),
        ));
    }
    print!("  {:34}", "kill");
    for (name, _) in &columns {
        print!("  {name:24}");
    }
    println!();
    for (row, deed) in deeds.iter().enumerate() {
        print!("  {:34}", deed.in_words());
        for (_, sights) in &columns {
            print!(
                "  {:24}",
                sights.get(row).map_or("", |sight| sight.in_words())
            );
        }
        println!();
    }
    let all = columns
        .first()
        .is_some_and(|(_, sights)| sights.iter().all(|sight| *sight == Sight::Named));
    outcome.count(
        &format!(
            "peers: whodunit names the killer of all {} victims",
            deeds.len()
        ),
        all,
    );
    Ok(())
}

/// What an observer has of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Named,
    Seen,
    Nothing,
}

impl Sight {
    fn in_words(self) -> &'static str {
        match self {
            Self::Named => "killer named",
            Self::Seen => "seen, killer not named",
            Self::Nothing => "not seen",
        }
    }
}

fn whodunit_on(deed: &Deed, told: &[super::held::Verdict]) -> Sight {
    match told
        .iter()
        .find(|verdict| verdict.victims.contains(&deed.victim))
    {
        Some(verdict) if deed.is_told_by(verdict) => Sight::Named,
        Some(_) => Sight::Seen,
        None => Sight::Nothing,
    }
}

/// A run of the kill loop under one observer.
#[derive(Default)]
struct Runs {
    name: &'static str,
    cycle_us: Vec<f64>,
    call_us: Vec<f64>,
    observer_us: Vec<f64>,
}

fn cost(bench: &Bench, tools: &[Tool]) -> anyhow::Result<()> {
    let (kills, rounds) = if bench.quick { (500, 1) } else { (3_000, 5) };
    let scratch = bench.scratch()?;
    let mut all: Vec<Runs> = Vec::new();
    for round in 0..rounds {
        let store = scratch.path().join(format!("{round}.sqlite"));
        let mut at = 0;
        let mut add = |name: &'static str, run: Measured| {
            if all.len() <= at {
                all.push(Runs {
                    name,
                    ..Runs::default()
                });
            }
            if let Some(runs) = all.get_mut(at) {
                runs.cycle_us.push(run.cycle_us);
                runs.call_us.push(run.call_us);
                runs.observer_us.push(run.observer_us);
            }
            at += 1;
        };
        add(
            "nobody watches",
            killing(bench, kills, |_| Ok(Cost::default()))?,
        );
        for tool in tools {
            if let Ok(snoop) = Snoop::start(tool)? {
                add(tool.name, killing(bench, kills, |_| snoop.cost())?);
                snoop.stop()?;
            }
        }
        add(
            "whodunit watch --no-store",
            under_whodunit(bench, kills, None)?,
        );
        add(
            "whodunit watch",
            under_whodunit(bench, kills, Some(&store))?,
        );
    }
    println!("  {kills} kills a run, {rounds} runs in turns; median, microseconds a kill");
    let base = all.first().map_or(1.0, |runs| median(&runs.cycle_us));
    for runs in &all {
        println!(
            "  {:28}  kill to the end of the victim {:7.1} ({:.2} x)  kill(2) {:6.2}  the observer's processor time {:6.1}",
            runs.name,
            median(&runs.cycle_us),
            median(&runs.cycle_us) / base,
            median(&runs.call_us),
            median(&runs.observer_us),
        );
    }
    Ok(())
}

struct Measured {
    cycle_us: f64,
    call_us: f64,
    observer_us: f64,
}

fn under_whodunit(bench: &Bench, kills: usize, store: Option<&Path>) -> anyhow::Result<Measured> {
    let watched = Watched::start(&bench.whodunit, store)?;
    let measured = killing(bench, kills, |after| {
        if after {
            watched.await_lines(kills);
        }
        watched.cost()
    })?;
    watched.stop()?;
    Ok(measured)
}

/// `cost` is asked before and after.
fn killing(
    bench: &Bench,
    kills: usize,
    cost: impl Fn(bool) -> anyhow::Result<Cost>,
) -> anyhow::Result<Measured> {
    let mut actor = Actor::ready(&bench.own, &["herds", &kills.to_string()])?;
    let before = cost(false)?;
    actor.go()?;
    let done = actor.done()?;
    std::thread::sleep(Duration::from_millis(300));
    let observer = cost(true)?.since(before);
    let a_kill = |ns: u64| ns as f64 / 1e3 / kills as f64;
    Ok(Measured {
        cycle_us: a_kill(done.dying_ns),
        call_us: a_kill(done.calls_ns),
        observer_us: a_kill(observer.cpu_ns),
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
