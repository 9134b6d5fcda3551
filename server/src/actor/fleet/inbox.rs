//! Mail from other nodes: one task, one blocking read after another.
//!
//! What is read goes to one bounded channel, in order. Its reader is the runtime, which never
//! waits for one actor; should it fall behind, the inbox in the store fills, and its bound drops
//! the oldest mail (I7), which senders of tells find by their own time limits. Batches that are
//! too old are refused: their senders have long decided what became of them.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::lease::Lease;
use super::post::{Post, decode_batch};
use crate::clock::Clock;
use crate::store::NodeSession;
use crate::store::fleet::{Fleet, Parcel};

/// Older batches are refused.
pub const PARCEL_AGE_MS_MAX: u64 = 30_000;
/// How long one read waits for mail.
const WAIT_MS: u64 = 1_000;
/// After a read that failed.
const RETRY_MS: u64 = 50;

/// Reads the inbox of whatever session this node has.
#[derive(Debug)]
pub(super) struct Inbox {
    pub fleet: Arc<dyn Fleet>,
    pub clock: Clock,
    pub lease: Arc<Lease>,
    pub posts: mpsc::Sender<(NodeSession, Post)>,
}

impl Inbox {
    /// Reads until no one takes the mail.
    pub async fn run(self) {
        let mut place: (NodeSession, Option<String>) = (0, None);
        while !self.posts.is_closed() {
            let session = self.lease.held().await;
            if place.0 != session {
                place = (session, None);
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

    async fn open(&self, parcel: Parcel) {
        if parcel.age_ms > PARCEL_AGE_MS_MAX {
            tracing::warn!(age_ms = parcel.age_ms, "mail is too old and was refused");
            return;
        }
        let batch = match decode_batch(&parcel.bytes) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, "a batch was dropped");
                return;
            }
        };
        if batch.unread > 0 {
            tracing::warn!(from = batch.from, posts = batch.unread, "unknown posts were dropped");
        }
        for post in batch.posts {
            if self.posts.send((batch.from, post)).await.is_err() {
                return;
            }
        }
    }
}
