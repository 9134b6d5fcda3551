//! Wakes actors that are not in memory when an obligation of theirs comes due.
//!
//! The store remembers each actor's earliest obligation, in one index a partition. This driver
//! walks the indexes of the partitions that its node looks after, each in the order of time:
//! first what was due before, then each moment as it passes. Now and then it walks again from the
//! start, so that a wake-up that found no room, or an actor that was released late, is not passed
//! over for good: the index is the queue. A spurious wake-up is harmless; an actor in memory
//! keeps its own time.
//!
//! Actors that another living node holds are left to it. Those of dead nodes are adopted: when a
//! node session goes, all partitions are walked from the start at once, so many actors a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use holdfast_protocol::ids::ActorId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::fleet::FleetHandle;
use super::mail::{Mail, Peers};
use crate::clock::Clock;
use crate::store::{Error, NodeSession, Owner, Partition, Store};

/// How often an index is read at most, and at least.
const POLL_MS: u64 = 100;
const POLL_MS_MAX: u64 = 1_000;
/// How often all that is due is walked again.
const AGAIN_MS: u64 = 30_000;
/// How soon, where an owner was met of which it is not known yet whether it is dead.
const ASKED_MS: u64 = 500;
/// Actors woken at a time.
const PAGE: usize = 256;
/// Partitions read at a time.
const READS_MAX: usize = 32;

/// Looks after what is due.
pub(super) struct Driver {
    pub store: Arc<dyn Store>,
    pub fleet: Option<FleetHandle>,
    pub peers: Peers,
    pub clock: Clock,
    /// Actors of dead nodes woken in a second.
    pub adopt_per_s: u64,
    pub fatal: CancellationToken,
}

/// How far one partition has been walked.
#[derive(Debug, Clone, Default)]
struct Walk {
    after: Option<(u64, ActorId)>,
    next_ms: u64,
    again_ms: u64,
    /// An owner was met that may be dead.
    asked: bool,
}

/// Adoptions that are left of this second (a token bucket of one second's depth).
pub(super) struct Budget {
    per_s: u64,
    left: u64,
    at_ms: u64,
}

impl Budget {
    pub fn new(per_s: u64, now_ms: u64) -> Self {
        let per_s = per_s.max(1);
        Self { per_s, left: per_s, at_ms: now_ms }
    }

    /// Takes one; or says how long until there is another.
    fn take(&mut self, now_ms: u64) -> Result<(), u64> {
        let fresh = now_ms.saturating_sub(self.at_ms).saturating_mul(self.per_s) / 1_000;
        if fresh > 0 {
            self.left = self.left.saturating_add(fresh).min(self.per_s);
            self.at_ms = now_ms;
        }
        if self.left == 0 {
            return Err((1_000 / self.per_s).max(1));
        }
        self.left -= 1;
        Ok(())
    }

    /// Takes one, when there is one.
    pub async fn wait(&mut self, clock: &Clock, store: &dyn Store) {
        while let Err(wait_ms) = self.take(store.now_ms()) {
            clock.sleep_ms(wait_ms).await;
        }
    }
}

/// A page of an index, with who holds its actors.
struct Page {
    partition: Partition,
    due: Vec<(u64, ActorId)>,
    owners: Vec<Option<Owner>>,
    until_ms: u64,
}

impl Driver {
    /// Runs for the node's life, or until the store has failed for good.
    pub async fn run(self) {
        let mut walks: BTreeMap<Partition, Walk> = BTreeMap::new();
        let mut budget = Budget::new(self.adopt_per_s, self.store.now_ms());
        let mut departures = self.fleet.as_ref().map(FleetHandle::departures);
        loop {
            self.take_over(&mut walks);
            let next_ms = match self.walk(&mut walks, &mut budget).await {
                Ok(next_ms) => next_ms,
                Err(why) => {
                    error!("{why}");
                    return self.fatal.cancel();
                }
            };
            // By the store's clock, which may differ from this machine's.
            let left_ms = next_ms.saturating_sub(self.store.now_ms());
            tokio::select! {
                () = departed(&mut departures) => walks.clear(),
                () = self.clock.sleep_ms(left_ms) => {}
            }
        }
    }

    /// The partitions that this node looks after now. New ones are walked from the start.
    fn take_over(&self, walks: &mut BTreeMap<Partition, Walk>) {
        let own = |fleet: &FleetHandle| {
            let mine = (0..self.store.partitions()).filter(|partition| fleet.drives(*partition));
            mine.collect::<Vec<_>>()
        };
        let all = || (0..self.store.partitions()).collect();
        let mine = self.fleet.as_ref().map_or_else(all, own);
        let mut before = std::mem::take(walks);
        let again_ms = self.store.now_ms() + AGAIN_MS;
        for partition in mine {
            let fresh = || Walk { again_ms, ..Walk::default() };
            walks.insert(partition, before.remove(&partition).unwrap_or_else(fresh));
        }
    }

