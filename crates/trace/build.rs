//! Compiles `bpf/whodunit.bpf.c` with clang for the BPF machine.

use std::path::Path;
use std::process::{Command, exit};

/// What to do when it can't be compiled.
const PACKAGES: &str = "clang and libbpf-dev (Debian, Ubuntu: apt-get install clang libbpf-dev)";

fn main() {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    let variable = |name: &str| {
        std::env::var(name).unwrap_or_else(|error| fail(&format!("{name} from cargo: {error}")))
    };
    let object = Path::new(&variable("OUT_DIR")).join("whodunit.bpf.o");
    let byte_order = match variable("CARGO_CFG_TARGET_ENDIAN").as_str() {
        "big" => "bpfeb",
        _ => "bpfel",
    };
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let compiled = Command::new(&clang)
        .args(["-target", byte_order, "-g", "-O2", "-Wall", "-Werror"])
        // The object goes into the program: no path of the machine that built it.
        .args([
            "-fdebug-compilation-dir=.",
            "-fdebug-prefix-map=/usr/include=",
        ])
        .args(["-c", "bpf/whodunit.bpf.c", "-o"])
        .arg(&object)
        .output();
    match compiled {
        Ok(done) if done.status.success() => {}
        Ok(done) => fail(&format!(
            "{clang} could not compile bpf/whodunit.bpf.c ({}); it needs {PACKAGES}:\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        )),
        Err(error) => fail(&format!(
            "{clang} can't be run ({error}); this needs {PACKAGES}, or CLANG set to another clang"
        )),
    }
}

fn fail(why: &str) -> ! {
    for line in why.lines() {
        println!("cargo::error={line}");
    }
    exit(1)
}
