//! A report in the making: takes lines in the order of a log and fills an [`OomReport`].
//!
//! Knows the order in which a kernel prints the sections, and refuses a line that does not belong where it stands.
//! Which draft a line goes to is decided in [`crate::assemble`].

mod cgroup;
mod finish;
mod name;
mod system;
mod table;
pub(crate) mod victims;

use smol_str::SmolStr;

use crate::cursor::text;
use crate::frame::{Frame, Origin};
use crate::kernel::KernelLine;
use crate::kernel::kill::{Cause, ConstraintLine};
use crate::kernel::table::Columns;
use crate::kernel::trigger::{CpuLine, Header, StackFrame};
use crate::kernel_version::KernelVersion;
use crate::report::{Doubt, LineIndex, Memcg, OomReport, Outcome, Provenance, Scope, Trigger};
use crate::time::Assumptions;

/// How far a report has come. A kernel prints the sections in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Nothing,
    Header,
    Stack,
    Memory,
    Table,
    Decision,
    Killed,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is part of the report.
    Yes,
    /// It is not.
    Foreign,
    /// It is part of a report, but not of this one as it stands.
    Conflict,
}

/// How far the clock of lines that one processor prints may seem to go back.
pub(crate) const BACK_US: u64 = 10_000;

/// What a report says of who wrote a line like this.
pub(crate) fn provenance(frame: &Frame<'_>) -> Provenance {
    match frame.believed() {
        Origin::Kernel => Provenance::Kernel,
        Origin::KernelTag => Provenance::KernelTag,
        Origin::Unverified | Origin::Other => Provenance::Unverified,
    }
}

/// A report in the making.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) report: OomReport,
    pub(crate) stage: Stage,
    pub(crate) host: Option<SmolStr>,
    pub(crate) caller: Option<SmolStr>,
    pub(crate) origin: Origin,
    /// Lines since the last one that belonged here.
    pub(crate) foreign: u32,
    pub(crate) last_boot_us: Option<u64>,
    /// Longest pause between its latest lines, by an eighth less for each line since: how slowly this kernel prints.
    pub(crate) pause_us: u64,
    /// What stood firm when another report began inside this one.
    pub(crate) firm: Option<Box<Draft>>,
    /// It began with a line that may be a copy: nothing until a kill line follows that is none.
    pub(crate) doubted: bool,
    /// What was there when the kill line came.
    killed_at: Stage,
    columns: Option<Columns>,
    /// Process ids of the table's rows, side by side: searched for each row.
    pids: Vec<u32>,
    /// Rows of memory.stat may follow.
    stats_open: bool,
    /// The record with the machine's counters goes on over several lines.
    counters_open: bool,
    /// Rows of the slab list may follow.
    slab_open: bool,
    /// Functions of the call trace that the kernel marks as guesses.
    guesses: Vec<SmolStr>,
    mem_info_seen: bool,
    cause: Cause,
    /// The kernel's constraint word contradicts the rest of its line (5.0 to 5.2).
    constraint_wrong: bool,
}

impl Draft {
    /// An empty draft for the writer and time of `frame`.
    pub(crate) fn new(frame: &Frame<'_>, assumptions: &Assumptions) -> Self {
        let report = OomReport {
            provenance: provenance(frame),
            time: assumptions.stamp(frame.boot_us, frame.time),
            node: frame
                .host
                .map(text)
                .or_else(|| assumptions.node.as_deref().map(SmolStr::new)),
            boot_id: frame
                .boot_id
                .map(text)
                .or_else(|| assumptions.boot_id.as_deref().map(SmolStr::new)),
            ..OomReport::default()
        };
        Self {
            report,
            stage: Stage::Nothing,
            host: frame.host.map(text),
            caller: frame.caller.map(text),
            origin: frame.believed(),
            foreign: 0,
            last_boot_us: frame.boot_us,
            pause_us: 0,
            firm: None,
            doubted: false,
            killed_at: Stage::Nothing,
            columns: None,
            pids: Vec::new(),
            stats_open: false,
            counters_open: false,
            slab_open: false,
            guesses: Vec::new(),
            mem_info_seen: false,
            cause: Cause::Unsaid,
            constraint_wrong: false,
        }
    }

    /// Whether a line with this framing can be part of this report.
    pub(crate) fn could_hold(&self, frame: &Frame<'_>) -> bool {
        !self.is_later_than(frame) && self.same_writer(frame)
    }

    /// Whether the line is earlier. One kernel's clock does not go back: it is another machine's, or of another report.
    pub(crate) fn is_later_than(&self, frame: &Frame<'_>) -> bool {
        let times = self.last_boot_us.zip(frame.boot_us);
        times.is_some_and(|(last, now)| last.saturating_sub(now) > BACK_US)
    }

