//! Values as they are written, checked against the attribute that they are compared with.

use super::{Fault, Kind, Parser, RESERVED, echo};
use crate::search::attribute::{Attribute, Type};
use crate::search::token::Token;
use crate::search::value::{Literal, Seen, Value, parse_duration, parse_time, quote, show_time};

/// Units as people write them.
const UNITS: [(&str, &str); 16] = [
    ("msec", "ms"),
    ("millis", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
];
/// Numbers below are taken for seconds, others for milliseconds, when a time is guessed.
const SECONDS_MAX: u64 = 100_000_000_000;

impl Parser<'_> {
    /// A value for `attribute`.
    pub(super) fn value(&mut self, attribute: &Attribute) -> Result<Value, Fault> {
        let token = self.next().clone();
        self.common(&token, attribute)?;
        let value = match attribute.kind() {
            Type::Keyword => self.text(&token),
            Type::Integer => integer(&token, attribute),
            Type::Time => self.time(&token, attribute),
            Type::Duration => self.duration(&token, attribute),
            Type::Bool => boolean(&token, attribute),
        }?;
        self.at += 1;
        Ok(value)
    }

    /// Mistakes that don't depend on the type.
    fn common(&self, token: &Token<'_>, attribute: &Attribute) -> Result<(), Fault> {
        let span = token.span.clone();
        let fault = match &token.kind {
            Kind::Text(_) => match bad_escape(token.raw) {
                Some(at) => {
                    let at = span.start + at;
                    let sentence = "a backslash in quotes is written twice";
                    Fault::new(at..at + 1, sentence).or("\\\\")
                }
                None => return Ok(()),
            },
            Kind::Word if token.is("NULL") => {
                Fault::new(span, "NULL is no value: write IS NULL or IS NOT NULL")
            }
            Kind::Word if ["TRUE", "FALSE"].iter().any(|word| token.is(word)) => return Ok(()),
            Kind::Word if RESERVED.iter().any(|word| token.is(word)) => self.no_value(attribute),
            Kind::Word if self.registry.find(token.raw).is_some() => {
                let sentence = "attributes are compared with values, not with one another";
                Fault::new(span, sentence)
                    .or_perhaps((attribute.kind() == Type::Keyword).then(|| quote(token.raw)))
            }
            Kind::Word | Kind::Number => return Ok(()),
            Kind::Unclosed => {
                let closing = token.raw.chars().next().unwrap_or('"');
                let sentence = "this quote is not closed";
                Fault::new(span, sentence).or(format!("{}{closing}", token.raw))
            }
            Kind::Curly(text) => Fault::new(span, "these quotes are not \" or '").or(quote(text)),
            Kind::Symbol => Fault::new(span, format!("{} is too much", echo(token.raw))).or(""),
            Kind::Close | Kind::End | Kind::Comma => self.no_value(attribute),
            Kind::Open | Kind::Other => {
                let sentence = format!("{} is no value", echo(token.raw));
                Fault::new(span, sentence)
            }
        };
        Err(fault)
    }

    fn no_value(&self, attribute: &Attribute) -> Fault {
        let sentence = format!("a value is missing after {}", echo(self.last().raw));
        self.missing(sentence).or(attribute.kind().example())
    }

    fn text(&self, token: &Token<'_>) -> Result<Value, Fault> {
        if let Kind::Text(text) = &token.kind {
            return Ok(text.as_str().into());
        }
        if token.kind == Kind::Number {
            let quoted = quote(token.raw);
            return Err(Fault::new(token.span.clone(), "text is in quotes").or(quoted));
        }
        // Words that belong together: `DisplayName = Sir Bob`.
        let plain = |token: &&Token<'_>| {
            token.kind == Kind::Word
                && !RESERVED.iter().any(|word| token.is(word))
                && self.registry.find(token.raw).is_none()
        };
        let words = self.tokens.iter().skip(self.at + 1).take_while(plain);
        let end = words.last().map_or(token.span.end, |last| last.span.end);
        let span = token.span.start..end;
        let whole = self.query.get(span.clone()).unwrap_or(token.raw);
        Err(Fault::new(span, "text is in quotes").or(quote(whole)))
    }

    fn time(&self, token: &Token<'_>, attribute: &Attribute) -> Result<Value, Fault> {
        let name = attribute.name();
        let inside = match &token.kind {
            Kind::Text(text) => text.as_str(),
            _ => token.raw,
        };
        let quoted = matches!(token.kind, Kind::Text(_));
        match (parse_time(inside), quoted) {
            (Some(ms), true) => return Ok(ms.into()),
            (Some(_), false) => {
                let sentence = "a time is in quotes";
                return Err(Fault::new(token.span.clone(), sentence).or(quote(inside)));
            }
            (None, _) => {}
        }
        let since = self.registry.iter().find(|a| a.since == Some(attribute.id()));
        if let (Some(since), Some(_)) = (since, parse_duration(inside)) {
            let since = since.name();
            let sentence = format!("{name} is a time; how long ago it was is {since}");
            return Err(Fault::new(token.span.clone(), sentence));
        }
        let literal = |ms| Literal(Type::Time, Seen::Integer(ms)).to_string();
        let guess = match inside.parse::<i64>() {
            Ok(number) if number.unsigned_abs() < SECONDS_MAX => literal(number * 1_000),
            Ok(ms) if parse_time(&show_time(ms)).is_some() => literal(ms),
            _ => repaired(inside).map_or(Type::Time.example().into(), |text| quote(&text)),
        };
        let sentence = format!("{name} is a time, written as in RFC 3339");
        Err(Fault::new(token.span.clone(), sentence).or(guess))
    }

    fn duration(&self, token: &Token<'_>, attribute: &Attribute) -> Result<Value, Fault> {
        let inside = match &token.kind {
            Kind::Text(text) => text.as_str(),
            _ => token.raw,
        };
        match parse_duration(inside) {
            Some(ms) if token.kind == Kind::Number => return Ok(ms.into()),
            Some(_) => {
                let sentence = "a duration has no quotes";
                return Err(Fault::new(token.span.clone(), sentence).or(inside));
            }
            None => {}
        }
        let name = attribute.name();
        let next = self.ahead(1);
        let apart = token.kind == Kind::Number && next.kind == Kind::Word;
        if let Some(text) = apart.then(|| with_unit(inside, next.raw)).flatten() {
            let sentence = "a duration is a number and its unit without a space";
            return Err(Fault::new(token.span.start..next.span.end, sentence).or(text));
        }
        let sentence = format!("{name} is a duration such as 90s, 10m, 2h or 3d");
        let digits = inside.find(|c: char| !c.is_ascii_digit()).unwrap_or(inside.len());
        let (count, unit) = inside.split_at(digits);
        let unit = if unit.is_empty() { "s" } else { unit.trim() };
        let guess = with_unit(count, unit);
        Err(Fault::new(token.span.clone(), sentence).or_perhaps(guess))
    }
}

