//! What is in the table of entries: which entries a row calls for, and where those of a path are.
//! Pure.
//!
//! - A built-in attribute goes by its code, a declared one by its name in lower case: their
//!   numbers differ between processes.
//! - SQLite's values have types of their own: integers are exact to 64 bits and come before every
//!   text, texts are compared by their bytes. So one table serves all attributes.
//! - A time is entered by the [`TIME_GRAIN_MS`] that it falls in. Whoever is active moves it on
//!   with each write, and so its entry stays where it is most of the time. A path may find a few
//!   rows too many, so [`Path::finds`] is asked of each.
//! - `PlayerId` has no entries: the rows lie in its order.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};

use crate::search::attribute::BUILTIN;
use crate::search::value::Seen;
use crate::search::{Attribute, Builtin, Keys, Path, Registry, Row, Type, Value};

/// How finely times are told apart.
pub(super) const TIME_GRAIN_MS: i64 = 10_000;

/// An attribute that has entries.
#[derive(Debug)]
pub(super) struct Column {
    attribute: Attribute,
    pub name: Sql,
}

impl Column {
    /// The value of its entry for a row; `None`: there is none.
    pub fn key<'a>(&self, row: &'a Row) -> Option<Seen<'a>> {
        let value = row.value(&self.attribute, 0)?;
        Some(match value {
            Seen::Integer(ms) if self.attribute.kind() == Type::Time => Seen::Integer(grain(ms)),
            other => other,
        })
    }
}

/// The attributes of a registry that have entries.
#[derive(Debug)]
pub(super) struct Layout {
    pub registry: Arc<Registry>,
    pub columns: Vec<Column>,
}

impl Layout {
    pub fn new(registry: &Arc<Registry>) -> Self {
        let has_entries = |a: &&Attribute| a.is_indexed() && !a.is_computed() && !is_player(a);
        let column = |a: &Attribute| Column { attribute: a.clone(), name: name(a) };
        let columns = registry.iter().filter(has_entries).map(column).collect();
        Self { registry: Arc::clone(registry), columns }
    }

    /// The entries that a row calls for.
    pub fn entries<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a Sql, Seen<'a>)> {
        self.columns.iter().filter_map(|column| Some((&column.name, column.key(row)?)))
    }

    /// Whether a row calls for an entry.
    pub fn calls_for(&self, row: &Row, name: &Sql, value: &Sql) -> bool {
        let of = self.columns.iter().find(|column| column.name == *name);
        let key = of.and_then(|column| column.key(row));
        key.is_some_and(|key| to_sql(key) == ToSqlOutput::Borrowed(value.into()))
    }
}

fn is_player(attribute: &Attribute) -> bool {
    attribute.id() == Builtin::PlayerId as u16
}

fn name(attribute: &Attribute) -> Sql {
    let id = attribute.id();
    if usize::from(id) < BUILTIN.len() {
        Sql::Integer(id.into())
    } else {
        Sql::Text(attribute.name().to_ascii_lowercase())
    }
}

fn grain(ms: i64) -> i64 {
    ms.div_euclid(TIME_GRAIN_MS)
}

/// A value as SQLite has it.
pub(super) fn to_sql(value: Seen<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Seen::Text(text) => ValueRef::Text(text.as_bytes()),
        Seen::Integer(number) => ValueRef::Integer(number),
        Seen::Bool(flag) => ValueRef::Integer(flag.into()),
    })
}

fn to_owned_sql(value: &Value) -> Sql {
    match value {
        Value::Text(text) => Sql::Text(text.to_string()),
        Value::Integer(number) => Sql::Integer(*number),
        Value::Bool(flag) => Sql::Integer((*flag).into()),
    }
}

/// What SQLite is asked for a path. All searches are made of these few statements.
#[derive(Debug, PartialEq)]
pub(super) struct Probe {
    /// Counts what the path finds; one more parameter is the count to stop at.
    pub counting: &'static str,
    /// Reads the rows. If they come `by_player`, one more parameter is whom they begin after.
    pub reading: &'static str,
    /// Of both statements.
    pub params: Vec<Sql>,
    /// Whether the rows come in the order of `PlayerId`.
    pub by_player: bool,
}

const COUNT_EQUAL: &str = "SELECT count(*) FROM
    (SELECT 1 FROM entries WHERE attribute = ?1 AND value = ?2 LIMIT ?3)";
const READ_EQUAL: &str = "SELECT rows.row FROM entries CROSS JOIN rows
    ON rows.player = entries.player
    WHERE entries.attribute = ?1 AND entries.value = ?2 AND entries.player > ?3
    ORDER BY entries.player";
