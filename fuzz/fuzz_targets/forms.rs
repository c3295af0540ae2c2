//! A damaged report of a real kernel.
#![no_main]

use whodunit_fuzz::forms::{Damage, holds};

libfuzzer_sys::fuzz_target!(|damage: Damage| holds(&damage));
