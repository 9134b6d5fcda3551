//! The reference game: rooms, blows, movement, items and a leaderboard.
//!
//! Pure: no runtime, store, clock or randomness; what these reach a rule through is
//! [`crate::actor::contract`]. One actor type per thing that has a life of its own:
//! [`player::Player`], [`room::Room`], [`party::Party`] and [`leaderboard::Leaderboard`]. The player's
//! rules lie in one file per feature: [`presence`], [`movement`], [`combat`], [`inventory`], [`coins`],
//! [`notices`], [`metrics`]; `travel` is the player's side of rooms, [`fellowship`] that of parties.
//! They share [`draft::Draft`]: a working
//! copy of the state that takes each event at once, so that a later rule of the same decision
//! sees what an earlier one did. [`event`] and [`tells`] are what journals hold, for ever.
//!
//! Between players: [`trade::Trade`] is the actor that decides a trade or a gift, `dealing` the
//! player's side of it, and `books` holds what each decision did with goods against what it said.
//!
//! [`audit`] holds the journals of trades and players against each other, afterwards.
//!
//! - I3: state holds integers and ordered maps only; `apply` never reads [`Settings`].
//! - I8: every collection of a state has a bound that is named next to it.

pub mod audit;
mod books;
pub mod coins;
pub mod combat;
mod dealing;
pub mod deals;
mod draft;
pub mod event;
pub mod fellowship;
pub mod inventory;
pub mod leaderboard;
pub mod metrics;
pub mod movement;
pub mod notices;
pub mod party;
pub mod player;
pub mod presence;
mod public;
pub mod room;
mod state;
pub mod stock;
pub mod tells;
pub mod trade;
mod travel;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::actor::contract::Reject;
use crate::msgpack;

/// The kind of a player's actor.
pub const PLAYER: &str = "player";
/// The kind of a room's actor.
pub const ROOM: &str = "room";
/// The kind of a trade's actor.
pub const TRADE: &str = "trade";
/// The kind of a party's actor.
pub const PARTY: &str = "party";
/// The kind of the leaderboard's actor.
pub const LEADERBOARD: &str = "leaderboard";
/// The key of the one leaderboard actor that there is.
pub const LEADERBOARD_KEY: &str = "main";

/// What an operator may set. Read by `decide`, never by `apply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Places of a room that [`Settings::room_capacities`] does not name.
    pub room_capacity: u32,
    /// Places by room id.
    pub room_capacities: BTreeMap<String, u32>,
    /// Whether steps cost of a credit that grows with the clock.
    pub movement_clock_check: bool,
    /// How long a player without a socket stays, in milliseconds.
    pub linkdead_ms: u64,
    /// How long without command or input until idle, in milliseconds.
    pub idle_after_ms: u64,
    /// How long a defeated player lies, in milliseconds.
    pub recover_after_ms: u64,
    /// How long a defence lasts, in milliseconds.
    pub defend_ms: u64,
    /// How long a special cools down, in milliseconds.
    pub special_cooldown_ms: u64,
    /// How long an offer to trade is open, in milliseconds.
    pub offer_ms: u64,
    /// A guard of trades that a model switches off.
    #[cfg(test)]
    pub off: Option<trade::guard::Guard>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            room_capacity: 20,
            room_capacities: BTreeMap::new(),
            movement_clock_check: true,
            linkdead_ms: 60_000,
            idle_after_ms: 300_000,
            recover_after_ms: 5_000,
            defend_ms: 3_000,
            special_cooldown_ms: 5_000,
            offer_ms: trade::OFFER_MS,
            #[cfg(test)]
            off: None,
        }
    }
}

impl Settings {
    /// Places of a room.
    #[must_use]
    pub fn capacity(&self, room: &str) -> u32 {
        self.room_capacities.get(room).copied().unwrap_or(self.room_capacity)
    }
}

/// MessagePack with field names, as tells, activities and requests travel.
#[must_use]
pub fn pack<T: Serialize>(value: &T) -> Bytes {
    // The types here have no form that MessagePack can't hold; empty bytes decode as nothing.
    msgpack::named(value).unwrap_or_default()
}

/// Reads what [`pack`] wrote.
///
/// # Errors
/// `bad_message` when the bytes are no `T`.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reject> {
    rmp_serde::from_slice(bytes)
        .map_err(|error| Reject::new("bad_message", format!("not a message of this game: {error}")))
}

/// JSON text of a reply or push.
fn json<T: Serialize>(value: &T) -> Bytes {
    // Same reasoning as in `pack`.
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}
