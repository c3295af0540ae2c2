//! `whodunit watch`: one machine, in the foreground; every verdict as it happens.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::Context;
use whodunit_case::incident::Incident;
use whodunit_node::Root;
use whodunit_view::View;

use crate::cli::{Output, WatchArgs};
use crate::exit::Status;
use crate::explain::Looks;
use crate::filter::{Answer, Filter};
use crate::keeping::Keeping;
use crate::stakeout::{From, Options, Seen, Stakeout};
use crate::{stopping, terminal, wiring};

/// How often what was held is tried again, and the position in the log is kept.
const BREATH: Duration = Duration::from_secs(10);

/// Watches until it is asked to stop.
pub fn run(arguments: &WatchArgs) -> anyhow::Result<Status> {
    let root = Root::system();
    let note = |text: &str| {
        if !arguments.quiet {
            terminal::complain(text);
        }
    };
    let mut keeping = match arguments.no_store {
        true => Keeping::none(),
        false => Keeping::open(arguments.store.as_deref(), &mut |text| {
            terminal::complain(text)
        }),
    };
    let from = match (arguments.from_boot, keeping.position()) {
        (true, _) => From::Oldest,
        (false, Some(position)) if arguments.resume => From::Position(position),
        (false, _) => From::Now,
    };
    let options = Options {
        root,
        from,
        signals: !arguments.no_ebpf,
        runtimes: true,
        cgroups: true,
        trace: whodunit_trace::Options::default(),
    };
    let stop = stopping::requested().context("signals to stop by")?;
    let mut stakeout = Stakeout::begin(&options).context("watching")?;
    for line in stakeout.abilities() {
        note(&line);
    }
    for text in stakeout.take_notes() {
        note(&text);
    }
    let mut teller = Teller::new(arguments);
    for incident in keeping.restart(stakeout.machine()) {
        teller.tell(&incident)?;
    }
    note("watching; stop with Ctrl-C");
    let mut breath = Instant::now();
    loop {
        let mut seen = Vec::new();
        let most = breath_left(breath, &keeping, &stakeout);
        let go_on = stakeout.turn(stop.as_fd(), most, &mut |one| seen.push(one))?;
        for text in stakeout.take_notes() {
            note(&text);
        }
        teller.take(seen, &mut keeping, &stakeout)?;
        if breath.elapsed() >= BREATH {
            keeping.breathe(&stakeout);
            breath = Instant::now();
        }
        if !go_on {
            break;
        }
    }
    finish(stakeout, teller, keeping, stop)
}

fn breath_left(breath: Instant, keeping: &Keeping, stakeout: &Stakeout) -> Option<Duration> {
    let owed = keeping.owes(stakeout);
    owed.then(|| BREATH.saturating_sub(breath.elapsed()))
}

fn finish(
    mut stakeout: Stakeout,
    mut teller: Teller,
    mut keeping: Keeping,
    stop: OwnedFd,
) -> anyhow::Result<Status> {
    drop(stop);
    let mut seen = Vec::new();
    stakeout.end(&mut |one| seen.push(one))?;
    teller.take(seen, &mut keeping, &stakeout)?;
    keeping.breathe(&stakeout);
    Ok(Status::Finished)
}

/// Keeps, then prints: what was printed is in the store.
struct Teller {
    view: Box<dyn View + Send>,
    out: terminal::StandardOutput,
    filter: Filter,
}

impl Teller {
    fn new(arguments: &WatchArgs) -> Self {
        let looks = Looks {
            output: arguments.output.into(),
            quiet: arguments.quiet,
            all: arguments.all,
            width: arguments.width.map_or_else(terminal::width, Into::into),
            colored: terminal::colored(arguments.color),
            unicode: terminal::unicode(),
        };
        Self {
            view: wiring::view_of(looks),
            out: terminal::StandardOutput::new(),
            filter: Filter {
                since: None,
                until: None,
                pod: arguments.pod.clone(),
                container: arguments.container.clone(),
                comm: arguments.comm.clone(),
            },
        }
    }

    fn take(
        &mut self,
        seen: Vec<Seen>,
        keeping: &mut Keeping,
        stakeout: &Stakeout,
    ) -> anyhow::Result<()> {
        for incident in keeping.keep(seen, stakeout) {
            self.tell(&incident)?;
        }
        Ok(())
    }

    fn tell(&mut self, incident: &Incident) -> anyhow::Result<()> {
        if self.filter.answer(incident) != Answer::Keep {
            return Ok(());
        }
        self.view
            .incident(&mut self.out, incident)
            .and_then(|()| self.out.flush())
            .context("standard output")
    }
}

/// Formats that can be told one incident at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum WatchOutput {
    /// For people
    #[default]
    Terminal,
    /// One incident a line
    Ndjson,
    /// For issues and reports
    Markdown,
}

impl std::convert::From<WatchOutput> for Output {
    fn from(output: WatchOutput) -> Self {
        match output {
            WatchOutput::Terminal => Self::Terminal,
            WatchOutput::Ndjson => Self::Ndjson,
            WatchOutput::Markdown => Self::Markdown,
        }
    }
}
