//! The contract between the runtime and a game's rules. Pure.
//!
//! A game author writes one type per kind of actor and implements [`Actor`] for it. `decide`
//! judges a message against the state and changes nothing; `apply` folds one fact into the state
//! and cannot fail. Everything else (journal, snapshots, exactly-once, tells, timers,
//! activities, sockets) is the runtime's.
//!
//! - I2: nothing that a [`Decision`] asks for leaves the process before its record is durable.
//! - I3: `apply` is total and deterministic. State holds integers and ordered maps only; time
//!   and randomness reach it inside events.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use crate::search::{Builtin, Declaration, Type as AttributeType, Value};

/// One kind of actor: its private state, and the rules over it.
///
/// The state is the implementing type itself; its serde form is what snapshots hold, so it
/// only ever grows fields with `#[serde(default)]`. The same is true of `Event`.
pub trait Actor: Serialize + DeserializeOwned + Send + 'static {
    /// A fact, named in the past tense. Journaled, and so readable for ever.
    type Event: Serialize + DeserializeOwned;
    /// What an operator may set for these rules. Read by `decide`, never by `apply`.
    type Settings: Send + Sync + 'static;

    /// The state before the first event.
    fn new(id: &ActorId) -> Self;

    /// Judges one message. Changes nothing.
    ///
    /// # Errors
    /// [`Reject`] refuses the message: nothing is journaled, nothing is used up. A refused tell,
    /// timer or result counts as received.
    fn decide(
        &self,
        ctx: &Ctx<'_, Self::Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<Self::Event>, Reject>;

    /// Folds one fact. Total: there is no fact that it refuses.
    fn apply(&mut self, event: &Self::Event);

    /// Answers a read. The payload is the caller's, such as a protocol verb; an empty one asks
    /// for the whole state as the actor's own player sees it. The answer is JSON text.
    ///
    /// # Errors
    /// [`Reject`] when there is nothing to tell.
    fn query(&self, ctx: &Ctx<'_, Self::Settings>, payload: &[u8]) -> Result<Bytes, Reject>;

    /// What others near this actor may see of it, newest first wins. `None`: nothing.
    fn view(&self) -> Option<View> {
        None
    }

    /// Where [`Decision::broadcasts`] are heard, such as a room's id. By default where the actor
    /// is seen. `None`: nowhere.
    fn topic(&self, _id: &ActorId) -> Option<Arc<str>> {
        self.view().and_then(|view| view.topic)
    }

    /// Whether the actor has come to its end: nothing it owes anyone is left for the rules to do.
    /// When its tells have arrived and its timers are gone, it is erased: the store keeps nothing
    /// of it, as if it had never been. Its id should not be used again.
    fn is_over(&self) -> bool {
        false
    }

    /// What a session is found by, see [`crate::search`]. `None`: this actor is no session, or not
    /// yet. Asked for at most once a second, and only when the state is durable.
    fn attributes(&self) -> Option<Attributes> {
        None
    }

    /// The attributes that these rules give beside the built-in ones.
    #[must_use]
    fn declared() -> Vec<Declaration> {
        Vec::new()
    }
}

/// What a decision may know besides the state and the message.
pub struct Ctx<'a, S> {
    /// The actor's own id.
    pub id: &'a ActorId,
    /// Unix milliseconds: max(last journaled now, store time). I3.
    pub now_ms: u64,
    /// The seq of the record that this decision will be part of.
    pub seq: u64,
    /// A fresh token for [`Reply::Later`]; unique in this actor's life.
    pub token: Token,
    /// A random number; what comes of it must be in the events.
    pub random: u64,
    /// Whether a socket is attached to this actor's session now.
    pub connected: bool,
    /// The operator's settings for these rules.
    pub settings: &'a S,
}

/// Names one pending reply of an actor.
pub type Token = u64;

/// What reaches an actor.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// A player says hello: a new session begins. Payload: the edge's.
    Opened {
        /// What the edge knows of the caller, encoded as the game and the edge agreed.
        payload: &'a [u8],
    },
    /// The session's player is back on a new socket.
    Resumed,
    /// The session's socket is gone, or the process that held it.
    Lost,
    /// A command. Its payload was checked for shape at the edge.
    Command {
        /// Who speaks.
        origin: Origin,
        /// A protocol verb as MessagePack.
        payload: &'a [u8],
    },
    /// Another actor's message, each exactly once and in order per sender.
    Tell {
        /// The sender.
        from: &'a ActorId,
        /// As the sender's rules made it.
        payload: &'a [u8],
    },
    /// A tell of this actor that can't reach anyone.
    Undelivered {
        /// Whom it was for.
        to: &'a ActorId,
        /// What it said.
        payload: &'a [u8],
        /// Why.
        reason: Undelivered,
    },
    /// A timer has come due. It is no longer set.
    Timer {
        /// As it was set.
        name: &'a str,
    },
    /// An activity has ended, well or after its last attempt.
    ActivityEnded {
        /// The activity's name.
        name: &'a str,
        /// Its input.
        input: &'a [u8],
        /// Its result, or why it failed for good.
        outcome: Result<&'a [u8], &'a str>,
    },
}

/// Who speaks a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The actor's own player, over its session's socket.
    Session,
    /// The actor's own player, over HTTP.
    Owner,
    /// A service, an operator, or the node itself.
    Service,
}

