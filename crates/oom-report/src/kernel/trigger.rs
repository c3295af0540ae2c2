//! Who asked for memory: the header, the `CPU:` line and the call trace (`dump_header`, `dump_stack`).

use super::KernelLine;
use crate::cursor::{Cursor, contains};

/// `COMM invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) comm: &'a [u8],
    pub(crate) gfp_mask: Option<u64>,
    /// `GFP_KERNEL|__GFP_ZERO` (4.6+)
    pub(crate) gfp_flags: Option<&'a [u8]>,
    pub(crate) nodemask: Option<&'a [u8]>,
    pub(crate) order: Option<i32>,
    pub(crate) oom_score_adj: Option<i32>,
}

/// `CPU: 1 PID: 812 Comm: hog Not tainted 6.1.0 #1 Debian`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuLine<'a> {
    pub(crate) cpu: Option<u32>,
    pub(crate) pid: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) comm: &'a [u8],
    pub(crate) release: Option<&'a [u8]>,
}

/// ` dump_stack+0x5c/0x7b`, ` ? dump_stack+0x5c/0x7b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackFrame<'a> {
    pub(crate) function: &'a [u8],
    /// Found on the stack by its looks only (`?`, `(unreliable)`): it may be a leftover.
    pub(crate) guess: bool,
}

const INVOKED: &[u8] = b" invoked oom-killer: ";

/// Reads the header. The name stands first and may hold anything but the words of the kernel (15 bytes at most).
pub(crate) fn read_header(line: &[u8]) -> Option<KernelLine<'_>> {
    let mut cursor = Cursor(line);
    let comm = cursor.until_last(INVOKED)?;
    let mut header = Header {
        comm,
        gfp_mask: None,
        gfp_flags: None,
        nodemask: None,
        order: None,
        oom_score_adj: None,
    };
    let fields = cursor;
    // For a while in linux-next others stood before the mask (mm/oom_kill.c, 4.4-rc).
    let mut reordered = cursor;
    if reordered.eat(b"order=") && reordered.until(b" gfp_mask=").is_some_and(is_of_fields) {
        cursor = reordered;
    } else {
        cursor.need(b"gfp_mask=")?;
    }
    // A source's format string is no header.
    if cursor.peek() == Some(b'%') {
        return None;
    }
    // Digits that somebody masked (`0x240****`), or that end with the line, leave no number.
    header.gfp_mask = cursor
        .hex()
        .filter(|_| matches!(cursor.peek(), Some(b'(' | b',' | b' ')));
    if header.gfp_mask.is_none() {
        cursor.take_while(|byte| !matches!(byte, b'(' | b','));
    }
    if cursor.eat(b"(") {
        header.gfp_flags = cursor.until(b")");
    }
    let field = |name: &[u8]| {
        let mut found = fields;
        found.until(name)?;
        Some(found)
    };
    if let Some(mut at) = field(b"nodemask=") {
        let value = at.take_while(|byte| byte != b' ');
        let value = value.strip_suffix(b",").unwrap_or(value);
        header.nodemask = Some(value).filter(|value| *value != b"(null)");
    }
    let signed = |name| field(name).and_then(|mut at| i32::try_from(at.signed()?).ok());
    header.order = signed(b"order=");
    header.oom_score_adj = signed(b"oom_score_adj=");
    Some(KernelLine::Header(header))
}

/// Whether only short fields stand there.
fn is_of_fields(text: &[u8]) -> bool {
    let is_of_field = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'=' | b',' | b' ' | b'-')
    };
    text.len() < 40 && text.iter().all(is_of_field)
}

/// `COMM cpuset=NAME mems_allowed=0-1` (cpuset_print_current_mems_allowed, 3.10 to 4.20).
pub(crate) fn read_cpuset(line: &[u8]) -> Option<KernelLine<'_>> {
    let mut cursor = Cursor(line);
    let mems_allowed_at = cursor.until_last(b" mems_allowed=")?;
    let mems_allowed = cursor.word();
    let mut head = Cursor(mems_allowed_at);
    head.until_last(b" cpuset=")?;
    Some(KernelLine::Cpuset {
        cpuset: head.0,
        mems_allowed,
    })
}

/// `CPU: ..`, `Hardware name: ..`, `Pid: ..` (before 3.10) and the registers.
pub(crate) fn read_cpu(line: &[u8]) -> Option<KernelLine<'_>> {
    let mut cursor = Cursor(line);
    if cursor.eat(b"Hardware name: ") {
        return Some(KernelLine::Hardware(cursor.0.trim_ascii_end()));
    }
    if cursor.eat(b"CPU: ") {
        let cpu = cursor.number_u32()?;
        cursor.need(b" ")?;
        let mut uid = None;
        // 6.12+: `CPU: 1 UID: 0 PID: 812 Comm: ...`
        if cursor.eat(b"UID: ") {
            uid = cursor.number_u32();
            cursor.need(b" ")?;
        }
        cursor.need(b"PID: ")?;
        let pid = cursor.number_u32()?;
        cursor.need(b" Comm: ")?;
        let (comm, release) = comm_and_release(cursor)?;
        return Some(KernelLine::Cpu(CpuLine {
            cpu: Some(cpu),
            pid,
            uid,
            comm,
            release,
        }));
    }
    if cursor.eat(b"Pid: ") {
        let pid = cursor.number_u32()?;
        cursor.need(b", comm: ")?;
        let (comm, release) = comm_and_release(cursor)?;
        return Some(KernelLine::Cpu(CpuLine {
            cpu: None,
            pid,
            uid: None,
            comm,
            release,
        }));
    }
    const REGISTERS: [&[u8]; 5] = [b"RIP: ", b"RSP: ", b"RAX: ", b"RBP: ", b"RDX: "];
    (REGISTERS.iter().any(|name| line.starts_with(name))
        || line.starts_with(b"Code: ")
        || line.starts_with(b"R1"))
    .then_some(KernelLine::Registers)
    .or_else(|| line.starts_with(b"Call ").then_some(KernelLine::StackMark))
}

