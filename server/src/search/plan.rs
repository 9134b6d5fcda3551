//! What an index can do for a query.
//!
//! - A plan never loses a row: each one that the query matches is found by [`Plan::access`] and
//!   let through by [`Plan::admits`]. What a path finds fully needs no second look; the rest of
//!   the condition is the *residual*.
//! - Of conditions joined by AND, the one that finds fewest rows is asked of the index; ranges of
//!   one attribute are one range. Conditions joined by OR are asked one by one, if all of them
//!   can be. NOT, and whatever is true of a missing value, reads every row.
//! - A time since is turned into a range of the time that it counts from.

use super::attribute::{Attribute, Registry, Type};
use super::query::{Comparison, Filter, Predicate, Query, Test};
use super::row::Row;
use super::value::{Seen, Value};

/// Most paths of one plan; where more would be needed every row is read.
pub const PATHS_MAX: usize = 128;

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// No row matches.
    Nothing,
    /// All rows are read.
    Everything,
    /// The rows of any of these. A row may be on several: it is to be looked at once.
    Union(Vec<Path>),
}

/// Rows by one stored, indexed attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Which.
    pub attribute: Attribute,
    /// Which of its values.
    pub keys: Keys,
}

/// Values of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// This text or bool.
    Equal(Value),
    /// Integers and times from `low` to `high`, both included; `i64::MIN` and `i64::MAX` are no
    /// bounds.
    Range {
        /// The smallest.
        low: i64,
        /// The greatest.
        high: i64,
    },
    /// Texts that begin so; with an empty beginning, all there are.
    Prefix(Box<str>),
}

/// What an index knows without reading rows.
pub trait Cardinality {
    /// Sessions in all.
    fn total(&self) -> u64;
    /// About how many rows a path finds, quickly rather than exactly; `None`: it can't be asked.
    fn estimate(&self, path: &Path) -> Option<u64>;
}

impl Path {
    /// Whether this path finds a row. An index that finds more, such as one that keeps integers
    /// as floats, must ask the whole query of each row, not only what a plan leaves open.
    #[must_use]
    pub fn finds(&self, row: &Row) -> bool {
        match (row.value(&self.attribute, 0), &self.keys) {
            (None, _) => false,
            (Some(value), Keys::Equal(key)) => value == key.seen(),
            (Some(Seen::Integer(n)), Keys::Range { low, high }) => (*low..=*high).contains(&n),
            (Some(Seen::Text(text)), Keys::Prefix(prefix)) => text.starts_with(&**prefix),
            _ => false,
        }
    }
}

/// How a query is answered, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    access: Access,
    residual: Option<Filter>,
    now_ms: u64,
}

impl Plan {
    /// Chooses the paths for a query, `now_ms` (Unix) being now.
    #[must_use]
    pub fn new(registry: &Registry, query: &Query, index: &dyn Cardinality, now_ms: u64) -> Self {
        let planner = Planner { registry, index, now_ms };
        let found = query.filter.as_ref().and_then(|filter| planner.find(filter));
        let (access, residual) = match found {
            Some(found) if found.paths.is_empty() => (Access::Nothing, None),
            Some(found) if found.cost < index.total() => {
                (Access::Union(found.paths), found.residual)
            }
            _ => (Access::Everything, query.filter.clone()),
        };
        Self { access, residual, now_ms }
    }

    /// What to ask the index for.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What is still to be asked of each row; `None`: nothing, so an index may count its keys.
    #[must_use]
    pub fn residual(&self) -> Option<&Filter> {
        self.residual.as_ref()
    }

    /// Whether a row that [`Plan::access`] found is asked for.
    #[must_use]
    pub fn admits(&self, row: &Row) -> bool {
        self.residual.as_ref().is_none_or(|filter| filter.matches(row, self.now_ms))
    }
}

/// A way to all rows of a condition.
struct Found {
    /// None of them: no row matches.
    paths: Vec<Path>,
    /// About how many rows they find.
    cost: u64,
    /// What of the condition they leave open.
    residual: Option<Filter>,
}

struct Planner<'a> {
    registry: &'a Registry,
    index: &'a dyn Cardinality,
    now_ms: u64,
}

