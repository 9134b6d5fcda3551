//! Values, and how the query language writes them: text in quotes, whole numbers, durations with
//! units, times as RFC 3339. What is written here reads back as the same value.
//!
//! Days are counted by the proleptic Gregorian calendar, as in Howard Hinnant's "chrono-Compatible
//! Low-Level Date Algorithms".

use std::fmt;

use serde::{Deserialize, Serialize};
use winnow::ascii::digit1;
use winnow::combinator::{alt, opt, preceded, repeat};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::attribute::Type;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The units of durations, largest first.
const UNITS: [(&str, i64); 5] =
    [("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS), ("ms", 1)];

/// A stored value. Times and durations are integers, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Of a keyword.
    Text(Box<str>),
    /// Of an integer, a time or a duration.
    Integer(i64),
    /// Of a bool.
    Bool(bool),
}

/// A value that is looked at, not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen<'a> {
    /// Of a keyword.
    Text(&'a str),
    /// Of an integer, a time or a duration.
    Integer(i64),
    /// Of a bool.
    Bool(bool),
}

impl Value {
    /// The same value, borrowed.
    #[must_use]
    pub fn seen(&self) -> Seen<'_> {
        match self {
            Self::Text(text) => Seen::Text(text),
            Self::Integer(number) => Seen::Integer(*number),
            Self::Bool(flag) => Seen::Bool(*flag),
        }
    }

    /// Whether an attribute of this type may have it.
    #[must_use]
    pub fn is_of(&self, kind: Type) -> bool {
        match self {
            Self::Text(_) => kind == Type::Keyword,
            Self::Integer(_) => matches!(kind, Type::Integer | Type::Time | Type::Duration),
            Self::Bool(_) => kind == Type::Bool,
        }
    }
}

impl Seen<'_> {
    /// The same value, kept.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.into()),
            Self::Integer(number) => Value::Integer(number),
            Self::Bool(flag) => Value::Bool(flag),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// What is beyond `i64::MAX` becomes `i64::MAX`.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// A value of a type, shown as the query language writes it.
#[derive(Debug, Clone, Copy)]
pub struct Literal<'a>(pub Type, pub Seen<'a>);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Type::Time, Seen::Integer(ms)) => write!(f, "\"{}\"", show_time(ms)),
            (Type::Duration, Seen::Integer(ms)) => f.write_str(&show_duration(ms)),
            (_, Seen::Integer(number)) => write!(f, "{number}"),
            (_, Seen::Bool(flag)) => write!(f, "{flag}"),
            (_, Seen::Text(text)) => f.write_str(&quote(text)),
        }
    }
}

/// Text in double quotes, with escapes.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Milliseconds of `90s`, `1h30m`; `None` for what is no duration, or too long for 63 bits.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let unit = alt(("ms".value(1), "s".value(SECOND_MS), "m".value(MINUTE_MS)));
    let unit = alt((unit, "h".value(HOUR_MS), "d".value(DAY_MS)));
    let part = (digits, unit).verify_map(|(count, unit): (i64, i64)| count.checked_mul(unit));
    let parts = repeat(1.., part)
        .fold(|| Some(0_i64), |sum: Option<i64>, part| sum.and_then(|sum| sum.checked_add(part)));
    whole(parts, text).flatten()
}

fn whole<'a, T>(mut parser: impl Parser<&'a str, T, ()>, text: &'a str) -> Option<T> {
    parser.parse(text).ok()
}

fn digits(text: &mut &str) -> Result<i64, ()> {
    digit1.verify_map(|digits: &str| digits.parse().ok()).parse_next(text)
}

/// Exactly `count` digits.
fn field<'a>(count: usize) -> impl Parser<&'a str, i64, ()> {
    take_while(count..=count, '0'..='9').verify_map(|digits: &str| digits.parse().ok())
}

/// A duration in the largest unit that divides it.
pub(super) fn show_duration(ms: i64) -> String {
    let divides = |(_, unit): &&(&str, i64)| ms != 0 && ms % unit == 0;
    let (name, unit) = UNITS.iter().find(divides).unwrap_or(&("s", SECOND_MS));
    format!("{}{name}", ms / unit)
}

