//! Live evidence against the real thing: kills provoked in cgroups of this machine, followed as they happen. The same
//! program runs in the lab's virtual machines, where memory is controlled by cgroup v2. A test that can't run says
//! why, and fails when `WHODUNIT_REQUIRE_LAB=1`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

mod cgroups;
mod followed_log;
mod machines;
mod processes;
mod stage;
