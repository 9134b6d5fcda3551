//! The attribute index of the embedded store: a second SQLite file, with threads and queues of
//! its own, so that no append ever waits for it.
//!
//! - [`entries`]: which entries a row has, and where a query finds them.
//! - [`writer`]: one thread keeps rows back for a moment and writes many at once.
//! - [`reader`], [`check`]: searches beside it, each at one moment, which includes the rows that
//!   are kept back.
//!
//! Everything in the file is made of the journals and can be made again. So commits are not
//! synced, a file that is no good is thrown away, and a write that fails is an error of the index
//! alone: it never poisons the store.
//!
//! I7: queues hold a bounded weight; at the bound *callers wait*.

mod check;
mod entries;
mod reader;
mod schema;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use holdfast_protocol::ids::PlayerId;
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::check::Fault;
use self::entries::Layout;
use self::writer::{Fresh, Job, Kept, Mends, Reply, Writer};
use super::queue::Queue;
use super::spawn;
use crate::search::Registry;
use crate::store::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use crate::store::{Answer, Error};

/// Rows that wait for the writer; then callers wait.
const WRITE_QUEUE_ROWS_MAX: usize = 16_384;

/// Searches that wait for a reader; then callers wait.
const READ_QUEUE_LEN_MAX: usize = 1_024;

/// Enough that one search of every row does not hold up the quick ones.
const READERS: usize = 2;

/// A read: runs on a reader's thread, and answers its caller itself.
type Read = Box<dyn FnOnce(&mut Connection) + Send>;

/// What callers and threads have in common.
struct Shared {
    writes: Queue<Job>,
    reads: Queue<Read>,
    kept: Kept,
    /// Counts how often the index was made anew since it was opened.
    generation: AtomicU64,
    /// Groups of rows written since then.
    flushes: AtomicU64,
}

/// Held by each thread: a panic there ends the index instead of leaving callers waiting.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.reads.abandon();
            self.0.writes.abandon();
        }
    }
}

/// The index's threads.
pub(super) struct Index {
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
}

impl Index {
    /// Opens the index in the store's directory, whose lock the caller holds. `is_used`: the
    /// store has actors, so an index should be there.
    pub fn open(dir: &Path, is_used: bool) -> Result<Self, Error> {
        let conn = schema::open_writer(dir, is_used)?;
        let shared = Arc::new(Shared {
            writes: Queue::new(WRITE_QUEUE_ROWS_MAX),
            reads: Queue::new(READ_QUEUE_LEN_MAX),
            kept: Kept::default(),
            generation: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
        });
        let readers = (0..READERS)
            .map(|_| {
                let (conn, shared) = (schema::open_reader(dir)?, Arc::clone(&shared));
                spawn("index-reader", move || serve_reads(conn, &shared))
            })
            .collect::<Result<_, _>>()?;
        let (writer, for_writer) = (Writer::new(conn), Arc::clone(&shared));
        let writer = spawn("index-writer", move || writer.run(&for_writer))?;
        Ok(Self { shared, readers, writer })
    }

    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Serves what waits, writes what is kept back, and closes. Readers first: a check that mends
    /// needs the writer.
    pub fn close(self) {
        self.shared.reads.close();
        self.readers.into_iter().for_each(|reader| drop(reader.join()));
        self.shared.writes.close();
        drop(self.writer.join());
    }
}

fn serve_reads(mut conn: Connection, shared: &Shared) {
    let _guard = Guard(shared);
    while let Some(reads) = shared.reads.take(1) {
        reads.into_iter().for_each(|read| read(&mut conn));
    }
}

/// How the index is called.
#[derive(Clone)]
pub(super) struct Handle(Arc<Shared>);

