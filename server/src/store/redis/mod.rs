//! The store on Redis: one stream an actor, whose ids are the fence.
//!
//! [`address`] reads what the operator wrote; [`route`] knows which primary serves what and
//! follows it through failovers; [`link`] is the way to one primary, made of `lane`s;
//! `sentinel` and [`cluster`] say where primaries are. Upon these: [`keys`] names every key,
//! `world` makes the namespace, `append` and `group` are the hot path, `claim` runs the scripts of
//! ownership, `read` reads, `attributes` is the index of sessions, [`durable`] keeps what the level
//! of durability says, and [`fleet`] is the port between nodes.
//!
//! - I1: stream ids are `<epoch>-<seq>`, and Redis refuses one that is not above the newest. A
//!   claim writes a marker `<new epoch>-<last seq>`: from then on every older epoch is refused.
//! - I2: an append is answered when the primary answered it and, where the level asks for more,
//!   a beacon sent after that came back.
//! - Nothing is appended to another history than the one the writer verified its tip in.
//! - What was emptied is never made anew: see `world`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};
use holdfast_protocol::ids::{ActorId, PlayerId};
use tokio::sync::watch;

use super::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use super::durability::Durability;
use super::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, History, Loaded, Owner,
    Partition, Reassert, Reasserted, RecordRow, Score, Seq, SessionMetrics, Snapshot, Store, Tip,
};
use crate::clock::Clock;
use crate::search::Registry;
use address::Address;
use durable::{Beacons, promise};
use group::Groups;
use keys::{Keys, PARTITIONS, partition_of, push_tag, tag_of};
use route::Router;

pub mod address;
mod append;
mod attributes;
mod claim;
pub mod cluster;
pub mod connect;
pub mod durable;
pub mod fleet;
mod grace;
mod group;
pub mod keys;
mod lane;
pub mod link;
mod pool;
mod read;
mod reply;
pub mod route;
mod scripts;
mod sentinel;
mod shared;
mod time;
mod world;

#[cfg(test)]
mod tests;

/// Appends of one job; longer batches are cut.
const JOB_LEN: usize = 512;

/// A replica has what its primary answered so long ago.
const STABLE_AFTER_MS: u64 = 3_000;

/// Where the store is and what it must promise.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of the servers.
    pub address: Address,
    /// What every key begins with; two namespaces are two worlds.
    pub namespace: String,
    /// What an answered append promises.
    pub level: Durability,
}

/// The store. Clones share their connections.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

/// What all calls share.
pub(super) struct Inner {
    router: Router,
    keys: Keys,
    /// This namespace's, as every partition carries it.
    incarnation: String,
    name: String,
    level: Durability,
    groups: Groups,
    beacons: Beacons,
    closed: AtomicBool,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.inner.name)
    }
}

impl Redis {
    /// Connects, and makes the namespace where there is none.
    ///
    /// # Errors
    /// [`Error::Open`] where nothing usable answers, or the servers promise less than the level.
    pub async fn open(options: &Options, clock: Clock) -> Result<Self, Error> {
        let router = Router::open(&options.address, clock.clone()).await?;
        let keys = Keys::new(&options.namespace);
        let incarnation = world::open(&router, &keys).await?;
        let beacons = Beacons::open(options.level, &router, &keys).await?;
        let inner = Arc::new(Inner {
            name: format!("{} as {}", options.address, options.namespace),
            level: options.level,
            groups: Groups::default(),
            closed: AtomicBool::new(false),
            router,
            keys,
            incarnation,
            beacons,
        });
        tokio::spawn(grace::follow(Arc::downgrade(&inner), inner.router.changes(), clock));
        Ok(Self { inner })
    }

    /// The router, for what else lives on these servers.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.inner.router
    }

    /// The names of the keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    fn answer<T, F>(&self, act: impl FnOnce(Arc<Inner>) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if self.inner.is_closed() {
            return ready(Err(closed())).boxed();
        }
        act(Arc::clone(&self.inner)).boxed()
    }
}

fn closed() -> Error {
    Error::Poisoned("it was closed".into())
}

