//! Wakes actors that are not in memory when an obligation of theirs comes due.
//!
//! The store remembers each actor's earliest obligation. This driver walks that index once, in
//! the order of time: first what was due before the node started, then each moment as it passes.
//! A spurious wake-up is harmless; an actor in memory keeps its own time.

use std::sync::Arc;

use tracing::warn;

use super::mail::{Mail, Peers};
use crate::clock::Clock;
use crate::store::Store;

/// How often the index is read once the past is done.
const POLL_MS: u64 = 100;
/// Actors woken at a time.
const PAGE: usize = 256;

/// Runs for the node's life.
pub(super) async fn run(store: Arc<dyn Store>, peers: Peers, clock: Clock) {
    let mut after = None;
    loop {
        let until = store.now_ms();
        match store.due(after.clone(), until, PAGE).await {
            Ok(page) => {
                let full = page.len() == PAGE;
                for (at, actor) in page {
                    peers.send(&actor, Mail::Wake).await;
                    after = Some((at, actor));
                }
                if full {
                    continue;
                }
            }
            Err(error) => warn!(%error, "the index of due actors could not be read"),
        }
        clock.sleep_ms(POLL_MS).await;
    }
}
