//! From the paths that a user names to the sources to read, in the order to read them.
//! Looks at directories and file types, never into a file.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::journal::Where;
use crate::rotation::{Generation, generation};
use crate::source::{OpenError, Source, in_words};

/// Device number of /dev/kmsg: major 1, minor 11 (Documentation/admin-guide/devices.txt).
const KMSG_DEVICE: u64 = (1 << 8) | 11;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order to read them: as named, the generations of one log oldest first. What a directory holds of the kernel's
    /// ring buffer comes behind its logs.
    pub sources: Vec<Source>,
    /// What was found and is not read.
    pub problems: Vec<Problem>,
}

/// Something that is not read.
#[derive(Debug)]
pub struct Problem {
    /// Names the path and says what to do.
    pub message: String,
    /// The user asked for it and does not get it, as against something that is no log.
    pub unreadable: bool,
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        Self {
            unreadable: matches!(error, OpenError::Unreadable { .. }),
            message: error.to_string(),
        }
    }
}

/// Finds the sources behind the paths. `-` is standard input. A path that cannot be looked at becomes a problem
/// and does not stop the others; a file that is reached twice is read once.
pub fn find(paths: &[PathBuf]) -> Found {
    let mut search = Search::default();
    for path in paths {
        let before = search.found.sources.len();
        search.named(path);
        let sources = search.found.sources.get_mut(before..);
        sources.unwrap_or_default().sort_by_key(is_ring_buffer);
    }
    let Search { mut found, .. } = search;
    oldest_first(&mut found.sources);
    found
}

#[derive(Default)]
struct Search {
    found: Found,
    /// Device and inode of files and directories seen: links back up end here.
    seen: HashSet<(u64, u64)>,
    stdin_seen: bool,
}

impl Search {
    /// A path that the user wrote: pipes and devices are read as well.
    fn named(&mut self, path: &Path) {
        if path == Path::new("-") {
            if !std::mem::replace(&mut self.stdin_seen, true) {
                self.found.sources.push(Source::stdin());
            }
            return;
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return self.unreadable(path, error),
        };
        let kind = metadata.file_type();
        if kind.is_char_device() && metadata.rdev() == KMSG_DEVICE {
            self.found.sources.push(Source::kmsg(path.to_owned()));
        } else if kind.is_fifo() || kind.is_char_device() {
            self.found.sources.push(Source::pipe(path.to_owned()));
        } else {
            self.walk(path, &metadata);
        }
    }

    fn walk(&mut self, path: &Path, metadata: &Metadata) {
        let kind = metadata.file_type();
        let what = if kind.is_fifo() {
            "a named pipe"
        } else if kind.is_socket() {
            "a socket"
        } else if kind.is_char_device() || kind.is_block_device() {
            "a device"
        } else if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return;
        } else if kind.is_dir() {
            return self.directory(path);
        } else {
            self.found
                .sources
                .push(Source::file(path.to_owned(), metadata));
            return;
        };
        self.found.problems.push(Problem {
            message: format!("{}: skipped: it is {what}", path.display()),
            unreadable: false,
        });
    }

    fn directory(&mut self, path: &Path) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(path, error),
        };
        let mut children = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => children.push(entry.path()),
                Err(error) => self.unreadable(path, error),
            }
        }
        children.sort();
        let (journals, others): (Vec<_>, Vec<_>) = children
            .into_iter()
            .partition(|child| is_journal_name(child));
        if !journals.is_empty() {
            // journalctl joins the files of a directory in time order, which no file alone shows.
            self.found
                .sources
                .push(Source::journal(Where::Directory(path.to_owned())));
        }
        for child in others {
            // A link into nowhere is left over from a log that is gone: said, but nothing was asked for and denied.
            match fs::metadata(&child) {
                Ok(metadata) => self.walk(&child, &metadata),
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ELOOP)) => {
                    self.found.problems.push(Problem {
                        message: format!(
                            "{}: skipped: the link leads nowhere ({})",
                            child.display(),
                            in_words(&error)
                        ),
                        unreadable: false,
                    });
                }
                Err(error) => self.unreadable(&child, error),
            }
        }
    }

    fn unreadable(&mut self, path: &Path, error: io::Error) {
        self.found
            .problems
            .push(OpenError::unreadable(path, error).into());
    }
}

/// `dmesg`, `dmesg.0`, `node-1.dmesg.txt`: the ring buffer as dmesg(1) printed it. A log of the same lines also says when by the
/// clock, on which node, and who wrote them: what it tells is told first, and the buffer's copy is the second.
fn is_ring_buffer(source: &Source) -> bool {
    let name = source.path.as_deref().and_then(Path::file_name);
    name.is_some_and(|name| name.to_string_lossy().contains("dmesg"))
}

/// `system.journal`, and `system@...journal~` as journald leaves behind after a crash.
fn is_journal_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("journal" | "journal~"))
}

/// Brings the generations of one log together, oldest first, where the first of them was found. Everything else
/// keeps its place.
fn oldest_first(sources: &mut [Source]) {
    let mut first_place: HashMap<(PathBuf, String), usize> = HashMap::new();
    let mut keys = Vec::with_capacity(sources.len());
    for (place, source) in sources.iter().enumerate() {
        keys.push(match (&source.path, source.kind) {
            (Some(path), whodunit_case::incident::SourceKind::File) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let Generation { family, age } = generation(&name);
                let parent = path.parent().map(Path::to_path_buf).unwrap_or_default();
                let first = *first_place.entry((parent, family)).or_insert(place);
                (first, Some(age))
            }
            _ => (place, None),
        });
    }
    let mut keyed: Vec<_> = keys.into_iter().zip(sources.to_vec()).collect();
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (slot, (_, source)) in sources.iter_mut().zip(keyed) {
        *slot = source;
    }
}