    /// Reads every partition whose time has come, until nothing more is due. Returns when the
    /// next one's comes.
    async fn walk(
        &self,
        walks: &mut BTreeMap<Partition, Walk>,
        budget: &mut Budget,
    ) -> Result<u64, String> {
        let begun_ms = self.store.now_ms();
        let ripe = walks.iter().filter(|(_, walk)| walk.next_ms <= begun_ms);
        let mut ripe = ripe.map(|(partition, walk)| (*partition, walk.after.clone()));
        let mut ripe = ripe.by_ref().collect::<Vec<_>>();
        let mut reads = FuturesUnordered::new();
        loop {
            while reads.len() < READS_MAX
                && let Some((partition, after)) = ripe.pop()
            {
                reads.push(self.read(partition, after));
            }
            let Some((partition, read)) = reads.next().await else { break };
            let Some(walk) = walks.get_mut(&partition) else { continue };
            match read {
                Ok(page) => {
                    if self.wake(page, walk, budget).await {
                        ripe.push((partition, walk.after.clone()));
                    }
                }
                Err(Error::Poisoned(why)) => return Err(why),
                Err(error) => {
                    warn!(partition, %error, "the index of due actors could not be read");
                    walk.next_ms = self.store.now_ms() + self.poll_ms();
                }
            }
        }
        let next_ms = walks.values().map(|walk| walk.next_ms).min();
        // Without a partition, whoever joins or goes is looked for.
        Ok(next_ms.unwrap_or(u64::MAX).min(self.store.now_ms() + POLL_MS))
    }

    /// Many indexes are each read less often.
    fn poll_ms(&self) -> u64 {
        u64::from(self.store.partitions()).clamp(POLL_MS, POLL_MS_MAX)
    }

    /// What is due in a partition now, or before it is looked at again.
    async fn read(
        &self,
        partition: Partition,
        after: Option<(u64, ActorId)>,
    ) -> (Partition, Result<Page, Error>) {
        let until_ms = self.store.now_ms();
        let ahead_ms = until_ms + self.poll_ms() - POLL_MS;
        let due = match self.store.due(partition, after, ahead_ms, PAGE).await {
            Ok(due) => due,
            Err(error) => return (partition, Err(error)),
        };
        let owners = if self.fleet.is_none() || due.is_empty() {
            Ok(vec![None; due.len()])
        } else {
            self.store.owners(due.iter().map(|(_, actor)| actor.clone()).collect()).await
        };
        let page = owners.map(|owners| Page { partition, due, owners, until_ms });
        (partition, page)
    }

    /// Wakes whom this page says. Returns whether there may be more that is due now.
    async fn wake(&self, page: Page, walk: &mut Walk, budget: &mut Budget) -> bool {
        let Page { due, owners, until_ms, partition } = page;
        let (full, mut near) = (due.len() == PAGE, None);
        for ((at_ms, actor), owner) in due.into_iter().zip(owners) {
            if at_ms > until_ms {
                near = Some(at_ms);
                break;
            }
            match self.whose(owner) {
                Whose::Another => {}
                Whose::Unknown => walk.asked = true,
                Whose::NoOnes => drop(self.peers.send(&actor, Mail::Wake).await),
                Whose::Dead => {
                    tracing::debug!(%actor, partition, "adopt");
                    budget.wait(&self.clock, &*self.store).await;
                    self.peers.send(&actor, Mail::Wake).await;
                }
            }
            walk.after = Some((at_ms, actor));
        }
        if full && near.is_none() {
            return true;
        }
        walk.next_ms = near.unwrap_or(u64::MAX).min(until_ms + self.poll_ms());
        if std::mem::take(&mut walk.asked) {
            (walk.after, walk.next_ms) = (None, until_ms + ASKED_MS);
        } else if until_ms >= walk.again_ms {
            (walk.after, walk.again_ms) = (None, until_ms + AGAIN_MS);
        }
        false
    }

    fn whose(&self, owner: Option<Owner>) -> Whose {
        let Some((fleet, owner)) = self.fleet.as_ref().zip(owner) else { return Whose::NoOnes };
        let session: NodeSession = owner.session;
        if session == fleet.session() {
            Whose::NoOnes
        } else if fleet.is_alive(session) {
            if fleet.is_listed(session) { Whose::Another } else { Whose::Unknown }
        } else {
            Whose::Dead
        }
    }
}

/// Who is to look after a due actor.
enum Whose {
    /// This node, or whoever wakes it first.
    NoOnes,
    /// Its node is dead.
    Dead,
    /// Another living node.
    Another,
    /// One that a read of the lease table has yet to show, or it is dead.
    Unknown,
}

/// Waits until a node session has gone; for ever where there is no other node.
pub(super) async fn departed(departures: &mut Option<watch::Receiver<u64>>) {
    if let Some(receiver) = departures
        && receiver.changed().await.is_ok()
    {
        return;
    }
    *departures = None;
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_adopted_in_a_second_and_no_more() {
        let mut budget = Budget::new(2_000, 10_000);
        let mut taken = 0;
        for now_ms in 10_000..12_000 {
            while budget.take(now_ms).is_ok() {
                taken += 1;
            }
        }
        // The depth of the bucket, and then what two seconds give.
        assert!((5_900..=6_000).contains(&taken), "{taken}");
        assert_eq!(Budget::new(1, 0).take(0), Ok(()));
    }

    #[test]
    fn a_slow_rate_is_not_starved_by_frequent_looks() {
        let mut budget = Budget::new(1, 0);
        assert!(budget.take(0).is_ok());
        let taken = (1..=3_000).filter(|now_ms| budget.take(*now_ms).is_ok()).count();
        assert_eq!(taken, 3);
    }
}
