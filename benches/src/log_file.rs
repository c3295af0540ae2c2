//! The logs that are read: made once, the same every time, kept under target/bench.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{Advice, fadvise};

use crate::noise::{self, Random};
use crate::reports::{self, RealReport};

/// Raise it when the noise or the way reports are put in changes: kept logs are then made anew.
const VERSION: u32 = 1;
/// Process ids of one copy of a report are so far from the next copy's; no fixture has one above.
const PIDS_APART: u32 = 4000;

/// A log, and what is in it.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) reports: usize,
    /// Every process that the log says was killed.
    pub(crate) victims: BTreeSet<u32>,
}

/// A log of about `bytes`, with `reports` real reports spread evenly in noise.
pub(crate) fn noisy(folder: &Path, bytes: u64, reports: usize) -> anyhow::Result<Log> {
    let real = reports::real()?;
    let path = folder.join(format!(
        "{}-MB-{reports}-reports-{:016x}.log",
        bytes / 1_000_000,
        fingerprint(&real)
    ));
    let copies: Vec<(&RealReport, u32)> = real
        .iter()
        .cycle()
        .zip(1..)
        .map(|(report, copy)| (report, copy * PIDS_APART))
        .take(reports)
        .collect();
    let mut victims = BTreeSet::new();
    for (report, by) in &copies {
        victims.extend(reports::victims(report, *by));
    }
    if !path.exists() {
        eprintln!("making {}", path.display());
        // Under another name until it is whole.
        let unfinished = path.with_extension("unfinished");
        write(&unfinished, bytes, &copies).with_context(|| unfinished.display().to_string())?;
        std::fs::rename(&unfinished, &path).with_context(|| path.display().to_string())?;
    }
    let bytes = path.metadata()?.len();
    Ok(Log {
        path,
        bytes,
        reports,
        victims,
    })
}

/// How the page cache holds a file. A fault of a mapping brings in one folio's part of 64 KiB, or a whole folio of
/// megabytes: what a mapped file costs depends on that more than on anything else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folios {
    /// As reading from front to back leaves it.
    Large,
    /// As reading here and there leaves it: a page each.
    Pages,
}

impl Log {
    /// Brings all of it anew from the disk into the page cache.
    pub(crate) fn cache(&self, folios: Folios) -> anyhow::Result<()> {
        let tried = || self.path.display().to_string();
        let file = File::open(&self.path).with_context(tried)?;
        file.sync_all().with_context(tried)?;
        fadvise(&file, 0, None, Advice::DontNeed).with_context(tried)?;
        if folios == Folios::Pages {
            fadvise(&file, 0, None, Advice::Random).with_context(tried)?;
            // One read of each page, so that none is asked for with its neighbours.
            let mut byte = [0];
            for at in (0..self.bytes).step_by(4096) {
                file.read_exact_at(&mut byte, at).with_context(tried)?;
            }
        }
        self.warm()
    }

    /// Brings all of it into the page cache, where the kernel has let go of some.
    pub(crate) fn warm(&self) -> anyhow::Result<()> {
        let mut file = File::open(&self.path)?;
        let mut buffer = vec![0; 1 << 20];
        while file
            .read(&mut buffer)
            .with_context(|| self.path.display().to_string())?
            > 0
        {}
        Ok(())
    }
}

fn fingerprint(real: &[RealReport]) -> u64 {
    let mut hasher = DefaultHasher::new();
    VERSION.hash(&mut hasher);
    for report in real {
        report.records.hash(&mut hasher);
    }
    hasher.finish()
}

fn write(path: &Path, bytes: u64, copies: &[(&RealReport, u32)]) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut random = Random(2026);
    let mut line = String::new();
    let mut us = 0;
    let mut written = 0;
    let mut copies_left = copies.iter().enumerate();
    let mut next = copies_left.next();
    while written < bytes {
        line.clear();
        // Each in the middle of its share of the log.
        let due = next.is_some_and(|(at, _)| {
            written >= bytes / copies.len() as u64 * at as u64 + bytes / copies.len() as u64 / 2
        });
        match next.filter(|_| due) {
            Some((at, (report, by))) => {
                for (number, (since, text)) in report.records.iter().enumerate() {
                    noise::kernel_line(&mut line, us + since, &reports::renumbered(text, *by));
                    // Other daemons go on writing.
                    if (number + at) % 37 == 0 {
                        noise::line(&mut line, us + since, &mut random);
                    }
                }
                us += report.records.last().map_or(0, |record| record.0);
                next = copies_left.next();
            }
            None => noise::line(&mut line, us, &mut random),
        }
        // Five lines a second, about.
        us += random.below(400_000);
        written += line.len() as u64;
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}
