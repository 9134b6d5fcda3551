//! Events: what happens without being asked for.
//!
//! Numbered ones (`player`, `notice`, `combat`, `trade`, `party`) come in [`Events`] and are replayed on resume;
//! the others pass by.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::dealing::{CoinsEvent, PartyEvent, TradeEvent};
use super::{is_false, is_zero};
use crate::client::MoveType;
use crate::ids::PlayerId;

/// All numbered events of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// The record's journal position.
    pub seq: u64,
    /// In order.
    pub evs: Vec<Event>,
}

/// Fields of the player's state that changed. Numbered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlayerEvent {
    /// New values by the field names of [`PlayerState`].
    pub set: Map<String, Value>,
}

/// A sentence for the player. Numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeEvent {
    /// The sentence.
    pub text: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A blow, told to attacker and target. Numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CombatEvent {
    /// The move.
    pub move_type: MoveType,
    /// Whose move.
    pub by: PlayerId,
    /// At whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PlayerId>,
    /// Damage done.
    pub damage: u64,
    /// Experience gained by the mover.
    pub xp: u64,
    /// Gold that the blow took from whom it defeated; absent is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gold: u64,
}

/// Chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SayEvent {
    /// Who speaks.
    pub from: PlayerId,
    /// What is said.
    pub text: String,
    /// The party it was said to; none is the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
}

/// Whom an entity number means; `[entity, player, name]` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, PlayerId, String)", into = "(u32, PlayerId, String)")]
pub struct RosterRow {
    /// The room's number, stable per membership.
    pub entity: u32,
    /// The player's id.
    pub player: PlayerId,
    /// The display name.
    pub name: String,
}

impl From<(u32, PlayerId, String)> for RosterRow {
    fn from((entity, player, name): (u32, PlayerId, String)) -> Self {
        Self { entity, player, name }
    }
}

impl From<RosterRow> for (u32, PlayerId, String) {
    fn from(row: RosterRow) -> Self {
        (row.entity, row.player, row.name)
    }
}

/// Whom the entity numbers mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEvent {
    /// New or all members.
    pub players: Vec<RosterRow>,
    /// True when this is everybody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
}

/// [`EntityRow::flags`]: defending.
pub const FLAG_DEFENDING: u8 = 1;
/// [`EntityRow::flags`]: defeated.
pub const FLAG_DEFEATED: u8 = 2;
/// [`EntityRow::flags`]: sprinting.
pub const FLAG_SPRINTING: u8 = 4;
/// [`EntityRow::flags`]: the connection is lost.
pub const FLAG_LINKDEAD: u8 = 8;

/// One entity of a room; `[entity, x, y, health, flags]` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u32, i32, i32, u32, u8)", into = "(u32, i32, i32, u32, u8)")]
pub struct EntityRow {
    /// The room's number, see [`RosterEvent`].
    pub entity: u32,
    /// Units from the left.
    pub x: i32,
    /// Units from the top.
    pub y: i32,
    /// Health left.
    pub health: u32,
    /// `FLAG_*` bits.
    pub flags: u8,
}

impl From<(u32, i32, i32, u32, u8)> for EntityRow {
    fn from((entity, x, y, health, flags): (u32, i32, i32, u32, u8)) -> Self {
        Self { entity, x, y, health, flags }
    }
}

impl From<EntityRow> for (u32, i32, i32, u32, u8) {
    fn from(row: EntityRow) -> Self {
        (row.entity, row.x, row.y, row.health, row.flags)
    }
}

/// What moved or changed in the room. Latest wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomEvent {
    /// Store time / step_ms.
    pub tick: u64,
    /// The last durable input seq of this client.
    #[serde(rename = "in")]
    pub input_seq: u64,
    /// Changed entities, the own one first.
    pub e: Vec<EntityRow>,
    /// Entities that left.
    #[serde(default)]
    pub gone: Vec<u32>,
    /// True when it is no delta: entities that are not in `e` are gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
}

/// One place of the leaderboard; `[player, name, score, rank]` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(PlayerId, String, u64, u32)", into = "(PlayerId, String, u64, u32)")]
pub struct TopRow {
    /// The player's id.
    pub player: PlayerId,
    /// The display name.
    pub name: String,
    /// The score.
    pub score: u64,
    /// The place, from 1.
    pub rank: u32,
}

impl From<(PlayerId, String, u64, u32)> for TopRow {
    fn from((player, name, score, rank): (PlayerId, String, u64, u32)) -> Self {
        Self { player, name, score, rank }
    }
}

impl From<TopRow> for (PlayerId, String, u64, u32) {
    fn from(row: TopRow) -> Self {
        (row.player, row.name, row.score, row.rank)
    }
}

/// The best players. Latest wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderboardEvent {
    /// At most ten, best first.
    pub top: Vec<TopRow>,
}

/// The node will stop: connect again after that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainEvent {
    /// In milliseconds.
    pub retry_after_ms: u64,
}

/// Something that happened. JSON only: reading looks at `ev` first, wherever it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub enum Event {
    /// See [`PlayerEvent`].
    Player(PlayerEvent),
    /// See [`NoticeEvent`].
    Notice(NoticeEvent),
    /// See [`CombatEvent`].
    Combat(CombatEvent),
    /// See [`TradeEvent`].
    Trade(TradeEvent),
    /// See [`PartyEvent`].
    Party(PartyEvent),
    /// See [`SayEvent`].
    Say(SayEvent),
    /// See [`CoinsEvent`].
    Coins(CoinsEvent),
    /// See [`RosterEvent`].
    Roster(RosterEvent),
    /// See [`RoomEvent`].
    Room(RoomEvent),
    /// See [`LeaderboardEvent`].
    Leaderboard(LeaderboardEvent),
    /// See [`DrainEvent`].
    Drain(DrainEvent),
    /// What this version does not know, whole.
    #[serde(untagged)]
    Unknown(Value),
}

impl Event {
    pub(super) fn read(ev: &str, text: &str) -> serde_json::Result<Self> {
        Ok(match ev {
            "player" => Self::Player(serde_json::from_str(text)?),
            "notice" => Self::Notice(serde_json::from_str(text)?),
            "combat" => Self::Combat(serde_json::from_str(text)?),
            "trade" => Self::Trade(serde_json::from_str(text)?),
            "party" => Self::Party(serde_json::from_str(text)?),
            "coins" => Self::Coins(serde_json::from_str(text)?),
            "say" => Self::Say(serde_json::from_str(text)?),
            "roster" => Self::Roster(serde_json::from_str(text)?),
            "room" => Self::Room(serde_json::from_str(text)?),
            "leaderboard" => Self::Leaderboard(serde_json::from_str(text)?),
            "drain" => Self::Drain(serde_json::from_str(text)?),
            _ => Self::Unknown(serde_json::from_str(text)?),
        })
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tag {
            ev: String,
        }
        let raw = Box::<RawValue>::deserialize(from)?;
        let tag: Tag = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Self::read(&tag.ev, raw.get()).map_err(D::Error::custom)
    }
}
