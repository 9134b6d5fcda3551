//! Numbers, spans and dates as a report writes them, and texts that are safe within HTML. Pure.
//!
//! What is not finite is written as a dash: no reader has to wonder about `NaN`.

use std::fmt;

/// What stands for a number that is not there.
pub const NONE: &str = "–";

const MINUTE_S: f64 = 60.0;
const HOUR_S: f64 = 3_600.0;

/// A text that is escaped when it is written: for elements and for attributes in double quotes.
pub struct Esc<'a>(pub &'a str);

impl fmt::Display for Esc<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                '\n' | '\t' => fmt::Write::write_char(out, letter)?,
                letter if letter.is_control() => out.write_str("\u{fffd}")?,
                letter => fmt::Write::write_char(out, letter)?,
            }
        }
        Ok(())
    }
}

/// A count as what is reckoned with.
#[must_use]
pub const fn real(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts and milliseconds, below 2^52 or shown")]
    {
        count as f64
    }
}

/// A whole number with commas between thousands: `1,234,567`.
#[must_use]
pub fn whole(count: u64) -> String {
    grouped(&count.to_string())
}

/// A number with about three digits that say something: `0.412`, `4.12`, `41.2`, `4,120`.
#[must_use]
pub fn decimal(number: f64) -> String {
    let places = match number.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    fixed(number, places)
}

/// A number with so many places after the point, and commas between thousands.
#[must_use]
pub fn fixed(number: f64, places: usize) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    // No `-0`.
    let text = format!("{:.places$}", if number == 0.0 { 0.0 } else { number });
    match text.split_once('.') {
        Some((before, after)) => format!("{}.{after}", grouped(before)),
        None => grouped(&text),
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut text = sign.to_owned();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that fits: `812 B`, `1.21 GiB`.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    let (unit, name) = byte_unit(bytes);
    if unit > 1.0 { format!("{} {name}", decimal(bytes / unit)) } else { fixed(bytes, 0) + " B" }
}

/// The unit that fits a number of bytes, in bytes, and its name.
#[must_use]
pub fn byte_unit(bytes: f64) -> (f64, &'static str) {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = 1.0;
    for name in units {
        if bytes < size * 1_024.0 {
            return (size, name);
        }
        size *= 1_024.0;
    }
    (size / 1_024.0, "TiB")
}

/// A number of seconds in words: `48 s`, `2 min 5 s`, `1 h 30 min`.
#[must_use]
pub fn span(seconds: f64) -> String {
    let seconds = seconds.round();
    let (hours, minutes) = ((seconds / HOUR_S).floor(), (seconds % HOUR_S / MINUTE_S).floor());
    let rest = seconds % MINUTE_S;
    let joined = |first: String, second: f64, unit| match second {
        0.0 => first,
        second => format!("{first} {second:.0} {unit}"),
    };
    match seconds {
        s if !s.is_finite() => NONE.to_owned(),
        s if s < MINUTE_S => format!("{s:.0} s"),
        s if s < HOUR_S => joined(format!("{minutes:.0} min"), rest, "s"),
        _ => joined(format!("{hours:.0} h"), minutes, "min"),
    }
}

/// Unix milliseconds as `2026-01-31 14:05:09`, in UTC.
#[must_use]
pub fn date(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day since 1970-01-01. Years begin in March here, so that the day that
/// comes and goes is the last of the year.
const fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let january_or_february = if month <= 2 { 1 } else { 0 };
    (year + era * 400 + january_or_february, month, day)
}

/// `one thing`, `2 things`.
#[must_use]
pub fn plural(count: u64, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", whole(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_html_would_take_for_its_own_is_escaped() {
        let text = Esc("<script>alert('a' & \"b\")</script>\u{0}\n").to_string();
        let safe = "&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;\u{fffd}\n";
        assert_eq!(text, safe);
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        let texts = [0.0, 0.0412, 0.99951, 4.123, 9.996, 41.23, 99.96, 4_123.4, 1_234_567.0];
        let texts = texts.map(decimal);
        let expected =
            ["0.000", "0.041", "1.00", "4.12", "10.0", "41.2", "100", "4,123", "1,234,567"];
        assert_eq!(texts, expected);
        assert_eq!([f64::NAN, f64::INFINITY].map(decimal), [NONE, NONE]);
        assert_eq!(fixed(-12_345.5, 1), "-12,345.5");
        assert_eq!(fixed(-0.0, 0), "0");
        assert_eq!([0, 999, 1_000, 12_345_678].map(whole), ["0", "999", "1,000", "12,345,678"]);
    }

    #[test]
    fn bytes_and_spans_have_the_unit_that_fits() {
        let sizes = [0.0, 812.0, 2_048.0, 1.3e9].map(bytes);
        assert_eq!(sizes, ["0 B", "812 B", "2.00 KiB", "1.21 GiB"]);
        let spans = [0.2, 48.0, 60.0, 125.0, 3_600.0, 5_400.0, f64::NAN].map(span);
        assert_eq!(spans, ["0 s", "48 s", "1 min", "2 min 5 s", "1 h", "1 h 30 min", NONE]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_399_000), "2000-02-28 23:59:59");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(date(1_767_225_599_999), "2025-12-31 23:59:59");
        assert_eq!(date(4_107_542_400_000), "2100-03-01 00:00:00");
    }
}
