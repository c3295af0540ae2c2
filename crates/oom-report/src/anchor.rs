//! Where in a sea of lines a report can begin: the search that lets noise be skipped at the speed of memory.
//!
//! Every [`crate::kernel::KernelLine`] that opens a report holds one of [`NEEDLES`]; a property test holds the two
//! against each other. Finding a needle proves nothing: the line is read as any other.

use aho_corasick::AhoCorasick;
use aho_corasick::packed::{Config, MatchKind, Searcher};
use std::sync::LazyLock;

/// One of these stands in every line that can begin a report. Every needle holds `oom`, `kil` or `Kil`: what [`sieve`]
/// looks for.
pub(crate) const NEEDLES: [&[u8]; 9] = [
    b"oom-kill",
    b"oom_reaper: ",
    b"oom_score_adj",
    b" oom_adj ",
    b"panic_on_oom",
    b"Kill",
    b"killable",
    b"killed as a r",
    b": kill proces",
];

/// What looks like a needle in the words of others, and stands in none of the kernel's: `Killing container` (kubelet),
/// `Kill container` and `"oom_score_adj":` (containerd), `Killing process` and `Failed with result 'oom-kill'`
/// (systemd). A node's log is full of them.
const OTHERS: [&[u8]; 5] = [
    b"Killi",
    b"Kill c",
    b"oom_score_adj\"",
    b"oom_score_adj\\",
    b"oom-kill'",
];

/// Longest needle less one: how much of a block's end the next block must see again.
pub(crate) const OVERLAP: usize = 12;

/// Most bytes of a needle before the letters that [`sieve`] looks for: `panic_on_` of `panic_on_oom`. They may stand in a
/// block that passes the sieve.
const BEFORE_LETTERS: usize = 9;

/// A place where a needle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Byte offset in the searched bytes.
    pub(crate) offset: usize,
    /// Line ends before it in the searched bytes.
    pub(crate) newlines: u64,
}

/// Bytes that are looked at again when one needle's letters stand in them. Real noise holds `kil` or `oom` in one line
/// of a few hundred, and a small block keeps the second look to a few bytes around it.
const BLOCK: usize = 1024;
/// Blocks that pass the sieve at a time: their line ends, counted in bytes, must not come to more than 255 a lane.
const BLOCKS: usize = 15;
/// Bytes compared side by side; a power of two of the processor's vectors.
const LANES: usize = 64;
/// Bytes read beyond a lane.
const REACH: usize = 2;
/// How far ahead of the search memory is asked for. A processor fetches by itself what is read in order, but not beyond
/// the page of memory it is in (4 KiB); the search then waits at the start of each page.
const AHEAD: usize = 4096;

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

/// What the sieve saw.
struct Sifted {
    /// Line ends in the blocks.
    lines: u64,
    /// A bit for each block in which the first letters of a needle stand, from the lowest.
    suspicious: u32,
}

/// Asks for the memory in which `byte` lies, where the processor can be asked.
fn fetch(byte: Option<&u8>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(byte) = byte {
        safe_arch::prefetch_t0(byte);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = byte;
}

/// Counts the line ends in all of `bytes` but the last [`REACH`], and says in which blocks `oom` or `kil` (either case of
/// k) begins. Whole blocks only, [`BLOCKS`] at most. `ahead`: the bytes from [`AHEAD`] behind the start of `bytes` on. One
/// pass at the speed of memory: the compiler makes vector code of it, once for each kind of processor.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512vl",
    "x86_64+avx2",
    "x86_64+sse4.2",
    "aarch64+neon"
))]
fn sieve(bytes: &[u8], ahead: &[u8]) -> Sifted {
    const LANES_PER_BLOCK: usize = BLOCK / LANES;
    let mut counts = [0_u8; LANES];
    let mut suspicious = 0;
    let blocks = (bytes.len().saturating_sub(REACH) / BLOCK).min(BLOCKS);
    for block in 0..blocks {
        let Some(block_bytes) = bytes.get(block * BLOCK..(block + 1) * BLOCK + REACH) else {
            break;
        };
        // A lane's lowest difference from a needle's letters: 0 where they stand. Differences and their minimum cost
        // less than comparisons, whose results vector code must move between registers.
        let mut lowest = [u8::MAX; LANES];
        for lane in 0..LANES_PER_BLOCK {
            let at = lane * LANES;
            fetch(ahead.get(block * BLOCK + at));
            let (Some(zero), Some(one), Some(two)) = (
                block_bytes.get(at..).and_then(<[u8]>::first_chunk::<LANES>),
                block_bytes
                    .get(at + 1..)
                    .and_then(<[u8]>::first_chunk::<LANES>),
                block_bytes
                    .get(at + 2..)
                    .and_then(<[u8]>::first_chunk::<LANES>),
            ) else {
                break;
            };
            let columns = zero.iter().zip(one).zip(two);
            for (((zero, one), two), (count, lowest)) in
                columns.zip(counts.iter_mut().zip(lowest.iter_mut()))
            {
                *count += u8::from(*zero == b'\n');
                let oom = (zero ^ b'o') | (one ^ b'o') | (two ^ b'm');
                let kil = ((zero | 0x20) ^ b'k') | (one ^ b'i') | (two ^ b'l');
                *lowest = (*lowest).min(oom).min(kil);
            }
        }
        suspicious |= u32::from(lowest.contains(&0)) << block;
    }
    Sifted {
        lines: counts.iter().map(|count| u64::from(*count)).sum(),
        suspicious,
    }
}

