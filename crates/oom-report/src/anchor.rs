//! Where in a sea of lines a report can begin: the search that lets noise be skipped at the speed of memory.
//!
//! Every [`crate::kernel::KernelLine`] that opens a report holds one of [`NEEDLES`]; a property test holds the two
//! against each other. Finding a needle proves nothing: the line is read as any other.

use aho_corasick::AhoCorasick;
use aho_corasick::packed::{Config, MatchKind, Searcher};
use std::sync::LazyLock;

/// One of these stands in every line that can begin a report. Few and rare: the search compares all at once.
pub(crate) const NEEDLES: [&[u8]; 8] = [
    b" invoked oom-killer",
    b"oom-kill:const",
    b"Killed proc",
    b"Kill process",
    b"oom_reaper: ",
    b"ut of memory",
    b" total_vm ",
    b"memory: usage ",
];

/// Longest needle less one: how much of a block's end the next block must see again.
pub(crate) const OVERLAP: usize = 18;

/// A place where a needle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Byte offset in the searched bytes.
    pub(crate) offset: usize,
    /// Line ends before it in the searched bytes.
    pub(crate) newlines: u64,
}

/// Bytes searched and counted before going on: both passes find them in the second-level cache.
const BLOCK: usize = 128 * 1024;

enum Engine {
    Packed(Searcher),
    /// Where the processor has no vector search.
    Plain(AhoCorasick),
}

static ENGINE: LazyLock<Option<Engine>> = LazyLock::new(|| {
    Config::new()
        .match_kind(MatchKind::LeftmostFirst)
        .builder()
        .extend(NEEDLES)
        .build()
        .map(Engine::Packed)
        .or_else(|| AhoCorasick::new(NEEDLES).ok().map(Engine::Plain))
});

/// Offset of the next needle in `bytes`.
fn next(bytes: &[u8]) -> Option<usize> {
    match LazyLock::force(&ENGINE).as_ref()? {
        Engine::Packed(searcher) => searcher.find(bytes).map(|found| found.start()),
        Engine::Plain(automaton) => automaton.find(bytes).map(|found| found.start()),
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// All hits whose needle begins in `bytes[..end]` (needles may reach beyond `end`), in order, at most one a line, and
/// the number of line ends in `bytes[..end]`.
pub(crate) fn search(bytes: &[u8], end: usize) -> (Vec<Hit>, u64) {
    let mut hits = Vec::new();
    let mut lines = 0;
    let mut start = 0;
    while start < end {
        let stop = (start + BLOCK).min(end);
        let reach = (stop + OVERLAP).min(bytes.len());
        let mut counted = start;
        let mut at = start;
        while let Some(found) = bytes.get(at..reach).and_then(next) {
            let offset = at + found;
            if offset >= stop {
                break;
            }
            lines += newlines(bytes.get(counted..offset).unwrap_or_default());
            counted = offset;
            hits.push(Hit {
                offset,
                newlines: lines,
            });
            // One hit a line is enough.
            match memchr::memchr(b'\n', bytes.get(offset..stop).unwrap_or_default()) {
                Some(line_end) => at = offset + line_end,
                None => break,
            }
        }
        lines += newlines(bytes.get(counted..stop).unwrap_or_default());
        start = stop;
    }
    (hits, lines)
}
