//! Wakes actors that are not in memory when an obligation of theirs comes due.
//!
//! The store remembers each actor's earliest obligation. This driver walks that index once, in
//! the order of time: first what was due before the node started, then each moment as it passes.
//! Now and then it walks again from the start, so that a wake-up that found no room, or an actor
//! that was released late, is not passed over for good: the index is the queue. A spurious wake-up is harmless; an actor in memory keeps its own time.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::mail::{Mail, Peers};
use crate::clock::Clock;
use crate::store::{Error, Store};

/// How often the index is read once the past is done.
const POLL_MS: u64 = 100;
/// How often all that is due is walked again.
const AGAIN_MS: u64 = 30_000;
/// Actors woken at a time.
const PAGE: usize = 256;

/// Runs for the node's life, or until the store has failed for good.
pub(super) async fn run(
    store: Arc<dyn Store>,
    peers: Peers,
    clock: Clock,
    fatal: CancellationToken,
) {
    let (mut after, mut again_at_ms) = (None, store.now_ms() + AGAIN_MS);
    loop {
        let until = store.now_ms();
        match store.due(0, after.clone(), until, PAGE).await {
            Ok(page) => {
                let full = page.len() == PAGE;
                for (at, actor) in page {
                    peers.send(&actor, Mail::Wake).await;
                    after = Some((at, actor));
                }
                if full {
                    continue;
                }
                if until >= again_at_ms {
                    (after, again_at_ms) = (None, until + AGAIN_MS);
                }
            }
            Err(Error::Poisoned(why)) => {
                error!("{why}");
                return fatal.cancel();
            }
            Err(error) => warn!(%error, "the index of due actors could not be read"),
        }
        clock.sleep_ms(POLL_MS).await;
    }
}
