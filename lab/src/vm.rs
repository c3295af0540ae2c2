//! Runs a script in a virtual machine: an initramfs of busybox, the hog and the script, started by qemu on a given
//! kernel. What the script prints comes back through the second serial port, so that the console cannot mix with it.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::Result;
use crate::cgroup::CgroupVersion;
use crate::packages;
use crate::scenario::{Boot, Scenario};
use crate::script::{Stage, script};

/// How long a machine may say nothing before it counts as hung. An emulated processor starts a kernel in about five
/// seconds, and several times that beside a compiler; a script speaks at each of its steps.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);

/// A machine that said nothing for too long, and was ended.
#[derive(Debug)]
pub struct Hung {
    /// The last of what its kernel printed.
    pub console: String,
    /// The last of what its script said.
    pub words: String,
}

impl fmt::Display for Hung {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "the machine said nothing for {} s; its console:\n{}\nits words:\n{}",
            LONGEST_SILENCE.as_secs(),
            self.console,
            self.words
        )
    }
}

impl std::error::Error for Hung {}

/// Before the exit status of a program, in a machine's words.
const STATUS: &str = "@@STATUS ";

/// A terminal multiplexer.
const TERMINALS: &str = "mkdir -p /dev/pts\nmount -t devpts -o ptmxmode=0666 devpts /dev/pts\n";
/// The stage without anything around it.
const PLAY: &str = "/bin/sh /play\n";

/// What a machine left.
#[derive(Debug)]
pub struct Run {
    /// `uname -r`.
    pub kernel_release: String,
    /// What the script printed.
    pub transcript: Vec<u8>,
    /// What the kernel wrote to its console.
    pub console: Vec<u8>,
}

/// Starts `vmlinuz`, stages `scenarios` (all of one [`Boot`]) and waits for the machine to stop.
pub fn run(vmlinuz: &Path, hog: &Path, boot: Boot, scenarios: &[Scenario]) -> Result<Run> {
    let directory = tempfile::Builder::new().prefix("whodunit-lab-").tempdir()?;
    let stage = Stage {
        version: CgroupVersion::V2,
        hierarchy: Path::new("/sys/fs/cgroup"),
        hog: Path::new("/bin/hog"),
        scratch: Path::new("/tmp"),
        with_cpuset: boot == Boot::Numa,
    };
    let panic_on_oom = if boot == Boot::Panic {
        "echo 1 > /proc/sys/vm/panic_on_oom\n"
    } else {
        ""
    };
    let content = Content {
        programs: &[("hog", hog.to_owned())],
        prepare: &format!(
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled\n{panic_on_oom}"
        ),
        files: &[],
        last: PLAY,
        stage: &script(&stage, scenarios),
    };
    let initrd = initramfs(directory.path(), &content)?;
    boot_machine(directory.path(), vmlinuz, &initrd, boot)
}

/// Starts `vmlinuz`, runs `program` there with `variables` and `arguments` (words of a shell), and waits for the machine
/// to stop. Fails when the program does not end with status 0. It finds /proc, /sys, /dev, a terminal multiplexer, an
/// empty /tmp and the unified cgroup hierarchy.
pub fn run_program(
    vmlinuz: &Path,
    program: &Path,
    variables: &str,
    arguments: &str,
) -> Result<Run> {
    let directory = tempfile::Builder::new().prefix("whodunit-lab-").tempdir()?;
    let content = Content {
        programs: &[("program", program.to_owned())],
        prepare: TERMINALS,
        files: &[],
        last: PLAY,
        stage: &format!("{variables} /bin/program {arguments} 2>&1\necho \"{STATUS}$?\"\n"),
    };
    let initrd = initramfs(directory.path(), &content)?;
    let mut run = boot_machine(directory.path(), vmlinuz, &initrd, Boot::Memcg)?;
    let words = String::from_utf8_lossy(&run.transcript).into_owned();
    let Some((said, status)) = words.rsplit_once(STATUS) else {
        bail!(
            "the program did not end; it said:\n{words}\nthe console:\n{}",
            tail(&run.console)
        );
    };
    if status.trim() != "0" {
        bail!("the program ended with status {}:\n{said}", status.trim());
    }
    run.transcript = said.as_bytes().to_vec();
    Ok(run)
}

