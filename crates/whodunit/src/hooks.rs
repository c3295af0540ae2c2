//! What a user wants done with each incident that was told: a command that gets its JSON on standard input, an HTTP
//! address that gets it as a POST. The JSON is the output contract's, one object an incident, as `-o ndjson` prints it.
//!
//! Watching never waits for a hook: each has a thread of its own and a bounded queue before it. What does not fit is
//! dropped, counted and said. An incident is handed over once: one that a run could not deliver is in the store.

mod ancestry;
mod exec;
mod faults;
mod queue;
mod webhook;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use whodunit_case::fact::Fact;
use whodunit_case::incident::Incident;
use whodunit_view::View;

use crate::cli::{HookArgs, Output};
use crate::explain::Looks;
use crate::voice::Voice;
use crate::wiring;
use ancestry::Oneself;
use exec::Exec;
use faults::Faults;
use queue::{Delivery, Queue};
use webhook::Webhook;
pub use webhook::{Target, target};

/// How long the end waits for what is queued.
const LAST: Duration = Duration::from_secs(10);

/// All hooks of a run.
pub struct Hooks {
    hooks: Vec<Hook>,
    view: Box<dyn View + Send>,
    voice: Voice,
    oneself: Option<Oneself>,
}

struct Hook {
    queue: Arc<Queue>,
    counts: Arc<HookCounts>,
    title: String,
    /// Not told again until the queue has room again.
    told_full: bool,
}

/// What became of the incidents that a hook was to get.
#[derive(Debug)]
pub struct HookCounts {
    /// `exec` or `webhook`.
    pub kind: &'static str,
    /// Handed over.
    pub delivered: AtomicU64,
    /// Given up after all tries.
    pub failed: AtomicU64,
    /// Tries after the first.
    pub retries: AtomicU64,
    /// For want of room in the queue.
    pub dropped: AtomicU64,
    /// In the queue.
    pub waiting: AtomicU64,
}

impl HookCounts {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
        }
    }
}

/// One way of handing over, on its own thread.
trait Act: Send {
    /// Before the first. The queue tells when the program has to end.
    fn begin(&mut self, queue: Arc<Queue>);

    /// Hands one incident over, or says what went wrong: a kind of failure, and what was tried and came back.
    fn act(&mut self, delivery: &Delivery, counts: &HookCounts) -> Result<(), Failure>;
}

/// Why an incident could not be handed over.
struct Failure {
    /// Failures of the same kind are told once.
    kind: String,
    /// What was tried, what came back, what to do.
    text: String,
}

impl Hooks {
    /// Starts the threads.
    pub fn start(arguments: &HookArgs, voice: Voice) -> anyhow::Result<Self> {
        let timeout = Duration::from_secs(arguments.hook_timeout.into());
        let mut hooks = Vec::new();
        for command in &arguments.exec {
            let exec = Exec::new(command.clone(), timeout);
            hooks.push(Hook::start("exec", exec.title(), Box::new(exec), voice)?);
        }
        for address in &arguments.webhook {
            let webhook = Webhook::new(
                address.clone(),
                arguments.webhook_token_file.clone(),
                timeout,
            );
            let title = webhook.title();
            hooks.push(Hook::start("webhook", title, Box::new(webhook), voice)?);
        }
        let looks = Looks {
            output: Output::Ndjson,
            quiet: false,
            all: true,
            width: 80,
            colored: false,
            unicode: true,
        };
        Ok(Self {
            hooks,
            view: wiring::view_of(looks),
            voice,
            oneself: Oneself::read(),
        })
    }

    /// What became of what each hook was to get.
    pub fn counts(&self) -> Vec<Arc<HookCounts>> {
        self.hooks.iter().map(|hook| hook.counts.clone()).collect()
    }

    /// Queues an incident for every hook. A kill that a hook's own process sent or caused is not handed to hooks: a
    /// command that kills would call itself for ever.
    pub fn offer(&mut self, incident: &Incident, facts: &[Fact]) {
        let own = |oneself: Oneself| oneself.caused(facts);
        if self.hooks.is_empty() || self.oneself.is_some_and(own) {
            return;
        }
        let mut json = Vec::new();
        if let Err(error) = self.view.incident(&mut json, incident) {
            self.voice
                .complain(&format!("hooks: incident {} as JSON: {error}", incident.id));
            return;
        }
        let delivery = Delivery::new(incident, json);
        for hook in &mut self.hooks {
            hook.offer(delivery.clone(), self.voice);
        }
    }

    /// The end: what is queued gets some time, then it is given up.
    pub fn finish(self) {
        let deadline = Instant::now() + LAST;
        for hook in &self.hooks {
            hook.queue.close();
        }
        for hook in &self.hooks {
            hook.queue
                .wait_gone(deadline.saturating_duration_since(Instant::now()));
        }
        for hook in &self.hooks {
            let left = hook.queue.abandon();
            if left > 0 {
                self.voice.complain(&format!(
                    "{}: {left} incident(s) could not be handed over before the end; they are in the store, if there is one",
                    hook.title
                ));
            }
        }
        // A command that was told to end a moment ago.
        let deadline = Instant::now() + Duration::from_secs(1);
        for hook in &self.hooks {
            hook.queue
                .wait_gone(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

impl Hook {
    fn start(
        kind: &'static str,
        title: String,
        mut act: Box<dyn Act>,
        voice: Voice,
    ) -> anyhow::Result<Self> {
        let queue = Arc::new(Queue::default());
        let counts = Arc::new(HookCounts::new(kind));
        let (inner, inner_counts, inner_title) = (queue.clone(), counts.clone(), title.clone());
        let run = move || {
            let mut faults = Faults::new(inner_title, voice);
            act.begin(inner.clone());
            while let Some(delivery) = inner.take() {
                inner_counts
                    .waiting
                    .store(inner.waiting(), Ordering::Relaxed);
                match act.act(&delivery, &inner_counts) {
                    Ok(()) => inner_counts.delivered.fetch_add(1, Ordering::Relaxed),
                    Err(failure) => {
                        faults.tell(&failure.kind, &failure.text, Instant::now());
                        inner_counts.failed.fetch_add(1, Ordering::Relaxed)
                    }
                };
                inner.done();
            }
            inner.gone();
        };
        thread(kind, run).with_context(|| format!("a thread for {title}"))?;
        Ok(Self {
            queue,
            counts,
            title,
            told_full: false,
        })
    }

    fn offer(&mut self, delivery: Delivery, voice: Voice) {
        if self.queue.offer(delivery) {
            let waiting = self.queue.waiting();
            self.counts.waiting.store(waiting, Ordering::Relaxed);
            self.told_full &= waiting > 1;
            return;
        }
        let dropped = self.counts.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.told_full {
            self.told_full = true;
            voice.complain(&format!(
                "{}: it is slower than kills come; its queue is full, and incidents are dropped ({dropped} so far); they \
                 are in the store",
                self.title
            ));
        }
    }
}

fn thread(kind: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name(kind.to_owned())
        .spawn(run)
        .map(drop)
}
