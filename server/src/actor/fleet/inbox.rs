//! Mail from other nodes: one task, one blocking read after another.
//!
//! What is read goes to one bounded channel, in order. Its reader is the runtime, which never
//! waits for one actor; should it fall behind, the inbox in the store fills, and its bound drops
//! the oldest mail (I7), which senders of tells find by their own time limits. Batches that are
//! too old are refused: their senders have long decided what became of them. Batches are numbered
//! by each sender, so that what was dropped on the way is counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::lease::Lease;
use super::post::{Batch, Post, decode_batch};
use crate::actor::stats::FleetStats;
use crate::clock::Clock;
use crate::store::NodeSession;
use crate::store::fleet::{Fleet, Parcel};

/// Older batches are refused.
pub const PARCEL_AGE_MS_MAX: u64 = 30_000;
/// How long one read waits for mail.
const WAIT_MS: u64 = 1_000;
/// After a read that failed.
const RETRY_MS: u64 = 50;
/// Senders whose numbers are remembered; the smallest session is forgotten first.
const SENDERS_MAX: usize = 1_024;

/// Reads the inbox of whatever session this node has.
#[derive(Debug)]
pub(super) struct Inbox {
    fleet: Arc<dyn Fleet>,
    clock: Clock,
    lease: Arc<Lease>,
    stats: Arc<FleetStats>,
    posts: mpsc::Sender<(NodeSession, Post)>,
    /// The newest batch of each sender.
    numbers: BTreeMap<NodeSession, u64>,
}

impl Inbox {
    pub fn new(
        fleet: Arc<dyn Fleet>,
        clock: Clock,
        (lease, stats): (Arc<Lease>, Arc<FleetStats>),
        posts: mpsc::Sender<(NodeSession, Post)>,
    ) -> Self {
        Self { fleet, clock, lease, stats, posts, numbers: BTreeMap::new() }
    }

    /// Reads until no one takes the mail.
    pub async fn run(mut self) {
        let mut place: (NodeSession, Option<String>) = (0, None);
        while !self.posts.is_closed() {
            let session = self.lease.held().await;
            if place.0 != session {
                place = (session, None);
                self.numbers.clear();
            }
            match self.fleet.receive(session, place.1.clone(), WAIT_MS).await {
                Ok(parcels) => {
                    for parcel in parcels {
                        place.1 = Some(parcel.at.clone());
                        self.open(parcel).await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the inbox could not be read");
                    let again_ms = self.clock.uptime_ms() + RETRY_MS;
                    self.clock.sleep_until_uptime(again_ms).await;
                }
            }
        }
    }

    async fn open(&mut self, parcel: Parcel) {
        let batch = match decode_batch(&parcel.bytes) {
            Ok(batch) => batch,
            Err(error) => {
                self.stats.mail_unread.add(1);
                tracing::warn!(%error, "a batch was dropped");
                return;
            }
        };
        self.count(&batch);
        if parcel.age_ms > PARCEL_AGE_MS_MAX {
            self.stats.batches_stale.add(1);
            tracing::warn!(age_ms = parcel.age_ms, "mail is too old and was refused");
            return;
        }
        if batch.unread > 0 {
            self.stats.mail_unread.add(batch.unread as u64);
            tracing::warn!(from = batch.from, posts = batch.unread, "unknown posts were dropped");
        }
        for post in batch.posts {
            if self.posts.send((batch.from, post)).await.is_err() {
                return;
            }
        }
    }

    /// Counts what is missing between a sender's last batch and this one. The first that is heard
    /// of a sender, or one that comes again, tells nothing.
    fn count(&mut self, batch: &Batch) {
        let newest = self.numbers.entry(batch.from).or_insert(batch.number);
        let missed = batch.number.saturating_sub(newest.saturating_add(1));
        *newest = batch.number.max(*newest);
        if self.numbers.len() > SENDERS_MAX {
            self.numbers.pop_first();
        }
        if missed > 0 {
            self.stats.batches_missed.add(missed);
            tracing::warn!(from = batch.from, missed, "batches of mail never came");
        }
    }
}
