//! Objects that were printed over several lines (`journalctl -o json-pretty`, `gcloud logging read --format=json`): each
//! becomes one line again, with empty lines behind it, so that all lines keep their numbers. So do those of a list that
//! the first object holds (`dmesg --json`, `aws logs filter-log-events`, `kubectl get events -o json`).

/// How a log begins shows within so many bytes.
const HEAD: usize = 4096;
/// An object that is longer is none.
const LONGEST: usize = 1024 * 1024;
/// A list of entries stands no deeper than this: `{"hits":{"hits":[`.
const DEEPEST_LIST: usize = 3;

/// Takes the bytes of a log in pieces, and gives them back unfolded.
#[derive(Debug)]
pub(super) enum Unfolding {
    /// The first bytes, as long as they do not show what they are.
    Undecided(Vec<u8>),
    /// Lines as they are.
    Plain,
    /// Objects over several lines.
    Folded(Place),
}

/// Where in the objects the last piece ended.
#[derive(Debug, Default)]
pub(super) struct Place {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Line ends taken out of the object so far.
    owed: usize,
    /// Bytes of the object so far.
    length: usize,
    list: List,
    /// The last byte outside of strings that is no white space.
    before: u8,
}

/// The list of entries in the log's first object.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum List {
    /// It may still begin.
    #[default]
    Before,
    /// Its entries follow, so deep in the first object.
    Within(usize),
    /// There is none, or it is over.
    Behind,
}

impl Default for Unfolding {
    fn default() -> Self {
        Self::Undecided(Vec::new())
    }
}

/// Whether a whole log is made of objects over several lines.
pub(super) fn is_folded(log: &[u8]) -> bool {
    begins_folded(log) == Some(true)
}

/// A whole log of such objects with each of them in one line; none where it is another log.
pub(crate) fn unfolded(log: &[u8]) -> Option<Vec<u8>> {
    is_folded(log).then(|| {
        let mut unfolding = Unfolding::Folded(Place::default());
        let mut lines = unfolding.feed(log);
        lines.extend(unfolding.finish());
        lines
    })
}

/// Whether the first object of a log has its first key on a line of its own; none while that does not show.
fn begins_folded(log: &[u8]) -> Option<bool> {
    let head = log.get(..log.len().min(HEAD)).unwrap_or_default();
    let decided = || -> Option<bool> {
        let rest = head.trim_ascii_start();
        let rest = match rest.split_first()? {
            (b'[', rest) => rest.trim_ascii_start(),
            _ => rest,
        };
        let (b'{', rest) = rest.split_first()? else {
            return Some(false);
        };
        let key = rest.trim_ascii_start();
        let first = key.first()?;
        let blank = rest.get(..rest.len() - key.len()).unwrap_or_default();
        Some(*first == b'"' && blank.contains(&b'\n'))
    };
    decided().or((log.len() >= HEAD).then_some(false))
}

impl Unfolding {
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// The next piece, unfolded.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => piece.to_vec(),
            Self::Undecided(held) => {
                held.extend(piece);
                let Some(folded) = begins_folded(held) else {
                    return Vec::new();
                };
                let held = std::mem::take(held);
                if !folded {
                    *self = Self::Plain;
                    return held;
                }
                *self = Self::Folded(Place::default());
                self.feed(&held)
            }
            Self::Folded(place) => {
                let mut out = Vec::with_capacity(piece.len());
                let taken = place.unfold(piece, &mut out);
                if let Some(rest) = piece.get(taken..).filter(|rest| !rest.is_empty()) {
                    out.extend(rest);
                    *self = Self::Plain;
                }
                out
            }
        }
    }

    /// What was held back, at the end of the log.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        match std::mem::replace(self, Self::Plain) {
            Self::Plain => Vec::new(),
            Self::Undecided(held) => held,
            Self::Folded(place) => vec![b'\n'; place.owed],
        }
    }
}

impl Place {
    /// Unfolds `piece` into `out`. Returns how much of it was taken: less than all where it is no list of objects any more.
    fn unfold(&mut self, piece: &[u8], out: &mut Vec<u8>) -> usize {
        for (at, byte) in piece.iter().enumerate() {
            if *byte == b'{' && !self.in_string && self.begins_list() {
                // What stands before the list is a line of its own.
                self.list = List::Within(self.depth);
                self.settle(out);
            }
            let goes_on = match self.in_string {
                true => self.in_string(*byte),
                false => self.between(*byte),
            };
            if !self.in_string && !byte.is_ascii_whitespace() {
                self.before = *byte;
            }
            match goes_on {
                Next::Keep => out.push(*byte),
                Next::Drop => {}
                Next::End => {
                    out.push(*byte);
                    self.settle(out);
                }
                Next::Stop => {
                    self.settle(out);
                    return at;
                }
            }
        }
        piece.len()
    }

