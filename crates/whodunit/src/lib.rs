//! The command line of whodunit: wiring only. What is read comes from `whodunit-node`, what it means from
//! `oom-report` and `whodunit-case`, how it looks from `whodunit-view`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod agent;
pub mod asking;
pub mod cli;
pub mod completions;
pub mod dating;
pub mod exit;
pub mod explain;
pub mod filter;
pub mod going_down;
pub mod held;
pub mod hooks;
pub mod incident;
pub mod incidents;
pub mod keeping;
pub mod man;
pub mod moment;
pub mod pipeline;
pub mod progress;
pub mod stakeout;
pub mod stopping;
pub mod suspects;
pub mod terminal;
pub mod vigil;
pub mod voice;
pub mod watch;
pub mod wiring;
