//! What the game's actors tell each other. Journaled in outboxes: names and meanings are for
//! ever, fields are only added, with `#[serde(default)]`.

use std::sync::Arc;

use holdfast_protocol::client::MoveType;
use serde::{Deserialize, Serialize};

use crate::actor::contract::Token;

/// From a player to a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRoom {
    /// Asks for a place; answered by [`ToPlayer::Joined`] or [`ToPlayer::Full`].
    #[serde(rename = "join")]
    Join {
        /// The player's own number of this join; rises.
        n: u64,
        /// The display name.
        name: Arc<str>,
    },
    /// Gives a place back.
    #[serde(rename = "leave")]
    Leave {
        /// The join that got the place. A place of a later join stays.
        n: u64,
    },
}

/// To a player, from a room or another player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPlayer {
    /// The room has a place for the player.
    #[serde(rename = "joined")]
    Joined {
        /// The join's number.
        n: u64,
        /// The player's number in the room.
        entity: u32,
        /// Members, the player among them.
        count: u32,
        /// Members at most.
        max: u32,
    },
    /// The room has none.
    #[serde(rename = "full")]
    Full {
        /// The join's number.
        n: u64,
        /// Members at most.
        max: u32,
    },
    /// A blow; answered by [`ToPlayer::BlowDone`] or [`ToPlayer::BlowRefused`].
    #[serde(rename = "blow")]
    Blow {
        /// The attacker's token for it.
        token: Token,
        /// The move.
        by: MoveType,
        /// Damage before the target's defence.
        damage: u64,
        /// Experience that it will give the attacker.
        xp: u64,
        /// The attacker's room.
        room: Arc<str>,
        /// The attacker's display name.
        name: Arc<str>,
    },
    /// The blow struck.
    #[serde(rename = "done")]
    BlowDone {
        /// As in the blow.
        token: Token,
        /// Damage done.
        damage: u64,
    },
    /// The blow can't strike.
    #[serde(rename = "refused")]
    BlowRefused {
        /// As in the blow.
        token: Token,
        /// The protocol's error code.
        code: String,
        /// One sentence for people.
        message: String,
    },
}
