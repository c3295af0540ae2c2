//! Why a source gives no bytes, in words that say what to do. Opens nothing but /etc/group.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Why a source gives no bytes.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no log: worth a line, not a failure.
    #[error("{name}: skipped: {why}")]
    Skipped {
        /// The source.
        name: String,
        /// What it is.
        why: String,
    },
    /// It could not be read.
    #[error("{name}: {}{}", in_words(error), hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
    Unreadable {
        /// The source.
        name: String,
        /// The system's reason.
        error: io::Error,
        /// What to do.
        hint: Option<String>,
    },
}

/// The system's reason without its number: `No such file or directory`.
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

impl OpenError {
    pub(crate) fn unreadable(path: &Path, error: io::Error) -> Self {
        let hint = match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => Some(permission_hint(path)),
            Some(libc::ENOENT) => Some("is the path right?".to_owned()),
            Some(libc::ELOOP) => Some("its symbolic links lead in a circle".to_owned()),
            _ => None,
        };
        Self::Unreadable {
            name: path.display().to_string(),
            error,
            hint,
        }
    }
}

/// How to get at a file that the user may not read.
fn permission_hint(path: &Path) -> String {
    let group = std::fs::metadata(path)
        .ok()
        .filter(|metadata| metadata.mode() & 0o040 != 0 && metadata.gid() != 0)
        .and_then(|metadata| group_name(metadata.gid()));
    match group {
        Some(group) => format!(
            "run it with sudo, or join group {group}: `sudo usermod -aG {group} $USER`, then log in again"
        ),
        None => "run it with sudo".to_owned(),
    }
}

/// Name of a group in /etc/group (`name:x:gid:members`).
fn group_name(gid: u32) -> Option<String> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}
