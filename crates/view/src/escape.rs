//! Text from a log, made harmless: nothing in it moves a cursor, changes a colour, turns the writing direction or ends
//! a line.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that a terminal would act on, or that nobody would see, as a visible escape.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Nearly all text is plain ASCII, which is seen at once; the fold has no early end, so that it is vector code.
    let plain = |text: &str| {
        text.bytes()
            .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
    };
    if plain(text) || !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            harmful if is_harmful(harmful) => {
                let code = u32::from(harmful);
                // Writing to a String cannot fail.
                let _ = if code < 0x100 {
                    write!(out, "\\x{code:02x}")
                } else {
                    write!(out, "\\u{{{code:x}}}")
                };
            }
            harmless => out.push(harmless),
        }
    }
    Cow::Owned(out)
}

/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls, characters without width.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The same for Markdown outside code: markup characters lose their meaning.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in visible(text).chars() {
        if matches!(
            character,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '#'
                | '|'
                | '~'
                | '&'
                | '!'
                | '@'
        ) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
