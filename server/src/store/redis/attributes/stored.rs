//! What is stored of a row, and what finds it. Pure. The scripts read the same form: it is
//! described for them in `scripts/rows.lua`.
//!
//! | bytes | what |
//! |---|---|
//! | 8, 8 | epoch and seq, the highest byte first; never anything else, in any version |
//! | 1 | the version of what follows: 1 |
//! | 2, 2 | lengths of the names and of the entries |
//! | | names with a space between them, such as `n0 w1 wguild` |
//! | | an entry for each name: its length in 2 bytes, and the entry; empty without a value |
//! | | the row, see [`crate::search::row`] |
//!
//! An entry of numbers is the number in decimal digits; one of words is the value and a zero byte.
//! The player's own entry is the number 0, so that its members are players by their letters.

use std::collections::BTreeMap;

use holdfast_protocol::ids::PlayerId;

use crate::search::attribute::BUILTIN;
use crate::search::value::Seen;
use crate::search::{Attribute, Builtin, Registry, Row, Type};
use crate::store::attributes::{RowAt, RowOf};

const VERSION: u8 = 1;
const AT_LEN: usize = 16;
const HEAD_LEN: usize = 21;

/// The name of the members that are players.
pub const PLAYERS: &str = "n0";

/// An indexed attribute and its name in keys.
#[derive(Debug, Clone)]
pub struct Index {
    /// Of the registry.
    pub attribute: Attribute,
    /// See [`name_of`].
    pub name: String,
}

/// The name of an attribute in keys and stored rows: `n` for numbers or `w` for words, then the
/// code of a built-in one or the name of another.
#[must_use]
pub fn name_of(attribute: &Attribute) -> String {
    let player = attribute.id() == Builtin::PlayerId as u16;
    let words = matches!(attribute.kind(), Type::Keyword | Type::Bool) && !player;
    let kind = if words { 'w' } else { 'n' };
    if usize::from(attribute.id()) < BUILTIN.len() {
        return format!("{kind}{}", attribute.id());
    }
    format!("{kind}{}", attribute.name().to_ascii_lowercase())
}

/// Whether members of this name are a value and a player.
#[must_use]
pub fn is_of_words(name: &str) -> bool {
    name.starts_with('w')
}

/// The names that a registry's rows have entries of, and others that stored rows were found with.
#[derive(Debug, Clone)]
pub struct Names {
    own: Vec<Index>,
    text: String,
    more: Vec<String>,
}

impl Names {
    /// Those of a registry.
    #[must_use]
    pub fn of(registry: &Registry) -> Self {
        let indexed = registry.iter().filter(|attribute| attribute.is_indexed());
        let index = |attribute: &Attribute| Index {
            attribute: attribute.clone(),
            name: name_of(attribute),
        };
        let own: Vec<_> = indexed.map(index).collect();
        let names: Vec<_> = own.iter().map(|index| index.name.as_str()).collect();
        Self { text: names.join(" "), own, more: Vec::new() }
    }

    /// Those of the registry, as they are stored.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The others, in the same form.
    #[must_use]
    pub fn more(&self) -> String {
        self.more.join(" ")
    }

    /// All of them, the registry's first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(|index| index.name.as_str()).chain(self.more.iter().map(String::as_str))
    }

    /// Takes a name that a stored row was found with; says whether it is new.
    pub fn learn(&mut self, name: &str) -> bool {
        let new = is_name(name) && !self.iter().any(|known| known == name);
        if new {
            self.more.push(name.to_owned());
        }
        new
    }

    /// The entries that a row calls for, by name.
    pub fn entries<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, Vec<u8>)> {
        self.own.iter().map(|index| (index.name.as_str(), entry(&index.attribute, row)))
    }
}

/// Whether some name could be in a key; others are not written here.
fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix(['n', 'w']);
    let good = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    rest.is_some_and(|rest| !rest.is_empty() && good(rest))
}