impl Inner {
    /// Waits until what was answered in this history has the level that was asked for.
    async fn confirm(&self, actor: &ActorId, history: History) -> Result<(), Error> {
        let (link, tag) = self.route(actor);
        self.beacons.confirm(&self.router, &link, history, &tag).await
    }

    /// Appends to one primary, from the calls' order to the level's word.
    async fn settle(self: Arc<Self>, part: Part) -> Settled {
        let mut outcomes = part.written.await;
        if outcomes.iter().any(Result::is_ok) {
            let confirmed =
                self.beacons.confirm(&self.router, &part.link, part.history, &part.tag).await;
            if let Err(error) = confirmed {
                let written = outcomes.iter_mut().filter(|outcome| outcome.is_ok());
                written.for_each(|outcome| *outcome = Err(error.clone()));
            }
        }
        (part.places, outcomes)
    }
}

/// The appends of one call that go to one primary.
struct Part {
    link: link::Link,
    history: History,
    tag: String,
    places: Vec<usize>,
    written: BoxFuture<'static, Vec<Result<(), Error>>>,
}

/// Appends of one call, the primary that they go to, and their places in the call.
type Share = (link::Link, Vec<usize>, Vec<Append>);

/// Divides a batch by primary, keeping the order within each, in jobs of bounded length.
fn divide(router: &Router, batch: Vec<Append>) -> Vec<Share> {
    let room = batch.len().min(JOB_LEN);
    let mut parts: Vec<Share> = Vec::new();
    let mut tag = String::with_capacity(5);
    for (place, append) in batch.into_iter().enumerate() {
        tag.clear();
        push_tag(&mut tag, partition_of(&append.actor));
        let fits =
            |(link, places, _): &&mut Share| places.len() < JOB_LEN && router.leads(link, &tag);
        if let Some((_, places, appends)) = parts.iter_mut().rev().find(fits) {
            places.push(place);
            appends.push(append);
            continue;
        }
        let (mut places, mut appends) = (Vec::with_capacity(room), Vec::with_capacity(room));
        places.push(place);
        appends.push(append);
        parts.push((router.link(&tag), places, appends));
    }
    parts
}

/// A part's places in the call, and its answers.
type Settled = (Vec<usize>, Vec<Result<(), Error>>);

/// Puts the answers of all parts in the order of the call.
fn in_order(len: usize, mut parts: Vec<Settled>) -> Vec<Result<(), Error>> {
    // What goes to one primary in one job is in order already.
    if let [(_, outcomes)] = parts.as_mut_slice()
        && outcomes.len() == len
    {
        return std::mem::take(outcomes);
    }
    let mut answers: Vec<_> = (0..len).map(|_| None).collect();
    for (places, outcomes) in parts {
        for (place, outcome) in places.into_iter().zip(outcomes) {
            if let Some(answer) = answers.get_mut(place) {
                *answer = Some(outcome);
            }
        }
    }
    let missing = || Err(Error::Doubt("an answer is missing".into()));
    answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
}

impl Store for Redis {
    fn describe(&self) -> Description {
        Description { name: self.inner.name.clone(), durability: promise(self.inner.level) }
    }

    fn now_ms(&self) -> u64 {
        self.inner.router.now_ms()
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        self.answer(|inner| async move {
            let actor = claim.actor.clone();
            let claimed = inner.claim(claim).await?;
            // What is loaded next is shown.
            if let Claimed::Granted { history, .. } = claimed {
                inner.confirm(&actor, history).await?;
            }
            Ok(claimed)
        })
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        let actor = actor.clone();
        self.answer(|inner| async move { inner.load(&actor, base).await })
    }

    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>> {
        let (inner, len) = (&self.inner, batch.len());
        if inner.is_closed() {
            return ready(vec![Err(closed()); len]).boxed();
        }
        let parts = divide(&inner.router, batch).into_iter().map(|(link, places, appends)| {
            let (tag, history) = appends
                .first()
                .map(|append| (tag_of(&append.actor), append.history))
                .unwrap_or_default();
            let written = inner.groups.append(inner, &link, appends);
            Arc::clone(inner).settle(Part { link, history, tag, places, written })
        });
        let parts: Vec<_> = parts.collect();
        async move { in_order(len, join_all(parts).await) }.boxed()
    }

