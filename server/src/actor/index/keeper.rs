//! Puts the attribute index right after a crash.
//!
//! A row says which node holds its session, so rows of a node that died tell on themselves: they
//! name a holder, and no living node holds the actor. Such a session is woken; its activation
//! writes its row, now and when it ends. That is looked for when this node starts and whenever a
//! node session has gone, in the partitions that this node looks after, at the pace of adoption.
//!
//! A node alone also looks, when it starts, for players whose journal went on after their row, or
//! who have none: its index is a file that is written behind, and may have been left out of a
//! backup. Where many nodes share a store, an operator asks for a rebuild.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use holdfast_protocol::ids::{ActorId, PlayerId};
use tracing::{debug, info, warn};

use super::Index;
use crate::actor::due::{Budget, departed};
use crate::actor::fleet::FleetHandle;
use crate::actor::mail::{Mail, Peers};
use crate::actor::stats::Stats;
use crate::clock::Clock;
use crate::search::{Builtin, Row};
use crate::store::{Error, Owner, Partition, Seq, Store};

/// Rows read at a time.
const PAGE: usize = 256;
/// How long after the start, or after a node has gone, rows are looked at: sessions that others
/// have adopted by then are not woken again.
const AFTER_MS: u64 = 500;
/// How long a store that failed is left alone.
const AGAIN_MS: u64 = 5_000;

/// See the module.
pub(in crate::actor) struct Keeper {
    pub index: Index,
    pub store: Arc<dyn Store>,
    pub fleet: Option<FleetHandle>,
    pub peers: Peers,
    pub clock: Clock,
    pub stats: Arc<Stats>,
    /// Sessions woken in a second.
    pub adopt_per_s: u64,
}

impl Keeper {
    /// Runs for the node's life.
    pub async fn run(self) {
        let mut departures = self.fleet.as_ref().map(FleetHandle::departures);
        let mut budget = Budget::new(self.adopt_per_s, self.store.now_ms());
        let mut first = true;
        loop {
            self.clock.sleep_ms(AFTER_MS).await;
            match self.look(first, &mut budget).await {
                Ok(woken) if woken > 0 => info!(woken, "rows of the attribute index were stale"),
                Ok(_) => {}
                Err(Error::Poisoned(_)) => return,
                Err(error) => {
                    warn!(%error, "the attribute index could not be looked at");
                    self.clock.sleep_ms(AGAIN_MS).await;
                    continue;
                }
            }
            first = false;
            departed(&mut departures).await;
        }
    }

    async fn look(&self, first: bool, budget: &mut Budget) -> Result<u64, Error> {
        let mut woken = 0;
        for partition in 0..self.store.partitions() {
            if self.fleet.as_ref().is_none_or(|fleet| fleet.drives(partition)) {
                woken += self.stale(partition, budget).await?;
            }
        }
        if first && !self.store.is_shared() {
            woken += self.outdated(budget).await?;
        }
        Ok(woken)
    }

    /// Wakes the sessions of a partition whose row names a holder that they have not.
    async fn stale(&self, partition: Partition, budget: &mut Budget) -> Result<u64, Error> {
        let (mut after, mut woken) = (None, 0);
        loop {
            let rows = self.store.rows(&self.index.registry, partition, after, PAGE).await?;
            after = rows.last().map(|last| last.row.player().clone());
            let held = rows.iter().filter(|row| names_holder(&row.row));
            let held: Vec<_> = held.map(|row| row.actor()).collect();
            let owners =
                if held.is_empty() { Vec::new() } else { self.store.owners(held.clone()).await? };
            for (actor, owner) in held.into_iter().zip(owners) {
                if !self.is_held(owner) {
                    self.wake(&actor, budget).await;
                    woken += 1;
                }
            }
            if rows.len() < PAGE {
                return Ok(woken);
            }
        }
    }

    /// Whether a living node holds it. This node's workers know better, and are asked.
    fn is_held(&self, owner: Option<Owner>) -> bool {
        let Some((fleet, owner)) = self.fleet.as_ref().zip(owner) else { return false };
        owner.session != fleet.session() && fleet.is_alive(owner.session)
    }

    /// Wakes every player without a row, or whose journal went on after it.
    async fn outdated(&self, budget: &mut Budget) -> Result<u64, Error> {
        let known = self.positions().await?;
        let (mut after, mut woken) = (None, 0);
        loop {
            let actors = self.store.actors(super::KIND, after, PAGE).await?;
            after = actors.last().cloned();
            let tips = join_all(actors.iter().map(|actor| self.store.tip(actor))).await;
            for (actor, tip) in actors.iter().zip(tips) {
                let seq = super::player_of(actor).and_then(|player| known.get(&player).copied());
                if tip?.is_some_and(|tip| seq.is_none_or(|seq| seq < tip.seq)) {
                    self.wake(actor, budget).await;
                    woken += 1;
                }
            }
            if actors.len() < PAGE {
                return Ok(woken);
            }
        }
    }

    /// The record that each player's row tells of.
    async fn positions(&self) -> Result<BTreeMap<PlayerId, Seq>, Error> {
        let mut known = BTreeMap::new();
        loop {
            let after = known.last_key_value().map(|(player, _): (&PlayerId, &Seq)| player.clone());
            let rows = self.store.rows(&self.index.registry, 0, after, PAGE).await?;
            let len = rows.len();
            known.extend(rows.into_iter().map(|row| (row.row.player().clone(), row.at.seq)));
            if len < PAGE {
                return Ok(known);
            }
        }
    }

    async fn wake(&self, actor: &ActorId, budget: &mut Budget) {
        debug!(%actor, "its row in the attribute index is stale");
        budget.wait(&self.clock, &*self.store).await;
        self.stats.rows_mended.add(1);
        self.peers.send(actor, Mail::Wake).await;
    }
}

fn names_holder(row: &Row) -> bool {
    row.value(&Builtin::Node.attribute(), 0).is_some()
}
