//! What clients say: one verb and its arguments.
//!
//! [`decode`] is the edge: after it every length, range and alphabet holds. `Verb`'s own serde
//! form (`{"do": …, "args": {…}}`, JSON or named MessagePack) is for those who pass checked verbs
//! on, and trusts them.

mod decode;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::goods::Goods;
use crate::ids::{PartyId, PlayerId, RoomId, TradeId};
pub use crate::movement::Step;
use crate::server::OnLeaderLeft;
pub use decode::{DecodeError, VerbError, decode, decode_verb};

/// Largest integer that every client can hold: 2^53 − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Longest text of `say`, in characters.
pub const SAY_LEN_MAX: usize = 200;
/// Longest display name, in characters.
pub const NAME_LEN_MAX: usize = 32;
/// Longest name of a party, in characters.
pub const PARTY_NAME_LEN_MAX: usize = 32;
/// Longest `event_id`, in characters.
pub const EVENT_ID_LEN_MAX: usize = 64;
/// Longest `item_id`, in characters.
pub const ITEM_ID_LEN_MAX: usize = 64;

/// The kind of an `execute_move`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MoveType {
    /// A blow.
    Attack,
    /// Halves blows for a while.
    Defend,
    /// Gives back some health.
    Heal,
    /// A heavy blow with a cooldown.
    Special,
}

impl MoveType {
    /// The move as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Defend => "defend",
            Self::Heal => "heal",
            Self::Special => "special",
        }
    }
}

/// How a verb is treated: what it may change, and whether it needs an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Opens or takes up a session: hello, resume.
    Session,
    /// Changes state; needs an id and takes effect at most once.
    Command,
    /// Reads; echoes its id and leaves the watermark alone.
    Query,
    /// Movement; numbered by its own seq.
    Input,
    /// About the connection itself: ping, refresh.
    Control,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", content = "args", rename_all = "snake_case")]
