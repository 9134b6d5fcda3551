//! What clients are told: replies, numbered events, passing events.
//!
//! The server encodes through [`crate::frame`]; bots and tests read with [`ServerMessage::decode`].
//! A reader keeps what it does not know ([`Event::Unknown`]) and ignores fields that it does not
//! know, so that later servers may add both.

mod dealing;
mod event;
mod state;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::codes::ErrorCode;
use crate::ids::PlayerId;
use crate::movement::{INPUT_STEPS_MAX, STEP_MS};
pub use dealing::{
    COIN_REACH, CoinRow, CoinsEvent, OnLeaderLeft, PartyBody, PartyChange, PartyEvent, PartyInfo,
    TradeBody, TradeEvent, TradePhase,
};
pub use event::{
    CombatEvent, DrainEvent, EntityRow, Event, Events, FLAG_DEFEATED, FLAG_DEFENDING,
    FLAG_LINKDEAD, FLAG_SPRINTING, LeaderboardEvent, NoticeEvent, PlayerEvent, RoomEvent,
    RosterEvent, RosterRow, SayEvent, TopRow,
};
pub use state::{
    Buff, Cooldown, InventoryBody, InventoryItem, MetricsBody, MoveBody, Notification, PlayerState,
    RefreshBody, RoomBody, RoomInfo, RoomsBody, Status, StatusBody, TopBody, UseBody, WhoBody,
    WhoRow,
};

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Which answer to hello or resume a [`Welcome`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WelcomeKind {
    /// A new session.
    Welcome,
    /// The session goes on; every missed frame follows.
    Resumed,
    /// The session goes on; missed frames are gone and the state replaces them.
    Resync,
}

impl WelcomeKind {
    /// The kind as it stands in `ev`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Resumed => "resumed",
            Self::Resync => "resync",
        }
    }
}

/// What a client may send at most; all are settings of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Largest message in, in bytes.
    pub message_bytes_max: u64,
    /// Input frames a second.
    pub inputs_per_s: u32,
    /// Commands a second.
    pub commands_per_s: u32,
    /// Chat messages a second.
    pub says_per_s: u32,
    /// Commands that may be unanswered.
    pub in_flight_max: u32,
    /// Steps of one input frame.
    pub input_steps_max: u32,
    /// How often the server pings, in milliseconds.
    pub ping_every_ms: u64,
    /// Silence after which a connection is dead, in milliseconds.
    pub dead_after_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 * 1024,
            inputs_per_s: 60,
            commands_per_s: 20,
            says_per_s: 1,
            in_flight_max: 64,
            input_steps_max: INPUT_STEPS_MAX as u32,
            ping_every_ms: 15_000,
            dead_after_ms: 30_000,
        }
    }
}

/// What it took to bring a player's actor to the node that answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// Records that were replayed on the newest snapshot.
    pub records: u64,
    /// From the claim to being ready, in milliseconds, to the tenth.
    pub took_ms: f64,
}

/// The answer to hello and resume.
///
/// `S` is [`PlayerState`] for readers; the server passes a `Box<RawValue>` (or a `&RawValue`)
/// that holds the state as JSON already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome<S = PlayerState> {
    /// Welcome, resumed or resync.
    #[serde(rename = "ev")]
    pub kind: WelcomeKind,
    /// Who this connection is.
    pub player: PlayerId,
    /// The session's id.
    pub session: String,
    /// The token for the next `resume`; serves until the session ends.
    pub resume: String,
    /// The node that answers.
    pub node: String,
    /// The player actor's ownership term.
    pub epoch: u64,
    /// The player actor's journal position that `state` stands for.
    pub seq: u64,
    /// The player's state.
    pub state: S,
    /// What the client may send.
    pub limits: Limits,
    /// Length of a movement step, in milliseconds.
    pub step_ms: u64,
    /// The store's clock, in Unix milliseconds.
    pub now: u64,
    /// WebSocket URLs of the live gateways, this one first.
    pub gateways: Vec<String>,
    /// Only `resumed`: how many event frames follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<u64>,
    /// Only where a guest claimed a name: the token that later hellos need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Only on the first connection since the node has claimed, loaded and replayed the player's
    /// actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

