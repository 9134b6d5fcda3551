//! What the index is asked for, and that no row is lost by it.

use super::{NOW_MS, query, registry, row};
use crate::search::plan::PATHS_MAX;
use crate::search::{Access, Cardinality, Keys, Path, Plan, Row};

/// An index over rows that counts exactly.
pub(super) struct Index(pub(super) Vec<Row>);

impl Cardinality for Index {
    fn total(&self) -> u64 {
        self.0.len() as u64
    }

    fn estimate(&self, path: &Path) -> Option<u64> {
        Some(self.0.iter().filter(|row| path.finds(row)).count() as u64)
    }
}

/// An index that estimates by the attribute's name.
struct Sizes;

impl Cardinality for Sizes {
    fn total(&self) -> u64 {
        1_000
    }

    fn estimate(&self, path: &Path) -> Option<u64> {
        match path.attribute.name() {
            "PlayerId" | "Steps" => Some(1),
            "CurrentRoom" => Some(20),
            "PlayerLevel" | "Banned" => Some(100),
            "PlayerStatus" | "LastCommandTime" | "StartTime" => Some(500),
            "Gold" => Some(1_000),
            _ => None,
        }
    }
}

fn shown(keys: &Keys) -> String {
    match keys {
        Keys::Equal(value) => format!("= {value:?}"),
        Keys::Range { low, high } => {
            let bound = |n: &i64| match *n {
                i64::MIN | i64::MAX => String::new(),
                // Relative to now, where it is a time.
                n if n > 1 << 40 => format!("now{:+}", n - NOW_MS as i64),
                n => n.to_string(),
            };
            format!("{}..{}", bound(low), bound(high))
        }
        Keys::Prefix(prefix) => format!("{prefix}*"),
    }
}

fn plan(text: &str) -> String {
    let plan = Plan::new(&registry(), &query(text), &Sizes, NOW_MS);
    let access = match plan.access() {
        Access::Nothing => "nothing".into(),
        Access::Everything => "everything".into(),
        Access::Union(paths) => {
            let one = |path: &Path| format!("{} {}", path.attribute.name(), shown(&path.keys));
            paths.iter().map(one).collect::<Vec<_>>().join(" | ")
        }
    };
    let residual = plan.residual().map(|filter| format!(" if {filter}")).unwrap_or_default();
    access + &residual
}

