//! Reports whose first lines are lost: the lines before the first needle that are a report's body all the same.

use super::{Position, Scanner};
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
    pub(super) fn look_back(&mut self, bytes: &[u8], needle: usize, position: &mut Position) {
        let Some(line) = bytes.get(position.offset..) else {
            return;
        };
        if super::is_entry(line)
            || memchr::memmem::find(
                bytes.get(position.offset..needle + 12).unwrap_or_default(),
                b"invoked oom-killer",
            )
            .is_some()
        {
            return;
        }
        let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let opener = line.get(..end).unwrap_or_default();
        let opener = opener.strip_suffix(b"\r").unwrap_or(opener);
        // A needle in a line that opens nothing proves nothing of the lines before.
        let proves_nothing = |frame: &frame::Frame<'_>| {
            frame.believed() == frame::Origin::Other || !kernel::read(frame.text, false).opens()
        };
        let first = frame::frame(opener, self.prefix.as_deref(), &mut self.scratch);
        let prefix = if first.framed {
            if proves_nothing(&first) {
                return;
            }
            self.prefix.clone()
        } else {
            let prefix = self
                .prefix_if_needed(opener, false)
                .or_else(|| self.prefix.clone());
            if proves_nothing(&frame::frame(opener, prefix.as_deref(), &mut self.scratch)) {
                return;
            }
            prefix
        };
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
            match self.is_body(line.strip_suffix(b"\r").unwrap_or(line), prefix.as_deref()) {
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
            self.assembler.opening = true;
        }
    }

    fn is_body(&mut self, line: &[u8], prefix: Option<&[u8]>) -> Body {
        let learned = self.prefix_if_needed(line, false);
        let frame = frame::frame(line, learned.as_deref().or(prefix), &mut self.scratch);
        if frame.believed() == frame::Origin::Other {
            return Body::Foreign;
        }
        match kernel::read(frame.text, false) {
            KernelLine::Other if memcg::read_stat(frame.text).is_some() => Body::Part,
            KernelLine::Other | KernelLine::Suppressed => Body::Foreign,
            // Another kind of report (a warning, a failed allocation) may stand before this one: its call trace is not ours.
            KernelLine::Cpu(_)
            | KernelLine::Hardware(_)
            | KernelLine::StackMark
            | KernelLine::StackFrame(_)
            | KernelLine::Registers => Body::Barrier,
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
