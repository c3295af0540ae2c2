//! The program as a service, for real: it watches this machine, processes are killed, and what it logs, counts, stores
//! and hands to hooks is held to what was done. Needs root and eBPF; a test that cannot be staged says so loudly, and
//! fails when `WHODUNIT_REQUIRE_LAB=1`. Other processes of the machine may be killed meanwhile: each test looks at its
//! own victims only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

mod hooks;
mod http;
mod pages;
mod service;
mod slow_reader;
mod stage;
mod systemd;