fn entry(attribute: &Attribute, row: &Row) -> Vec<u8> {
    if attribute.id() == Builtin::PlayerId as u16 {
        return b"0".to_vec();
    }
    match row.value(attribute, 0) {
        None => Vec::new(),
        Some(Seen::Integer(number)) => number.to_string().into_bytes(),
        Some(Seen::Bool(flag)) => word(if flag { "1" } else { "0" }),
        Some(Seen::Text(text)) => word(text),
    }
}

/// The entry of a text.
#[must_use]
pub fn word(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// The member and the score of a player's entry; `None` without a value.
#[must_use]
pub fn member(name: &str, entry: &[u8], player: &[u8]) -> Option<(Vec<u8>, f64)> {
    if entry.is_empty() {
        return None;
    }
    if is_of_words(name) {
        return Some(([entry, player].concat(), 0.0));
    }
    Some((player.to_vec(), std::str::from_utf8(entry).ok()?.parse().ok()?))
}

/// The player of a member.
#[must_use]
pub fn player_of<'a>(name: &str, member: &'a [u8]) -> &'a [u8] {
    if !is_of_words(name) {
        return member;
    }
    // Values may have zero bytes, players have none.
    member.rsplit(|byte| *byte == 0).next().unwrap_or_default()
}

/// A position as it is stored.
#[must_use]
pub fn pack_at(at: RowAt) -> [u8; AT_LEN] {
    (u128::from(at.epoch) << 64 | u128::from(at.seq)).to_be_bytes()
}

/// A row as it is stored.
#[must_use]
pub fn pack(registry: &Registry, names: &Names, of: &RowOf) -> Vec<u8> {
    let entries = names.entries(&of.row).map(|(_, entry)| entry);
    join(of.at, &names.text, entries, &of.row.encode(registry))
}

fn join(at: RowAt, names: &str, each: impl Iterator<Item = Vec<u8>>, row: &[u8]) -> Vec<u8> {
    let mut entries = Vec::new();
    for entry in each {
        entries.extend(short(entry.len()));
        entries.extend(entry);
    }
    let head = [&pack_at(at)[..], &[VERSION], &short(names.len()), &short(entries.len())].concat();
    [&head[..], names.as_bytes(), &entries, row].concat()
}

/// A length: 76 attributes of at most 257 bytes are far below the most that there is.
fn short(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// A stored row, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// What it tells of.
    pub at: RowAt,
    /// Its entries by name.
    pub entries: Vec<(&'a str, &'a [u8])>,
    row: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Takes it apart; `None` for what is none, or of another version.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<AT_LEN>()?;
        let at = u128::from_be_bytes(*at);
        let (head, rest) = rest.split_first_chunk::<{ HEAD_LEN - AT_LEN }>()?;
        let [VERSION, names @ .., e, f] = head else { return None };
        let (names, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*names)))?;
        let (mut entries, row) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([*e, *f])))?;
        let mut found = Vec::new();
        for name in std::str::from_utf8(names).ok()?.split_whitespace() {
            let (len, rest) = entries.split_first_chunk::<2>()?;
            let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            found.push((name, entry));
            entries = rest;
        }
        #[expect(clippy::cast_possible_truncation, reason = "one half, then the other")]
        let at = RowAt { epoch: (at >> 64) as u64, seq: at as u64 };
        Some(Self { at, entries: found, row })
    }

    /// The row itself, if this version reads it and it is the player's.
    #[must_use]
    pub fn row(&self, registry: &Registry, player: &[u8]) -> Option<Row> {
        let row = Row::decode(registry, self.row).ok()?;
        (row.player().as_str().as_bytes() == player).then_some(row)
    }

    /// The same, with other entries.
    #[must_use]
    pub fn listing(&self, entries: &BTreeMap<&str, Vec<u8>>) -> Vec<u8> {
        let names: Vec<&str> = entries.keys().copied().collect();
        join(self.at, &names.join(" "), entries.values().cloned(), self.row)
    }
}

/// The row in a stored one, whoever's it is.
#[must_use]
pub fn row_in(registry: &Registry, bytes: &[u8]) -> Option<(RowAt, Row)> {
    let stored = Stored::read(bytes)?;
    Some((stored.at, Row::decode(registry, stored.row).ok()?))
}

