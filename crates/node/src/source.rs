//! One place that a log can be read from, and its bytes: mapped, copied or streamed, decompressed.
//! Does not look at lines.

use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use whodunit_case::incident::SourceKind;

use crate::mapped::Mapped;
use crate::progress::Counted;
use crate::sniff::{self, SNIFF_BYTES, sniff};
use crate::utf16::Utf16Reader;
use crate::{BytesRead, compression, journal, kmsg};

/// Files up to this size are copied: for them a copy costs less than a mapping, and cannot be truncated later.
const COPY_UP_TO_BYTES: u64 = 4 * 1024 * 1024;

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How it is reached.
    pub kind: SourceKind,
    /// Where it lies; `None` for standard input and this machine's journal.
    pub path: Option<PathBuf>,
    /// When a file was last written: the year of lines without one.
    pub modified: Option<SystemTime>,
    /// Its size when it was found, before decompression: what a progress bar is measured against.
    pub size_bytes: Option<u64>,
    /// The running machine wrote it, so that its time zone, boot time and boot id hold.
    pub own_machine: bool,
    pub(crate) origin: Origin,
}

/// How to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    File(PathBuf),
    /// A named pipe or character device that the user named, also `<(command)` of a shell.
    Pipe(PathBuf),
    Stdin,
    Kmsg(PathBuf),
    Journal(journal::Where),
}

/// A source that is open.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes.
    pub content: Content,
    /// What the reader of a verdict should know: records overwritten, text converted.
    pub notes: Vec<String>,
    /// Bytes to expect, before decompression; `None` for pipes.
    pub size_bytes: Option<u64>,
    /// Bytes read of those. Counts by itself for [`Content::Stream`] only.
    pub read: BytesRead,
}

/// The bytes of a source.
pub enum Content {
    /// All at once.
    Bytes(Bytes),
    /// As they come. An error after some bytes means that those were good.
    Stream(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

impl Content {
    /// Reads all of it, for small sources and tests; the error stands beside what was readable before it.
    pub fn read_to_end(self) -> (Vec<u8>, Option<io::Error>) {
        match self {
            Self::Bytes(bytes) => (bytes.to_vec(), bytes.check().err()),
            Self::Stream(mut stream) => {
                let mut all = Vec::new();
                let error = stream.read_to_end(&mut all).err();
                (all, error)
            }
        }
    }
}

/// Bytes in memory, copied or mapped.
pub struct Bytes(Memory);

enum Memory {
    Copied(Vec<u8>),
    Mapped(Mapped),
}

impl Bytes {
    /// To be asked after reading: fails when the file was truncated meanwhile, so that its end read as zeros.
    pub fn check(&self) -> io::Result<()> {
        match &self.0 {
            Memory::Mapped(mapped) if mapped.was_cut() => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file was truncated while it was read; what had been behind its new end is lost",
            )),
            _ => Ok(()),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Memory::Copied(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Copied(bytes) => bytes,
            Memory::Mapped(mapped) => mapped,
        }
    }
}

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

impl Source {
    /// Standard input. Where a file was redirected into it, with that file's size and time.
    pub fn stdin() -> Self {
        let metadata = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .and_then(|stdin| File::from(stdin).metadata())
            .ok()
            .filter(Metadata::is_file);
        Self {
            kind: SourceKind::Stdin,
            path: None,
            modified: metadata
                .as_ref()
                .and_then(|metadata| metadata.modified().ok()),
            size_bytes: metadata.as_ref().map(Metadata::len),
            own_machine: false,
            origin: Origin::Stdin,
        }
    }

    pub(crate) fn file(path: PathBuf, metadata: &Metadata) -> Self {
        let origin = Origin::File(path.clone());
        Self {
            kind: SourceKind::File,
            path: Some(path),
            modified: metadata.modified().ok(),
            size_bytes: Some(metadata.len()),
            own_machine: false,
            origin,
        }
    }

    pub(crate) fn pipe(path: PathBuf) -> Self {
        let origin = Origin::Pipe(path.clone());
        Self {
            kind: SourceKind::File,
            path: Some(path),
            modified: None,
            size_bytes: None,
            own_machine: false,
            origin,
        }
    }