impl<S> Welcome<S> {
    /// A welcome with the protocol's default limits, and nothing replayed or claimed.
    #[must_use]
    pub fn new(kind: WelcomeKind, player: PlayerId, state: S) -> Self {
        Self {
            kind,
            player,
            session: String::new(),
            resume: String::new(),
            node: String::new(),
            epoch: 0,
            seq: 0,
            state,
            limits: Limits::default(),
            step_ms: STEP_MS,
            now: 0,
            gateways: Vec::new(),
            replayed: None,
            token: None,
            activation: None,
        }
    }
}

/// Why something was refused, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ErrorBody {
    /// The code.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// True: nothing was executed, send it again under a new id.
    pub retry: bool,
    /// When to send it again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorBody {
    /// An error whose `retry` is the code's.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry: code.retry(), retry_after_ms: None }
    }

    /// Says when to try again.
    #[must_use]
    pub fn after_ms(self, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..self }
    }
}

/// The answer to one message.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The id of the message; none for an error about a message without one.
    pub id: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a message.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Done.
    Ok {
        /// The verb's result.
        body: Box<RawValue>,
        /// The journal position that makes it durable; queries have none.
        seq: Option<u64>,
        /// True when this is the first reply once more.
        dup: bool,
    },
    /// Refused.
    Err(ErrorBody),
}

impl Reply {
    /// The result, read as `T`; the error where it was refused or is no `T`.
    ///
    /// # Errors
    /// [`ErrorBody`] of the reply, or `bad_message` when the body is not a `T`.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, ErrorBody> {
        match &self.outcome {
            Outcome::Err(error) => Err(error.clone()),
            Outcome::Ok { body, .. } => serde_json::from_str(body.get())
                .map_err(|error| ErrorBody::new(ErrorCode::BadMessage, error.to_string())),
        }
    }
}

/// A reply as it stands on the wire.
#[derive(Serialize, Deserialize)]
struct ReplyShape {
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err: Option<ErrorBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    dup: bool,
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let shape = match self.outcome.clone() {
            Outcome::Ok { body, seq, dup } => {
                ReplyShape { id: self.id, ok: Some(body), err: None, seq, dup }
            }
            Outcome::Err(error) => {
                ReplyShape { id: self.id, ok: None, err: Some(error), seq: None, dup: false }
            }
        };
        shape.serialize(out)
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ReplyShape { id, ok, err, seq, dup } = ReplyShape::deserialize(from)?;
        let outcome = match (ok, err) {
            (Some(body), None) => Outcome::Ok { body, seq, dup },
            (None, Some(error)) => Outcome::Err(error),
            _ => return Err(D::Error::custom("a reply has either ok or err")),
        };
        Ok(Self { id, outcome })
    }
}

/// The answer to `ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The ping's `t`.
    pub pong: Number,
    /// The store's clock, in Unix milliseconds.
    pub now: u64,
}

/// Anything that a server sends.
#[derive(Debug, Clone)]
pub enum ServerMessage {
    /// The answer to hello or resume.
    Welcome(Box<Welcome>),
    /// The answer to a message.
    Reply(Reply),
    /// Numbered events.
    Events(Events),
    /// An event that is not numbered.
    Event(Event),
    /// The answer to `ping`.
    Pong(Pong),
}

impl ServerMessage {
    /// Reads one JSON frame.
    ///
    /// # Errors
    /// serde_json's, when the text is none of the shapes or a known event lacks a field.
    pub fn decode(text: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Peek<'a> {
            #[serde(borrow)]
            ev: Option<std::borrow::Cow<'a, str>>,
            evs: Option<serde::de::IgnoredAny>,
            pong: Option<serde::de::IgnoredAny>,
        }
        let peek: Peek<'_> = serde_json::from_str(text)?;
        Ok(match peek.ev.as_deref() {
            Some("welcome" | "resumed" | "resync") => Self::Welcome(serde_json::from_str(text)?),
            Some(ev) => Self::Event(Event::read(ev, text)?),
            None if peek.evs.is_some() => Self::Events(serde_json::from_str(text)?),
            None if peek.pong.is_some() => Self::Pong(serde_json::from_str(text)?),
            None => Self::Reply(serde_json::from_str(text)?),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
