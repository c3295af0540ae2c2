//! The end of a draft: what the lines say together, and what is missing.

use super::{Draft, Stage};
use crate::gfp;
use crate::kernel::kill::Cause;
use crate::report::{Doubt, Missing, OomReport, Outcome, Scope, Trigger};

impl Draft {
    /// Whether anything in the draft shows that the OOM killer was at work.
    pub(crate) fn is_oom(&self) -> bool {
        self.report
            .trigger
            .as_ref()
            .is_some_and(|trigger| trigger.line.is_some())
            || self.report.constraint_line.is_some()
            || !self.report.victims.is_empty()
            // No other part of the kernel prints this table.
            || self.columns.is_some() && !self.report.tasks.is_empty()
            || self
                .report
                .memcg
                .as_ref()
                .is_some_and(|memcg| memcg.memory.line.is_some() || memcg.path_line.is_some())
            || self
                .report
                .outcomes
                .iter()
                .any(|(outcome, _)| *outcome != Outcome::Deadlocked)
    }

    /// The finished report.
    pub(crate) fn finish(mut self) -> OomReport {
        self.settle_stack();
        self.settle_scope();
        self.settle_path();
        self.settle_page_size();
        self.settle_trigger();
        self.settle_victims();
        if self.constraint_wrong {
            self.report
                .doubts
                .push((Doubt::KernelBug, self.report.constraint_line));
        }
        self.note_missing();
        self.report
    }

    /// Kernels without a reliable unwinder (Debian's 4.9) mark every function as a guess: then the guesses are the
    /// trace. Where its end is lost, the functions that are no guesses may be, too.
    fn settle_stack(&mut self) {
        let ended = self.stage > Stage::Stack;
        let Some(trigger) = self.report.trigger.as_mut() else {
            return;
        };
        if trigger.stack.is_empty() && ended {
            trigger.stack = self.guesses.clone();
        }
        trigger.page_fault = trigger
            .stack
            .iter()
            .any(|function| function.starts_with("pagefault_out_of_memory"));
    }

    fn settle_scope(&mut self) {
        let trigger = self.report.trigger.as_ref();
        // order=-1 (4.3+): out_of_memory was called by the sysrq handler (is_sysrq_oom, mm/oom_kill.c); before, only the
        // call trace shows it.
        let by_key = |trigger: &Trigger| {
            trigger.order == Some(-1)
                || trigger
                    .stack
                    .iter()
                    .any(|function| function.starts_with("moom_callback"))
        };
        let by_handler = self.report.sysrq_line.is_some() && self.cause != Cause::Memcg;
        if by_handler || trigger.is_some_and(by_key) {
            self.report.scope = Some(Scope::Sysrq);
            return;
        }
        let memcg = self.report.memcg.as_ref();
        let by_memcg = self.cause == Cause::Memcg
            || memcg.is_some_and(|memcg| memcg.path.is_some() || memcg.memory.line.is_some());
        if self.report.scope.is_some() {
            return;
        }
        let machine =
            matches!(self.cause, Cause::Machine | Cause::AllocatingTask) || self.mem_info_seen;
        // A cgroup's OOM that panics prints the machine's memory (dump_header without a memcg, before 4.x).
        let called_by_memcg = self.cause == Cause::Unsaid
            && trigger.is_some_and(|trigger| {
                trigger.stack.iter().any(|function| {
                    function.starts_with("mem_cgroup_out_of_memory")
                        || function.starts_with("mem_cgroup_oom_synchronize")
                })
            });
        self.report.scope = if by_memcg || called_by_memcg {
            Some(Scope::Memcg)
        } else if machine {
            Some(self.scope_of_nodes())
        } else {
            self.scope_of_stack()
        };
    }

    /// Where all the rest is lost: how the kernel came to call the OOM killer.
    fn scope_of_stack(&self) -> Option<Scope> {
        let stack = &self.report.trigger.as_ref()?.stack;
        let called = |name: &str| stack.iter().any(|function| function.starts_with(name));
        const OF_A_CGROUP: [&str; 3] = [
            "mem_cgroup_out_of_memory",
            "mem_cgroup_oom_synchronize",
            "try_charge",
        ];
        if OF_A_CGROUP.into_iter().any(called) {
            Some(Scope::Memcg)
        } else if called("__alloc_pages") || called("pagefault_out_of_memory") {
            // Before 3.16 the functions below `__alloc_pages_nodemask` are part of it.
            Some(self.scope_of_nodes())
        } else {
            None
        }
    }