    pub(crate) fn kmsg(path: PathBuf) -> Self {
        let origin = Origin::Kmsg(path.clone());
        Self {
            kind: SourceKind::Kmsg,
            path: Some(path),
            modified: None,
            size_bytes: None,
            own_machine: true,
            origin,
        }
    }

    pub(crate) fn journal(place: journal::Where) -> Self {
        let path = match &place {
            journal::Where::System => None,
            journal::Where::Directory(path) | journal::Where::File(path) => Some(path.clone()),
        };
        Self {
            kind: SourceKind::Journal,
            path,
            modified: None,
            size_bytes: None,
            own_machine: place == journal::Where::System,
            origin: Origin::Journal(place),
        }
    }

    /// What to call it in messages.
    pub fn name(&self) -> String {
        match (&self.path, &self.origin) {
            (Some(path), _) => path.display().to_string(),
            (None, Origin::Journal(_)) => "the journal".to_owned(),
            (None, _) => "standard input".to_owned(),
        }
    }

    /// Opens it and looks at its first block. What it is goes by content, not by name.
    pub fn open(&self) -> Result<Opened, OpenError> {
        match &self.origin {
            Origin::Stdin => {
                widen_pipe(io::stdin());
                self.open_stream(io::stdin(), None)
            }
            Origin::Pipe(path) => {
                let file = File::open(path).map_err(|error| OpenError::unreadable(path, error))?;
                widen_pipe(&file);
                self.open_stream(file, None)
            }
            Origin::File(path) => self.open_file(path),
            Origin::Kmsg(path) => {
                let ring = kmsg::read(path).map_err(|error| OpenError::Unreadable {
                    name: self.name(),
                    hint: Some(kmsg::hint(&error)),
                    error,
                })?;
                Ok(Opened {
                    notes: ring.lost_note().into_iter().collect(),
                    size_bytes: Some(ring.bytes.len() as u64),
                    content: Content::Bytes(ring.bytes.into()),
                    read: BytesRead::default(),
                })
            }
            Origin::Journal(place) => {
                let read = BytesRead::default();
                let export = journal::open(place).map_err(|error| OpenError::Unreadable {
                    name: self.name(),
                    hint: Some(journal::hint(&error, place)),
                    error,
                })?;
                Ok(Opened {
                    size_bytes: export.is_empty().then_some(0),
                    content: Content::Stream(Box::new(Counted {
                        inner: export,
                        count: read.clone(),
                    })),
                    notes: Vec::new(),
                    read,
                })
            }
        }
    }

    fn open_file(&self, path: &Path) -> Result<Opened, OpenError> {
        let unreadable = |error| OpenError::unreadable(path, error);
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let (first, failed) = read_block(&mut file);
        if let Some(error) = failed {
            return Err(unreadable(error));
        }
        match sniff(&first) {
            sniff::Content::Text | sniff::Content::Empty if size > COPY_UP_TO_BYTES => {
                match Mapped::new(&file) {
                    Ok(mapped) => Ok(Opened {
                        size_bytes: Some(size),
                        content: Content::Bytes(Bytes(Memory::Mapped(mapped))),
                        notes: Vec::new(),
                        read: BytesRead::default(),
                    }),
                    Err(_) => self.opened_stream(first, None, file, Some(size)),
                }
            }
            // A size of 0 with content: files of /proc. These, too, are read to their end, whatever it is.
            sniff::Content::Text if size > 0 => {
                let mut bytes = first;
                let rest = size.saturating_sub(bytes.len() as u64);
                file.take(rest)
                    .read_to_end(&mut bytes)
                    .map_err(unreadable)?;
                Ok(Opened {
                    content: Content::Bytes(bytes.into()),
                    notes: Vec::new(),
                    size_bytes: Some(size),
                    read: BytesRead::default(),
                })
            }
            sniff::Content::Journal => {
                Source::journal(journal::Where::File(path.to_owned())).open()
            }
            _ => self.opened_stream(first, None, file, Some(size)),
        }
    }

    fn open_stream(
        &self,
        mut stream: impl Read + Send + 'static,
        size_bytes: Option<u64>,
    ) -> Result<Opened, OpenError> {
        let (first, failed) = read_start(&mut stream);
        self.opened_stream(first, failed, stream, size_bytes)
    }

