//! What judge, findings and remedies all need of a report, worked out once: owners, page size, usage split, ranking.
//!
//! Facts and arithmetic only; no verdict is reached here.

use oom_report::report::{Counter, LineIndex, Missing, OomReport, Outcome, Scope, Task, Victim};

use crate::assemble::Context;
use crate::cgroup_path::{CgroupOwner, Level, is_same_or_below, short_id};
use crate::incident::{Cite, RankedTask};
use crate::ledger::PastKill;
use crate::ranking::{ranking, total_pages};
use crate::usage::{UsageSplit, real_limit};

/// A report with what follows from it.
pub(crate) struct Scene<'a> {
    pub(crate) report: &'a OomReport,
    pub(crate) context: &'a Context<'a>,
    /// Earlier kills, oldest first; of other containers too.
    pub(crate) history: &'a [PastKill],
    /// The process that the kernel chose, before any that went with it.
    pub(crate) victim: Option<&'a Victim>,
    /// Who died: all that the kill lines name.
    pub(crate) victims: Vec<&'a Victim>,
    /// Whom the kernel had announced, where another one has the kill line.
    pub(crate) announced: Option<(&'a Victim, Announced)>,
    /// Pids of all victims, sorted: a group kill can have as many victims as the table has rows.
    victim_pids: Vec<u32>,
    /// The victim's row in the task table.
    pub(crate) victim_task: Option<&'a Task>,
    /// Cgroup of the victim.
    pub(crate) victim_path: Option<&'a str>,
    pub(crate) victim_owner: CgroupOwner,
    /// Cgroup whose limit was hit.
    pub(crate) limit_path: Option<&'a str>,
    pub(crate) limit_owner: CgroupOwner,
    pub(crate) page_kib: Option<u64>,
    /// Log2 of the page size: tables have hundreds of rows, and a division each adds up.
    page_shift: Option<u32>,
    pub(crate) split: Option<UsageSplit>,
    /// One row for each process, in the table's order.
    pub(crate) processes: Vec<&'a Task>,
    /// The kernel's choice computed again, most killable first.
    pub(crate) ranking: Vec<RankedTask>,
    /// What oom_score_adj is a share of, in pages.
    pub(crate) total_pages: Option<u64>,
    /// The task that asked for memory, when it is surely a process other than the victims.
    pub(crate) other_trigger: Option<OtherTrigger<'a>>,
}

/// A trigger that is no victim.
pub(crate) struct OtherTrigger<'a> {
    pub(crate) pid: u32,
    pub(crate) comm: &'a str,
}

/// See [`Scene::full_counter`].
pub(crate) struct FullCounter<'a> {
    /// What it counts.
    pub(crate) name: &'static str,
    pub(crate) counter: &'a Counter,
    pub(crate) usage_kib: u64,
    pub(crate) limit_kib: u64,
}

