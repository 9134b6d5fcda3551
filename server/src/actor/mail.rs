//! What a worker receives: mail for one actor, and the workers' addresses.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use tokio::sync::mpsc;

use super::activity::Failure;
use super::core::{Tell, Verdict};
use super::envelope::{Attach, Call, CallError, CallReply, Command, Connection, ConnectionId};
use super::record::{ActivityId, TellId};

/// Mail for one actor.
#[derive(Debug)]
pub(super) struct Envelope {
    pub to: ActorId,
    pub mail: Mail,
}

/// See [`super::core::Input`]; here with the sender's ends of sockets and calls.
#[derive(Debug)]
pub(super) enum Mail {
    Attach(Connection, Attach),
    Detach(ConnectionId),
    Command(Command),
    Read(Connection, u64, Bytes),
    Call(Box<Call>, CallReply),
    Query {
        payload: Bytes,
        linearizable: bool,
        reply: CallReply,
    },
    Tell(ActorId, Box<Tell>),
    Verdict(ActorId, TellId, Verdict),
    Settled(ActorId, TellId),
    SettleAsked(ActorId, TellId),
    /// The activation that asked for it has this epoch.
    ActivityEnded(u64, ActivityId, Result<Bytes, Failure>),
    Heartbeat(u64, ActivityId, Bytes),
    /// An obligation is due.
    Wake,
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
        )
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
        peer.send(Envelope { to: to.clone(), mail }).await.is_ok()
    }

    /// Sends if there is room now. No worker ever waits for another.
    pub fn try_send(&self, to: &ActorId, mail: Mail) -> bool {
        let peer = self.0.get(self.index(to));
        peer.is_some_and(|peer| peer.try_send(Envelope { to: to.clone(), mail }).is_ok())
    }
}

/// Answers a caller whose actor can't take its mail.
pub(super) fn answer(reply: CallReply, error: CallError) {
    // The caller may have gone; then no one is left to tell.
    let _ = reply.send(Err(error));
}
