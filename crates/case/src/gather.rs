//! Facts as they come in -> cases: what belongs to one decision to kill, whichever source saw it.
//!
//! A state machine over values: time is handed in (CLOCK_BOOTTIME), nothing is read. A case is told when what it waits
//! for has come, or when its time is up; what comes later is told as more of the same case. Everything kept is bounded.

mod case;
mod decision;
mod memory;
mod passed_on;

pub use case::Case;
pub(crate) use decision::{KernelReason, is_parent_death, is_teardown, kernel_reason};

use std::collections::{BTreeSet, HashMap};

use oom_report::report::OomReport;

use crate::fact::{
    CgroupOom, EventLevel, Exit, Fact, KillSignal, OomMark, Process, RuntimeEvent, SignalOrigin,
};
use crate::role::Role;
use decision::Crowd;
use memory::Recent;

const MS: u64 = 1_000_000;
/// A killed process that has not ended by then is told as killed and not yet gone.
const WAIT_FOR_EXIT_NS: u64 = 10 * MS;
/// The kernel prints `Killed process` right after the signal; its reader is a few milliseconds behind at most.
const WAIT_FOR_REPORT_NS: u64 = 20 * MS;
/// `Killed process` is printed for every mark, but where the kernel's console is slow (a serial line, an emulated
/// processor) long after the signal.
const WAIT_FOR_MARKED_REPORT_NS: u64 = 1_000 * MS;
/// `Tasks in ... are going to be killed due to memory.oom.group set` follows the first victim's line, by whoever runs the
/// OOM killer, as late as that one is interrupted.
const WAIT_FOR_GROUP_NS: u64 = 1_000 * MS;
/// Whom the end of a pid namespace's init takes along is signalled right after it.
const WAIT_FOR_NAMESPACE_NS: u64 = 2 * MS;
/// What comes after a case was told waits for more of it: nothing but the store learns of it, and in a storm the kills
/// that nobody knows of yet go first.
const WAIT_FOR_MORE_NS: u64 = 100 * MS;
/// Signals of one decision follow each other.
const ONE_DECISION_NS: u64 = 50 * MS;
/// The kernel tells of a count up to 10 ms late, and this program's turn comes when it comes.
const COUNTED_NS: u64 = 2_000 * MS;
/// Whoever ends this long after a SIGTERM did not end by it.
const ASKED_NS: u64 = 60_000 * MS;
/// Cases kept after they were told, for what comes late.
const KEPT: usize = 1024;
/// Processes remembered whose case was told and is kept no more: they may end long after it.
const SETTLED: usize = 8192;
/// SIGTERMs remembered until the SIGKILL that may follow.
const ASKED: usize = 4096;
/// Parents of victims remembered: a shell passes on its child's 137.
const PARENTS: usize = 4096;

const SIGKILL: u32 = 9;
const SIGTERM: u32 = 15;
const EXITED_137: u32 = 137;
/// The tracepoint's `result`: TRACE_SIGNAL_DELIVERED and TRACE_SIGNAL_ALREADY_PENDING (include/trace/events/signal.h).
const DELIVERED: [i32; 2] = [0, 2];
/// The tracepoint's `result`: TRACE_SIGNAL_IGNORED.
const IGNORED: i32 = 1;

/// Which kinds of facts can come at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// Signals, OOM marks and exits (eBPF).
    pub signals: bool,
    /// Kernel reports.
    pub reports: bool,
}

/// What a call to [`Gatherer::due`] gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A case, for the first time.
    New(Box<Case>),
    /// A case told before, with more evidence.
    More(Box<Case>),
}

/// A process for the life of a boot.
type Key = (u32, u64);

fn key(process: &Process) -> Key {
    (process.tgid, process.start_boot_ns)
}

#[derive(Debug)]
struct Open {
    case: Case,
    told: bool,
    deadline_ns: Option<u64>,
    last_signal_ns: u64,
    /// It waits a second time: see [`Gatherer::waits_on`].
    waits_on: bool,
}