/// Unix milliseconds of an RFC 3339 time; fractions beyond milliseconds are cut off. `None` for
/// what is no time, or names a day or an hour that there is not.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let date = (field(4), preceded('-', field(2)), preceded('-', field(2)));
    let clock = (field(2), preceded(':', field(2)), preceded(':', field(2)));
    let fraction = opt(preceded('.', take_while(1.., '0'..='9')));
    let ((y, m, d), _, (hour, minute, second), fraction, offset_ms) =
        whole((date, one_of(['T', 't']), clock, fraction, offset), text)?;
    let day = day_of(y, m, d)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let clock_ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
    Some(day * DAY_MS + clock_ms + fraction.map_or(0, milliseconds) - offset_ms)
}

/// `Z` or `+02:00`, in milliseconds east.
fn offset(text: &mut &str) -> Result<i64, ()> {
    let sign = alt(('+'.value(1), '-'.value(-1)));
    let east = (sign, field(2), preceded(':', field(2)))
        .verify(|(_, hours, minutes)| *hours < 24 && *minutes < 60)
        .map(|(sign, hours, minutes)| sign * (hours * HOUR_MS + minutes * MINUTE_MS));
    alt((one_of(['Z', 'z']).value(0), east)).parse_next(text)
}

fn milliseconds(fraction: &str) -> i64 {
    let mut digits = fraction.chars().filter_map(|c| c.to_digit(10));
    (0..3).fold(0, |ms, _| ms * 10 + i64::from(digits.next().unwrap_or(0)))
}

/// Days from 1970-01-01 to a date; `None` where there is no such date.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    // Years begin with March, so that the leap day is the last of its year.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + days - 719_468)
}

/// Year, month and day, so many days after 1970-01-01.
#[must_use]
pub fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, date)
}

/// RFC 3339 in UTC, with milliseconds if there are any; plain milliseconds where the year has not
/// four digits.
pub(super) fn show_time(ms: i64) -> String {
    let (year, month, date) = date_of(ms.div_euclid(DAY_MS));
    if !(0..=9_999).contains(&year) {
        return ms.to_string();
    }
    let of_day = ms.rem_euclid(DAY_MS);
    let (hour, minute) = (of_day / HOUR_MS, of_day / MINUTE_MS % 60);
    let (second, left) = (of_day / SECOND_MS % 60, of_day % SECOND_MS);
    let fraction = if left == 0 { String::new() } else { format!(".{left:03}") };
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms, shown) in [
            ("0s", 0, "0s"),
            ("90s", 90_000, "90s"),
            ("10m", 600_000, "10m"),
            ("60m", 3_600_000, "1h"),
            ("1h30m", 5_400_000, "90m"),
            ("250ms", 250, "250ms"),
            ("3d", 259_200_000, "3d"),
        ] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
            assert_eq!(show_duration(ms), shown);
        }
        for bad in ["", "10", "m", "10x", "10 m", "-1s", "1.5h", "10min", "999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(parse_duration("9223372036854775807ms1ms"), None);
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, ms, shown) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"),
            ("2000-02-29T12:00:00+02:00", 951_818_400_000, "2000-02-29T10:00:00Z"),
            ("2026-11-22t10:00:00.1239z", 1_795_341_600_123, "2026-11-22T10:00:00.123Z"),
            ("9999-12-31T23:59:59-23:59", 253_402_387_139_000, "253402387139000"),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
            assert_eq!(show_time(ms), shown);
        }
        for bad in [
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-11-22 10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-01-00T10:00:00Z",
            "1900-02-29T10:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:60:00Z",
            "2026-01-01T10:00:00+24:00",
            "2026-01-01T10:00:00.Z",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in -62_167_219_200_000_i64..253_402_300_800_000) {
            prop_assert_eq!(parse_time(&show_time(ms)), Some(ms));
            let length = ms.unsigned_abs() as i64;
            prop_assert_eq!(parse_duration(&show_duration(length)), Some(length));
        }

        #[test]
        fn every_time_can_be_shown(ms: i64) {
            prop_assert!(!show_time(ms).is_empty());
        }
    }
}
