//! The fault language: one fault a line, such as `delay 50ms jitter 10ms` or `cut 10%`. Pure.
//!
//! What a [`Fault`] shows is a line that reads back to the same fault.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::rules::Way;
use crate::span;

/// The word that takes a cap off.
const OFF: &str = "off";

/// What a proxy is told to do to its connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Everything arrives later, each way; zero takes the delay off.
    Delay {
        /// How much later.
        delay: Duration,
        /// How far from that, either way, drawn anew for each piece that is read.
        jitter: Duration,
    },
    /// Nothing moves for a span.
    Stall {
        /// In which direction.
        way: Way,
        /// For how long.
        span: Duration,
    },
    /// Open connections are reset.
    Cut {
        /// How many of them, from 0 to 100, rounded up to a whole connection.
        percent: f64,
    },
    /// Open connections fall silent for good, and neither side is told.
    HalfOpen {
        /// After which span they are reset; `None` leaves them open.
        span: Option<Duration>,
    },
    /// The target's bytes are read slowly.
    Slow {
        /// At most so many of each connection; 0 reads nothing, `None` takes the cap off.
        bytes_per_s: Option<u32>,
    },
    /// New connections are reset for a span.
    Refuse {
        /// For how long.
        span: Duration,
    },
    /// Ends all of the above, except that connections that are silent stay so.
    Clear,
}

/// Why a line is no fault. Whoever wrote it is told the sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first word names no fault.
    #[error("`{0}` is no fault; write one of {names}", names = names())]
    Unknown(String),
    /// The other words are not what this fault takes.
    #[error("`{line}` can't be read; write {form}")]
    Form {
        /// As it was written.
        line: String,
        /// As it has to be written.
        form: &'static str,
    },
    /// A span can't be read; [`span::parse`]'s sentence.
    #[error("{0}")]
    Span(String),
    /// The jitter is more than the delay.
    #[error(
        "a jitter of {jitter} is more than the delay of {delay}; write as much as the delay at most"
    )]
    Jitter {
        /// As shown by [`span::show`].
        delay: String,
        /// As shown by [`span::show`].
        jitter: String,
    },
}

/// One fault for people: its name, how it is written, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The first word.
    pub name: &'static str,
    /// The whole line, optional parts in brackets.
    pub form: &'static str,
    /// What it does.
    pub means: &'static str,
}

/// Every fault that can be written.
pub const FORMS: [Form; 7] = [
    Form {
        name: "delay",
        form: "delay SPAN [jitter SPAN], such as delay 50ms jitter 10ms",
        means: "everything arrives later, each way, give or take the jitter; delay 0s takes it off",
    },
    Form {
        name: "stall",
        form: "stall [up|down|both] SPAN, such as stall 2s",
        means: "nothing moves for a span (up: to the target), then everything goes on",
    },
    Form {
        name: "cut",
        form: "cut [PERCENT%], such as cut 10%",
        means: "open connections, or that share of them, are reset; new ones are let in",
    },
    Form {
        name: "half-open",
        form: "half-open [SPAN], such as half-open 5s",
        means: "open connections fall silent for good, untold; after the span they are reset",
    },
    Form {
        name: "slow",
        form: "slow BYTES_PER_S or slow off, such as slow 4096",
        means: "the target's bytes are read no faster, on each connection; slow 0 reads nothing",
    },
    Form {
        name: "refuse",
        form: "refuse SPAN, such as refuse 1s",
        means: "new connections are reset for a span",
    },
    Form {
        name: "clear",
        form: "clear",
        means: "ends all of that; silent connections stay silent",
    },
];

fn names() -> String {
    FORMS.map(|form| form.name).join(", ")
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["delay", delay] => read_delay(delay, "0s")?,
            ["delay", delay, "jitter", jitter] => read_delay(delay, jitter)?,
            ["stall", span] => Self::Stall { way: Way::Both, span: read_span(span)? },
            ["stall", way, span] => {
                let way = Way::from_name(way).ok_or_else(|| no_form(line, "stall"))?;
                Self::Stall { way, span: read_span(span)? }
            }
            ["cut"] => Self::Cut { percent: 100.0 },
            ["cut", share] => {
                Self::Cut { percent: percent(share).ok_or_else(|| no_form(line, "cut"))? }
            }
            ["half-open"] => Self::HalfOpen { span: None },
            ["half-open", span] => Self::HalfOpen { span: Some(read_span(span)?) },
            ["slow", OFF] => Self::Slow { bytes_per_s: None },
            ["slow", bytes] => {
                let bytes = bytes.parse().map_err(|_| no_form(line, "slow"))?;
                Self::Slow { bytes_per_s: Some(bytes) }
            }
            ["refuse", span] => Self::Refuse { span: read_span(span)? },
            ["clear"] => Self::Clear,
            [name, ..] => return Err(no_form(line, name)),
            [] => return Err(no_form(line, "")),
        })
    }
}

impl Fault {
    /// A delay with a jitter that it can have.
    ///
    /// # Errors
    /// [`Error::Jitter`].
    pub fn delay(delay: Duration, jitter: Duration) -> Result<Self, Error> {
        if jitter > delay {
            return Err(Error::Jitter { delay: span::show(delay), jitter: span::show(jitter) });
        }
        Ok(Self::Delay { delay, jitter })
    }
}