const COUNT_RANGE: &str = "SELECT count(*) FROM
    (SELECT 1 FROM entries WHERE attribute = ?1 AND value >= ?2 AND value < ?3 LIMIT ?4)";
const READ_RANGE: &str = "SELECT rows.row FROM entries CROSS JOIN rows
    ON rows.player = entries.player
    WHERE entries.attribute = ?1 AND entries.value >= ?2 AND entries.value < ?3";
const COUNT_PLAYER: &str = "SELECT count(*) FROM (SELECT 1 FROM rows WHERE player = ?1 LIMIT ?2)";
const READ_PLAYER: &str = "SELECT row FROM rows WHERE player = ?1 AND player > ?2";
const COUNT_PLAYERS: &str =
    "SELECT count(*) FROM (SELECT 1 FROM rows WHERE player >= ?1 AND player < ?2 LIMIT ?3)";
const READ_PLAYERS: &str = "SELECT row FROM rows
    WHERE player >= ?1 AND player < ?2 AND player > ?3 ORDER BY player";

impl Probe {
    pub fn new(path: &Path) -> Self {
        let Path { attribute, keys } = path;
        let of_player = is_player(attribute);
        let (mut params, by_player) = match Span::of(attribute.kind(), keys) {
            Span::One(value) => (vec![value], true),
            Span::HalfOpen(low, high) => (vec![low, high], of_player),
        };
        let (counting, reading) = match (of_player, params.len()) {
            (true, 1) => (COUNT_PLAYER, READ_PLAYER),
            (true, _) => (COUNT_PLAYERS, READ_PLAYERS),
            (false, 1) => (COUNT_EQUAL, READ_EQUAL),
            (false, _) => (COUNT_RANGE, READ_RANGE),
        };
        if !of_player {
            params.insert(0, name(attribute));
        }
        Self { counting, reading, params, by_player }
    }
}

/// Keys as SQLite compares them.
enum Span {
    One(Sql),
    /// From the first to just below the second.
    HalfOpen(Sql, Sql),
}

impl Span {
    fn of(kind: Type, keys: &Keys) -> Self {
        match keys {
            Keys::Equal(value) => Self::One(to_owned_sql(value)),
            Keys::Range { low, high } if kind == Type::Time => {
                Self::integers(grain(*low), grain(*high))
            }
            Keys::Range { low, high } => Self::integers(*low, *high),
            Keys::Prefix(prefix) => {
                // Every blob comes after every text.
                let end = after_prefix(prefix).map_or(Sql::Blob(Vec::new()), Sql::Text);
                Self::HalfOpen(Sql::Text(prefix.to_string()), end)
            }
        }
    }

    fn integers(low: i64, high: i64) -> Self {
        if low == high {
            return Self::One(Sql::Integer(low));
        }
        // Every text comes after every integer.
        let end = high.checked_add(1).map_or(Sql::Text(String::new()), Sql::Integer);
        Self::HalfOpen(Sql::Integer(low), end)
    }
}

/// The first text after all that begin with `prefix`; `None`: there is none. UTF-8 has the order
/// of its characters.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_text() {
        let end = |prefix| after_prefix(prefix);
        assert_eq!(end("dungeon-"), Some("dungeon.".into()));
        assert_eq!(end("a\u{d7ff}"), Some("a\u{e000}".into()));
        assert_eq!(end("a\u{10ffff}"), Some("b".into()));
        assert_eq!(end("\u{10ffff}"), None);
        assert_eq!(end(""), None);
    }

    #[test]
    fn paths_of_one_value_come_by_player() {
        let registry = Registry::default();
        let probe = |name: &str, keys| {
            let attribute = registry.find(name).unwrap().clone();
            Probe::new(&Path { attribute, keys })
        };
        let level = probe("PlayerLevel", Keys::Range { low: 3, high: 3 });
        assert!(level.by_player);
        assert_eq!(level.params, [Sql::Integer(4), Sql::Integer(3)]);
        let all = probe("Score", Keys::Range { low: i64::MIN, high: i64::MAX });
        assert!(!all.by_player);
        let ends = [Sql::Integer(i64::MIN), Sql::Text(String::new())];
        assert_eq!(all.params[1..], ends);
        let time = probe("LastCommandTime", Keys::Range { low: -1, high: 19_999 });
        assert_eq!(time.params[1..], [Sql::Integer(-1), Sql::Integer(2)]);
        assert!(probe("PlayerId", Keys::Prefix("p".into())).by_player);
    }
}
