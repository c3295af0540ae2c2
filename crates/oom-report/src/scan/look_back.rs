//! Reports whose first lines are lost: the lines before the first needle that are a report's body all the same.

use super::wrapped::Rejoined;
use super::{Position, Scanner, markup};
use crate::assemble::{GAP_US, is_banner};
use crate::frame;
use crate::kernel::{self, KernelLine, memcg};

/// Lines and bytes looked at before a needle.
const LINES: usize = 4096;
const BYTES: usize = super::KEPT_BEHIND;
/// Lines of others between lines of a report.
const TOLERATED: usize = 16;

impl Scanner {
    /// Moves `position` (at the line of a needle) back to the first line of the same report. Only for lines, not for
    /// journal entries; a header needs none, since it is the first.
    pub(super) fn look_back(&mut self, bytes: &[u8], position: &mut Position) {
        let Some(line) = bytes.get(position.offset..) else {
            return;
        };
        if super::is_entry(line) {
            return;
        }
        let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let opener = line.get(..end).unwrap_or_default();
        let opener = opener.strip_suffix(b"\r").unwrap_or(opener);
        let joined = self.rejoin_unlearned(line, (end + 1).min(line.len()), false);
        let opener = match &joined {
            Rejoined::Joined(joined, ..) => joined.as_slice(),
            Rejoined::Whole | Rejoined::Waits => opener,
        };
        let mut stripped = Vec::new();
        let opener = if markup::strip(opener, &mut stripped) {
            stripped.as_slice()
        } else {
            opener
        };
        let first = frame::frame(opener, self.prefix.as_deref(), &mut self.scratch);
        let (prefix, proof) = if first.framed {
            let proof = proof(&first);
            (self.prefix.clone(), proof)
        } else {
            let prefix = self
                .prefix_if_needed(opener, false)
                .or_else(|| self.prefix.clone());
            let proof = proof(&frame::frame(opener, prefix.as_deref(), &mut self.scratch));
            (prefix, proof)
        };
        // A needle in a line that opens nothing proves nothing of the lines before.
        let Some(Proof {
            after_decision,
            clock_us,
        }) = proof
        else {
            return;
        };
        if after_decision && position.behind_report && !self.assembler.is_long_after_last(clock_us)
        {
            return;
        }
        let floor = position.floor.max(position.offset.saturating_sub(BYTES));
        let mut at = position.offset;
        let mut earliest = position.offset;
        let mut earliest_lines = 0;
        let mut foreign = 0;
        for count in 1..=LINES {
            if at <= floor || foreign > TOLERATED {
                break;
            }
            let before = bytes.get(floor..at - 1).unwrap_or_default();
            let start = floor + memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            if start == floor && floor > position.floor {
                // The window begins inside this line.
                break;
            }
            let line = bytes.get(start..at - 1).unwrap_or_default();
            at = start;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match self.is_body(line, prefix.as_deref(), clock_us) {
                Body::Part => {
                    earliest = start;
                    earliest_lines = count as u64;
                    foreign = 0;
                }
                Body::Foreign => foreign += 1,
                Body::Barrier => break,
            }
        }
        if earliest < position.offset {
            position.offset = earliest;
            position.lines = position.lines.saturating_sub(earliest_lines);
            // What the opener shows of the lines' framing, the first of them need not show.
            if self.prefix.is_none() {
                self.prefix = prefix.filter(|prefix| !prefix.starts_with(b"{"));
            }
            self.assembler.opening = true;
        }
    }

    fn is_body(&mut self, line: &[u8], prefix: Option<&[u8]>, clock_us: Option<u64>) -> Body {
        let mut stripped = Vec::new();
        let line = if markup::strip(line, &mut stripped) {
            stripped.as_slice()
        } else {
            line
        };
        let learned = self.prefix_if_needed(line, false);
        let frame = frame::frame(line, learned.as_deref().or(prefix), &mut self.scratch);
        if frame.believed() == frame::Origin::Other {
            return Body::Foreign;
        }
        let apart_us = clock_us
            .zip(frame.boot_us)
            .map(|(one, other)| one.abs_diff(other));
        if apart_us.is_some_and(|apart| apart > GAP_US) {
            return Body::Foreign;
        }
        match kernel::read(frame.text, false) {
            // Nothing of an earlier boot belongs here.
            KernelLine::Other if is_banner(&frame) => Body::Barrier,
            KernelLine::Other if memcg::read_stat(frame.text).is_some() => Body::Part,
            KernelLine::Other | KernelLine::Suppressed => Body::Foreign,
            // Another kind of report (a warning, a failed allocation) may stand before this one: its call trace is not ours.
            KernelLine::Cpu(_)
            | KernelLine::Hardware(_)
            | KernelLine::StackMark
            | KernelLine::StackFrame(_)
            | KernelLine::Registers
            | KernelLine::OtherReport => Body::Barrier,
            // These would have opened the report themselves.
            line if line.opens() => Body::Barrier,
            _ => Body::Part,
        }
    }
}

enum Body {
    Part,
    Foreign,
    Barrier,
}

/// What a line says of those before it.
struct Proof {
    /// What a kernel prints just before it opens a report itself. A body without it is this one's only where lines were
    /// picked out (`grep memory`), and with a report just before, nothing shows whose it is.
    after_decision: bool,
    /// The line's own clock.
    clock_us: Option<u64>,
}

/// `None`: the line is not the kernel's, opens nothing, or is the first of its report.
fn proof(frame: &frame::Frame<'_>) -> Option<Proof> {
    let line = kernel::read(frame.text, false);
    if frame.believed() == frame::Origin::Other
        || !line.opens()
        || matches!(line, KernelLine::Header(_))
    {
        return None;
    }
    let after_decision = matches!(
        line,
        KernelLine::Killed(_)
            | KernelLine::Sharing { .. }
            | KernelLine::Reaped(_)
            | KernelLine::ReapFailed { .. }
    );
    Some(Proof {
        after_decision,
        clock_us: frame.boot_us,
    })
}
