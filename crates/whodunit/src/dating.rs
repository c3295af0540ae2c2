//! What is assumed to turn a source's times into UTC: year, zone, time of boot; and the words that say so.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use oom_report::Assumptions;
use whodunit_case::incident::SourceKind;
use whodunit_node::{Machine, Source};

/// What the user said on the command line, and what the machine says of itself.
#[derive(Debug)]
pub struct Known {
    /// `--timezone`
    pub zone: Option<TimeZone>,
    /// `--year`
    pub year: Option<i16>,
    /// The running machine; read only where its own log is.
    pub machine: Option<Machine>,
    /// The present: a pipe was last written now.
    pub now: Timestamp,
}

impl Known {
    /// The assumptions for one source.
    pub fn assumptions(&self, source: &Source) -> Assumptions {
        let own = self.machine.as_ref().filter(|_| source.own_machine);
        // Only the ring buffer holds nothing but the current boot; the journal's records carry their own clocks.
        let this_boot = own.filter(|_| source.kind == SourceKind::Kmsg);
        let modified = source
            .modified
            .and_then(|time| Timestamp::try_from(time).ok());
        Assumptions {
            last_written: Some(modified.unwrap_or(self.now)),
            year: self.year,
            zone: match &self.zone {
                Some(zone) => zone.clone(),
                // Reading the zone database costs time at the start: only where it counts.
                None if own.is_some() => TimeZone::system(),
                None => TimeZone::UTC,
            },
            boot: this_boot.and_then(|machine| machine.boot_time),
            node: own.and_then(|machine| machine.hostname.clone()),
            boot_id: this_boot.and_then(|machine| machine.boot_id.clone()),
        }
    }
}

/// What was assumed, in words, for a source of which some report's year, or zone, was.
pub fn in_words(
    assumptions: &Assumptions,
    year_assumed: bool,
    zone_assumed: bool,
) -> Option<String> {
    let year = year_assumed.then(|| match (assumptions.year, assumptions.last_written) {
        (Some(year), _) => format!("year {year} (as told) where a line has none"),
        (None, Some(written)) => format!(
            "where a line has no year, the latest that is not after {}, when the source was last written",
            assumptions.zone.to_datetime(written).date()
        ),
        (None, None) => "no year, as the line has none".to_owned(),
    });
    let zone = zone_assumed.then(|| {
        let zone = &assumptions.zone;
        let name = match zone.iana_name() {
            Some(name) => name.to_owned(),
            None if *zone == TimeZone::UTC => "UTC".to_owned(),
            None => zone
                .to_fixed_offset()
                .map_or("this machine's".to_owned(), |offset| offset.to_string()),
        };
        format!("zone {name} where a line has none")
    });
    let words: Vec<String> = year.into_iter().chain(zone).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// `Europe/Berlin`, `UTC`, `Z`, `local`, `+02:00`, `-0330`, `+2`.
pub fn zone(text: &str) -> Result<TimeZone, String> {
    match text {
        "local" => return TimeZone::try_system().map_err(|error| error.to_string()),
        "Z" | "UTC" | "utc" => return Ok(TimeZone::UTC),
        _ => {}
    }
    if let Some(offset) = offset(text) {
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(text).map_err(|_| {
        format!("{text:?} is no time zone known here: try Europe/Berlin, +02:00, UTC or local")
    })
}

fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let fits = hours <= 14 && minutes < 60;
    fits.then(|| Offset::from_seconds(sign * i32::from(hours * 60 + minutes) * 60).ok())?
}
