//! Installs the Debian packages that virtual machines and the line-up need, where they are missing and this is root.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::Result;

/// Programs and the packages that hold them.
const NEEDED: [(&str, &str); 3] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
];

/// Those that end processes in the line-up, or let a person do it.
const PEERS: [(&str, &str); 9] = [
    ("runc", "runc"),
    ("containerd", "containerd"),
    ("earlyoom", "earlyoom"),
    ("sudo", "sudo"),
    ("script", "bsdutils"),
    ("nsenter", "util-linux"),
    ("busybox", "busybox-static"),
    ("bash", "bash"),
    ("/lib/systemd/systemd-oomd", "systemd-oomd"),
];

/// Makes sure that virtual machines can be started. The busybox has to be the static one.
pub fn ensure() -> Result<()> {
    ensure_all(&NEEDED)
}

/// Makes sure that the runtimes and daemons of the line-up are there.
pub fn ensure_peers() -> Result<()> {
    ensure_all(&PEERS)
}

fn ensure_all(needed: &[(&str, &'static str)]) -> Result<()> {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(program, _)| match find(program) {
            Some(path) if *program == "busybox" => !is_static(&path),
            found => found.is_none(),
        })
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "missing packages: {} (root could install them)",
            missing.join(" ")
        );
    }
    eprintln!("lab: installing {}", missing.join(" "));
    apt_get(&["update"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing);
    apt_get(&arguments)
}

/// First directory of PATH that holds `program`; a program with its path is where it says.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let done = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=120"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::process::Stdio::null())
        .status()
        .context("apt-get")?;
    if !done.success() {
        bail!("apt-get {} failed", arguments.join(" "));
    }
    Ok(())
}

/// A dynamically linked program names its loader in its first page.
fn is_static(program: &Path) -> bool {
    let Ok(program) = fs::canonicalize(program).and_then(File::open) else {
        return false;
    };
    let mut head = Vec::new();
    let read = program.take(4096).read_to_end(&mut head);
    read.is_ok() && !head.windows(8).any(|bytes| bytes == b"ld-linux")
}
