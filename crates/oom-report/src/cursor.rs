//! Reading a byte slice from left to right without ever leaving it. No allocation.

/// Digits whose number is below 2^64 whatever they are.
const ALWAYS_FIT: usize = 19;

/// Eight times the byte.
const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The digits at the start of eight bytes: how many, and their number.
#[inline(always)]
fn leading_digits(bytes: [u8; 8]) -> (usize, u64) {
    let values = u64::from_le_bytes(bytes) ^ eight(b'0');
    // The highest bit of each byte that is no digit; what is carried out of one reaches only bytes behind it.
    let others = (values.wrapping_add(eight(0x76)) | values) & eight(0x80);
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    // As if zeros stood before: eight digits, then pairs, then fours.
    let digits = values << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let every_fourth = 0x0000_00ff_0000_00ff;
    let upper = (pairs & every_fourth).wrapping_mul(0x000f_4240_0000_0064);
    let lower = ((pairs >> 16) & every_fourth).wrapping_mul(0x0000_2710_0000_0001);
    (count as usize, upper.wrapping_add(lower) >> 32)
}

/// A number of any length and what stands behind it. Apart, and by value, so that the short ones that nearly all are stay in the
/// processor's registers.
#[cold]
#[inline(never)]
fn long_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    let mut rest = bytes;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        rest = tail;
    }
    let count = bytes.len() - rest.len();
    if count == 0 {
        return None;
    }
    if count > ALWAYS_FIT {
        // Rare: once more, with care.
        let digits = bytes.get(..count)?;
        value = digits.iter().try_fold(0_u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })?;
    }
    Some((value, rest))
}

/// What is left of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    /// Takes `literal` if it stands here.
    #[inline]
    pub(crate) fn eat(&mut self, literal: &[u8]) -> bool {
        match self.0.strip_prefix(literal) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Takes what is left of a terminal's colour (`\x1b[31m`) that has lost its start: `[31m`, `1m`, `m`. Its digits.
    pub(crate) fn rest_of_colour(&mut self) -> Option<&'a [u8]> {
        self.eat(b"[");
        let digits = self.take_while(|byte| byte.is_ascii_digit() || byte == b';');
        self.need(b"m")?;
        Some(digits)
    }

    /// Takes what is left of a character that has lost its start: in UTF-8 three bytes at most (RFC 3629).
    pub(crate) fn rest_of_character(&mut self) {
        let goes_on = |byte: &&u8| (0x80..0xc0).contains(*byte);
        let torn = self.0.iter().take(3).take_while(goes_on).count();
        self.0 = self.0.get(torn..).unwrap_or_default();
    }

    /// Takes `literal` or gives up.
    #[inline]
    pub(crate) fn need(&mut self, literal: &[u8]) -> Option<()> {
        self.eat(literal).then_some(())
    }

    /// Next byte, not taken.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Skips spaces and tabs; says how many.
    #[inline(always)]
    pub(crate) fn spaces(&mut self) -> usize {
        let before = self.0.len();
        // Columns of a table are padded: eight at a time.
        while let Some(bytes) = self.0.first_chunk::<8>() {
            let others = u64::from_le_bytes(*bytes) ^ eight(b' ');
            let count = (others.trailing_zeros() / 8) as usize;
            self.0 = self.0.get(count..).unwrap_or_default();
            if count < 8 {
                break;
            }
        }
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
        before - self.0.len()
    }

    /// An unsigned decimal number; `None` when there is no digit or it does not fit.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Option<u64> {
        if let Some(bytes) = self.0.first_chunk::<8>() {
            let (count, value) = leading_digits(*bytes);
            if count < 8 {
                self.0 = self.0.get(count..)?;
                return (count > 0).then_some(value);
            }
        }
        let (value, rest) = long_number(self.0)?;
        self.0 = rest;
        Some(value)
    }

    /// A decimal number that may be negative.
    #[inline(always)]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let negative = self.eat(b"-");
        let value = i64::try_from(self.number()?).ok()?;
        Some(if negative { -value } else { value })
    }

    /// A number that fits 32 bits.
    #[inline]
    pub(crate) fn number_u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// Exactly `width` digits.
    #[inline]
    pub(crate) fn digits(&mut self, width: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(width)?;
        let mut value: u32 = 0;
        for byte in head {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
        }
        self.0 = tail;
        Some(value)
    }

    /// A hexadecimal number after `0x`.
    pub(crate) fn hex(&mut self) -> Option<u64> {
        self.need(b"0x")?;
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        let value = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        self.0 = rest;
        Some(value)
    }

    /// Everything before the next `literal`, which is taken too.
    pub(crate) fn until(&mut self, literal: &[u8]) -> Option<&'a [u8]> {
        let at = find(self.0, literal)?;
        let (head, tail) = self.0.split_at_checked(at)?;
        self.0 = tail.get(literal.len()..)?;
        Some(head)
    }

    /// Everything before the last `literal`, which is taken too.
    pub(crate) fn until_last(&mut self, literal: &[u8]) -> Option<&'a [u8]> {
        let at = rfind(self.0, literal)?;
        let (head, tail) = self.0.split_at_checked(at)?;
        self.0 = tail.get(literal.len()..)?;
        Some(head)
    }

    /// Everything up to a byte that `stop` accepts, or to the end.
    #[inline]
    pub(crate) fn take_while(&mut self, mut keep: impl FnMut(u8) -> bool) -> &'a [u8] {
        let length = self.0.iter().take_while(|byte| keep(**byte)).count();
        let (head, tail) = self.0.split_at_checked(length).unwrap_or((self.0, b""));
        self.0 = tail;
        head
    }

    /// A run of bytes without white space.
    #[inline]
    pub(crate) fn word(&mut self) -> &'a [u8] {
        self.take_while(|byte| !byte.is_ascii_whitespace())
    }

    /// `<number>kB`, in KiB.
    pub(crate) fn kib(&mut self) -> Option<u64> {
        let value = self.number()?;
        (self.eat(b"kB") || self.eat(b"KB")).then_some(value)
    }
}

