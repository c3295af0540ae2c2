//! Which files are generations of one log, and which of them is older, told by their names
//! (logrotate, dmesg.0, newsyslog, dated rotations). Looks at names only, never at a file.

use std::cmp::Reverse;

/// The name without its rotation and compression marks, and how old the generation is.
/// Sorts by family, then oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// `kern.log` for `kern.log`, `kern.log.1`, `kern.log-20260101.gz`.
    pub family: String,
    /// Its place in the family.
    pub age: Age,
}

/// Oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    /// `-20260101`, `-2026010112`, `-1767225600` (logrotate's `dateext`): the digits, which sort as the times do.
    Dated(String),
    /// `.3`: the higher the older; `.old` counts as 1.
    Numbered(Reverse<u32>),
    /// The file still written to.
    Current,
}

const COMPRESSED: [&str; 7] = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".lzma", ".Z"];

/// Reads a file name.
///
/// ```
/// use whodunit_node::rotation::generation;
/// let mut names = ["kern.log", "kern.log.1", "kern.log.10.gz", "kern.log.2.gz"];
/// names.sort_by_key(|name| generation(name));
/// assert_eq!(names, ["kern.log.10.gz", "kern.log.2.gz", "kern.log.1", "kern.log"]);
/// ```
pub fn generation(name: &str) -> Generation {
    let name = COMPRESSED
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .filter(|stem| !stem.is_empty())
        .unwrap_or(name);
    // `extension .log` of logrotate puts the mark before the extension: kern-20260101.log, kern.1.log.
    let marked = split_mark(name).or_else(|| {
        let (stem, extension) = name.rsplit_once('.')?;
        let (family, age) = split_mark(stem)?;
        let plain_word =
            !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphabetic());
        plain_word.then(|| (format!("{family}.{extension}"), age))
    });
    match marked {
        Some((family, age)) => Generation { family, age },
        None => Generation {
            family: name.to_owned(),
            age: Age::Current,
        },
    }
}

/// Takes a rotation mark off the end of a name.
fn split_mark(name: &str) -> Option<(String, Age)> {
    if let Some(family) = name.strip_suffix(".old") {
        return (!family.is_empty()).then(|| (family.to_owned(), Age::Numbered(Reverse(1))));
    }
    let marks = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | 'T' | ':');
    let stem = name.trim_end_matches(marks);
    let mark = name.get(stem.len()..)?;
    let digits: String = mark.chars().filter(char::is_ascii_digit).collect();
    // `.1`, `-20260101`, `.2026-01-01`, `-20260101-120000`; the separator may be part of the trimmed tail.
    let (family, has_separator) = match stem.strip_suffix('.') {
        Some(family) => (family, true),
        None => (stem, mark.starts_with(['-', '_'])),
    };
    if family.is_empty() || digits.is_empty() || !has_separator {
        return None;
    }
    match digits.len() {
        1..=4 if mark.len() == digits.len() => Some((
            family.to_owned(),
            Age::Numbered(Reverse(digits.parse().ok()?)),
        )),
        8..=20 => Some((family.to_owned(), Age::Dated(digits))),
        _ => None,
    }
}