    fn history_of(&self, actor: &ActorId) -> History {
        self.inner.router.link(&tag_of(actor)).history()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.router.changes()
    }

    fn reassert(&self, reassert: Reassert) -> Answer<Reasserted> {
        self.answer(|inner| async move {
            let actor = reassert.actor.clone();
            let answer = inner.reassert(reassert).await?;
            if let Reasserted::Granted { history, .. } = answer {
                inner.confirm(&actor, history).await?;
            }
            Ok(answer)
        })
    }

    fn owners(&self, actors: Vec<ActorId>) -> Answer<Vec<Option<Owner>>> {
        self.answer(|inner| async move { inner.owners(actors).await })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn stable_after_ms(&self) -> u64 {
        match self.inner.level {
            Durability::Stored => STABLE_AFTER_MS,
            Durability::Replicated(_) | Durability::Fsynced => 0,
        }
    }

    fn partitions(&self) -> Partition {
        PARTITIONS
    }

    fn partition_of(&self, actor: &ActorId) -> Partition {
        partition_of(actor)
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        let actor = actor.clone();
        self.answer(|inner| async move {
            let tip = inner.tip(&actor).await?;
            // A record that is found after a doubt is acknowledged by it.
            if let Some(tip) = &tip {
                inner.confirm(&actor, tip.history).await?;
            }
            Ok(tip)
        })
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        let settled = self.settled(&snapshot.actor);
        self.answer(|inner| async move {
            settled.await;
            inner.snapshot(snapshot).await
        })
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        let (settled, actor) = (self.settled(actor), actor.clone());
        self.answer(|inner| async move {
            settled.await;
            inner.release(&actor, epoch, due_ms).await
        })
    }

    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()> {
        let (settled, actor) = (self.settled(actor), actor.clone());
        self.answer(|inner| async move {
            settled.await;
            inner.erase(&actor, epoch, seq).await
        })
    }

    fn due(
        &self,
        partition: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>> {
        self.answer(|inner| async move { inner.due(partition, after, until_ms, limit).await })
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        let kind = kind.to_owned();
        self.answer(|inner| async move { inner.actors(&kind, after, limit).await })
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        let actor = actor.clone();
        self.answer(|inner| async move { inner.journal(&actor, from, limit).await })
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.answer(|inner| async move { inner.put_score(score).await })
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.answer(|inner| async move { inner.top_scores(limit).await })
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.answer(|inner| async move { inner.put_metrics(metrics).await })
    }

    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        let registry = Arc::clone(registry);
        self.answer(|inner| async move { inner.put_rows(&registry, rows).await })
    }

    fn search(&self, search: Search) -> Answer<Found> {
        self.answer(|inner| async move { inner.search(search).await })
    }

    fn rows(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        let registry = Arc::clone(registry);
        self.answer(|inner| async move { inner.rows(&registry, partition, after, limit).await })
    }

    fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        let registry = Arc::clone(registry);
        self.answer(|inner| async move { inner.drop_rows(&registry, rows).await })
    }

    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        mends: bool,
    ) -> Answer<EntriesFound> {
        let registry = Arc::clone(registry);
        self.answer(|inner| async move { inner.check_entries(&registry, partition, mends).await })
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        let name = name.to_owned();
        self.answer(|inner| async move { inner.secret(&name, fresh).await })
    }

    fn close(&self) -> Answer<()> {
        if self.inner.closed.swap(true, Ordering::AcqRel) {
            return ready(Err(closed())).boxed();
        }
        let inner = Arc::clone(&self.inner);
        async move {
            inner.groups.drained().await;
            inner.router.close().await;
            Ok(())
        }
        .boxed()
    }
}

impl Redis {
    /// What is left of the appends that were called for before, for this actor's primary.
    fn settled(&self, actor: &ActorId) -> BoxFuture<'static, ()> {
        if self.inner.is_closed() {
            return ready(()).boxed();
        }
        self.inner.groups.settled(&self.inner, &self.inner.route(actor).0)
    }
}

impl Inner {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn route(&self, actor: &ActorId) -> (link::Link, String) {
        let tag = tag_of(actor);
        (self.router.link(&tag), tag)
    }
}