/// Why a tell was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undelivered {
    /// The receiver does not exist, and its kind does not begin with a tell.
    NoSuchActor,
    /// The tell went through too many hands ([`HOPS_MAX`]).
    TooManyHops,
}

/// Most hands that one cause may pass through from tell to tell.
pub const HOPS_MAX: u8 = 16;

/// What the rules want to happen. All of it becomes durable in one record, and only then
/// leaves the process.
#[derive(Debug)]
pub struct Decision<E> {
    /// Facts, folded in order at once.
    pub events: Vec<E>,
    /// Messages to other actors.
    pub tells: Vec<Tell>,
    /// Timers to set or cancel, in order.
    pub timers: Vec<TimerChange>,
    /// Activities to run.
    pub activities: Vec<ActivityCall>,
    /// Messages for the player's own socket.
    pub pushes: Vec<Push>,
    /// Messages for every socket near this actor, such as chat. At most once, in order.
    pub broadcasts: Vec<Bytes>,
    /// The answer to the message, if it is a command.
    pub reply: Reply,
    /// Pending replies that this message completes.
    pub completions: Vec<(Token, Result<Bytes, Reject>)>,
    /// An error for the player's socket beside what was accepted, such as input that moved
    /// nothing: sent with `"id": null`, at most once a second.
    pub warning: Option<Reject>,
    /// Sentences for the operators: something that must not happen has, such as goods that do not
    /// add up. Each is logged and counted, as a violation, when the record is durable.
    pub alarms: Vec<String>,
    /// The session ends with this record; the socket is closed after the reply.
    pub ends_session: bool,
}

impl<E> Default for Decision<E> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            tells: Vec::new(),
            timers: Vec::new(),
            activities: Vec::new(),
            pushes: Vec::new(),
            broadcasts: Vec::new(),
            reply: Reply::None,
            completions: Vec::new(),
            warning: None,
            alarms: Vec::new(),
            ends_session: false,
        }
    }
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No answer is owed (input, tells, timers), or an empty one (`{}`) to a command.
    None,
    /// JSON text of the `ok` member.
    Now(Bytes),
    /// A later record completes it under this token ([`Ctx::token`]).
    Later(Token),
}

/// A refused message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// One of the protocol's error codes, such as `room_full`.
    pub code: Cow<'static, str>,
    /// One sentence for people.
    pub message: Cow<'static, str>,
}

impl Reject {
    /// A refusal with a sentence.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into() }
    }
}

/// A message to another actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// The receiver.
    pub to: ActorId,
    /// For its rules.
    pub payload: Bytes,
    /// Creates the receiver if it does not exist.
    pub creates: bool,
}

/// A change to an actor's timers. A timer is durable: it fires after a crash or a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    /// Sets `name` to fire at or after `at_ms`, replacing an earlier setting.
    Set {
        /// Unique within the actor.
        name: Cow<'static, str>,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Forgets `name`.
    Cancel {
        /// Unique within the actor.
        name: Cow<'static, str>,
    },
}

/// A call of a named activity: work with effects outside, run after the record is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityCall {
    /// As it is registered.
    pub name: Cow<'static, str>,
    /// For the activity.
    pub input: Bytes,
    /// How long and how often.
    pub options: ActivityOptions,
}

/// How long an activity may take and how often it is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityOptions {
    /// Longest time of one attempt.
    pub start_to_close_ms: u64,
    /// Longest silence between heartbeats of one attempt; `None`: no heartbeats are expected.
    pub heartbeat_timeout_ms: Option<u64>,
    /// Wait before the second attempt; doubles after each.
    pub first_retry_ms: u64,
    /// Longest wait between attempts.
    pub retry_ms_max: u64,
    /// Attempts in all.
    pub attempts_max: u32,
}

impl Default for ActivityOptions {
    fn default() -> Self {
        Self {
            start_to_close_ms: 30_000,
            heartbeat_timeout_ms: None,
            first_retry_ms: 1_000,
            retry_ms_max: 30_000,
            attempts_max: 5,
        }
    }
}

/// A message for the player's own socket, as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// Numbered: travels with its record's seq, is kept and replayed on resume.
    Numbered(Bytes),
    /// Reliable while the socket lives, not replayed.
    Transient(Bytes),
}

/// What a session is found by: attributes and their values. One that is not set is missing.
/// `PlayerId` and `Node` are the runtime's to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The built-in ones.
    pub builtin: Vec<(Builtin, Value)>,
    /// Those of [`Actor::declared`], by name.
    pub declared: Vec<(&'static str, Value)>,
}

/// What others near an actor may see of it. Replaces the actor's earlier view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Where it is seen, such as a room's id; `None`: nowhere, only its own player sees `input`.
    pub topic: Option<Arc<str>>,
    /// Its number there.
    pub entity: u32,
    /// Its display name.
    pub label: Arc<str>,
    /// Position, in the world's units, y down.
    pub x: i32,
    /// Position, in the world's units, y down.
    pub y: i32,
    /// Health.
    pub health: i32,
    /// Bits that the rules and their clients agreed on.
    pub flags: u32,
    /// Last input step that its state contains.
    pub input: u64,
}
