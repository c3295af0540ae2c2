//! What the service manager is told (sd_notify(3)): ready, what it does, stopping, and, from the main loop alone, that
//! it lives. Without a service manager nothing is said.

use std::time::{Duration, Instant};

use sd_notify::{NotifyState, notify, watchdog_enabled};

use crate::voice::Voice;

/// The status line is brought up to date so often at most.
const STATUS_EVERY: Duration = Duration::from_secs(1);

pub(super) struct ServiceManager {
    /// Half of what the service manager allows, as its manual asks for.
    ping_every: Option<Duration>,
    pinged: Instant,
    status: String,
    status_told: Instant,
    complained: bool,
}

impl ServiceManager {
    pub(super) fn new() -> Self {
        Self {
            ping_every: watchdog_enabled().map(|allowed| allowed / 2),
            pinged: Instant::now(),
            status: String::new(),
            status_told: Instant::now(),
            complained: false,
        }
    }

    /// The main loop has to come by so often.
    pub(super) fn ping_every(&self) -> Option<Duration> {
        self.ping_every
    }

    pub(super) fn ready(&mut self, status: &str) {
        self.say(&[NotifyState::Ready, NotifyState::Status(status)]);
        self.status = status.to_owned();
    }

    /// The main loop came by.
    pub(super) fn alive(&mut self, status: &str) {
        // A little early rather than late: a turn may end just before its time.
        let due = |every: Duration| self.pinged.elapsed() * 10 >= every * 9;
        if self.ping_every.is_some_and(due) {
            self.pinged = Instant::now();
            self.say(&[NotifyState::Watchdog]);
        }
        if self.status != status && self.status_told.elapsed() >= STATUS_EVERY {
            self.status_told = Instant::now();
            self.say(&[NotifyState::Status(status)]);
            self.status = status.to_owned();
        }
    }

    pub(super) fn stopping(&mut self) {
        self.say(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
    }

    fn say(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = notify(states)
            && !self.complained
        {
            self.complained = true;
            Voice::Log.complain(&format!(
                "the service manager cannot be told anything (NOTIFY_SOCKET): {error}"
            ));
        }
    }
}
