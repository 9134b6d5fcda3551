//! What one node sends another, and its form on the way.
//!
//! A batch is MessagePack: `{v: 1, from: session, n: 7, posts: [bytes, ..]}`, each post on its own, so
//! that a node of an older version drops a post that it does not know and takes the others. What
//! is dropped is found by its sender: tells are sent again, calls run into their callers' time
//! limit. The forms here are the wire's own; a journal never holds one.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::wire;
use crate::actor::core::{Tell, Verdict};
use crate::actor::envelope::{Answered, Call, CallError};
use crate::actor::record::TellId;
use crate::msgpack;
use crate::store::NodeSession;

/// The version of a batch. Another one is not read at all.
pub const VERSION: u8 = 1;

/// One message from node to node.
#[derive(Debug)]
pub enum Post {
    /// A tell from an actor of the sender's to one of the receiver's.
    Tell {
        /// The receiver.
        to: ActorId,
        /// The sender.
        from: ActorId,
        /// What it says.
        tell: Tell,
    },
    /// How a tell was taken.
    Verdict {
        /// The tell's sender.
        to: ActorId,
        /// The tell's receiver.
        from: ActorId,
        /// Which.
        id: TellId,
        /// How.
        verdict: Verdict,
    },
    /// An acknowledgement is journaled at the tell's sender.
    Settled {
        /// The tell's receiver.
        to: ActorId,
        /// The tell's sender.
        from: ActorId,
        /// Through which tell.
        id: TellId,
    },
    /// Asks whether it is.
    SettleAsked {
        /// The tell's sender.
        to: ActorId,
        /// The tell's receiver.
        from: ActorId,
        /// Through which tell.
        id: TellId,
    },
    /// A command from outside any session, forwarded once.
    Call {
        /// The actor.
        to: ActorId,
        /// For the answer; the sender's.
        id: u64,
        /// The command.
        call: Call,
    },
    /// A read from outside any session.
    Query {
        /// The actor.
        to: ActorId,
        /// For the answer; the sender's.
        id: u64,
        /// For the rules.
        payload: Bytes,
        /// The answer must contain everything acknowledged before it was asked.
        linearizable: bool,
    },
    /// The answer to a call or query.
    Answer {
        /// The actor that was asked.
        from: ActorId,
        /// Of which question.
        id: u64,
        /// The answer.
        result: Result<Answered, CallError>,
    },
    /// Asks for an actor that the receiver holds: its player has come to the sender.
    HandOver {
        /// Which.
        actor: ActorId,
    },
    /// The sender holds it no longer.
    HandedOver {
        /// Which.
        actor: ActorId,
    },
    /// The sender has the actor, and its answer to what was sent takes its time.
    Working {
        /// Which.
        actor: ActorId,
    },
    /// The sender does not have the actor and did not take what was sent to it: the route is
    /// wrong.
    NotHere {
        /// Which.
        actor: ActorId,
    },
}

/// Why a batch can't be read. It is dropped and counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Another version of the program sent it.
    #[error("mail of version {0} can't be read here")]
    Version(u8),
    /// It is no batch.
    #[error("mail can't be read: {0}")]
    Malformed(String),
}

/// A batch, read.
#[derive(Debug)]
pub struct Batch {
    /// Who sent it.
    pub from: NodeSession,
    /// How many batches that session has sent here by now; 0: it does not count.
    pub number: u64,
    /// What could be read of it, in order.
    pub posts: Vec<Post>,
    /// How many posts could not be read.
    pub unread: usize,
}

/// One post as it stands in a batch.
///
/// # Errors
/// A sentence, when its payload can't be encoded: a bug.
pub fn encode_post(post: &Post) -> Result<Bytes, String> {
    msgpack::named(&wire::Post::from(post)).map_err(|error| error.to_string())
}

/// A batch of posts that [`encode_post`] made.
///
/// # Errors
/// A sentence: a bug.
pub fn encode_batch(from: NodeSession, number: u64, posts: &[Bytes]) -> Result<Bytes, String> {
    let batch = wire::Batch { v: VERSION, from, n: number, posts: posts.to_vec() };
    msgpack::named(&batch).map_err(|error| error.to_string())
}

/// Reads a batch.
///
/// # Errors
/// [`BatchError`] when nothing of it can be read.
pub fn decode_batch(bytes: &[u8]) -> Result<Batch, BatchError> {
    let malformed = |error: rmp_serde::decode::Error| BatchError::Malformed(error.to_string());
    let head: wire::Head = rmp_serde::from_slice(bytes).map_err(malformed)?;
    if head.v != VERSION {
        return Err(BatchError::Version(head.v));
    }
    let batch: wire::Batch = rmp_serde::from_slice(bytes).map_err(malformed)?;
    let sent = batch.posts.len();
    let read = |post: &Bytes| rmp_serde::from_slice::<wire::Post>(post).ok().map(Post::from);
    let posts: Vec<_> = batch.posts.iter().filter_map(read).collect();
    Ok(Batch { from: batch.from, number: batch.n, unread: sent - posts.len(), posts })
}