/// All hits whose needle begins in `bytes[..end]` (needles may reach beyond `end`), in order, at most one a line, and
/// the number of line ends in `bytes[..end]`.
pub(crate) fn search(bytes: &[u8], end: usize) -> (Vec<Hit>, u64) {
    let mut looked = Looked::default();
    let mut lines = 0;
    let mut start = 0;
    while start < end {
        let blocks = ((end - start) / BLOCK).min(BLOCKS);
        let stop = start + blocks * BLOCK;
        match bytes.get(start..stop + REACH).filter(|_| blocks > 0) {
            Some(part) => {
                let ahead = bytes.get(start + AHEAD..).unwrap_or_default();
                let sifted = sieve(part, ahead);
                let mut blocks = sifted.suspicious;
                while blocks != 0 {
                    let block = start + blocks.trailing_zeros() as usize * BLOCK;
                    looked.at(bytes, block, block + BLOCK, (start, lines));
                    blocks &= blocks - 1;
                }
                lines += sifted.lines;
                start = stop;
            }
            None => {
                looked.at(bytes, start, end, (start, lines));
                lines += newlines(bytes.get(start..end).unwrap_or_default());
                start = end;
            }
        }
    }
    // A needle that begins here, with its letters in what others search.
    looked.at(bytes, end, end, (end, lines));
    (looked.hits, lines)
}

/// Whether a needle stands in the first `end` bytes.
pub(crate) fn is_in(bytes: &[u8], end: usize) -> bool {
    bytes
        .get(..end)
        .is_some_and(|part| !search(part, end).0.is_empty())
}

/// What was searched exactly.
#[derive(Default)]
struct Looked {
    hits: Vec<Hit>,
    /// Where the last look ended.
    end: usize,
}

impl Looked {
    /// Looks at `bytes[start..stop]`, and at the few bytes before it that a needle with its letters there may begin with.
    /// `counted` is a place at or before `start`, and the line ends before it.
    fn at(&mut self, bytes: &[u8], start: usize, stop: usize, counted: (usize, u64)) {
        let mut at = start.saturating_sub(BEFORE_LETTERS).max(self.end);
        self.end = stop;
        let mut counted = counted;
        if at < counted.0 {
            counted.1 -= newlines(bytes.get(at..counted.0).unwrap_or_default());
            counted.0 = at;
        }
        let reach = (stop + OVERLAP).min(bytes.len());
        while let Some(found) = bytes.get(at..reach).and_then(next) {
            let offset = at + found;
            if offset >= stop {
                break;
            }
            let rest = bytes.get(offset..).unwrap_or_default();
            if OTHERS.iter().any(|other| rest.starts_with(other)) {
                at = offset + 1;
                continue;
            }
            let between = bytes.get(counted.0..offset).unwrap_or_default();
            counted = (offset, counted.1 + newlines(between));
            self.hits.push(Hit {
                offset,
                newlines: counted.1,
            });
            // One hit a line is enough.
            match memchr::memchr(b'\n', bytes.get(offset..stop).unwrap_or_default()) {
                Some(line_end) => at = offset + line_end,
                None => break,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// At every place of a part, over the ends of lanes, blocks and parts, and as its last bytes.
    #[test]
    fn no_place_hides_a_needle() {
        let part = BLOCK * BLOCKS;
        // Its blocks pass the sieve.
        let noise: Vec<u8> = b"ko0mzl k1 om\n"
            .iter()
            .copied()
            .cycle()
            .take(2 * part)
            .collect();
        for needle in NEEDLES {
            let places = (0..200)
                .chain(BLOCK - 80..BLOCK + 80)
                .chain(part - 80..part + 80)
                .chain(2 * part - 100..=2 * part - needle.len());
            for at in places {
                let mut bytes = noise.clone();
                bytes[at..at + needle.len()].copy_from_slice(needle);
                let (hits, lines) = search(&bytes, bytes.len());
                assert_eq!(lines, newlines(&bytes));
                let newlines = newlines(&bytes[..at]);
                let offset = at;
                assert_eq!(hits, [Hit { offset, newlines }], "{needle:?} at {at}");
                // In two segments, each searched for what begins in it.
                for end in [part, BLOCK - 1, at + needle.len() - 1] {
                    let (mut hits, lines) = search(&bytes, end);
                    let (behind, _) = search(&bytes[end..], bytes.len() - end);
                    hits.extend(behind.iter().map(|hit| Hit {
                        offset: end + hit.offset,
                        newlines: lines + hit.newlines,
                    }));
                    assert_eq!(
                        hits,
                        [Hit { offset, newlines }],
                        "{needle:?} at {at}, {end}"
                    );
                }
            }
        }
    }

    #[test]
    fn words_of_others_do_not_hide_a_needle_behind_them() {
        let line = b"Killing process 7 (app): Killed process 7 (app)\n";
        let (hits, _) = search(line, line.len());
        assert_eq!(
            hits,
            [Hit {
                offset: 25,
                newlines: 0
            }]
        );
        for other in OTHERS {
            assert_eq!(search(other, other.len()).0, []);
        }
    }
}
