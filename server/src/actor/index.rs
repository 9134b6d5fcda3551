//! The writer of the attribute index: what this node's sessions are found by, on its way to the
//! store.
//!
//! Activations offer what is durable, each seldom; a newer offer of a player takes the place of the
//! one that waits. One task writes them, a batch at a time, and after a full one rests for [`REST`]
//! times as long as the store took, after a smaller one for less: however many sessions change, the
//! index takes a small part of the store's time and the journal does not wait for it. The rest has
//! a bound, so that a store that is slow for another reason is not taken for one that the index
//! keeps busy.
//!
//! Batches go round by partition, those of one partition together: a store that writes a partition
//! at a time has few of them to write, and nobody waits longer than one round.
//!
//! - I7: at most [`WAITING_MAX`] players wait; an offer beyond is *refused*, and made again.
//! - A batch that could not be written waits again, unless something newer does.
//! - What a node that died had not written is put right by `keeper`; [`audit`] holds all of it
//!   against the journals.

pub mod audit;
pub(super) mod keeper;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_protocol::ids::{ActorId, PlayerId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::contract::Attributes;
use super::stats::Stats;
use crate::clock::{self, Clock};
use crate::search::{Builtin, Registry, Row};
use crate::store::attributes::{RowAt, RowOf};
use crate::store::{Partition, Store};

/// The kind of the actors that are sessions.
const KIND: &str = "player";
/// Players whose rows wait.
const WAITING_MAX: usize = 262_144;
/// Rows of one call.
const BATCH_LEN: usize = 512;
/// How many times as long as a batch took is rested after it.
const REST: u64 = 8;
/// The shortest rest, in which more gather, and the longest.
const REST_MIN_MS: u64 = 5;
const REST_MAX_MS: u64 = 250;
/// How long a store that failed is left alone.
const AGAIN_MS: u64 = 1_000;

/// Where rows go: which attributes there are, and what this node is called in them.
#[derive(Debug, Clone)]
pub struct Index {
    /// The built-in attributes and the game's.
    pub registry: Arc<Registry>,
    /// The value of `Node`.
    pub node: String,
}

/// What an activation offers.
#[derive(Debug)]
pub(super) struct Offer {
    pub at: RowAt,
    pub attributes: Attributes,
    /// Nobody holds the actor from now on.
    pub leaves: bool,
}

impl Offer {
    /// The row. What the rules must not give is left out and said once each time.
    fn row(self, player: PlayerId, index: &Index) -> RowOf {
        let node = (!self.leaves).then_some(index.node.as_str());
        RowOf { at: self.at, row: row_of(&index.registry, player, self.attributes, node) }
    }
}

/// The row of a player who is found by these attributes, and whom this node holds.
#[must_use]
pub fn row_of(
    registry: &Registry,
    player: PlayerId,
    attributes: Attributes,
    node: Option<&str>,
) -> Row {
    let mut row = Row::new(player);
    let node = node.map(|node| (Builtin::Node, node.into()));
    let builtin = attributes.builtin.into_iter().chain(node);
    let builtin = builtin.map(|(builtin, value)| (Some(builtin.attribute()), value));
    let declared = attributes.declared.into_iter();
    let declared = declared.map(|(name, value)| (registry.find(name).cloned(), value));
    for (attribute, value) in builtin.chain(declared) {
        let Some(attribute) = attribute else {
            warn!(player = %row.player(), "the rules give an attribute that they do not declare");
            continue;
        };
        if let Err(error) = row.set(&attribute, Some(value)) {
            warn!(player = %row.player(), %error, "the rules give an attribute what it can't have");
        }
    }
    row
}

/// Takes offers; cheap to clone. The default takes and forgets them: there is no index.
#[derive(Debug, Clone, Default)]
pub(super) struct IndexHandle(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    index: Index,
    store: Arc<dyn Store>,
    clock: Clock,
    stats: Arc<Stats>,
    waiting: Mutex<Waiting>,
    offered: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A row's place among those that wait.
type Place = (Partition, PlayerId);

/// The rows that wait, each player's newest.
#[derive(Debug, Default)]
struct Waiting {
    rows: BTreeMap<Place, RowOf>,
    /// Where the last batch ended.
    last: Option<Place>,
}

impl Waiting {
    /// The next batch: from where the last one ended, and round.
    fn take(&mut self) -> Vec<RowOf> {
        let behind = self.last.take().map_or(Unbounded, Excluded);
        let mut places: Vec<Place> = self
            .rows
            .range((behind, Unbounded))
            .chain(&self.rows)
            .map(|(place, _)| place.clone())
            .take(BATCH_LEN.min(self.rows.len()))
            .collect();
        let batch = places.iter().filter_map(|place| self.rows.remove(place)).collect();
        self.last = places.pop();
        batch
    }
}

impl IndexHandle {
    /// Starts the writer.
    pub fn start(index: Index, store: Arc<dyn Store>, clock: Clock, stats: Arc<Stats>) -> Self {
        let shared = Arc::new(Shared {
            index,
            store,
            clock,
            stats,
            waiting: Mutex::default(),
            offered: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(Arc::clone(&shared).run());
        shared.tasks.close();
        Self(Some(shared))
    }

    /// Takes what a session is found by. `false`: there is no room, offer it again.
    pub fn offer(&self, actor: &ActorId, offer: Offer) -> bool {
        let Some(shared) = &self.0 else { return true };
        let Some(player) = player_of(actor) else { return true };
        let row = offer.row(player, &shared.index);
        let taken = shared.wait(row);
        shared.stats.rows_refused.add(u64::from(!taken));
        taken
    }

    /// Writes what waits, and ends. Call it when no one offers any more.
    pub async fn finish(&self) {
        let Some(shared) = &self.0 else { return };
        shared.stop.cancel();
        shared.tasks.wait().await;
    }
}

/// The player whose actor this is, if it is one's.
#[must_use]
pub fn player_of(actor: &ActorId) -> Option<PlayerId> {
    if actor.kind() != KIND {
        return None;
    }
    PlayerId::new(actor.key()).ok()
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, row: &RowOf) -> Place {
        (self.store.partition_of(&row.actor()), row.row.player().clone())
    }

    fn wait(&self, row: RowOf) -> bool {
        let place = self.place(&row);
        let rows = &mut self.waiting().rows;
        if rows.len() >= WAITING_MAX && !rows.contains_key(&place) {
            return false;
        }
        if rows.insert(place, row).is_none() {
            self.stats.rows_waiting.add(1);
        }
        self.offered.notify_one();
        true
    }

    fn take(&self) -> Vec<RowOf> {
        let batch = self.waiting().take();
        self.stats.rows_waiting.sub(batch.len() as u64);
        batch
    }

    /// Puts back what could not be written, where nothing newer waits.
    fn put_back(&self, batch: Vec<RowOf>) {
        let rows = &mut self.waiting().rows;
        for row in batch {
            if let Entry::Vacant(place) = rows.entry(self.place(&row)) {
                place.insert(row);
                self.stats.rows_waiting.add(1);
            }
        }
    }

    async fn run(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let batch = self.take();
            if batch.is_empty() {
                self.stop.run_until_cancelled(self.offered.notified()).await;
                continue;
            }
            let rest_ms = self.write(batch).await.unwrap_or(AGAIN_MS);
            self.stop.run_until_cancelled(self.clock.sleep_ms(rest_ms)).await;
        }
        loop {
            let batch = self.take();
            if batch.is_empty() || self.write(batch).await.is_none() {
                return;
            }
        }
    }

    /// Writes a batch. Returns how long to rest, in ms; `None`: it could not be written, and
    /// waits again.
    async fn write(&self, batch: Vec<RowOf>) -> Option<u64> {
        let begun = clock::instant();
        let len = batch.len() as u64;
        let registry = &self.index.registry;
        if let Err(error) = self.store.put_rows(registry, batch.clone()).await {
            self.stats.rows_failed.add(1);
            warn!(%error, rows = len, "rows of the attribute index could not be written");
            self.put_back(batch);
            return None;
        }
        self.stats.rows_written.add(len);
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let rest_ms = took.saturating_mul(REST * len) / (1_000 * BATCH_LEN as u64);
        Some(rest_ms.clamp(REST_MIN_MS, REST_MAX_MS))
    }
}

#[cfg(test)]
mod tests;
