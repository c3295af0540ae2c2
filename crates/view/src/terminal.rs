//! The view for people: the verdict first, then what shows it, then what it means and what to do.

mod chart;
mod page;
mod sections;
mod tables;

use std::collections::BTreeMap;
use std::io::{self, Write};

use whodunit_case::incident::{Incident, SourceInfo};

use crate::{Looks, View, words};
use page::Page;
pub(crate) use page::{columns, fit};

/// Incidents told apart in the overview at the end; more are counted together.
const OVERVIEW_ROWS: usize = 12;
/// Places remembered for it: memory does not grow with the input.
const PLACES_REMEMBERED: usize = 4096;

pub(crate) struct Terminal {
    looks: Looks,
    incidents: usize,
    killers: BTreeMap<&'static str, usize>,
    places: BTreeMap<String, usize>,
}

impl Terminal {
    pub(crate) fn new(looks: Looks) -> Self {
        Self {
            looks,
            incidents: 0,
            killers: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    fn count(&mut self, incident: &Incident) {
        self.incidents += 1;
        *self.killers.entry(words::killer_of(incident)).or_default() += 1;
        let place = words::whereabouts(incident)
            .unwrap_or_else(|| "no container named in the log".to_owned());
        if self.places.len() < PLACES_REMEMBERED || self.places.contains_key(&place) {
            *self.places.entry(place).or_default() += 1;
        }
    }

    fn overview(&self, page: &mut Page) {
        page.heading(&format!("{} incidents in all", self.incidents));
        let rows = |counts: Vec<(&str, usize)>, page: &mut Page| {
            let more = counts.len().saturating_sub(OVERVIEW_ROWS);
            for (name, count) in counts.into_iter().take(OVERVIEW_ROWS) {
                page.item(&format!("{count:>5}  "), name);
            }
            if more > 0 {
                page.item("       ", &format!("and {more} more"));
            }
        };
        let by_count = |counts: &mut Vec<(&str, usize)>| {
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count))
        };
        let mut killers: Vec<(&str, usize)> = self
            .killers
            .iter()
            .map(|(name, count)| (*name, *count))
            .collect();
        by_count(&mut killers);
        rows(killers, page);
        page.gap();
        let mut places: Vec<(&str, usize)> = self
            .places
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        by_count(&mut places);
        rows(places, page);
    }
}

impl View for Terminal {
    fn begin(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
        let mut page = Page::new(self.looks);
        if self.incidents > 0 {
            page.rule();
        }
        self.count(incident);
        sections::write(&mut page, incident);
        out.write_all(page.text().as_bytes())
    }

    fn end(&mut self, out: &mut dyn Write, sources: &[SourceInfo], _: &[String]) -> io::Result<()> {
        let mut page = Page::new(self.looks);
        match self.incidents {
            0 => {
                let read: Vec<&SourceInfo> = sources
                    .iter()
                    .filter(|source| source.error.is_none())
                    .collect();
                if read.is_empty() {
                    return Ok(());
                }
                let what = match read.as_slice() {
                    [one] => one.path.as_deref().map_or_else(
                        || words::code(one.kind),
                        |path| crate::visible(path).into_owned(),
                    ),
                    several => format!("{} sources", several.len()),
                };
                page.paragraph(&format!(
                    "No report of the kernel's OOM killer in {what}. If something died all the same, this log does not hold the kernel's \
                     own lines of it (others' words of a kill are not taken for them), or it was not this kernel's OOM killer."
                ));
            }
            1 => {}
            _ => {
                page.rule();
                self.overview(&mut page);
            }
        }
        out.write_all(page.text().as_bytes())
    }
}