pub enum Verb {
    /// Opens a new session.
    Hello {
        /// A signed token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// A guest's id, where guests are allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        player: Option<PlayerId>,
        /// A display name; without one the former is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Goes on with a session after a lost connection.
    Resume {
        /// The resume token of `welcome`.
        token: String,
        /// The newest event seq that the client has seen.
        seq: u64,
    },
    /// Enters a room and leaves the former one.
    JoinRoom {
        /// Which room.
        room_id: RoomId,
    },
    /// Leaves the room.
    LeaveRoom {},
    /// A blow, a defence or a healing.
    ExecuteMove {
        /// Which move.
        move_type: MoveType,
        /// At whom; none is a practice blow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target_player_id: Option<PlayerId>,
        /// The caller's own key against repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
    },
    /// Steps of movement.
    Input {
        /// The number of the first step, from 1 a session.
        seq: u64,
        /// At most [`crate::movement::INPUT_STEPS_MAX`] steps.
        steps: Vec<Step>,
    },
    /// Uses an item of the inventory.
    UseItem {
        /// Which item.
        item_id: String,
    },
    /// Speaks to the room.
    Say {
        /// What to say.
        text: String,
    },
    /// Offers a trade; the goods that are given are reserved until it ends.
    TradeOffer {
        /// To whom.
        to: PlayerId,
        /// What the player gives.
        #[serde(default)]
        give: Goods,
        /// What the player gets.
        #[serde(default)]
        want: Goods,
    },
    /// Answers an offer with other terms.
    TradeCounter {
        /// Which trade.
        trade_id: TradeId,
        /// What the player gives.
        #[serde(default)]
        give: Goods,
        /// What the player gets.
        #[serde(default)]
        want: Goods,
        /// The terms that are answered; without it the newest that the player was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
    },
    /// Accepts an offer.
    TradeAccept {
        /// Which trade.
        trade_id: TradeId,
        /// The terms that are accepted; without it the newest that the player was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
    },
    /// Takes an offer back, or declines it.
    TradeCancel {
        /// Which trade.
        trade_id: TradeId,
    },
    /// Gives goods for nothing.
    Gift {
        /// To whom.
        to: PlayerId,
        /// What the player gives.
        give: Goods,
    },
    /// Begins a party.
    PartyCreate {
        /// Its name.
        name: String,
        /// What becomes of it when its leader leaves.
        on_leader_left: OnLeaderLeft,
    },
    /// Invites a player into the own party.
    PartyInvite {
        /// Whom.
        player: PlayerId,
    },
    /// Sends a member away, or takes an invitation back.
    PartyKick {
        /// Whom.
        player: PlayerId,
    },
    /// Joins the party of an invitation.
    PartyAccept {
        /// Which party.
        party_id: PartyId,
    },
    /// Leaves the party.
    PartyLeave {},
    /// Speaks to the party.
    PartySay {
        /// What to say.
        text: String,
    },
    /// Enters a room with the whole party, or not at all.
    PartyJoinRoom {
        /// Which room.
        room_id: RoomId,
    },
    /// Asks for the player's whole state.
    GetState {},
    /// Asks for the inventory.
    GetInventory {},
    /// Asks for the status.
    GetStatus {},
    /// Asks who is connected.
    Who {},
    /// Asks which rooms there are.
    Rooms {},
    /// Asks for the leaderboard.
    Top {},
    /// Asks for the whole room: the next room frame and roster are full.
    Look {},
    /// Prolongs the connection with a fresh token.
    Refresh {
        /// A signed token of the same player.
        token: String,
    },
    /// Asks for a sign of life.
    Ping {
        /// Comes back as `pong`.
        t: Number,
    },
    /// Ends the session.
    Logout {},
}

/// Every verb's name on the wire.
pub const VERBS: [&str; 30] = [
    "hello",
    "resume",
    "join_room",
    "leave_room",
    "execute_move",
    "input",
    "use_item",
    "say",
    "trade_offer",
    "trade_counter",
    "trade_accept",
    "trade_cancel",
    "gift",
    "party_create",
    "party_invite",
    "party_kick",
    "party_accept",
    "party_leave",
    "party_say",
    "party_join_room",
    "get_state",
    "get_inventory",
    "get_status",
    "who",
    "rooms",
    "top",
    "look",
    "refresh",
    "ping",
    "logout",
];

impl Verb {
    /// The verb's name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Resume { .. } => "resume",
            Self::JoinRoom { .. } => "join_room",
            Self::LeaveRoom {} => "leave_room",
            Self::ExecuteMove { .. } => "execute_move",
            Self::Input { .. } => "input",
            Self::UseItem { .. } => "use_item",
            Self::Say { .. } => "say",
            Self::TradeOffer { .. } => "trade_offer",
            Self::TradeCounter { .. } => "trade_counter",
            Self::TradeAccept { .. } => "trade_accept",
            Self::TradeCancel { .. } => "trade_cancel",
            Self::Gift { .. } => "gift",
            Self::PartyCreate { .. } => "party_create",
            Self::PartyInvite { .. } => "party_invite",
            Self::PartyKick { .. } => "party_kick",
            Self::PartyAccept { .. } => "party_accept",
            Self::PartyLeave {} => "party_leave",
            Self::PartySay { .. } => "party_say",
            Self::PartyJoinRoom { .. } => "party_join_room",
            Self::GetState {} => "get_state",
            Self::GetInventory {} => "get_inventory",
            Self::GetStatus {} => "get_status",
            Self::Who {} => "who",
            Self::Rooms {} => "rooms",
            Self::Top {} => "top",
            Self::Look {} => "look",
            Self::Refresh { .. } => "refresh",
            Self::Ping { .. } => "ping",
            Self::Logout {} => "logout",
        }
    }

    /// How the verb is treated.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Hello { .. } | Self::Resume { .. } => Class::Session,
            Self::JoinRoom { .. }
            | Self::LeaveRoom {}
            | Self::ExecuteMove { .. }
            | Self::UseItem { .. }
            | Self::Say { .. }
            | Self::TradeOffer { .. }
            | Self::TradeCounter { .. }
            | Self::TradeAccept { .. }
            | Self::TradeCancel { .. }
            | Self::Gift { .. }
            | Self::PartyCreate { .. }
            | Self::PartyInvite { .. }
            | Self::PartyKick { .. }
            | Self::PartyAccept { .. }
            | Self::PartyLeave {}
            | Self::PartySay { .. }
            | Self::PartyJoinRoom { .. }
            | Self::Logout {} => Class::Command,
            Self::GetState {}
            | Self::GetInventory {}
            | Self::GetStatus {}
            | Self::Who {}
            | Self::Rooms {}
            | Self::Top {}
            | Self::Look {} => Class::Query,
            Self::Input { .. } => Class::Input,
            Self::Refresh { .. } | Self::Ping { .. } => Class::Control,
        }
    }

    /// The caller's own key against repeats, where the verb has one.
    #[must_use]
    pub fn event_id(&self) -> Option<&str> {
        match self {
            Self::ExecuteMove { event_id, .. } => event_id.as_deref(),
            _ => None,
        }
    }
}

/// One message from a client.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientMessage {
    /// Rises strictly within a session; commands and queries always have one.
    pub id: Option<u64>,
    /// What is asked.
    pub verb: Verb,
}

impl ClientMessage {
    /// The message as JSON text, `{"id":…,"do":…,"args":…}`.
    #[must_use]
    pub fn encode(&self) -> String {
        let verb = serde_json::to_string(&self.verb).unwrap_or_default();
        match (self.id, verb.strip_prefix('{')) {
            (Some(id), Some(rest)) => format!("{{\"id\":{id},{rest}"),
            _ => verb,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