impl FullCounter<'_> {
    pub(crate) fn room_kib(&self) -> u64 {
        self.limit_kib.saturating_sub(self.usage_kib)
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        report: &'a OomReport,
        context: &'a Context<'a>,
        history: &'a [PastKill],
    ) -> Self {
        let (announced, victims) = killed_and_announced(report);
        let victim = victims
            .iter()
            .find(|victim| !victim.shares_memory)
            .or(victims.first())
            .copied();
        let memcg = report.memcg.as_ref();
        let limit_path = memcg.and_then(|memcg| memcg.path.as_deref());
        let own_path = memcg.and_then(|memcg| memcg.victim_path.as_deref());
        // A task that is exiting has left its cgroup for the root; a cgroup's limit kills only in it and below.
        let has_left = report.scope == Some(Scope::Memcg) && own_path == Some("/");
        let victim_path = match limit_path {
            Some(limit) if has_left => Some(limit),
            _ => own_path,
        };
        let page_bytes = report.page_size_bytes.or_else(|| {
            report
                .system
                .as_ref()
                .and_then(|system| system.page_size_bytes)
        });
        let page_bytes = page_bytes
            .filter(|bytes| bytes.is_power_of_two() && *bytes >= 1024)
            .or_else(|| page_bytes_of_architecture(report));
        let page_kib = page_bytes.map(|bytes| bytes / 1024);
        let owner = |path: Option<&str>| path.map(CgroupOwner::of).unwrap_or_default();
        let mut victim_pids: Vec<u32> = victims.iter().map(|victim| victim.pid).collect();
        victim_pids.sort_unstable();
        let mut scene = Self {
            report,
            context,
            history,
            victim,
            victims,
            announced,
            victim_pids,
            victim_task: None,
            victim_path,
            victim_owner: owner(victim_path),
            limit_path,
            limit_owner: owner(limit_path),
            page_kib,
            page_shift: page_bytes.map(u64::trailing_zeros),
            split: UsageSplit::of(report, page_kib),
            processes: processes(&report.tasks),
            ranking: Vec::new(),
            total_pages: page_kib.and_then(|page_kib| total_pages(report, page_kib)),
            other_trigger: None,
        };
        scene.victim_task = victim.and_then(|victim| scene.row_of(victim));
        scene.other_trigger = scene.find_other_trigger();
        scene.ranking = ranking(&scene);
        scene
    }

    fn row_of(&self, victim: &Victim) -> Option<&'a Task> {
        let by_pid = self.report.tasks.iter().find(|task| task.pid == victim.pid);
        by_pid.or_else(|| {
            self.report
                .tasks
                .iter()
                .find(|task| Some(task.tgid) == victim.tgid)
        })
    }

    /// The header names a thread, the kill line its process: only a thread group that the table or the kill lines
    /// name is known to be another one. A thread that is in neither may be the victim's own.
    fn find_other_trigger(&self) -> Option<OtherTrigger<'a>> {
        let trigger = self.report.trigger.as_ref()?;
        let pid = trigger.pid?;
        let row = self.report.tasks.iter().find(|task| task.pid == pid)?;
        let is_victim = |victim: &Victim| {
            victim.pid == pid || victim.pid == row.tgid || victim.tgid == Some(row.tgid)
        };
        if self.victims.is_empty() || self.victims.iter().any(|victim| is_victim(victim)) {
            return None;
        }
        Some(OtherTrigger {
            pid,
            comm: &trigger.comm,
        })
    }

    pub(crate) fn is_memcg(&self) -> bool {
        self.report.scope == Some(Scope::Memcg)
    }

    /// Which hierarchy the limit is in, by the counters that only one of them has; none when neither was printed.
    pub(crate) fn is_cgroup_v1(&self) -> Option<bool> {
        let memcg = self.report.memcg.as_ref()?;
        match (memcg.memsw.usage_kib, memcg.swap.usage_kib) {
            (Some(_), _) => Some(true),
            (None, Some(_)) => Some(false),
            (None, None) => None,
        }
    }

    /// A kill that the shortage of the machine, or of some of its nodes, led to.
    pub(crate) fn is_machine(&self) -> bool {
        matches!(
            self.report.scope,
            Some(Scope::Global | Scope::Cpuset | Scope::Mempolicy)
        )
    }

    /// A kill of the whole group by `memory.oom.group`.
    pub(crate) fn is_group_kill(&self) -> bool {
        self.victims.iter().any(|victim| victim.group_kill)
            || self
                .report
                .memcg
                .as_ref()
                .is_some_and(|memcg| memcg.group_line.is_some())
    }

    /// The limit is that of a container around the victim's own (a Kubernetes node or a Docker daemon in a container).
    pub(crate) fn limit_of_outer_container(&self) -> bool {
        let (Some(limit), Some(victim)) = (self.limit_path, self.victim_path) else {
            return false;
        };
        if self.limit_owner.level != Level::Container {
            return false;
        }
        let own = self
            .victim_owner
            .container_path(victim)
            .or(self.victim_owner.pod_path(victim));
        own.is_some_and(|own| own != limit && is_same_or_below(own, limit))
    }

    /// The log holds no more of this victim than that it was chosen. Before 5.1 the announced process could be spared for
    /// a child of it: `oom_kill_process`, mm/oom_kill.c.
    pub(crate) fn only_announced(&self, victim: &Victim) -> bool {
        // Whom the reaper met was dead.
        let met_the_reaper = victim.reaped.is_some() || victim.reap_failed;
        victim.announced_only || !met_the_reaper && self.report.missing.contains(&Missing::KillLine)
    }

    /// The OOM killer was called because a page fault got no memory, whoever refused it (pagefault_out_of_memory,
    /// mm/oom_kill.c, before 5.16); it knows neither flags nor a size then.
    pub(crate) fn is_page_fault(&self) -> bool {
        self.report.trigger.as_ref().is_some_and(|trigger| {
            trigger.page_fault || trigger.gfp_mask == Some(0) && trigger.order == Some(0)
        })
    }

    /// Log2 of the pages that were asked for in one piece; -1 for sysrq-f.
    pub(crate) fn order(&self) -> Option<i32> {
        self.report.trigger.as_ref()?.order
    }

    /// Nothing is left of the report but its kill.
    pub(crate) fn is_kill_line_alone(&self) -> bool {
        let report = self.report;
        report.trigger.is_none() && report.system.is_none() && report.constraint_line.is_none()
    }

    /// The line that says that whoever asked for memory was to die, whatever others held: sysctl
    /// vm.oom_kill_allocating_task.
    pub(crate) fn allocating_task_line(&self) -> Option<LineIndex> {
        let mut lines = self.report.victims.iter().flat_map(|victim| &victim.lines);
        let says = |line: &&LineIndex| {
            let text = self.report.text.get(**line).map(|(_, text)| text);
            text.is_some_and(|text| text.starts_with("Out of memory (oom_kill_allocating_task)"))
        };
        lines.find(says).copied()
    }

    /// Which level the limit is, in words.
    pub(crate) fn limit_level(&self) -> String {
        match (self.limit_path, self.limit_of_outer_container()) {
            (Some(_), true) => "outer container".into(),
            (Some(_), false) => self.limit_owner.level_in_words(),
            (None, _) => "cgroup".into(),
        }
    }

    /// Whose limit, as an owner: `the container's`, `kubepods'`, `nginx.service's`.
    pub(crate) fn limit_whose(&self) -> String {
        let level = self.limit_level();
        match self.limit_owner.level {
            Level::Kubepods => format!("{level}'"),
            Level::Slice | Level::Service if self.limit_owner.unit.is_some() => {
                format!("{level}'s")
            }
            _ => format!("the {level}'s"),
        }
    }

    /// Whether the kernel says that it found no process that it may kill. The panic's own text may say it (`out_of_memory`,
    /// mm/oom_kill.c).
    pub(crate) fn found_nobody(&self) -> bool {
        let mut outcomes = self.report.outcomes.iter();
        outcomes.any(|(outcome, line)| match outcome {
            Outcome::NoKillableProcesses | Outcome::Deadlocked => true,
            Outcome::Panic => (self.report.text.get(*line))
                .is_some_and(|(_, text)| text.contains("no killable processes")),
            _ => false,
        })
    }

    /// The line that convicts: `oom-kill:`, else the one that names the limit's cgroup, else the trigger's.
    pub(crate) fn constraint_line(&self) -> Option<LineIndex> {
        let memcg = self.report.memcg.as_ref();
        self.report
            .constraint_line
            .or(self.report.sysrq_line)
            .or(memcg.and_then(|memcg| memcg.path_line))
            .or(memcg.and_then(|memcg| memcg.memory.line))
            .or(self
                .report
                .trigger
                .as_ref()
                .and_then(|trigger| trigger.line))
    }

    /// The victim's kill line.
    pub(crate) fn kill_line(&self) -> Option<LineIndex> {
        self.victim.and_then(|victim| victim.lines.first().copied())
    }

    /// Limit of the cgroup that the report is about.
    pub(crate) fn limit_kib(&self) -> Option<u64> {
        real_limit(self.report.memcg.as_ref()?.memory.limit_kib)
    }

    /// The counter with the least room is the one whose limit was hit. Of equals it is the one whose limit was hit more
    /// often: where both limits are the same, memory+swap.
    pub(crate) fn full_counter(&self) -> Option<FullCounter<'a>> {
        let memcg = self.report.memcg.as_ref()?;
        [
            ("memory", &memcg.memory),
            ("memory+swap", &memcg.memsw),
            ("kernel memory", &memcg.kmem),
        ]
        .into_iter()
        .filter_map(|(name, counter)| {
            Some(FullCounter {
                name,
                counter,
                usage_kib: real_limit(counter.usage_kib)?,
                limit_kib: real_limit(counter.limit_kib)?,
            })
        })
        .min_by_key(|full| {
            (
                full.room_kib(),
                std::cmp::Reverse(full.counter.failcnt.unwrap_or(0)),
            )
        })
    }

    /// A counter whose usage is below zero, printed without its sign.
    pub(crate) fn broken_counter(&self) -> Option<&'a Counter> {
        let memcg = self.report.memcg.as_ref()?;
        [&memcg.memory, &memcg.memsw, &memcg.kmem, &memcg.swap]
            .into_iter()
            .find(|counter| counter.usage_kib.is_some() && real_limit(counter.usage_kib).is_none())
    }

    /// What the limit that was hit bounds, and its size: memory, unless another counter with another limit was full.
    pub(crate) fn limit_hit(&self) -> (&'static str, Option<u64>) {
        let own = self.limit_kib();
        match self.full_counter() {
            Some(full) if Some(full.limit_kib) != own => (full.name, Some(full.limit_kib)),
            _ => ("memory", own),
        }
    }

    /// A citation of one of the report's lines.
    pub(crate) fn cite(&self, line: LineIndex) -> Option<Cite> {
        let (number, text) = self.report.text.get(line)?;
        Some(Cite::Line {
            source: self.context.source,
            line: number,
            text: text.to_owned(),
        })
    }

    pub(crate) fn cites(&self, lines: impl IntoIterator<Item = Option<LineIndex>>) -> Vec<Cite> {
        let mut seen: Vec<LineIndex> = Vec::new();
        for line in lines.into_iter().flatten() {
            if !seen.contains(&line) {
                seen.push(line);
            }
        }
        seen.into_iter()
            .filter_map(|line| self.cite(line))
            .collect()
    }

    /// Pages in KiB; none while the page size is not known.
    pub(crate) fn kib(&self, pages: u64) -> Option<u64> {
        Some(pages.saturating_mul(self.page_kib?))
    }

    /// What a process weighs for the kernel: resident, swapped out, page tables. Source: `oom_badness`, mm/oom_kill.c.
    pub(crate) fn weight_pages(&self, task: &Task) -> u64 {
        let tables = match (task.pgtables_bytes, self.page_shift) {
            (Some(bytes), Some(shift)) => bytes >> shift,
            _ => task
                .nr_ptes
                .unwrap_or(0)
                .saturating_add(task.nr_pmds.unwrap_or(0)),
        };
        task.rss_pages
            .saturating_add(task.swapents_pages.unwrap_or(0))
            .saturating_add(tables)
    }

    /// Whether a row of the table is a victim of this report.
    pub(crate) fn is_victim(&self, task: &Task) -> bool {
        let killed = |pid: u32| self.victim_pids.binary_search(&pid).is_ok();
        killed(task.pid) || killed(task.tgid)
    }

    /// The victim's container or pod or unit in words; none when the report does not say, or it was in none.
    pub(crate) fn whom(&self) -> Option<String> {
        if let Some(place) = self.context.place {
            return Some(place.to_owned());
        }
        let path = self
            .victim_path
            .filter(|_| self.victim_owner.level != Level::Root)?;
        whom(&self.victim_owner).or_else(|| Some(format!("cgroup {path}")))
    }
}

