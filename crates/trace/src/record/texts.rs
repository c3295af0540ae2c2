//! The texts behind a record: single strings, arguments, and paths that were written from the leaf up.

use smol_str::SmolStr;

/// `TEXT_NONE` and `TEXT_CUT` of `bpf/record.h`.
const NONE: u16 = 0xffff;
const CUT: u16 = 0x8000;

/// `struct text`: where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) at: u16,
    pub(super) length: u16,
}

/// All texts of a record.
pub(super) struct Texts<'a>(pub(super) &'a [u8]);

impl<'a> Texts<'a> {
    /// The bytes, and whether there was more.
    fn bytes(&self, text: Text) -> Option<(&'a [u8], bool)> {
        if text.at == NONE {
            return None;
        }
        let start = usize::from(text.at);
        let end = start + usize::from(text.length & !CUT);
        Some((self.0.get(start..end)?, text.length & CUT != 0))
    }

    pub(super) fn string(&self, text: Text) -> Option<SmolStr> {
        let (bytes, _) = self.bytes(text)?;
        Some(valid(bytes))
    }

    /// Each was closed by a zero byte, the last may be cut.
    pub(super) fn arguments(&self, text: Text) -> Vec<SmolStr> {
        let Some((bytes, _)) = self.bytes(text) else {
            return Vec::new();
        };
        // A title that a program wrote over its arguments may leave a tail of zero bytes.
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        // Empty arguments at the end are kept as far as they can be told from such a tail: not at all.
        match bytes.get(..end) {
            None | Some([]) => Vec::new(),
            Some(told) => told.split(|byte| *byte == 0).map(valid).collect(),
        }
    }

    /// From the root down. One that was cut, at its root's end, starts with `…`: it can be taken for no whole path.
    pub(super) fn path(&self, text: Text) -> Option<SmolStr> {
        let (bytes, cut) = self.bytes(text)?;
        let mut path = String::from(if cut { "…" } else { "" });
        let names = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        if !names.is_empty() {
            for name in names.rsplit(|byte| *byte == 0) {
                path.push('/');
                path.push_str(&String::from_utf8_lossy(name));
            }
        }
        Some(if path.is_empty() {
            SmolStr::new_static("/")
        } else {
            path.into()
        })
    }
}

/// Up to its zero byte.
pub(super) fn comm(bytes: &[u8; 16]) -> SmolStr {
    valid(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn valid(bytes: &[u8]) -> SmolStr {
    String::from_utf8_lossy(bytes).into()
}
