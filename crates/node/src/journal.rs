//! systemd's journal, through `journalctl`: the kernel's records of all boots in the journal export format.
//! Does not read the binary format itself, and no record.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// Which journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// This machine's.
    System,
    /// A directory of `*.journal` files.
    Directory(PathBuf),
    /// One file.
    File(PathBuf),
}

/// Fields asked for; journalctl adds the `__` fields by itself. `_TRANSPORT` and the other fields with an underscore
/// are set by journald and cannot be forged by a client (systemd.journal-fields(7)).
const FIELDS: &str = "MESSAGE,PRIORITY,SYSLOG_FACILITY,SYSLOG_IDENTIFIER,_TRANSPORT,_BOOT_ID,_HOSTNAME,\
                      _SOURCE_MONOTONIC_TIMESTAMP,_SOURCE_BOOTTIME_TIMESTAMP,_SOURCE_REALTIME_TIMESTAMP";

/// Starts journalctl. What its stream holds is the export format, kernel transport only.
pub fn open(place: &Where) -> io::Result<Export> {
    match Export::start(place, true)? {
        Started::Running(export) => Ok(export),
        // systemd before 236 (RHEL 7 has 219) has no --output-fields: all fields, then.
        Started::UnknownOption => match Export::start(place, false)? {
            Started::Running(export) => Ok(export),
            Started::UnknownOption => Err(io::Error::other("journalctl does not know its options")),
        },
    }
}

/// Whether there is a journalctl to ask.
pub fn is_available() -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join("journalctl").is_file())
    })
}

/// What to do when it does not work.
pub fn hint(error: &io::Error, place: &Where) -> String {
    let name = match place {
        Where::System => String::new(),
        Where::Directory(path) => format!(" --directory {}", path.display()),
        Where::File(path) => format!(" --file {}", path.display()),
    };
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "the binary journal is read through journalctl, which is not installed: on a machine that has it run \
             `journalctl{name} -o export _TRANSPORT=kernel > kernel.export` and hand that file over"
        ),
        io::ErrorKind::PermissionDenied => {
            "run it with sudo, or join group systemd-journal or adm".to_owned()
        }
        _ => format!("`journalctl{name} -o export _TRANSPORT=kernel` shows what is wrong"),
    }
}

enum Started {
    Running(Export),
    UnknownOption,
}

/// The export of a running journalctl. Ends with an error when journalctl does.
#[derive(Debug)]
pub struct Export {
    child: Child,
    stdout: ChildStdout,
    /// A byte read ahead, to see that it started.
    ahead: Option<u8>,
    complaint: Option<JoinHandle<String>>,
    ended: bool,
}

impl Export {
    /// Whether the journal has no record of the kernel at all.
    pub fn is_empty(&self) -> bool {
        self.ended && self.ahead.is_none()
    }

    fn start(place: &Where, choose_fields: bool) -> io::Result<Started> {
        let mut command = Command::new("journalctl");
        command.args(["--no-pager", "--quiet", "--output=export"]);
        if choose_fields {
            command.arg(format!("--output-fields={FIELDS}"));
        }
        match place {
            Where::System => {}
            Where::Directory(path) => {
                command.arg("--directory").arg(path);
            }
            Where::File(path) => {
                command.arg("--file").arg(without_wildcards(path));
            }
        }
        // Not `-k`: before systemd 254 that means this boot only.
        command.arg("_TRANSPORT=kernel");
        command.env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("journalctl has no output"));
        };
        let complaint = std::thread::spawn(move || {
            let mut text = Vec::new();
            // A full pipe would stop journalctl: all of it is read, its beginning is kept.
            let _ = stderr.by_ref().take(4096).read_to_end(&mut text);
            let _ = io::copy(&mut stderr, &mut io::sink());
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        let mut export = Self {
            child,
            stdout,
            ahead: None,
            complaint: Some(complaint),
            ended: false,
        };
        let mut first = [0];
        let nothing = export.stdout.read(&mut first)? == 0;
        if nothing {
            match export.end() {
                Ok(()) => {}
                Err(error)
                    if choose_fields && error.to_string().contains("unrecognized option") =>
                {
                    return Ok(Started::UnknownOption);
                }
                Err(error) => return Err(error),
            }
        } else {
            let [byte] = first;
            export.ahead = Some(byte);
        }
        Ok(Started::Running(export))
    }

    /// Waits for journalctl and tells what it complained of.
    fn end(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let status = self.child.wait()?;
        let complaint = self
            .complaint
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        let denied = complaint.contains("insufficient permissions")
            || complaint.contains("Permission denied");
        let kind = if denied {
            io::ErrorKind::PermissionDenied
        } else {
            io::ErrorKind::Other
        };
        match (status.success(), complaint.is_empty()) {
            (true, true) => Ok(()),
            // It says so, and exits with 0, when it may read no file, or one is damaged.
            (_, false) => Err(io::Error::new(kind, format!("journalctl: {complaint}"))),
            (false, true) => Err(io::Error::other(format!("journalctl failed: {status}"))),
        }
    }
}

impl Read for Export {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(first) = buffer.first_mut() else {
            return Ok(0);
        };
        if let Some(byte) = self.ahead.take() {
            *first = byte;
            return Ok(1);
        }
        if self.ended {
            return Ok(0);
        }
        let read = self.stdout.read(buffer)?;
        if read == 0 {
            self.end()?;
        }
        Ok(read)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// `--file` takes a wildcard pattern: the path's own special characters are escaped.
fn without_wildcards(path: &Path) -> OsString {
    let mut pattern = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    OsString::from_vec(pattern)
}
