//! What must hold after a run, as a line of a scenario: `input_ack.p99 <= 2.5 * echo.p99 + 100ms`.
//! Pure.
//!
//! Each side is a sum of terms; a term is a number, a span of time, a reading, or a number times a
//! reading. A reading is a time's statistic (`input_ack.p99`), a time's count (`seen.count`), or
//! one of the other numbers of a run ([`NUMBERS`]). Times are milliseconds. What was not measured
//! does not hold.

use std::fmt;
use std::str::FromStr;

use winnow::ascii::{float, space0};
use winnow::combinator::{alt, opt, preceded, repeat};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use crate::span;
use crate::stats::Measure;

/// Readings that are no times: name and what it is.
pub const NUMBERS: [(&str, &str); 18] = [
    ("violations", "broken promises of all checks"),
    ("unacknowledged", "commands and inputs without an outcome at the end"),
    ("lost_players", "players who could not come back"),
    ("late_share", "share of the sends that the harness made late, 0 to 1"),
    ("inputs_acked_share", "share of the input frames sent that were acknowledged, 0 to 1"),
    ("inputs_per_s", "acknowledged input frames a second"),
    ("commands_per_s", "commands done a second, HTTP's included"),
    ("trades_committed", "trades and gifts committed in the whole run"),
    ("trades_cancelled", "trades called off in the whole run"),
    ("trades_expired", "trades whose time was over in the whole run"),
    ("trades_per_s", "trades and gifts committed a second"),
    ("escrow_left", "trades that kept goods reserved after the last offer's end"),
    ("in_bits_per_player", "bits a second that a player received"),
    ("out_bits_per_player", "bits a second that a player sent"),
    ("server_cores", "cores that the servers and Redis used on average"),
    ("server_cpu_per_input_us", "CPU microseconds of servers and Redis for an acknowledged input"),
    ("resident_per_player", "bytes of the servers' memory for each player, most"),
    ("closed", "sockets that the servers closed or that broke"),
];

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub text: String,
    left: Sum,
    relation: Relation,
    right: Sum,
}

/// A threshold, read from a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The left side; `None`: something in it was not measured.
    pub left: Option<f64>,
    /// The right side.
    pub right: Option<f64>,
    /// Whether it holds.
    pub met: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    AtMost,
    Below,
    AtLeast,
    Above,
    Is,
}

#[derive(Debug, Clone, PartialEq)]
struct Sum(Vec<Term>);

/// A factor, and what it is a factor of; `None`: of one.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    factor: f64,
    of: Option<Name>,
}

/// A reading by name.
#[derive(Debug, Clone, PartialEq)]
pub enum Name {
    /// A statistic of a time.
    Time(Measure, Statistic),
    /// One of [`NUMBERS`].
    Number(&'static str),
}

/// A statistic of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The time within which this share lies, 0 to 1.
    Quantile(f64),
    /// The mean.
    Mean,
    /// The longest.
    Max,
    /// How many there were.
    Count,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (left, relation, right) = whole.parse(text).map_err(|error| explain(text, &error))?;
        Ok(Self { text: text.trim().to_owned(), left, relation, right })
    }
}

/// Where it stopped making sense, and what can be written there.
fn explain(
    text: &str,
    error: &winnow::error::ParseError<&str, winnow::error::ContextError>,
) -> String {
    let rest = text.get(error.offset()..).unwrap_or_default().trim();
    let (times, numbers) = (Measure::ALL.map(Measure::name), NUMBERS.map(|(name, _)| name));
    let place = if rest.is_empty() { "its end".to_owned() } else { format!("`{rest}`") };
    format!(
        "`{text}` is not understood from {place} on; write such as \
         `input_ack.p99 <= 2.5 * echo.p99 + 100ms`: times are {}, each with .p50, .p90, .p99, \
         .p999, .mean, .max or .count; numbers are {}",
        times.join(", "),
        numbers.join(", ")
    )
}

fn whole(input: &mut &str) -> ModalResult<(Sum, Relation, Sum)> {
    let (left, relation, right) = (sum, preceded(space0, relation), sum).parse_next(input)?;
    space0.parse_next(input)?;
    Ok((left, relation, right))
}

fn relation(input: &mut &str) -> ModalResult<Relation> {
    alt((
        "<=".value(Relation::AtMost),
        ">=".value(Relation::AtLeast),
        "==".value(Relation::Is),
        "<".value(Relation::Below),
        ">".value(Relation::Above),
    ))
    .parse_next(input)
}

fn sum(input: &mut &str) -> ModalResult<Sum> {
    let first = preceded(space0, term).parse_next(input)?;
    let more = (preceded(space0, one_of(['+', '-'])), preceded(space0, term));
    let rest: Vec<(char, Term)> = repeat(0.., more).parse_next(input)?;
    let signed = rest.into_iter().map(|(sign, term)| match sign {
        '-' => Term { factor: -term.factor, ..term },
        _ => term,
    });
    Ok(Sum(std::iter::once(first).chain(signed).collect()))
}

fn term(input: &mut &str) -> ModalResult<Term> {
    alt((product, time, number, name.map(|of| Term { factor: 1.0, of: Some(of) })))
        .parse_next(input)
}

fn product(input: &mut &str) -> ModalResult<Term> {
    let (factor, of) = (float, preceded((space0, '*', space0), name)).parse_next(input)?;
    Ok(Term { factor, of: Some(of) })
}

