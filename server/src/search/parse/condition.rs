//! What follows an attribute: an operator and its values.

use holdfast_protocol::near::nearest;

use super::{Fault, IN_LEN_MAX, Kind, Parser, echo};
use crate::search::attribute::{Attribute, Type};
use crate::search::query::{Comparison, Test};
use crate::search::token::Token;
use crate::search::value::{Literal, Value};

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Greater,
    Comparison::GreaterEqual,
    Comparison::Less,
    Comparison::LessEqual,
];
const OPERATORS: &str = "=, !=, >, >=, <, <=, BETWEEN, IN, STARTS_WITH and IS";

/// What other languages write, and what it is here.
const SYMBOLS: [(&str, &str); 10] = [
    ("==", "="),
    ("===", "="),
    ("<>", "!="),
    ("=!", "!="),
    ("!==", "!="),
    ("!", "!="),
    ("=>", ">="),
    (">>", ">"),
    ("=<", "<="),
    ("<<", "<"),
];
const WORDS: [(&str, &str); 6] = [
    ("LIKE", "STARTS_WITH"),
    ("STARTSWITH", "STARTS_WITH"),
    ("BEGINS_WITH", "STARTS_WITH"),
    ("EQUALS", "="),
    ("EQ", "="),
    ("NE", "!="),
];

