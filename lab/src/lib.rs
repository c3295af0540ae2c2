//! Provokes real OOM kills, on this machine and on other kernels in virtual machines, and knows the truth about each.
//!
//! A [`scenario`] says who does what in which cgroup and how it must end; [`script`] turns it into a shell script
//! that stages it, on any machine and with either cgroup version; [`machine`] runs that here and [`vm`] in qemu on a
//! kernel that [`kernel`] fetched; [`transcript`] takes the kernel's records apart from the script's own words; and
//! [`truth`] joins both into what a reader of the log has to find out. Nothing here reads a kernel report: the truth
//! is what was set up, never what was logged. The [`lineup`] provokes every kind of death, kernel's or not, while the
//! program watches, and holds its verdicts against what was provoked.

pub mod cgroup;
pub mod demo;
pub mod fixtures;
pub mod hog;
pub mod kernel;
pub mod lineup;
pub mod machine;
pub mod packages;
pub mod program;
pub mod scenario;
pub mod script;
pub mod transcript;
pub mod truth;
pub mod vm;

/// Whether what can't be staged is a failure (`WHODUNIT_REQUIRE_LAB=1`, as in CI) rather than something to tell of.
#[must_use]
pub fn required() -> bool {
    std::env::var_os("WHODUNIT_REQUIRE_LAB").is_some_and(|value| value == "1")
}

/// What staging came to.
pub type Result<T> = anyhow::Result<T>;