/// A span of time, in milliseconds.
fn time(input: &mut &str) -> ModalResult<Term> {
    let digits = take_while(1.., |c: char| c.is_ascii_digit() || c == '.');
    let unit = take_while(1.., |c: char| c.is_ascii_lowercase());
    let text = (digits, unit).take();
    let factor = text.verify_map(|text| span::parse(text).ok()).parse_next(input)?;
    Ok(Term { factor: factor.as_secs_f64() * 1e3, of: None })
}

fn number(input: &mut &str) -> ModalResult<Term> {
    float.map(|factor| Term { factor, of: None }).parse_next(input)
}

fn name(input: &mut &str) -> ModalResult<Name> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let whole = (take_while(1.., word), opt(preceded('.', take_while(1.., word))));
    whole.verify_map(|(first, second): (&str, Option<&str>)| find(first, second)).parse_next(input)
}

fn find(first: &str, second: Option<&str>) -> Option<Name> {
    let Some(second) = second else {
        return NUMBERS.iter().find(|(name, _)| *name == first).map(|(name, _)| Name::Number(name));
    };
    let measure = Measure::ALL.into_iter().find(|measure| measure.name() == first)?;
    let statistic = match second {
        "p50" => Statistic::Quantile(0.5),
        "p90" => Statistic::Quantile(0.9),
        "p99" => Statistic::Quantile(0.99),
        "p999" => Statistic::Quantile(0.999),
        "mean" => Statistic::Mean,
        "max" => Statistic::Max,
        "count" => Statistic::Count,
        _ => return None,
    };
    Some(Name::Time(measure, statistic))
}

impl Sum {
    fn read(&self, look: &impl Fn(&Name) -> Option<f64>) -> Option<f64> {
        self.0.iter().try_fold(0.0, |sum, term| {
            let of = term.of.as_ref().map_or(Some(1.0), look)?;
            Some(term.factor.mul_add(of, sum))
        })
    }

    fn is_time(&self) -> bool {
        let time = |of: &Name| matches!(of, Name::Time(_, s) if *s != Statistic::Count);
        self.0.iter().any(|term| term.of.as_ref().is_some_and(time))
    }
}

impl Threshold {
    /// Reads both sides by `look`, which knows what was measured.
    pub fn read(&self, look: impl Fn(&Name) -> Option<f64>) -> Reading {
        let (left, right) = (self.left.read(&look), self.right.read(&look));
        let met = left.zip(right).is_some_and(|(left, right)| match self.relation {
            Relation::AtMost => left <= right,
            Relation::Below => left < right,
            Relation::AtLeast => left >= right,
            Relation::Above => left > right,
            Relation::Is => (left - right).abs() < 1e-9,
        });
        Reading { left, right, met }
    }

    /// The unit of what is compared: `ms`, or none.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        if self.left.is_time() || self.right.is_time() { "ms" } else { "" }
    }

    /// Whether it reads this time.
    #[must_use]
    pub fn names(&self, measure: Measure) -> bool {
        let terms = self.left.0.iter().chain(&self.right.0);
        terms.filter_map(|term| term.of.as_ref()).any(|of| match of {
            Name::Time(named, _) => *named == measure,
            Name::Number(_) => false,
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &Name) -> Option<f64> {
        match name {
            Name::Time(Measure::InputAck, Statistic::Quantile(share)) => Some(100.0 * share),
            Name::Time(Measure::Echo, Statistic::Quantile(_)) => Some(2.0),
            Name::Time(Measure::Seen, Statistic::Count) => Some(7.0),
            Name::Number("violations") => Some(0.0),
            _ => None,
        }
    }

    fn read(text: &str) -> Reading {
        text.parse::<Threshold>().unwrap().read(look)
    }

    #[test]
    fn sums_of_readings_are_compared() {
        let reading = read("input_ack.p99 <= 2.5 * echo.p99 + 100ms");
        assert_eq!((reading.left, reading.right, reading.met), (Some(99.0), Some(105.0), true));
        assert!(!read("input_ack.p99 < 2.5*echo.p99 + 0.09s").met);
        assert!(read("input_ack.p50 - 10 > 39.9").met);
        assert!(read("violations == 0").met);
        assert!(!read("violations >= 1").met);
        assert!(read(" seen.count >= 7 ").met);
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let reading = read("recovery.max <= 1m");
        assert_eq!((reading.left, reading.right, reading.met), (None, Some(60_000.0), false));
        assert!(!read("closed >= 0").met);
    }

    #[test]
    fn units_follow_what_is_read() {
        let unit = |text: &str| text.parse::<Threshold>().unwrap().unit();
        assert_eq!(unit("input_ack.p99 <= 3"), "ms");
        assert_eq!(unit("seen.count >= 3"), "");
        assert_eq!(unit("late_share < 0.01"), "");
        let threshold: Threshold = "input_ack.p99 <= 2 * echo.p99".parse().unwrap();
        assert!(threshold.names(Measure::Echo) && !threshold.names(Measure::Seen));
    }

    #[test]
    fn what_makes_no_sense_is_said_to_where_it_stops() {
        for (text, place) in [
            ("", "from its end"),
            ("input_ack.p98 <= 3ms", "`input_ack.p98 <= 3ms`"),
            ("input_ack.p99", "from its end"),
            ("input_ack.p99 <= 3ms or so", "`or so`"),
            ("ping <= 3", "`ping <= 3`"),
        ] {
            let why = text.parse::<Threshold>().unwrap_err();
            assert!(why.contains(place) && why.contains("late_share"), "{text}: {why}");
        }
    }
}
