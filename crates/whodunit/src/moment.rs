//! A moment as people type it (`--since yesterday`) to an instant. Pure: the present is handed in.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, ZonedDateTime};

/// Reads a moment. `now` gives the present and the zone of times without one.
///
/// Taken are RFC 3339 (`2026-01-31T14:00:00Z`), `@SECONDS` since 1970, a date (its first moment), a date and time,
/// a time of today, `now`, `today`, `yesterday`, and a duration before now (`2h`, `-30min`, `1 day ago`).
///
/// ```
/// use whodunit::moment::moment;
/// let now = "2026-01-31T14:00:00[UTC]".parse().unwrap();
/// assert_eq!(moment("2h", &now).unwrap().to_string(), "2026-01-31T12:00:00Z");
/// ```
pub fn moment(text: &str, now: &ZonedDateTime) -> Result<Timestamp, String> {
    let text = text.trim();
    let zone = now.time_zone();
    let start_of = |date: Date| {
        zone.to_timestamp(date.at(0, 0, 0, 0))
            .map_err(|error| error.to_string())
    };
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return start_of(now.date()),
        "yesterday" => return start_of(now.date().yesterday().map_err(|error| error.to_string())?),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let seconds: Option<i64> = seconds.parse().ok();
        return seconds
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or_else(|| unclear(text));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)))
        .or_else(|_| {
            text.parse::<Time>()
                .map(|time| now.date().to_datetime(time))
        });
    if let Ok(civil) = civil {
        return zone.to_timestamp(civil).map_err(|error| error.to_string());
    }
    let before: Span = text.parse().map_err(|_| unclear(text))?;
    let moment = now
        .checked_sub(before.abs())
        .map_err(|error| error.to_string())?;
    Ok(moment.timestamp())
}

fn unclear(text: &str) -> String {
    format!(
        "{text:?} is no time: try 2026-01-31, \"2026-01-31 14:00\", 2026-01-31T14:00:00Z, 2h, -30min, today, yesterday"
    )
}
