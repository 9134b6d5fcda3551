//! The player's state as clients see it, and the bodies of `ok` replies.

use serde::{Deserialize, Serialize};

use super::{PartyInfo, TopRow, TradeEvent, is_zero};
use crate::client::MoveType;
use crate::ids::{PlayerId, RoomId};

/// What a player is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Connected, in no room.
    Online,
    /// In a room.
    InRoom,
    /// A blow is pending.
    InCombat,
    /// No command or input for a while.
    Idle,
    /// Not here.
    Offline,
}

impl Status {
    /// The status as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::InRoom => "in_room",
            Self::InCombat => "in_combat",
            Self::Idle => "idle",
            Self::Offline => "offline",
        }
    }
}

/// A room from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoomInfo {
    /// The room's id.
    pub room_id: RoomId,
    /// For people.
    pub room_name: String,
    /// Members now.
    pub player_count: u32,
    /// Members at most.
    pub max_players: u32,
}

/// A kind of item and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InventoryItem {
    /// The item's id.
    pub item_id: String,
    /// For people.
    pub name: String,
    /// How many.
    pub quantity: u64,
}

/// Something that helps for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Buff {
    /// Which, such as `defend`.
    pub kind: String,
    /// Its end, in Unix milliseconds.
    pub until_ms: u64,
}

/// A move that can't be made yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cooldown {
    /// Which move.
    pub move_type: MoveType,
    /// Its end, in Unix milliseconds.
    pub until_ms: u64,
}

/// A sentence that waits for the player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    /// The sentence.
    pub text: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// A player's whole state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlayerState {
    /// The player's id.
    pub player_id: PlayerId,
    /// For people.
    pub display_name: String,
    /// What the player is doing.
    pub status: Status,
    /// Where, if anywhere.
    pub current_room: Option<RoomInfo>,
    /// What the player carries.
    pub inventory: Vec<InventoryItem>,
    /// Money.
    pub gold: u64,
    /// Health left; 0 is defeated.
    pub health: u32,
    /// Health at most.
    pub max_health: u32,
    /// Experience.
    pub xp: u64,
    /// `xp / 100 + 1`.
    pub level: u64,
    /// The leaderboard's number.
    pub score: u64,
    /// Units from the left.
    pub x: i32,
    /// Units from the top.
    pub y: i32,
    /// What helps now.
    pub buffs: Vec<Buff>,
    /// What can't be done yet.
    pub cooldowns: Vec<Cooldown>,
    /// Joins and moves since the last session metrics.
    pub session_actions_count: u64,
    /// Joins and moves ever.
    pub total_actions_count: u64,
    /// What waits for the player's return.
    pub pending_notifications: Vec<Notification>,
    /// Open trades that the player is part of, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trades: Vec<TradeEvent>,
    /// The party that the player is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyInfo>,
    /// Parties that the player may join, oldest invitation first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invitations: Vec<PartyInfo>,
}

/// `ok` of `join_room` and `leave_room`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoomBody {
    /// The room the player is in now.
    pub room: Option<RoomInfo>,
}

/// `ok` of `execute_move`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MoveBody {
    /// Damage done.
    pub damage: u64,
    /// Experience gained.
    pub xp: u64,
    /// The mover's own health.
    pub health: u32,
    /// Gold that the blow took from whom it defeated; absent is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gold: u64,
}

/// `ok` of `use_item`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UseBody {
    /// What was used, with the quantity that is left.
    pub item: InventoryItem,
    /// The player's health.
    pub health: u32,
}

/// `ok` of `get_inventory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InventoryBody {
    /// What the player carries.
    pub inventory: Vec<InventoryItem>,
}

/// `ok` of `get_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusBody {
    /// What the player is doing.
    pub status: Status,
}

/// How much a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricsBody {
    /// Joins and moves since the last session metrics.
    pub session_actions_count: u64,
    /// Joins and moves ever.
    pub total_actions_count: u64,
    /// Since when the session's are counted, in Unix milliseconds; 0 before the first session.
    pub session_since_ms: u64,
    /// The last command or input, in Unix milliseconds; 0 before the first.
    pub last_active_ms: u64,
    /// Steps of movement that were beyond the clock, ever.
    pub dropped_steps_count: u64,
}

/// Somebody who is connected; `[player, name, room]` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(PlayerId, String, Option<RoomId>)", into = "(PlayerId, String, Option<RoomId>)")]
pub struct WhoRow {
    /// The player's id.
    pub player: PlayerId,
    /// The display name.
    pub name: String,
    /// The room, if any.
    pub room: Option<RoomId>,
}

impl From<(PlayerId, String, Option<RoomId>)> for WhoRow {
    fn from((player, name, room): (PlayerId, String, Option<RoomId>)) -> Self {
        Self { player, name, room }
    }
}

impl From<WhoRow> for (PlayerId, String, Option<RoomId>) {
    fn from(row: WhoRow) -> Self {
        (row.player, row.name, row.room)
    }
}

/// `ok` of `who`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoBody {
    /// Who is connected.
    pub players: Vec<WhoRow>,
}

/// `ok` of `rooms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoomsBody {
    /// The rooms that have members.
    pub rooms: Vec<RoomInfo>,
}

/// `ok` of `top`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopBody {
    /// The best players, best first.
    pub top: Vec<TopRow>,
}

/// `ok` of `refresh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshBody {
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
}
