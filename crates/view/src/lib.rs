//! Formats incidents: for a terminal, as JSON, YAML or Markdown. Decides nothing, computes no fact; every text that
//! came from a log is escaped on its way out. Imports types of `case` and `oom-report` only.

mod escape;
mod listing;
mod live_words;
mod machine;
mod markdown;
mod quiet;
mod terminal;
mod words;

use std::io::{self, Write};

use whodunit_case::incident::{Document, Incident, SourceInfo};

pub use escape::visible;
pub use listing::listing;

/// Prints. The calls come in this order: `begin`, `incident` for each, `end`.
pub trait View {
    /// Before the first incident.
    ///
    /// # Errors
    /// What writing to `out` gives; so for the others.
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()>;
    /// One incident.
    ///
    /// # Errors
    /// As above.
    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()>;
    /// After the last: what was read, and what could not be or had to be assumed.
    ///
    /// # Errors
    /// As above.
    fn end(
        &mut self,
        out: &mut dyn Write,
        sources: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()>;
}

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// People at a terminal.
    Terminal,
    /// One document.
    Json,
    /// One incident a line, as they are found.
    Ndjson,
    /// Tickets.
    Markdown,
    /// The document as YAML.
    Yaml,
}

/// How it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Columns of the terminal.
    pub width: usize,
    /// Escape sequences for colour.
    pub colored: bool,
    /// Nothing folded.
    pub all: bool,
    /// One line an incident.
    pub quiet: bool,
    /// Box and block characters; else ASCII.
    pub unicode: bool,
}

/// The view of a format. `tool` is the program's name and version.
pub fn view(format: Format, looks: Looks, tool: &str) -> Box<dyn View + Send> {
    match format {
        Format::Terminal if looks.quiet => Box::new(quiet::Quiet::new(looks)),
        Format::Terminal => Box::new(terminal::Terminal::new(looks)),
        Format::Json => Box::new(machine::Json::new(tool)),
        Format::Ndjson => Box::new(machine::Ndjson::default()),
        Format::Markdown => Box::new(markdown::Markdown::new(looks)),
        Format::Yaml => Box::new(machine::Yaml::new(tool)),
    }
}

/// The JSON Schema of the document, made of the types.
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Document>()
        .to_value()
}