/// Starts `vmlinuz`, runs a shell script there and waits for the machine to stop. The programs are in its /bin; it finds
/// what [`run_program`] gives.
pub fn run_script(vmlinuz: &Path, programs: &[(&str, PathBuf)], script: &str) -> Result<Run> {
    run_content(
        vmlinuz,
        &Content {
            programs,
            prepare: TERMINALS,
            files: &[],
            last: PLAY,
            stage: script,
        },
    )
}

/// The same under this machine's systemd as the first process, with these unit files (name and text); they have to include
/// a `default.target`.
pub fn run_script_under_systemd(
    vmlinuz: &Path,
    programs: &[(&str, PathBuf)],
    units: &[(String, String)],
    script: &str,
) -> Result<Run> {
    let mut programs = programs.to_vec();
    programs.push(("lib/systemd/systemd", "/lib/systemd/systemd".into()));
    let mut files = vec![
        ("etc/machine-id".to_owned(), String::new()),
        ("etc/passwd".to_owned(), "root:x:0:0:root:/:/bin/sh\n".to_owned()),
        ("etc/group".to_owned(), "root:x:0:\n".to_owned()),
        (
            "etc/systemd/system/play.service".to_owned(),
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nEnvironment=PATH=/bin\nExecStart=/bin/sh /play\n"
                .to_owned(),
        ),
    ];
    for (name, text) in units {
        files.push((format!("etc/systemd/{name}"), text.clone()));
    }
    run_content(
        vmlinuz,
        &Content {
            programs: &programs,
            prepare: TERMINALS,
            files: &files,
            last: "exec /lib/systemd/systemd\n",
            stage: script,
        },
    )
}

fn run_content(vmlinuz: &Path, content: &Content<'_>) -> Result<Run> {
    let directory = tempfile::Builder::new().prefix("whodunit-lab-").tempdir()?;
    let initrd = initramfs(directory.path(), content)?;
    boot_machine(directory.path(), vmlinuz, &initrd, Boot::Machine)
}

/// Starts a machine and waits for its end.
fn boot_machine(directory: &Path, vmlinuz: &Path, initrd: &Path, boot: Boot) -> Result<Run> {
    let console = directory.join("console");
    let words = directory.join("words");
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
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
    .arg(initrd);
    if boot == Boot::Numa {
        for node in ["0", "1"] {
            qemu.arg("-object")
                .arg(format!("memory-backend-ram,id=m{node},size=256M"));
            qemu.arg("-numa")
                .arg(format!("node,nodeid={node},memdev=m{node},cpus={node}"));
        }
    }
    // The panic is read from the console, everything else from /dev/kmsg.
    let loglevel = if boot == Boot::Panic { 7 } else { 1 };
    qemu.arg("-append").arg(format!(
        "console=ttyS0 loglevel={loglevel} panic=-1 psi=1 log_buf_len=4M printk.devkmsg=on random.trust_cpu=on"
    ));
    let mut machine = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("qemu")?;
    // Not the console: a kernel that is stuck goes on complaining there.
    let said = || fs::metadata(&words).map_or(0, |metadata| metadata.len());
    let mut last = (said(), Instant::now());
    let status = loop {
        if let Some(status) = machine.try_wait()? {
            break status;
        }
        let now = said();
        if now != last.0 {
            last = (now, Instant::now());
        }
        if last.1.elapsed() > LONGEST_SILENCE {
            machine.kill()?;
            machine.wait()?;
            return Err(Hung {
                console: tail(&fs::read(&console)?),
                words: tail(&fs::read(&words)?),
            }
            .into());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let console = fs::read(&console).unwrap_or_default();
    let transcript = fs::read(&words).unwrap_or_default();
    if !status.success() {
        let mut said = String::new();
        if let Some(mut stderr) = machine.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut said)?;
        }
        bail!("qemu ended with {status}: {said}");
    }
    let (kernel_release, transcript) = split_release(&transcript)
        .with_context(|| format!("the machine said nothing; its console:\n{}", tail(&console)))?;
    Ok(Run {
        kernel_release,
        transcript: transcript.to_vec(),
        console,
    })
}

/// The first line of a machine's words is its kernel's release.
fn split_release(words: &[u8]) -> Option<(String, &[u8])> {
    let end = words.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = words.split_at_checked(end + 1)?;
    let release = std::str::from_utf8(line)
        .ok()?
        .strip_prefix("@@RELEASE ")?
        .trim();
    Some((release.to_owned(), rest))
}

fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(3000);
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
}

/// What a machine is to run.
struct Content<'a> {
    /// Their names in /bin (or a path from the root without its slash), and where they are now. What they are linked with
    /// comes along.
    programs: &'a [(&'a str, PathBuf)],
    /// Further files: path from the root without its slash, and text.
    files: &'a [(String, String)],
    /// What the first process does in the end; runs `/bin/sh /play` somehow.
    last: &'a str,
    /// Lines of the init script, before the stage.
    prepare: &'a str,
    /// The script whose words come back.
    stage: &'a str,
}

fn initramfs(directory: &Path, content: &Content<'_>) -> Result<std::path::PathBuf> {
    let root = directory.join("root");
    for made in ["bin", "dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(made))?;
    }
    let busybox = packages::find("busybox").context("no busybox")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    let mut files = vec!["bin/busybox".to_owned()];
    for (name, program) in content.programs {
        let inside = match name.contains('/') {
            true => (*name).to_owned(),
            false => format!("bin/{name}"),
        };
        put(&root, &inside, program)?;
        files.push(inside);
        for library in libraries(program)? {
            put(
                &root,
                library.to_string_lossy().trim_start_matches('/'),
                &library,
            )?;
        }
    }
    for (inside, text) in content.files {
        let file = root.join(inside);
        fs::create_dir_all(file.parent().unwrap_or(&root))?;
        fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    fs::write(root.join("stage"), content.stage)?;
    let (prepare, last) = (content.prepare, content.last);
    let init = format!(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         export PATH=/bin\n\
         mount -t proc proc /proc\nmount -t sysfs sys /sys\nmount -t devtmpfs dev /dev\nmount -t tmpfs tmp /tmp\n\
         mount -t cgroup2 cgroup /sys/fs/cgroup\n\
         {prepare}\
         {last}"
    );
    fs::write(
        root.join("play"),
        "stty -F /dev/ttyS1 raw\n\
         { echo \"@@RELEASE $(uname -r)\"; sh /stage; } > /dev/ttyS1\n\
         sleep 0.2\n\
         reboot -f\n",
    )?;
    let init_path = root.join("init");
    fs::write(&init_path, init)?;
    for program in files.iter().map(|file| root.join(file)).chain([init_path]) {
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    }
    let packed = directory.join("initrd");
    let mut cpio = Command::new("cpio")
        .current_dir(&root)
        .args(["--quiet", "-o", "-H", "newc"])
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&packed)?)
        .spawn()
        .context("cpio")?;
    let mut names = String::new();
    list(&root, "", &mut names)?;
    cpio.stdin
        .take()
        .context("cpio took no names")?
        .write_all(names.as_bytes())?;
    if !cpio.wait()?.success() {
        bail!("cpio failed");
    }
    Ok(packed)
}

/// Copies a file to a path below `root`.
fn put(root: &Path, inside: &str, from: &Path) -> Result<()> {
    let to = root.join(inside);
    fs::create_dir_all(to.parent().unwrap_or(root))?;
    fs::copy(from, &to).with_context(|| from.display().to_string())?;
    Ok(())
}

/// What a program is linked with, its loader included, as `ldd` tells; nothing for a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let told = Command::new("ldd").arg(program).output().context("ldd")?;
    Ok(libraries_in(&String::from_utf8_lossy(&told.stdout)))
}

fn libraries_in(told: &str) -> Vec<PathBuf> {
    told.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

/// Names of everything below `directory`, folders before what is in them, as cpio wants them.
fn list(root: &Path, directory: &str, names: &mut String) -> Result<()> {
    for entry in fs::read_dir(root.join(directory))? {
        let entry = entry?;
        let file_name = entry.file_name();
        let name = file_name.to_str().context("a name that is not UTF-8")?;
        let name = match directory {
            "" => name.to_owned(),
            above => format!("{above}/{name}"),
        };
        names.push_str(&name);
        names.push('\n');
        if entry.file_type()?.is_dir() {
            list(root, &name, names)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_with_a_path() {
        let told = "\tlinux-vdso.so.1 (0x00007f88)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f88)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f88)\n";
        assert_eq!(
            libraries_in(told),
            [
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/lib64/ld-linux-x86-64.so.2"
            ]
            .map(PathBuf::from)
        );
        assert!(libraries_in("\tstatically linked\n").is_empty());
    }
}
