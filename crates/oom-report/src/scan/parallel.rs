//! The search for needles, by several threads, with the results in the order of the bytes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::anchor::{self, Hit};

/// Bytes that one thread searches at a time.
const SEGMENT: usize = 4 * 1024 * 1024;

/// Bytes that are copied and searched at a time: they stay in a core's own cache for the search.
const COPIED: usize = 256 * 1024;

type Found = (Vec<Hit>, u64);

/// Fills the buffer with the log's bytes from an offset on; `false` when it cannot.
pub type CopyAt<'a> = &'a (dyn Fn(usize, &mut [u8]) -> bool + Sync);

/// How bytes that are held whole are searched.
#[derive(Clone, Copy, Default)]
pub struct Search<'a> {
    /// 0 counts as 1.
    pub threads: usize,
    /// For bytes that are sooner copied than touched, as those of a mapped file of which each page costs a fault: they
    /// are searched in copies, and only what stands around a find is read where it is. The copies decide where to
    /// look, never what a report says.
    pub copy: Option<CopyAt<'a>>,
    /// Called with the number of bytes of each part that was searched.
    pub searched: Option<&'a dyn Fn(u64)>,
}

/// Every needle of `bytes[..end]`, or every line's start.
pub(super) fn hits(bytes: &[u8], end: usize, every_line: bool) -> Found {
    if !every_line {
        return anchor::search(bytes, end);
    }
    let mut found = vec![Hit {
        offset: 0,
        newlines: 0,
    }];
    let searched = bytes.get(..end).unwrap_or(bytes);
    for (count, at) in memchr::memchr_iter(b'\n', searched).enumerate() {
        found.push(Hit {
            offset: at + 1,
            newlines: count as u64 + 1,
        });
    }
    // Behind the last line end there is no line in these bytes.
    let lines = found.len() as u64 - 1;
    found.retain(|hit| hit.offset < end);
    (found, lines)
}

/// Every needle of `bytes[from..end]`, with offsets into `bytes`; the bytes are searched in copies of them. `None` when
/// they cannot be copied.
fn hits_in_copies(
    length: usize,
    from: usize,
    end: usize,
    copy: CopyAt<'_>,
    buffer: &mut Vec<u8>,
) -> Option<Found> {
    buffer.resize(COPIED + anchor::OVERLAP, 0);
    let mut found = (Vec::new(), 0);
    let mut at = from;
    while at < end {
        let searched = COPIED.min(end - at);
        let copied = buffer.get_mut(..(searched + anchor::OVERLAP).min(length - at))?;
        if !copy(at, copied) {
            return None;
        }
        let (hits, lines) = anchor::search(copied, searched);
        found.0.extend(hits.iter().map(|hit| Hit {
            offset: at + hit.offset,
            newlines: found.1 + hit.newlines,
        }));
        found.1 += lines;
        at += searched;
    }
    Some(found)
}

/// Searches `bytes` and calls `each` with (end of the part, its hits with offsets into `bytes`, its line ends), part by
/// part from the first to the last. Parts end at line ends.
pub(super) fn search_in_order(
    bytes: &[u8],
    how: &Search<'_>,
    every_line: bool,
    each: &mut dyn FnMut(usize, &[Hit], u64),
) {
    let bounds = bounds(bytes);
    let copy = how.copy.filter(|_| !every_line);
    let search = |part: usize, buffer: &mut Vec<u8>| -> Option<Found> {
        let (start, end) = (*bounds.get(part)?, *bounds.get(part + 1)?);
        if let Some(found) =
            copy.and_then(|copy| hits_in_copies(bytes.len(), start, end, copy, buffer))
        {
            return Some(found);
        }
        let (mut found, lines) = hits(bytes.get(start..end)?, end - start, every_line);
        for hit in &mut found {
            hit.offset += start;
        }
        Some((found, lines))
    };
    let parts = bounds.len().saturating_sub(1);
    let mut told = 0;
    let mut deliver = |part: usize, found: &Found| {
        let end = bounds.get(part + 1).copied().unwrap_or(bytes.len());
        each(end, &found.0, found.1);
        if let Some(searched) = how.searched {
            searched((end - told) as u64);
            told = end;
        }
    };
    let mut buffer = Vec::new();
    if how.threads <= 1 || parts < 3 {
        for part in 0..parts {
            if let Some(found) = search(part, &mut buffer) {
                deliver(part, &found);
            }
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Found>> = Mutex::new(BTreeMap::new());
    let changed = Condvar::new();
    // Takes the next part nobody has taken; false when there is none.
    let work = |buffer: &mut Vec<u8>| {
        let part = next.fetch_add(1, Ordering::Relaxed);
        let Some(found) = search(part, buffer) else {
            return false;
        };
        done.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part, found);
        changed.notify_all();
        true
    };
    std::thread::scope(|scope| {
        for _ in 1..how.threads {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while work(&mut buffer) {}
            });
        }
        for part in 0..parts {
            loop {
                let mut results = done.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(found) = results.remove(&part) {
                    drop(results);
                    deliver(part, &found);
                    break;
                }
                drop(results);
                if work(&mut buffer) {
                    continue;
                }
                // All are taken: the one that is missing is being searched.
                let results = done.lock().unwrap_or_else(PoisonError::into_inner);
                if !results.contains_key(&part) {
                    drop(changed.wait(results));
                }
            }
        }
    });
}

/// Where parts begin and end: 0, line ends about [`SEGMENT`] apart, the end.
fn bounds(bytes: &[u8]) -> Vec<usize> {
    let mut bounds = vec![0];
    let mut at = SEGMENT;
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default())
            .map_or(bytes.len(), |end| at + end + 1);
        bounds.push(end);
        at = end + SEGMENT;
    }
    if bounds.last() != Some(&bytes.len()) {
        bounds.push(bytes.len());
    }
    bounds
}