    /// Whether the line is of a function that is in the call trace already: none on the way to a kill calls itself.
    pub(crate) fn was_called(&self, line: &KernelLine<'_>) -> bool {
        let KernelLine::StackFrame(StackFrame { function, guess }) = line else {
            return false;
        };
        self.stage <= Stage::Stack
            && !guess
            && self.report.trigger.as_ref().is_some_and(|trigger| {
                trigger
                    .stack
                    .iter()
                    .any(|known| known.as_bytes() == *function)
            })
    }

    /// Whether the line lists the tasks or decides, right behind a call trace. Every kernel prints the memory between the two
    /// (dump_header); where lines were picked out of a log they still follow each other at once.
    pub(crate) fn has_no_middle(&self, line: &KernelLine<'_>) -> bool {
        let is_late = matches!(
            line,
            KernelLine::TasksState
                | KernelLine::TableHeader(_)
                | KernelLine::TaskRow(_)
                | KernelLine::Constraint(_)
                | KernelLine::Announce(_)
                | KernelLine::Killed(_)
        );
        let traced = |trigger: &Trigger| !trigger.stack.is_empty();
        is_late && self.stage == Stage::Stack && self.report.trigger.as_ref().is_some_and(traced)
    }

    /// Whether nothing but the clock tells a line with this framing from this report's.
    pub(crate) fn same_writer(&self, frame: &Frame<'_>) -> bool {
        let same = |ours: &Option<SmolStr>, theirs: Option<&[u8]>| match (ours, theirs) {
            // What is not UTF-8 is kept otherwise than it was printed.
            (Some(ours), Some(theirs)) => ours.as_bytes() == theirs || *ours == text(theirs),
            _ => true,
        };
        frame.believed() == self.origin
            && same(&self.host, frame.host)
            && same(&self.caller, frame.caller)
            && frame.framed == (self.origin != Origin::Unverified || frame.framed)
    }

    /// Whether a bare, indented line goes on with the record before it: dmesg and journalctl print the later lines of a
    /// record so. Raw records and the journal have them inside.
    pub(crate) fn goes_on_with(&self, frame: &Frame<'_>) -> bool {
        (self.stats_open || self.counters_open)
            && self.origin != Origin::Kernel
            && !frame.framed
            && frame.text.starts_with(b"  ")
    }

    /// The latest line that belongs here.
    pub(crate) fn last_text(&self) -> Option<&str> {
        let last = u32::try_from(self.report.text.len()).ok()?.checked_sub(1)?;
        Some(self.report.text.get(last)?.1)
    }

    /// Keeps the line's text and notes that the report went on.
    pub(crate) fn keep(&mut self, frame: &Frame<'_>, number: u64) -> LineIndex {
        self.go_on(frame);
        match std::str::from_utf8(frame.text) {
            Ok(text) => self.report.text.push(number, text),
            Err(_) => self
                .report
                .text
                .push(number, &String::from_utf8_lossy(frame.text)),
        }
    }

    fn go_on(&mut self, frame: &Frame<'_>) {
        self.foreign = 0;
        if let (Some(last), Some(now)) = (self.last_boot_us, frame.boot_us) {
            let faded = self.pause_us - self.pause_us / 8;
            self.pause_us = faded.max(now.saturating_sub(last));
        }
        self.last_boot_us = frame.boot_us.or(self.last_boot_us);
    }

