//! Times as a log prints them -> instants. Pure: what a line leaves out (year, zone) comes from the caller's
//! [`Assumptions`], and the result says that it was assumed.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::report::{Stamp, WallTime};

/// A time as it stands in a line, not yet an instant: most lines' times are never asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RawTime {
    /// None there.
    #[default]
    None,
    /// A calendar time.
    Civil {
        year: Option<i16>,
        month: u8,
        day: u8,
        hour: u8,
        minute: u8,
        second: u8,
        nanosecond: u32,
        offset_s: Option<i32>,
    },
    /// Microseconds since 1970.
    EpochUs(i64),
}

impl RawTime {
    /// Whether two lines with these times were printed at different times: of one form, and more than a second apart.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        if let (Self::EpochUs(one), Self::EpochUs(two)) = (self, other) {
            return one.abs_diff(*two) > 1_000_000;
        }
        let (Some((form, date, second)), Some((other_form, other_date, other_second))) =
            (self.civil(), other.civil())
        else {
            return false;
        };
        form == other_form && (date != other_date || second.abs_diff(other_second) > 1)
    }

    /// What a civil time says of its form (a year, an offset), the date, and the second of the day.
    fn civil(&self) -> Option<(impl PartialEq, impl PartialEq, u32)> {
        let Self::Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond: _,
            offset_s,
        } = *self
        else {
            return None;
        };
        let second_of_day = (u32::from(hour) * 60 + u32::from(minute)) * 60 + u32::from(second);
        Some((
            (year.is_some(), offset_s),
            (year, month, day),
            second_of_day,
        ))
    }
}

/// What to take where a line does not say.
#[derive(Debug, Clone)]
pub struct Assumptions {
    /// The log was last written at this time: a date without a year is the latest one not after it (by more than a
    /// day). `None`: such dates stay unknown.
    pub last_written: Option<Timestamp>,
    /// Year to take for dates without one, whatever `last_written` says.
    pub year: Option<i16>,
    /// Zone of times that carry none.
    pub zone: TimeZone,
    /// When the machine booted, for a log of its current boot that has boot-relative times only.
    pub boot: Option<Timestamp>,
    /// Name of the machine, where the log is its own and carries none.
    pub node: Option<String>,
    /// Boot id, likewise.
    pub boot_id: Option<String>,
}

impl Default for Assumptions {
    /// Nothing known but UTC.
    fn default() -> Self {
        Self {
            last_written: None,
            year: None,
            zone: TimeZone::UTC,
            boot: None,
            node: None,
            boot_id: None,
        }
    }
}

impl Assumptions {
    /// Both clocks of a line.
    pub(crate) fn stamp(&self, boot_us: Option<u64>, time: RawTime) -> Stamp {
        let wall = self.wall(time).or_else(|| {
            let since = SignedDuration::from_micros(i64::try_from(boot_us?).ok()?);
            let timestamp = self.boot?.checked_add(since).ok()?;
            Some(WallTime {
                timestamp,
                year_assumed: false,
                zone_assumed: false,
            })
        });
        Stamp { boot_us, wall }
    }

    fn wall(&self, time: RawTime) -> Option<WallTime> {
        match time {
            RawTime::None => None,
            RawTime::EpochUs(microseconds) => Some(WallTime {
                timestamp: Timestamp::from_microsecond(microseconds).ok()?,
                year_assumed: false,
                zone_assumed: false,
            }),
            RawTime::Civil {
                year,
                month,
                day,
                hour,
                minute,
                second,
                nanosecond,
                offset_s,
            } => {
                let civil = |year: i16| {
                    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
                    let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
                    // A leap second is told as the second before it.
                    let second = i8::try_from(second.min(59)).ok()?;
                    DateTime::new(
                        year,
                        month,
                        day,
                        hour,
                        minute,
                        second,
                        i32::try_from(nanosecond).ok()?,
                    )
                    .ok()
                };
                let zone = match offset_s {
                    Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).ok()?),
                    None => self.zone.clone(),
                };
                let instant = |year: i16| zone.to_timestamp(civil(year)?).ok();
                let timestamp = match year.or(self.year) {
                    Some(year) => instant(year)?,
                    None => {
                        let last = self.last_written?;
                        let latest = last
                            .checked_add(SignedDuration::from_hours(24))
                            .unwrap_or(last);
                        let year = zone.to_datetime(latest).year();
                        // 29 February may be four years back.
                        (0..5).find_map(|back| {
                            instant(year - back).filter(|instant| *instant <= latest)
                        })?
                    }
                };
                Some(WallTime {
                    timestamp,
                    year_assumed: year.is_none(),
                    zone_assumed: offset_s.is_none(),
                })
            }
        }
    }
}

/// An RFC 3339 time or a count since 1970 in s, ms, us or ns, as JSON logs carry it.
pub(crate) fn epoch(value: f64) -> Option<RawTime> {
    let microseconds = match value.abs() {
        seconds if seconds < 1e11 => value * 1e6,
        milliseconds if milliseconds < 1e14 => value * 1e3,
        microseconds if microseconds < 1e17 => value,
        _ => value / 1e3,
    };
    (microseconds.is_finite() && microseconds > 0.0)
        .then_some(RawTime::EpochUs(microseconds as i64))
}