impl Planner<'_> {
    fn find(&self, filter: &Filter) -> Option<Found> {
        match filter {
            Filter::Is(predicate) => self.cost(self.paths(predicate)?),
            Filter::And(all) => self.fewest(all),
            Filter::Or(any) => self.each(filter, any),
            Filter::Not(_) => None,
        }
    }

    fn cost(&self, paths: Vec<Path>) -> Option<Found> {
        if paths.len() > PATHS_MAX || paths.iter().any(|path| !path.attribute.is_indexed()) {
            return None;
        }
        let add = |sum: u64, path: &Path| Some(sum.saturating_add(self.index.estimate(path)?));
        let cost = paths.iter().try_fold(0, add)?;
        Some(Found { paths, cost, residual: None })
    }

    /// The best way to any one of `all`; the others are residual.
    fn fewest(&self, all: &[Filter]) -> Option<Found> {
        let mut best: Option<(Found, Vec<usize>)> = None;
        for at in 0..all.len() {
            let Some((found, covers)) = self.candidate(all, at) else { continue };
            let better = best.as_ref().is_none_or(|(best, _)| {
                found.paths.is_empty() || !best.paths.is_empty() && found.cost < best.cost
            });
            if better {
                best = Some((found, covers));
            }
        }
        let (mut found, covers) = best?;
        let open = all.iter().enumerate().filter(|(at, _)| !covers.contains(at));
        let open = open.map(|(_, filter)| filter.clone()).chain(found.residual);
        found.residual = Filter::and(open.collect());
        Some(found)
    }

    /// The way to the condition at `at`, together with other ranges of the same attribute; and
    /// the conditions that it answers for.
    fn candidate(&self, all: &[Filter], at: usize) -> Option<(Found, Vec<usize>)> {
        let here = all.get(at)?;
        let Some((attribute, mut range)) = self.range(here) else {
            return Some((self.find(here)?, vec![at]));
        };
        let mut covers = Vec::new();
        for (other, filter) in all.iter().enumerate() {
            let same = self.range(filter).filter(|(of, _)| *of == attribute);
            if let Some((_, also)) = same {
                range = range.and(also);
                covers.push(other);
            }
        }
        Some((self.cost(range.paths(attribute))?, covers))
    }

    /// All ways of a list of alternatives.
    fn each(&self, whole: &Filter, any: &[Filter]) -> Option<Found> {
        let mut all = Found { paths: Vec::new(), cost: 0, residual: None };
        for filter in any {
            let found = self.find(filter)?;
            all.paths.extend(found.paths);
            all.cost = all.cost.saturating_add(found.cost);
            if found.residual.is_some() {
                all.residual = Some(whole.clone());
            }
        }
        (all.paths.len() <= PATHS_MAX).then_some(all)
    }

    /// The range of stored integers that a condition stands for, if it is one range.
    fn range(&self, filter: &Filter) -> Option<(Attribute, Range)> {
        let Filter::Is(Predicate { attribute, test }) = filter else { return None };
        if matches!(attribute.kind(), Type::Keyword | Type::Bool) {
            return None;
        }
        let range = Range::of(test)?;
        match attribute.since {
            None => Some((attribute.clone(), range)),
            Some(base) => Some((self.registry.at(base)?.clone(), range.ago(self.now_ms))),
        }
    }

    /// Paths that find exactly the rows of a predicate.
    fn paths(&self, predicate: &Predicate) -> Option<Vec<Path>> {
        let Predicate { attribute, test } = predicate;
        if let Test::In { values, negated: false } = test {
            let mut values = values.clone();
            values.sort();
            values.dedup();
            let one = |value| Test::Compare(Comparison::Equal, value);
            let paths = values.into_iter().map(|value| {
                self.paths(&Predicate { attribute: attribute.clone(), test: one(value) })
            });
            return Some(paths.collect::<Option<Vec<_>>>()?.concat());
        }
        if let Some((attribute, range)) = self.range(&Filter::Is(predicate.clone())) {
            return Some(range.paths(attribute));
        }
        let path = |keys| Path { attribute: attribute.clone(), keys };
        match test {
            Test::Compare(Comparison::Equal, value)
                if matches!(attribute.kind(), Type::Keyword | Type::Bool) =>
            {
                Some(vec![path(Keys::Equal(value.clone()))])
            }
            Test::StartsWith { prefix, negated: false } => {
                Some(vec![path(Keys::Prefix(prefix.clone()))])
            }
            Test::Null { negated: true } if attribute.kind() == Type::Keyword => {
                Some(vec![path(Keys::Prefix("".into()))])
            }
            Test::Null { negated: true } if attribute.kind() == Type::Bool => {
                let both = [false, true].map(|flag| path(Keys::Equal(Value::Bool(flag))));
                Some(both.into())
            }
            _ => None,
        }
    }
}

/// Integers from `low` to `high`; none if `high` is below `low`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    low: i64,
    high: i64,
}

const NONE: Range = Range { low: 1, high: 0 };
const ALL: Range = Range { low: i64::MIN, high: i64::MAX };

impl Range {
    /// The integers that pass a test, if they are one range without a missing value.
    fn of(test: &Test) -> Option<Self> {
        match test {
            Test::Compare(how, Value::Integer(n)) => Self::compared(*how, *n),
            Test::Between {
                low: Value::Integer(low),
                high: Value::Integer(high),
                negated: false,
            } => Some(Self { low: *low, high: *high }),
            Test::Null { negated: true } => Some(ALL),
            _ => None,
        }
    }

    fn compared(how: Comparison, n: i64) -> Option<Self> {
        Some(match how {
            Comparison::Equal => Self { low: n, high: n },
            Comparison::NotEqual => return None,
            Comparison::Greater => n.checked_add(1).map_or(NONE, |low| Self { low, ..ALL }),
            Comparison::GreaterEqual => Self { low: n, ..ALL },
            Comparison::Less => n.checked_sub(1).map_or(NONE, |high| Self { high, ..ALL }),
            Comparison::LessEqual => Self { high: n, ..ALL },
        })
    }

    fn and(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// The moments that are so long ago: a time since is `max(0, now - moment)`.
    fn ago(self, now_ms: u64) -> Self {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        if self.high < 0 || self.high < self.low {
            return NONE;
        }
        let low = if self.high == i64::MAX { i64::MIN } else { now_ms - self.high };
        let high = if self.low <= 0 { i64::MAX } else { now_ms - self.low };
        Self { low, high }
    }

    fn paths(self, attribute: Attribute) -> Vec<Path> {
        let Self { low, high } = self;
        let path = Path { attribute, keys: Keys::Range { low, high } };
        if high < low { Vec::new() } else { vec![path] }
    }
}
