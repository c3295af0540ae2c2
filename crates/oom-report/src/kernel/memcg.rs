//! Lines about the memory cgroup (`mem_cgroup_print_oom_*`, mm/memcontrol.c and mm/memcontrol-v1.c).

use smol_str::SmolStr;

use super::KernelLine;
use crate::cursor::{Cursor, text};
use crate::report::NamedValues;

/// Which counter a usage line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CounterKind {
    Memory,
    MemorySwap,
    Kmem,
    Swap,
}

/// `memory: usage 65536kB, limit 65536kB, failcnt 32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) kind: CounterKind,
    pub(crate) usage_kib: u64,
    pub(crate) limit_kib: Option<u64>,
    pub(crate) failcnt: Option<u64>,
}

/// `Memory cgroup stats for PATH:` with what follows the colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatsLine<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) inline: &'a [u8],
}

/// Reads any of the lines of this file.
pub(crate) fn read(line: &[u8], cut: bool) -> Option<KernelLine<'_>> {
    let mut cursor = Cursor(line);
    if cursor.eat(b"Task in ") {
        let mut ahead = cursor;
        let victim = ahead.until(b" killed as a result of limit of ")?;
        // A path ends the line: of a cut line it may be a part only.
        return (!cut).then_some(KernelLine::TaskIn {
            victim,
            limit: ahead.0.trim_ascii_end(),
        });
    }
    if cursor.eat(b"Memory cgroup stats") {
        let mut path: &[u8] = b"";
        if cursor.eat(b" for ") {
            // The path may hold a colon (`kubepods-...:cri-containerd:<id>`), so the last one that ends it counts:
            // before the inline numbers (5.1 and earlier), else at the end.
            let rest = cursor.0.trim_ascii_end();
            let inline_at = memchr::memmem::rfind(rest, b": cache:");
            if let Some(at) = inline_at {
                return Some(KernelLine::Stats(StatsLine {
                    path: rest.get(..at)?,
                    inline: rest.get(at + 1..)?,
                }));
            }
            path = rest.strip_suffix(b":")?;
            return Some(KernelLine::Stats(StatsLine { path, inline: b"" }));
        }
        cursor.need(b":")?;
        return Some(KernelLine::Stats(StatsLine {
            path,
            inline: cursor.0,
        }));
    }
    let kind = if cursor.eat(b"memory: usage ") {
        CounterKind::Memory
    } else if cursor.eat(b"memory+swap: usage ") {
        CounterKind::MemorySwap
    } else if cursor.eat(b"kmem: usage ") {
        CounterKind::Kmem
    } else if cursor.eat(b"swap: usage ") {
        CounterKind::Swap
    } else {
        return None;
    };
    let usage_kib = cursor.kib()?;
    let limit_kib = if cursor.eat(b", limit ") {
        cursor.kib()
    } else {
        None
    };
    let failcnt = if cursor.eat(b", failcnt ") {
        cursor.number()
    } else {
        None
    };
    Some(KernelLine::Usage(Usage {
        kind,
        usage_kib,
        limit_kib,
        failcnt,
    }))
}

/// ` cache:0KB rss:65532KB rss_huge:0KB ...`: names and numbers as printed, in KiB.
pub(crate) fn read_inline(inline: &[u8], cut: bool) -> NamedValues {
    let mut values = Vec::new();
    for word in inline
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
    {
        let Some(colon) = memchr::memchr(b':', word) else {
            continue;
        };
        let (Some(name), Some(number)) = (word.get(..colon), word.get(colon + 1..)) else {
            continue;
        };
        let mut cursor = Cursor(number);
        if let Some(value) = cursor
            .number()
            .filter(|_| cursor.eat(b"KB") || (!cut && cursor.0.is_empty()))
        {
            values.push((text(name), value));
        }
    }
    NamedValues(values)
}

/// `anon 67051520`: one row of the memory.stat form (5.3+).
pub(crate) fn read_stat(line: &[u8]) -> Option<(SmolStr, u64)> {
    let mut cursor = Cursor(line.trim_ascii_start());
    let name = cursor.take_while(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'(' | b')' | b'.')
    });
    if !name.first()?.is_ascii_lowercase() {
        return None;
    }
    cursor.need(b" ")?;
    let value = cursor.number()?;
    cursor
        .0
        .trim_ascii()
        .is_empty()
        .then(|| (text(name), value))
}