fn read_delay(delay: &str, jitter: &str) -> Result<Fault, Error> {
    Fault::delay(read_span(delay)?, read_span(jitter)?)
}

fn read_span(text: &str) -> Result<Duration, Error> {
    span::parse(text).map_err(Error::Span)
}

fn percent(text: &str) -> Option<f64> {
    let percent = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent)
}

fn no_form(line: &str, name: &str) -> Error {
    match FORMS.into_iter().find(|form| form.name == name) {
        Some(Form { form, .. }) => Error::Form { line: line.trim().to_owned(), form },
        None => Error::Unknown(name.to_owned()),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = span::show;
        match *self {
            Self::Delay { delay, jitter: Duration::ZERO } => write!(f, "delay {}", show(delay)),
            Self::Delay { delay, jitter } => {
                write!(f, "delay {} jitter {}", show(delay), show(jitter))
            }
            Self::Stall { way: Way::Both, span } => write!(f, "stall {}", show(span)),
            Self::Stall { way, span } => write!(f, "stall {} {}", way.name(), show(span)),
            Self::Cut { percent: 100.0 } => f.write_str("cut"),
            Self::Cut { percent } => write!(f, "cut {percent}%"),
            Self::HalfOpen { span: None } => f.write_str("half-open"),
            Self::HalfOpen { span: Some(span) } => write!(f, "half-open {}", show(span)),
            Self::Slow { bytes_per_s: None } => write!(f, "slow {OFF}"),
            Self::Slow { bytes_per_s: Some(bytes) } => write!(f, "slow {bytes}"),
            Self::Refuse { span } => write!(f, "refuse {}", show(span)),
            Self::Clear => f.write_str("clear"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Fault {
        line.parse().unwrap()
    }

    fn why(line: &str) -> String {
        line.parse::<Fault>().unwrap_err().to_string()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_fault_is_read() {
        let (delay, jitter) = (Duration::from_millis(50), Duration::from_millis(10));
        assert_eq!(read("delay 50ms jitter 10ms"), Fault::Delay { delay, jitter });
        assert_eq!(read("delay 50ms"), Fault::Delay { delay, jitter: Duration::ZERO });
        assert_eq!(read("stall 1s"), Fault::Stall { way: Way::Both, span: SECOND });
        assert_eq!(read("stall down 1s"), Fault::Stall { way: Way::Down, span: SECOND });
        assert_eq!(read("cut"), Fault::Cut { percent: 100.0 });
        assert_eq!(read("cut 12.5%"), Fault::Cut { percent: 12.5 });
        assert_eq!(read("half-open"), Fault::HalfOpen { span: None });
        assert_eq!(read("half-open 1s"), Fault::HalfOpen { span: Some(SECOND) });
        assert_eq!(read("slow 4096"), Fault::Slow { bytes_per_s: Some(4_096) });
        assert_eq!(read("slow off"), Fault::Slow { bytes_per_s: None });
        assert_eq!(read(" refuse  1s "), Fault::Refuse { span: SECOND });
        assert_eq!(read("clear"), Fault::Clear);
    }

    #[test]
    fn a_fault_shows_as_it_is_written() {
        let lines = [
            "delay 50ms jitter 10ms",
            "delay 0s",
            "stall 2s",
            "stall up 300ms",
            "stall down 1.5s",
            "cut",
            "cut 10%",
            "half-open",
            "half-open 5s",
            "slow 0",
            "slow off",
            "refuse 1m",
            "clear",
        ];
        for line in lines {
            assert_eq!(read(line).to_string(), line);
        }
    }

    #[test]
    fn an_unknown_fault_is_told_all_that_there_are() {
        for line in ["", "explode", "CUT", "delay50ms"] {
            let why = why(line);
            assert!(FORMS.iter().all(|form| why.contains(form.name)), "{line}: {why}");
        }
    }

    #[test]
    fn a_fault_with_other_words_is_told_its_form() {
        let lines = ["delay", "delay 1s 2s", "delay 1s jitter", "stall", "stall left 1s", "cut 10"];
        let more = ["cut 101%", "cut -1%", "cut NaN%", "slow", "slow -5", "refuse", "clear all"];
        for line in lines.into_iter().chain(more) {
            let name = line.split(' ').next().unwrap();
            let why = why(line);
            assert!(why.contains(&format!("can't be read; write {name}")), "{line}: {why}");
        }
    }

    #[test]
    fn a_wrong_span_is_told_what_a_span_is() {
        for line in ["delay 50", "stall up long", "half-open 5 s", "refuse never"] {
            assert!(why(line).contains("300ms") || why(line).contains("can't be read"), "{line}");
        }
    }

    #[test]
    fn a_jitter_is_no_more_than_its_delay() {
        assert!(why("delay 10ms jitter 11ms").contains("more than the delay of 10ms"));
        assert_eq!(read("delay 10ms jitter 10ms").to_string(), "delay 10ms jitter 10ms");
    }

    #[test]
    fn every_form_begins_with_its_name() {
        assert!(FORMS.iter().all(|form| form.form.starts_with(form.name)));
    }
}
