//! The victims of a draft: announced, killed, taken along, and given back where they turn out to be another report's.

use smol_str::SmolStr;

use super::{Draft, Stage};
use crate::assemble::PAUSE_US;
use crate::cursor::text;
use crate::frame::Frame;
use crate::kernel::KernelLine;
use crate::kernel::kill::{Cause, Killed};
use crate::report::{Doubt, LineIndex, OomReport, Outcome, Scope, Stamp, Trigger, Victim};

impl Draft {
    /// The pid that the `oom-kill:` line names.
    pub(crate) fn chosen(&self) -> Option<u32> {
        self.chosen_process().map(|chosen| chosen.0)
    }

    /// The pid, name and user that the `oom-kill:` line names.
    fn chosen_process(&self) -> Option<(u32, Option<SmolStr>, Option<u32>)> {
        let (_, line) = self.report.text.get(self.report.constraint_line?)?;
        match crate::kernel::read(line.as_bytes(), false) {
            KernelLine::Constraint(line) => Some((line.pid?, line.task.map(text), line.uid)),
            _ => None,
        }
    }

    /// Whom the `oom-kill:` line names, where no line says that it, another or nobody was killed.
    pub(crate) fn chosen_only(&self) -> Option<Victim> {
        if !self.report.victims.is_empty() || !self.report.outcomes.is_empty() {
            return None;
        }
        let (pid, comm, uid) = self.chosen_process()?;
        Some(Victim {
            pid,
            comm: comm.filter(|comm| !comm.is_empty())?,
            uid,
            lines: self.report.constraint_line.into_iter().collect(),
            ..Victim::default()
        })
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

    /// Whether the kernel's clock went on for so long since its last line that the line need not be one of its.
    pub(crate) fn is_paused(&self, frame: &Frame<'_>) -> bool {
        let times = self.last_boot_us.zip(frame.boot_us);
        times.is_some_and(|(last, now)| now.saturating_sub(last) > PAUSE_US)
    }

    /// Whether all there is of it is a header on the line before that one: lines picked out by their words. No report has
    /// them one behind the other.
    pub(crate) fn is_header_right_before(&self, frame: &Frame<'_>, number: u64) -> bool {
        self.stage == Stage::Header
            && !self.is_paused(frame)
            && self.report.text.len() == 1
            && self
                .report
                .text
                .last_line()
                .is_some_and(|last| number.saturating_sub(last) <= 2)
    }

    /// Whether the `oom-kill:` line names a thread of the process that this kill line names: one that was exiting gives
    /// its place to another (`find_lock_task_mm`, mm/oom_kill.c).
    pub(crate) fn chose_thread_of(&self, killed: &Killed<'_>) -> bool {
        self.chosen_only().is_some_and(|chosen| {
            let listed = self.report.tasks.iter().any(|task| task.pid == chosen.pid);
            chosen.comm.as_bytes() == killed.comm && !listed
        })
    }

    /// Whether the kernel said that it kills nobody.
    pub(crate) fn spares_all(&self) -> bool {
        self.report
            .outcomes
            .iter()
            .any(|(outcome, _)| *outcome == Outcome::NoKillableProcesses)
    }

    /// Whether the table has the process of a kill line.
    pub(crate) fn lists(&self, killed: &Killed<'_>) -> bool {
        self.report
            .tasks
            .iter()
            .any(|task| task.pid == killed.pid && task.comm.as_bytes() == killed.comm)
    }

    /// Whether the line shows that the kill line taken was another report's: this one goes on without it.
    pub(crate) fn goes_on_after_kill(&self, line: &KernelLine<'_>, frame: &Frame<'_>) -> bool {
        if self.stage != Stage::Killed {
            return false;
        }
        if matches!(line, KernelLine::Other) {
            return self.killed_at == Stage::Memory && self.is_next_stat(frame);
        }
        (Stage::Header..Stage::Memory).contains(&self.killed_at)
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
            boot_ordinal: self.report.boot_ordinal,
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
        self.killed_at = Stage::Nothing;
        apart
    }

    /// Adds the process that a `Killed process` line names; says whether it belongs to this report.
    pub(crate) fn kill(&mut self, killed: &Killed<'_>, index: LineIndex) {
        if self.stage < Stage::Killed {
            self.killed_at = self.stage;
        }
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

    fn note_cause(&mut self, cause: Cause) {
        if cause != Cause::Unsaid {
            self.cause = cause;
        }
    }

    /// A panic whose words say that the whole machine was short (check_panic_on_oom and out_of_memory, mm/oom_kill.c);
    /// a `compulsory` one may be of a cgroup.
    pub(super) fn note_panic(&mut self, outcome: Outcome, text: &[u8]) {
        let of_machine = match outcome {
            Outcome::Panic => [b"system-wide".as_slice(), b"no killable"]
                .iter()
                .any(|words| crate::cursor::contains(text, words)),
            // Where a cgroup's limit was hit its charge fails (out_of_memory, mm/oom_kill.c).
            Outcome::Deadlocked => true,
            _ => false,
        };
        if of_machine && self.cause == Cause::Unsaid {
            self.cause = Cause::Machine;
        }
    }

    /// Whether a kill line's own words contradict what is known of this report.
    pub(crate) fn contradicts(&self, cause: Cause) -> bool {
        let memcg = self.report.memcg.as_ref();
        let of_memcg =
            memcg.is_some_and(|memcg| memcg.memory.line.is_some() || memcg.path.is_some());
        match cause {
            // The machine's memory is printed in place of the memcg's (dump_header), before 3.x behind it.
            Cause::Memcg => {
                let is_global = matches!(self.report.scope, Some(Scope::Global));
                is_global && !self.constraint_wrong || self.mem_info_seen && !of_memcg
            }
            Cause::Machine | Cause::AllocatingTask => of_memcg,
            Cause::Unsaid => false,
        }
    }

    /// Whether it decided for the process of a kill line whose words contradict the rest: it holds lines of two reports.
    pub(crate) fn is_of_two(&self, killed: &Killed<'_>) -> bool {
        self.stage < Stage::Killed
            && self.contradicts(killed.cause)
            && (self.chosen() == Some(killed.pid) || self.lists(killed))
    }

    /// Forgets all but who asked for memory: the rest may be another report's.
    pub(crate) fn forget_body(&mut self) {
        let report = std::mem::take(&mut self.report);
        self.pids.clear();
        self.guesses.clear();
        self.report = OomReport {
            text: report.text,
            provenance: report.provenance,
            time: report.time,
            node: report.node,
            boot_id: report.boot_id,
            boot_ordinal: report.boot_ordinal,
            trigger: report
                .trigger
                .filter(|trigger| trigger.line.is_some())
                .map(|trigger| Trigger {
                    // The call trace and what the `oom-kill:` line adds stand after the header.
                    stack: Vec::new(),
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
            trigger.line.is_some()
                && trigger.cpu_line.is_some()
                && !(trigger.stack.is_empty() && self.guesses.is_empty())
        }) && memory
            && !report.tasks.is_empty()
    }
}

/// Fills in what the kill line says.
pub(crate) fn fill(victim: &mut Victim, killed: &Killed<'_>) {
    victim.uid = killed.uid;
    victim.total_vm_kib = killed.total_vm_kib;
    victim.anon_rss_kib = killed.anon_rss_kib;
    victim.file_rss_kib = killed.file_rss_kib;
    victim.shmem_rss_kib = killed.shmem_rss_kib;
    victim.pgtables_kib = killed.pgtables_kib;
    victim.oom_score_adj = killed.oom_score_adj;
}
