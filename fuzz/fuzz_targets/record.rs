//! Any bytes as a record of the eBPF programs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| whodunit_fuzz::record::holds(bytes));
