//! Spans of time as people write them: `300ms`, `2s`, `1.5s`, `1m`. Pure.
//!
//! What [`show`] says, [`parse`] reads back to the same span, to a microsecond.

use std::time::Duration;

/// The units and their nanoseconds, longest names first: `ms` ends in `s`.
const UNITS: [(&str, u64); 5] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// Digits before and after the point.
const WHOLE_LEN_MAX: usize = 9;
const FRACTION_LEN_MAX: usize = 9;

/// Reads a number and its unit: `us`, `ms`, `s`, `m` or `h`.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse(text: &str) -> Result<Duration, String> {
    span(text.trim()).ok_or_else(|| {
        format!("`{text}` is no span of time; write a number and a unit, such as 300ms, 1.5s or 2m")
    })
}

fn span(text: &str) -> Option<Duration> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let (_, unit_ns) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fits = (1..=WHOLE_LEN_MAX).contains(&whole.len())
        && (1..=FRACTION_LEN_MAX).contains(&fraction.len());
    if !fits || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = u128::from(whole.parse::<u64>().ok()?);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = u128::from(fraction.parse::<u64>().ok()?);
    let nanos = u128::from(unit_ns) * (whole * scale + fraction) / scale;
    Some(Duration::from_nanos(u64::try_from(nanos).ok()?))
}

/// Writes a span in the largest unit that needs no more than three digits after the point, and no
/// shorter than a microsecond: `300ms`, `1.5s`, `2m`.
#[must_use]
pub fn show(span: Duration) -> String {
    let micros = span.as_micros();
    let (unit, in_unit) = match micros {
        0 => return "0s".to_owned(),
        1..1_000 => ("us", 1),
        1_000..1_000_000 => ("ms", 1_000),
        _ if micros.is_multiple_of(3_600_000_000) => ("h", 3_600_000_000),
        _ if micros.is_multiple_of(60_000_000) => ("m", 60_000_000),
        _ if micros.is_multiple_of(1_000) => ("s", 1_000_000),
        _ => ("ms", 1_000),
    };
    let (whole, rest) = (micros / in_unit, micros % in_unit);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let thousandths = rest * 1_000 / in_unit;
    let fraction = format!("{thousandths:03}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let read = |text| parse(text).unwrap();
        assert_eq!(read("250us"), Duration::from_micros(250));
        assert_eq!(read("300ms"), Duration::from_millis(300));
        assert_eq!(read("2s"), Duration::from_secs(2));
        assert_eq!(read("1m"), Duration::from_secs(60));
        assert_eq!(read("2h"), Duration::from_secs(7_200));
    }

    #[test]
    fn fractions_and_blanks_around_are_read() {
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse(" 0.25ms "), Ok(Duration::from_micros(250)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn anything_else_gets_a_sentence() {
        let wrong =
            ["", "s", "5", "5 s", "-1s", "+1s", "1,5s", "1.s", ".5s", "1.2.3s", "5d", "5sé"];
        let too_long = ["9999999999s", "0.0000000001s", "999999999h"];
        for text in wrong.into_iter().chain(too_long) {
            let why = parse(text).unwrap_err();
            assert!(why.contains("300ms"), "{text}: {why}");
        }
    }

    #[test]
    fn a_span_is_shown_as_people_write_it() {
        let texts = ["0s", "250us", "300ms", "1.5ms", "2s", "1.5s", "90.5s", "90s", "2m", "3h"];
        for text in texts {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for micros in (0..4_000_000_000_u64).step_by(1_234_567) {
            let span = Duration::from_micros(micros);
            assert_eq!(parse(&show(span)), Ok(span), "{}", show(span));
        }
    }
}
