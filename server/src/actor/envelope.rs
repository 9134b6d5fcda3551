//! What travels between the edge and an actor: envelopes in, deliveries out.
//!
//! Types only. The runtime never looks inside a payload.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use tokio::sync::oneshot;

use super::contract::{Origin, Reject, View};

/// Names one socket of this node, unique for the process's life.
pub type ConnectionId = u64;

/// A player's session, across reconnects: the seq of the record that opened it.
pub type SessionId = u64;

/// What an actor sends to its player's socket, in order. I2: durable before it is sent.
#[derive(Debug)]
pub enum Delivery {
    /// A session was opened or resumed on this connection. Always the first delivery.
    Attached(Box<Attached>),
    /// Hello or resume was refused; the socket stays the caller's to close.
    Refused(Box<Refusal>),
    /// The answer to the command or query `id` of this session.
    Reply {
        /// The client's id; `None`: an error about a message without one.
        id: Option<u64>,
        /// JSON text of `ok`, or why not.
        outcome: Box<Outcome>,
    },
    /// All numbered events of one record: the JSON texts, comma-separated, of `evs`.
    Events {
        /// The record's seq.
        seq: u64,
        /// JSON texts of the events, comma-separated.
        evs: Bytes,
    },
    /// A message that is reliable but not numbered, as JSON text.
    Transient(Bytes),
    /// The runtime is done with this connection.
    Close(Closing),
}

/// The outcome of one command or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// JSON text of `ok`, or the refusal.
    pub result: Result<Bytes, Reject>,
    /// The journal position that makes an `ok` durable.
    pub seq: Option<u64>,
    /// A repeat, answered with the first reply.
    pub dup: bool,
}

/// Hello or resume, refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// By the rules or the runtime, for this reason.
    Rejected(Reject),
    /// The session has ended: say hello again.
    SessionEnded,
    /// No such player, and this call does not create one.
    NoSuchActor,
    /// Too much waits already, or the store is stalled: try again.
    Busy,
    /// The actor is quarantined: an operator has to look.
    Quarantined,
}

/// Why the runtime gives a connection up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The session ended by the player's own wish, after the reply.
    LoggedOut,
    /// The player connected again somewhere.
    Replaced,
    /// The session has run out.
    Expired,
    /// The activation was lost, or a command is in doubt: resume and repeat.
    Lost,
    /// The player is handed over to another node.
    HandedOver,
}

/// How a session was attached to a connection.
#[derive(Debug)]
pub struct Attached {
    /// Which of the three.
    pub how: Attachment,
    /// The session.
    pub session: SessionId,
    /// The highest id of the session that was answered, refused or deferred.
    pub watermark: u64,
    /// The actor's term.
    pub epoch: u64,
    /// The newest durable record.
    pub seq: u64,
    /// The rules' state for the player, JSON text.
    pub state: Bytes,
    /// Frames to replay, oldest first: (seq, comma-separated JSON texts). Only for `Resumed`.
    pub replay: Vec<(u64, Bytes)>,
    /// What the actor's activation took; `None`: an earlier connection has been told.
    pub activated: Option<Activated>,
}

/// What an activation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activated {
    /// Records that were replayed on the snapshot.
    pub records: u64,
    /// From the claim on, in microseconds.
    pub took_micros: u64,
}

/// The three ways to be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// A new session.
    Welcome,
    /// Nothing was missed but what `replay` holds.
    Resumed,
    /// More was missed than is kept: start from `state`.
    Resync,
}

/// A hello or a resume.
#[derive(Debug)]
pub enum Attach {
    /// Begins a new session and ends the one before.
    Hello {
        /// For the rules ([`super::contract::Message::Opened`]).
        payload: Bytes,
        /// Creates the player where there is none.
        creates: bool,
    },
    /// Goes on with a session.
    Resume {
        /// Which.
        session: SessionId,
        /// The newest numbered event that the client saw.
        seq: u64,
    },
}

/// A command of a session, over its socket.
#[derive(Debug, Clone)]
pub struct Command {
    /// The session it belongs to.
    pub session: SessionId,
    /// The socket that asks.
    pub connection: ConnectionId,
    /// The client's id; `None` for input, which is not answered.
    pub id: Option<u64>,
    /// The caller-chosen second key (`event_id`).
    pub key: Option<Box<str>>,
    /// For the rules.
    pub payload: Bytes,
}

/// A command from outside any session: HTTP, an operator, the node.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who speaks.
    pub origin: Origin,
    /// The caller-chosen key (`Idempotency-Key`).
    pub key: Option<Box<str>>,
    /// For the rules.
    pub payload: Bytes,
    /// Creates the actor where there is none.
    pub creates: bool,
    /// Answered as soon as the command is durable, with an empty object where its own answer
    /// comes later.
    pub signal: bool,
}

/// Why a call or query got no answer from the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The rules refused.
    #[error("{}: {}", .0.code, .0.message)]
    Rejected(Reject),
    /// No such actor.
    #[error("no such actor")]
    NoSuchActor,
    /// Not executed: try again.
    #[error("too much is waiting; nothing was executed, try again")]
    Busy,
    /// Accepted and durable; the answer is not known yet. A repeat of the key attaches to it.
    #[error("accepted, the answer is not known yet")]
    Pending,
    /// Whether it was executed is not known.
    #[error("whether it was executed is not known")]
    OutcomeUnknown,
    /// The actor is quarantined.
    #[error("the actor is quarantined; an operator has to look at its journal")]
    Quarantined,
}

/// An answered call or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// JSON text.
    pub body: Bytes,
    /// The actor's term.
    pub epoch: u64,
    /// The newest durable record that the answer contains; of a repeat, that of the first reply.
    pub seq: u64,
    /// A repeat, answered with the first reply.
    pub dup: bool,
}

/// Where a call's answer goes.
pub type CallReply = oneshot::Sender<Result<Answered, CallError>>;

/// Where actors' views and broadcasts go: the edge, which shows them to sockets nearby.
/// Called from the runtime's workers; must not block.
pub trait Nearby: Send + Sync + fmt::Debug + 'static {
    /// Replaces what others see of `actor`; `None` removes it. Older (epoch, seq) are dropped.
    fn view(&self, actor: &ActorId, epoch: u64, seq: u64, view: Option<View>);
    /// Shows `message` (JSON text) to every socket at `topic`, the actor's own included.
    fn broadcast(&self, actor: &ActorId, topic: &Arc<str>, message: Bytes);
}
