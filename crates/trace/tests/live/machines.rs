//! The same tests on other kernels: this program in virtual machines.

use libtest_mimic::Trial;
use whodunit_lab::kernel::{SUITES, Suite, vmlinuz};
use whodunit_lab::{packages, vm};

use crate::INSIDE;

/// One for each kernel of the lab. The newest, which changes often, runs when it is asked for: `-- --ignored`.
pub(crate) fn trials() -> Vec<Trial> {
    SUITES
        .into_iter()
        .map(|suite| {
            let name = format!("kernel_{}", suite.kernel.replace('.', "_"));
            Trial::test(name, move || {
                on(suite);
                Ok(())
            })
            .with_ignored_flag(suite.fixtures_only)
        })
        .collect()
}

fn on(suite: Suite) {
    let staged = packages::ensure().and_then(|()| Ok((vmlinuz(suite)?, std::env::current_exe()?)));
    let (kernel, program) = match staged {
        Ok(staged) => staged,
        Err(why) if whodunit_lab::required() => {
            panic!("kernel {} could not be staged: {why:#}", suite.kernel)
        }
        Err(why) => {
            eprintln!("\n*** NOT TESTED: kernel {}: {why:#}\n", suite.kernel);
            return;
        }
    };
    let arguments = "--test-threads 1 --nocapture";
    // What can't be staged there is a defect of the lab.
    let inside = format!("WHODUNIT_REQUIRE_LAB=1 {INSIDE}=1");
    let run = vm::run_program(&kernel, &program, &inside, arguments)
        .unwrap_or_else(|why| panic!("kernel {}: {why:#}", suite.kernel));
    assert!(
        suite.fixtures_only
            || run
                .kernel_release
                .starts_with(&format!("{}.", suite.kernel)),
        "{}",
        run.kernel_release
    );
    println!("{}", String::from_utf8_lossy(&run.transcript));
}
