//! The command line's grammar. Each subcommand's arguments are here, beside their help; what they do is in the
//! subcommand's own file.

mod service;

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::tz::TimeZone;

use whodunit_case::incident::Killer;

use crate::watch::WatchOutput;
use crate::{asking, dating};

pub use service::{AgentArgs, HookArgs, Listen, LogFormat};

/// Who killed my pod? Answers with proof.
#[derive(Debug, Parser)]
#[command(name = "whodunit", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "Exit status: 0 looked and finished, 1 failed while working, 2 wrong usage, \
                           3 some source could not be read (the rest is reported), \
                           10 a kill was found and --fail-on-kill given.";

/// One file of the program each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say who was killed, by whose limit, and why, from any kernel log
    #[command(visible_alias = "ex", after_help = EXIT_STATUS)]
    Explain(Box<ExplainArgs>),
    /// Watch this machine: every kill as it happens, and who did it
    Watch(Box<WatchArgs>),
    /// Watch this machine as a service: log, metrics, health, hooks; incidents are always kept
    Agent(Box<AgentArgs>),
    /// List the incidents that were kept
    Incidents(Box<IncidentsArgs>),
    /// Show one incident, whole
    Incident(IncidentArgs),
    /// Count incidents by killer, by pod, by container and over time
    Suspects(Box<SuspectsArgs>),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// `whodunit explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Files and directories to read, `-` for standard input; without any, this machine's own kernel log
    ///
    /// Any log with kernel lines in it will do: syslog, dmesg, journalctl output, container JSON logs, the binary
    /// journal; also gzip, zstd, xz and bzip2. Directories are read with all below them, rotated files oldest first.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,

    /// The verdicts only, and no notes on standard error
    #[arg(short, long)]
    pub quiet: bool,

    /// Nothing folded: the whole task table, every statistic
    #[arg(long)]
    pub all: bool,

    /// Leave out kills before this time: 2026-01-31, `2026-01-31 14:00`, RFC 3339, 2h, -30min, today, yesterday
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Which kills"
    )]
    pub since: Option<String>,

    /// Leave out kills at or after this time; a date means its first moment
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Which kills"
    )]
    pub until: Option<String>,

    /// Only kills in this pod: its uid, or part of uid or name
    #[arg(long, value_name = "POD", value_parser = NonEmptyStringValueParser::new(), help_heading = "Which kills")]
    pub pod: Option<String>,

    /// Only kills in this container: the beginning of its id, or its name
    #[arg(long, value_name = "CONTAINER", value_parser = NonEmptyStringValueParser::new(), help_heading = "Which kills")]
    pub container: Option<String>,

    /// Only kills of processes with this name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), help_heading = "Which kills")]
    pub comm: Option<String>,

    /// Exit with 10 when a kill was found
    #[arg(long)]
    pub fail_on_kill: bool,

    /// Zone of times that carry none: Europe/Berlin, +02:00, UTC, local
    ///
    /// Without it: this machine's zone for its own log, UTC for everything else.
    #[arg(long, value_name = "ZONE", value_parser = dating::zone, help_heading = "Reading")]
    pub timezone: Option<TimeZone>,

    /// Year of dates that carry none; without it, the latest that is not after the file was last written
    #[arg(long, value_parser = clap::value_parser!(i16).range(1970..=9999), help_heading = "Reading")]
    pub year: Option<i16>,

    /// Sources read at the same time; without it, as many as there are processors
    #[arg(long, value_name = "N", help_heading = "Reading")]
    pub threads: Option<NonZeroUsize>,

    /// No progress bar
    #[arg(long, help_heading = "Reading")]
    pub no_progress: bool,

    /// For people.
    #[command(flatten)]
    pub page: PageArgs,
}

/// How a page for people looks.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Columns; without it, those of the terminal
    #[arg(long, value_name = "COLUMNS", help_heading = "Looks")]
    pub width: Option<NonZeroU16>,

    /// Colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Looks"
    )]
    pub color: Color,
}

