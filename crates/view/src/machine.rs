//! The formats for programs: JSON, JSON lines, YAML. Incidents are written as they come, so that memory does not grow.

use std::io::{self, Write};

use serde::Serialize;
use whodunit_case::incident::{Incident, SCHEMA, SourceInfo};

use crate::View;

/// JSON comes in many small pieces, and a writer behind `dyn` costs a call for each: they are put together here.
#[derive(Default)]
struct Pieces(Vec<u8>);

impl Pieces {
    fn write(&mut self, out: &mut dyn Write, incident: &Incident, end: &[u8]) -> io::Result<()> {
        self.0.clear();
        serde_json::to_writer(&mut self.0, incident)?;
        self.0.extend_from_slice(end);
        out.write_all(&self.0)
    }
}

/// `-o json`: one document.
pub(crate) struct Json {
    tool: String,
    any: bool,
    pieces: Pieces,
}

impl Json {
    pub(crate) fn new(tool: &str) -> Self {
        Self {
            tool: tool.to_owned(),
            any: false,
            pieces: Pieces::default(),
        }
    }
}

impl View for Json {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{{\"schema\":{SCHEMA},\"tool\":")?;
        serde_json::to_writer(&mut *out, &self.tool)?;
        out.write_all(b",\"incidents\":[")
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        out.write_all(if self.any { b",\n" } else { b"\n" })?;
        self.any = true;
        self.pieces.write(out, incident, b"")
    }

    fn end(
        &mut self,
        out: &mut dyn Write,
        sources: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()> {
        out.write_all(b"\n],\"sources\":")?;
        serde_json::to_writer(&mut *out, sources)?;
        out.write_all(b",\"warnings\":")?;
        serde_json::to_writer(&mut *out, warnings)?;
        out.write_all(b"}\n")
    }
}

/// `-o ndjson`: an incident a line. Sources and warnings are not part of it.
#[derive(Default)]
pub(crate) struct Ndjson {
    pieces: Pieces,
}

impl View for Ndjson {
    fn begin(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        self.pieces.write(out, incident, b"\n")
    }

    fn end(&mut self, _: &mut dyn Write, _: &[SourceInfo], _: &[String]) -> io::Result<()> {
        Ok(())
    }
}

/// `-o yaml`: the same document.
pub(crate) struct Yaml {
    tool: String,
    any: bool,
}

impl Yaml {
    pub(crate) fn new(tool: &str) -> Self {
        Self {
            tool: tool.to_owned(),
            any: false,
        }
    }
}

/// A value's YAML, ended by a line end.
fn yaml(value: &impl Serialize) -> io::Result<String> {
    let mut text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[derive(Serialize)]
struct Head<'a> {
    schema: u32,
    tool: &'a str,
}

#[derive(Serialize)]
struct Tail<'a> {
    sources: &'a [SourceInfo],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct NoIncidents {
    incidents: [(); 0],
}

impl View for Yaml {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            yaml(&Head {
                schema: SCHEMA,
                tool: &self.tool,
            })?
            .as_bytes(),
        )
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        if !self.any {
            out.write_all(b"incidents:\n")?;
            self.any = true;
        }
        // Through JSON's values: what is a list of one here is one more entry of the list begun above.
        let value = serde_json::to_value([incident])?;
        out.write_all(yaml(&value)?.as_bytes())
    }

    fn end(
        &mut self,
        out: &mut dyn Write,
        sources: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()> {
        if !self.any {
            out.write_all(yaml(&NoIncidents { incidents: [] })?.as_bytes())?;
        }
        out.write_all(yaml(&Tail { sources, warnings })?.as_bytes())
    }
}
