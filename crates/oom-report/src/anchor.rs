//! Where in a sea of lines a report can begin: the search that lets noise be skipped at the speed of memory.
//!
//! Every [`crate::kernel::KernelLine`] that opens a report holds one of [`NEEDLES`]; a property test holds the two
//! against each other. Finding a needle proves nothing: the line is read as any other.

use aho_corasick::AhoCorasick;
use aho_corasick::packed::{Config, MatchKind, Searcher};
use std::sync::LazyLock;

/// One of these stands in every line that can begin a report. Every needle holds `oom` or `kill` in some case: what
/// [`sieve`] looks for.
pub(crate) const NEEDLES: [&[u8]; 7] = [
    b"oom-kill",
    b"oom_reaper: ",
    b"oom_score_adj",
    b" oom_adj ",
    b"panic_on_oom",
    b"Kill",
    b"killable",
];

/// Longest needle less one: how much of a block's end the next block must see again.
pub(crate) const OVERLAP: usize = 12;

/// A place where a needle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Byte offset in the searched bytes.
    pub(crate) offset: usize,
    /// Line ends before it in the searched bytes.
    pub(crate) newlines: u64,
}

/// Bytes that pass the sieve at a time. What does not pass is looked at again, out of the first-level cache: real noise
/// holds `kill` or `oom` in one line of a few hundred, and a small block keeps that to a few bytes around it.
const BLOCK: usize = 2 * 1024;
/// Bytes compared side by side; a power of two of the processor's vectors.
const LANES: usize = 64;
/// Bytes read beyond a lane.
const REACH: usize = 3;

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

/// Counts the line ends in all of `bytes` but the last [`REACH`], and says whether `oom` or `k?ll` (either case of k)
/// begins there. Whole lanes only. One pass at the speed of memory: the compiler makes vector code of it, once for
/// each kind of processor.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512vl",
    "x86_64+avx2",
    "x86_64+sse4.2",
    "aarch64+neon"
))]
fn sieve(bytes: &[u8]) -> (u64, bool) {
    let lanes = bytes.len().saturating_sub(REACH) / LANES;
    let mut lines = 0;
    let mut any = [0_u8; LANES];
    // Line ends are counted in bytes, which hold no more than 255.
    for first in (0..lanes).step_by(255) {
        let mut counts = [0_u8; LANES];
        for lane in first..lanes.min(first + 255) {
            let at = lane * LANES;
            let Some(window) = bytes.get(at..at + LANES + REACH) else {
                break;
            };
            let (Some(zero), Some(one), Some(two), Some(three)) = (
                window.first_chunk::<LANES>(),
                window.get(1..).and_then(<[u8]>::first_chunk::<LANES>),
                window.get(2..).and_then(<[u8]>::first_chunk::<LANES>),
                window.get(3..).and_then(<[u8]>::first_chunk::<LANES>),
            ) else {
                break;
            };
            let columns = zero.iter().zip(one).zip(two).zip(three);
            for ((((zero, one), two), three), (count, any)) in
                columns.zip(counts.iter_mut().zip(any.iter_mut()))
            {
                *count += u8::from(*zero == b'\n');
                let oom = ((zero ^ b'o') | (one ^ b'o') | (two ^ b'm')) == 0;
                let kill = (((zero | 0x20) ^ b'k') | (two ^ b'l') | (three ^ b'l')) == 0;
                *any |= u8::from(oom | kill);
            }
        }
        lines += counts.iter().map(|count| u64::from(*count)).sum::<u64>();
    }
    (lines, any.iter().any(|lane| *lane != 0))
}

/// All hits whose needle begins in `bytes[..end]` (needles may reach beyond `end`), in order, at most one a line, and
/// the number of line ends in `bytes[..end]`.
pub(crate) fn search(bytes: &[u8], end: usize) -> (Vec<Hit>, u64) {
    let mut hits = Vec::new();
    let mut lines = 0;
    let mut start = 0;
    while start < end {
        let stop = start + BLOCK;
        match bytes.get(start..stop + REACH).filter(|_| stop <= end) {
            Some(block) => {
                let (line_ends, suspicious) = sieve(block);
                if suspicious {
                    look(bytes, start, stop, &mut hits, &mut lines);
                } else {
                    lines += line_ends;
                }
                start = stop;
            }
            None => {
                look(bytes, start, end, &mut hits, &mut lines);
                start = end;
            }
        }
    }
    (hits, lines)
}

/// The exact search of `bytes[start..stop]`; adds to `hits` and `lines`.
fn look(bytes: &[u8], start: usize, stop: usize, hits: &mut Vec<Hit>, lines: &mut u64) {
    let reach = (stop + OVERLAP).min(bytes.len());
    let mut counted = start;
    let mut at = start;
    while let Some(found) = bytes.get(at..reach).and_then(next) {
        let offset = at + found;
        if offset >= stop {
            break;
        }
        *lines += newlines(bytes.get(counted..offset).unwrap_or_default());
        counted = offset;
        hits.push(Hit {
            offset,
            newlines: *lines,
        });
        // One hit a line is enough.
        match memchr::memchr(b'\n', bytes.get(offset..stop).unwrap_or_default()) {
            Some(line_end) => at = offset + line_end,
            None => break,
        }
    }
    *lines += newlines(bytes.get(counted..stop).unwrap_or_default());
}