    /// Whether an object that begins here is the first of a list in the log's first object.
    fn begins_list(&self) -> bool {
        self.list == List::Before
            && self.before == b'['
            && (2..=DEEPEST_LIST).contains(&self.depth)
            && self.owed > 0
    }

    /// Gives back the line ends that were taken.
    fn settle(&mut self, out: &mut Vec<u8>) {
        out.extend(std::iter::repeat_n(b'\n', self.owed));
        *self = Self {
            list: match self.list {
                List::Before => List::Behind,
                known => known,
            },
            ..Self::default()
        };
    }

    fn in_string(&mut self, byte: u8) -> Next {
        self.length += 1;
        match byte {
            // None stands in a string of JSON (RFC 8259).
            b'\n' => return Next::Stop,
            _ if self.length > LONGEST => return Next::Stop,
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
        Next::Keep
    }

    /// Outside of strings: what lies between two tokens means nothing.
    fn between(&mut self, byte: u8) -> Next {
        self.length += 1;
        if self.length > LONGEST && self.depth > 0 {
            return Next::Stop;
        }
        match (byte, self.depth) {
            (b'{', _) | (b'[', 1..) => self.depth += 1,
            (b'}' | b']', 1) => return Next::End,
            (b'}' | b']', 2..) => self.depth -= 1,
            (b'"', 1..) => self.in_string = true,
            (b'\n', 0) => {}
            (b'\n', 1..) => {
                self.owed += 1;
                return Next::Drop;
            }
            (b' ' | b'\t' | b'\r', _) => return Next::Drop,
            // The first object goes on behind its list.
            (b']', 0) if let List::Within(depth) = self.list => {
                self.list = List::Behind;
                self.depth = depth - 1;
            }
            // The list around the objects, and what journalctl's json-seq puts before each (RFC 7464).
            (b'[' | b']' | b',' | 0x1e, 0) => return Next::Drop,
            (_, 0) => return Next::Stop,
            (_, 1..) => {}
        }
        Next::Keep
    }
}

/// What becomes of a byte.
enum Next {
    Keep,
    Drop,
    /// It ends an object.
    End,
    /// This is no list of objects any more.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(log: &str, piece: usize) -> String {
        let mut unfolding = Unfolding::default();
        let mut out = Vec::new();
        for piece in log.as_bytes().chunks(piece) {
            out.extend(unfolding.feed(piece));
        }
        out.extend(unfolding.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn objects_become_lines_and_lines_keep_their_numbers() {
        for (log, expected) in [
            (
                "{\n\t\"MESSAGE\" : \"a { \\\" [\",\n\t\"_PID\" : \"1\"\n}\n{\n\t\"MESSAGE\" : \"b\"\n}\n",
                "{\"MESSAGE\":\"a { \\\" [\",\"_PID\":\"1\"}\n\n\n\n{\"MESSAGE\":\"b\"}\n\n\n",
            ),
            (
                "[\n  {\n    \"a\": {\n      \"b\": [1, 2]\n    }\n  },\n  {\n    \"c\": 1\n  }\n]\n",
                "\n{\"a\":{\"b\":[1,2]}}\n\n\n\n\n{\"c\":1}\n\n\n\n",
            ),
            // A list of entries in the first object.
            (
                "{\n \"dmesg\": [\n {\n \"msg\": \"a\"\n },{\n \"msg\": \"b\"\n }\n ]\n}\n",
                "{\"dmesg\":[\n\n{\"msg\":\"a\"}\n\n{\"msg\":\"b\"}\n\n\n]}\n\n",
            ),
            (
                "{\n \"n\": 1, \"hits\": {\n \"hits\": [\n {\"a\": [{\"b\": 1}]} ],\n \"c\": [ {} ]\n }\n}\n",
                "{\"n\":1,\"hits\":{\"hits\":[\n\n\n{\"a\":[{\"b\":1}]}],\"c\":[{}]}}\n\n\n\n",
            ),
            // A line of another kind: from there on all is left as it is.
            (
                "{\n \"a\": 1\n}\nkernel: {\n x\n",
                "{\"a\":1}\n\n\nkernel: {\n x\n",
            ),
            // The end is lost.
            ("{\n \"a\": \"b", "{\"a\":\"b\n"),
            ("{\n \"a\": \"b\n c", "{\"a\":\"b\n\n c"),
            // Not folded.
            (
                "{\"a\": 1}\n{\n \"b\": 1\n}\n",
                "{\"a\": 1}\n{\n \"b\": 1\n}\n",
            ),
            ("[    1.5] a\n", "[    1.5] a\n"),
            ("{\n  some code\n}\n", "{\n  some code\n}\n"),
            ("[\n", "[\n"),
            ("", ""),
        ] {
            for piece in 1..12 {
                assert_eq!(unfolded(log, piece), expected, "{log:?} in {piece}");
            }
            assert_eq!(
                is_folded(log.as_bytes()),
                unfolded(log, 99) != log,
                "{log:?}"
            );
        }
    }
}
