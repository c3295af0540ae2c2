//! Who kills whom, from the kernel itself: an eBPF program on three tracepoints ([`Tracer`]), and its records as
//! facts ([`record::read`]).
//!
//! Facts come from `signal:signal_generate` (SIGKILL and SIGTERM, in the sender's context), `oom:mark_victim` and
//! `sched:sched_process_exit`. Nothing here judges, waits, or reads /proc of others: the caller polls
//! [`Records`].
//!
//! Known limits: an interrupt that sends a signal (sysrq by keyboard) does so in the context of whatever task it
//! interrupted; arguments that are not resident in memory are not read; a process that ends by exit(2) of its last
//! thread while its leader is in the middle of doing the same may be given the leader's earlier status.

mod ability;
mod call;
pub mod record;
mod tracer;

pub use ability::{Abilities, Ability, TraceError};
pub use tracer::{Losses, Options, Programs, Records, Tracer};
