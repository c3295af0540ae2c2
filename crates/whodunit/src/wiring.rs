//! The one place where the judgement and the views are plugged into the pipeline.

use std::io::{self, Write};

use oom_report::report::OomReport;
use whodunit_case::assemble::{self, Context};
use whodunit_case::incident::{Incident, SourceInfo};
use whodunit_case::ledger::Ledger;

use whodunit_view::Format;

use crate::cli::Output;
use crate::explain::Looks;
use crate::pipeline::{Judge, View};

/// Kills remembered, to know the same one in another file and to see repeats: some megabytes at most.
const KILLS_REMEMBERED: usize = 16_384;

/// The judge and the view of one run.
pub struct Parts {
    /// Makes incidents.
    pub judge: Box<dyn Judge>,
    /// Prints them.
    pub view: Box<dyn View>,
}

/// The parts for these looks.
pub fn parts(looks: Looks) -> Parts {
    Parts {
        judge: Box::new(Bench {
            ledger: Ledger::new(KILLS_REMEMBERED),
        }),
        view: Box::new(Page(view_of(looks))),
    }
}

/// The judge's bench: the pure judgement with its memory of past kills.
struct Bench {
    ledger: Ledger,
}

impl Judge for Bench {
    fn incident(&mut self, report: OomReport, source: usize, info: &SourceInfo) -> Incident {
        let history = self
            .ledger
            .history(assemble::container_key(&report).as_deref());
        let context = Context {
            source,
            kind: info.kind,
            path: info.path.as_deref(),
            place: None,
        };
        assemble::into_incident(report, &context, &history)
    }

    fn seen(&mut self, incident: &Incident) -> Option<String> {
        self.ledger.seen(incident).map(|place| place.to_string())
    }

    fn remember(&mut self, incident: &Incident) {
        self.ledger.add(incident);
    }
}

/// A view of the views' crate.
struct Page(Box<dyn whodunit_view::View + Send>);

impl View for Page {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.0.begin(out)
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        self.0.incident(out, incident)
    }

    fn end(
        &mut self,
        out: &mut dyn Write,
        sources: &[SourceInfo],
        warnings: &[String],
    ) -> io::Result<()> {
        self.0.end(out, sources, warnings)
    }
}

/// The view for these looks.
pub fn view_of(looks: Looks) -> Box<dyn whodunit_view::View + Send> {
    let format = match looks.output {
        Output::Terminal => Format::Terminal,
        Output::Json => Format::Json,
        Output::Ndjson => Format::Ndjson,
        Output::Markdown => Format::Markdown,
        Output::Yaml => Format::Yaml,
    };
    let looks = whodunit_view::Looks {
        width: looks.width.into(),
        colored: looks.colored,
        all: looks.all,
        quiet: looks.quiet,
        unicode: looks.unicode,
    };
    whodunit_view::view(
        format,
        looks,
        concat!("whodunit ", env!("CARGO_PKG_VERSION")),
    )
}