/// A player's id, if it is one.
#[must_use]
pub fn player(bytes: &[u8]) -> Option<PlayerId> {
    PlayerId::new(std::str::from_utf8(bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Declaration, Value};

    fn registry() -> Registry {
        let mut registry = Registry::default();
        registry.declare(Declaration::stored("Guild", Type::Keyword)).unwrap();
        registry.declare(Declaration::stored("Steps", Type::Integer).unindexed()).unwrap();
        registry
    }

    fn alice() -> RowOf {
        let registry = registry();
        let mut row = Row::new(PlayerId::new("alice").unwrap());
        for (name, value) in
            [("Guild", Value::from("a\0b")), ("Gold", (-7_i64).into()), ("Steps", 9_i64.into())]
        {
            row.set(registry.find(name).unwrap(), Some(value)).unwrap();
        }
        RowOf { at: RowAt { epoch: u64::MAX, seq: 1 }, row }
    }

    #[test]
    fn what_is_stored_is_read() {
        let (registry, of) = (registry(), alice());
        let bytes = pack(&registry, &Names::of(&registry), &of);
        let stored = Stored::read(&bytes).unwrap();
        assert_eq!(stored.at, of.at);
        assert_eq!(stored.row(&registry, b"alice"), Some(of.row.clone()));
        assert_eq!(stored.row(&registry, b"bob"), None);
        let entry = |name| stored.entries.iter().find(|(of, _)| *of == name).unwrap().1;
        assert_eq!(entry("n6"), b"-7");
        assert_eq!(entry("n0"), b"0");
        assert_eq!(entry("wguild"), b"a\0b\0");
        assert_eq!(entry("w3"), b"");
        assert!(!stored.entries.iter().any(|(name, _)| name.ends_with("steps")));
        for len in 0..bytes.len() {
            assert_eq!(row_in(&registry, &bytes[..len]), None, "cut to {len} bytes");
        }
    }

    /// Rows of older nodes are in the store: this one stays readable.
    #[test]
    fn the_first_version_stays_readable() {
        let bytes = b"\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x09\x01\0\x05\0\x09n0 w1\0\x010\0\x04Al \0\
                      \x01\x82\x00\xa5alice\x01\xa3Al ";
        let (at, row) = row_in(&Registry::default(), bytes).unwrap();
        assert_eq!(at, RowAt { epoch: 5, seq: 9 });
        let name = row.value(&Builtin::DisplayName.attribute(), 0);
        assert_eq!((row.player().as_str(), name), ("alice", Some(Seen::Text("Al "))));
        assert_eq!(Stored::read(bytes).unwrap().entries, [("n0", &b"0"[..]), ("w1", b"Al \0")]);
    }

    #[test]
    fn members_name_their_players() {
        for (name, entry, wanted) in [
            ("n5", &b"9007199254740993"[..], (b"alice".to_vec(), 9_007_199_254_740_992.0)),
            ("w3", b"a\0b\0", (b"a\0b\0alice".to_vec(), 0.0)),
            ("w3", b"\0", (b"\0alice".to_vec(), 0.0)),
        ] {
            let found = member(name, entry, b"alice").unwrap();
            assert_eq!(player_of(name, &found.0), b"alice");
            assert_eq!(found, wanted);
        }
        assert_eq!(member("n5", b"", b"alice"), None);
    }

    #[test]
    fn names_of_other_versions_are_learnt_once() {
        let mut names = Names::of(&registry());
        assert_eq!(names.text(), "n0 w1 w2 w3 n4 n5 n6 n7 n8 w11 n12 wguild");
        assert!(names.learn("nguild") && !names.learn("nguild") && !names.learn("n4"));
        assert!(
            !names.learn("x") && !names.learn("n") && !names.learn("n a") && !names.learn("n}")
        );
        assert_eq!(names.more(), "nguild");
        assert_eq!(names.iter().last(), Some("nguild"));
    }
}