/// Formats of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Terminal,
    /// One document
    Json,
    /// One incident a line, as they are found
    Ndjson,
    /// For issues and reports
    Markdown,
    /// The document as YAML
    Yaml,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `whodunit watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// How to print each verdict
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: WatchOutput,

    /// One line a kill, and no notes on standard error
    #[arg(short, long)]
    pub quiet: bool,

    /// Nothing folded: the whole task table, every statistic
    #[arg(long)]
    pub all: bool,

    /// Also tell the OOM kills that the kernel's log holds from before
    #[arg(long, conflicts_with = "resume")]
    pub from_boot: bool,

    /// Go on in the kernel's log where the last run stopped
    #[arg(long)]
    pub resume: bool,

    /// Do not use eBPF: OOM kills only, senders of other signals are not seen
    #[arg(long)]
    pub no_ebpf: bool,

    /// Only kills in this pod: its uid, or part of uid or name
    #[arg(long, value_name = "POD", value_parser = NonEmptyStringValueParser::new(), help_heading = "Which kills")]
    pub pod: Option<String>,

    /// Only kills in this container: the beginning of its id, or its name
    #[arg(long, value_name = "CONTAINER", value_parser = NonEmptyStringValueParser::new(), help_heading = "Which kills")]
    pub container: Option<String>,

    /// Only kills of processes with this name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), help_heading = "Which kills")]
    pub comm: Option<String>,

    /// File that keeps the incidents; without it WHODUNIT_STORE, /var/lib/whodunit (root) or the user's state folder
    #[arg(long, value_name = "FILE", help_heading = "Keeping")]
    pub store: Option<PathBuf>,

    /// Keep nothing
    #[arg(long, conflicts_with = "store", help_heading = "Keeping")]
    pub no_store: bool,

    /// What to do with each.
    #[command(flatten)]
    pub hooks: HookArgs,

    /// For people.
    #[command(flatten)]
    pub page: PageArgs,
}

/// Where incidents are kept.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// File that keeps the incidents; without it WHODUNIT_STORE, /var/lib/whodunit (root) or the user's state folder
    #[arg(long, value_name = "FILE", help_heading = "Keeping")]
    pub store: Option<PathBuf>,
}

/// Which of the incidents that were kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which kills")]
pub struct ChoiceArgs {
    /// Leave out kills before this time: 2026-01-31, `2026-01-31 14:00`, RFC 3339, 2h, -30min, today, yesterday
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,

    /// Leave out kills at or after this time; a date means its first moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,

    /// Only kills by this killer: person, runtime, kernel-memcg-container ...; may be given several times
    #[arg(long, value_name = "KILLER", value_parser = asking::killer)]
    pub killer: Vec<Killer>,

    /// Only kills in this pod: its uid, or part of uid or name
    #[arg(long, value_name = "POD", value_parser = NonEmptyStringValueParser::new())]
    pub pod: Option<String>,

    /// Only kills in pods of this namespace
    #[arg(short, long, value_name = "NAMESPACE", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,

    /// Only kills in this container: the beginning of its id, or its name
    #[arg(long, value_name = "CONTAINER", value_parser = NonEmptyStringValueParser::new())]
    pub container: Option<String>,

    /// Only kills of processes with this name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub comm: Option<String>,

    /// Only kills on this machine
    #[arg(long, value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub node: Option<String>,
}

/// `whodunit incidents`
#[derive(Debug, Args)]
pub struct IncidentsArgs {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: ListOutput,

    /// At most so many, the latest
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: u32,

    /// Nothing cut
    #[arg(long)]
    pub all: bool,

    /// Which.
    #[command(flatten)]
    pub choice: ChoiceArgs,

    /// Where they are.
    #[command(flatten)]
    pub keeping: StoreArgs,
}

/// Formats of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ListOutput {
    /// For people
    #[default]
    Table,
    /// One document, with the incidents whole
    Json,
    /// One incident a line, whole
    Ndjson,
}

/// `whodunit incident`
#[derive(Debug, Args)]
pub struct IncidentArgs {
    /// Its id, or the beginning of it
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,

    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,

    /// Nothing folded, and the raw facts
    #[arg(long)]
    pub all: bool,

    /// For people.
    #[command(flatten)]
    pub page: PageArgs,

    /// Where it is.
    #[command(flatten)]
    pub keeping: StoreArgs,
}

/// `whodunit suspects`
#[derive(Debug, Args)]
pub struct SuspectsArgs {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: CountOutput,

    /// Length of the steps over time
    #[arg(long, value_enum, default_value_t, value_name = "STEP")]
    pub by: Step,

    /// Which.
    #[command(flatten)]
    pub choice: ChoiceArgs,

    /// Where they are.
    #[command(flatten)]
    pub keeping: StoreArgs,
}

/// Formats of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CountOutput {
    /// For people
    #[default]
    Table,
    /// One document
    Json,
}

/// Steps of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Step {
    /// Hours of the clock
    Hour,
    /// Days of the calendar
    #[default]
    Day,
}

/// `whodunit completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `whodunit man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Page of a subcommand
    pub command: Option<String>,

    /// Write all pages into this directory instead
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "command")]
    pub directory: Option<PathBuf>,
}
