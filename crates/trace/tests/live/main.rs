//! The tracer against real kills, on this machine and on other kernels in virtual machines: each test provokes a kill
//! and holds the facts to what it did itself and what /proc said before. A test that can't run says why, and fails
//! when `WHODUNIT_REQUIRE_LAB=1`.
//!
//! The program is also the cast (`live actor ...`), and what the virtual machines run.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod actor;
mod cgroups;
mod crowd;
mod decided;
mod machines;
mod scene;
mod sent;
mod truth;

use libtest_mimic::{Arguments, Trial};

use scene::Check;

/// Set inside a virtual machine: no further machines are started there.
const INSIDE: &str = "WHODUNIT_LIVE_INSIDE";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "actor") {
        actor::play(&words[1..]);
    }
    let mut trials: Vec<Trial> = [sent::CHECKS, decided::CHECKS, crowd::CHECKS]
        .concat()
        .into_iter()
        .map(|(name, check): (&str, Check)| {
            Trial::test(name, move || {
                scene::live(name, check);
                Ok(())
            })
        })
        .collect();
    if std::env::var_os(INSIDE).is_none() {
        trials.extend(machines::trials());
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    scene::clear();
    conclusion.exit();
}