impl Handle {
    pub fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        let registry = Arc::clone(registry);
        self.write(rows.len(), |reply| Job::Put(registry, rows, reply))
    }

    pub fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        let registry = Arc::clone(registry);
        self.write(rows.len(), |reply| Job::Drop(registry, rows, reply))
    }

    pub fn search(&self, search: Search) -> Answer<Found> {
        let kept = writer::kept(&self.0.kept);
        // Rows of another registry have to be written to be understood.
        let foreign = |fresh: &Fresh| !Arc::ptr_eq(&fresh.layout.registry, &search.registry);
        let flushes = kept.values().any(foreign);
        drop(kept);
        let read = move |conn: &mut Connection, shared: &Shared| {
            let kept = writer::kept(&shared.kept);
            let fresh = kept.values().map(|fresh| Arc::clone(&fresh.of)).collect();
            drop(kept);
            noted(shared, || reader::search(conn, &search, fresh))
        };
        if flushes { self.read(read) } else { read_on(Arc::clone(&self.0), read) }
    }

    pub fn rows(
        &self,
        registry: &Arc<Registry>,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        let registry = Arc::clone(registry);
        self.read(move |conn, shared| {
            noted(shared, || reader::rows(conn, &registry, after.as_ref(), limit))
        })
    }

    pub fn check_entries(&self, registry: &Arc<Registry>, mends: bool) -> Answer<EntriesFound> {
        let layout = Arc::new(Layout::new(registry));
        self.read(move |conn, shared| {
            let mender = |mends| mend(shared, &layout, mends);
            match check::check(conn, &layout, mends.then_some(&mender)) {
                Ok(found) => Ok(found),
                Err(Fault::Mend(error)) => Err(error),
                Err(Fault::Read(error)) => noted(shared, || Err(error)),
            }
        })
    }

    /// Groups of rows written since the index was opened.
    #[cfg(test)]
    pub fn flushes(&self) -> u64 {
        self.0.flushes.load(Ordering::Relaxed)
    }

    /// Hands a job to the writer at once, so that calls take effect in their order.
    fn write(&self, weight: usize, job: impl FnOnce(Reply) -> Job) -> Answer<()> {
        let (reply, answer) = oneshot::channel();
        let place = self.0.writes.push(weight.max(1), job(reply));
        Box::pin(async move {
            let _place = place;
            answer.await.unwrap_or_else(|_| Err(closed()))
        })
    }

    /// Has a reader read, once every row that was answered is written.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection, &Shared) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let flushed = self.write(1, Job::Flush);
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            flushed.await?;
            read_on(shared, read).await
        })
    }
}

/// Has a reader read.
fn read_on<T: Send + 'static>(
    shared: Arc<Shared>,
    read: impl FnOnce(&mut Connection, &Shared) -> Result<T, Error> + Send + 'static,
) -> Answer<T> {
    Box::pin(async move {
        let (reply, answer) = oneshot::channel();
        let for_reader = Arc::clone(&shared);
        let job: Read = Box::new(move |conn| {
            // Nobody waits any more: a search may be long.
            if !reply.is_closed() {
                drop(reply.send(read(conn, &for_reader)));
            }
        });
        let _place = shared.reads.push(1, job);
        answer.await.unwrap_or_else(|_| Err(closed()))
    })
}

fn closed() -> Error {
    Error::Stalled("the attribute index is closed".into())
}

/// Reads; if that shows that the index is damaged, the writer hears of it.
fn noted<T>(shared: &Shared, read: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, Error> {
    let generation = shared.generation.load(Ordering::Relaxed);
    read().map_err(|error| {
        let why = error.to_string();
        if schema::is_damage(&error) {
            drop(shared.writes.push(1, Job::Damaged(generation, why.clone())));
        }
        Error::Stalled(format!("the attribute index can't be read: {why}"))
    })
}

/// Has the writer mend, and waits for it: on a reader's thread.
fn mend(shared: &Shared, layout: &Arc<Layout>, mends: Mends) -> Result<(), Error> {
    let (reply, answer) = oneshot::channel();
    let _place = shared.writes.push(1, Job::Mend(Arc::clone(layout), mends, reply));
    answer.blocking_recv().unwrap_or_else(|_| Err(closed()))
}
