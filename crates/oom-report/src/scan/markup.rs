//! What a terminal or a web page adds to the bytes of a line: colours, escaped characters, hard spaces.
//!
//! Taken off only where the line shows that it is there: a name may hold any of it as well.

use crate::cursor::Cursor;

/// Writes `line` without its markup `into`; says whether there was any.
pub(super) fn strip(line: &[u8], into: &mut Vec<u8>) -> bool {
    if memchr::memchr3(0x1b, b'&', 0xc2, line).is_none() {
        return false;
    }
    // dmesg colours the stamp, journalctl the rest of the line, grep what it found; a sequence elsewhere is a name's.
    let coloured = line.trim_ascii_start().starts_with(b"\x1b[")
        || line.ends_with(b"\x1b[0m")
        || memchr::memmem::find(line, b"] \x1b[0m").is_some()
        || memchr::memmem::find(line, b"\x1b[K").is_some();
    let escaped = is_escaped(line);
    // `\xa0` in UTF-8, where a stamp's bracket stands: not in a name at the end of the line.
    let hard_spaces = line.starts_with("\u{a0}".as_bytes())
        || ["[\u{a0}", "]\u{a0}", ":\u{a0}", "process\u{a0}"]
            .iter()
            .any(|sign| memchr::memmem::find(line, sign.as_bytes()).is_some());
    if !(coloured || escaped || hard_spaces) {
        return false;
    }
    into.clear();
    let mut rest = line;
    if coloured && let Some(behind) = behind_torn_colour(line) {
        rest = behind;
    }
    while let Some((first, after)) = rest.split_first() {
        let skipped = if coloured { colour_length(rest) } else { 0 };
        if skipped > 0 {
            rest = rest.get(skipped..).unwrap_or_default();
            continue;
        }
        if escaped
            && let Some((name, character)) =
                ENTITIES.iter().find(|(name, _)| rest.starts_with(name))
        {
            into.push(*character);
            rest = rest.get(name.len()..).unwrap_or_default();
            continue;
        }
        if hard_spaces && let Some(after) = rest.strip_prefix("\u{a0}".as_bytes()) {
            into.push(b' ');
            rest = after;
            continue;
        }
        into.push(*first);
        rest = after;
    }
    true
}

/// What stands behind the end of a sequence whose start is lost: the next sequence, or the stamp that it coloured.
fn behind_torn_colour(line: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor(line);
    cursor.rest_of_colour()?;
    matches!(cursor.peek(), Some(b'\x1b' | b'[')).then_some(cursor.0)
}

/// What stands behind the kernel's text at the end of `line`, a report's first, and so behind its others: the frame of a
/// table, `cat -A`'s `$`.
pub(super) fn decoration(line: &[u8]) -> &[u8] {
    const LAST_FIELD: &[u8] = b"oom_score_adj=";
    let Some(field) = crate::cursor::rfind(line, LAST_FIELD) else {
        return b"";
    };
    let number = line.get(field + LAST_FIELD.len()..).unwrap_or_default();
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let end = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let behind = digits.get(end..).unwrap_or_default();
    // Quotation marks and brackets belong to what stands before the text; a lone `>` is where a pager cut the line.
    let is_mark = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'|' | b'$' | b'`' | b'\\' | b'^' | b'*'
        )
    };
    match end > 0 && behind.len() <= 8 && behind.iter().all(is_mark) {
        true => behind,
        false => b"",
    }
}

/// The line without the tags that a page's source has at its end.
pub(super) fn without_tags(line: &[u8]) -> &[u8] {
    const TAGS: [&[u8]; 9] = [
        b"<br>", b"<br/>", b"<br />", b"</p>", b"</span>", b"</div>", b"</li>", b"</td>", b"</pre>",
    ];
    let mut line = line;
    while line.ends_with(b">")
        && let Some(rest) = TAGS.iter().find_map(|tag| line.strip_suffix(*tag))
    {
        line = rest;
    }
    line
}

