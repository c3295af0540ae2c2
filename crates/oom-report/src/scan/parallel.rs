//! The search for needles, by several threads, with the results in the order of the bytes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::anchor::{self, Hit};

/// Bytes that one thread searches at a time.
const SEGMENT: usize = 4 * 1024 * 1024;

type Found = (Vec<Hit>, u64);

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

/// Searches `bytes` and calls `each` with (end of the part, its hits with offsets into `bytes`, its line ends), part by
/// part from the first to the last. Parts end at line ends.
pub(super) fn search_in_order(
    bytes: &[u8],
    threads: usize,
    every_line: bool,
    each: &mut dyn FnMut(usize, &[Hit], u64),
) {
    let bounds = bounds(bytes);
    let search = |part: usize| -> Option<Found> {
        let (start, end) = (*bounds.get(part)?, *bounds.get(part + 1)?);
        let (mut found, lines) = hits(bytes.get(start..end)?, end - start, every_line);
        for hit in &mut found {
            hit.offset += start;
        }
        Some((found, lines))
    };
    let parts = bounds.len().saturating_sub(1);
    let mut deliver = |part: usize, found: &Found| {
        each(
            bounds.get(part + 1).copied().unwrap_or(bytes.len()),
            &found.0,
            found.1,
        )
    };
    if threads <= 1 || parts < 3 {
        for part in 0..parts {
            if let Some(found) = search(part) {
                deliver(part, &found);
            }
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Found>> = Mutex::new(BTreeMap::new());
    let changed = Condvar::new();
    // Takes the next part nobody has taken; false when there is none.
    let work = || {
        let part = next.fetch_add(1, Ordering::Relaxed);
        let Some(found) = search(part) else {
            return false;
        };
        done.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part, found);
        changed.notify_all();
        true
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| while work() {});
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
                if work() {
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
