//! The live evidence of whodunit-node on other kernels, where memory is controlled by cgroup v2: its own tests, run in
//! virtual machines. A test that can't run says why, and fails when `WHODUNIT_REQUIRE_LAB=1`.
#![allow(clippy::unwrap_used)]

use whodunit_lab::kernel::{SUITES, vmlinuz};
use whodunit_lab::{packages, static_program, vm};

#[test]
fn cgroups_and_the_log_are_followed_on_every_kernel_of_the_lab() {
    if let Err(why) = packages::ensure() {
        assert!(!whodunit_lab::required(), "{why:#}");
        eprintln!("not tested: {why:#}");
        return;
    }
    let program = static_program::integration_test("whodunit-node", "live").unwrap();
    let variables = "RUST_BACKTRACE=0 WHODUNIT_REQUIRE_LAB=1";
    for suite in SUITES.into_iter().filter(|suite| !suite.fixtures_only) {
        let image = vmlinuz(suite).unwrap();
        // Fails when the tests do not end with status 0.
        let run = vm::run_program(&image, &program, variables, "--test-threads 1 --nocapture")
            .unwrap_or_else(|why| panic!("kernel {}: {why:#}", suite.kernel));
        let said = String::from_utf8_lossy(&run.transcript);
        eprintln!("kernel {}:\n{said}", suite.kernel);
        assert!(
            said.contains("test result: ok"),
            "kernel {}:\n{said}",
            suite.kernel
        );
    }
}
