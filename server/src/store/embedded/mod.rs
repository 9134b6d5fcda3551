//! The embedded store: SQLite in one file, no server to install; and a second file for the index
//! of sessions' attributes, which is made of the first ([`attributes`]).
//!
//! One writer thread commits in groups, a few reader threads serve loads and lists beside it,
//! and an OS lock keeps other processes out. An answer means: written to the log and synced.
//!
//! - I1: the writer judges every append in the transaction that writes it ([`tables`]).
//! - I2: answers wait for the commit ([`writer`]).
//! - I7: queues hold a bounded weight; at the bound *callers wait* ([`queue`]).
//! - Any failed commit poisons the store: nothing is answered from then on, [`Embedded::poisoned`]
//!   tells the node, and what was committed is found again at the next start.

mod attributes;
mod lock;
mod queue;
mod reader;
mod schema;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures::future::BoxFuture;
use holdfast_protocol::ids::{ActorId, PlayerId};
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::attributes::{Handle, Index};
use self::lock::DirLock;
use self::queue::Queue;
use self::reader::Read;
use self::writer::{Job, Reply, Writer};
use super::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use super::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, Loaded, Partition, RecordRow,
    Score, Seq, SessionMetrics, Snapshot, Store, Tip,
};
use crate::clock::Clock;
use crate::search::Registry;

/// Records that wait for the writer; then callers wait.
const WRITE_QUEUE_RECORDS_MAX: usize = 65_536;

/// Reads that wait for a reader; then callers wait.
const READ_QUEUE_LEN_MAX: usize = 4_096;

/// Enough to overlap one slow list with loads; more would only compete with the writer.
const READERS: usize = 2;

/// A store in a directory of its own. Dropping it serves what waits, and waits for that.
pub struct Embedded {
    shared: Arc<Shared>,
    clock: Clock,
    name: String,
    writer: Option<JoinHandle<()>>,
    index: Handle,
}

/// What the callers and the threads have in common.
struct Shared {
    writes: Queue<Job>,
    reads: Queue<Read>,
    /// Why no call is served any more.
    failure: OnceLock<String>,
    ended: CancellationToken,
    poisoned: CancellationToken,
    commits: AtomicU64,
}

impl Shared {
    fn new() -> Self {
        Self {
            writes: Queue::new(WRITE_QUEUE_RECORDS_MAX),
            reads: Queue::new(READ_QUEUE_LEN_MAX),
            failure: OnceLock::new(),
            ended: CancellationToken::new(),
            poisoned: CancellationToken::new(),
            commits: AtomicU64::new(0),
        }
    }

    /// Stops everything at once; calls that wait hear of it. When the node is told, no call is
    /// served any more.
    fn poison(&self, why: &str) {
        self.failure.get_or_init(|| why.to_owned());
        self.writes.abandon();
        self.reads.abandon();
        self.ended.cancel();
        self.poisoned.cancel();
    }

    /// Stops taking calls; those that wait are served.
    fn end(&self, why: &str) {
        self.failure.get_or_init(|| why.to_owned());
        self.reads.close();
        self.writes.close();
        self.ended.cancel();
    }

    /// Why a call was dropped unserved. Waits until no later one could be served either.
    async fn lost(&self) -> Error {
        self.ended.cancelled().await;
        Error::Poisoned(self.failure.get().cloned().unwrap_or_default())
    }
}

/// Held by each thread: a panic there poisons the store instead of leaving callers waiting.
struct Guard(Arc<Shared>);

impl Guard {
    fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("one of its threads panicked");
        }
    }
}

