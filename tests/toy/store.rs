//! A store whose answers a test can bend: the reference store behind switches.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use holdfast::clock::Clock;
use holdfast::store::memory::Memory;
use holdfast::store::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, Loaded, Owner, Partition,
    Reassert, Reasserted, RecordRow, Score, Seq, SessionMetrics, Snapshot, Store, Tip,
};
use holdfast_protocol::ids::ActorId;

type Bend = Box<dyn Fn(Base, &mut Loaded) + Send + Sync>;

/// See the module. Switches may be turned at any time.
#[derive(Clone)]
pub struct Bent {
    memory: Memory,
    switches: Arc<Switches>,
}

#[derive(Default)]
pub struct Switches {
    /// Appends are refused as stalled.
    pub stalled: AtomicBool,
    /// Tips can't be read.
    pub no_tip: AtomicBool,
    /// Releases fail.
    pub no_release: AtomicBool,
    /// No one is ever due: the nodes leave each other's actors alone until they are addressed.
    pub no_due: AtomicBool,
    /// Everything fails for good.
    pub poisoned: AtomicBool,
    /// Groups of appends that were asked for.
    pub appends: AtomicU64,
    /// Changes what a load finds.
    pub bend: Mutex<Option<Bend>>,
}

impl std::fmt::Debug for Bent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a bent store")
    }
}

fn fail<T: Send + 'static>() -> Answer<T> {
    ready(Err(Error::Stalled("as the test wants it".into()))).boxed()
}

impl Bent {
    pub fn new(clock: &Clock) -> Self {
        Self { memory: Memory::new(clock.clone()), switches: Arc::default() }
    }

    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    pub fn turn(switch: &AtomicBool, on: bool) {
        switch.store(on, Ordering::SeqCst);
    }

    pub fn shared(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    pub fn bend(&self, bend: impl Fn(Base, &mut Loaded) + Send + Sync + 'static) {
        *self.switches.bend.lock().unwrap() = Some(Box::new(bend));
    }

    fn poisoned(&self) -> bool {
        self.switches.poisoned.load(Ordering::SeqCst)
    }
}

fn poison() -> Error {
    Error::Poisoned("as the test wants it".into())
}

impl Store for Bent {
    fn describe(&self) -> Description {
        self.memory.describe()
    }

    fn now_ms(&self) -> u64 {
        self.memory.now_ms()
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        self.memory.claim(claim)
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        let (load, switches) = (self.memory.load(actor, base), Arc::clone(&self.switches));
        async move {
            let mut loaded = load.await?;
            if let Some(bend) = &*switches.bend.lock().unwrap() {
                bend(base, &mut loaded);
            }
            Ok(loaded)
        }
        .boxed()
    }

    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>> {
        self.switches.appends.fetch_add(1, Ordering::SeqCst);
        if self.poisoned() {
            return ready(batch.iter().map(|_| Err(poison())).collect()).boxed();
        }
        if self.switches.stalled.load(Ordering::SeqCst) {
            let full = || Error::Stalled("as the test wants it".into());
            return ready(batch.iter().map(|_| Err(full())).collect()).boxed();
        }
        self.memory.append(batch)
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        if self.switches.no_tip.load(Ordering::SeqCst) {
            return fail();
        }
        self.memory.tip(actor)
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        self.memory.snapshot(snapshot)
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        if self.switches.no_release.load(Ordering::SeqCst) {
            return fail();
        }
        self.memory.release(actor, epoch, due_ms)
    }

    fn reassert(&self, reassert: Reassert) -> Answer<Reasserted> {
        self.memory.reassert(reassert)
    }

    fn owners(&self, actors: Vec<ActorId>) -> Answer<Vec<Option<Owner>>> {
        self.memory.owners(actors)
    }

    fn due(
        &self,
        partition: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>> {
        if self.poisoned() {
            return ready(Err(poison())).boxed();
        }
        if self.switches.no_due.load(Ordering::SeqCst) {
            return ready(Ok(Vec::new())).boxed();
        }
        self.memory.due(partition, after, until_ms, limit)
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        self.memory.actors(kind, after, limit)
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        self.memory.history(actor, from, limit)
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.memory.put_score(score)
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.memory.top_scores(limit)
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.memory.put_metrics(metrics)
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        self.memory.secret(name, fresh)
    }

    fn close(&self) -> Answer<()> {
        self.memory.close()
    }
}
