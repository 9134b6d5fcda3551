//! What passes between players: trades, parties and coins.

use serde::{Deserialize, Serialize};

use super::is_false;
use crate::goods::Goods;
use crate::ids::{PartyId, PlayerId, TradeId};

/// How far a trade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TradePhase {
    /// Its first terms are open.
    Offered,
    /// Other terms are open; `from` and `to` have changed places.
    Countered,
    /// Both sides have what they were promised.
    Committed,
    /// A side, or the trade itself, called it off; everyone has their own goods back.
    Cancelled,
    /// Its time was over first; everyone has their own goods back.
    Expired,
}

/// A trade as its two players see it. As an event it is numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TradeEvent {
    /// Which trade.
    pub trade_id: TradeId,
    /// How far it is.
    pub phase: TradePhase,
    /// Counts its terms: 1 for an offer, one more for each counter-offer.
    pub revision: u32,
    /// Who made the terms; whose goods are reserved.
    pub from: PlayerId,
    /// Who may accept them.
    pub to: PlayerId,
    /// What `from` gives.
    pub give: Goods,
    /// What `from` gets; empty in a gift.
    pub want: Goods,
    /// When an open offer ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// Why it ended without a trade, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `ok` of the verbs of trades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TradeBody {
    /// Which trade.
    pub trade_id: TradeId,
}

/// What becomes of a party whose leader leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnLeaderLeft {
    /// It ends.
    End,
    /// Whoever has been in it for longest leads on.
    PassOn,
}

/// A party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartyInfo {
    /// Which party.
    pub party_id: PartyId,
    /// For people.
    pub name: String,
    /// Who invites, sends away and leads into rooms.
    pub leader: PlayerId,
    /// Everyone, the leader among them, longest first.
    pub members: Vec<PlayerId>,
    /// What becomes of it when the leader leaves.
    pub on_leader_left: OnLeaderLeft,
}

/// What happened to a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyChange {
    /// It began.
    Created,
    /// `by` invites this player; `party` is the one to join. The member who did is told too.
    Invited,
    /// The invitation is no longer good; `party` is null.
    Withdrawn,
    /// `by` has joined.
    Joined,
    /// `by` has left.
    Left,
    /// `by` was sent away; for whom that is, `party` is null.
    Kicked,
    /// `by` leads now.
    Led,
    /// It has ended; `party` is null.
    Ended,
    /// All of them are on their way into a room.
    Entered,
}

/// A party changed. Numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyEvent {
    /// The party now; null where this player is in none any more.
    pub party: Option<PartyInfo>,
    /// Whose doing it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PlayerId>,
    /// What happened.
    pub what: PartyChange,
}

/// `ok` of the verbs of parties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartyBody {
    /// The party that the player is in now.
    pub party: Option<PartyInfo>,
}

/// A coin on the floor; `[coin, x, y]` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, i32, i32)", into = "(u64, i32, i32)")]
pub struct CoinRow {
    /// Its number; never used again in its room.
    pub coin: u64,
    /// Units from the left.
    pub x: i32,
    /// Units from the top.
    pub y: i32,
}

/// How far from a coin a player picks it up, in units.
pub const COIN_REACH: i32 = 48;

impl CoinRow {
    /// Whether someone who stands there may pick it up.
    #[must_use]
    pub fn is_in_reach(&self, x: i32, y: i32) -> bool {
        let (dx, dy) = (i64::from(self.x) - i64::from(x), i64::from(self.y) - i64::from(y));
        dx * dx + dy * dy <= i64::from(COIN_REACH) * i64::from(COIN_REACH)
    }
}

impl From<(u64, i32, i32)> for CoinRow {
    fn from((coin, x, y): (u64, i32, i32)) -> Self {
        Self { coin, x, y }
    }
}

impl From<CoinRow> for (u64, i32, i32) {
    fn from(row: CoinRow) -> Self {
        (row.coin, row.x, row.y)
    }
}

/// Coins of the room. Reliable and in order, not replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoinsEvent {
    /// Coins that lie there now: new ones, or all of them.
    #[serde(default)]
    pub at: Vec<CoinRow>,
    /// Coins that were picked up.
    #[serde(default)]
    pub taken: Vec<u64>,
    /// True when `at` is all of them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
}