/// The state between facts.
#[derive(Debug)]
pub struct Gatherer {
    sources: Sources,
    next: u64,
    open: HashMap<u64, Open>,
    due: BTreeSet<(u64, u64)>,
    by_process: HashMap<Key, u64>,
    by_pid: HashMap<u32, u64>,
    by_container: HashMap<String, u64>,
    told: Recent<u64, ()>,
    /// Who was killed in a case that was told and forgotten, and had not ended yet: no case of its own when it does, or
    /// is killed once more.
    settled: Recent<Key, ()>,
    asked: Recent<Key, Box<KillSignal>>,
    parents: Recent<Key, u64>,
    /// Parents that passed on their child's SIGKILL to themselves: whose case they belong to.
    passed_on: Recent<Key, u64>,
    /// Cases of one kill(2) of a process group or of everybody.
    crowds: Recent<Crowd, u64>,
    /// The case that the last signal went to: signals of one decision follow each other.
    latest: Option<u64>,
}

impl Gatherer {
    /// Nothing gathered yet.
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            next: 0,
            open: HashMap::new(),
            due: BTreeSet::new(),
            by_process: HashMap::new(),
            by_pid: HashMap::new(),
            by_container: HashMap::new(),
            told: Recent::new(KEPT),
            settled: Recent::new(SETTLED),
            asked: Recent::new(ASKED),
            parents: Recent::new(PARENTS),
            passed_on: Recent::new(PARENTS),
            crowds: Recent::new(PARENTS),
            latest: None,
        }
    }

    /// Takes a fact. Ask [`Gatherer::due`] afterwards.
    pub fn take(&mut self, fact: Fact, now_ns: u64) {
        match fact {
            // A container's first process that has no handler for SIGTERM does not even get it; it was asked all the same.
            Fact::Signal(signal)
                if signal.signal == SIGTERM
                    && (DELIVERED.contains(&signal.result) || signal.result == IGNORED) =>
            {
                self.asked.put(key(&signal.target), signal);
            }
            Fact::Signal(signal) if !DELIVERED.contains(&signal.result) => {}
            Fact::Signal(signal) if signal.signal == SIGKILL => self.kill(*signal, now_ns),
            Fact::Signal(_) => {}
            Fact::OomMark(mark) => self.mark(mark, now_ns),
            Fact::Exit(exit) => self.exit(*exit, now_ns),
            Fact::Runtime(event) => self.runtime(*event, now_ns),
            Fact::CgroupOom(event) => self.cgroup_oom(*event, now_ns),
            // That a cgroup ran empty accuses nobody.
            Fact::CgroupEmptied(_) => {}
        }
    }

    /// Takes a kernel report.
    pub fn report(&mut self, report: OomReport, now_ns: u64) {
        let mut numbers: Vec<u64> = Vec::new();
        for victim in &report.victims {
            let found = self.by_pid.get(&victim.pid).copied();
            if let Some(number) = found.filter(|number| {
                self.open
                    .get(number)
                    .is_some_and(|open| open.case.may_be_of(&report, victim.pid))
                    && !numbers.contains(number)
            }) {
                numbers.push(number);
            }
        }
        let Some((first, others)) = numbers.split_first() else {
            let number = self.begin(Case::of_report(report));
            let wait = if self.sources.signals {
                WAIT_FOR_EXIT_NS
            } else {
                0
            };
            return self.set_deadline(number, now_ns + wait);
        };
        for other in others {
            self.merge(*other, *first);
        }
        let mut wait = 0;
        if let Some(open) = self.open.get_mut(first) {
            open.case.add_report(report);
            if !open.told && open.case.lacks_its_group() {
                wait = WAIT_FOR_GROUP_NS;
            }
        }
        self.set_deadline(*first, now_ns + wait);
    }

    /// How many cases wait to be told, or to be told again: whoever hands in facts may wait, too, when these are many.
    pub fn waiting(&self) -> usize {
        self.due.len()
    }

    /// When [`Gatherer::due`] is to be asked next.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// The cases whose time is up, in the order of their deadlines.
    pub fn due(&mut self, now_ns: u64) -> Vec<Told> {
        std::iter::from_fn(|| self.next_due(now_ns)).collect()
    }

    /// The next of them.
    pub fn next_due(&mut self, now_ns: u64) -> Option<Told> {
        loop {
            let (deadline, number) = self.due.first().copied()?;
            if deadline > now_ns {
                return None;
            }
            self.due.remove(&(deadline, number));
            self.join_to_marked(number);
            if self.waits_on(number, deadline) {
                continue;
            }
            let Some(open) = self.open.get_mut(&number) else {
                continue;
            };
            open.deadline_ns = None;
            let case = Box::new(open.case.clone());
            if open.told {
                return Some(Told::More(case));
            }
            open.told = true;
            if let Some((old, ())) = self.told.put(number, ()) {
                self.forget(old);
            }
            return Some(Told::New(case));
        }
    }

    /// The OOM killer signals its victim, marks it, and prints its line. Whoever runs it may be interrupted between these:
    /// by others where processors are few, or because its cgroup has used up its share of them. Once, a case that nothing
    /// explains waits longer for the mark; says whether it does.
    fn waits_on(&mut self, number: u64, deadline_ns: u64) -> bool {
        let reports = self.sources.reports;
        let Some(open) = self.open.get_mut(&number) else {
            return false;
        };
        if open.told || open.waits_on || !reports || !open.case.is_unexplained() {
            return false;
        }
        open.waits_on = true;
        let longer_ns = WAIT_FOR_MARKED_REPORT_NS - WAIT_FOR_REPORT_NS;
        self.set_deadline(number, deadline_ns.saturating_add(longer_ns));
        true
    }

    /// Everything that was not told yet, whatever it still waits for: the end of watching.
    pub fn finish(&mut self) -> Vec<Told> {
        self.due(u64::MAX)
    }

    fn begin(&mut self, case: Case) -> u64 {
        let number = self.next;
        self.next += 1;
        for process in case.processes() {
            self.by_process.insert(key(process), number);
            self.by_pid.insert(process.tgid, number);
        }
        if let Some(container) = case.container_id() {
            self.by_container.insert(container, number);
        }
        self.open.insert(
            number,
            Open {
                case,
                told: false,
                deadline_ns: None,
                last_signal_ns: 0,
                waits_on: false,
            },
        );
        number
    }

    fn set_deadline(&mut self, number: u64, deadline_ns: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            if let Some(old) = open.deadline_ns.replace(deadline_ns) {
                self.due.remove(&(old, number));
            }
            self.due.insert((deadline_ns, number));
        }
    }

    fn forget(&mut self, number: u64) {
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        if let Some(deadline) = open.deadline_ns {
            self.due.remove(&(deadline, number));
        }
        let ended = |process: &Process| {
            open.case
                .exits
                .iter()
                .any(|exit| key(&exit.process) == key(process))
        };
        for process in open.case.processes() {
            if !ended(process) {
                self.settled.put(key(process), ());
            }
            if self.by_process.get(&key(process)) == Some(&number) {
                self.by_process.remove(&key(process));
            }
            if self.by_pid.get(&process.tgid) == Some(&number) {
                self.by_pid.remove(&process.tgid);
            }
        }
        self.by_container.retain(|_, at| *at != number);
    }

    /// Moves all of `from` into `into`.
    fn merge(&mut self, from: u64, into: u64) {
        let Some(open) = self.open.remove(&from) else {
            return;
        };
        if let Some(deadline) = open.deadline_ns {
            self.due.remove(&(deadline, from));
        }
        for process in open.case.processes() {
            self.by_process.insert(key(process), into);
            self.by_pid.insert(process.tgid, into);
        }
        for at in self.by_container.values_mut().filter(|at| **at == from) {
            *at = into;
        }
        if let Some(target) = self.open.get_mut(&into) {
            target.case.absorb(open.case);
        }
    }

    fn kill(&mut self, signal: KillSignal, now_ns: u64) {
        let target = key(&signal.target);
        if key(&signal.sender) == target && self.passes_on(&signal) {
            return;
        }
        let known = self.by_process.get(&target).copied();
        if known.is_none() && self.settled.get(&target).is_some() {
            return;
        }
        let crowd = decision::crowd(&signal);
        let joined = known
            .or_else(|| self.same_crowd(crowd.as_ref(), signal.boot_ns))
            .or_else(|| self.same_decision(&signal));
        if let Some(number) = joined {
            if let Some(crowd) = crowd.filter(|_| known.is_none()) {
                self.crowds.put(crowd, number);
            }
            self.by_process.insert(target, number);
            self.by_pid.insert(signal.target.tgid, number);
            self.remember_parents(&signal.target_ancestors, number);
            let Some(open) = self.open.get_mut(&number) else {
                return;
            };
            open.last_signal_ns = signal.boot_ns;
            open.case.add_kill(signal);
            if open.told {
                // One more telling for all that follow at once.
                let deadline = open.deadline_ns.unwrap_or(now_ns + WAIT_FOR_NAMESPACE_NS);
                self.set_deadline(number, deadline);
            }
            self.latest = Some(number);
            return;
        }
        let wait = if signal.origin == SignalOrigin::Kernel
            && self.sources.reports
            && !is_teardown(&signal)
        {
            WAIT_FOR_REPORT_NS
        } else {
            WAIT_FOR_EXIT_NS
        };
        let at_ns = signal.boot_ns;
        let asked = self.asked.take(&target);
        self.remember_parents(&signal.target_ancestors, self.next);
        let number = self.begin(Case::of_kill(signal, asked.map(|signal| *signal)));
        if let Some(open) = self.open.get_mut(&number) {
            open.last_signal_ns = at_ns;
        }
        if let Some(crowd) = crowd {
            self.crowds.put(crowd, number);
        }
        self.set_deadline(number, now_ns + wait);
        self.latest = Some(number);
    }

    /// Processes that share the victim's memory get their signals without a mark and without a line of their own
    /// (mm/oom_kill.c, __oom_kill_process).
    fn join_to_marked(&mut self, number: u64) {
        let Some(open) = self.open.get(&number).filter(|open| !open.told) else {
            return;
        };
        let Some(kill) = open.case.kill.as_ref() else {
            return;
        };
        let alone = open.case.marks.is_empty() && open.case.report.is_none();
        if !alone
            || kill.origin != SignalOrigin::Kernel
            || is_teardown(kill)
            || kill.sender.tgid == kill.target.tgid
        {
            return;
        }
        let (sender, at_ns) = (key(&kill.sender), kill.boot_ns);
        let marked = self.open.iter().find(|(other, open)| {
            **other != number
                && !open.case.marks.is_empty()
                && open.case.kill.as_ref().is_some_and(|first| {
                    key(&first.sender) == sender && at_ns.abs_diff(first.boot_ns) <= ONE_DECISION_NS
                })
        });
        if let Some(marked) = marked.map(|(marked, _)| *marked) {
            self.merge(number, marked);
            if self.open.get(&marked).is_some_and(|open| open.told) {
                self.set_deadline(marked, at_ns);
            }
        }
    }

    fn mark(&mut self, mark: OomMark, now_ns: u64) {
        let Some(number) = self.by_pid.get(&mark.tgid).copied() else {
            return;
        };
        let Some(open) = self.open.get_mut(&number) else {
            return;
        };
        open.case.marks.push(mark);
        if self.sources.reports && !open.told && open.case.report.is_none() {
            self.set_deadline(number, now_ns + WAIT_FOR_MARKED_REPORT_NS);
        }
    }

    fn exit(&mut self, exit: Exit, now_ns: u64) {
        let process = key(&exit.process);
        if let Some(number) = self.by_process.get(&process).copied() {
            let Some(open) = self.open.get_mut(&number) else {
                return;
            };
            let is_init = exit.process.namespaced_tgid == Some(1) && exit.process.tgid != 1;
            open.case.exits.push(exit);
            if open.told {
                // The store learns of it; nothing is waiting for it.
                let deadline = open.deadline_ns.unwrap_or(now_ns + WAIT_FOR_MORE_NS);
                return self.set_deadline(number, deadline);
            }
            let waits = open.case.may_have_report() || open.case.lacks_its_group();
            if waits && self.sources.reports {
                return;
            }
            let wait = if is_init || open.case.is_several() {
                WAIT_FOR_NAMESPACE_NS
            } else {
                0
            };
            return self.set_deadline(number, now_ns + wait);
        }
        if self.settled.take(&process).is_some() {
            return;
        }
        if let Some(number) = self.passed_on.take(&process) {
            return self.echo(number, exit, now_ns);
        }
        if exit.signal() == Some(SIGKILL) {
            // Its signal was lost, or came before watching began.
            let number = self.begin(Case::of_exit(exit));
            return self.set_deadline(number, now_ns + WAIT_FOR_REPORT_NS);
        }
        if let Some(asked) = self.asked.take(&process)
            && is_memory_daemon(&asked)
            && exit.boot_ns.saturating_sub(asked.boot_ns) <= ASKED_NS
        {
            // Memory daemons ask first: who ends by that was killed all the same.
            let number = self.begin(Case::of_kill(*asked, None));
            if let Some(open) = self.open.get_mut(&number) {
                open.case.exits.push(exit);
            }
            return self.set_deadline(number, now_ns);
        }
        if exit.status() != Some(EXITED_137) {
            return;
        }
        let of_child = self.parents.get(&process).copied();
        let known = of_child.or_else(|| self.of_clients_container(&exit));
        if let Some(number) = known.filter(|number| self.open.contains_key(number)) {
            // Whoever started a client gets the status from it.
            self.remember_parents(&exit.ancestors, number);
            return self.echo(number, exit, now_ns);
        }
        self.remember_parents(&exit.ancestors, self.next);
        let number = self.begin(Case::of_exit(exit));
        self.set_deadline(number, now_ns);
    }

    /// A count of the victim's own cgroup, or of the one whose limit was hit, backs the case; where nothing else is seen
    /// it is all there is.
    fn cgroup_oom(&mut self, event: CgroupOom, now_ns: u64) {
        if event.kills() == 0 {
            return;
        }
        let about = |open: &&mut Open| {
            let seen_ns = open.case.seen_ns().unwrap_or(event.boot_ns);
            event.boot_ns.abs_diff(seen_ns) <= COUNTED_NS && open.case.is_in(&event.path)
        };
        if let Some(open) = self.open.values_mut().find(about) {
            // Counted for the cgroup and for all above: one is enough.
            if !open
                .case
                .counts
                .iter()
                .any(|count| count.path == event.path)
            {
                open.case.counts.push(event);
            }
            return;
        }
        if !self.sources.signals && !self.sources.reports && event.level == EventLevel::Local {
            let number = self.begin(Case::of_count(event));
            self.set_deadline(number, now_ns);
        }
    }

    fn runtime(&mut self, event: RuntimeEvent, now_ns: u64) {
        let Some(number) = self.by_container.get(&event.container_id).copied() else {
            return;
        };
        if let Some(open) = self.open.get_mut(&number) {
            open.case.events.push(event);
            if open.told {
                let deadline = open.deadline_ns.unwrap_or(now_ns + WAIT_FOR_MORE_NS);
                self.set_deadline(number, deadline);
            }
        }
    }
}

fn is_memory_daemon(signal: &KillSignal) -> bool {
    matches!(Role::of(&signal.sender), Some(Role::MemoryDaemon(_)))
}

#[cfg(test)]
mod tests;
