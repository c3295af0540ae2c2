//! Time stamps at the start of a line, each by its shape: seconds since boot, RFC 3164, ISO 8601 and its cousins, ctime.

use crate::cursor::Cursor;
use crate::month_names::month;
use crate::time::RawTime;

/// Takes what dmesg and journalctl put behind a stamp to show the time since the line before: ` <    0.000214>`.
fn since_last(cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    ahead.spaces();
    if ahead.eat(b"<") {
        ahead.spaces();
        ahead.take_while(|byte| byte.is_ascii_digit() || byte == b'.');
        ahead.spaces();
        if !ahead.eat(b">") {
            return;
        }
        ahead.spaces();
    }
    *cursor = ahead;
}

/// `[  123.456789]` -> microseconds; `[  123.456789 <    0.000214>]` (`dmesg -d`, `journalctl -o short-delta`), too.
pub(super) fn boot(cursor: &mut Cursor<'_>) -> Option<u64> {
    let mut ahead = *cursor;
    ahead.need(b"[")?;
    ahead.spaces();
    let seconds = ahead.number()?;
    ahead.need(b".")?;
    let before = ahead.0.len();
    let fraction = ahead.number()?;
    let width = before - ahead.0.len();
    if !(3..=9).contains(&width) {
        return None;
    }
    if ahead.peek() == Some(b' ') {
        since_last(&mut ahead);
    }
    ahead.need(b"]")?;
    *cursor = ahead;
    seconds
        .checked_mul(1_000_000)?
        .checked_add(micros(fraction, width))
}

/// The text without the space that some daemons leave before the kernel's stamp.
pub(super) fn unspaced(text: &[u8]) -> &[u8] {
    let rest = text.trim_ascii_start();
    match rest.len() < text.len() && boot(&mut Cursor(rest)).is_some() {
        true => rest,
        false => text,
    }
}

/// `[  +0.002367]` and `[Mar22 09:34]` (`dmesg --reltime`, `dmesg -H`): since the line before, which tells no time, or
/// the minute, where it is another than the last line's.
pub(super) fn relative(cursor: &mut Cursor<'_>) -> Option<RawTime> {
    let mut ahead = *cursor;
    ahead.need(b"[")?;
    ahead.spaces();
    let mut time = RawTime::None;
    if ahead.eat(b"+") {
        ahead.number()?;
        ahead.need(b".")?;
        ahead.number()?;
    } else {
        // `Mar22`, `3月 22`
        let numbered = ahead.peek().is_some_and(|byte| byte.is_ascii_digit());
        let name = ahead.take_while(|byte| {
            (numbered || !byte.is_ascii_digit()) && byte != b' ' && byte != b']'
        });
        let month = month(name)?;
        ahead.spaces();
        let day = ahead.number()?;
        ahead.need(b" ")?;
        let hour = ahead.digits(2)?;
        ahead.need(b":")?;
        let minute = ahead.digits(2)?;
        if (1..=31).contains(&day) && hour < 24 && minute < 60 {
            time = RawTime::Civil {
                year: None,
                month,
                day: u8::try_from(day).ok()?,
                hour: u8::try_from(hour).ok()?,
                minute: u8::try_from(minute).ok()?,
                second: 0,
                nanosecond: 0,
                offset_s: None,
            };
        }
    }
    ahead.need(b"]")?;
    *cursor = ahead;
    Some(time)
}

fn micros(fraction: u64, width: usize) -> u64 {
    let mut value = fraction;
    for _ in width..6 {
        value *= 10;
    }
    for _ in 6..width {
        value /= 10;
    }
    value
}

/// `.358563` or `,358563` -> nanoseconds; none there is 0.
fn fraction(cursor: &mut Cursor<'_>) -> Option<u32> {
    if !matches!(cursor.peek(), Some(b'.' | b',')) {
        return Some(0);
    }
    let mut ahead = Cursor(cursor.0.get(1..)?);
    let digits = ahead.take_while(|byte| byte.is_ascii_digit());
    if digits.is_empty() {
        return Some(0);
    }
    let mut nanoseconds: u32 = 0;
    for place in 0..9 {
        let digit = digits.get(place).map_or(0, |byte| u32::from(byte - b'0'));
        nanoseconds = nanoseconds * 10 + digit;
    }
    *cursor = ahead;
    Some(nanoseconds)
}