/// RHEL and Debian put `Kdump: loaded` between name and taint (dump_stack_print_info with CONFIG_CRASH_DUMP).
fn without_kdump(comm: &[u8]) -> &[u8] {
    comm.strip_suffix(b" Kdump: loaded")
        .or_else(|| comm.strip_suffix(b" Kdump: not loaded"))
        .unwrap_or(comm)
}

/// `hog Not tainted 6.1.0-18-amd64 #1` or `hog Tainted: G  W  5.10.0 #1`.
fn comm_and_release(cursor: Cursor<'_>) -> Option<(&[u8], Option<&[u8]>)> {
    let mut plain = cursor;
    if let Some(comm) = plain.until_last(b" Not tainted") {
        let comm = without_kdump(comm);
        plain.spaces();
        let release = plain.word();
        // A release at the very end of the line may be cut.
        let whole = !plain.0.is_empty() && release.first().is_some_and(u8::is_ascii_digit);
        return Some((comm, whole.then_some(release)));
    }
    let mut tainted = cursor;
    let comm = without_kdump(tainted.until_last(b" Tainted: ")?);
    // Flags are single capital letters; the release is the first word that begins with a digit.
    loop {
        tainted.spaces();
        let word = tainted.word();
        if word.is_empty() {
            return Some((comm, None));
        }
        if word.first().is_some_and(u8::is_ascii_digit) && contains(word, b".") {
            return Some((comm, (!tainted.0.is_empty()).then_some(word)));
        }
    }
}

/// A line of the call trace in any shape: ` dump_stack+0x5c/0x7b`, ` [<ffffffff81>] ? f+0x1/0x2 [module]`,
/// `[c000] [c000] f+0x1/0x2 (unreliable)`, `Call Trace:`, ` <TASK>`.
pub(crate) fn read_stack(line: &[u8]) -> Option<KernelLine<'_>> {
    let trimmed = line.trim_ascii();
    if trimmed.starts_with(b"Call Trace:") || trimmed.starts_with(b"Call trace:") {
        return Some(KernelLine::StackMark);
    }
    if trimmed.starts_with(b"<") && trimmed.ends_with(b">") {
        return Some(KernelLine::StackMark);
    }
    let Some(plus) = crate::cursor::find(trimmed, b"+0x") else {
        return read_decoded_frame(trimmed).map(KernelLine::StackFrame);
    };
    let (head, tail) = trimmed.split_at_checked(plus)?;
    // Offset and size, both in hex: `+0x5c/0x7b`.
    let mut offsets = Cursor(tail);
    offsets.need(b"+")?;
    offsets.hex()?;
    offsets.need(b"/")?;
    offsets.hex()?;
    let start = head
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace())
        .map_or(0, |at| at + 1);
    let (before, function) = head.split_at_checked(start)?;
    // 32-bit ARM before 5.16: `[<c0012fcc>] (dump_header) from [<c00131a4>] (show_stack+0x20/0x24)`.
    let function = function.strip_prefix(b"(").unwrap_or(function);
    // 64-bit PowerPC, big endian: the dot marks the code, the name alone its descriptor.
    let function = function.strip_prefix(b".").unwrap_or(function);
    if before.starts_with(b"RIP:") {
        return Some(KernelLine::Registers);
    }
    // Addresses in brackets, a question mark, ARM's `from` may stand before; a number or a time is a log's framing.
    let framing = before
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .any(|word| word.iter().all(u8::is_ascii_digit) || memchr::memchr(b':', word).is_some());
    if framing || !is_function(function) {
        return None;
    }
    let guess = contains(before, b"?") || contains(tail, b"(unreliable)");
    Some(KernelLine::StackFrame(StackFrame { function, guess }))
}

/// A frame that scripts/decode_stacktrace.sh named: `dump_stack_lvl (lib/dump_stack.c:107 (discriminator 4))`, with the
/// places of inlined functions behind each other and maybe a module at the end.
fn read_decoded_frame(line: &[u8]) -> Option<StackFrame<'_>> {
    let mut cursor = Cursor(line);
    let guess = cursor.eat(b"? ");
    cursor.spaces();
    let function = cursor.word();
    cursor.need(b" (")?;
    let place = cursor.word();
    let colon = memchr::memrchr(b':', place)?;
    let (file, number) = place.split_at_checked(colon)?;
    let in_source = [&b".c"[..], b".h", b".S", b".rs"]
        .iter()
        .any(|end| file.ends_with(end));
    let numbered = number.get(1..)?.first()?.is_ascii_digit() || number == b":?";
    (in_source && numbered && is_function(function)).then_some(StackFrame { function, guess })
}

fn is_function(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$'))
}
