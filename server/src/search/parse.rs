//! The grammar: from words to a checked tree, or to the first mistake and what to write instead.
//!
//! ```text
//! query      = [or] ["ORDER" "BY" sort {"," sort}]
//! or         = and {"OR" and}
//! and        = not {"AND" not}
//! not        = "NOT" not | "(" or ")" | condition
//! condition  = attribute test
//! sort       = attribute ["ASC" | "DESC"]
//! ```
//!
//! I7: length, nesting, lists and sort keys are bounded; what is beyond is a mistake. The words
//! come from a parser built of combinators ([`super::token`]); the grammar is plain descent,
//! because most of it is about what was meant instead.

mod condition;
mod literal;

use holdfast_protocol::near::nearest;

use super::attribute::{Attribute, RESERVED, Registry};
use super::mistake::{Fault, Mistake, echo};
use super::query::{Filter, Predicate, Query, Sort};
use super::token::{Kind, Token, tokens};

/// Longest query, in bytes.
pub const QUERY_LEN_MAX: usize = 4_096;
/// Deepest nesting of parentheses and NOT.
pub const NESTING_MAX: usize = 32;
/// Most values in one IN.
pub const IN_LEN_MAX: usize = 100;
/// Most attributes to sort by.
pub const SORTS_MAX: usize = 4;

/// Reads a query. An empty one asks for every session.
///
/// # Errors
/// The first [`Mistake`] in reading order.
pub fn parse(registry: &Registry, query: &str) -> Result<Query, Mistake> {
    let too_long = |over: usize| {
        let sentence = format!("a query has at most {QUERY_LEN_MAX} bytes, this one has {over}");
        let last = (0..=QUERY_LEN_MAX).rev().find(|at| query.is_char_boundary(*at)).unwrap_or(0);
        Fault::new(last..query.len(), sentence)
    };
    if query.len() > QUERY_LEN_MAX {
        return Err(too_long(query.len()).into_mistake(query));
    }
    let tokens = tokens(query);
    let end = tokens.last().map_or(0, |last| last.span.end);
    let end = Token { kind: Kind::End, span: end..end, raw: "" };
    let mut parser = Parser { registry, query, tokens: &tokens, end, at: 0, depth: 0 };
    parser.query().map_err(|fault| fault.into_mistake(query))
}

struct Parser<'a> {
    registry: &'a Registry,
    query: &'a str,
    tokens: &'a [Token<'a>],
    end: Token<'a>,
    /// The next token.
    at: usize,
    /// Parentheses and NOTs around it.
    depth: usize,
}

