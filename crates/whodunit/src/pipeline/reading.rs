//! The reading side of the pipeline: one source to its end, as events. Runs in any thread; prints nothing.

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use oom_report::report::OomReport;
use oom_report::{Assumptions, CopyAt, Scanner, Search, runs_backwards, turned};
use whodunit_node::{Content, OpenError, Opened, Source};

use super::{Ended, Event};
use crate::dating::Known;
use crate::progress::Sum;

/// Bytes of a stream read at a time: they stay in a core's own cache until they are searched.
const CHUNK_BYTES: usize = 256 * 1024;

/// A log whose newest lines come first is turned round in memory, up to this length.
const MOST_TURNED_BYTES: usize = 32 << 20;

/// The reading side: shared by the workers.
pub(super) struct Reading<'a> {
    pub(super) sources: &'a [Source],
    pub(super) first_opened: Mutex<Option<Opened>>,
    pub(super) known: &'a Known,
    pub(super) threads_per_source: usize,
    pub(super) sum: Sum,
    pub(super) stop: AtomicBool,
}

impl Reading<'_> {
    /// Reads one source to its end. `tell` returns false when nobody listens any more.
    pub(super) fn read(
        &self,
        index: usize,
        source: &Source,
        assumptions: &Assumptions,
        tell: &mut dyn FnMut(Event) -> bool,
    ) {
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        let opened_before = match index {
            0 => self
                .first_opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
            _ => None,
        };
        let opened = match opened_before.map_or_else(|| source.open(), Ok) {
            Ok(opened) => opened,
            Err(skipped @ OpenError::Skipped { .. }) => {
                let _ = tell(Event::Skipped(skipped.to_string()));
                let _ = tell(Event::Ended(Ended::default()));
                return;
            }
            Err(error) => {
                let error = Some(error.to_string());
                let _ = tell(Event::Ended(Ended {
                    error,
                    ..Ended::default()
                }));
                return;
            }
        };
        for note in &opened.notes {
            let _ = tell(Event::Note(format!("{}: {note}", source.name())));
        }
        self.sum.opened(index, opened.read.clone());
        let mut scanner = Scanner::new(assumptions.clone());
        let mut ended = match opened.content {
            Content::Bytes(bytes) => {
                let ended = match runs_backwards(&bytes, assumptions)
                    && self.can_be_turned(source, &bytes, tell)
                {
                    true => {
                        opened.read.add(bytes.len() as u64);
                        self.turned(&bytes, &mut scanner, tell)
                    }
                    false => {
                        let copier = bytes.copier();
                        let search = Search {
                            threads: self.threads_per_source,
                            copy: copier.as_ref().map(|copier| copier as CopyAt<'_>),
                            searched: Some(&|bytes| opened.read.add(bytes)),
                        };
                        let lines = scanner.scan_by(&bytes, &search, &mut |report| {
                            let _ = tell(Event::Report(Box::new(report)));
                        });
                        Ended {
                            bytes: Some(bytes.len() as u64),
                            lines: Some(lines),
                            ..Ended::default()
                        }
                    }
                };
                Ended {
                    error: bytes
                        .check()
                        .err()
                        .map(|error| format!("{}: {error}", source.name())),
                    ..ended
                }
            }
            Content::Stream(stream) => self.stream(source, stream, assumptions, &mut scanner, tell),
        };
        ended.ignored = scanner.ignored();
        self.sum.closed(index);
        let _ = tell(Event::Ended(ended));
    }

    /// Whether a log that runs backwards can be turned round; tells what became of it.
    fn can_be_turned(
        &self,
        source: &Source,
        log: &[u8],
        tell: &mut dyn FnMut(Event) -> bool,
    ) -> bool {
        let fits = log.len() <= MOST_TURNED_BYTES;
        let done = match fits {
            true => "they were read from the other end".to_owned(),
            false => format!(
                "they are too many to be turned round ({} MiB at most): reports will lack most of their lines; bring the oldest to \
                 the front (tac, journalctl without -r, gcloud's --order=asc)",
                MOST_TURNED_BYTES >> 20
            ),
        };
        let _ = tell(Event::Note(format!(
            "{}: the newest lines come first; {done}",
            source.name()
        )));
        fits
    }

    /// Reads a log from its other end.
    fn turned(
        &self,
        log: &[u8],
        scanner: &mut Scanner,
        tell: &mut dyn FnMut(Event) -> bool,
    ) -> Ended {
        let turned = turned(log);
        let mut sink = |mut report: OomReport| {
            report.text.renumber(|number| turned.line_before(number));
            let _ = tell(Event::Report(Box::new(report)));
        };
        let lines = scanner.scan(&turned.bytes, self.threads_per_source, &mut sink);
        Ended {
            bytes: Some(log.len() as u64),
            lines: Some(lines),
            ..Ended::default()
        }
    }

    fn stream(
        &self,
        source: &Source,
        mut stream: Box<dyn Read + Send>,
        assumptions: &Assumptions,
        scanner: &mut Scanner,
        tell: &mut dyn FnMut(Event) -> bool,
    ) -> Ended {
        let broken = |error: io::Error, bytes: u64| {
            format!(
                "{}: {error}; what came before it was read ({bytes} bytes)",
                source.name()
            )
        };
        let mut next = stream.read(scanner.room(CHUNK_BYTES));
        // What comes first shows which way the log runs.
        if let Ok(read) = next
            && runs_backwards(scanner.room(read), assumptions)
        {
            let mut log = scanner.room(read).to_vec();
            let room = (MOST_TURNED_BYTES + 1).saturating_sub(read) as u64;
            let end = stream.by_ref().take(room).read_to_end(&mut log);
            let error = end.err().map(|error| broken(error, log.len() as u64));
            if self.can_be_turned(source, &log, tell) {
                return Ended {
                    error,
                    ..self.turned(&log, scanner, tell)
                };
            }
            stream = Box::new(Cursor::new(log).chain(stream));
            next = stream.read(scanner.room(CHUNK_BYTES));
        }
        let mut listening = true;
        let mut sink = |report: OomReport| listening &= tell(Event::Report(Box::new(report)));
        let mut bytes = 0_u64;
        let mut error = None;
        loop {
            match next {
                Ok(0) => break,
                Ok(read) => {
                    bytes += read as u64;
                    scanner.filled(read, &mut sink);
                }
                Err(failed) if failed.kind() == io::ErrorKind::Interrupted => {}
                Err(failed) => {
                    error = Some(broken(failed, bytes));
                    break;
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            next = stream.read(scanner.room(CHUNK_BYTES));
        }
        let lines = scanner.finish(&mut sink);
        Ended {
            bytes: Some(bytes),
            lines: Some(lines),
            error,
            ..Ended::default()
        }
    }
}
