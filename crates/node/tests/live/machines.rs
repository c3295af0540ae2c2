//! The same tests on other kernels, where memory is controlled by cgroup v2: this program in virtual machines.

use whodunit_lab::kernel::{SUITES, vmlinuz};
use whodunit_lab::{packages, vm};

/// In the machines all tests but this one.
const ARGUMENTS: &str = "--test-threads 1 --nocapture --skip machines::";

#[test]
fn cgroups_and_the_log_are_followed_on_every_kernel_of_the_lab() {
    if let Err(why) = packages::ensure() {
        assert!(!whodunit_lab::required(), "{why:#}");
        eprintln!("\n*** NOT TESTED: other kernels: {why:#}\n");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let variables = "RUST_BACKTRACE=0 WHODUNIT_REQUIRE_LAB=1";
    for suite in SUITES.into_iter().filter(|suite| !suite.fixtures_only) {
        let image = vmlinuz(suite).unwrap();
        // Fails when the tests do not end with status 0.
        let run = vm::run_program(&image, &program, variables, ARGUMENTS)
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