/// `10 minutes` as `10m`.
fn with_unit(count: &str, unit: &str) -> Option<String> {
    let unit = unit.to_ascii_lowercase();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map_or(unit.as_str(), |(_, one)| one);
    let text = format!("{count}{unit}");
    parse_duration(&text).map(|_| text)
}

/// A time that lacks something, with it.
fn repaired(text: &str) -> Option<String> {
    let text = text.trim().replacen(' ', "T", 1);
    let endings = ["Z", ":00Z", "T00:00:00Z", ":00"];
    let candidates = std::iter::once(text.clone());
    let candidates = candidates.chain(endings.iter().map(|ending| format!("{text}{ending}")));
    candidates.into_iter().find(|text| parse_time(text).is_some())
}

/// Where a text with its quotes has a backslash before a character that needs none.
fn bad_escape(raw: &str) -> Option<usize> {
    let mut chars = raw.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && chars.next().is_some_and(|(_, c)| !"\\\"'nrt".contains(c)) {
            return Some(at);
        }
    }
    None
}

fn integer(token: &Token<'_>, attribute: &Attribute) -> Result<Value, Fault> {
    let name = attribute.name();
    let inside = match &token.kind {
        Kind::Text(text) => text.as_str(),
        _ => token.raw,
    };
    let fault = |sentence: String| Fault::new(token.span.clone(), sentence);
    let whole = inside.strip_prefix(['+', '-']).unwrap_or(inside);
    let digits = !whole.is_empty() && whole.chars().all(|c| c.is_ascii_digit());
    match inside.parse::<i64>() {
        Ok(number) if token.kind == Kind::Number => Ok(number.into()),
        Ok(_) => Err(fault(format!("{name} is a whole number, without quotes")).or(inside)),
        Err(_) if digits => {
            Err(fault(format!("whole numbers are at most {}", i64::MAX)).or_perhaps(None))
        }
        Err(_) => {
            let plain = inside.replace(['_', '.', '\''], "");
            let first = inside.chars().take_while(char::is_ascii_digit).collect::<String>();
            let separated = inside.contains('_') && plain.parse::<i64>().is_ok();
            let guess = match (separated, first.is_empty()) {
                (true, _) => plain,
                (false, false) => first,
                (false, true) => Type::Integer.example().into(),
            };
            Err(fault(format!("{name} is a whole number")).or(guess))
        }
    }
}

fn boolean(token: &Token<'_>, attribute: &Attribute) -> Result<Value, Fault> {
    let inside = match &token.kind {
        Kind::Text(text) => text.as_str(),
        _ => token.raw,
    };
    let flag = match inside.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    };
    match flag {
        Some(flag) if token.is("TRUE") || token.is("FALSE") => Ok(flag.into()),
        flag => {
            let sentence = format!("{} is true or false, without quotes", attribute.name());
            Err(Fault::new(token.span.clone(), sentence).or(flag.unwrap_or(true).to_string()))
        }
    }
}