    /// Before 5.0 the constraint is not printed: the nodes of the report against those that were allowed tell
    /// (constrained_alloc, mm/oom_kill.c).
    fn scope_of_nodes(&self) -> Scope {
        let (Some(trigger), Some(system)) =
            (self.report.trigger.as_ref(), self.report.system.as_ref())
        else {
            return Scope::Global;
        };
        let outside = |list: Option<&str>| {
            list.is_some_and(|list| {
                system
                    .zones
                    .iter()
                    .any(|zone| node_in(list, zone.node) == Some(false))
            })
        };
        let mems = trigger.mems_allowed.as_deref();
        if outside(mems) {
            Scope::Cpuset
        } else if outside(trigger.nodemask.as_deref()) {
            Scope::Mempolicy
        } else {
            Scope::Global
        }
    }

    /// Where nobody was chosen no line names the cgroup; the first statistics behind the usage lines are its own
    /// (mem_cgroup_print_oom_meminfo).
    fn settle_path(&mut self) {
        let Some(memcg) = self
            .report
            .memcg
            .as_mut()
            .filter(|memcg| memcg.path.is_none())
        else {
            return;
        };
        let usage = [
            memcg.memory.line,
            memcg.memsw.line,
            memcg.kmem.line,
            memcg.swap.line,
        ]
        .into_iter()
        .flatten()
        .max();
        let first = memcg
            .stats
            .first()
            .and_then(|stats| Some((stats.path.clone()?, stats.line?)));
        if let (Some(usage), Some((path, line))) = (usage, first)
            && line == usage + 1
        {
            memcg.path = Some(path);
            memcg.path_line = Some(line);
        }
    }

    /// The same number printed in pages and in kB gives the page size.
    fn settle_page_size(&mut self) {
        let report = &mut self.report;
        let power = |bytes: u64| {
            (bytes.is_power_of_two() && (4096..=1 << 20).contains(&bytes)).then_some(bytes)
        };
        let of_victim = report.victims.iter().find_map(|victim| {
            let task = report
                .tasks
                .iter()
                .find(|task| task.pid == victim.pid && task.total_vm_pages > 0)?;
            let kib = victim.total_vm_kib?;
            (kib % task.total_vm_pages == 0).then(|| power(kib / task.total_vm_pages * 1024))?
        });
        let of_free_lists = report.system.as_ref().and_then(|system| {
            let first = system
                .zones
                .iter()
                .find_map(|zone| zone.free_areas.first())?;
            power(first.block_kib * 1024)
        });
        // Counters are read twice, and may have moved a little in between.
        let of_counters = || {
            let system = report.system.as_ref()?;
            [
                "active_anon",
                "inactive_anon",
                "active_file",
                "inactive_file",
            ]
            .into_iter()
            .find_map(|name| {
                let pages = system.mem_info.get(name).filter(|pages| *pages >= 256)?;
                let nodes = system.nodes.iter();
                let kib: u64 = nodes.filter_map(|node| node.fields_kib.get(name)).sum();
                let bytes = kib.checked_mul(1024)? / pages;
                let nearest = bytes
                    .saturating_add(bytes / 4)
                    .checked_next_power_of_two()?
                    / 2;
                power(nearest).filter(|page| page.abs_diff(bytes) <= page / 16)
            })
        };
        report.page_size_bytes = of_victim.or(of_free_lists).or_else(of_counters);
        if let Some(system) = report.system.as_mut() {
            system.page_size_bytes = report.page_size_bytes;
        }
    }

    fn settle_trigger(&mut self) {
        // The `oom-kill:` line adds to a trigger that only the header introduces.
        let only_constraint = self
            .report
            .trigger
            .as_ref()
            .is_some_and(|trigger| trigger.line.is_none() && trigger.cpu_line.is_none());
        if only_constraint
            && self
                .report
                .trigger
                .as_ref()
                .is_some_and(|trigger| trigger.comm.is_empty())
        {
            self.report.trigger = None;
        }
        let kernel = self.report.kernel;
        // 4.9 and 4.10 print the nodes of the cpuset where the allocation is bound to none.
        if let (Some(trigger), Some(kernel)) = (self.report.trigger.as_mut(), kernel)
            && !kernel.at_least(4, 11)
            && trigger.nodemask == trigger.mems_allowed
        {
            trigger.nodemask = None;
        }
        if let Some(trigger) = self.report.trigger.as_mut()
            && let (true, Some(mask), Some(kernel)) =
                (trigger.gfp_flags.is_empty(), trigger.gfp_mask, kernel)
        {
            trigger.gfp_flags = gfp::decode(mask, kernel)
                .flags
                .into_iter()
                .map(Into::into)
                .collect();
        }
    }

