//! Any bytes as a log, explained in every format.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| whodunit_fuzz::explain::holds(bytes));
