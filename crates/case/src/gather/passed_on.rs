//! Ends that follow from another's: what a parent, a client or a first process passes on is no case of its own.

use super::{Gatherer, MS, Open, WAIT_FOR_MORE_NS, key};
use crate::fact::{Ancestor, Exit, KillSignal};
use crate::role;

/// A parent passes on its child's signal when it has waited for it.
const PASSED_ON_NS: u64 = 1_000 * MS;

/// A client hears of its container's end from the runtime, which clears up first.
const PASSED_ON_BY_CLIENT_NS: u64 = 3_000 * MS;

impl Gatherer {
    pub(super) fn remember_parents(&mut self, ancestors: &[Ancestor], number: u64) {
        for ancestor in ancestors {
            // Whoever outlives all containers passes nothing on.
            if ancestor.tgid > 1 {
                self.parents
                    .put((ancestor.tgid, ancestor.start_boot_ns), number);
            }
        }
    }

    /// timeout, sudo and unshare end themselves by the signal that ended their child: no case of its own.
    pub(super) fn passes_on(&mut self, signal: &KillSignal) -> bool {
        let target = key(&signal.target);
        let Some(number) = self.parents.get(&target).copied() else {
            return false;
        };
        let at_once = self
            .open
            .get(&number)
            .is_some_and(|open| signal.boot_ns.saturating_sub(open.last_signal_ns) <= PASSED_ON_NS);
        if at_once {
            self.passed_on.put(target, number);
        }
        at_once
    }

    /// `docker run` and its kin end with the status of the container that they started, which is no child of theirs: of
    /// the container whose process was killed last.
    pub(super) fn of_clients_container(&self, exit: &Exit) -> Option<u64> {
        if !role::passes_on_containers(&exit.process) {
            return None;
        }
        let ended = |open: &Open| {
            open.case.container_id()?;
            let end_ns = open.case.exits.iter().map(|exit| exit.boot_ns).max();
            let at_ns = end_ns.unwrap_or_default().max(open.last_signal_ns);
            let since = exit.boot_ns.checked_sub(at_ns)?;
            (since <= PASSED_ON_BY_CLIENT_NS).then_some(since)
        };
        self.open
            .iter()
            .filter_map(|(number, open)| Some((ended(open)?, *number)))
            .min()
            .map(|(_, number)| number)
    }

    pub(super) fn echo(&mut self, number: u64, exit: Exit, now_ns: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.case.echoes.push(exit);
            let deadline = open.deadline_ns.unwrap_or(now_ns + WAIT_FOR_MORE_NS);
            self.set_deadline(number, deadline);
        }
    }
}
