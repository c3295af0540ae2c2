//! A page in the making: wrapping to the width, colour, indentation. Callers hand in text that is already escaped.

use anstyle::{AnsiColor, Style};
use textwrap::core::{Word, break_words};
use textwrap::wrap_algorithms::wrap_first_fit;

use crate::Looks;

/// Columns that a text beside a label has at the least.
const NARROWEST: usize = 16;

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Strong,
    Faint,
    Alarm,
    Warning,
    Good,
    Blue,
}

pub(super) struct Page {
    looks: Looks,
    text: String,
    /// Nothing stands below the last heading yet.
    heading_is_last: bool,
}

impl Page {
    pub(super) fn new(looks: Looks) -> Self {
        // Narrower than this nothing can be laid out.
        Self {
            looks: Looks {
                width: looks.width.max(40),
                ..looks
            },
            text: String::new(),
            heading_is_last: false,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn looks(&self) -> Looks {
        self.looks
    }

    /// The text in a colour, where colour is wanted.
    pub(super) fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.looks.colored || ink == Ink::Plain {
            return text.to_owned();
        }
        let style = match ink {
            Ink::Plain => Style::new(),
            Ink::Strong => Style::new().bold(),
            Ink::Faint => Style::new().dimmed(),
            Ink::Alarm => Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
            Ink::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Ink::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Ink::Blue => Style::new().fg_color(Some(AnsiColor::Cyan.into())),
        };
        format!("{}{text}{}", style.render(), style.render_reset())
    }

    fn inked(&mut self, ink: Ink, text: &str) {
        match self.looks.colored && ink != Ink::Plain {
            true => self.text.push_str(&self.ink(ink, text)),
            false => self.text.push_str(text),
        }
    }

    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") && !self.heading_is_last {
            self.text.push('\n');
        }
    }

    /// A line between incidents.
    pub(super) fn rule(&mut self) {
        self.gap();
        let line = if self.looks.unicode { "─" } else { "-" }.repeat(self.looks.width);
        let line = self.ink(Ink::Faint, &line);
        self.line(&line);
        self.text.push('\n');
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.gap();
        let text = self.ink(Ink::Strong, text);
        self.line(&text);
        self.heading_is_last = true;
    }

    /// A line as it is: the caller has fitted it.
    pub(super) fn line(&mut self, text: &str) {
        self.heading_is_last = false;
        self.text.push_str(text.trim_end_matches(' '));
        self.text.push('\n');
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.wrapped("", "", text, Ink::Plain, Ink::Plain);
    }

    pub(super) fn inked_paragraph(&mut self, ink: Ink, text: &str) {
        self.wrapped("", "", text, Ink::Plain, ink);
    }

    /// Text behind a label; later lines stand under the text.
    pub(super) fn item(&mut self, label: &str, text: &str) {
        self.labelled(label, Ink::Plain, text, Ink::Plain);
    }

    pub(super) fn labelled(&mut self, label: &str, label_ink: Ink, text: &str, ink: Ink) {
        if columns(label) + NARROWEST > self.looks.width {
            // No room beside it: the text goes below.
            let lead = label.len() - label.trim_start().len();
            let (indent, deeper) = (" ".repeat(lead), " ".repeat(lead + 2));
            self.wrapped(&indent, &indent, label.trim(), Ink::Plain, label_ink);
            self.wrapped(&deeper, &deeper, text, Ink::Plain, ink);
            return;
        }
        let indent = " ".repeat(columns(label));
        self.wrapped(label, &indent, text, label_ink, ink);
    }

    fn wrapped(&mut self, first: &str, indent: &str, text: &str, label_ink: Ink, ink: Ink) {
        let room = self
            .looks
            .width
            .saturating_sub(columns(first))
            .max(NARROWEST);
        for (at, line) in lines(text, room).enumerate() {
            match at {
                0 => self.inked(label_ink, first),
                _ => self.text.push_str(indent),
            }
            self.inked(ink, line);
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.line("");
        }
    }

    /// A line of text cut to the width, with a mark where it was.
    pub(super) fn cut(&self, text: &str, room: usize) -> String {
        fit(text, room, self.looks.unicode)
    }
}

/// The text in lines of `room` columns at most. Long words (ids, paths) are broken: nothing runs over the edge.
///
/// What [`textwrap::wrap`] does with the same words, without what is not asked for here: hyphens, indentation, owned lines.
fn lines(text: &str, room: usize) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(move |line| {
        // No character takes more columns than bytes.
        if line.len() < room {
            return vec![line.trim_end_matches(' ')];
        }
        let words = break_words(words(line), room);
        let mut rest = line;
        let take = |words: &[Word<'_>]| {
            let length = words
                .iter()
                .map(|word| word.word.len() + word.whitespace.len())
                .sum();
            let (taken, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            rest = after;
            taken.trim_end_matches(' ')
        };
        wrap_first_fit(&words, &[room as f64])
            .into_iter()
            .map(take)
            .collect()
    })
}

/// Words for wrapping: a line may also end behind the commas of the kernel's `key=value,` lists and the slashes of
/// paths, so that long ones break where the eye does.
fn words(line: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        // Bytes do: what ends a word is ASCII, and so is what stands before it.
        let (mut before, mut one_earlier) = (rest.bytes().next()?, b' ');
        let end = rest
            .bytes()
            .skip(1)
            .position(|byte| {
                let ends = match before {
                    b' ' => byte != b' ',
                    // A path's own first slash stays with it.
                    b'/' if matches!(one_earlier, b' ' | b'=' | b'(') => false,
                    b',' | b'/' => !matches!(byte, b' ' | b',' | b'/'),
                    _ => false,
                };
                (before, one_earlier) = (byte, before);
                ends
            })
            .map_or(rest.len(), |at| at + 1);
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(measured(word))
    })
}

/// A word and its width: that of printable ASCII is its length.
fn measured(word: &str) -> Word<'_> {
    let shown = word.trim_end_matches(' ');
    match shown.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Word {
            word: shown,
            whitespace: word.get(shown.len()..).unwrap_or_default(),
            penalty: "",
            width: shown.len(),
        },
        false => Word::from(word),
    }
}

/// Columns that a text takes.
pub(crate) fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// `text` in at most `room` columns.
pub(crate) fn fit(text: &str, room: usize, unicode: bool) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mark = if unicode { "…" } else { "..." };
    let room = room.saturating_sub(columns(mark));
    let mut used = 0;
    let mut out = String::new();
    for character in text.chars() {
        used += unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
        if used > room {
            break;
        }
        out.push(character);
    }
    out + mark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use textwrap::{Options, WordSeparator, WordSplitter};

    proptest! {
        #[test]
        fn text_is_wrapped_as_the_library_does(text in "([a-z]{1,9}|[ ,/=(\n]|\u{e9}|\u{4f60}){0,60}", room in 3_usize..30) {
            let options = Options::new(room)
                .word_separator(WordSeparator::Custom(|line| Box::new(super::words(line))))
                .word_splitter(WordSplitter::NoHyphenation)
                .break_words(true);
            let ours: Vec<_> = super::lines(&text, room).collect();
            prop_assert_eq!(ours, textwrap::wrap(&text, options));
        }
    }
}
