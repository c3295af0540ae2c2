//! `Kill process` lines (before 5.0), which announce what a `Killed process` line then does: to the process, or to one of
//! its children. And the victims remembered, to know a copied or quoted line.

use smol_str::SmolStr;

use super::Assembler;
use super::boots::Moment;
use crate::cursor::text;
use crate::draft::Stage;
use crate::frame::Frame;
use crate::kernel::kill::Announce;

/// Victims remembered, to know a quoted kill line when it comes.
const REMEMBERED: usize = 128;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered {
    pid: u32,
    comm: SmolStr,
    sizes: [Option<u64>; 2],
    moment: Moment,
}

/// What an announcement is that was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// None of those remembered.
    New,
    /// The same line.
    Copied,
    /// The process lives, since a child died in its place, and was chosen once more.
    Later,
    /// One of the two: the kill line tells.
    Unclear,
}

impl Assembler {
    pub(super) fn announced(&mut self, line: &Announce<'_>, frame: &Frame<'_>, number: u64) {
        let again = self.again(line, frame);
        let mut holder = self.holder(frame).filter(|at| {
            self.draft(*at)
                .is_some_and(|draft| draft.stage < Stage::Killed && !draft.contradicts(line.cause))
        });
        let announced: Vec<u32> = holder
            .and_then(|at| self.draft(at))
            .filter(|draft| draft.firm.is_none() && self.tangle.is_none())
            .map(|draft| draft.report.victims.iter())
            .into_iter()
            .flatten()
            .filter(|victim| victim.announced_only)
            .map(|victim| victim.pid)
            .collect();
        if announced.contains(&line.pid) && again != Again::Later {
            self.ignored.repeated += 1;
            return;
        }
        // One decision announces one process: this is the next, and the kill line of the one before is lost.
        if !announced.is_empty()
            && let Some(at) = holder.take()
        {
            self.conclude(at);
        }
        if holder.is_none() && again == Again::Copied {
            self.ignored.repeated += 1;
            return;
        }
        let at = match holder {
            Some(at) => at,
            None => {
                let at = self.open(frame);
                if let Some(draft) = self.drafts.get_mut(at) {
                    draft.doubted = again == Again::Unclear;
                }
                at
            }
        };
        if let Some(draft) = self.drafts.get_mut(at) {
            let index = draft.keep(frame, number);
            draft.announce(line.pid, line.comm, line.score, line.cause, index);
        }
        self.remember(line.pid, line.comm, [None, None], frame);
    }

    fn again(&self, line: &Announce<'_>, frame: &Frame<'_>) -> Again {
        let comm = text(line.comm);
        let moment = self.boots.moment(frame);
        let mut again = Again::New;
        for known in &self.remembered {
            if known.pid != line.pid || known.comm != comm {
                continue;
            }
            again = match known.moment.is_same(&moment) {
                Some(true) => return Again::Copied,
                Some(false) if again != Again::Unclear => Again::Later,
                Some(false) | None => Again::Unclear,
            };
        }
        again
    }

    /// Whether a line named it as a victim lately.
    pub(super) fn was_victim(&self, pid: u32, comm: &str) -> bool {
        self.remembered
            .iter()
            .any(|known| known.pid == pid && known.comm == comm)
    }

    pub(super) fn is_repeated(
        &self,
        pid: u32,
        comm: &[u8],
        sizes: [Option<u64>; 2],
        frame: &Frame<'_>,
    ) -> bool {
        let comm = text(comm);
        let moment = self.boots.moment(frame);
        self.remembered.iter().any(|known| {
            known.pid == pid
                && known.comm == comm
                && (sizes == [None, None] || known.sizes == sizes)
                && known.moment.may_be_copies(&moment)
        })
    }

    pub(super) fn remember(
        &mut self,
        pid: u32,
        comm: &[u8],
        sizes: [Option<u64>; 2],
        frame: &Frame<'_>,
    ) {
        if self.remembered.len() >= REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back(Remembered {
            pid,
            comm: text(comm),
            sizes,
            moment: self.boots.moment(frame),
        });
    }
}
