//! Whether a kill goes back to this program itself: it ends commands that take too long, and those commands may kill.

use whodunit_case::fact::{Fact, KillSignal};

/// A process as the kernel's records name it from anywhere: its pid namespace, and its pid in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oneself {
    pub(super) pid_namespace: u32,
    pub(super) pid: u32,
}

impl Oneself {
    /// This process, from `/proc/self/ns/pid`. None where that cannot be read.
    pub(super) fn read() -> Option<Self> {
        let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let text = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
        Some(Self {
            pid_namespace: text.parse().ok()?,
            pid: std::process::id(),
        })
    }

    /// Whether the sender of a signal, or the task whose request for memory brought the OOM killer, is this process or
    /// descends from it.
    pub(super) fn caused(self, facts: &[Fact]) -> bool {
        let is_self = |namespace: Option<u32>, pid: Option<u32>| {
            namespace == Some(self.pid_namespace) && pid == Some(self.pid)
        };
        let caused = |signal: &KillSignal| {
            let sender = &signal.sender;
            let above = signal
                .sender_ancestors
                .iter()
                .map(|one| (one.pid_namespace, one.namespaced_tgid));
            std::iter::once((sender.pid_namespace, sender.namespaced_tgid))
                .chain(above)
                .any(|(namespace, pid)| is_self(namespace, pid))
        };
        facts
            .iter()
            .any(|fact| matches!(fact, Fact::Signal(signal) if caused(signal)))
    }
}
