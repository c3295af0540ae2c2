//! `whodunit watch`: one machine, in the foreground; every verdict as it happens.

use std::io::Write;

use anyhow::Context;
use whodunit_case::incident::Incident;
use whodunit_view::View;

use crate::cli::{Output, WatchArgs};
use crate::exit::Status;
use crate::explain::Looks;
use crate::filter::Filter;
use crate::hooks::Hooks;
use crate::keeping::Keeping;
use crate::stakeout::{From, Stakeout};
use crate::vigil::{Attendant, Orders, keep_vigil};
use crate::voice::Voice;
use crate::{stopping, terminal, wiring};

/// Watches until it is asked to stop.
pub fn run(arguments: &WatchArgs) -> anyhow::Result<Status> {
    let voice = Voice::Terminal {
        quiet: arguments.quiet,
    };
    let stop = stopping::requested().context("signals to stop by")?;
    let hooks = Hooks::start(&arguments.hooks, voice)?;
    let keeping = match arguments.no_store {
        true => Keeping::none(voice),
        false => Keeping::open(arguments.store.as_deref(), voice),
    };
    let from = match (arguments.from_boot, keeping.position()) {
        (true, _) => From::Oldest,
        (false, Some(position)) if arguments.resume => From::Position(position),
        (false, _) => From::Now,
    };
    let orders = Orders {
        from,
        signals: !arguments.no_ebpf,
        filter: Filter {
            since: None,
            until: None,
            pod: arguments.pod.clone(),
            container: arguments.container.clone(),
            comm: arguments.comm.clone(),
        },
        voice,
        stop,
    };
    let mut page = Page::new(arguments, voice);
    keep_vigil(orders, keeping, hooks, &mut page)?;
    Ok(Status::Finished)
}

/// Standard output.
struct Page {
    view: Box<dyn View + Send>,
    out: terminal::StandardOutput,
    voice: Voice,
}

impl Page {
    fn new(arguments: &WatchArgs, voice: Voice) -> Self {
        let looks = Looks {
            output: arguments.output.into(),
            quiet: arguments.quiet,
            all: arguments.all,
            width: arguments
                .page
                .width
                .map_or_else(terminal::width, Into::into),
            colored: terminal::colored(arguments.page.color),
            unicode: terminal::unicode(),
        };
        Self {
            view: wiring::view_of(looks),
            out: terminal::StandardOutput::new(),
            voice,
        }
    }
}

impl Attendant for Page {
    fn begun(&mut self, _: &Stakeout, _: &Keeping) -> anyhow::Result<()> {
        self.voice.inform("watching; stop with Ctrl-C");
        Ok(())
    }

    fn tell(&mut self, incident: &Incident, _: Option<u64>) -> anyhow::Result<()> {
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