impl Embedded {
    /// Opens the store in `dir`; makes both where there is none. Blocks until it is ready.
    ///
    /// # Errors
    /// [`Error::Open`] with a sentence for the operator: the directory is in use, can't be
    /// written, or was written by a newer version.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, Error> {
        let lock = DirLock::acquire(dir)?;
        let conn = schema::open_writer(dir)?;
        let index = Index::open(dir, schema::has_actors(&conn, dir)?)?;
        let shared = Arc::new(Shared::new());
        let readers = (0..READERS)
            .map(|_| {
                let (conn, shared) = (schema::open_reader(dir)?, Arc::clone(&shared));
                spawn("store-reader", move || reader::run(conn, &shared))
            })
            .collect::<Result<_, _>>()?;
        let handle = index.handle();
        let writer = Writer { conn, readers, index, clock: clock.clone(), lock };
        let for_writer = Arc::clone(&shared);
        let writer = spawn("store-writer", move || writer.run(&for_writer))?;
        let name = format!("embedded:{}", dir.display());
        Ok(Self { shared, clock, name, writer: Some(writer), index: handle })
    }

    /// Cancelled once the store has failed and the node must stop.
    #[must_use]
    pub fn poisoned(&self) -> CancellationToken {
        self.shared.poisoned.clone()
    }

    /// Transactions committed since it was opened.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Hands a job to the writer at once, so that calls take effect in their order.
    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(Reply<Result<T, Error>>) -> Job,
    ) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let place = self.shared.writes.push(1, job(reply));
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let _place = place;
            match answer.await {
                Ok(answer) => answer,
                Err(_) => Err(shared.lost().await),
            }
        })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |conn| drop(reply.send(read(conn))));
        let place = self.shared.reads.push(1, job);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let _place = place;
            match answer.await {
                Ok(answer) => answer,
                Err(_) => Err(shared.lost().await),
            }
        })
    }

    /// The index's answer; once the store has failed or was closed, that is why it has none.
    fn indexed<T: Send + 'static>(&self, answer: Answer<T>) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            answer.await.map_err(|error| match shared.failure.get() {
                Some(why) => Error::Poisoned(why.clone()),
                None => error,
            })
        })
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map_err(|error| Error::Open(format!("can't start the thread {name}: {error}")))
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.end("it was dropped");
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl Store for Embedded {
    fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            durability: "whatever was acknowledged survives crashes and power cuts, as long as \
                         the disk keeps what it has synced"
                .into(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        self.write(|reply| Job::Claim(claim, reply))
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        let actor = actor.clone();
        self.read(move |conn| reader::load(conn, &actor, base))
    }

    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>> {
        let len = batch.len();
        let (reply, answer) = oneshot::channel();
        let place = self.shared.writes.push(len, Job::Append(batch, reply));
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let _place = place;
            match answer.await {
                Ok(answers) => answers,
                Err(_) => vec![Err(shared.lost().await); len],
            }
        })
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        let actor = actor.clone();
        self.read(move |conn| reader::tip(conn, &actor))
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        self.write(|reply| Job::Snapshot(snapshot, reply))
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        self.write(|reply| Job::Release(actor.clone(), epoch, due_ms, reply))
    }

    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()> {
        self.write(|reply| Job::Erase(actor.clone(), epoch, seq, reply))
    }

    fn due(
        &self,
        _: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>> {
        self.read(move |conn| reader::due(conn, after.as_ref(), until_ms, limit))
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        let kind = kind.to_owned();
        self.read(move |conn| reader::actors(conn, &kind, after.as_ref(), limit))
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        let actor = actor.clone();
        self.read(move |conn| reader::history(conn, &actor, from, limit))
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.write(|reply| Job::Score(score, reply))
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.read(move |conn| reader::top_scores(conn, limit))
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.write(|reply| Job::Metrics(metrics, reply))
    }

    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        self.indexed(self.index.put_rows(registry, rows))
    }

    fn search(&self, search: Search) -> Answer<Found> {
        self.indexed(self.index.search(search))
    }

    fn rows(
        &self,
        registry: &Arc<Registry>,
        _: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        self.indexed(self.index.rows(registry, after, limit))
    }

    fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        self.indexed(self.index.drop_rows(registry, rows))
    }

    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        _: Partition,
        mends: bool,
    ) -> Answer<EntriesFound> {
        self.indexed(self.index.check_entries(registry, mends))
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        self.write(|reply| Job::Secret(name.to_owned(), fresh, reply))
    }

    fn close(&self) -> Answer<()> {
        let closed = self.write(Job::Close);
        self.shared.end("it was closed");
        closed
    }
}
