//! A report in the making: takes lines in the order of a log and fills an [`OomReport`].
//!
//! Knows the order in which a kernel prints the sections, and refuses a line that does not belong where it stands.
//! Which draft a line goes to is decided in [`crate::assemble`].

mod finish;
mod system;

use smol_str::SmolStr;

use crate::assemble::PAUSE_US;
use crate::cursor::text;
use crate::frame::{Frame, Origin};
use crate::kernel::kill::{Cause, ConstraintLine, Killed};
use crate::kernel::memcg::{CounterKind, StatsLine, Usage, read_inline, read_stat};
use crate::kernel::table::Columns;
use crate::kernel::trigger::{CpuLine, Header};
use crate::kernel::{KernelLine, memcg};
use crate::kernel_version::KernelVersion;
use crate::report::{
    Counter, Doubt, LineIndex, Memcg, MemcgStats, OomReport, Outcome, Provenance, Scope, Stamp,
    StatUnit, Trigger, Victim,
};
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
    /// What stood firm when another report began inside this one.
    pub(crate) firm: Option<Box<Draft>>,
    /// The kill line came where more of the report was to come.
    killed_early: bool,
    columns: Option<Columns>,
    /// Rows of memory.stat may follow.
    stats_open: bool,
    /// The record with the machine's counters goes on over several lines.
    counters_open: bool,
    /// Rows of the slab list may follow.
    slab_open: bool,
    mem_info_seen: bool,
    cause: Cause,
    /// The kernel's constraint word contradicts the rest of its line (5.0 to 5.2).
    constraint_wrong: bool,
}

impl Draft {
    /// An empty draft for the writer and time of `frame`.
    pub(crate) fn new(frame: &Frame<'_>, assumptions: &Assumptions) -> Self {
        let report = OomReport {
            provenance: match frame.believed() {
                Origin::Kernel => Provenance::Kernel,
                Origin::KernelTag => Provenance::KernelTag,
                Origin::Unverified | Origin::Other => Provenance::Unverified,
            },
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
            firm: None,
            killed_early: false,
            columns: None,
            stats_open: false,
            counters_open: false,
            slab_open: false,
            mem_info_seen: false,
            cause: Cause::Unsaid,
            constraint_wrong: false,
        }
    }

    /// Whether a line with this framing can be part of this report.
    pub(crate) fn could_hold(&self, frame: &Frame<'_>) -> bool {
        // One kernel's clock does not go back: an earlier line is another machine's, or of another report.
        let goes_back = self
            .last_boot_us
            .zip(frame.boot_us)
            .is_some_and(|(last, now)| last.saturating_sub(now) > BACK_US);
        !goes_back && self.same_writer(frame)
    }

