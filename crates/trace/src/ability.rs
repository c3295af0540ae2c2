//! What the tracer can see on this machine, and why not the rest, in words for a person.

use std::error::Error;
use std::fmt;
use std::io;

use aya::programs::ProgramError;

/// Each program of the tracer and whether it works. They do not depend on each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Who sends SIGKILL and SIGTERM to whom (`signal:signal_generate`).
    pub signals: Ability,
    /// How processes end that were sent one (`sched:sched_process_exit`).
    pub exits: Ability,
    /// Whom the OOM killer chose (`oom:mark_victim`).
    pub marks: Ability,
}

impl Abilities {
    /// Whether all work.
    pub fn all(&self) -> bool {
        [&self.signals, &self.exits, &self.marks]
            .iter()
            .all(|ability| matches!(ability, Ability::Works { .. }))
    }
}

/// Whether a program works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ability {
    /// It is attached.
    Works {
        /// Instructions that the verifier looked at (5.16+).
        verified_instructions: Option<u32>,
    },
    /// It is not.
    Missing {
        /// The kernel's reason.
        why: String,
    },
}

impl fmt::Display for Ability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works { .. } => formatter.write_str("works"),
            Self::Missing { why } => write!(formatter, "missing: {why}"),
        }
    }
}

/// Nothing can be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The kernel does not describe itself.
    #[error(
        "the kernel's types can't be read from /sys/kernel/btf/vmlinux ({source}): eBPF needs a kernel with \
         CONFIG_DEBUG_INFO_BTF, and /sys mounted"
    )]
    NoBtf {
        /// What the loader said.
        source: aya::BtfError,
    },
    /// This process may not.
    #[error(
        "the kernel does not let this process load eBPF programs ({what}): run as root, or with CAP_BPF and \
         CAP_PERFMON; in a container also allow the bpf system call"
    )]
    NotPermitted {
        /// What was refused.
        what: String,
    },
    /// The kernel is locked down.
    #[error(
        "the kernel is locked down (/sys/kernel/security/lockdown says confidentiality): no program may read kernel \
         memory, root's neither"
    )]
    Lockdown,
    /// A map or the object itself was refused.
    #[error("the eBPF object can't be loaded: {what}")]
    NotLoaded {
        /// What was refused.
        what: String,
    },
}

impl TraceError {
    /// The reason in an error of the loader.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let what = chain(error);
        if may_not(error) {
            Self::NotPermitted { what }
        } else {
            Self::NotLoaded { what }
        }
    }
}

/// Why a program could not be loaded or attached.
pub(crate) fn why(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            if may_not(io_error) {
                return format!(
                    "not permitted ({io_error}): needs root, or CAP_BPF and CAP_PERFMON"
                );
            }
            let log = verifier_log.to_string();
            match verifier_end(&log) {
                end if end.is_empty() => io_error.to_string(),
                end => format!("the kernel's verifier refused it ({io_error}): {end}"),
            }
        }
        other => chain(other),
    }
}

/// Longest part of a verifier's log that is shown.
const LOG_END: usize = 300;

/// The last lines that say something: what the verifier objected to.
fn verifier_end(log: &str) -> String {
    let mut kept: Vec<&str> = log
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("processed "))
        .take(2)
        .collect();
    kept.reverse();
    let end = kept.join("; ");
    match end.char_indices().rev().nth(LOG_END) {
        Some((from, _)) => format!("…{}", end.get(from..).unwrap_or_default()),
        None => end,
    }
}

/// An error with all that caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Many errors print their cause themselves.
        if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        next = cause.source();
    }
    said
}

/// Whether the kernel said EPERM or EACCES. The verifier says EACCES too, with a log: that is asked for before.
fn may_not(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error());
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_log_is_told_by_its_end() {
        let log = "0: (79) r6 = *(u64 *)(r1 +0)\n1: (85) call unknown#158\ninvalid func unknown#158\nprocessed 2 insns (limit 1000000)\n\n";
        assert_eq!(
            verifier_end(log),
            "1: (85) call unknown#158; invalid func unknown#158"
        );
        let long = format!("x\n{}", "é".repeat(1000));
        assert_eq!(verifier_end(&long).chars().count(), LOG_END + 2);
        assert_eq!(verifier_end(""), "");
    }

    #[test]
    fn a_refusal_is_told_from_another_failure() {
        let refused = io::Error::from_raw_os_error(1);
        assert!(matches!(
            TraceError::of(&refused),
            TraceError::NotPermitted { .. }
        ));
        let other = io::Error::from_raw_os_error(12);
        assert!(matches!(
            TraceError::of(&other),
            TraceError::NotLoaded { .. }
        ));
    }
}
