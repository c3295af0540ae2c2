//! This machine's own kernel log: where it can be had, which place was taken, and why not the others.
//! Order: /dev/kmsg, the journal, the usual files under /var/log.

use std::path::PathBuf;

use crate::journal::Where;
use crate::source::{Content, OpenError, Opened, Source, in_words};
use crate::{Root, discover, journal};

/// The log files of common distributions: Debian and Ubuntu (`kern.log`, `syslog`), Red Hat, Amazon and SUSE
/// (`messages`), boot messages only (`dmesg`).
const FILES: [&str; 4] = [
    "/var/log/kern.log",
    "/var/log/messages",
    "/var/log/syslog",
    "/var/log/dmesg",
];

/// What was found.
#[derive(Debug)]
pub struct OwnLog {
    /// What to read, oldest first; the first is open already where opening it was the test. Empty: no place is left.
    pub sources: Vec<Source>,
    /// The first source, opened.
    pub opened: Option<Opened>,
    /// What it is, in words: `/dev/kmsg`.
    pub used: Option<String>,
    /// The places that were not taken, in order.
    pub tried: Vec<Tried>,
}

/// A place that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub place: String,
    /// Why, and what would help.
    pub why_not: String,
    /// It was tried and failed, as against not needed.
    pub failed: bool,
}

/// Looks for the kernel log of the machine under `root`.
pub fn own_kernel_log(root: &Root) -> OwnLog {
    let mut tried: Vec<Tried> = Vec::new();
    let mut taken: Option<(String, Vec<Source>, Opened)> = None;
    let mut places: Vec<(String, Candidate)> = vec![(
        "/dev/kmsg".to_owned(),
        Candidate::Source(Source::kmsg(root.join("/dev/kmsg"))),
    )];
    places.push(("the journal".to_owned(), journal_of(root)));
    for file in FILES {
        places.push((file.to_owned(), Candidate::File(root.join(file))));
    }
    for (place, candidate) in places {
        if let Some((used, ..)) = &taken {
            let why_not = format!("not needed, {used} could be read");
            tried.push(Tried {
                place,
                why_not,
                failed: false,
            });
            continue;
        }
        match candidate.open() {
            Ok((sources, opened)) => taken = Some((place, sources, opened)),
            Err(why_not) => tried.push(Tried {
                place,
                why_not,
                failed: true,
            }),
        }
    }
    let (used, sources, opened) = match taken {
        Some((used, sources, opened)) => (Some(used), sources, Some(opened)),
        None => (None, Vec::new(), None),
    };
    OwnLog {
        sources,
        opened,
        used,
        tried,
    }
}

enum Candidate {
    Source(Source),
    File(PathBuf),
    Missing(&'static str),
}

impl Candidate {
    /// Opens the first of its sources, or says why it can't be.
    fn open(self) -> Result<(Vec<Source>, Opened), String> {
        let mut sources = match self {
            Self::Missing(why) => return Err(why.to_owned()),
            Self::Source(source) => vec![source],
            Self::File(path) => with_generations(path),
        };
        for source in &mut sources {
            source.own_machine = true;
        }
        let first = sources
            .first()
            .ok_or_else(|| "there is no such file".to_owned())?;
        let opened = first.open().map_err(|error| match error {
            OpenError::Skipped { why, .. } => why,
            OpenError::Unreadable {
                error,
                hint: Some(hint),
                ..
            } => format!("{} ({hint})", in_words(&error)),
            OpenError::Unreadable {
                error, hint: None, ..
            } => in_words(&error),
        })?;
        let empty = match &opened.content {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Stream(_) => opened.size_bytes == Some(0),
        };
        if empty && sources.len() == 1 {
            return Err("it has no record of the kernel".to_owned());
        }
        Ok((sources, opened))
    }
}

/// The journal: by way of journalctl's own search on the running machine, else the usual directories.
fn journal_of(root: &Root) -> Candidate {
    if !journal::is_available() {
        return Candidate::Missing("journalctl is not installed");
    }
    let directory = ["/var/log/journal", "/run/log/journal"]
        .into_iter()
        .map(|path| root.join(path))
        .find(|path| path.is_dir());
    match directory {
        None => Candidate::Missing("neither /var/log/journal nor /run/log/journal is there"),
        Some(_) if root.is_system() => Candidate::Source(Source::journal(Where::System)),
        Some(directory) => Candidate::Source(Source::journal(Where::Directory(directory))),
    }
}

/// A log and its older generations, oldest first. Empty where the log itself is not there.
fn with_generations(path: PathBuf) -> Vec<Source> {
    use crate::rotation::generation;
    let name_of = |path: &std::path::Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let family = generation(&name_of(&path)).family;
    let mut paths: Vec<PathBuf> = path
        .parent()
        .and_then(|parent| std::fs::read_dir(parent).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|other| generation(&name_of(other)).family == family)
        .collect();
    if !paths.contains(&path) {
        return Vec::new();
    }
    paths.sort();
    discover::find(&paths).sources
}
