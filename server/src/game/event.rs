//! The player's facts, as journals hold them for ever.
//!
//! Names are short because they are written millions of times. A fact carries what came of a
//! rule (the health after a blow, not the blow's strength), so that tomorrow's rules replay
//! today's journals to the same state. Fields are only ever added, with `#[serde(default)]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::client::MoveType;
use serde::{Deserialize, Serialize};

use super::fellowship::FellowEvent;
use super::stock::Stock;
use super::trade::Terms;
use crate::actor::contract::Token;

/// What has happened to a player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The player exists from now on.
    #[serde(rename = "new")]
    Created {
        /// The display name.
        name: Arc<str>,
        /// Where the player stands.
        x: i32,
        /// Where the player stands.
        y: i32,
        /// Health, and its maximum.
        health: u32,
        /// Money.
        gold: u64,
        /// What the player carries, by item id.
        items: BTreeMap<String, u64>,
    },
    /// A new display name.
    #[serde(rename = "name")]
    Named {
        /// The name.
        name: Arc<str>,
    },
    /// The name needs its token from now on.
    #[serde(rename = "prot")]
    Protected,
    /// A session began: its input counts from 1.
    #[serde(rename = "open")]
    Opened {
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// The session has a socket again.
    #[serde(rename = "back")]
    Returned,
    /// The player is here without a socket.
    #[serde(rename = "lost")]
    Lost {
        /// Until when, in Unix milliseconds.
        until: u64,
    },
    /// The player is offline: no place in a room, nor one asked for.
    #[serde(rename = "gone")]
    Gone {
        /// The room that the next hello asks for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<Arc<str>>,
    },
    /// The player did something.
    #[serde(rename = "act")]
    Active {
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// The player has done nothing for a while.
    #[serde(rename = "idle")]
    Idled,
    /// Steps of movement.
    #[serde(rename = "in")]
    Input(Input),
    /// A room was asked for a place.
    #[serde(rename = "jask")]
    JoinAsked {
        /// The join's number.
        n: u64,
        /// Which room.
        room: Arc<str>,
        /// Whose command waits; none after a hello.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
    },
    /// A join is over without a place.
    #[serde(rename = "jno")]
    JoinDropped {
        /// The join's number.
        n: u64,
    },
    /// The player has a place in a room, and none elsewhere.
    #[serde(rename = "join")]
    Joined {
        /// The join's number.
        n: u64,
        /// Which room.
        room: Arc<str>,
        /// The player's number there.
        entity: u32,
        /// Members, the player among them.
        count: u32,
        /// Members at most.
        max: u32,
        /// Whether it is an action of the player.
        acted: bool,
    },
    /// The player has no place in a room any more.
    #[serde(rename = "left")]
    RoomLeft,
    /// A blow is on its way.
    #[serde(rename = "swing")]
    Swung {
        /// Whose command waits.
        token: Token,
        /// At whom.
        target: Arc<str>,
        /// Which move.
        by: MoveType,
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// The blow under that token is over.
    #[serde(rename = "swung")]
    SwingEnded {
        /// Whose command waited.
        token: Token,
    },
    /// A move was made: it counts as an action.
    #[serde(rename = "move")]
    Moved {
        /// Damage done.
        damage: u64,
        /// Experience gained.
        xp: u64,
    },
    /// A blow struck the player.
    #[serde(rename = "hit")]
    Hit {
        /// Health after it.
        health: u32,
    },
    /// Health changed for the better: healed, or up again.
    #[serde(rename = "heal")]
    Healed {
        /// Health after it.
        health: u32,
    },
    /// Blows are halved for a while; `None`: no longer.
    #[serde(rename = "def")]
    Defended {
        /// Until when, in Unix milliseconds.
        until: Option<u64>,
    },
    /// No special for a while; `None`: no longer.
    #[serde(rename = "cool")]
    Cooled {
        /// Until when, in Unix milliseconds.
        until: Option<u64>,
    },
    /// The quantity of an item changed.
    #[serde(rename = "item")]
    ItemSet {
        /// Which.
        item: String,
        /// How many now; 0 removes it.
        quantity: u64,
    },
    /// The room was asked for a coin.
    #[serde(rename = "cask")]
    CoinAsked {
        /// The coin's number.
        coin: u64,
    },
    /// The room has no such coin for the player.
    #[serde(rename = "cno")]
    CoinMissed {
        /// The coin's number.
        coin: u64,
    },
    /// A room gave a coin.
    #[serde(rename = "coin")]
    Coined {
        /// Which room.
        room: Arc<str>,
        /// The coin's number there.
        coin: u64,
        /// Gold gained.
        gold: u64,
    },
    /// The player was defeated, and its gold went to whoever struck the blow.
    #[serde(rename = "rob")]
    Robbed {
        /// Gold lost.
        gold: u64,
        /// Who struck.
        by: Arc<str>,
        /// The blow's token.
        token: Token,
    },
    /// Gold came from a defeat.
    #[serde(rename = "loot")]
    Looted {
        /// Gold gained.
        gold: u64,
        /// Who was defeated; the player itself where the gold found nobody and came back.
        from: Arc<str>,
        /// The blow's token.
        token: Token,
    },
    /// A notice waits for the player's return.
    #[serde(rename = "note")]
    Noted(Notice),
    /// Waiting notices were told.
    #[serde(rename = "told")]
    NotesTold,
    /// The score is on its way to the leaderboard.
    #[serde(rename = "score")]
    ScoreSent {
        /// The score.
        score: u64,
        /// The name beside it.
        name: Arc<str>,
        /// No earlier than this is the next one sent, in Unix milliseconds.
        next: u64,
    },
    /// It has arrived, or never will.
    #[serde(rename = "scored")]
    ScoreEnded {
        /// Whether it arrived.
        ok: bool,
        /// No earlier than this is the next one sent, in Unix milliseconds.
        next: u64,
    },
    /// Something happened to one of the player's trades.
    #[serde(rename = "deal")]
    Deal {
        /// Which.
        #[serde(rename = "i")]
        trade: Arc<str>,
        /// What.
        #[serde(rename = "d")]
        deal: DealEvent,
    },
    /// Trades that have been closed for long enough are forgotten.
    #[serde(rename = "deals")]
    DealsSwept {
        /// When, in Unix milliseconds.
        at: u64,
        /// When it is to be looked at them again; `None`: there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    },
    /// The actions so far were handed over as session metrics.
    #[serde(rename = "metr")]
    Measured {
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// Between the player and parties.
    #[serde(rename = "fellow")]
    Fellow(FellowEvent),
}

/// What has happened to a trade of the player's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DealEvent {
    /// The player made terms: what they give is reserved.
    #[serde(rename = "made")]
    Made {
        /// The terms.
        #[serde(rename = "t")]
        terms: Terms,
        /// Whose command waits.
        #[serde(rename = "k")]
        token: Token,
        /// No further offer before that time, in Unix milliseconds, less the burst.
        #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
        pace: u64,
    },
    /// Terms are open to the player: what was reserved for former ones is the player's again.
    #[serde(rename = "heard")]
    Heard {
        /// The terms.
        #[serde(rename = "t")]
        terms: Terms,
    },
    /// The player accepted: what the terms want is reserved.
    #[serde(rename = "yes")]
    Accepted {
        /// Whose command waits; none for a gift.
        #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
    },
    /// The player calls it off, and waits for the trade's word.
    #[serde(rename = "stop")]
    Cancelling {
        /// Whose command waits.
        #[serde(rename = "k")]
        token: Token,
    },
    /// The player's terms are open to the other side.
    #[serde(rename = "open")]
    Opened,
    /// No goods change hands: what was reserved is the player's again.
    #[serde(rename = "end")]
    Ended,
    /// Goods changed hands.
    #[serde(rename = "paid")]
    Settled {
        /// By these terms.
        #[serde(rename = "t")]
        terms: Terms,
        /// What left the player: the reserved goods, or what there was of them.
        #[serde(rename = "g")]
        gave: Stock,
        /// What the player has now.
        #[serde(rename = "w")]
        got: Stock,
        /// When, in Unix milliseconds.
        #[serde(rename = "a")]
        at: u64,
        /// The trade says nothing more.
        #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
        last: bool,
    },
    /// The trade says nothing more.
    #[serde(rename = "bye")]
    Closed {
        /// When, in Unix milliseconds.
        #[serde(rename = "a")]
        at: u64,
    },
}

/// Steps that were judged: those that count, and how far they bring the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The number of the first step that counts.
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    pub first: u64,
    /// The steps that count, one byte each; see [`super::movement::to_byte`].
    #[serde(rename = "s", default, skip_serializing_if = "Bytes::is_empty")]
    pub steps: Bytes,
    /// The last step judged.
    #[serde(rename = "n")]
    pub input: u64,
    /// The clock credit afterwards, in tenths of a millisecond.
    #[serde(rename = "c")]
    pub credit: u32,
    /// The moment that the credit is as of, in Unix milliseconds.
    #[serde(rename = "ct")]
    pub credit_ms: u64,
    /// Steps beyond the credit.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// When, in Unix milliseconds.
    #[serde(rename = "t")]
    pub at: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A sentence that waits for the player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The sentence.
    pub text: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}
