//! A progress bar on standard error, for input that takes longer than a second. Nothing where standard error is no
//! terminal.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use whodunit_node::BytesRead;

/// Input that is done sooner gets no bar.
const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(100);

/// What has been read so far, over all sources.
#[derive(Debug, Clone, Default)]
pub struct Sum(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    done_bytes: u64,
    open: Vec<(usize, BytesRead)>,
}

impl Sum {
    /// Counts a source from now on.
    pub fn opened(&self, source: usize, read: BytesRead) {
        self.counts().open.push((source, read));
    }

    /// The source is done: its count stands.
    pub fn closed(&self, source: usize) {
        let mut counts = self.counts();
        if let Some(place) = counts.open.iter().position(|(open, _)| *open == source) {
            let (_, read) = counts.open.swap_remove(place);
            counts.done_bytes += read.get();
        }
    }

    /// Bytes of all sources, before decompression.
    pub fn bytes(&self) -> u64 {
        let counts = self.counts();
        counts.done_bytes + counts.open.iter().map(|(_, read)| read.get()).sum::<u64>()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Counts are whole after every step, so those of a thread that panicked are good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bar. Taken off the screen when it is dropped.
#[derive(Debug, Default)]
pub struct Progress {
    bar: Option<ProgressBar>,
    drawer: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// A bar that shows up after a second if standard error is a terminal. `total_bytes` `None`: a pipe's length is
    /// not known, so the count alone is shown.
    pub fn start(wanted: bool, total_bytes: Option<u64>, sum: Sum) -> Self {
        if !wanted || !io::stderr().is_terminal() {
            return Self::default();
        }
        let bar = ProgressBar::with_draw_target(total_bytes, ProgressDrawTarget::hidden());
        let (stop, stopped) = mpsc::channel::<()>();
        let drawer = std::thread::spawn({
            let bar = bar.clone();
            move || {
                if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                bar.set_style(style(total_bytes.is_some()));
                bar.set_draw_target(ProgressDrawTarget::stderr());
                loop {
                    bar.set_position(sum.bytes());
                    if stopped.recv_timeout(REDRAW) != Err(RecvTimeoutError::Timeout) {
                        bar.finish_and_clear();
                        return;
                    }
                }
            }
        });
        Self {
            bar: Some(bar),
            drawer: Some((stop, drawer)),
        }
    }

    /// Runs something that prints, with the bar out of its way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, drawer)) = self.drawer.take() {
            drop(stop);
            let _ = drawer.join();
        }
    }
}

fn style(total_known: bool) -> ProgressStyle {
    let template = match total_known {
        true => "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        false => "{spinner} {bytes}, {bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
