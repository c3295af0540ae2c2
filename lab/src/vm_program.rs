//! Runs one program of the workspace in a virtual machine: linked statically, in an initramfs with busybox, on a given
//! kernel with cgroup v2. What it prints, and how it ended, comes back. The program decides what it does there.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::Result;
use crate::packages;

/// An emulated processor starts a kernel in about five seconds.
const LONGEST: Duration = Duration::from_secs(240);
/// See `hog::build`.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Stands before the exit status on the last line.
const ENDED: &str = "@@ENDED ";

/// What the program left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status.
    pub status: i32,
    /// What it printed, both streams.
    pub said: String,
}

/// Builds the tests `test` of `package`, statically and without its default features, and gives the program's path.
pub fn build_test(package: &str, test: &str) -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace above lab/")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built = Command::new(cargo)
        .current_dir(workspace)
        .args(["test", "--quiet", "--no-run", "--no-default-features"])
        .args(["--message-format", "json", "-p", package, "--test", test])
        .args(["--target", TARGET, "--target-dir"])
        .arg(workspace.join("target/lab-static"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .stderr(Stdio::inherit())
        .output()
        .context("cargo, to build the tests")?;
    if !built.status.success() {
        bail!("cargo could not build the tests {test} of {package}");
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        if message.pointer("/target/name")?.as_str()? != test {
            return None;
        }
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.with_context(|| format!("cargo named no program for the tests {test} of {package}"))
}

/// Starts `vmlinuz`, runs the program at `program` with `arguments` as root, and waits for the machine to stop.
pub fn run(vmlinuz: &Path, program: &Path, arguments: &[&str]) -> Result<Ended> {
    let directory = tempfile::Builder::new().prefix("whodunit-lab-").tempdir()?;
    let initrd = initramfs(directory.path(), program, arguments)?;
    let console = directory.path().join("console");
    let words = directory.path().join("words");
    let mut machine = Command::new("qemu-system-x86_64")
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-m",
            "512",
            "-smp",
            "2",
        ])
        .args(["-nodefaults", "-display", "none", "-no-reboot"])
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .arg("-serial")
        .arg(format!("file:{}", words.display()))
        .arg("-kernel")
        .arg(vmlinuz)
        .arg("-initrd")
        .arg(&initrd)
        .args([
            "-append",
            "console=ttyS0 loglevel=1 panic=-1 log_buf_len=4M random.trust_cpu=on",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("qemu")?;
    let end = Instant::now() + LONGEST;
    while machine.try_wait()?.is_none() {
        if Instant::now() > end {
            machine.kill()?;
            machine.wait()?;
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = |file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
    let said = read(&words);
    match ended(&said) {
        Some(ended) => Ok(ended),
        None => bail!(
            "the program did not end; its words:\n{said}\nthe console:\n{}",
            read(&console)
        ),
    }
}

fn ended(said: &str) -> Option<Ended> {
    let at = said.rfind(ENDED)?;
    let (said, last) = said.split_at_checked(at)?;
    let status = last.strip_prefix(ENDED)?.trim().parse().ok()?;
    Some(Ended {
        status,
        said: said.to_owned(),
    })
}

fn initramfs(directory: &Path, program: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let root = directory.join("root");
    for made in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(made))?;
    }
    let busybox = packages::find("busybox").context("no busybox")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    fs::copy(program, root.join("bin/program")).with_context(|| program.display().to_string())?;
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| format!("'{}'", argument.replace('\'', r"'\''")))
        .collect();
    let init = format!(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         export PATH=/bin RUST_BACKTRACE=0 WHODUNIT_REQUIRE_LAB=1\n\
         mount -t proc proc /proc\nmount -t sysfs sys /sys\nmount -t devtmpfs dev /dev\nmount -t tmpfs tmp /tmp\n\
         mount -t cgroup2 cgroup /sys/fs/cgroup\n\
         stty -F /dev/ttyS1 raw\n\
         {{ /bin/program {} 2>&1; echo \"{ENDED}$?\"; }} > /dev/ttyS1\n\
         sleep 0.2\n\
         reboot -f\n",
        arguments.join(" ")
    );
    let init_path = root.join("init");
    fs::write(&init_path, init)?;
    for executable in ["init", "bin/busybox", "bin/program"] {
        fs::set_permissions(root.join(executable), fs::Permissions::from_mode(0o755))?;
    }
    let packed = directory.join("initrd");
    let mut cpio = Command::new("cpio")
        .current_dir(&root)
        .args(["--quiet", "-o", "-H", "newc"])
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&packed)?)
        .spawn()
        .context("cpio")?;
    let names = "bin\nbin/busybox\nbin/program\ndev\netc\nproc\nsys\ntmp\ninit\n";
    cpio.stdin
        .take()
        .context("cpio took no names")?
        .write_all(names.as_bytes())?;
    if !cpio.wait()?.success() {
        bail!("cpio failed");
    }
    Ok(packed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_line_tells_how_it_ended() {
        let ended = ended("test result: ok\n@@ENDED 0\n").unwrap();
        assert_eq!(
            (ended.status, ended.said.as_str()),
            (0, "test result: ok\n")
        );
        assert_eq!(super::ended("Kernel panic"), None);
    }
}
