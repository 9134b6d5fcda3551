//! Names of things: players, rooms, actors.
//!
//! Each is a checked newtype, so that a string from outside is looked at once, at the edge.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest player id, in bytes.
pub const PLAYER_ID_LEN_MAX: usize = 32;
/// Longest room id, in bytes.
pub const ROOM_ID_LEN_MAX: usize = 64;
/// Longest id of a trade or a party, in bytes.
pub const DEALING_ID_LEN_MAX: usize = 64;
/// Longest actor id (kind, colon and key), in bytes.
pub const ACTOR_ID_LEN_MAX: usize = 96;

/// Why a string is not an id. Reacts: the edge, with `bad_args` and this sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The string is empty or too long.
    #[error("{what} must have 1 to {max} characters, not {len}")]
    Length {
        /// Which kind of id.
        what: &'static str,
        /// The bound.
        max: usize,
        /// What it had.
        len: usize,
    },
    /// A character outside `[a-z0-9_-]`.
    #[error("{what} may only have a-z, 0-9, _ and -, not {bad:?}")]
    Alphabet {
        /// Which kind of id.
        what: &'static str,
        /// The first offender.
        bad: char,
    },
    /// An actor id without a colon.
    #[error("an actor id is kind:key, such as player:alice")]
    NoKind,
}

fn check(what: &'static str, text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max {
        return Err(IdError::Length { what, max, len: text.chars().count() });
    }
    let bad = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'));
    bad.map_or(Ok(()), |bad| Err(IdError::Alphabet { what, bad }))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and keeps it.
            ///
            /// # Errors
            /// [`IdError`] when the length or the alphabet is wrong.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check($what, text, $max)?;
                Ok(Self(text.into()))
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A player's id: `[a-z0-9_-]{1,32}`.
    PlayerId,
    "a player id",
    PLAYER_ID_LEN_MAX
);
id!(
    /// A room's id: `[a-z0-9_-]{1,64}`.
    RoomId,
    "a room id",
    ROOM_ID_LEN_MAX
);

id!(
    /// A trade's id: `[a-z0-9_-]{1,64}`, given by the server and never used again.
    TradeId,
    "a trade id",
    DEALING_ID_LEN_MAX
);
id!(
    /// A party's id: `[a-z0-9_-]{1,64}`, given by the server and never used again.
    PartyId,
    "a party id",
    DEALING_ID_LEN_MAX
);

/// A durable identity, `kind:key`, such as `player:alice` or `room:dungeon-7`.
///
/// Always addressable; cheap to clone. Ordered by its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(Arc<str>);

impl ActorId {
    /// Joins a kind and a key that are known to be well formed.
    ///
    /// # Errors
    /// [`IdError`] when either breaks the alphabet or the whole is too long.
    pub fn new(kind: &str, key: &str) -> Result<Self, IdError> {
        check("an actor's kind", kind, ACTOR_ID_LEN_MAX)?;
        check("an actor's key", key, ACTOR_ID_LEN_MAX.saturating_sub(kind.len() + 1))?;
        Ok(Self(format!("{kind}:{key}").into()))
    }

    /// The actor of a player.
    #[must_use]
    pub fn player(player: &PlayerId) -> Self {
        Self(format!("player:{player}").into())
    }

    /// The actor of a room.
    #[must_use]
    pub fn room(room: &RoomId) -> Self {
        Self(format!("room:{room}").into())
    }

    /// What comes before the colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// What comes after the colon.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, key)| key)
    }

    /// The whole text, `kind:key`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ActorId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (kind, key) = text.split_once(':').ok_or(IdError::NoKind)?;
        Self::new(kind, key)
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ActorId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ActorId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_to_their_alphabet() {
        assert_eq!(PlayerId::new("alice-7_x").unwrap().as_str(), "alice-7_x");
        assert!(matches!(PlayerId::new("Alice"), Err(IdError::Alphabet { bad: 'A', .. })));
        assert!(matches!(PlayerId::new(""), Err(IdError::Length { len: 0, .. })));
        assert!(PlayerId::new(&"a".repeat(32)).is_ok());
        assert!(PlayerId::new(&"a".repeat(33)).is_err());
        assert!(RoomId::new(&"a".repeat(64)).is_ok());
    }

    #[test]
    fn an_actor_id_is_kind_and_key() {
        let id: ActorId = "player:alice".parse().unwrap();
        assert_eq!((id.kind(), id.key()), ("player", "alice"));
        assert_eq!("alice".parse::<ActorId>(), Err(IdError::NoKind));
        assert!("player:".parse::<ActorId>().is_err());
        assert!("a:b:c".parse::<ActorId>().is_err());
    }
}
