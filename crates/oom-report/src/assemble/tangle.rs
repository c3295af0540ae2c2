//! Two reports that ran into each other: what of them can still be told, and the victims, which are never dropped.

use smol_str::SmolStr;

use super::{Assembler, PATIENCE};
use crate::cursor::text;
use crate::draft::{Draft, Stage};
use crate::frame::Frame;
use crate::kernel::kill::{ConstraintLine, Killed};
use crate::kernel::{self, KernelLine};
use crate::report::Doubt;

/// Kills since the reports ran into each other, and what may say more of them.
#[derive(Debug, Default)]
pub(super) struct Tangle {
    pub(super) kills: usize,
    decisions: Vec<Decision>,
}

/// An `oom-kill:` line whose report is not known.
#[derive(Debug)]
struct Decision {
    pid: u32,
    comm: Option<SmolStr>,
    number: u64,
    text: String,
}

impl Tangle {
    /// Keeps the line that says which process is to be killed.
    pub(super) fn decide(&mut self, line: &ConstraintLine<'_>, frame: &Frame<'_>, number: u64) {
        self.decisions.extend(line.pid.map(|pid| Decision {
            pid,
            comm: line.task.map(text),
            number,
            text: String::from_utf8_lossy(frame.text).into_owned(),
        }));
    }

    /// Takes the line that said so of the process killed; where two did, on two machines, neither is.
    fn decision(&mut self, killed: &Killed<'_>) -> Option<Decision> {
        let comm = text(killed.comm);
        let said = |decision: &mut Decision| {
            let is_named = decision.comm.as_ref().is_none_or(|named| *named == comm);
            decision.pid == killed.pid && is_named
        };
        let mut found: Vec<Decision> = self.decisions.extract_if(.., said).collect();
        found.pop().filter(|_| found.is_empty())
    }
}

impl Assembler {
    /// Whether a kill line, given to `holder` if to any, shows that lines of two reports are mixed.
    pub(super) fn is_tangled(
        &mut self,
        holder: Option<usize>,
        killed: &Killed<'_>,
        frame: &Frame<'_>,
    ) -> bool {
        match holder {
            Some(at) => {
                self.draft(at).is_some_and(|draft| draft.firm.is_some())
                    && !self.stands_apart(at, killed.pid)
            }
            None => self
                .drafts
                .iter()
                .any(|draft| draft.could_hold(frame) && draft.is_of_two(killed)),
        }
    }

    /// Whether a report that began inside another is whole, and so all its own: the other one lost its end, and is over.
    fn stands_apart(&mut self, at: usize, pid: u32) -> bool {
        let trigger = self
            .draft(at)
            .and_then(|draft| draft.report.trigger.as_ref());
        let own = trigger.and_then(|trigger| trigger.pid);
        let others = || {
            self.drafts
                .iter()
                .enumerate()
                .filter(|(other, draft)| *other != at && draft.firm.is_some())
        };
        let anothers = others().any(|(_, draft)| {
            draft
                .report
                .trigger
                .as_ref()
                .is_some_and(|trigger| trigger.pid == Some(pid))
                && own != Some(pid)
        });
        let newest = others().all(|(other, _)| other < at);
        // Without the kernel's clock nothing shows that the other one is over, and not just waiting for its turn.
        let clock = self
            .draft(at)
            .is_some_and(|draft| draft.last_boot_us.is_some());
        // The body may be another's that got no further than its header, unless the own task is in the table.
        let listed = self.draft(at).is_some_and(|draft| {
            let mut tasks = draft.report.tasks.iter();
            tasks.any(|task| Some(task.pid) == own || Some(task.tgid) == own)
        });
        let bodiless = || others().filter(|(_, draft)| draft.stage < Stage::Memory);
        // Two headers of one name: all that is behind the second may be the first's.
        let namesakes = bodiless().any(|(_, draft)| {
            let other = draft.report.trigger.as_ref();
            other.map(|other| &other.comm) == trigger.map(|own| &own.comm)
        });
        if anothers
            || !newest
            || !clock
            || namesakes
            || bodiless().next().is_some() && !listed
            || !self.draft(at).is_some_and(Draft::is_whole)
        {
            return false;
        }
        // Their indices are all before this one's.
        self.drafts.iter_mut().for_each(|draft| {
            if draft.firm.take().is_some() && draft.stage < Stage::Decision {
                draft.foreign = PATIENCE;
            }
        });
        true
    }

    /// A report goes on after the kill line it was given: that one was another's, whose lines may follow too.
    pub(super) fn take_back_kill(&mut self, at: usize) {
        let Some(draft) = self.drafts.get_mut(at) else {
            return;
        };
        let mut apart = draft.split_victims();
        for draft in [&mut *draft, &mut apart] {
            draft.report.doubts.push((Doubt::Interleaved, None));
        }
        self.drafts.push(apart);
        self.mixed = true;
        self.tangle = Some(Tangle {
            kills: 1,
            ..Tangle::default()
        });
    }

    /// Takes back what the reports that run into each other got since the second began.
    pub(super) fn entangle(&mut self) {
        for draft in &mut self.drafts {
            match draft.firm.take() {
                Some(firm) => *draft = *firm,
                None => draft.forget_body(),
            }
            draft.firm = None;
            draft.report.doubts.push((Doubt::Interleaved, None));
        }
        self.tangle = Some(Tangle::default());
        self.mixed = true;
    }

    /// In a tangle a kill line goes to the report whose own trigger it names, else it stands alone.
    pub(super) fn killed_in_tangle(&mut self, killed: &Killed<'_>, frame: &Frame<'_>, number: u64) {
        let own = |draft: &Draft| {
            draft.stage < Stage::Killed
                && draft.report.trigger.as_ref().is_some_and(|trigger| {
                    trigger.pid == Some(killed.pid) && trigger.comm.as_bytes() == killed.comm
                })
        };
        let only = self.drafts.iter().filter(|draft| own(draft)).count() == 1;
        let at = match self.drafts.iter().position(own).filter(|_| only) {
            Some(at) => at,
            None => {
                let at = self.open(frame);
                if let Some(draft) = self.drafts.get_mut(at) {
                    draft.report.doubts.push((Doubt::Interleaved, None));
                }
                at
            }
        };
        let decision = self.tangle.as_mut().and_then(|tangle| {
            tangle.kills += 1;
            tangle.decision(killed)
        });
        if let Some(draft) = self.drafts.get_mut(at) {
            if let Some(Decision { number, text, .. }) = &decision {
                let index = draft.report.text.push(*number, text);
                if let KernelLine::Constraint(line) = kernel::read(text.as_bytes(), false) {
                    draft.apply_constraint(&line, index);
                }
            }
            let index = draft.keep(frame, number);
            draft.kill(killed, index);
        }
        self.remember(killed.pid, killed.comm, killed.sizes_kib(), frame);
        let kills = self.tangle.as_ref().map_or(0, |tangle| tangle.kills);
        let waiting = self
            .drafts
            .iter()
            .filter(|draft| draft.stage < Stage::Killed)
            .count();
        let done = self
            .drafts
            .iter()
            .filter(|draft| draft.stage >= Stage::Killed)
            .count();
        if kills >= 2 && done >= waiting {
            self.untangle();
        }
    }

    /// As many kills as reports were seen: the headers that found no kill of their own are among them.
    fn untangle(&mut self) {
        self.drafts.retain(|draft| draft.stage >= Stage::Killed);
        while !self.drafts.is_empty() {
            self.conclude(0);
        }
        self.tangle = None;
    }
}
