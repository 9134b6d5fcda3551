//! A row: the attributes of one session, and how they are stored.
//!
//! Stored form, version 1: `[1][MessagePack map]`. A built-in attribute's key is its code, a
//! declared one's is its name; values are strings, integers and booleans. Rows are written whole
//! by whoever owns the session, and read by every node, older ones too:
//!
//! - A key that this process does not know is skipped, whatever its value. So is a value of
//!   another type than the attribute's: it counts as missing.
//! - The version rises only with a form that older readers must not read.

use std::fmt;

use holdfast_protocol::ids::PlayerId;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::attribute::{Attribute, BUILTIN, Builtin, Registry};
use super::value::{Seen, Value};

/// The newest form that this code writes.
pub const FORMAT: u8 = 1;
/// Longest text of a keyword, in bytes.
pub const TEXT_LEN_MAX: usize = 256;

/// Why an attribute can't have a value. A bug of the rules that gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is computed, or it is the row's `PlayerId`.
    #[error("{0} can't be set")]
    Fixed(String),
    /// The value is of another type.
    #[error("{name} is {noun}, which the value is not")]
    Type {
        /// Which attribute.
        name: String,
        /// What it is.
        noun: &'static str,
    },
    /// More than [`TEXT_LEN_MAX`].
    #[error("{name} has at most {TEXT_LEN_MAX} bytes, not {len}")]
    Length {
        /// Which attribute.
        name: String,
        /// What the value had.
        len: usize,
    },
}

/// Why bytes are no row. Reacts: the index, which is built again from the journals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Written by a newer Holdfast in a form that this one must not read.
    #[error("the row has format {0}, newer than {FORMAT}, which this version reads")]
    Newer(u8),
    /// No row.
    #[error("the row can't be read: {0}")]
    Damaged(String),
}

/// The attributes of one session. It belongs to the registry that it was made with: its values
/// are kept by the numbers of that registry's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    player: PlayerId,
    player_text: Value,
    /// By the attribute's number; the player's id and computed attributes are not here.
    values: Vec<Option<Value>>,
}

impl Row {
    /// A row without any value but its player.
    #[must_use]
    pub fn new(player: PlayerId) -> Self {
        let player_text = player.as_str().into();
        Self { player, player_text, values: Vec::new() }
    }

    /// Whose row it is.
    #[must_use]
    pub fn player(&self) -> &PlayerId {
        &self.player
    }

    /// Gives an attribute a value, or takes it away.
    ///
    /// # Errors
    /// [`SetError`] when the attribute can't have that value; the row is unchanged.
    pub fn set(&mut self, attribute: &Attribute, value: Option<Value>) -> Result<(), SetError> {
        let name = || attribute.name().to_owned();
        if attribute.is_computed() || attribute.id() == Builtin::PlayerId as u16 {
            return Err(SetError::Fixed(name()));
        }
        match &value {
            Some(value) if !value.is_of(attribute.kind()) => {
                return Err(SetError::Type { name: name(), noun: attribute.kind().noun() });
            }
            Some(Value::Text(text)) if text.len() > TEXT_LEN_MAX => {
                return Err(SetError::Length { name: name(), len: text.len() });
            }
            _ => {}
        }
        self.put(attribute.id(), value);
        Ok(())
    }

    fn put(&mut self, id: u16, value: Option<Value>) {
        let at = usize::from(id);
        if at >= self.values.len() && value.is_some() {
            self.values.resize(at + 1, None);
        }
        if let Some(place) = self.values.get_mut(at) {
            *place = value;
        }
        // Rows with the same values are equal, whatever they had before.
        while self.values.last() == Some(&None) {
            self.values.pop();
        }
    }

