//! Reports of another kind inside one of the OOM killer's: a failed allocation prints a trace and the machine's memory, too.

use super::Assembler;
use crate::kernel::KernelLine;

impl Assembler {
    /// Whether the line may be part of a report of another kind that began inside the open one. The OOM killer's own
    /// lines end it.
    pub(super) fn is_aside(&mut self, line: &KernelLine<'_>) -> bool {
        if self.drafts.is_empty() {
            // The one it stood in is over.
            self.aside = false;
        }
        match line {
            KernelLine::OtherReport => {
                self.aside = !self.drafts.is_empty();
                true
            }
            KernelLine::Cpu(_)
            | KernelLine::Hardware(_)
            | KernelLine::StackMark
            | KernelLine::StackFrame(_)
            | KernelLine::Registers
            | KernelLine::ShowMem(_)
            | KernelLine::SysrqAsked
            | KernelLine::Suppressed
            | KernelLine::Other => self.aside,
            KernelLine::Header(_)
            | KernelLine::Cpuset { .. }
            | KernelLine::TaskIn { .. }
            | KernelLine::Usage(_)
            | KernelLine::Stats(_)
            | KernelLine::TasksState
            | KernelLine::TableHeader(_)
            | KernelLine::TaskRow(_)
            | KernelLine::Constraint(_)
            | KernelLine::Announce(_)
            | KernelLine::Killed(_)
            | KernelLine::Sharing { .. }
            | KernelLine::Group(_)
            | KernelLine::Reaped(_)
            | KernelLine::ReapFailed { .. }
            | KernelLine::Outcome(_) => {
                self.aside = false;
                false
            }
        }
    }
}
