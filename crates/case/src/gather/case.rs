//! All that is known of one decision to kill.

use oom_report::report::OomReport;

use crate::cgroup_path::CgroupOwner;
use crate::fact::{CgroupOom, Exit, KillSignal, OomMark, Process, RuntimeEvent, SignalOrigin};

/// Facts that belong together. Nothing in it is judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Case {
    /// The SIGKILL that began it; none when no source saw one.
    pub kill: Option<Box<KillSignal>>,
    /// Further SIGKILLs of the same decision: to others, or to the same process again.
    pub others: Vec<KillSignal>,
    /// The SIGTERM that the first target got before.
    pub asked: Option<Box<KillSignal>>,
    /// The OOM killer's marks.
    pub marks: Vec<OomMark>,
    /// The kernel's report.
    pub report: Option<Box<OomReport>>,
    /// Ends of those who were killed; of a process that nobody was seen to kill, its own.
    pub exits: Vec<Exit>,
    /// What runtimes said of the container.
    pub events: Vec<RuntimeEvent>,
    /// Parents that passed on their child's 137.
    pub echoes: Vec<Exit>,
    /// Out-of-memory counts of cgroups that went up with it.
    pub counts: Vec<CgroupOom>,
}

impl Case {
    pub(super) fn of_kill(signal: KillSignal, asked: Option<KillSignal>) -> Self {
        Self {
            kill: Some(Box::new(signal)),
            asked: asked.map(Box::new),
            ..Self::default()
        }
    }

    pub(super) fn of_exit(exit: Exit) -> Self {
        Self {
            exits: vec![exit],
            ..Self::default()
        }
    }

    pub(super) fn of_report(report: OomReport) -> Self {
        Self {
            report: Some(Box::new(report)),
            ..Self::default()
        }
    }

    pub(super) fn of_count(count: CgroupOom) -> Self {
        Self {
            counts: vec![count],
            ..Self::default()
        }
    }

    /// When the first fact of it was.
    pub(super) fn seen_ns(&self) -> Option<u64> {
        let kill = self.kill.as_ref().map(|kill| kill.boot_ns);
        kill.or(self.exits.first().map(|exit| exit.boot_ns))
    }

    /// Whether an OOM kill of this case would be counted for the cgroup.
    pub(super) fn is_in(&self, path: &str) -> bool {
        let memcg = self
            .report
            .as_ref()
            .and_then(|report| report.memcg.as_ref());
        let reported = memcg
            .into_iter()
            .flat_map(|memcg| [&memcg.path, &memcg.victim_path])
            .flatten();
        let marked = self
            .processes()
            .filter(|_| !self.marks.is_empty())
            .filter_map(|process| process.cgroups.path());
        reported
            .map(|known| known.as_str())
            .chain(marked)
            .any(|known| known == path)
    }

    pub(super) fn add_kill(&mut self, signal: KillSignal) {
        match self.kill {
            Some(_) => self.others.push(signal),
            None => self.kill = Some(Box::new(signal)),
        }
    }

    /// A report of the same kill with more in it (the reaper's line) takes the place of the first.
    pub(super) fn add_report(&mut self, report: OomReport) {
        self.report = Some(Box::new(report));
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.others.extend(other.kill.map(|kill| *kill));
        self.others.extend(other.others);
        self.asked = self.asked.take().or(other.asked);
        self.marks.extend(other.marks);
        self.report = self.report.take().or(other.report);
        self.exits.extend(other.exits);
        self.events.extend(other.events);
        self.echoes.extend(other.echoes);
        self.counts.extend(other.counts);
    }

    /// All signals, the first first.
    pub fn signals(&self) -> impl Iterator<Item = &KillSignal> {
        self.kill.as_deref().into_iter().chain(&self.others)
    }

    /// Those who were killed or ended, as signals and exits name them; may hold one twice.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.signals()
            .map(|signal| &signal.target)
            .chain(self.exits.iter().map(|exit| &exit.process))
    }

    /// The first process of [`Case::processes`].
    pub fn first(&self) -> Option<&Process> {
        self.processes().next()
    }

    /// Container id in the cgroup path of the first process.
    pub fn container_id(&self) -> Option<String> {
        container_id(self.first()?)
    }

    /// Container id in the cgroup path of the first signal's sender.
    pub fn sender_container_id(&self) -> Option<String> {
        container_id(&self.kill.as_ref()?.sender)
    }

    /// The kernel sent it by its own decision and for no reason that shows: a report may follow.
    pub(super) fn may_have_report(&self) -> bool {
        match &self.kill {
            Some(kill) => {
                kill.origin == SignalOrigin::Kernel
                    && self.report.is_none()
                    && !super::is_teardown(kill)
            }
            None => self.report.is_none() && self.marks.is_empty(),
        }
    }

    /// The kernel sent it by its own decision, and neither the signal nor anything else shows why.
    pub(super) fn is_unexplained(&self) -> bool {
        self.may_have_report()
            && self.marks.is_empty()
            && self.kill.as_ref().is_some_and(|kill| {
                kill.origin == SignalOrigin::Kernel && super::kernel_reason(kill).is_none()
            })
    }

    /// The first victim's cgroup, or one between it and the one that was full, dies as a whole, and the report has not come
    /// to that yet (mm/oom_kill.c, oom_kill_process; mm/memcontrol.c, mem_cgroup_get_oom_group).
    pub(super) fn lacks_its_group(&self) -> bool {
        let memory = self.kill.as_ref().map(|kill| kill.memory);
        let dies_whole = memory
            .and_then(|memory| Some((memory.memcg_group_level?, memory.memcg_full_level)))
            .is_some_and(|(group, full)| full.is_none_or(|full| group <= full));
        let lacks = |report: &OomReport| {
            let memcg = report.memcg.as_ref();
            memcg.is_none_or(|memcg| memcg.group_line.is_none())
        };
        dies_whole && self.report.as_deref().is_some_and(lacks)
    }

    /// More than one process was signalled.
    pub(super) fn is_several(&self) -> bool {
        self.others.iter().any(|other| {
            self.kill
                .as_ref()
                .is_some_and(|kill| kill.target.tgid != other.target.tgid)
        })
    }

    /// Whether a report that names the pid as a victim is about this case: the OOM killer's signals come from the
    /// kernel, and a pid may have been used again.
    pub(super) fn may_be_of(&self, report: &OomReport, pid: u32) -> bool {
        let kernel = self
            .kill
            .as_ref()
            .is_none_or(|kill| kill.origin == SignalOrigin::Kernel);
        // Any thread of the victim may be the one that is printed: the mark is as good as the name.
        let same_name = !self.marks.is_empty()
            || report.victims.iter().any(|victim| {
                victim.pid == pid
                    && self
                        .processes()
                        .any(|process| process.tgid == pid && process.comm == victim.comm)
            });
        let again = self
            .report
            .as_ref()
            .is_none_or(|known| known.victims.iter().any(|victim| victim.pid == pid));
        kernel && same_name && again
    }
}

fn container_id(process: &Process) -> Option<String> {
    let owner = CgroupOwner::of_process(process);
    owner.container_id.map(|id| id.to_string())
}
