//! Any bytes as a log, scanned in three ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| whodunit_fuzz::scan::holds(bytes));
