//! Random queries and rows: what is written reads back, a plan loses no row, nothing panics.

use proptest::prelude::*;

use super::plans::Index;
use super::{NOW_MS, registry, row};
use crate::search::query::{Comparison, Filter, Predicate, Query, Sort, Test};
use crate::search::{Access, Attribute, Cardinality, Path, Plan, Row, Type, Value, parse};

/// Few values, so that rows and queries meet; and the extremes.
fn value(kind: Type) -> BoxedStrategy<Value> {
    let now = NOW_MS as i64;
    match kind {
        Type::Keyword => prop::sample::select(vec!["", "a", "ab", "b", "\"\\\n\t'", "ü ("])
            .prop_map(Value::from)
            .boxed(),
        Type::Integer => {
            prop_oneof![-2_i64..4, Just(i64::MIN), Just(i64::MAX)].prop_map(Value::from).boxed()
        }
        Type::Time => (-3_i64..4).prop_map(move |ms| (now + ms).into()).boxed(),
        Type::Duration => prop_oneof![0_i64..4, Just(i64::MAX), Just(now - 1), Just(now + 1)]
            .prop_map(Value::from)
            .boxed(),
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
    }
}

fn stored_value(kind: Type) -> BoxedStrategy<Value> {
    match kind {
        Type::Time => {
            prop_oneof![4 => value(kind), 1 => any::<i64>().prop_map(Value::from)].boxed()
        }
        kind => value(kind),
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let stored: Vec<Attribute> =
        registry().iter().filter(|a| !a.is_computed() && a.id() > 0).cloned().collect();
    let values: Vec<_> = stored
        .iter()
        .map(|a| {
            let name = a.name().to_owned();
            prop::option::of(stored_value(a.kind()).prop_map(move |v| (name.clone(), v)))
        })
        .collect();
    prop::collection::vec(values, 0..12).prop_map(|rows| {
        let one = |(at, values): (usize, Vec<Option<(String, Value)>>)| {
            let values: Vec<_> = values.into_iter().flatten().collect();
            let values: Vec<_> = values.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
            row(&format!("p{at}"), &values)
        };
        rows.into_iter().enumerate().map(one).collect()
    })
}

fn comparison(kind: Type) -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    let all = vec![Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual];
    prop::sample::select(if kind == Type::Bool { vec![Equal, NotEqual] } else { all })
}

fn test(kind: Type) -> BoxedStrategy<Test> {
    let negated = any::<bool>();
    let list = (prop::collection::vec(value(kind), 1..4), negated)
        .prop_map(|(values, negated)| Test::In { values, negated });
    let null = negated.prop_map(|negated| Test::Null { negated });
    let compare = (comparison(kind), value(kind)).prop_map(|(how, v)| Test::Compare(how, v));
    let between = (value(kind), value(kind), negated).prop_map(|(one, two, negated)| {
        let (low, high) = if one <= two { (one, two) } else { (two, one) };
        Test::Between { low, high, negated }
    });
    let prefix = (value(kind), negated).prop_map(|(value, negated)| match value {
        Value::Text(prefix) => Test::StartsWith { prefix, negated },
        _ => Test::Null { negated },
    });
    match kind {
        Type::Bool => prop_oneof![4 => compare, 1 => list, 1 => null].boxed(),
        _ => prop_oneof![4 => compare, 1 => between, 1 => list, 1 => prefix, 1 => null].boxed(),
    }
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let all: Vec<Attribute> = registry().iter().cloned().collect();
    prop::sample::select(all).prop_flat_map(|attribute| {
        test(attribute.kind())
            .prop_map(move |test| Predicate { attribute: attribute.clone(), test })
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    predicate().prop_map(Filter::Is).prop_recursive(4, 12, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            list.clone().prop_map(|all| Filter::and(all).unwrap()),
            list.prop_map(|any| Filter::or(any).unwrap()),
            inner.prop_map(|one| Filter::Not(Box::new(one))),
        ]
    })
}

fn query() -> impl Strategy<Value = Query> {
    let all: Vec<Attribute> = registry().iter().cloned().collect();
    let order = prop::sample::subsequence(all, 0..=4).prop_flat_map(|attributes| {
        let len = attributes.len();
        prop::collection::vec(any::<bool>(), len).prop_map(move |directions| {
            let sorts = attributes.iter().cloned().zip(directions);
            sorts.map(|(attribute, descending)| Sort { attribute, descending }).collect()
        })
    });
    (prop::option::weighted(0.9, filter()), order)
        .prop_map(|(filter, order)| Query { filter, order })
}

