//! The port between nodes: who is alive, mail from node to node, and shows that many watch.
//!
//! A store that several nodes share offers it beside the journals; the embedded store has one
//! node and offers none. A lease says *when* another may take over, never *who* may write: that
//! is the epoch's, in the journal ([`super::Store`]). Delivery between nodes is at least once or
//! not at all; exactly-once effects come from outboxes and watermarks of actors.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Answer, NodeSession};

#[cfg(any(test, feature = "testing"))]
pub mod conformance;

/// What a node says of itself when it renews its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// This run of it.
    pub session: NodeSession,
    /// As the operator named it.
    pub name: String,
    /// Where clients reach it: an `http(s)` origin.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// The newest format of records and snapshots that it reads; 0: it has not said.
    pub format: u32,
    /// The oldest one. The first version did not say so.
    #[serde(default = "first_format")]
    pub format_oldest: u32,
    /// Actors in its memory.
    pub activations: u64,
    /// Sockets open on it.
    pub sockets: u64,
    /// It is handing everything over and takes nothing new.
    pub draining: bool,
    /// It has come upon what it can't read, and leaves what is due to others.
    #[serde(default)]
    pub outdated: bool,
}

fn first_format() -> u32 {
    1
}

/// A node session in the lease table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it said last.
    pub info: NodeInfo,
    /// Milliseconds since its last renewal, by the store's clock.
    pub age_ms: u64,
    /// The lease has run out, by the store's clock.
    pub expired: bool,
}

/// The answer to a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// The lease runs for another TTL from when this was sent.
    Held,
    /// Another node has declared this session dead: its id is never used again.
    Reaped,
}

/// One batch of mail that a node received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Position in the inbox; the next read goes on after it.
    pub at: String,
    /// Age by the store's clock, in milliseconds.
    pub age_ms: u64,
    /// What was sent.
    pub bytes: Bytes,
}

/// What a subscriber of a topic hears. Latest wins: a subscriber that falls behind loses some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Someone published this.
    Message {
        /// The topic.
        topic: String,
        /// What was published.
        bytes: Bytes,
    },
    /// Messages may have been missed on every topic: ask for full ones.
    Lost,
}

/// The port. Cheap to share; every method may be called from any task.
pub trait Fleet: Send + Sync + fmt::Debug + 'static {
    /// How long a lease runs, in milliseconds.
    fn ttl_ms(&self) -> u64;

    /// Renews the lease of `info.session`, or takes it at the first call. Runs on a connection of
    /// its own, made on the calling tokio runtime, which should do nothing else.
    fn renew(&self, info: NodeInfo) -> Answer<Renewed>;

    /// Reads the lease table. On the lease's connection.
    fn members(&self) -> Answer<Vec<Member>>;

    /// Declares a session dead if its lease has run out by the store's clock; its inbox is
    /// dropped and its id never renewed again. Returns whether this call did it.
    fn reap(&self, victim: NodeSession) -> Answer<bool>;

    /// Gives the lease up, after a drain.
    fn leave(&self, session: NodeSession) -> Answer<()>;

    /// Puts mail into a node's inbox. `Ok(false)`: that session is not alive.
    fn send(&self, to: NodeSession, bytes: Bytes) -> Answer<bool>;

    /// Waits for mail after position `after` (`None`: from the beginning), up to `wait_ms`.
    fn receive(
        &self,
        session: NodeSession,
        after: Option<String>,
        wait_ms: u64,
    ) -> Answer<Vec<Parcel>>;

    /// Publishes to whoever watches the topic now. Nothing is kept.
    fn publish(&self, topic: &str, bytes: Bytes) -> Answer<()>;

    /// Watches topics: each `bool` on the sender's side of `topics` begins (`true`) or ends a
    /// subscription. What is published comes out of the receiver, which ends with the store.
    fn watch(&self, topics: mpsc::Receiver<(String, bool)>) -> mpsc::Receiver<Heard>;
}
