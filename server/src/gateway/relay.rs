//! What the edge needs from whatever carries news of rooms between nodes, and who the nodes are.
//!
//! The edge does not know what stands behind it: the composition root adapts the store's port.

use std::fmt;

use bytes::Bytes;
use tokio::sync::mpsc;

/// What comes out of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Someone published this; the own node's messages may come back too.
    Message {
        /// The topic.
        topic: String,
        /// What was published.
        bytes: Bytes,
    },
    /// Messages may have been missed on every topic.
    Lost,
}

/// Carries messages to whoever watches a topic now. Nothing is kept; messages may be lost, and
/// those of one node to one topic arrive in the order in which they were published.
pub trait Relay: Send + Sync + fmt::Debug + 'static {
    /// Publishes without waiting. I7: what can't be sent is dropped; readers notice the gap.
    fn publish(&self, topic: &str, bytes: Bytes);

    /// Watches topics: each `bool` begins (`true`) or ends a subscription. The edge calls it once,
    /// inside its tokio runtime.
    fn watch(&self, topics: mpsc::Receiver<(String, bool)>) -> mpsc::Receiver<Heard>;
}

/// Another live node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// This run of it.
    pub session: u64,
    /// The WebSocket URL under which clients reach it.
    pub url: String,
    /// It lets its sockets go: nobody is sent there.
    pub draining: bool,
}

/// The nodes that are alive, as the membership says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// This run of this node; another number after it was declared dead.
    pub own: u64,
    /// The others.
    pub others: Vec<Peer>,
}