/// What the one that was announced is to the one that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// Before 5.1 a child with memory of its own died in place of the process that was chosen: then only the child has a
    /// kill line. `oom_kill_process`, mm/oom_kill.c.
    Parent,
    /// Before 5.3 the threads of a cgroup were looked through as processes are, and 3.x did so on the whole machine; the
    /// kill line names the process, and so does the table.
    Thread,
    /// No table tells.
    ParentOrThread,
}

fn killed_and_announced(report: &OomReport) -> (Option<(&Victim, Announced)>, Vec<&Victim>) {
    let killed: Vec<&Victim> = report
        .victims
        .iter()
        .filter(|victim| !victim.announced_only)
        .collect();
    if killed.is_empty() {
        return (None, report.victims.iter().collect());
    }
    let announced = report.victims.iter().find(|victim| victim.announced_only);
    let listed = |pid: u32| report.tasks.iter().any(|task| task.pid == pid);
    let announced = announced.map(|announced| {
        let what = match (
            listed(announced.pid),
            killed.iter().any(|victim| listed(victim.pid)),
        ) {
            (true, _) => Announced::Parent,
            (false, true) => Announced::Thread,
            (false, false) => Announced::ParentOrThread,
        };
        (announced, what)
    });
    (announced, killed)
}

/// x86 has one page size. Its kernels show themselves by their release, or by the names of their entry points
/// (arch/x86/entry) in the call trace. A report without a kill line and without zones has no other sign of it.
fn page_bytes_of_architecture(report: &OomReport) -> Option<u64> {
    const RELEASES: [&str; 5] = ["amd64", "x86_64", "i686", "i386", "686-pae"];
    const ENTRY_POINTS: [&str; 5] = [
        "entry_SYSCALL_64_after_hwframe",
        "entry_SYSCALL_64_fastpath",
        "asm_exc_page_fault",
        "do_syscall_64",
        "entry_INT80_32",
    ];
    let trigger = report.trigger.as_ref()?;
    let release = trigger.kernel_release.as_deref().unwrap_or("");
    let is_x86 = RELEASES.iter().any(|name| release.contains(name))
        || trigger
            .stack
            .iter()
            .any(|function| ENTRY_POINTS.contains(&function.as_str()));
    is_x86.then_some(4096)
}