/// `13:17:05` with an optional fraction.
fn clock(cursor: &mut Cursor<'_>) -> Option<(u8, u8, u8, u32)> {
    let hour = cursor.digits(2)?;
    cursor.need(b":")?;
    let minute = cursor.digits(2)?;
    cursor.need(b":")?;
    let second = cursor.digits(2)?;
    let nanosecond = fraction(cursor)?;
    (hour < 24 && minute < 60 && second <= 60).then_some((
        u8::try_from(hour).ok()?,
        u8::try_from(minute).ok()?,
        u8::try_from(second).ok()?,
        nanosecond,
    ))
}

/// `2021-03-09T13:17:05,358563+00:00`: date and time, fraction by dot or comma, offset or `Z` or none.
/// Also says whether the fraction came after a comma, which only `dmesg --time-format iso` prints.
pub(super) fn iso(cursor: &mut Cursor<'_>) -> Option<(RawTime, bool)> {
    let mut ahead = *cursor;
    let year = ahead.digits(4)?;
    let separator = ahead.peek().filter(|byte| matches!(byte, b'-' | b'/'))?;
    ahead.need(&[separator])?;
    let month = ahead.digits(2)?;
    ahead.need(&[separator])?;
    let day = ahead.digits(2)?;
    if !(ahead.eat(b"T") || ahead.eat(b" ")) {
        return None;
    }
    let comma = ahead.0.get(8) == Some(&b',');
    let (hour, minute, second, nanosecond) = clock(&mut ahead)?;
    let offset_s = offset(&mut ahead);
    *cursor = ahead;
    Some((
        RawTime::Civil {
            year: Some(i16::try_from(year).ok()?),
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            hour,
            minute,
            second,
            nanosecond,
            offset_s,
        },
        comma,
    ))
}

/// `Z`, `+01:00`, `+0100`, ` UTC`, ` +01:00`.
fn offset(cursor: &mut Cursor<'_>) -> Option<i32> {
    if cursor.eat(b"Z") {
        return Some(0);
    }
    let mut ahead = *cursor;
    if ahead.eat(b" UTC") && matches!(ahead.peek(), None | Some(b' ')) {
        *cursor = ahead;
        return Some(0);
    }
    ahead = *cursor;
    ahead.eat(b" ");
    let sign = if ahead.eat(b"+") {
        1
    } else if ahead.eat(b"-") {
        -1
    } else {
        return None;
    };
    let hours = ahead.digits(2)?;
    ahead.eat(b":");
    // Zones without a name are printed as `+03`.
    let minutes = match ahead.peek() {
        None | Some(b' ') => 0,
        _ => ahead.digits(2)?,
    };
    *cursor = ahead;
    i32::try_from(hours * 3600 + minutes * 60)
        .ok()
        .map(|seconds| sign * seconds)
}

/// `Mar  9 13:17:05`, `Mar 09 2021 13:17:05.358563`, month names of any locale.
pub(super) fn rfc3164(cursor: &mut Cursor<'_>) -> Option<RawTime> {
    let mut ahead = *cursor;
    // Cheapest tests first: nearly every line of a report fails here.
    if ahead.0.len() < 15 {
        return None;
    }
    let name = ahead.take_while(|byte| byte != b' ');
    if name.is_empty() || name.len() > 12 {
        return None;
    }
    if !(1..=2).contains(&ahead.spaces()) {
        return None;
    }
    let day = ahead.number()?;
    if !(1..=31).contains(&day) || ahead.spaces() != 1 {
        return None;
    }
    let mut year = None;
    let mut with_year = ahead;
    if let Some(number) = with_year.digits(4).filter(|_| with_year.eat(b" ")) {
        year = Some(i16::try_from(number).ok()?);
        ahead = with_year;
    }
    let (hour, minute, second, nanosecond) = clock(&mut ahead)?;
    let month = month(name)?;
    // `Mar  9 13:17:05 2021 host`, `Mar  9 13:17:05 UTC 2021]`
    let mut with_year = ahead;
    let is_utc = with_year.eat(b" UTC") || with_year.eat(b" GMT");
    let mut offset_s = None;
    if year.is_none()
        && with_year.eat(b" ")
        && let Some(number) = with_year
            .digits(4)
            .filter(|number| (1990..2100).contains(number))
        && matches!(with_year.peek(), Some(b' ' | b']'))
    {
        year = Some(i16::try_from(number).ok()?);
        offset_s = is_utc.then_some(0);
        ahead = with_year;
    }
    *cursor = ahead;
    Some(RawTime::Civil {
        year,
        month,
        day: u8::try_from(day).ok()?,
        hour,
        minute,
        second,
        nanosecond,
        offset_s,
    })
}

