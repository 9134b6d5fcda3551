//! A store whose answers a test can bend: the reference store behind switches. It can also go back
//! in time, as a store does whose replica took over without the newest records.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use holdfast::clock::Clock;
use holdfast::search::Registry;
use holdfast::store::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use holdfast::store::memory::Memory;
use holdfast::store::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, History, Loaded, Owner,
    Partition, Reassert, Reasserted, RecordRow, Score, Seq, SessionMetrics, Snapshot, Store, Tip,
};
use holdfast_protocol::ids::{ActorId, PlayerId};
use tokio::sync::watch;

type Bend = Box<dyn Fn(Base, &mut Loaded) + Send + Sync>;

/// See the module. Switches may be turned at any time.
#[derive(Clone)]
pub struct Bent {
    time: Arc<Mutex<Time>>,
    changes: watch::Sender<u64>,
    switches: Arc<Switches>,
}

/// What the store holds, in which of its histories, and what it may go back to.
struct Time {
    memory: Memory,
    kept: Option<Memory>,
    history: History,
    /// Until then holders come first.
    grace_until_ms: u64,
}

/// How long holders come first after the store went back in time.
const GRACE_MS: u64 = 2_000;

#[derive(Default)]
pub struct Switches {
    /// Appends are refused as stalled.
    pub stalled: AtomicBool,
    /// Tips can't be read.
    pub no_tip: AtomicBool,
    /// Releases fail.
    pub no_release: AtomicBool,
    /// Erasures fail.
    pub no_erase: AtomicBool,
    /// Erasures are done, and no one hears of it.
    pub silent_erase: AtomicBool,
    /// No one is ever due: the nodes leave each other's actors alone until they are addressed.
    pub no_due: AtomicBool,
    /// Everything fails for good.
    pub poisoned: AtomicBool,
    /// All partitions are empty, and not this world's.
    pub wiped: AtomicBool,
    /// Into how many parts actors are divided; 0 is one part.
    pub partitions: AtomicU16,
    /// The parts whose index was read.
    pub walked: Mutex<BTreeSet<Partition>>,
    /// See [`Store::stable_after_ms`]; 0 at first.
    pub stable_after_ms: AtomicU64,
    /// When an actor was last given up, by the store's clock.
    pub released_ms: AtomicU64,
    /// Groups of appends that were asked for.
    pub appends: AtomicU64,
    /// Reads of who is due.
    pub dues: AtomicU64,
    /// How far the store's clock is behind the machine's, in milliseconds.
    pub behind_ms: AtomicU64,
    /// How often the store's clock was asked.
    pub looks: AtomicU64,
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
        let memory = Memory::new(clock.clone());
        let time = Time { memory, kept: None, history: 0, grace_until_ms: 0 };
        let time = Arc::new(Mutex::new(time));
        Self { time, changes: watch::channel(0).0, switches: Arc::default() }
    }

    /// Remembers this moment.
    pub fn keep(&self) {
        let mut time = self.time.lock().unwrap();
        time.kept = Some(time.memory.copy());
    }

    /// Goes back to the moment that was kept: a new history, which lacks what came since.
    pub fn go_back(&self) {
        let mut time = self.time.lock().unwrap();
        time.memory = time.kept.take().expect("no moment was kept");
        time.history += 1;
        time.grace_until_ms = time.memory.now_ms() + GRACE_MS;
        self.changes.send_replace(time.history);
    }

    fn memory(&self) -> Memory {
        self.time.lock().unwrap().memory.clone()
    }

    fn history(&self) -> History {
        self.time.lock().unwrap().history
    }

    /// How long a newcomer waits for the holder of an actor.
    async fn grace_ms(&self, claim: &Claim) -> u64 {
        let owners = self.memory().owners(vec![claim.actor.clone()]).await.unwrap();
        let holder = owners[0].is_some_and(|owner| owner.session == claim.session);
        let until_ms = if holder { 0 } else { self.time.lock().unwrap().grace_until_ms };
        until_ms.saturating_sub(self.now_ms())
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

    fn wiped<T: Send + 'static>(&self) -> Option<Answer<T>> {
        let wiped = self.switches.wiped.load(Ordering::SeqCst);
        wiped.then(|| ready(Err(Error::Wiped("as the test wants it".into()))).boxed())
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
        self.memory().describe()
    }

    fn now_ms(&self) -> u64 {
        self.switches.looks.fetch_add(1, Ordering::SeqCst);
        self.memory().now_ms() - self.switches.behind_ms.load(Ordering::SeqCst)
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        if let Some(wiped) = self.wiped() {
            return wiped;
        }
        let this = self.clone();
        async move {
            let wait_ms = this.grace_ms(&claim).await;
            if wait_ms > 0 {
                return Ok(Claimed::Wait(wait_ms));
            }
            Ok(match this.memory().claim(claim).await? {
                Claimed::Granted { epoch, seq, .. } => {
                    Claimed::Granted { epoch, seq, history: this.history() }
                }
                other => other,
            })
        }
        .boxed()
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        if let Some(wiped) = self.wiped() {
            return wiped;
        }
        let (load, switches) = (self.memory().load(actor, base), Arc::clone(&self.switches));
        let history = self.history();
        async move {
            let mut loaded = load.await?;
            loaded.tip.history = history;
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
        if self.switches.wiped.load(Ordering::SeqCst) {
            let wiped = || Error::Wiped("as the test wants it".into());
            return ready(batch.iter().map(|_| Err(wiped())).collect()).boxed();
        }
        let history = self.history();
        let memory = self.memory();
        if batch.iter().all(|append| append.history == history) {
            return memory.append(batch);
        }
        let each = batch.into_iter().map(move |append| {
            if append.history == history {
                memory.append(vec![append]).map(|mut answers| answers.remove(0)).boxed()
            } else {
                ready(Err(Error::Doubt("another history".into()))).boxed()
            }
        });
        futures::future::join_all(each).boxed()
    }

    fn history_of(&self, _: &ActorId) -> History {
        self.history()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn stable_after_ms(&self) -> u64 {
        self.switches.stable_after_ms.load(Ordering::SeqCst)
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        if self.switches.no_tip.load(Ordering::SeqCst) {
            return fail();
        }
        if let Some(wiped) = self.wiped() {
            return wiped;
        }
        let (tip, history) = (self.memory().tip(actor), self.history());
        async move { Ok(tip.await?.map(|tip| Tip { history, ..tip })) }.boxed()
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        self.memory().snapshot(snapshot)
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        if self.switches.no_release.load(Ordering::SeqCst) {
            return fail();
        }
        self.switches.released_ms.store(self.now_ms(), Ordering::SeqCst);
        self.memory().release(actor, epoch, due_ms)
    }

    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()> {
        if self.switches.no_erase.load(Ordering::SeqCst) {
            return fail();
        }
        let erased = self.memory().erase(actor, epoch, seq);
        let silent = self.switches.silent_erase.load(Ordering::SeqCst);
        async move {
            match erased.await {
                Ok(()) if silent => Err(Error::Doubt("as the test wants it".into())),
                answer => answer,
            }
        }
        .boxed()
    }

    fn reassert(&self, reassert: Reassert) -> Answer<Reasserted> {
        let (memory, history) = (self.memory(), self.history());
        if reassert.observed.history != history {
            return ready(Ok(Reasserted::Changed)).boxed();
        }
        let observed = Tip { history: 0, ..reassert.observed };
        let done = memory.reassert(Reassert { observed, ..reassert });
        async move {
            Ok(match done.await? {
                Reasserted::Granted { epoch, .. } => Reasserted::Granted { epoch, history },
                Reasserted::Changed => Reasserted::Changed,
            })
        }
        .boxed()
    }

    fn partitions(&self) -> Partition {
        self.switches.partitions.load(Ordering::SeqCst).max(1)
    }

    fn partition_of(&self, actor: &ActorId) -> Partition {
        // The one that its key names.
        actor.key().parse().unwrap_or(0) % self.partitions()
    }

    fn owners(&self, actors: Vec<ActorId>) -> Answer<Vec<Option<Owner>>> {
        self.memory().owners(actors)
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
        self.switches.dues.fetch_add(1, Ordering::SeqCst);
        if self.switches.no_due.load(Ordering::SeqCst) {
            return ready(Ok(Vec::new())).boxed();
        }
        self.switches.walked.lock().unwrap().insert(partition);
        let this = self.clone();
        async move {
            let mut due = this.memory().due(0, after, until_ms, usize::MAX).await?;
            due.retain(|(_, actor)| this.partition_of(actor) == partition);
            due.truncate(limit);
            Ok(due)
        }
        .boxed()
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        self.memory().actors(kind, after, limit)
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        self.memory().history(actor, from, limit)
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.memory().put_score(score)
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.memory().top_scores(limit)
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.memory().put_metrics(metrics)
    }

    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        self.memory().put_rows(registry, rows)
    }

    fn search(&self, search: Search) -> Answer<Found> {
        self.memory().search(search)
    }

    fn rows(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        self.memory().rows(registry, partition, after, limit)
    }

    fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        self.memory().drop_rows(registry, rows)
    }

    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        mends: bool,
    ) -> Answer<EntriesFound> {
        self.memory().check_entries(registry, partition, mends)
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        self.memory().secret(name, fresh)
    }

    fn close(&self) -> Answer<()> {
        self.memory().close()
    }
}