impl<'a> Parser<'a> {
    fn ahead(&self, by: usize) -> &Token<'a> {
        self.tokens.get(self.at + by).unwrap_or(&self.end)
    }

    fn next(&self) -> &Token<'a> {
        self.ahead(0)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.next().clone();
        self.at += 1;
        token
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.next().is(word);
        self.at += usize::from(found);
        found
    }

    fn takes_kind(&mut self, kind: &Kind) -> bool {
        let found = self.next().kind == *kind;
        self.at += usize::from(found);
        found
    }

    /// The token before the next.
    fn last(&self) -> &Token<'a> {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).unwrap_or(&self.end)
    }

    fn column(&self, byte: usize) -> usize {
        self.query.char_indices().filter(|(at, _)| *at < byte).count() + 1
    }

    fn query(&mut self) -> Result<Query, Fault> {
        let empty = self.next().kind == Kind::End || self.next().is("ORDER");
        let filter = if empty { None } else { Some(self.or()?) };
        let order = if self.takes("ORDER") { self.order()? } else { Vec::new() };
        match self.next().kind {
            Kind::End => Ok(Query { filter, order }),
            _ if order.is_empty() => Err(self.joint()),
            _ => Err(self.after_order()),
        }
    }

    fn or(&mut self) -> Result<Filter, Fault> {
        let first = self.and()?;
        let mut all = vec![first];
        while self.takes("OR") {
            all.push(self.and()?);
        }
        Filter::or(all).ok_or_else(|| self.no_condition())
    }

    fn and(&mut self) -> Result<Filter, Fault> {
        let first = self.not()?;
        let mut all = vec![first];
        while self.takes("AND") {
            all.push(self.not()?);
        }
        Filter::and(all).ok_or_else(|| self.no_condition())
    }

    fn not(&mut self) -> Result<Filter, Fault> {
        if self.takes("NOT") {
            self.deeper()?;
            let inner = self.not()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if self.takes_kind(&Kind::Open) {
            let open = self.last().span.start;
            self.deeper()?;
            let inner = self.or()?;
            self.depth -= 1;
            return if self.takes_kind(&Kind::Close) { Ok(inner) } else { Err(self.open(open)) };
        }
        let attribute = self.subject()?;
        let test = self.test(&attribute)?;
        Ok(Filter::Is(Predicate { attribute, test }))
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth <= NESTING_MAX {
            return Ok(());
        }
        let sentence = format!("parentheses and NOT nest at most {NESTING_MAX} deep");
        Err(Fault::new(self.last().span.clone(), sentence))
    }

    /// The attribute that a condition begins with.
    fn subject(&mut self) -> Result<Attribute, Fault> {
        let found = match self.next().kind {
            Kind::Word => self.registry.find(self.next().raw).cloned(),
            _ => None,
        };
        let attribute = found.ok_or_else(|| self.no_subject())?;
        self.at += 1;
        Ok(attribute)
    }

    fn order(&mut self) -> Result<Vec<Sort>, Fault> {
        if !self.takes("BY") {
            return Err(self.missing("BY is missing after ORDER").or("BY"));
        }
        let mut order: Vec<Sort> = Vec::new();
        loop {
            let attribute = self.sorted()?;
            if order.iter().any(|sort| sort.attribute == attribute) {
                let span = self.last().span.clone();
                let sentence = format!("{} is in ORDER BY already", attribute.name());
                return Err(Fault::new(span, sentence));
            }
            if order.len() == SORTS_MAX {
                let sentence = format!("ORDER BY takes at most {SORTS_MAX} attributes");
                return Err(Fault::new(self.last().span.clone(), sentence));
            }
            let descending = self.takes("DESC");
            if !descending {
                self.takes("ASC");
            }
            order.push(Sort { attribute, descending });
            if !self.takes_kind(&Kind::Comma) {
                return Ok(order);
            }
        }
    }

    fn sorted(&mut self) -> Result<Attribute, Fault> {
        let next = self.next();
        match self.registry.find(next.raw).filter(|_| next.kind == Kind::Word).cloned() {
            Some(attribute) => {
                self.at += 1;
                Ok(attribute)
            }
            None if next.kind == Kind::Word => Err(self.unknown(next)),
            None => Err(self.missing("an attribute to sort by is missing").or("PlayerId")),
        }
    }

    // What was meant instead.

    /// Something is missing before the next token, or after the last.
    fn missing(&self, sentence: impl Into<String>) -> Fault {
        let at = self.next().span.start;
        Fault::new(at..at, sentence)
    }

    fn unknown(&self, word: &Token<'_>) -> Fault {
        let sentence = format!("there is no attribute {}", echo(word.raw));
        let near = self.registry.nearest(word.raw).map(str::to_owned);
        Fault::new(word.span.clone(), sentence).or_perhaps(near)
    }

    fn no_condition(&self) -> Fault {
        let before = match self.next().kind {
            Kind::End => "at the end".into(),
            _ => format!("before {}", echo(self.next().raw)),
        };
        self.missing(format!("a condition is missing {before}"))
    }

    /// Why a condition doesn't begin here.
    fn no_subject(&self) -> Fault {
        let next = self.next();
        let span = next.span.clone();
        let begins = "a condition begins with an attribute's name";
        match &next.kind {
            Kind::Word if next.is("WHERE") || next.is("SELECT") => {
                Fault::new(span, "a query begins with its first condition").or("")
            }
            Kind::Word if RESERVED.iter().any(|word| next.is(word)) => self.no_condition(),
            Kind::Word => self.unknown(next),
            Kind::Symbol if next.raw == "!" => Fault::new(span, "write NOT for !").or("NOT"),
            Kind::Symbol => {
                let sentence = format!("the attribute before {} is missing", echo(next.raw));
                Fault::new(span.start..span.start, sentence)
            }
            Kind::Text(name) | Kind::Curly(name) => {
                let name = self.registry.find(name).map(|a| a.name().to_owned());
                let sentence = if name.is_some() { "a name has no quotes" } else { begins };
                Fault::new(span, sentence).or_perhaps(name)
            }
            Kind::Unclosed => Fault::new(span.start..span.start + 1, begins),
            Kind::Close | Kind::End => self.no_condition(),
            Kind::Number => Fault::new(span, format!("{begins}, not with a value")),
            Kind::Open | Kind::Comma | Kind::Other => {
                Fault::new(span, format!("{begins}, not with {}", echo(next.raw)))
            }
        }
    }

    /// A parenthesis is open at the byte `open`, and the next token does not close it.
    fn open(&self, open: usize) -> Fault {
        if self.next().kind != Kind::End && !self.next().is("ORDER") {
            return self.joint();
        }
        let sentence = format!("the ( at column {} is not closed", self.column(open));
        self.missing(sentence).or(")")
    }

    /// A condition has ended, and what follows is neither AND nor OR nor an end.
    fn joint(&self) -> Fault {
        let next = self.next();
        let span = next.span.clone();
        let joins = |word: &str| {
            Fault::new(span.clone(), format!("write {word} for {}", echo(next.raw))).or(word)
        };
        match &next.kind {
            Kind::Close => Fault::new(span, "this ) closes nothing").or(""),
            Kind::Symbol if next.raw.starts_with('&') => joins("AND"),
            Kind::Symbol if next.raw.starts_with('|') => joins("OR"),
            Kind::Comma if self.begins(1) => joins("AND"),
            Kind::Comma => Fault::new(span, "a comma stands only in IN and ORDER BY").or(""),
            Kind::Open | Kind::Word if self.begins(0) => {
                let sentence = format!("AND or OR is missing before {}", echo(next.raw));
                Fault::new(span.start..span.start, sentence).or("AND")
            }
            Kind::Word if next.is("LIMIT") || next.is("GROUP") => {
                self.surplus(format!("{} is no part of a query", next.raw.to_ascii_uppercase()))
            }
            Kind::Word => match nearest(next.raw, &["and", "or", "order"]) {
                Some(word) => joins(&word.to_ascii_uppercase()),
                None => self.surplus(format!("{} is too much", echo(next.raw))),
            },
            _ => self.surplus(format!("{} is too much", echo(next.raw))),
        }
    }

    /// Whether a condition may begin so many tokens ahead.
    fn begins(&self, by: usize) -> bool {
        let token = self.ahead(by);
        token.kind == Kind::Open
            || token.is("NOT")
            || token.kind == Kind::Word && self.registry.find(token.raw).is_some()
    }

    /// The rest of the query should not be there.
    fn surplus(&self, sentence: String) -> Fault {
        let start = self.next().span.start;
        Fault::new(start..self.end.span.end, sentence).or("")
    }

    fn after_order(&self) -> Fault {
        let next = self.next();
        if next.is("AND") || next.is("OR") {
            return Fault::new(next.span.clone(), "conditions come before ORDER BY");
        }
        if next.kind == Kind::Word && self.registry.find(next.raw).is_some() {
            return self.missing(format!("a comma is missing before {}", next.raw)).or(",");
        }
        let lower = next.raw.to_ascii_lowercase();
        let direction = ["ASC", "DESC"].into_iter().find(|word| {
            let word = word.to_ascii_lowercase();
            next.kind == Kind::Word
                && (lower.starts_with(&word) || nearest(&lower, &[word.as_str()]).is_some())
        });
        match direction {
            Some(word) => {
                let sentence = format!("{} is no direction", echo(next.raw));
                Fault::new(next.span.clone(), sentence).or(word)
            }
            None => self.surplus(format!("{} is too much", echo(next.raw))),
        }
    }
}
