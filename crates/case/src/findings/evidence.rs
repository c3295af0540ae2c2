//! How good the evidence is: who wrote it, what is missing, what could not be read.

use oom_report::report::{Doubt, Missing, Provenance};

use crate::incident::{Finding, Severity};
use crate::scene::Scene;

use super::finding;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    provenance(scene, found);
    incomplete(scene, found);
    doubtful(scene, found);
}

fn provenance(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if scene.report.provenance != Provenance::Unverified {
        return;
    }
    found.push(
        finding(
            "provenance-unverified",
            Severity::Info,
            "This form of log does not show that the kernel wrote these lines",
            "Plain text carries no sign of its writer: any process that can write to the log can write such lines. The journal and \
             /dev/kmsg show it.",
        )
        .cite(scene, [scene.kill_line().or(scene.constraint_line())]),
    );
}

fn incomplete(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let missing = &scene.report.missing;
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(|section| name(*section)).collect();
    found.push(
        finding(
            "report-incomplete",
            // Nothing here is judged by the call trace.
            match missing.as_slice() {
                [Missing::Stack] => Severity::Info,
                _ => Severity::Notice,
            },
            format!(
                "The report is not whole: {} {} missing",
                names.join(", "),
                if missing.len() == 1 { "is" } else { "are" }
            ),
            "Cut at the beginning or the end of the log, rate-limited, overwritten in the ring buffer, or switched off \
             (vm.oom_dump_tasks). What would follow from the missing parts is not said here.",
        )
        .number("missing", missing.len() as u64)
        .text("sections", names.join(", "))
        .cite(scene, [scene.kill_line().or(scene.constraint_line())]),
    );
}

fn name(section: Missing) -> &'static str {
    match section {
        Missing::Header => "who asked (`invoked oom-killer`)",
        Missing::CpuLine => "the CPU line",
        Missing::Stack => "the call trace",
        Missing::MemcgUsage => "the cgroup's usage and limit",
        Missing::MemcgStats => "the cgroup's statistics",
        Missing::MemInfo => "the machine's memory (Mem-Info)",
        Missing::TaskTable => "the task table",
        Missing::Constraint => "the constraint (whose limit)",
        Missing::KillLine => "the kill line",
    }
}

fn doubtful(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for (doubt, line) in &scene.report.doubts {
        let (code, title, detail) = match doubt {
            Doubt::Interleaved => (
                "reports-interleaved",
                "Two reports ran into each other",
                "Lines that could belong to either were left out; facts may be missing, none is taken from the other report.",
            ),
            Doubt::LinesLost => (
                "lines-lost",
                "Lines of the report were lost",
                "The log's rate limit or the ring buffer dropped some: facts may be missing.",
            ),
            Doubt::LineCut => (
                "line-cut",
                "A line ends before the kernel's text does",
                "A pager, a terminal's width or the end of the input cut it: what was cut off is not known.",
            ),
            Doubt::KernelBug => (
                "kernel-text-corrected",
                "The kernel's own text is known to be wrong in this version and was corrected",
                "The citation shows the line as it stands in the log.",
            ),
            Doubt::TriggerMismatch => (
                "trigger-name-differs",
                "The trigger's name differs between the header and the CPU line",
                "A thread may rename itself in between, or one of the lines is of another report.",
            ),
            Doubt::TableHeaderMissing => (
                "table-header-missing",
                "The task table has no header",
                "Its columns were told by their number.",
            ),
        };
        // One of a kind is enough.
        if found.iter().all(|known| known.code != code) {
            found.push(finding(code, Severity::Info, title, detail).cite(scene, [*line]));
        }
    }
}