    /// Takes a line if it belongs here. Kill and reaper lines go through [`Draft::kill`] and the assembler.
    pub(crate) fn take(
        &mut self,
        line: &KernelLine<'_>,
        frame: &Frame<'_>,
        number: u64,
        cut: bool,
    ) -> Taken {
        if self.stage == Stage::Killed
            && !matches!(line, KernelLine::Group(_) | KernelLine::Outcome(_))
        {
            return Taken::Foreign;
        }
        match line {
            KernelLine::Other => self.take_row_of_open_list(frame, number, cut),
            KernelLine::Header(header) => self.take_header(header, frame, number),
            KernelLine::Cpuset {
                cpuset,
                mems_allowed,
            } => {
                if self.stage > Stage::Stack
                    || self
                        .report
                        .trigger
                        .as_ref()
                        .is_some_and(|known| known.cpuset.is_some())
                {
                    return Taken::Foreign;
                }
                self.keep(frame, number);
                let trigger = self.trigger();
                trigger.cpuset = Some(text(cpuset));
                trigger.mems_allowed = Some(text(mems_allowed)).filter(|_| !cut);
                Taken::Yes
            }
            KernelLine::Cpu(cpu) => self.take_cpu(cpu, frame, number),
            KernelLine::Hardware(hardware) => {
                if self.stage > Stage::Stack
                    || self
                        .report
                        .trigger
                        .as_ref()
                        .is_none_or(|known| known.hardware.is_some())
                {
                    return Taken::Foreign;
                }
                self.keep(frame, number);
                self.trigger().hardware = Some(text(hardware)).filter(|_| !cut);
                Taken::Yes
            }
            // The kernel prints who it was before how it came there: this call trace is another report's.
            KernelLine::StackMark | KernelLine::StackFrame(_)
                if self.firm.is_some()
                    && self
                        .report
                        .trigger
                        .as_ref()
                        .is_some_and(|known| known.cpu_line.is_none()) =>
            {
                Taken::Conflict
            }
            KernelLine::StackMark | KernelLine::Registers => {
                if self.stage > Stage::Stack || self.stage == Stage::Nothing {
                    return Taken::Foreign;
                }
                self.keep(frame, number);
                Taken::Yes
            }
            KernelLine::StackFrame(StackFrame { function, guess }) => {
                if self.stage > Stage::Stack || self.stage == Stage::Nothing {
                    return Taken::Foreign;
                }
                // A second one is another report's.
                if self.firm.is_some() && self.was_called(line) {
                    return Taken::Conflict;
                }
                self.stage = Stage::Stack;
                self.keep(frame, number);
                if *guess {
                    self.guesses.push(text(function));
                } else {
                    self.trigger().stack.push(text(function));
                }
                Taken::Yes
            }
            KernelLine::TaskIn { victim, limit } => {
                if self
                    .report
                    .memcg
                    .as_ref()
                    .is_some_and(|memcg| memcg.path_line.is_some())
                    || self.stage >= Stage::Table
                {
                    return Taken::Conflict;
                }
                let index = self.enter(Stage::Memory, frame, number);
                let memcg = self.memcg();
                // Alibaba's kernels print the line for the machine's shortage too.
                memcg.path = Some(text(limit)).filter(|limit| limit != "host");
                memcg.victim_path = Some(text(victim));
                memcg.path_line = Some(index);
                Taken::Yes
            }
            KernelLine::Usage(usage) => self.take_usage(usage, frame, number),
            KernelLine::Stats(stats) => self.take_stats(stats, frame, number, cut),
            KernelLine::ShowMem(line) => self.take_show_mem(line, frame, number, cut),
            KernelLine::TasksState => {
                if self.columns.is_some() {
                    return Taken::Conflict;
                }
                self.enter(Stage::Table, frame, number);
                Taken::Yes
            }
            KernelLine::TableHeader(columns) => {
                if self.columns.is_some() || self.stage > Stage::Table {
                    return Taken::Conflict;
                }
                self.enter(Stage::Table, frame, number);
                self.columns = Some(*columns);
                Taken::Yes
            }
            KernelLine::TaskRow(row) => self.take_task(row, frame, number),
            KernelLine::Constraint(constraint) => self.take_constraint(constraint, frame, number),
            KernelLine::Group(path) => {
                // It follows the first kill line; that may be lost, but not the body before it only.
                if (Stage::Header..Stage::Decision).contains(&self.stage) {
                    return Taken::Conflict;
                }
                if self.is_paused(frame) || !self.may_be_group(&text(path)) {
                    return Taken::Foreign;
                }
                let index = self.keep(frame, number);
                let memcg = self.memcg();
                memcg.group_path = Some(text(path));
                memcg.group_line = Some(index);
                for victim in &mut self.report.victims {
                    victim.group_kill = true;
                }
                Taken::Yes
            }
            KernelLine::Outcome(outcome) => {
                let index = self.keep(frame, number);
                self.report.outcomes.push((*outcome, index));
                self.note_panic(*outcome, frame.text);
                if *outcome != Outcome::SysrqIgnored && self.stage < Stage::Killed {
                    self.stage = Stage::Decision;
                }
                Taken::Yes
            }
            KernelLine::SysrqAsked => {
                // A worker calls the OOM killer a moment later: it opens the report whose header is lost.
                if self.stage != Stage::Nothing || self.report.sysrq_line.is_some() {
                    return Taken::Foreign;
                }
                self.report.sysrq_line = Some(self.keep(frame, number));
                Taken::Yes
            }
            KernelLine::Suppressed => {
                let index = self.keep(frame, number);
                self.report.doubts.push((Doubt::LinesLost, Some(index)));
                Taken::Yes
            }
            KernelLine::OtherReport
            | KernelLine::Announce(_)
            | KernelLine::Killed(_)
            | KernelLine::Sharing { .. }
            | KernelLine::Reaped(_)
            | KernelLine::ReapFailed { .. } => Taken::Foreign,
        }
    }

    fn enter(&mut self, stage: Stage, frame: &Frame<'_>, number: u64) -> LineIndex {
        self.stage = self.stage.max(stage);
        self.close_lists();
        self.keep(frame, number)
    }

    fn close_lists(&mut self) {
        self.stats_open = false;
        self.counters_open = false;
        self.slab_open = false;
    }

