//! The line-up, in short: every kind of death is provoked while the program watches, here and on other kernels, and each
//! must be told as what it was. Where it can't be staged the test says why, and fails when `WHODUNIT_REQUIRE_LAB=1`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use whodunit_lab::lineup::{self, Order, Place, matrix};
use whodunit_lab::program;

/// Stages `runs` of each kind; whoever is told wrongly fails the test.
fn line_up(place: &str, runs: usize, bystanders: usize) {
    let test = std::env::current_exe().unwrap();
    let order = Order {
        runs,
        bystanders,
        kinds: Vec::new(),
        whodunit: program::whodunit(test.ancestors().nth(3).unwrap()).unwrap(),
        record: None,
    };
    let required = whodunit_lab::required();
    let outcome = Place::of(place).and_then(|place| lineup::run(place, &order));
    match outcome {
        Ok(outcome) => {
            let report = matrix::print(&outcome);
            assert!(outcome.failures.is_empty(), "{report}");
            assert!(!required || outcome.not_staged.is_empty(), "{report}");
            if !outcome.not_staged.is_empty() {
                eprintln!("\n*** NOT ALL TESTED:\n{report}");
            }
        }
        Err(why) if required => panic!("the line-up on {place} could not be staged: {why:#}"),
        Err(why) => {
            eprintln!("\n*** NOT TESTED: the line-up on {place} could not be staged: {why:#}\n");
        }
    }
}

#[test]
fn line_up_on_this_machine() {
    line_up("here", 3, 1000);
}

#[test]
fn line_up_on_kernel_5_10() {
    line_up("5.10", 1, 100);
}

#[test]
fn line_up_on_kernel_6_1() {
    line_up("6.1", 1, 100);
}

#[test]
fn line_up_on_kernel_6_12() {
    line_up("6.12", 1, 100);
}
