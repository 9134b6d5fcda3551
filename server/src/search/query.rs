//! A query as a checked tree: what it means for a row, and how it is written.
//!
//! - Every value in the tree is of its attribute's type.
//! - Two-valued logic: a comparison asks about a value, so where there is none its answer is no,
//!   for `!=`, `NOT IN` and the like too. `NOT` turns an answer around, so that `q` and `NOT q`
//!   together find every session, each once.
//! - What is written parses to the same tree.

use std::cmp::Ordering;
use std::fmt;

use super::attribute::Attribute;
use super::row::Row;
use super::value::{Literal, Seen, Value};

/// A whole query: which sessions, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// `None`: all of them.
    pub filter: Option<Filter>,
    /// First to last; then by `PlayerId`.
    pub order: Vec<Sort>,
}

/// One attribute to sort by. Sessions without a value come last, in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub attribute: Attribute,
    /// The greatest value first.
    pub descending: bool,
}

/// A condition. No `And` is directly in an `And`, no `Or` in an `Or`, and each has two or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// At least one.
    Or(Vec<Filter>),
    /// The opposite.
    Not(Box<Filter>),
    /// Something about one attribute.
    Is(Predicate),
}

/// Something about one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// Which.
    pub attribute: Attribute,
    /// What of it.
    pub test: Test,
}

/// What is asked about a value. `negated` is the word NOT in `NOT IN` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `= 7`.
    Compare(Comparison, Value),
    /// `BETWEEN 1 AND 9`, both included.
    Between {
        /// At least.
        low: Value,
        /// At most.
        high: Value,
        /// Outside.
        negated: bool,
    },
    /// `IN (1, 2)`.
    In {
        /// At least one.
        values: Vec<Value>,
        /// None of them.
        negated: bool,
    },
    /// `STARTS_WITH "dungeon-"`.
    StartsWith {
        /// The beginning.
        prefix: Box<str>,
        /// Another beginning.
        negated: bool,
    },
    /// `IS NULL`.
    Null {
        /// There is a value.
        negated: bool,
    },
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

impl Comparison {
    /// As it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
        }
    }
}

impl Query {
    /// Whether a session is asked for, `now_ms` (Unix) being now.
    #[must_use]
    pub fn matches(&self, row: &Row, now_ms: u64) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(row, now_ms))
    }
}

impl Filter {
    /// Whether the condition holds for a session, `now_ms` (Unix) being now.
    #[must_use]
    pub fn matches(&self, row: &Row, now_ms: u64) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.matches(row, now_ms)),
            Self::Or(any) => any.iter().any(|one| one.matches(row, now_ms)),
            Self::Not(inner) => !inner.matches(row, now_ms),
            Self::Is(predicate) => predicate.test.holds(row.value(&predicate.attribute, now_ms)),
        }
    }

    /// All of `parts`; the part itself if there is one only, `None` if there is none.
    pub(super) fn and(parts: Vec<Self>) -> Option<Self> {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::And(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Self::And)
    }

    /// At least one of `parts`; the part itself if there is one only, `None` if there is none.
    pub(super) fn or(parts: Vec<Self>) -> Option<Self> {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Self::Or)
    }
}

fn one_or(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Option<Filter> {
    if parts.len() > 1 { Some(many(parts)) } else { parts.pop() }
}

impl Test {
    fn holds(&self, value: Option<Seen<'_>>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Null { negated: false });
        };
        match self {
            Self::Compare(how, with) => how.holds(value.cmp(&with.seen())),
            Self::Between { low, high, negated } => {
                (low.seen() <= value && value <= high.seen()) != *negated
            }
            Self::In { values, negated } => {
                values.iter().any(|one| one.seen() == value) != *negated
            }
            Self::StartsWith { prefix, negated } => {
                matches!(value, Seen::Text(text) if text.starts_with(&**prefix)) != *negated
            }
            Self::Null { negated } => *negated,
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(filter) = &self.filter {
            write!(f, "{filter}")?;
        }
        for (at, sort) in self.order.iter().enumerate() {
            f.write_str(match (at, &self.filter) {
                (0, None) => "ORDER BY ",
                (0, Some(_)) => " ORDER BY ",
                _ => ", ",
            })?;
            write!(f, "{}{}", sort.attribute.name(), if sort.descending { " DESC" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(all) => write_list(f, all, " AND "),
            Self::Or(any) => write_list(f, any, " OR "),
            Self::Not(inner) => write!(f, "NOT {}", Inner(inner)),
            Self::Is(predicate) => write!(f, "{predicate}"),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, list: &[Filter], joint: &str) -> fmt::Result {
    for (at, one) in list.iter().enumerate() {
        write!(f, "{}{}", if at == 0 { "" } else { joint }, Inner(one))?;
    }
    Ok(())
}

/// A part of a greater condition: in parentheses if it is a list.
struct Inner<'a>(&'a Filter);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Filter::And(_) | Filter::Or(_) => write!(f, "({})", self.0),
            one => write!(f, "{one}"),
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let literal = |value: &Value| Literal(self.attribute.kind(), value.seen()).to_string();
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        write!(f, "{} ", self.attribute.name())?;
        match &self.test {
            Test::Compare(how, value) => write!(f, "{} {}", how.symbol(), literal(value)),
            Test::Between { low, high, negated } => {
                write!(f, "{}BETWEEN {} AND {}", not(negated), literal(low), literal(high))
            }
            Test::In { values, negated } => {
                let values: Vec<_> = values.iter().map(literal).collect();
                write!(f, "{}IN ({})", not(negated), values.join(", "))
            }
            Test::StartsWith { prefix, negated } => {
                write!(f, "{}STARTS_WITH {}", not(negated), super::value::quote(prefix))
            }
            Test::Null { negated } => write!(f, "IS {}NULL", not(negated)),
        }
    }
}