    /// The value of an attribute at a moment; `None` where it is missing. A time since is never
    /// below 0.
    #[must_use]
    pub fn value(&self, attribute: &Attribute, now_ms: u64) -> Option<Seen<'_>> {
        let Some(base) = attribute.since else {
            let value = self.stored(attribute.id())?;
            return value.is_of(attribute.kind()).then(|| value.seen());
        };
        match self.stored(base)? {
            Value::Integer(from_ms) => Some(Seen::Integer(since(*from_ms, now_ms))),
            _ => None,
        }
    }

    fn stored(&self, id: u16) -> Option<&Value> {
        if id == Builtin::PlayerId as u16 {
            return Some(&self.player_text);
        }
        self.values.get(usize::from(id))?.as_ref()
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self, registry: &Registry) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        let stored = Stored { row: self, registry };
        #[expect(clippy::expect_used, reason = "writing plain values to memory can't fail")]
        rmp_serde::encode::write(&mut bytes, &stored).expect("a row can be written");
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RowError`] when it is newer than this code, or no row.
    pub fn decode(registry: &Registry, bytes: &[u8]) -> Result<Self, RowError> {
        let damaged = |why: String| RowError::Damaged(why);
        let map = match bytes.split_first() {
            Some((&FORMAT, map)) => map,
            Some((&newer, _)) if newer > FORMAT => return Err(RowError::Newer(newer)),
            _ => return Err(damaged("it opens without a format".into())),
        };
        let read: Read = rmp_serde::from_slice(map).map_err(|e| damaged(e.to_string()))?;
        let mut player = None;
        let mut row = Vec::new();
        for (key, value) in read.0 {
            let attribute = match &key {
                Key::Code(code) => BUILTIN.get(*code as usize).map(|b| b.attribute().id()),
                Key::Name(name) => registry.find(name).map(Attribute::id),
                Key::Other => None,
            };
            match (attribute, value) {
                (Some(0), Any::Value(Value::Text(text))) => player = Some(text),
                (Some(id), Any::Value(value)) => row.push((id, value)),
                _ => {}
            }
        }
        let player = player.ok_or_else(|| damaged("it names no player".into()))?;
        let mut found = Self::new(PlayerId::new(&player).map_err(|e| damaged(e.to_string()))?);
        row.into_iter().for_each(|(id, value)| found.put(id, Some(value)));
        Ok(found)
    }
}

/// Milliseconds from a moment to now; 0 for one that is yet to come.
pub(super) fn since(from_ms: i64, now_ms: u64) -> i64 {
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    now_ms.saturating_sub(from_ms).max(0)
}

struct Stored<'a> {
    row: &'a Row,
    registry: &'a Registry,
}

impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let known = self.registry.iter().filter(|a| !a.is_computed());
        let present: Vec<_> =
            known.filter_map(|a| Some((a, self.row.stored(a.id())?.seen()))).collect();
        let mut map = out.serialize_map(Some(present.len()))?;
        for (attribute, value) in present {
            if usize::from(attribute.id()) < BUILTIN.len() {
                map.serialize_key(&attribute.id())?;
            } else {
                map.serialize_key(attribute.name())?;
            }
            match value {
                Seen::Text(text) => map.serialize_value(text)?,
                Seen::Integer(number) => map.serialize_value(&number)?,
                Seen::Bool(flag) => map.serialize_value(&flag)?,
            }
        }
        map.end()
    }
}

struct Read(Vec<(Key, Any)>);

enum Key {
    Code(u64),
    Name(String),
    Other,
}

enum Any {
    Value(Value),
    /// Of a kind that this version does not know.
    Other,
}

impl From<Any> for Key {
    fn from(any: Any) -> Self {
        match any {
            Any::Value(Value::Text(name)) => Self::Name(name.into()),
            Any::Value(Value::Integer(code)) => u64::try_from(code).map_or(Self::Other, Self::Code),
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ReadVisitor)
    }
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut read = Vec::new();
        while let Some((key, value)) = map.next_entry::<Any, Any>()? {
            read.push((key.into(), value));
        }
        Ok(Read(read))
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Any, E> {
        Ok(Any::Value(flag.into()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Any, E> {
        Ok(Any::Value(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Any, E> {
        Ok(Any::Value(number.into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Any, E> {
        Ok(Any::Value(text.into()))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Any, E> {
        Ok(Any::Other)
    }

    fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<Any, E> {
        Ok(Any::Other)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Any, E> {
        Ok(Any::Other)
    }

    fn visit_none<E: de::Error>(self) -> Result<Any, E> {
        Ok(Any::Other)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Any, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Any::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Any::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Any::Other)
    }
}