    /// A stream whose first block has been read, with whatever has to be undone of it.
    fn opened_stream(
        &self,
        first: Vec<u8>,
        failed: Option<io::Error>,
        rest: impl Read + Send + 'static,
        size_bytes: Option<u64>,
    ) -> Result<Opened, OpenError> {
        let skipped = |why: String| {
            Err(OpenError::Skipped {
                name: self.name(),
                why,
            })
        };
        let read = BytesRead::default();
        let outer = sniff(&first);
        let raw = Counted {
            inner: Peeked::new(first, failed, rest),
            count: read.clone(),
        };
        let mut notes = Vec::new();
        let utf16_note = || "is UTF-16 text; it was converted".to_owned();
        let stream: Box<dyn Read + Send> = match outer {
            sniff::Content::Text | sniff::Content::Empty => Box::new(raw),
            sniff::Content::Utf16 { little_endian } => {
                notes.push(utf16_note());
                Box::new(Utf16Reader::new(raw, little_endian))
            }
            compressed if compression::is_compressed(compressed) => {
                let mut inner = compression::decompressed(compressed, raw).map_err(|error| {
                    OpenError::Unreadable {
                        name: self.name(),
                        error,
                        hint: None,
                    }
                })?;
                let (first, failed) = read_block(&mut inner);
                let within = sniff(&first);
                let inner = Peeked::new(first, failed, inner);
                match within {
                    sniff::Content::Text | sniff::Content::Empty => Box::new(inner),
                    sniff::Content::Utf16 { little_endian } => {
                        notes.push(utf16_note());
                        Box::new(Utf16Reader::new(inner, little_endian))
                    }
                    sniff::Content::Other(what) => return skipped(format!("it holds {what}")),
                    sniff::Content::Journal => {
                        return skipped(
                            "it holds a binary journal: decompress it first".to_owned(),
                        );
                    }
                    sniff::Content::Binary => return skipped("it holds binary data".to_owned()),
                    sniff::Content::Gzip | sniff::Content::Zstd | sniff::Content::Xz => {
                        return skipped(
                            "it is compressed twice: decompress it once first".to_owned(),
                        );
                    }
                }
            }
            sniff::Content::Journal => {
                return skipped(
                    "a binary journal can be read from a file, not from a pipe".to_owned(),
                );
            }
            sniff::Content::Other(what) => return skipped(format!("it is {what}")),
            _ => return skipped("it is binary, not a log".to_owned()),
        };
        Ok(Opened {
            content: Content::Stream(stream),
            notes,
            size_bytes,
            read,
        })
    }
}

/// A pipe holds 64 KiB unless it is asked to hold more; 1 MiB is what an unprivileged user may have
/// (/proc/sys/fs/pipe-max-size). Fewer turns between writer and reader; what is no pipe refuses, and reads as well.
fn widen_pipe(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1024 * 1024);
}

/// Reads until the block is full or there is no more.
fn read_block(reader: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut block = Vec::with_capacity(SNIFF_BYTES);
    let error = reader
        .take(SNIFF_BYTES as u64)
        .read_to_end(&mut block)
        .err();
    (block, error)
}

/// Reads what a pipe gives at once, up to a block: a live log must not wait until one is full. No less than what
/// the longest magic number takes.
fn read_start(reader: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    const ENOUGH_BYTES: usize = 16;
    let mut block = vec![0; SNIFF_BYTES];
    let mut filled = 0;
    let mut error = None;
    while filled < ENOUGH_BYTES {
        match reader.read(block.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
            Err(failed) => {
                error = Some(failed);
                break;
            }
        }
    }
    block.truncate(filled);
    (block, error)
}

/// Gives a block back to the front of its reader, and the error that came behind it.
struct Peeked<R> {
    first: Cursor<Vec<u8>>,
    failed: Option<io::Error>,
    rest: R,
}

impl<R> Peeked<R> {
    fn new(first: Vec<u8>, failed: Option<io::Error>, rest: R) -> Self {
        Self {
            first: Cursor::new(first),
            failed,
            rest,
        }
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.first.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.rest.read(buffer),
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