/// What is asked, and how it is answered.
const TABLE: &[(&str, &str)] = &[
    ("", "everything"),
    ("PlayerId = 'bob'", "PlayerId = Text(\"bob\")"),
    ("PlayerLevel >= 10", "PlayerLevel 10.."),
    ("PlayerLevel > 10", "PlayerLevel 11.."),
    ("PlayerLevel < 10", "PlayerLevel ..9"),
    ("PlayerLevel = 10", "PlayerLevel 10..10"),
    ("PlayerLevel BETWEEN 1 AND 3", "PlayerLevel 1..3"),
    ("PlayerLevel IN (3, 1, 3)", "PlayerLevel 1..1 | PlayerLevel 3..3"),
    ("PlayerLevel IS NOT NULL", "PlayerLevel .."),
    ("CurrentRoom STARTS_WITH 'd'", "CurrentRoom d*"),
    ("CurrentRoom IS NOT NULL", "CurrentRoom *"),
    ("Banned IS NOT NULL", "Banned = Bool(false) | Banned = Bool(true)"),
    ("CurrentRoom IN ('b', 'a')", "CurrentRoom = Text(\"a\") | CurrentRoom = Text(\"b\")"),
    // The fewest of several; ranges of one attribute together.
    (
        "PlayerStatus = 'x' AND CurrentRoom = 'a' AND PlayerLevel > 3",
        "CurrentRoom = Text(\"a\") if PlayerStatus = \"x\" AND PlayerLevel > 3",
    ),
    (
        "PlayerLevel >= 10 AND PlayerStatus = 'x' AND PlayerLevel < 20",
        "PlayerLevel 10..19 if PlayerStatus = \"x\"",
    ),
    ("PlayerLevel > 10 AND PlayerLevel < 10", "nothing"),
    ("PlayerLevel > 9223372036854775807", "nothing"),
    ("PlayerLevel < -9223372036854775808", "nothing"),
    (
        "PlayerLevel > 3 AND (CurrentRoom = 'a' AND Gold < 0)",
        "CurrentRoom = Text(\"a\") if PlayerLevel > 3 AND Gold < 0",
    ),
    // Time since.
    ("IdleTime > 10m AND IdleTime <= 20m", "LastCommandTime now-1200000..now-600001"),
    ("IdleTime >= 10m", "LastCommandTime ..now-600000"),
    ("IdleTime < 10m", "LastCommandTime now-599999.."),
    ("IdleTime <= 10m", "LastCommandTime now-600000.."),
    ("IdleTime = 0s", "LastCommandTime now+0.."),
    ("IdleTime >= 0s", "LastCommandTime .."),
    ("IdleTime < 0s", "nothing"),
    (
        "SessionDuration > 1m AND StartTime > '2026-11-22T11:00:00Z'",
        "StartTime now-3599999..now-60001",
    ),
    // OR: each alternative, or every row.
    ("PlayerLevel = 1 OR CurrentRoom = 'a'", "PlayerLevel 1..1 | CurrentRoom = Text(\"a\")"),
    ("PlayerLevel = 1 OR Guild = 'a'", "everything if PlayerLevel = 1 OR Guild = \"a\""),
    ("PlayerLevel = 1 OR PlayerLevel < 1 AND PlayerLevel > 1", "PlayerLevel 1..1"),
    (
        "PlayerLevel = 1 OR (CurrentRoom = 'a' AND Guild = 'b')",
        "PlayerLevel 1..1 | CurrentRoom = Text(\"a\") if PlayerLevel = 1 OR \
             (CurrentRoom = \"a\" AND Guild = \"b\")",
    ),
    (
        "(PlayerId = 'a' OR PlayerId = 'b') AND PlayerLevel = 1",
        "PlayerId = Text(\"a\") | PlayerId = Text(\"b\") if PlayerLevel = 1",
    ),
    ("PlayerStatus IN ('a', 'b')", "everything if PlayerStatus IN (\"a\", \"b\")"),
    // What an index does not help with.
    ("NOT PlayerLevel = 1", "everything if NOT PlayerLevel = 1"),
    ("PlayerLevel != 1", "everything if PlayerLevel != 1"),
    ("PlayerLevel NOT IN (1)", "everything if PlayerLevel NOT IN (1)"),
    ("CurrentRoom NOT STARTS_WITH 'a'", "everything if CurrentRoom NOT STARTS_WITH \"a\""),
    ("PlayerLevel IS NULL", "everything if PlayerLevel IS NULL"),
    ("CurrentRoom > 'a'", "everything if CurrentRoom > \"a\""),
    ("Steps > 5", "everything if Steps > 5"),
    ("Gold > 5", "everything if Gold > 5"),
    ("Score = 1", "everything if Score = 1"),
    ("NOT Score = 1 AND CurrentRoom = 'a'", "CurrentRoom = Text(\"a\") if NOT Score = 1"),
];

#[test]
fn the_index_is_asked_for_the_fewest() {
    for (text, expected) in TABLE {
        assert_eq!(plan(text), *expected, "{text}");
    }
}

#[test]
fn paths_have_a_bound() {
    let list = |first: usize, len: usize| {
        let ids: Vec<_> = (first..first + len).map(|n| format!("'{n}'")).collect();
        format!("PlayerId IN ({})", ids.join(","))
    };
    let paths = |text: &str| match Plan::new(&registry(), &query(text), &Sizes, NOW_MS).access() {
        Access::Union(paths) => paths.len(),
        _ => 0,
    };
    let both = |more: usize| format!("{} OR {}", list(0, 100), list(100, PATHS_MAX - 100 + more));
    assert_eq!((paths(&both(0)), paths(&both(1))), (PATHS_MAX, 0));
}

#[test]
fn a_plan_finds_what_the_query_finds() {
    let index = Index(super::world().into());
    for text in ["PlayerStatus = 'in_room' AND PlayerLevel > 3", "IdleTime > 10m", "Score > 0"] {
        let (registry, query) = (registry(), query(text));
        let plan = Plan::new(&registry, &query, &index, NOW_MS);
        let Access::Union(paths) = plan.access() else { panic!("{text}: {plan:?}") };
        for row in &index.0 {
            let found = paths.iter().any(|path| path.finds(row)) && plan.admits(row);
            assert_eq!(found, query.matches(row, NOW_MS), "{text}: {}", row.player());
        }
    }
}

#[test]
fn an_empty_index_finds_nothing() {
    let (registry, query) = (registry(), query("Score > 0"));
    let plan = Plan::new(&registry, &query, &Index(Vec::new()), NOW_MS);
    assert_eq!(plan.access(), &Access::Everything);
    assert!(!plan.admits(&row("bob", &[])));
}