/// An index that guesses at random, and lacks some attributes.
struct Guesses<'a>(&'a Index, u64);

impl Cardinality for Guesses<'_> {
    fn total(&self) -> u64 {
        100
    }

    fn estimate(&self, path: &Path) -> Option<u64> {
        let chance = (u64::from(path.attribute.id()) + 1).wrapping_mul(self.1) >> 7;
        (!chance.is_multiple_of(5)).then(|| chance % 90 + self.0.estimate(path).unwrap_or(0))
    }
}

/// The rows that a plan finds: by its paths, and by what is left to ask.
fn by_plan<'a>(plan: &Plan, rows: &'a [Row]) -> Vec<&'a Row> {
    let reached = |row: &&Row| match plan.access() {
        Access::Nothing => false,
        Access::Everything => true,
        Access::Union(paths) => paths.iter().any(|path| path.finds(row)),
    };
    rows.iter().filter(reached).filter(|row| plan.admits(row)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_reads_back(query in query()) {
        let text = query.to_string();
        let read = parse(&registry(), &text);
        prop_assert_eq!(read.as_ref().map_err(|mistake| mistake.render(&text)), Ok(&query));
    }

    #[test]
    fn a_plan_loses_no_row(query in query(), rows in rows(), chance: u64) {
        let registry = registry();
        let asked: Vec<_> = rows.iter().filter(|row| query.matches(row, NOW_MS)).collect();
        let index = Index(rows.clone());
        let exact = Plan::new(&registry, &query, &index, NOW_MS);
        prop_assert_eq!(by_plan(&exact, &rows), asked.clone(), "{} {:?}", query, exact);
        let guessed = Plan::new(&registry, &query, &Guesses(&index, chance), NOW_MS);
        prop_assert_eq!(by_plan(&guessed, &rows), asked, "{} {:?}", query, guessed);
    }

    #[test]
    fn a_stored_row_reads_back(rows in rows()) {
        let registry = registry();
        for row in rows {
            prop_assert_eq!(Row::decode(&registry, &row.encode(&registry)), Ok(row));
        }
    }

    #[test]
    fn no_bytes_break_the_rows(bytes: Vec<u8>) {
        let _ = Row::decode(&registry(), &bytes);
        let _ = Row::decode(&registry(), &[&[1], bytes.as_slice()].concat());
    }

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,80}") {
        check(&text)?;
    }

    #[test]
    fn no_words_break_the_parser(words in words()) {
        check(&words)?;
    }

    #[test]
    fn a_damaged_query_is_told_where(query in query(), at: prop::sample::Index, new in ".{0,2}") {
        let mut text: Vec<char> = query.to_string().chars().collect();
        if !text.is_empty() {
            let at = at.index(text.len());
            text.splice(at..=at, new.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }
}

/// Words of the language in any order.
fn words() -> impl Strategy<Value = String> {
    let words = [
        "Score",
        "Guild",
        "IdleTime",
        "StartTime",
        "Banned",
        "Scroe",
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        "=",
        "!=",
        ">=",
        "==",
        "&&",
        "<",
        "BETWEEN",
        "IN",
        "STARTS_WITH",
        "IS",
        "NULL",
        "ORDER",
        "BY",
        "ASC",
        "DESC",
        "1",
        "-7",
        "10m",
        "1.5",
        "'a'",
        "\"b",
        "'c\\'",
        ",",
        ";",
        "word",
        "“x”",
        "“",
        "true",
        "\\",
        "ü",
        "99999999999999999999",
        "\u{0}",
        "\"2026-11-22\"",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..12)
        .prop_map(|words| words.join(" "))
}

/// A query reads back as it is written; a mistake is within the text, and its advice too.
fn check(text: &str) -> Result<(), TestCaseError> {
    match parse(&registry(), text) {
        Ok(query) => {
            let shown = query.to_string();
            prop_assert_eq!(parse(&registry(), &shown), Ok(query), "{}", shown);
        }
        Err(mistake) => {
            let len = text.chars().count();
            prop_assert!(mistake.column >= 1, "{text}");
            prop_assert!(mistake.column + mistake.length <= len + 1, "{text}: {mistake:?}");
            prop_assert!(!mistake.render(text).is_empty() && !mistake.to_string().is_empty());
            prop_assert_eq!(mistake.corrected(text).is_some(), mistake.suggestion.is_some());
        }
    }
    Ok(())
}
