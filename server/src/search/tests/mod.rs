//! The language, the rows, the order and the plans, held to what they promise.

mod docs;
mod meaning;
mod mistakes;
mod pages;
mod plans;
mod random;
mod registry;
mod rows;

use holdfast_protocol::ids::PlayerId;

use super::{Builtin, Declaration, Query, Registry, Row, Type, Value, parse};

/// The now of these tests: 2026-11-22T12:00:00Z.
const NOW_MS: u64 = 1_795_348_800_000;
const MINUTE_MS: i64 = 60_000;

/// The built-in attributes, and some that a game has declared.
fn registry() -> Registry {
    let mut registry = Registry::default();
    for declaration in [
        Declaration::stored("Guild", Type::Keyword),
        Declaration::stored("Banned", Type::Bool),
        Declaration::stored("LastWin", Type::Time),
        Declaration::since("WinAge", "LastWin"),
        Declaration::stored("Steps", Type::Integer).unindexed(),
    ] {
        registry.declare(declaration).unwrap();
    }
    registry
}

fn query(text: &str) -> Query {
    parse(&registry(), text).unwrap_or_else(|mistake| panic!("{}", mistake.render(text)))
}

/// A row with these values.
fn row(player: &str, values: &[(&str, Value)]) -> Row {
    let registry = registry();
    let mut row = Row::new(PlayerId::new(player).unwrap());
    for (name, value) in values {
        row.set(registry.find(name).unwrap(), Some(value.clone())).unwrap();
    }
    row
}

fn ago(minutes: i64) -> Value {
    (NOW_MS as i64 - minutes * MINUTE_MS).into()
}

/// Three players: one fights, one has been idle, one is asleep and has hardly a value.
fn world() -> [Row; 3] {
    [
        row(
            "alice",
            &[
                ("DisplayName", "Alice \"the\" Bold".into()),
                ("PlayerStatus", "in_room".into()),
                ("CurrentRoom", "dungeon-7".into()),
                ("PlayerLevel", 12_i64.into()),
                ("Score", 900_i64.into()),
                ("Gold", 0_i64.into()),
                ("StartTime", ago(90)),
                ("LastCommandTime", ago(0)),
                ("Node", "gw-1".into()),
                ("Banned", false.into()),
                ("Guild", "Owls".into()),
            ],
        ),
        row(
            "bob",
            &[
                ("DisplayName", "Bob".into()),
                ("PlayerStatus", "in_lobby".into()),
                ("PlayerLevel", 3_i64.into()),
                ("Score", (-5_i64).into()),
                ("StartTime", ago(60)),
                ("LastCommandTime", ago(11)),
                ("Node", "gw-2".into()),
                ("Banned", true.into()),
            ],
        ),
        row("carol", &[("PlayerStatus", "asleep".into()), ("Score", 900_i64.into())]),
    ]
}

/// Whom a query finds, in its order.
fn found(text: &str) -> String {
    let query = query(text);
    let mut rows: Vec<_> = world().into_iter().filter(|row| query.matches(row, NOW_MS)).collect();
    rows.sort_by(|one, two| query.compare(one, two, NOW_MS));
    rows.iter().map(|row| row.player().as_str()).collect::<Vec<_>>().join(" ")
}

fn score(row: &Row) -> Option<i64> {
    match row.value(&Builtin::Score.attribute(), NOW_MS).map(|seen| seen.to_value()) {
        Some(Value::Integer(score)) => Some(score),
        _ => None,
    }
}