    fn settle_victims(&mut self) {
        let killed = self
            .report
            .victims
            .iter()
            .any(|victim| !victim.announced_only);
        if !killed {
            // Nothing but the announcement is left of the kill: it is what we know.
            for victim in &mut self.report.victims {
                victim.announced_only = false;
            }
        }
        let uid = self
            .report
            .constraint_line
            .and_then(|line| self.report.text.get(line))
            .and_then(
                |(_, text)| match crate::kernel::read(text.as_bytes(), false) {
                    crate::kernel::KernelLine::Constraint(line) => Some((line.pid?, line.uid?)),
                    _ => None,
                },
            );
        let mut wrong_unit = None;
        for victim in &mut self.report.victims {
            if let Some(task) = self.report.tasks.iter().find(|task| task.pid == victim.pid) {
                // 5.4.0 to 5.4.11 and 5.5-rc print the bytes of the page tables as kB.
                if let (Some(said), Some(bytes)) = (victim.pgtables_kib, task.pgtables_bytes)
                    && said == bytes
                    && bytes > 0
                {
                    victim.pgtables_kib = Some(bytes / 1024);
                    wrong_unit = victim.lines.first().copied();
                }
                victim.tgid = Some(task.tgid);
                victim.uid = victim.uid.or(task.uid);
                victim.oom_score_adj = victim.oom_score_adj.or(Some(task.oom_score_adj));
            }
            if let Some((_, uid)) = uid.filter(|(pid, _)| *pid == victim.pid) {
                victim.uid = victim.uid.or(Some(uid));
            }
        }
        if wrong_unit.is_some() {
            self.report.doubts.push((Doubt::KernelBug, wrong_unit));
        }
    }

    fn note_missing(&mut self) {
        let report = &self.report;
        let trigger = report.trigger.as_ref();
        let has_header = trigger.is_some_and(|trigger| trigger.line.is_some());
        let mut missing = Vec::new();
        let mut lacks = |section: Missing, lacking: bool| {
            if lacking {
                missing.push(section);
            }
        };
        lacks(Missing::Header, !has_header);
        lacks(
            Missing::CpuLine,
            trigger.is_none_or(|trigger| trigger.cpu_line.is_none()),
        );
        lacks(
            Missing::Stack,
            trigger.is_none_or(|trigger| trigger.stack.is_empty()) && self.guesses.is_empty(),
        );
        let memcg = report.memcg.as_ref();
        let by_memcg = report.scope == Some(Scope::Memcg);
        lacks(
            Missing::MemcgUsage,
            by_memcg && memcg.is_none_or(|memcg| memcg.memory.line.is_none()),
        );
        lacks(
            Missing::MemcgStats,
            by_memcg
                && memcg
                    .is_none_or(|memcg| memcg.stats.iter().all(|stats| stats.fields.is_empty())),
        );
        let by_machine = matches!(
            report.scope,
            Some(Scope::Global | Scope::Cpuset | Scope::Mempolicy | Scope::Sysrq)
        );
        lacks(Missing::MemInfo, by_machine && report.system.is_none());
        let nobody = report.outcomes.iter().any(|(outcome, _)| {
            matches!(
                outcome,
                Outcome::NoKillableProcesses
                    | Outcome::Panic
                    | Outcome::SysrqIgnored
                    | Outcome::Deadlocked
            )
        });
        lacks(Missing::TaskTable, report.tasks.is_empty() && !nobody);
        let named = report.constraint_line.is_some()
            || memcg.is_some_and(|memcg| memcg.path_line.is_some());
        // Before 5.0 a global kill has no such line.
        let expected = by_memcg || report.kernel.is_none_or(|kernel| kernel.at_least(5, 0));
        lacks(Missing::Constraint, expected && !named && !nobody);
        lacks(Missing::KillLine, self.stage != Stage::Killed && !nobody);
        self.report.missing = missing;
    }
}

/// Whether `node` is in a list like `0-1,3`; `None` when the list cannot be read.
fn node_in(list: &str, node: u32) -> Option<bool> {
    for range in list.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if (first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?).contains(&node) {
            return Some(true);
        }
    }
    (!list.is_empty()).then_some(false)
}
