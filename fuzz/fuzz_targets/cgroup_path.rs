//! Any text as the path of a cgroup.
#![no_main]

libfuzzer_sys::fuzz_target!(|path: &str| whodunit_fuzz::cgroup_path::holds(path));
