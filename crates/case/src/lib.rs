//! The domain: what an incident is, who can be the killer, how the evidence is judged, what is found and
//! what to do about it. Pure: values in, values out; no IO, no clock, no formatting for a terminal or a page.
//! Imports `oom-report` only.

pub mod cgroup_path;
pub mod incident;