    /// Whether nothing but the clock tells a line with this framing from this report's.
    pub(crate) fn same_writer(&self, frame: &Frame<'_>) -> bool {
        let same = |ours: &Option<SmolStr>, theirs: Option<&[u8]>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours.as_bytes() == theirs,
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

    /// Keeps the line's text and notes that the report went on.
    pub(crate) fn keep(&mut self, frame: &Frame<'_>, number: u64) -> LineIndex {
        self.foreign = 0;
        self.last_boot_us = frame.boot_us.or(self.last_boot_us);
        match std::str::from_utf8(frame.text) {
            Ok(text) => self.report.text.push(number, text),
            Err(_) => self
                .report
                .text
                .push(number, &String::from_utf8_lossy(frame.text)),
        }
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
            KernelLine::StackFrame(function) => {
                if self.stage > Stage::Stack || self.stage == Stage::Nothing {
                    return Taken::Foreign;
                }
                // No kernel function of this path calls itself: a second one is another report's.
                let known = self
                    .report
                    .trigger
                    .as_ref()
                    .map(|trigger| trigger.stack.as_slice())
                    .unwrap_or_default();
                if self.firm.is_some()
                    && function.is_some_and(|function| {
                        known.iter().any(|known| known.as_bytes() == function)
                    })
                {
                    return Taken::Conflict;
                }
                self.stage = Stage::Stack;
                self.keep(frame, number);
                if let Some(function) = function {
                    let page_fault = function.starts_with(b"pagefault_out_of_memory");
                    let function = text(function);
                    let trigger = self.trigger();
                    trigger.page_fault |= page_fault;
                    trigger.stack.push(function);
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
                if *outcome != Outcome::SysrqIgnored && self.stage < Stage::Killed {
                    self.stage = Stage::Decision;
                }
                Taken::Yes
            }
            KernelLine::Suppressed => {
                let index = self.keep(frame, number);
                self.report.doubts.push((Doubt::LinesLost, Some(index)));
                Taken::Yes
            }
            KernelLine::Announce(_)
            | KernelLine::Killed(_)
            | KernelLine::Sharing { .. }
            | KernelLine::Reaped(_)
            | KernelLine::ReapFailed { .. } => Taken::Foreign,
        }
    }

    fn enter(&mut self, stage: Stage, frame: &Frame<'_>, number: u64) -> LineIndex {
        self.stage = self.stage.max(stage);
        self.stats_open = false;
        self.counters_open = false;
        self.slab_open = false;
        self.keep(frame, number)
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
        // Framing whose start is lost leaves its last bracket or quote before the name.
        let lost = header
            .comm
            .iter()
            .rposition(|byte| {
                matches!(byte, b']' | b'"' | 0) || number == 1 && matches!(byte, b';' | b'=')
            })
            .filter(|_| !frame.framed);
        let comm = lost
            .and_then(|at| header.comm.get(at + 1..))
            .map_or(header.comm, |comm| comm.trim_ascii_start());
        // What is longer than any name, or stands at the very start of a bare log, may be the rest of a cut line:
        // its last word is the name's, or at least its end. The `CPU:` line settles it.
        let doubtful = comm.len() > 15 || (number == 1 && !frame.framed);
        let comm = match comm.iter().rposition(u8::is_ascii_whitespace) {
            Some(at) if doubtful => comm.get(at + 1..).unwrap_or(comm),
            _ => comm,
        };
        let trigger = self.trigger();
        trigger.comm = text(comm);
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
        if self.stage > Stage::Header || known.is_none_or(|known| known.cpu_line.is_some()) {
            return Taken::Foreign;
        }
        let comm = text(cpu.comm);
        // A header whose start is lost shows the end of the name only.
        let header_comm = known.map(|known| known.comm.clone()).unwrap_or_default();
        if comm != header_comm {
            if !header_comm.ends_with(comm.as_str()) && !comm.ends_with(header_comm.as_str()) {
                return Taken::Foreign;
            }
            self.report.doubts.push((Doubt::TriggerMismatch, None));
        }
        let index = self.keep(frame, number);
        let trigger = self.trigger();
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

    fn take_usage(&mut self, usage: &Usage, frame: &Frame<'_>, number: u64) -> Taken {
        // Sysrq-f is about the machine, never about a cgroup's limit.
        let sysrq = self
            .report
            .trigger
            .as_ref()
            .is_some_and(|known| known.order == Some(-1));
        if self.stage >= Stage::Table || sysrq {
            return Taken::Conflict;
        }
        let known = self
            .report
            .memcg
            .as_ref()
            .is_some_and(|memcg| counter(memcg, usage.kind).line.is_some());
        if known {
            return Taken::Conflict;
        }
        let index = self.enter(Stage::Memory, frame, number);
        *counter_mut(self.memcg(), usage.kind) = Counter {
            usage_kib: Some(usage.usage_kib),
            limit_kib: usage.limit_kib,
            failcnt: usage.failcnt,
            line: Some(index),
        };
        Taken::Yes
    }

    fn take_stats(
        &mut self,
        stats: &StatsLine<'_>,
        frame: &Frame<'_>,
        number: u64,
        cut: bool,
    ) -> Taken {
        if self.stage >= Stage::Table {
            return Taken::Conflict;
        }
        let index = self.enter(Stage::Memory, frame, number);
        let inline = !stats.inline.trim_ascii().is_empty();
        let entry = MemcgStats {
            path: Some(stats.path).filter(|path| !path.is_empty()).map(text),
            fields: read_inline(stats.inline, cut),
            unit: if inline {
                StatUnit::KB
            } else {
                StatUnit::Bytes
            },
            line: Some(index),
        };
        self.memcg().stats.push(entry);
        self.stats_open = !inline;
        Taken::Yes
    }

    /// Rows that mean something only behind the line that announces them.
    fn take_row_of_open_list(&mut self, frame: &Frame<'_>, number: u64, cut: bool) -> Taken {
        let pause_us = self
            .last_boot_us
            .zip(frame.boot_us)
            .map_or(0, |(last, now)| now.saturating_sub(last));
        if self.stats_open && self.stage == Stage::Memory && pause_us <= PAUSE_US {
            let rows = stat_rows(frame.text, cut);
            // Each name stands once in a list: this row is another's.
            let known = self.memcg().stats.last();
            if rows
                .iter()
                .any(|((name, _), _)| known.is_some_and(|known| known.fields.get(name).is_some()))
            {
                return Taken::Conflict;
            }
            if !rows.is_empty() {
                self.keep(frame, number);
                if let Some(stats) = self.memcg().stats.last_mut() {
                    for (row, unit) in rows {
                        if stats.fields.is_empty() {
                            stats.unit = unit;
                        }
                        stats.fields.0.push(row);
                    }
                }
                return Taken::Yes;
            }
        }
        if self.slab_open {
            return self.take_slab_row(frame, number);
        }
        Taken::Foreign
    }

    fn take_task(&mut self, row: &[u8], frame: &Frame<'_>, number: u64) -> Taken {
        if self.stage > Stage::Table || (self.stage == Stage::Stack && self.columns.is_none()) {
            return Taken::Foreign;
        }
        let guessed = self.columns.is_none();
        let Some(columns) = self.columns.or_else(|| Columns::guess(row)) else {
            return Taken::Foreign;
        };
        let index = u32::try_from(self.report.text.len()).unwrap_or(u32::MAX);
        let Some(task) = columns.read(row, index) else {
            return Taken::Foreign;
        };
        // The same row again is another report's; ascending pids are the usual order, so only the last rows are looked at.
        if self
            .report
            .tasks
            .iter()
            .rev()
            .take(64)
            .any(|known| known.pid == task.pid)
        {
            return Taken::Conflict;
        }
        if guessed {
            self.report
                .doubts
                .push((Doubt::TableHeaderMissing, Some(index)));
            self.columns = Some(columns);
        }
        self.enter(Stage::Table, frame, number);
        self.report.tasks.push(task);
        Taken::Yes
    }

    fn take_constraint(
        &mut self,
        line: &ConstraintLine<'_>,
        frame: &Frame<'_>,
        number: u64,
    ) -> Taken {
        if self.report.constraint_line.is_some() {
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

    /// The pid that the `oom-kill:` line names.
    pub(crate) fn chosen(&self) -> Option<u32> {
        let (_, text) = self.report.text.get(self.report.constraint_line?)?;
        match crate::kernel::read(text.as_bytes(), false) {
            KernelLine::Constraint(line) => line.pid,
            _ => None,
        }
    }

    /// Adds the process that a `Kill process` line announces.
    pub(crate) fn announce(
        &mut self,
        pid: u32,
        comm: &[u8],
        score: Option<u64>,
        cause: Cause,
        index: LineIndex,
    ) {
        self.stage = self.stage.max(Stage::Decision);
        self.note_cause(cause);
        self.report.victims.push(Victim {
            pid,
            comm: text(comm),
            score,
            announced_only: true,
            lines: vec![index],
            ..Victim::default()
        });
    }

    /// Adds the process that a `Killed process` line names; says whether it belongs to this report.
    pub(crate) fn kill(&mut self, killed: &Killed<'_>, index: LineIndex) {
        self.killed_early = (Stage::Header..Stage::Memory).contains(&self.stage);
        self.stage = Stage::Killed;
        self.note_cause(killed.cause);
        let group_kill = self
            .report
            .memcg
            .as_ref()
            .is_some_and(|memcg| memcg.group_line.is_some());
        if let Some(known) = self
            .report
            .victims
            .iter_mut()
            .find(|known| known.pid == killed.pid)
        {
            // A group kill names the first victim again, when parts of it are gone already.
            known.lines.push(index);
            known.announced_only = false;
            known.group_kill |= group_kill;
            if known.total_vm_kib.is_none() {
                fill(known, killed);
            }
        } else {
            let mut victim = Victim {
                pid: killed.pid,
                comm: text(killed.comm),
                group_kill,
                lines: vec![index],
                ..Victim::default()
            };
            fill(&mut victim, killed);
            self.report.victims.push(victim);
        }
        if killed.cut {
            self.report.doubts.push((Doubt::LineCut, Some(index)));
        }
    }

    /// Adds a process that dies because it shares the victim's memory.
    pub(crate) fn share(&mut self, pid: u32, comm: &[u8], index: LineIndex) {
        if self.report.victims.iter().any(|known| known.pid == pid) {
            return;
        }
        self.report.victims.push(Victim {
            pid,
            comm: text(comm),
            shares_memory: true,
            lines: vec![index],
            ..Victim::default()
        });
    }

    /// Forgets all but who asked for memory: the rest may be another report's.
    pub(crate) fn forget_body(&mut self) {
        let report = std::mem::take(&mut self.report);
        self.report = OomReport {
            text: report.text,
            provenance: report.provenance,
            time: report.time,
            node: report.node,
            boot_id: report.boot_id,
            trigger: report
                .trigger
                .filter(|trigger| trigger.line.is_some())
                .map(|trigger| Trigger {
                    // The call trace and what the `oom-kill:` line adds stand after the header.
                    stack: Vec::new(),
                    page_fault: false,
                    ..trigger
                }),
            ..OomReport::default()
        };
        if let Some(trigger) = self
            .report
            .trigger
            .as_mut()
            .filter(|trigger| trigger.cpu_line.is_none())
        {
            trigger.pid = None;
        }
        self.stage = self.stage.min(Stage::Header);
    }

    /// Whether a kill line can follow what is there. Since 5.1 it names its cause, and the `oom-kill:` line stands before
    /// it: where a body is there and that line is not, only the table shows that both are one report's.
    pub(crate) fn may_end_with(&self, killed: &Killed<'_>) -> bool {
        let announced = self.report.constraint_line.is_some() || !self.report.victims.is_empty();
        if killed.cause == Cause::Unsaid || announced {
            return true;
        }
        let headed = self
            .report
            .trigger
            .as_ref()
            .is_some_and(|trigger| trigger.line.is_some());
        match self.stage {
            Stage::Table => self.lists(killed),
            _ => !headed,
        }
    }

    /// Whether the table has the process of a kill line.
    pub(crate) fn lists(&self, killed: &Killed<'_>) -> bool {
        self.report
            .tasks
            .iter()
            .any(|task| task.pid == killed.pid && task.comm.as_bytes() == killed.comm)
    }

    /// Whether the line shows that the kill line taken was another report's: this one goes on without it.
    pub(crate) fn goes_on_after_kill(&self, line: &KernelLine<'_>) -> bool {
        self.stage == Stage::Killed
            && self.killed_early
            && matches!(
                line,
                KernelLine::Cpuset { .. }
                    | KernelLine::Cpu(_)
                    | KernelLine::Hardware(_)
                    | KernelLine::StackMark
                    | KernelLine::StackFrame(_)
                    | KernelLine::Registers
                    | KernelLine::TaskIn { .. }
                    | KernelLine::Usage(_)
                    | KernelLine::Stats(_)
                    | KernelLine::ShowMem(_)
                    | KernelLine::TasksState
            )
    }

    /// Takes the victims out, with their lines, as a report of their own.
    pub(crate) fn split_victims(&mut self) -> Self {
        let mut apart = self.clone();
        let mut victims = std::mem::take(&mut self.report.victims);
        apart.report = OomReport {
            provenance: self.report.provenance,
            time: Stamp {
                boot_us: self.last_boot_us,
                ..self.report.time
            },
            node: self.report.node.clone(),
            boot_id: self.report.boot_id.clone(),
            ..OomReport::default()
        };
        for victim in &mut victims {
            for index in &mut victim.lines {
                if let Some((number, text)) = self.report.text.get(*index) {
                    *index = apart.report.text.push(number, text);
                }
            }
        }
        apart.report.victims = victims;
        self.forget_body();
        self.cause = Cause::Unsaid;
        self.killed_early = false;
        apart
    }

    /// Whether all sections before the kill line are there.
    pub(crate) fn is_whole(&self) -> bool {
        let report = &self.report;
        let trigger = report.trigger.as_ref();
        let memory = report
            .memcg
            .as_ref()
            .is_some_and(|memcg| memcg.memory.line.is_some())
            || self.mem_info_seen;
        trigger.is_some_and(|trigger| {
            trigger.line.is_some() && trigger.cpu_line.is_some() && !trigger.stack.is_empty()
        }) && memory
            && !report.tasks.is_empty()
    }

    fn note_cause(&mut self, cause: Cause) {
        if cause != Cause::Unsaid {
            self.cause = cause;
        }
    }

    /// Whether a kill line's own words contradict what is known of this report.
    pub(crate) fn contradicts(&self, cause: Cause) -> bool {
        match cause {
            Cause::Memcg => {
                matches!(self.report.scope, Some(Scope::Global)) && !self.constraint_wrong
            }
            Cause::Machine | Cause::AllocatingTask => self
                .report
                .memcg
                .as_ref()
                .is_some_and(|memcg| memcg.memory.line.is_some() || memcg.path.is_some()),
            Cause::Unsaid => false,
        }
    }
}

/// The rows of memory.stat in one line of a log. 5.3 to 6.4 print the whole file as one record: its line ends come as
/// they are (raw records, the journal) or as `#012` (rsyslog).
fn stat_rows(text: &[u8], cut: bool) -> Vec<((SmolStr, u64), StatUnit)> {
    let mut rows = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut rest = line;
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest, b"#012");
            let row = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
            rest = end.and_then(|end| rest.get(end + 4..)).unwrap_or_default();
            // The last row of a cut line may have lost digits.
            let whole = !cut || !rest.is_empty();
            // v1 builds between the two forms print `cache:1234KB` rows.
            let found = read_stat(row)
                .filter(|_| whole)
                .map(|row| (row, StatUnit::Bytes))
                .or_else(|| {
                    let mut inline = memcg::read_inline(row, cut).0.into_iter();
                    inline
                        .next()
                        .filter(|_| inline.next().is_none())
                        .map(|row| (row, StatUnit::KB))
                });
            rows.extend(found);
        }
    }
    rows
}

fn fill(victim: &mut Victim, killed: &Killed<'_>) {
    victim.uid = killed.uid;
    victim.total_vm_kib = killed.total_vm_kib;
    victim.anon_rss_kib = killed.anon_rss_kib;
    victim.file_rss_kib = killed.file_rss_kib;
    victim.shmem_rss_kib = killed.shmem_rss_kib;
    victim.pgtables_kib = killed.pgtables_kib;
    victim.oom_score_adj = killed.oom_score_adj;
}

fn counter(memcg: &Memcg, kind: CounterKind) -> &Counter {
    match kind {
        CounterKind::Memory => &memcg.memory,
        CounterKind::MemorySwap => &memcg.memsw,
        CounterKind::Kmem => &memcg.kmem,
        CounterKind::Swap => &memcg.swap,
    }
}

fn counter_mut(memcg: &mut Memcg, kind: CounterKind) -> &mut Counter {
    match kind {
        CounterKind::Memory => &mut memcg.memory,
        CounterKind::MemorySwap => &mut memcg.memsw,
        CounterKind::Kmem => &mut memcg.kmem,
        CounterKind::Swap => &mut memcg.swap,
    }
}
