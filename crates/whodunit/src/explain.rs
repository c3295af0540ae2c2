//! `whodunit explain`: from the arguments to a job for the pipeline, and from what came of it to an exit status.

use std::io::Write;
use std::thread::available_parallelism;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use whodunit_case::incident::SourceKind;
use whodunit_node::{Machine, Opened, OwnLog, Root, Source, find, own_kernel_log};

use crate::cli::{ExplainArgs, Output};
use crate::dating::Known;
use crate::exit::Status;
use crate::filter::Filter;
use crate::held::HELD_MAX;
use crate::moment::moment;
use crate::pipeline::{self, Job, Judge, View, Warning};
use crate::{terminal, wiring};

/// How the user wants it to look: all that a view needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Format.
    pub output: Output,
    /// Verdicts only.
    pub quiet: bool,
    /// Nothing folded.
    pub all: bool,
    /// Columns.
    pub width: u16,
    /// Escape sequences for colour.
    pub colored: bool,
    /// The locale has more than ASCII.
    pub unicode: bool,
}

impl Looks {
    /// From the arguments and the terminal.
    pub fn of(arguments: &ExplainArgs) -> Self {
        Self {
            output: arguments.output,
            quiet: arguments.quiet,
            all: arguments.all,
            width: arguments
                .page
                .width
                .map_or_else(terminal::width, Into::into),
            colored: terminal::colored(arguments.page.color),
            unicode: terminal::unicode(),
        }
    }
}

/// Runs it, with the program's own judge and view, to standard output.
pub fn run(arguments: &ExplainArgs) -> anyhow::Result<Status> {
    let mut parts = wiring::parts(Looks::of(arguments));
    let mut out = terminal::StandardOutput::new();
    run_with(
        arguments,
        &Root::system(),
        parts.judge.as_mut(),
        parts.view.as_mut(),
        &mut out,
    )
}

/// Runs it for the machine under `root`: judges with `judge`, prints with `view` to `out`.
pub fn run_with(
    arguments: &ExplainArgs,
    root: &Root,
    judge: &mut dyn Judge,
    view: &mut dyn View,
    out: &mut dyn Write,
) -> anyhow::Result<Status> {
    let filter = filter(arguments)?;
    let Input {
        sources,
        first_opened,
        machine,
        unreadable,
        warnings,
    } = input(arguments, root);
    let job = Job {
        hold: match arguments.output {
            // Incidents as they are found cannot wait for other places of the same kill.
            Output::Ndjson => 0,
            _ if sources.len() > 1 => HELD_MAX,
            _ => 0,
        },
        sources,
        first_opened,
        warnings,
        known: Known {
            zone: arguments.timezone.clone(),
            year: arguments.year,
            machine,
            now: Timestamp::now(),
        },
        filter,
        threads: match arguments.threads {
            Some(threads) => threads.get(),
            None => available_parallelism().map_or(1, Into::into),
        },
        progress: !arguments.no_progress && !arguments.quiet,
    };
    let mut warn = |warning: &Warning| {
        if warning.error || !arguments.quiet {
            terminal::complain(&warning.text);
        }
    };
    let done = pipeline::run(job, judge, view, out, &mut warn).context("standard output")?;
    Ok(if arguments.fail_on_kill && done.kills > 0 {
        Status::Kill
    } else if unreadable + done.unreadable > 0 {
        Status::SomeUnreadable
    } else {
        Status::Finished
    })
}

/// Which incidents were asked for. Fails on a time that is none.
pub fn filter(arguments: &ExplainArgs) -> anyhow::Result<Filter> {
    // The zone database is read only for a time that may need it.
    let read = |name: &str, text: &Option<String>| -> anyhow::Result<Option<Timestamp>> {
        let Some(text) = text else { return Ok(None) };
        let zone = arguments.timezone.clone().unwrap_or_else(TimeZone::system);
        let now = ZonedDateTime::new(Timestamp::now(), zone);
        moment(text, &now)
            .map(Some)
            .map_err(|error| anyhow!("{name}: {error}"))
    };
    Ok(Filter {
        since: read("--since", &arguments.since)?,
        until: read("--until", &arguments.until)?,
        pod: arguments.pod.clone(),
        container: arguments.container.clone(),
        comm: arguments.comm.clone(),
    })
}

struct Input {
    sources: Vec<Source>,
    first_opened: Option<Opened>,
    machine: Option<Machine>,
    unreadable: usize,
    warnings: Vec<Warning>,
}

/// What to read, and what of it is not there.
fn input(arguments: &ExplainArgs, root: &Root) -> Input {
    if arguments.paths.is_empty() {
        let own = own_kernel_log(root);
        let machine = Machine::read(root);
        let mut warnings = own_log_in_words(&own);
        warnings.extend(slept(&machine, &own.sources));
        return Input {
            unreadable: usize::from(own.used.is_none()),
            warnings,
            sources: own.sources,
            first_opened: own.opened,
            machine: Some(machine),
        };
    }
    let found = find(&arguments.paths);
    let own = found.sources.iter().any(|source| source.own_machine);
    Input {
        unreadable: found
            .problems
            .iter()
            .filter(|problem| problem.unreadable)
            .count(),
        warnings: found
            .problems
            .into_iter()
            .map(|problem| Warning {
                text: problem.message,
                error: problem.unreadable,
            })
            .collect(),
        sources: found.sources,
        first_opened: None,
        machine: own.then(|| Machine::read(root)),
    }
}

/// The kernel's log clock stands still while the machine sleeps.
fn slept(machine: &Machine, sources: &[Source]) -> Option<Warning> {
    let ring_buffer = sources.iter().any(|source| source.kind == SourceKind::Kmsg);
    let seconds = machine.suspended.as_secs();
    (ring_buffer && seconds > 0).then(|| Warning {
        text: format!(
            "this machine slept {seconds} s since it was booted: wall-clock times may be that much too early"
        ),
        error: false,
    })
}

/// Which log of this machine is read, and why not the others.
fn own_log_in_words(own: &OwnLog) -> Vec<Warning> {
    let first = match &own.used {
        Some(used) => Warning {
            text: format!("reading {used}"),
            error: false,
        },
        None => Warning {
            text: "this machine's kernel log cannot be read anywhere; \
                   hand one over: whodunit explain FILE"
                .to_owned(),
            error: true,
        },
    };
    let mut words = vec![first];
    let (failed, spared): (Vec<_>, Vec<_>) = own.tried.iter().partition(|tried| tried.failed);
    words.extend(failed.into_iter().map(|tried| Warning {
        text: format!("not {}: {}", tried.place, tried.why_not),
        error: own.used.is_none(),
    }));
    if !spared.is_empty() {
        let places: Vec<_> = spared.iter().map(|tried| tried.place.as_str()).collect();
        words.push(Warning {
            text: format!("not needed: {}", places.join(", ")),
            error: false,
        });
    }
    words
}
