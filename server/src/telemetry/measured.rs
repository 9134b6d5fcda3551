//! A store, measured: how long each group of appends takes, how many records it holds, and since
//! when no append has got through. Everything else is passed on.

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use holdfast_protocol::ids::{ActorId, PlayerId};
use std::sync::Arc;
use tokio::sync::watch;

use super::metrics::Metrics;
use crate::clock::{self, Clock};
use crate::search::Registry;
use crate::store::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use crate::store::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, History, Loaded, Owner,
    Partition, Reassert, Reasserted, RecordRow, Score, Seq, SessionMetrics, Snapshot, Store, Tip,
};

/// See the module.
#[derive(Debug)]
pub struct Measured {
    /// The store that does the work.
    pub inner: Arc<dyn Store>,
    /// Where it is counted.
    pub metrics: Metrics,
    /// For the time of trouble.
    pub clock: Clock,
    /// Whether appends stall.
    pub trouble: watch::Sender<Option<Stall>>,
}

/// No append gets through. What stalls is tried again several times a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Since when, Unix milliseconds by the clock.
    pub since_ms: u64,
    /// The newest append that stalled.
    pub last_ms: u64,
}

impl Stall {
    /// A stall that is not repeated for so long is over: who was stalled has gone.
    pub const OVER_MS: u64 = 2_000;

    /// Whether it still lasts.
    #[must_use]
    pub fn lasts(&self, now_ms: u64) -> bool {
        now_ms < self.last_ms.saturating_add(Self::OVER_MS)
    }
}

/// Notes whether a group of appends got through.
fn note(
    trouble: &watch::Sender<Option<Stall>>,
    (metrics, clock): (&Metrics, &Clock),
    answers: &[Result<(), Error>],
) {
    let stalled = |answer: &&Result<(), Error>| matches!(answer, Err(Error::Stalled(_)));
    let refused = answers.iter().filter(stalled).count();
    metrics.appends_stalled.inc_by(refused as u64);
    let stalls = !answers.is_empty() && refused == answers.len();
    trouble.send_if_modified(|stall| {
        let before = *stall;
        *stall = stalls.then(|| {
            let last_ms = clock.now_ms();
            let begun = before.filter(|stall| stall.lasts(last_ms));
            metrics.stalls.inc_by(u64::from(begun.is_none()));
            Stall { since_ms: begun.map_or(last_ms, |stall| stall.since_ms), last_ms }
        });
        *stall != before
    });
}

impl Store for Measured {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>> {
        self.metrics.append_group_records.observe(batch.len() as f64);
        let seconds = self.metrics.append_seconds.clone();
        let begun = clock::instant();
        let answer = self.inner.append(batch);
        let (trouble, clock, metrics) =
            (self.trouble.clone(), self.clock.clone(), self.metrics.clone());
        let looked = answer.inspect(move |answers| {
            seconds.observe(begun.elapsed().as_secs_f64());
            note(&trouble, (&metrics, &clock), answers);
        });
        looked.boxed()
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        self.inner.claim(claim)
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        self.inner.load(actor, base)
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        self.inner.tip(actor)
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        self.inner.snapshot(snapshot)
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        self.inner.release(actor, epoch, due_ms)
    }

    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()> {
        self.inner.erase(actor, epoch, seq)
    }

    fn history_of(&self, actor: &ActorId) -> History {
        self.inner.history_of(actor)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }

    fn reassert(&self, reassert: Reassert) -> Answer<Reasserted> {
        self.inner.reassert(reassert)
    }

    fn owners(&self, actors: Vec<ActorId>) -> Answer<Vec<Option<Owner>>> {
        self.inner.owners(actors)
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn stable_after_ms(&self) -> u64 {
        self.inner.stable_after_ms()
    }

    fn partitions(&self) -> Partition {
        self.inner.partitions()
    }

    fn partition_of(&self, actor: &ActorId) -> Partition {
        self.inner.partition_of(actor)
    }

    fn due(
        &self,
        partition: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>> {
        self.inner.due(partition, after, until_ms, limit)
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        self.inner.actors(kind, after, limit)
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        self.inner.history(actor, from, limit)
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.inner.put_score(score)
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.inner.top_scores(limit)
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.inner.put_metrics(metrics)
    }

    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        self.inner.put_rows(registry, rows)
    }

    fn search(&self, search: Search) -> Answer<Found> {
        self.inner.search(search)
    }

    fn rows(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        self.inner.rows(registry, partition, after, limit)
    }

    fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        self.inner.drop_rows(registry, rows)
    }

    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        mends: bool,
    ) -> Answer<EntriesFound> {
        self.inner.check_entries(registry, partition, mends)
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        self.inner.secret(name, fresh)
    }

    fn close(&self) -> Answer<()> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_lasts_until_something_gets_through() {
        let (trouble, seen) = watch::channel(None);
        let (clock, metrics) = (Clock::movable(), Metrics::default());
        let stalled = || Err(Error::Stalled("full".into()));
        let note = |answers: &[Result<(), Error>]| note(&trouble, (&metrics, &clock), answers);
        note(&[stalled(), Ok(())]);
        note(&[Err(Error::Doubt("lost".into()))]);
        assert_eq!(*seen.borrow(), None, "not everything stalls");
        note(&[stalled()]);
        let since_ms = seen.borrow().unwrap().since_ms;
        clock.advance(300);
        note(&[stalled(), stalled()]);
        let stall = seen.borrow().unwrap();
        assert!(stall.since_ms == since_ms && stall.last_ms >= since_ms + 300, "{stall:?}");
        note(&[stalled(), Ok(())]);
        assert_eq!(*seen.borrow(), None);
        assert_eq!((metrics.stalls.get(), metrics.appends_stalled.get()), (1, 5));
    }

    #[test]
    fn a_stall_after_a_long_silence_is_another_one() {
        let (trouble, seen) = watch::channel(None);
        let (clock, metrics) = (Clock::movable(), Metrics::default());
        let stall = || {
            note(&trouble, (&metrics, &clock), &[Err(Error::Stalled("full".into()))]);
            seen.borrow().unwrap().since_ms
        };
        let first_ms = stall();
        clock.advance(Stall::OVER_MS);
        assert!(stall() >= first_ms + Stall::OVER_MS, "it began long ago");
        assert_eq!(metrics.stalls.get(), 2);
    }
}
