//! The live evidence of whodunit-node on other kernels, where memory is controlled by cgroup v2: its own tests, run in
//! virtual machines. A test that can't run says why, and fails when `WHODUNIT_REQUIRE_LAB=1`.
#![allow(clippy::unwrap_used)]

use whodunit_lab::kernel::{SUITES, vmlinuz};
use whodunit_lab::{packages, vm_program};

#[test]
fn cgroups_and_the_log_are_followed_on_every_kernel_of_the_lab() {
    if let Err(why) = packages::ensure() {
        assert!(
            std::env::var_os("WHODUNIT_REQUIRE_LAB").is_none_or(|set| set != "1"),
            "{why:#}"
        );
        eprintln!("not tested: {why:#}");
        return;
    }
    let program = vm_program::build_test("whodunit-node", "live").unwrap();
    for suite in SUITES.into_iter().filter(|suite| !suite.fixtures_only) {
        let image = vmlinuz(suite).unwrap();
        let ended =
            vm_program::run(&image, &program, &["--test-threads", "1", "--nocapture"]).unwrap();
        eprintln!("kernel {}:\n{}", suite.kernel, ended.said);
        assert_eq!(ended.status, 0, "kernel {}:\n{}", suite.kernel, ended.said);
        assert!(
            ended.said.contains("test result: ok"),
            "kernel {}:\n{}",
            suite.kernel,
            ended.said
        );
    }
}