/// An owner in words: `container 0123456789ab of pod 8d1b... (Burstable)`.
pub(crate) fn whom(owner: &CgroupOwner) -> Option<String> {
    let Some(uid) = owner.pod_uid.as_ref().filter(|_| owner.kubernetes) else {
        return owner.owner_in_words();
    };
    let class = owner
        .qos_class
        .map(|class| format!(" ({class:?})"))
        .unwrap_or_default();
    let pod = format!("pod {uid}{class}");
    Some(match (&owner.container_id, owner.level) {
        (Some(id), Level::Container) => format!("container {} of {pod}", short_id(id)),
        _ => pod,
    })
}

/// One row for each process: threads of one process share their memory, and some kernels list them all.
fn processes(tasks: &[Task]) -> Vec<&Task> {
    if tasks.iter().all(|task| task.pid == task.tgid) {
        return tasks.iter().collect();
    }
    let mut by_group: Vec<(u32, bool, usize)> = tasks
        .iter()
        .enumerate()
        .map(|(at, task)| (task.tgid, task.pid != task.tgid, at))
        .collect();
    // The leader's row stands for the group; without it, the first thread's.
    by_group.sort_unstable();
    by_group.dedup_by_key(|row| row.0);
    by_group.sort_unstable_by_key(|row| row.2);
    by_group
        .into_iter()
        .filter_map(|(_, _, at)| tasks.get(at))
        .collect()
}