    fn trigger(&mut self) -> &mut Trigger {
        self.report.trigger.get_or_insert_with(Trigger::default)
    }

    fn memcg(&mut self) -> &mut Memcg {
        self.report.memcg.get_or_insert_with(Memcg::default)
    }

    fn take_header(&mut self, header: &Header<'_>, frame: &Frame<'_>, number: u64) -> Taken {
        if self.stage != Stage::Nothing {
            return Taken::Conflict;
        }
        let index = self.enter(Stage::Header, frame, number);
        let trigger = self.trigger();
        trigger.comm = text(name::of_header(header.comm, frame.framed, number));
        trigger.gfp_mask = header.gfp_mask;
        trigger.gfp_flags = header
            .gfp_flags
            .filter(|flags| !flags.is_empty())
            .map(|flags| flags.split(|byte| *byte == b'|').map(text).collect())
            .unwrap_or_default();
        trigger.order = header.order;
        trigger.oom_score_adj = header.oom_score_adj;
        trigger.nodemask = header.nodemask.map(text);
        trigger.line = Some(index);
        Taken::Yes
    }

    fn take_cpu(&mut self, cpu: &CpuLine<'_>, frame: &Frame<'_>, number: u64) -> Taken {
        let known = self.report.trigger.as_ref();
        if self.stage > Stage::Stack || known.is_none_or(|known| known.cpu_line.is_some()) {
            return Taken::Foreign;
        }
        let comm = text(cpu.comm);
        // A header whose start is lost shows the end of the name only.
        let header_comm = known.map(|known| known.comm.clone()).unwrap_or_default();
        if comm != header_comm {
            if !header_comm.ends_with(comm.as_str()) && !comm.ends_with(header_comm.as_str()) {
                // Another report's, whose header is lost.
                return Taken::Conflict;
            }
            self.report.doubts.push((Doubt::TriggerMismatch, None));
        }
        let index = self.keep(frame, number);
        // The call trace comes after this line: what came before was another's.
        self.stage = Stage::Header;
        self.guesses.clear();
        let trigger = self.trigger();
        trigger.stack.clear();
        trigger.comm = comm;
        trigger.pid = Some(cpu.pid);
        trigger.cpu = cpu.cpu;
        trigger.uid = cpu.uid;
        trigger.kernel_release = cpu.release.map(text);
        trigger.cpu_line = Some(index);
        if let Some(release) = cpu.release {
            self.report.kernel_release = Some(text(release));
            self.report.kernel = std::str::from_utf8(release)
                .ok()
                .and_then(KernelVersion::parse);
        }
        Taken::Yes
    }

    fn take_constraint(
        &mut self,
        line: &ConstraintLine<'_>,
        frame: &Frame<'_>,
        number: u64,
    ) -> Taken {
        if self.report.constraint_line.is_some() || self.spares_all() {
            return Taken::Conflict;
        }
        let index = self.enter(Stage::Decision, frame, number);
        self.apply_constraint(line, index);
        Taken::Yes
    }

    /// Fills in what the `oom-kill:` line says.
    pub(crate) fn apply_constraint(&mut self, line: &ConstraintLine<'_>, index: LineIndex) {
        self.report.constraint_line = Some(index);
        let named = match line.constraint {
            b"CONSTRAINT_MEMCG" => Some(Scope::Memcg),
            b"CONSTRAINT_NONE" => Some(Scope::Global),
            b"CONSTRAINT_CPUSET" => Some(Scope::Cpuset),
            b"CONSTRAINT_MEMORY_POLICY" => Some(Scope::Mempolicy),
            _ => None,
        };
        self.report.scope = named;
        // 5.0 to 5.2 print the constraint before it is computed: a memcg's path in the same line settles it.
        if line.oom_memcg.is_some() && named != Some(Scope::Memcg) {
            self.report.scope = Some(Scope::Memcg);
            self.constraint_wrong = true;
        }
        if line.oom_memcg.is_some() || line.task_memcg.is_some() {
            let memcg = self.memcg();
            memcg.path = line.oom_memcg.map(text).or_else(|| memcg.path.take());
            memcg.victim_path = line
                .task_memcg
                .map(text)
                .or_else(|| memcg.victim_path.take());
            memcg.path_line = Some(index);
        }
        let trigger = self.report.trigger.get_or_insert_with(Trigger::default);
        trigger.cpuset = line.cpuset.map(text).or_else(|| trigger.cpuset.take());
        trigger.mems_allowed = line
            .mems_allowed
            .map(text)
            .or_else(|| trigger.mems_allowed.take());
        trigger.nodemask = line
            .nodemask
            .filter(|mask| *mask != b"(null)")
            .map(text)
            .or_else(|| trigger.nodemask.take());
    }
}
