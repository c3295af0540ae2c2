//! Arguments of what runs unattended: hooks, and `whodunit agent`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::hooks::{Target, target};

/// What to do with each incident that is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Hooks")]
pub struct HookArgs {
    /// Run this for each incident, with its JSON on standard input; may be given several times
    ///
    /// `sh -c` runs it. Nothing of an incident becomes part of the command line; WHODUNIT_INCIDENT_ID and
    /// WHODUNIT_KILLER (a killer's code) are set. One run at a time, in a process group of its own, which is ended when
    /// it takes too long. Watching never waits for it: 1000 incidents wait at most, more are dropped, counted and said.
    /// Kills that a run itself sends or causes are not handed to hooks.
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub exec: Vec<String>,

    /// POST the JSON of each incident to this http or https address; may be given several times
    ///
    /// Tried up to four times within about ten seconds when there is no answer, or one of 408, 425, 429, 5xx.
    #[arg(long, value_name = "URL", value_parser = target)]
    pub webhook: Vec<Target>,

    /// Send the token in this file as `Authorization: Bearer`; read anew for each request
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub webhook_token_file: Option<PathBuf>,

    /// How long a command or a request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub hook_timeout: u32,
}

/// `whodunit agent`
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Address for /metrics, /healthz and /readyz; `none` for none
    ///
    /// The port holds 137, a killed container's exit code; the list of exporters' ports (9100 to 9999) is full.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:10137")]
    pub listen: Listen,

    /// Kills are counted by killer, namespace, pod and container in at most so many series; further ones as `other`
    #[arg(long, value_name = "N", default_value = "2000")]
    pub max_series: NonZeroU32,

    /// How to write the log, on standard error
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Log"
    )]
    pub log_format: LogFormat,

    /// error, warn, info, debug, trace, off, or by target: `info,h2=debug`; without it WHODUNIT_LOG, else `info`
    #[arg(long, value_name = "LEVEL", help_heading = "Log")]
    pub log_level: Option<String>,

    /// Begin with the oldest record that the kernel's log holds, not where the last run stopped
    #[arg(long)]
    pub from_boot: bool,

    /// Do not use eBPF: OOM kills only, senders of other signals are not seen
    #[arg(long)]
    pub no_ebpf: bool,

    /// File that keeps the incidents; without it WHODUNIT_STORE, systemd's STATE_DIRECTORY, /var/lib/whodunit (root)
    #[arg(long, value_name = "FILE", help_heading = "Keeping")]
    pub store: Option<PathBuf>,

    /// What to do with each.
    #[command(flatten)]
    pub hooks: HookArgs,
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Nowhere,
    /// Here.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Nowhere),
            text => text
                .parse()
                .map(Self::At)
                .map_err(|error| format!("{error}; IP:PORT, [IPv6]:PORT or `none` is expected")),
        }
    }
}

/// Formats of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// One line an event
    #[default]
    Text,
    /// One JSON object an event
    Json,
}
