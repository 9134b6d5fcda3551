//! Mail to other nodes: one lane per destination session.
//!
//! A lane's task sends one batch after another; what comes meanwhile waits and goes in the next
//! one, so batches grow with load. I7: a full lane refuses; the caller says BUSY or tries again.
//! Mail that was accepted and not surely delivered comes back on the channel of returned mail;
//! where that is full it is dropped, and its sender's own time limit finds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::members::Members;
use super::post::{Post, encode_batch, encode_post};
use crate::actor::stats::FleetStats;
use crate::clock::Clock;
use crate::store::NodeSession;
use crate::store::fleet::Fleet;

/// Most posts in a batch.
const BATCH_LEN_MAX: usize = 256;
/// A batch is full with so many bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// How long a batch may take to be stored.
const SEND_MS_MAX: u64 = 1_000;

/// Why a post came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its destination is dead; it was not delivered.
    Gone,
    /// This node was frozen before it was sent.
    Frozen,
    /// The store failed: it may have been delivered, or not.
    Doubt,
}

/// A post that was accepted and not surely delivered.
#[derive(Debug)]
pub struct Returned {
    /// Where it was to go.
    pub to: NodeSession,
    /// What.
    pub post: Post,
    /// Why it is back.
    pub why: Why,
}

/// All lanes.
#[derive(Debug)]
pub(super) struct Outbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fleet: Arc<dyn Fleet>,
    clock: Clock,
    lease: Arc<Lease>,
    members: Arc<Members>,
    stats: Arc<FleetStats>,
    lanes: Mutex<HashMap<NodeSession, mpsc::Sender<Post>>>,
    lane_len_max: usize,
    returned: mpsc::Sender<Returned>,
    /// Posts that were accepted and whose fate is not decided.
    open: watch::Sender<usize>,
    shutdown: CancellationToken,
    runtime: tokio::runtime::Handle,
}

impl Outbox {
    /// Must be called on the runtime that is to send.
    pub fn new(
        fleet: Arc<dyn Fleet>,
        clock: Clock,
        (lease, members, stats): (Arc<Lease>, Arc<Members>, Arc<FleetStats>),
        lane_len_max: usize,
        returned: mpsc::Sender<Returned>,
        shutdown: CancellationToken,
    ) -> Self {
        let shared = Shared {
            fleet,
            clock,
            lease,
            members,
            stats,
            lanes: Mutex::default(),
            lane_len_max,
            returned,
            open: watch::channel(0).0,
            shutdown,
            runtime: tokio::runtime::Handle::current(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes a post for a node. `false`: not taken, because this node is frozen, the destination
    /// is dead, or its lane is full.
    pub fn post(&self, to: NodeSession, post: Post) -> bool {
        let taken = self.take(to, post);
        self.shared.stats.mail_refused.add(u64::from(!taken));
        taken
    }

    fn take(&self, to: NodeSession, post: Post) -> bool {
        let shared = &self.shared;
        if shared.shutdown.is_cancelled() || !shared.lease.in_force() {
            return false;
        }
        if !shared.members.is_alive(to) {
            return false;
        }
        let mut lanes = shared.lanes();
        let lane = lanes.entry(to).or_insert_with(|| {
            let (lane, posts) = mpsc::channel(shared.lane_len_max);
            shared.runtime.spawn(Lane { to, posts, shared: shared.clone(), number: 0 }.run());
            lane
        });
        // Counted before the lane's task can be done with it.
        shared.open.send_modify(|open| *open += 1);
        let taken = lane.try_send(post).is_ok();
        if !taken {
            shared.decided(1);
        }
        taken
    }

    /// Waits until the fate of all that was taken is decided.
    pub async fn flushed(&self) {
        let mut open = self.shared.open.subscribe();
        // The sender is here: it can't be gone.
        let _ = open.wait_for(|open| *open == 0).await;
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, HashMap<NodeSession, mpsc::Sender<Post>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decided(&self, count: usize) {
        self.open.send_modify(|open| *open = open.saturating_sub(count));
    }

    fn give_back(&self, to: NodeSession, posts: Vec<Post>, why: Why) {
        let count = posts.len();
        let mut dropped = 0;
        for post in posts {
            dropped += u64::from(self.returned.try_send(Returned { to, post, why }).is_err());
        }
        self.stats.mail_returned.add(count as u64);
        self.stats.mail_dropped.add(dropped);
        if dropped > 0 {
            tracing::debug!(to, dropped, "returned mail was dropped: no one takes it");
        }
        self.decided(count);
    }
}

struct Lane {
    to: NodeSession,
    posts: mpsc::Receiver<Post>,
    shared: Arc<Shared>,
    /// Of the newest batch; they count from 1.
    number: u64,
}

impl Lane {
    async fn run(mut self) {
        let shutdown = self.shared.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.send_all() => {}
        }
        self.close();
    }

    /// Sends until the destination is dead.
    async fn send_all(&mut self) {
        let mut departures = self.shared.members.departures();
        loop {
            tokio::select! {
                post = self.posts.recv() => {
                    let Some(post) = post else { return };
                    let (posts, bytes) = self.fill(post);
                    if !self.send(posts, bytes).await {
                        return;
                    }
                }
                _ = departures.changed() => {
                    if !self.shared.members.is_alive(self.to) {
                        return;
                    }
                }
            }
        }
    }

    /// What waits, as one batch.
    fn fill(&mut self, first: Post) -> (Vec<Post>, Vec<Bytes>) {
        let (mut posts, mut encoded, mut size) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(post) = next {
            match encode_post(&post) {
                Ok(bytes) => {
                    size += bytes.len();
                    encoded.push(bytes);
                    posts.push(post);
                }
                Err(error) => {
                    tracing::error!(to = self.to, %error, "a post can't be encoded");
                    self.shared.decided(1);
                }
            }
            let full = posts.len() >= BATCH_LEN_MAX || size >= BATCH_BYTES;
            next = if full { None } else { self.posts.try_recv().ok() };
        }
        (posts, encoded)
    }

    /// Sends a batch; returns whether the destination is alive.
    async fn send(&mut self, posts: Vec<Post>, encoded: Vec<Bytes>) -> bool {
        let shared = self.shared.clone();
        if !shared.lease.in_force() {
            shared.give_back(self.to, posts, Why::Frozen);
            return true;
        }
        self.number += 1;
        let batch = match encode_batch(shared.lease.session(), self.number, &encoded) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(to = self.to, %error, "a batch can't be encoded");
                shared.give_back(self.to, posts, Why::Doubt);
                return true;
            }
        };
        let sent = shared.fleet.send(self.to, batch);
        match shared.clock.within_ms(SEND_MS_MAX, sent).await {
            Some(Ok(true)) => {
                shared.stats.batches_sent.add(1);
                shared.decided(posts.len());
            }
            Some(Ok(false)) => {
                shared.give_back(self.to, posts, Why::Gone);
                return false;
            }
            Some(Err(error)) => {
                tracing::debug!(to = self.to, %error, "mail is in doubt");
                shared.give_back(self.to, posts, Why::Doubt);
            }
            None => shared.give_back(self.to, posts, Why::Doubt),
        }
        true
    }

    /// Takes the lane away, and gives back what still waits. Posts enter under the same lock, so
    /// none is forgotten.
    fn close(&mut self) {
        let mut lanes = self.shared.lanes();
        lanes.remove(&self.to);
        self.posts.close();
        drop(lanes);
        let mut waiting = Vec::new();
        while let Ok(post) = self.posts.try_recv() {
            waiting.push(post);
        }
        self.shared.give_back(self.to, waiting, Why::Gone);
    }
}