/// A log's first line without a byte order mark, or what is left of a character, a stamp (`[...]: text`) or a line's
/// number (`12:text`) that the log's beginning cuts.
pub(super) fn without_torn_start(line: &[u8]) -> &[u8] {
    if let Some(line) = line.strip_prefix("\u{feff}".as_bytes()) {
        return line;
    }
    let mut cursor = Cursor(line);
    cursor.rest_of_character();
    let line = cursor.0;
    if let Some(line) = behind_torn_clock(line) {
        return line;
    }
    // A key of an object ends with a colon, too.
    let is_keys = line.starts_with(b":\"") || line.starts_with(b":{\"");
    [&b"]: "[..], b"] ", b":"]
        .iter()
        .find_map(|end| line.strip_prefix(*end))
        .filter(|_| !is_keys)
        .unwrap_or(line)
}

/// What stands behind the end of a stamp: `:00 text`, `00:00.000000Z text`, the zone in `00:00 text`.
fn behind_torn_clock(line: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor(line);
    let clock = cursor.take_while(|byte| {
        byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b',' | b'+' | b'-' | b'Z')
    });
    let colon = memchr::memchr(b':', clock).filter(|at| *at <= 2)?;
    clock.get(colon + 1)?.is_ascii_digit().then_some(())?;
    cursor.need(b" ")?;
    Some(cursor.0)
}

const ENTITIES: [(&[u8], u8); 6] = [
    (b"&lt;", b'<'),
    (b"&gt;", b'>'),
    (b"&amp;", b'&'),
    (b"&quot;", b'"'),
    (b"&#39;", b'\''),
    (b"&nbsp;", b' '),
];

/// Whether the kernel's own brackets are escaped: `&lt;TASK&gt;`, `[&lt;ffffffff8163515c&gt;]`, `&lt;4&gt;[   12.3]`.
fn is_escaped(line: &[u8]) -> bool {
    memchr::memmem::find_iter(line, b"&lt;").any(|at| {
        let after = line.get(at + 4..).unwrap_or_default();
        let inside = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'/')
            .count();
        (1..=16).contains(&inside)
            && after
                .get(inside..)
                .is_some_and(|rest| rest.starts_with(b"&gt;"))
    })
}

/// Length of the colour (`ESC [ ... m`) or erase (`ESC [ K`) sequence that begins here; 0 when none does.
fn colour_length(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"\x1b[") else {
        return 0;
    };
    let parameters = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    match rest.get(parameters) {
        Some(b'm' | b'K') => 2 + parameters + 1,
        _ => 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_cut_character_or_number_goes() {
        for (line, expected) in [
            (&b"\xa0worker invoked"[..], &b"worker invoked"[..]),
            (b"\x82\xac] a", b"a"),
            (b":worker invoked", b"worker invoked"),
            (b"]: worker invoked", b"worker invoked"),
            (b"-bash invoked", b"-bash invoked"),
            (
                "\u{e9}t\u{e9} invoked".as_bytes(),
                "\u{e9}t\u{e9} invoked".as_bytes(),
            ),
            (b"\xef\xbb\xbf[    1.5] a", b"[    1.5] a"),
            (b"", b""),
        ] {
            assert_eq!(without_torn_start(line), expected, "{line:?}");
        }
    }

    #[test]
    fn markup_goes_and_names_stay() {
        for (line, expected) in [
            (
                "\x1b[32m[   12.345678] \x1b[0m\x1b[33mtext\x1b[0m",
                Some("[   12.345678] text"),
            ),
            (
                "[   12.3] invoked \x1b[01;31m\x1b[Koom\x1b[m\x1b[K-killer",
                Some("[   12.3] invoked oom-killer"),
            ),
            (
                " [&lt;ffffffff8163515c&gt;] a+0x1/0x2",
                Some(" [<ffffffff8163515c>] a+0x1/0x2"),
            ),
            (" &lt;/TASK&gt;", Some(" </TASK>")),
            ("&lt;4&gt;[   12.3] a&amp;b", Some("<4>[   12.3] a&b")),
            ("[   12.3]\u{a0}text", Some("[   12.3] text")),
            ("[   12.3] \x1b[31mred invoked", None),
            ("[   12.3] a&gt;b invoked", None),
            ("[   12.3] a\u{a0}b invoked", None),
        ] {
            let mut into = Vec::new();
            let found = strip(line.as_bytes(), &mut into).then(|| String::from_utf8(into).unwrap());
            assert_eq!(found.as_deref(), expected, "{line:?}");
        }
    }
}
