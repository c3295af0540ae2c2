//! Lines that come after a kill, when its report may be over: the reaper's, those about processes that share memory, and a
//! kill line long after the line that says who was chosen.

use super::Assembler;
use crate::cursor::text;
use crate::draft::victims::fill;
use crate::draft::{Draft, provenance};
use crate::frame::Frame;
use crate::kernel::kill::{Killed, ReapedLine};
use crate::report::{Doubt, Missing, Reaped, Victim};

impl Assembler {
    pub(super) fn reaped(&mut self, line: &ReapedLine<'_>, frame: &Frame<'_>, number: u64) {
        let reaped = match (line.anon_rss_kib, line.file_rss_kib) {
            (Some(anon_rss_kib), Some(file_rss_kib)) => Some(Reaped {
                anon_rss_kib,
                file_rss_kib,
                shmem_rss_kib: line.shmem_rss_kib,
            }),
            _ => None,
        };
        self.conclude_chosen(line.pid, frame);
        if self.with_victim(line.pid, line.comm, frame, number, |victim| {
            victim.reaped = victim.reaped.or(reaped)
        }) {
            return;
        }
        if self.is_repeated(line.pid, line.comm, [None, None], frame) {
            return;
        }
        // All that is left of a kill.
        let at = self.open(frame);
        if let Some(draft) = self.drafts.get_mut(at) {
            let index = draft.keep(frame, number);
            draft.report.victims.push(Victim {
                pid: line.pid,
                comm: text(line.comm),
                reaped,
                lines: vec![index],
                ..Victim::default()
            });
        }
        self.remember(line.pid, line.comm, [None, None], frame);
        self.conclude(at);
    }

    /// Where the kill line is lost, the `oom-kill:` line still names the victim. Not one that another report has: then the
    /// kill line was given to that one.
    pub(super) fn adopt_chosen(&mut self, draft: &mut Draft) {
        let Some(victim) = draft.chosen_only() else {
            return;
        };
        if self.was_victim(victim.pid, &victim.comm) {
            return;
        }
        draft.report.victims.push(victim);
    }

    /// A kill line whose report was given up before it came; says whether there is such a report.
    pub(super) fn join_chosen(
        &mut self,
        killed: &Killed<'_>,
        frame: &Frame<'_>,
        number: u64,
    ) -> bool {
        let host = frame.host.map(text);
        let provenance = provenance(frame);
        let Some(report) = self.waiting.iter_mut().rev().find(|report| {
            let chosen = report
                .victims
                .first()
                .filter(|victim| victim.lines.first().copied() == report.constraint_line);
            chosen.is_some_and(|victim| {
                victim.pid == killed.pid && victim.comm.as_bytes() == killed.comm
            }) && report.provenance == provenance
                && (host.is_none() || report.node == host)
        }) else {
            return false;
        };
        let index = report
            .text
            .push(number, &String::from_utf8_lossy(frame.text));
        if let Some(victim) = report.victims.first_mut() {
            let uid = victim.uid;
            fill(victim, killed);
            victim.uid = victim.uid.or(uid);
            if let Some(line) = victim.lines.first_mut() {
                *line = index;
            }
        }
        report.missing.retain(|part| *part != Missing::KillLine);
        if killed.cut {
            report.doubts.push((Doubt::LineCut, Some(index)));
        }
        self.remember(killed.pid, killed.comm, killed.sizes_kib(), frame);
        true
    }

    /// Ends the report whose `oom-kill:` line names that process and whose kill line did not come: what is said of the
    /// process now is said after its death.
    pub(super) fn conclude_chosen(&mut self, pid: u32, frame: &Frame<'_>) {
        if self.tangle.is_some() {
            return;
        }
        let at = self.drafts.iter().position(|draft| {
            draft.could_hold(frame)
                && draft.firm.is_none()
                && draft.chosen_only().is_some_and(|victim| victim.pid == pid)
        });
        if let Some(at) = at {
            self.conclude(at);
        }
    }

    /// Applies `change` to the victim of that pid and name, wherever it is; says whether there is one.
    pub(super) fn with_victim(
        &mut self,
        pid: u32,
        comm: &[u8],
        frame: &Frame<'_>,
        number: u64,
        change: impl FnOnce(&mut Victim),
    ) -> bool {
        let comm = text(comm);
        let is_it = |victim: &Victim| victim.pid == pid && victim.comm == comm;
        let draft = self
            .drafts
            .iter_mut()
            .rev()
            .find(|draft| draft.report.victims.iter().any(is_it));
        let report = match draft {
            Some(draft) => {
                draft.foreign = 0;
                Some(&mut draft.report)
            }
            None => self
                .waiting
                .iter_mut()
                .rev()
                .find(|report| report.victims.iter().any(is_it)),
        };
        let Some(report) = report else { return false };
        let index = report
            .text
            .push(number, &String::from_utf8_lossy(frame.text));
        if let Some(victim) = report.victims.iter_mut().find(|victim| is_it(victim)) {
            victim.lines.push(index);
            change(victim);
        }
        self.release();
        true
    }

    pub(super) fn add_to_waiting(&mut self, pid: u32, comm: &[u8], frame: &Frame<'_>, number: u64) {
        if let Some(report) = self
            .waiting
            .back_mut()
            .filter(|report| report.victims.iter().all(|victim| victim.pid != pid))
        {
            let index = report
                .text
                .push(number, &String::from_utf8_lossy(frame.text));
            report.victims.push(Victim {
                pid,
                comm: text(comm),
                shares_memory: true,
                lines: vec![index],
                ..Victim::default()
            });
        }
    }
}