fn meant(table: &[(&str, &'static str)], raw: &str) -> Option<&'static str> {
    table.iter().find(|(other, _)| other.eq_ignore_ascii_case(raw)).map(|(_, here)| *here)
}

impl Parser<'_> {
    pub(super) fn test(&mut self, attribute: &Attribute) -> Result<Test, Fault> {
        if self.next().kind == Kind::Symbol {
            return self.comparison(attribute);
        }
        if self.takes("IS") {
            return self.null();
        }
        let negated = self.takes("NOT");
        if self.takes("IN") {
            return Ok(Test::In { values: self.list(attribute)?, negated });
        }
        if self.takes("BETWEEN") {
            return self.between(attribute, negated);
        }
        if self.takes("STARTS_WITH") {
            return self.prefix(attribute, negated);
        }
        Err(if negated { self.after_not() } else { self.no_operator(attribute) })
    }

    fn comparison(&mut self, attribute: &Attribute) -> Result<Test, Fault> {
        let token = self.take();
        let Some(how) = COMPARISONS.into_iter().find(|how| how.symbol() == token.raw) else {
            let sentence = format!("{} is no operator", echo(token.raw));
            let near = meant(&SYMBOLS, token.raw).map(str::to_owned);
            return Err(Fault::new(token.span, sentence).or_perhaps(near));
        };
        let whole = matches!(how, Comparison::Equal | Comparison::NotEqual);
        if attribute.kind() == Type::Bool && !whole {
            let sentence = format!("{} is true or false: it takes = and !=", attribute.name());
            return Err(Fault::new(token.span, sentence).or("="));
        }
        let not = if how == Comparison::NotEqual { "NOT " } else { "" };
        if self.next().is("NULL") && whole {
            let sentence =
                format!("nothing is {} NULL; a missing value is asked for by IS", token.raw);
            let span = token.span.start..self.next().span.end;
            return Err(Fault::new(span, sentence).or(format!("IS {not}NULL")));
        }
        if self.next().kind == Kind::Open && whole {
            let sentence = format!("{} takes one value, IN takes a list", token.raw);
            return Err(Fault::new(token.span, sentence).or(format!("{not}IN")));
        }
        Ok(Test::Compare(how, self.value(attribute)?))
    }

    fn null(&mut self) -> Result<Test, Fault> {
        let is = self.last().span.clone();
        let negated = self.takes("NOT");
        if self.takes("NULL") {
            return Ok(Test::Null { negated });
        }
        let next = self.next();
        match &next.kind {
            Kind::Word if !self.ends() && !next.is("TRUE") && !next.is("FALSE") => {
                let sentence = format!("IS asks for NULL or NOT NULL, not for {}", echo(next.raw));
                Err(Fault::new(next.span.clone(), sentence).or("NULL"))
            }
            Kind::Word | Kind::Number | Kind::Text(_) if !self.ends() => {
                let symbol = if negated { "!=" } else { "=" };
                let sentence = format!("IS asks for NULL or NOT NULL; values take {symbol}");
                Err(Fault::new(is.start..self.last().span.end, sentence).or(symbol))
            }
            _ => Err(self.missing("NULL is missing after IS").or("NULL")),
        }
    }

    /// Whether a condition can't go on with the next token.
    fn ends(&self) -> bool {
        let next = self.next();
        matches!(next.kind, Kind::End | Kind::Close)
            || ["AND", "OR", "ORDER"].iter().any(|word| next.is(word))
    }

    fn between(&mut self, attribute: &Attribute, negated: bool) -> Result<Test, Fault> {
        if attribute.kind() == Type::Bool {
            return Err(self.no_range(attribute));
        }
        let start = self.next().span.start;
        let low = self.value(attribute)?;
        if !self.takes("AND") {
            let sentence = "BETWEEN takes two values with AND between them";
            let next = self.next();
            let instead = next.kind == Kind::Comma || next.is("TO") || next.is("OR");
            return Err(if instead {
                Fault::new(next.span.clone(), sentence).or("AND")
            } else {
                self.missing(sentence).or("AND")
            });
        }
        let high = self.value(attribute)?;
        if high < low {
            let span = start..self.last().span.end;
            let literal = |value: &Value| Literal(attribute.kind(), value.seen()).to_string();
            let swapped = format!("{} AND {}", literal(&high), literal(&low));
            let sentence = "nothing is between these: the smaller value comes first";
            return Err(Fault::new(span, sentence).or(swapped));
        }
        Ok(Test::Between { low, high, negated })
    }

    fn no_range(&self, attribute: &Attribute) -> Fault {
        let sentence = format!("{} is true or false: it takes = and !=", attribute.name());
        Fault::new(self.last().span.clone(), sentence)
    }

    fn prefix(&mut self, attribute: &Attribute, negated: bool) -> Result<Test, Fault> {
        if attribute.kind() != Type::Keyword {
            let (name, noun) = (attribute.name(), attribute.kind().noun());
            let sentence = format!("{name} is {noun}: STARTS_WITH is for text");
            return Err(Fault::new(self.last().span.clone(), sentence).or("="));
        }
        match self.value(attribute)? {
            Value::Text(prefix) => Ok(Test::StartsWith { prefix, negated }),
            _ => Err(self.missing("a text is missing")),
        }
    }

    fn list(&mut self, attribute: &Attribute) -> Result<Vec<Value>, Fault> {
        let example = attribute.kind().example();
        if !self.takes_kind(&Kind::Open) {
            let sentence = "the values of IN are in parentheses";
            let next = self.next();
            let alone = matches!(next.kind, Kind::Text(_) | Kind::Number | Kind::Word);
            return Err(if alone && !self.ends() && self.ahead(1).kind != Kind::Comma {
                Fault::new(next.span.clone(), sentence).or(format!("({})", next.raw))
            } else {
                self.missing(sentence).or_perhaps(self.ends().then(|| format!("({example})")))
            });
        }
        let open = self.last().span.start;
        if self.next().kind == Kind::Close {
            return Err(self.missing("IN takes at least one value").or(example));
        }
        let mut values = Vec::new();
        loop {
            if values.len() == IN_LEN_MAX {
                let sentence = format!("IN takes at most {IN_LEN_MAX} values");
                return Err(Fault::new(self.next().span.clone(), sentence));
            }
            values.push(self.value(attribute)?);
            match self.next().kind {
                Kind::Comma if self.ahead(1).kind == Kind::Close => {
                    let comma = self.next().span.clone();
                    return Err(Fault::new(comma, "a value is missing after the comma").or(""));
                }
                Kind::Comma => self.at += 1,
                Kind::Close => break,
                Kind::Text(_) | Kind::Number => {
                    return Err(self.missing("a comma is missing between the values").or(","));
                }
                _ => {
                    let at = self.column(open);
                    let sentence = format!("the ( at column {at} is not closed");
                    return Err(self.missing(sentence).or(")"));
                }
            }
        }
        self.at += 1;
        Ok(values)
    }

    fn after_not(&self) -> Fault {
        let (not, next) = (self.last(), self.next());
        let both = not.span.start..next.span.end;
        match (&next.kind, next.raw) {
            (Kind::Symbol, "=" | "==") => Fault::new(both, "write != for NOT =").or("!="),
            (Kind::Word, _) if next.is("NULL") => {
                Fault::new(not.span.start..not.span.start, "IS is missing before NOT NULL").or("IS")
            }
            _ => Fault::new(
                not.span.clone(),
                "NOT stands before a condition, or before IN, BETWEEN, STARTS_WITH",
            ),
        }
    }

    /// Why no operator follows the attribute.
    fn no_operator(&self, attribute: &Attribute) -> Fault {
        let next = self.next();
        let missing = format!("an operator is missing after {}", attribute.name());
        if self.ends() {
            let sentence = format!("{} needs an operator and a value", attribute.name());
            let complete = if attribute.kind() == Type::Bool { "= true" } else { "IS NOT NULL" };
            return self.missing(sentence).or(complete);
        }
        match &next.kind {
            Kind::Text(_) | Kind::Number | Kind::Unclosed => self.missing(missing).or("="),
            Kind::Word if next.is("TRUE") || next.is("FALSE") => self.missing(missing).or("="),
            Kind::Word if next.is("NULL") => self.missing(missing).or("IS"),
            Kind::Word => self.other_word(next),
            _ => {
                let sentence = format!("{} is no operator: there are {OPERATORS}", echo(next.raw));
                Fault::new(next.span.clone(), sentence)
            }
        }
    }

    fn other_word(&self, next: &Token<'_>) -> Fault {
        let known = ["between", "in", "starts_with", "is"];
        let two = next.is("STARTS") && self.ahead(1).is("WITH");
        let end = if two { self.ahead(1).span.end } else { next.span.end };
        let here = if two { Some("STARTS_WITH") } else { meant(&WORDS, next.raw) };
        let near = || nearest(next.raw, &known).map(str::to_ascii_uppercase);
        let here = here.map(str::to_owned).or_else(near);
        let sentence = format!("{} is no operator: there are {OPERATORS}", echo(next.raw));
        Fault::new(next.span.start..end, sentence).or_perhaps(here)
    }
}
