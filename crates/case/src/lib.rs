//! The domain: what an incident is, who can be the killer, how the evidence is judged, what is found and
//! what to do about it. Pure: values in, values out; no IO, no clock, no formatting for a terminal or a page.
//! Imports `oom-report` only.

pub mod assemble;
pub mod cgroup_path;
mod commands;
pub mod fact;
mod findings;
pub mod gather;
pub mod incident;
mod judge;
pub mod ledger;
pub mod live;
mod node_list;
mod ranking;
mod remedies;
pub mod role;
#[cfg(test)]
mod sample;
mod scene;
mod shell;
pub mod size;
pub mod usage;
