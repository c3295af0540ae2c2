//! Lines that come after a kill, when its report may be over: the reaper's, and those about processes that share memory.

use super::Assembler;
use crate::cursor::text;
use crate::frame::Frame;
use crate::kernel::kill::ReapedLine;
use crate::report::{Reaped, Victim};

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
