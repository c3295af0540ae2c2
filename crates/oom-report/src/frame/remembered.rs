//! What stood before the kernel's stamp of the line before: nearly every line of a report begins with the same bytes, and
//! what they say was read once.

use super::{Frame, Origin, peel, stamp};
use crate::cursor::Cursor;
use crate::time::RawTime;

/// Whether nothing in what stands within a line can have to be changed before it is read: no colour, entity, hard space or
/// escape.
pub(crate) fn is_plain(part: &[u8]) -> bool {
    let is_odd = |byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'&' | b'\\');
    !part.iter().any(is_odd)
}

/// `Mar  9 13:17:05 node-1 kernel: `, `<4>`: all of a frame that stands before the kernel's stamp.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The bytes themselves.
    head: Vec<u8>,
    time: RawTime,
    /// Where the host's name stands in the head.
    host: Option<(usize, usize)>,
    /// The frame's `origin` and `cap`; none while nothing is remembered.
    origin: Option<(Origin, Origin)>,
}

impl Remembered {
    /// The frame of a line that begins with the same bytes and a stamp: what [`peel::peel`] would make of it. What stands before
    /// its text is plain.
    pub(super) fn frame<'a>(&self, line: &'a [u8]) -> Option<Frame<'a>> {
        let (origin, cap) = self.origin?;
        stamped(Frame {
            time: self.time,
            host: match self.host {
                Some((from, to)) => Some(line.get(from..to)?),
                None => None,
            },
            origin,
            cap,
            ..Frame::bare(line.strip_prefix(self.head.as_slice())?)
        })
    }

    /// Notes what stands before the stamp of a line that was just peeled; nothing where the frame is of another shape.
    pub(super) fn note(&mut self, line: &[u8], frame: &Frame<'_>) {
        if frame.boot_us.is_none() {
            return;
        }
        let Some(head) = head(line, frame) else {
            return;
        };
        let host = frame.host.map(|host| {
            let from = (host.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
            (from, from.wrapping_add(host.len()))
        });
        self.head.clear();
        self.head.extend(head);
        self.time = frame.time;
        self.host = host;
        self.origin = Some((frame.origin, frame.cap));
    }
}

/// The frame with the kernel's stamp and caller taken off its text. `None` where no stamp stands there.
#[inline]
pub(super) fn stamped(mut frame: Frame<'_>) -> Option<Frame<'_>> {
    let mut cursor = Cursor(frame.text);
    frame.boot_us = Some(stamp::boot(&mut cursor)?);
    cursor.eat(b" ");
    frame.framed = true;
    frame.text = cursor.0;
    peel::caller(&mut frame);
    Some(frame)
}

/// What stands before the stamp, if that is the last thing before the text and behind a tag or a priority.
fn head<'a>(line: &'a [u8], frame: &Frame<'_>) -> Option<&'a [u8]> {
    let framing = line.get(..line.len().checked_sub(frame.text.len())?)?;
    let at = memchr::memrchr(b'[', framing)?;
    let (head, stamped) = framing.split_at_checked(at)?;
    let mut cursor = Cursor(stamped);
    let boot_us = stamp::boot(&mut cursor);
    cursor.eat(b" ");
    let is_all = cursor.0.is_empty() && boot_us == frame.boot_us;
    let is_plain = is_plain(head) && !head.starts_with(b"    ");
    (is_all && is_plain && (head.ends_with(b"kernel: ") || head.ends_with(b">"))).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_read() {
        let lines: [&[u8]; 12] = [
            b"Mar  9 13:17:05 node-1 kernel: [    1.000000] a",
            b"Mar  9 13:17:05 node-1 kernel: [    2.500000] [ T12] b",
            b"Mar  9 13:17:05 node-1 kernel: [    2.500000] [   12]     0    12 c",
            b"Mar  9 13:17:05 node-2 kernel: [    2.500000] d",
            b"Mar  9 13:17:06 node-2 kernel: [    2.500000 <    0.000100>] e",
            b"Mar  9 13:17:06 node-2 kernel: no stamp",
            b"Mar  9 13:17:06 node-2 app[1]: [    2.500000] f",
            b"<4>[    3.000000] g",
            b"<4>[    3.000000] node-1 kernel: h",
            b"<12>[    3.000000] i",
            b"kernel: [    3.000000] j",
            b"[    3.000000] k",
        ];
        let mut remembered = Remembered::default();
        let mut used = 0;
        for line in lines.iter().flat_map(|line| [line, line]) {
            let mut read = Frame::bare(line);
            peel::peel(&mut read);
            if let Some(frame) = remembered.frame(line) {
                assert_eq!(frame, read, "{}", line.escape_ascii());
                used += 1;
            }
            remembered.note(line, &read);
        }
        assert!(used >= 12, "{used}");
    }
}