/// Whether `needle` stands in `haystack`.
pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    find(haystack, needle).is_some()
}

/// Where `needle` first stands in a line. Lines are short: a search that prepares itself costs more than it saves.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(first) = needle.first() else {
        return Some(0);
    };
    memchr::memchr_iter(*first, haystack).find(|at| {
        haystack
            .get(*at..)
            .is_some_and(|rest| rest.starts_with(needle))
    })
}

/// Where `needle` last stands in a line.
pub(crate) fn rfind(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(last) = needle.last() else {
        return Some(haystack.len());
    };
    memchr::memrchr_iter(*last, haystack).find_map(|end| {
        haystack
            .get(..=end)
            .filter(|head| head.ends_with(needle))
            .map(|head| head.len() - needle.len())
    })
}

/// Bytes as text; what is not UTF-8 becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> smol_str::SmolStr {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes).as_ref().into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn numbers_of_any_length() {
        for (text, number) in [
            ("0", Some(0)),
            ("007 ", Some(7)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("00000000000000000000012", Some(12)),
            ("99999999999999999999999", None),
            ("x", None),
            ("", None),
            ("1234567 behind it", Some(1_234_567)),
            ("12345678 behind it", Some(12_345_678)),
            ("123456789 behind it", Some(123_456_789)),
            ("0 behind it", Some(0)),
            ("42/:;\u{7f}\u{ff} behind", Some(42)),
            ("/12345678", None),
            (":12345678", None),
        ] {
            let mut cursor = super::Cursor(text.as_bytes());
            assert_eq!(cursor.number(), number, "{text}");
            if number.is_some() {
                assert!(
                    !cursor.peek().is_some_and(|byte| byte.is_ascii_digit()),
                    "{text}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_and_spaces_are_read_as_byte_by_byte(text in "[ \t]{0,20}[0-9]{0,12}[ -~\u{80}-\u{ff}]{0,12}") {
            let mut cursor = super::Cursor(text.as_bytes());
            let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t');
            prop_assert_eq!(cursor.spaces(), text.bytes().take_while(|byte| is_space(&byte)).count());
            let digits: String = text.trim_start_matches([' ', '\t']).chars().take_while(char::is_ascii_digit).collect();
            let left = cursor.0.len() - digits.len();
            prop_assert_eq!(cursor.number(), digits.parse().ok());
            prop_assert_eq!(cursor.0.len(), left);
        }

        #[test]
        fn literals_are_found_where_memmem_finds_them(haystack in "[ab ]{0,40}", needle in "[ab ]{0,4}") {
            let (haystack, needle) = (haystack.as_bytes(), needle.as_bytes());
            prop_assert_eq!(super::find(haystack, needle), memchr::memmem::find(haystack, needle));
            prop_assert_eq!(super::rfind(haystack, needle), memchr::memmem::rfind(haystack, needle));
        }
    }
}
