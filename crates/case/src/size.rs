//! Sizes for a person: KiB to `29.3 GiB`, and counts of KiB with the digits grouped. Nothing here reads a report.

/// A size in KiB in the largest unit that leaves at least 1, with at most one decimal: `30 GiB`, `29.3 GiB`, `512 KiB`.
///
/// ```
/// assert_eq!(whodunit_case::size::human(31_457_280), "30 GiB");
/// assert_eq!(whodunit_case::size::human(1_536), "1.5 MiB");
/// ```
pub fn human(kib: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut scale = 1u64;
    while unit + 1 < UNITS.len() && kib / scale >= 1024 {
        unit += 1;
        scale *= 1024;
    }
    let mut tenths = (u128::from(kib) * 10 + u128::from(scale) / 2) / u128::from(scale);
    // 1023.97 MiB rounds to 1024.0 MiB, which is the next unit's 1.
    if tenths >= 10_240 && unit + 1 < UNITS.len() {
        unit += 1;
        tenths = 10;
    }
    let name = UNITS.get(unit).copied().unwrap_or("KiB");
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

/// A number with its thousands apart: `31,457,280`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Both at once, where the exact number matters: `31,457,280 KiB (30 GiB)`.
pub fn exact(kib: u64) -> String {
    match kib {
        0..1024 => format!("{kib} KiB"),
        _ => format!("{} KiB ({})", grouped(kib), human(kib)),
    }
}

/// A span of time: `43 s`, `12 min`, `3 h 20 min`, `2 d 4 h`; `less than a second` for none.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 => "less than a second".to_owned(),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{minutes} min"),
        7_200..172_800 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `part` of `whole` in percent, rounded; 0 of nothing.
pub fn percent(part: u64, whole: u64) -> u64 {
    match whole {
        0 => 0,
        _ => ((u128::from(part) * 100 + u128::from(whole) / 2) / u128::from(whole))
            .try_into()
            .unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        for (kib, text) in [
            (0, "0 KiB"),
            (1023, "1023 KiB"),
            (1024, "1 MiB"),
            (65_536, "64 MiB"),
            (1_048_575, "1 GiB"),
            (30_408_704, "29 GiB"),
            (u64::MAX, "16777216 PiB"),
        ] {
            assert_eq!(human(kib), text);
        }
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(31_457_280), "31,457,280");
        assert_eq!(exact(1_536), "1,536 KiB (1.5 MiB)");
    }

    #[test]
    fn spans_and_shares_are_rounded() {
        assert_eq!(span(0), "less than a second");
        assert_eq!(span(119), "119 s");
        assert_eq!(span(1_200), "20 min");
        assert_eq!(span(12_000), "3 h 20 min");
        assert_eq!(percent(29, 31), 94);
        assert_eq!(percent(1, 0), 0);
    }
}
