//! What a worker receives: mail for one actor, and the workers' addresses.
//!
//! Mail that came from another node says so: it is never sent on, so that two nodes that each
//! believe an actor to be with the other do not pass its mail back and forth.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use tokio::sync::mpsc;

use super::activity::Failure;
use super::connection::Connection;
use super::core::{Tell, Verdict};
use super::envelope::{Answered, Attach, Call, CallError, CallReply, Command, ConnectionId};
use super::fleet::{FleetHandle, Post};
use super::record::{ActivityId, TellId};
use crate::store::NodeSession;

/// Mail for one actor.
#[derive(Debug)]
pub(super) struct Envelope {
    pub to: ActorId,
    /// The node that it came from; `None`: this one.
    pub via: Option<NodeSession>,
    pub mail: Mail,
}

/// An answer from an actor, or why there is none.
pub(super) type Answer = Result<Answered, CallError>;

/// Where the answer to a call or query goes.
pub(super) enum Reply {
    /// To a caller on this node.
    Here(CallReply),
    /// To the node that forwarded it.
    There(There),
}

/// The way back to a node that forwarded a call or query. One that is dropped without an answer
/// says that the outcome is not known, as a dropped [`CallReply`] does.
pub(super) struct There {
    fleet: FleetHandle,
    node: NodeSession,
    actor: ActorId,
    id: u64,
    answered: bool,
}

impl There {
    pub fn new(fleet: FleetHandle, node: NodeSession, actor: ActorId, id: u64) -> Self {
        Self { fleet, node, actor, id, answered: false }
    }

    fn post(&mut self, result: Answer) {
        self.answered = true;
        // One that can't be sent is missed by the asking node, which then acts by itself.
        let answer = Post::Answer { from: self.actor.clone(), id: self.id, result };
        let _ = self.fleet.post(self.node, answer);
    }
}

impl Drop for There {
    fn drop(&mut self) {
        if !self.answered {
            self.post(Err(CallError::OutcomeUnknown));
        }
    }
}

impl Reply {
    /// Answers. A caller that has gone away needs no answer.
    pub fn send(self, result: Answer) {
        match self {
            Self::Here(reply) => drop(reply.send(result)),
            Self::There(mut there) => there.post(result),
        }
    }

    /// Whether it goes to that node.
    pub fn is_for(&self, node: NodeSession) -> bool {
        matches!(self, Self::There(there) if there.node == node)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(_) => f.write_str("a caller"),
            Self::There(there) => write!(f, "question {} of node session {}", there.id, there.node),
        }
    }
}

/// See [`super::core::Input`]; here with the sender's ends of sockets and calls.
#[derive(Debug)]
pub(super) enum Mail {
    Attach(Connection, Attach),
    Detach(ConnectionId),
    Command(Command),
    Read(Connection, u64, Bytes),
    Call(Box<Call>, Reply),
    Query {
        payload: Bytes,
        linearizable: bool,
        reply: Reply,
    },
    Tell(ActorId, Box<Tell>),
    Verdict(ActorId, TellId, Verdict),
    Settled(ActorId, TellId),
    SettleAsked(ActorId, TellId),
    /// The activation that asked for it began with this epoch.
    ActivityEnded(u64, ActivityId, Result<Bytes, Failure>),
    Heartbeat(u64, ActivityId, Bytes),
    /// An obligation is due.
    Wake,
    /// From node to node, about the actor.
    Routing(Routing),
}

/// What the node that it came [`Envelope::via`] says of an actor.
#[derive(Debug)]
pub(super) enum Routing {
    /// It has just spoken there.
    Speaks,
    /// It is there, and what was asked of it takes its time.
    Working,
    /// It is not there, and did not take what was sent.
    NotHere,
    /// The answer to what was forwarded under this number.
    Answer(u64, Answer),
    /// What was to be forwarded under this number was not sent.
    Unsent(u64),
    /// The node wants to have it.
    HandOver,
    /// The node has given it up.
    HandedOver,
}

impl Mail {
    /// Whether it brings an actor that does not exist into being.
    pub fn creates(&self) -> bool {
        match self {
            Self::Attach(_, Attach::Hello { creates, .. }) => *creates,
            Self::Call(call, _) => call.creates,
            Self::Tell(_, tell) => tell.creates,
            _ => false,
        }
    }

    /// Whether it needs the actor in memory. What is about an activation that is gone does not;
    /// neither do commands and reads of a socket that no activation knows: by them a lost
    /// connection would take the actor back from the node that has it now.
    pub fn activates(&self) -> bool {
        !matches!(
            self,
            Self::Detach(_)
                | Self::Command(_)
                | Self::Read(..)
                | Self::Verdict(..)
                | Self::Settled(..)
                | Self::ActivityEnded(..)
                | Self::Heartbeat(..)
                | Self::Routing(_)
        )
    }

    /// Whether it follows its actor to another node. A socket stays where it is and the actor
    /// comes to it; what is about an activation ends with it.
    pub fn travels(&self) -> bool {
        matches!(
            self,
            Self::Call(..)
                | Self::Query { .. }
                | Self::Tell(..)
                | Self::Verdict(..)
                | Self::Settled(..)
                | Self::SettleAsked(..)
        )
    }

    /// Whether its sender waits for an answer.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Call(..) | Self::Query { .. })
    }

    /// Whether it brings a socket, for which the actor is taken from whoever has it.
    pub fn is_attach(&self) -> bool {
        matches!(self, Self::Attach(..))
    }

    /// Whether someone uses the actor by it, rather than looks after it.
    pub fn is_use(&self) -> bool {
        let speaks = matches!(self, Self::Command(_) | Self::Read(..));
        speaks || (self.activates() && !matches!(self, Self::Wake | Self::SettleAsked(..)))
    }

    /// Whether it attaches that socket.
    pub fn attaches(&self, connection: ConnectionId) -> bool {
        matches!(self, Self::Attach(with, _) if with.id == connection)
    }
}

/// The workers' queues. An actor belongs to one worker for the process's life.
#[derive(Debug, Clone)]
pub(super) struct Peers(pub Arc<[mpsc::Sender<Envelope>]>);

impl Peers {
    /// The worker that an actor belongs to.
    pub fn index(&self, actor: &ActorId) -> usize {
        let mut hasher = DefaultHasher::new();
        actor.hash(&mut hasher);
        let workers = self.0.len().max(1) as u64;
        usize::try_from(hasher.finish() % workers).unwrap_or(0)
    }

    /// Sends, waiting for room in the worker's queue. Returns whether the worker is there.
    pub async fn send(&self, to: &ActorId, mail: Mail) -> bool {
        let Some(peer) = self.0.get(self.index(to)) else { return false };
        peer.send(Envelope { to: to.clone(), via: None, mail }).await.is_ok()
    }

    /// Sends if there is room now. No worker ever waits for another.
    pub fn try_send(&self, to: &ActorId, mail: Mail) -> bool {
        self.try_forward(Envelope { to: to.clone(), via: None, mail }).is_ok()
    }

    /// Sends if there is room now, or hands it back.
    pub fn try_forward(&self, envelope: Envelope) -> Result<(), Envelope> {
        match self.0.get(self.index(&envelope.to)) {
            Some(peer) => peer.try_send(envelope).map_err(mpsc::error::TrySendError::into_inner),
            None => Err(envelope),
        }
    }
}
