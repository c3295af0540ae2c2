//! What a page may hold. Written without the views' own code, which is what is under test.

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// No character that a terminal acts on but line ends, none that turns the writing direction, none without a trace.
pub(crate) fn harmless(page: &str) {
    for character in page.chars() {
        let harmful = character.is_control() && character != '\n'
            || matches!(
                character,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
            );
        assert!(!harmful, "{character:?} in:\n{}", page.escape_debug());
    }
}

/// The page without `ESC [ digits ; digits m`; anything else stays.
pub(crate) fn without_colours(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        let parameters = after
            .trim_start_matches(|character: char| character.is_ascii_digit() || character == ';');
        match parameters.strip_prefix('m') {
            Some(text) => rest = text,
            None => {
                out.push('\x1b');
                rest = after;
            }
        }
    }
    out + rest
}

/// No line runs over the edge, save commands: these are for copying.
pub(crate) fn within(page: &str, width: usize) {
    for line in page
        .lines()
        .filter(|line| !line.trim_start().starts_with("$ "))
    {
        assert!(
            line.width() <= width,
            "{} of {width} columns: {line}",
            line.width()
        );
    }
}

/// A Markdown reader finds no HTML, no link and no picture: we write none, so one would be the log's.
pub(crate) fn no_markup_from_the_log(page: &str) {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    for event in Parser::new_ext(page, options) {
        let foreign = matches!(
            event,
            Event::Html(_)
                | Event::InlineHtml(_)
                | Event::FootnoteReference(_)
                | Event::Start(
                    Tag::Link { .. }
                        | Tag::Image { .. }
                        | Tag::HtmlBlock
                        | Tag::BlockQuote(_)
                        | Tag::Strikethrough
                        | Tag::FootnoteDefinition(_)
                )
        );
        assert!(!foreign, "{event:?} in:\n{page}");
    }
}

/// One JSON value, and nothing a terminal would act on where it is printed on one.
pub(crate) fn json(text: &str) -> Value {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let raw = text
        .chars()
        .find(|character| *character < ' ' && *character != '\n');
    assert_eq!(raw, None, "{text}");
    value
}

/// The YAML page says what the JSON page says.
pub(crate) fn same_as_yaml(document: &Value, page: &str) {
    let read: Value =
        serde_saphyr::from_str(page).unwrap_or_else(|error| panic!("{error}:\n{page}"));
    assert_eq!(&read, document, "{page}");
}
