//! The round that `watch` and `agent` share: wait for the sources, keep, tell, hand to the hooks, until asked to stop.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::Context;
use whodunit_case::fact::Fact;
use whodunit_case::incident::Incident;
use whodunit_node::Root;

use crate::filter::{Answer, Filter};
use crate::going_down;
use crate::hooks::Hooks;
use crate::keeping::{Keeping, Told};
use crate::stakeout::{From, Options, Stakeout};
use crate::voice::Voice;

/// How often what was held is tried again, and the position in the log is kept.
const BREATH: Duration = Duration::from_secs(10);

/// What a run is to do.
pub struct Orders {
    /// Where to begin in the kernel's log.
    pub from: From,
    /// Use eBPF.
    pub signals: bool,
    /// Which kills to tell and to hand to hooks. All are kept.
    pub filter: Filter,
    /// Notes.
    pub voice: Voice,
    /// Readable when it is time to stop.
    pub stop: OwnedFd,
}

/// Who is told.
pub trait Attendant {
    /// The sources were opened, each as far as it can be had; no kill was told yet.
    fn begun(&mut self, stakeout: &Stakeout, keeping: &Keeping) -> anyhow::Result<()>;

    /// An incident that was kept. `happened_boot_ns`: CLOCK_BOOTTIME of its first signal.
    fn tell(&mut self, incident: &Incident, happened_boot_ns: Option<u64>) -> anyhow::Result<()>;

    /// Something happened, or the longest turn has passed.
    fn turned(&mut self, _: &Stakeout, _: &Keeping) {}

    /// A turn takes so long at most, even when nothing happens.
    fn longest_turn(&self) -> Option<Duration> {
        None
    }

    /// It was asked to stop. What is in the works follows.
    fn stopping(&mut self) {}
}

/// Watches until it is asked to stop.
pub fn keep_vigil(
    orders: Orders,
    mut keeping: Keeping,
    hooks: Hooks,
    attendant: &mut dyn Attendant,
) -> anyhow::Result<()> {
    let options = Options {
        root: Root::system(),
        from: orders.from,
        signals: orders.signals,
        runtimes: true,
        cgroups: true,
        trace: whodunit_trace::Options::default(),
    };
    let voice = orders.voice;
    let mut stakeout = Stakeout::begin(&options).context("watching")?;
    for line in stakeout.abilities() {
        voice.inform(&line);
    }
    say(&mut stakeout, voice);
    let mut teller = Teller {
        attendant,
        hooks,
        filter: orders.filter,
    };
    for incident in keeping.restart(stakeout.machine()) {
        teller.tell(&incident, &[], None)?;
    }
    teller.attendant.begun(&stakeout, &keeping)?;
    let mut breath = Instant::now();
    loop {
        let mut seen = Vec::new();
        let owed = keeping.owes(&stakeout);
        let owed = owed.then(|| BREATH.saturating_sub(breath.elapsed()));
        let longest = teller.attendant.longest_turn();
        let most = owed.into_iter().chain(longest).min();
        let go_on = stakeout.turn(orders.stop.as_fd(), most, &mut |one| seen.push(one))?;
        say(&mut stakeout, voice);
        teller.take(keeping.keep(seen, &stakeout))?;
        if breath.elapsed() >= BREATH {
            keeping.breathe(&stakeout);
            breath = Instant::now();
        }
        teller.attendant.turned(&stakeout, &keeping);
        if !go_on {
            break;
        }
    }
    finish(stakeout, keeping, teller, voice)
}

fn finish(
    mut stakeout: Stakeout,
    mut keeping: Keeping,
    mut teller: Teller<'_>,
    voice: Voice,
) -> anyhow::Result<()> {
    teller.attendant.stopping();
    let mut seen = Vec::new();
    stakeout.end(&mut |one| seen.push(one));
    say(&mut stakeout, voice);
    teller.take(keeping.keep(seen, &stakeout))?;
    teller.attendant.turned(&stakeout, &keeping);
    let going_down = keeping.is_asked() && going_down::is_going_down();
    keeping.finish(&stakeout, going_down);
    teller.hooks.finish();
    Ok(())
}

fn say(stakeout: &mut Stakeout, voice: Voice) {
    for text in stakeout.take_notes() {
        voice.note(&text);
    }
}

/// Tells first, then hands to the hooks.
struct Teller<'a> {
    attendant: &'a mut dyn Attendant,
    hooks: Hooks,
    filter: Filter,
}

impl Teller<'_> {
    fn take(&mut self, told: Vec<Told>) -> anyhow::Result<()> {
        for one in told {
            self.tell(&one.incident, &one.facts, one.happened_boot_ns)?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        incident: &Incident,
        facts: &[Fact],
        happened_boot_ns: Option<u64>,
    ) -> anyhow::Result<()> {
        if self.filter.answer(incident) == Answer::Keep {
            self.attendant.tell(incident, happened_boot_ns)?;
            self.hooks.offer(incident, facts);
        }
        Ok(())
    }
}
