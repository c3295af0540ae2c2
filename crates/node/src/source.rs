//! One place that a log can be read from, and its bytes: mapped, copied or streamed, decompressed.
//! Does not look at lines.

mod first_block;
mod open_error;
mod whole_file;

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use whodunit_case::incident::SourceKind;

use crate::mapped::Mapped;
use crate::progress::Counted;
use crate::sniff::{self, sniff};
use crate::utf16::Utf16Reader;
use crate::{BytesRead, compression, journal, kmsg};
use first_block::{Peeked, read_block, read_start, widen_pipe};
pub use open_error::OpenError;
pub(crate) use open_error::in_words;
use whole_file::WholeFile;

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
            Memory::Mapped(mapped) if mapped.was_cut() => Err(whole_file::truncated()),
            _ => Ok(()),
        }
    }

    /// A way to copy them that is sooner than touching them, where there is one: for a search of them all.
    pub fn copier(&self) -> Option<impl Fn(usize, &mut [u8]) -> bool + Sync + '_> {
        match &self.0 {
            Memory::Mapped(mapped) if mapped.is_sooner_copied() => {
                Some(|offset, buffer: &mut [u8]| mapped.copy_at(offset, buffer))
            }
            _ => None,
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

    /// Opens it and looks at its first block. What it is goes by content, not by name. A big file is mapped: several
    /// threads can search it.
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
                let rest = WholeFile::new(file, size.saturating_sub(first.len() as u64));
                match Mapped::new(rest.file()) {
                    Ok(mapped) => Ok(Opened {
                        size_bytes: Some(size),
                        content: Content::Bytes(Bytes(Memory::Mapped(mapped))),
                        notes: Vec::new(),
                        read: BytesRead::default(),
                    }),
                    Err(_) => self.opened_stream(first, None, rest, Some(size)),
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
                    sniff::Content::Gzip
                    | sniff::Content::Zstd
                    | sniff::Content::Xz
                    | sniff::Content::Bzip2 => {
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