/// `[Tue Mar  9 13:17:05 2021]`, day and month names of any locale, in any order. A bracket of this shape whose month
/// is not known still is a stamp: its time is then none.
pub(super) fn ctime(cursor: &mut Cursor<'_>) -> Option<RawTime> {
    let mut ahead = *cursor;
    ahead.need(b"[")?;
    let end = memchr::memchr(b']', ahead.0.get(..64.min(ahead.0.len()))?)?;
    let (inside, rest) = ahead.0.split_at_checked(end)?;
    // Before the bracket's end, the time since the line before (`dmesg -T -d`).
    let delta = memchr::memchr(b'<', inside).filter(|_| inside.ends_with(b">"));
    let inside = inside
        .get(..delta.unwrap_or(inside.len()))?
        .trim_ascii_end();
    // Every locale ends with the time and the year.
    let (head, year) = inside.split_at_checked(inside.len().checked_sub(4)?)?;
    let year = Cursor(year).digits(4)?;
    let head = head.strip_suffix(b" ")?;
    // crash's `log -T` has the zone between them.
    let (head, offset_s) = match head.strip_suffix(b" UTC").or(head.strip_suffix(b" GMT")) {
        Some(head) => (head, Some(0)),
        None => (head, None),
    };
    let (names, time) = head.split_at_checked(head.len().checked_sub(8)?)?;
    let (hour, minute, second, nanosecond) = clock(&mut Cursor(time))?;
    let mut day = None;
    let mut found = None;
    let words = names
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    for (place, word) in words.enumerate() {
        let mut number = Cursor(word);
        match number.number() {
            Some(value) if number.0.is_empty() && (1..=31).contains(&value) && day.is_none() => {
                day = Some(value)
            }
            // The first word is the day's name, which may be a month's in another language (`mar.`).
            _ if place > 0 && found.is_none() => found = month(word),
            _ => {}
        }
    }
    *cursor = Cursor(rest.get(1..)?);
    let time = match (day, found) {
        (Some(day), Some(month)) => RawTime::Civil {
            year: Some(i16::try_from(year).ok()?),
            month,
            day: u8::try_from(day).ok()?,
            hour,
            minute,
            second,
            nanosecond,
            offset_s,
        },
        _ => RawTime::None,
    };
    Some(time)
}

/// `[Jun 24 03:14:22]`, as people and programs shorten it.
pub(super) fn bracketed_rfc3164(cursor: &mut Cursor<'_>) -> Option<RawTime> {
    let mut ahead = *cursor;
    ahead.need(b"[")?;
    let time = rfc3164(&mut ahead)?;
    ahead.need(b"]")?;
    *cursor = ahead;
    Some(time)
}

/// `1615295825.358563` followed by a space (`journalctl -o short-unix`) -> microseconds since 1970.
pub(super) fn unix(cursor: &mut Cursor<'_>) -> Option<RawTime> {
    let mut ahead = *cursor;
    let before = ahead.0.len();
    let seconds = ahead.number()?;
    if !(9..=10).contains(&(before - ahead.0.len())) {
        return None;
    }
    ahead.need(b".")?;
    let before = ahead.0.len();
    let fraction = ahead.number()?;
    let width = before - ahead.0.len();
    if !(3..=9).contains(&width) || ahead.peek() != Some(b' ') {
        return None;
    }
    *cursor = ahead;
    Some(RawTime::EpochUs(
        i64::try_from(
            seconds
                .checked_mul(1_000_000)?
                .checked_add(micros(fraction, width))?,
        )
        .ok()?,
    ))
}
