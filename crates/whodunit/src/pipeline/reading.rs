//! The reading side of the pipeline: one source to its end, as events. Runs in any thread; prints nothing.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use oom_report::report::OomReport;
use oom_report::{Assumptions, CopyAt, Scanner, Search};
use whodunit_node::{Content, OpenError, Opened, Source};

use super::{Ended, Event};
use crate::dating::Known;
use crate::progress::Sum;

/// Bytes of a stream read at a time: they stay in a core's own cache until they are searched.
const CHUNK_BYTES: usize = 256 * 1024;

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
                    error: bytes
                        .check()
                        .err()
                        .map(|error| format!("{}: {error}", source.name())),
                    ..Ended::default()
                }
            }
            Content::Stream(stream) => self.stream(source, stream, &mut scanner, tell),
        };
        ended.ignored = scanner.ignored();
        self.sum.closed(index);
        let _ = tell(Event::Ended(ended));
    }

    fn stream(
        &self,
        source: &Source,
        mut stream: Box<dyn Read + Send>,
        scanner: &mut Scanner,
        tell: &mut dyn FnMut(Event) -> bool,
    ) -> Ended {
        let mut listening = true;
        let mut sink = |report: OomReport| listening &= tell(Event::Report(Box::new(report)));
        let mut bytes = 0_u64;
        let mut error = None;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            match stream.read(scanner.room(CHUNK_BYTES)) {
                Ok(0) => break,
                Ok(read) => {
                    bytes += read as u64;
                    scanner.filled(read, &mut sink);
                }
                Err(failed) if failed.kind() == io::ErrorKind::Interrupted => {}
                Err(failed) => {
                    error = Some(format!(
                        "{}: {failed}; what came before it was read ({bytes} bytes)",
                        source.name()
                    ));
                    break;
                }
            }
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
