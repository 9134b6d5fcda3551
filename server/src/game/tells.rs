//! What the game's actors tell each other. Journaled in outboxes: names and meanings are for
//! ever, fields are only added, with `#[serde(default)]`.

pub mod party;

use std::sync::Arc;

use holdfast_protocol::client::MoveType;
use serde::{Deserialize, Serialize};

use super::event::is_zero;
use super::stock::Stock;
use super::trade::{Outcome, Terms, Why};
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
    /// Asks for a coin; answered by [`ToPlayer::Coin`] or [`ToPlayer::CoinGone`].
    #[serde(rename = "take")]
    Take {
        /// The coin's number.
        coin: u64,
    },
    /// Asks for places for all of a party or none; answered like [`Self::Join`] to each of them,
    /// and to the party by [`party::ToParty::Placed`] or [`party::ToParty::Full`].
    #[serde(rename = "joinall")]
    JoinAll {
        /// The party's number of it.
        entry: u64,
        /// Who.
        guests: Vec<party::Guest>,
    },
}

/// To a player, from a room, a party or another player.
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
        /// Gold of the target that goes with it, where it defeated the target. The target has it
        /// no more; it is credited with this message and with no other.
        #[serde(default, skip_serializing_if = "is_zero")]
        gold: u64,
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
    /// The coin is the player's.
    #[serde(rename = "coin")]
    Coin {
        /// The coin's number.
        coin: u64,
        /// Its gold.
        gold: u64,
    },
    /// There is no such coin in the room, or the player is not there.
    #[serde(rename = "nocoin")]
    CoinGone {
        /// The coin's number.
        coin: u64,
    },
    /// Of a party.
    #[serde(rename = "party")]
    Party(party::FromParty),
    /// A trade speaks.
    #[serde(rename = "trade")]
    Trade {
        /// Which.
        #[serde(rename = "i")]
        trade: Arc<str>,
        /// What it says.
        #[serde(rename = "w")]
        word: FromTrade,
    },
}

/// From a trade to one of its sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromTrade {
    /// These terms are open to the side; what it had reserved for others is its own again.
    /// Answered by [`ToTrade::Seen`], [`ToTrade::Refuse`] or, a gift, [`ToTrade::Accept`].
    #[serde(rename = "offer")]
    Offer(Terms),
    /// The other side has seen the terms that this one made.
    #[serde(rename = "open")]
    Opened(Terms),
    /// What the side answered were not the newest terms; these are. What it had reserved for its
    /// answer is its own again.
    #[serde(rename = "no")]
    Refused {
        /// The newest terms.
        #[serde(rename = "t")]
        terms: Terms,
        /// Why.
        #[serde(rename = "y")]
        why: Why,
    },
    /// What does the side know? Answered by [`ToTrade::Know`].
    #[serde(rename = "ask")]
    Ask {
        /// The round's number.
        n: u64,
    },
    /// The goods change hands. Answered by [`ToTrade::Receipt`].
    #[serde(rename = "settle")]
    Settle {
        /// By these terms.
        #[serde(rename = "t")]
        terms: Terms,
        /// Nothing more is said after this; it is not answered.
        #[serde(rename = "l", default)]
        last: bool,
    },
    /// They don't; what the side had reserved is its own again.
    #[serde(rename = "end")]
    Ended {
        /// How it ended.
        #[serde(rename = "o")]
        outcome: Outcome,
        /// Why.
        #[serde(rename = "y")]
        why: Why,
    },
}

/// From a side to its trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToTrade {
    /// Begins the trade; what these terms give is reserved.
    #[serde(rename = "open")]
    Open(Terms),
    /// The terms of that revision were seen.
    #[serde(rename = "seen")]
    Seen {
        /// Which.
        #[serde(rename = "r")]
        revision: u32,
    },
    /// The player takes no such offer.
    #[serde(rename = "refuse")]
    Refuse {
        /// Which terms.
        #[serde(rename = "r")]
        revision: u32,
        /// Why.
        #[serde(rename = "y")]
        why: Why,
    },
    /// The terms of that revision are accepted; what they want is reserved.
    #[serde(rename = "accept")]
    Accept {
        /// Which.
        #[serde(rename = "r")]
        revision: u32,
    },
    /// Other terms; what they give is reserved.
    #[serde(rename = "counter")]
    Counter(Terms),
    /// The side calls it off.
    #[serde(rename = "cancel")]
    Cancel {},
    /// What the side knows.
    #[serde(rename = "know")]
    Know {
        /// The round's number, as asked.
        n: u64,
        /// What it knows.
        #[serde(rename = "e")]
        evidence: Evidence,
    },
    /// The side has waited for too long. Creates a trade that is not known any more.
    #[serde(rename = "late")]
    Overdue(Terms),
    /// The side has settled.
    #[serde(rename = "paid")]
    Receipt {
        /// What left it.
        #[serde(rename = "g")]
        gave: Stock,
        /// What it has now.
        #[serde(rename = "w")]
        got: Stock,
    },
}

/// What a side knows of a trade.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// Nothing, or nothing that binds it.
    #[serde(rename = "none")]
    Nothing,
    /// What it gives by the terms of that revision is reserved.
    #[serde(rename = "held")]
    Reserved {
        /// Which.
        #[serde(rename = "r")]
        revision: u32,
    },
    /// It has settled by these terms.
    #[serde(rename = "paid")]
    Settled(Terms),
}
