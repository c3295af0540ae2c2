//! Facts of a death as live sources see them, one type a kind: a process, a signal, an exit, a memory-cgroup event,
//! a runtime's event. What a source could not see is `None`.
//!
//! Types only: nothing is joined here and nobody is blamed. Times are nanoseconds of CLOCK_BOOTTIME, which every source
//! on a machine shares; a source with another clock converts.

mod cgroup;
mod login;
mod machine;
mod process;
mod runtime;
mod signal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cgroup::{
    CgroupEmptied, CgroupHierarchy, CgroupMemory, CgroupOom, EventLevel, OomCounts, Pressure, Stall,
};
pub use login::Login;
pub use machine::MachineMemory;
pub use process::{Ancestor, CgroupPaths, MemoryCounters, Process};
pub use runtime::{ContainerFacts, RuntimeEvent, RuntimeEventKind};
pub use signal::{CpuLimit, Exit, KillSignal, OomMark, SenderCall, SignalOrigin, WrittenFile};

/// One thing that happened, whoever saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum Fact {
    /// A signal was generated.
    Signal(Box<KillSignal>),
    /// The OOM killer marked a victim.
    OomMark(OomMark),
    /// A process ended.
    Exit(Box<Exit>),
    /// A container runtime told something.
    Runtime(Box<RuntimeEvent>),
    /// A cgroup's out-of-memory counts went up.
    CgroupOom(Box<CgroupOom>),
    /// A cgroup ran empty.
    CgroupEmptied(CgroupEmptied),
}
