//! The index's one writer: a thread that keeps rows back for a moment and writes many at once.
//!
//! A row's entries lie all over the file, so a row that is written alone changes nine pages; of
//! thousands written together most share theirs. The statements alone, with 100,000 sessions and
//! four moved entries a row: 24 µs and 8 KB in groups of 8,192, 60 µs and 33 KB in groups of 256.
//!
//! - A put is answered when its rows are kept back. Searches see them there; whoever walks, drops
//!   or checks rows has them written first. So an answered row is seen, and nobody who searches
//!   waits for thousands to be written. A newer row of a player takes the kept one's place: who
//!   changes all the time is written once in [`KEPT_MS`].
//! - A process that dies takes what it kept back with it, as it takes what its sessions' owners
//!   had not sent yet: at most [`KEPT_MS`], or [`KEPT_ROWS_MAX`].
//! - Rows that can't be written stay kept back and are tried again. Meanwhile no more are taken:
//!   calls hear [`Error::Stalled`] and why.
//! - A damaged index is made anew, and the server goes on.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_protocol::ids::PlayerId;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::entries::Layout;
use super::tables::{self, Stray};
use super::{Shared, schema};
use crate::clock::instant;
use crate::search::Registry;
use crate::store::Error;
use crate::store::attributes::{Doomed, RowOf};

/// For how long rows are kept back at most.
const KEPT_MS: u64 = 2_000;

/// Rows kept back; at this many they are written.
const KEPT_ROWS_MAX: usize = 16_384;

/// Rows taken from the queue at once.
const TAKEN_ROWS_MAX: usize = 1_024;

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<(), Error>>;

/// A call that writes.
pub(super) enum Job {
    Put(Arc<Registry>, Vec<RowOf>, Reply),
    Drop(Arc<Registry>, Vec<Doomed>, Reply),
    /// Writes what is kept back.
    Flush(Reply),
    Mend(Arc<Layout>, Mends, Reply),
    /// The index was found damaged when it had been made so many times.
    Damaged(u64, String),
}

/// What a check found and the writer is to look at again.
#[derive(Debug, Default)]
pub(super) struct Mends {
    /// Whose rows lack entries or can't be read.
    pub players: Vec<String>,
    pub strays: Vec<Stray>,
}

impl Mends {
    pub fn len(&self) -> usize {
        self.players.len() + self.strays.len()
    }
}

/// A row that is kept back, and the layout of its registry.
#[derive(Clone)]
pub(super) struct Fresh {
    pub layout: Arc<Layout>,
    pub of: Arc<RowOf>,
}

/// The rows that are kept back: only the writer changes them. A row stays until it is committed,
/// so whoever looks here first and into the file then misses none.
pub(super) type Kept = Mutex<HashMap<PlayerId, Fresh>>;

/// What is kept back now.
pub(super) fn kept(kept: &Kept) -> MutexGuard<'_, HashMap<PlayerId, Fresh>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the writer's thread owns.
pub(super) struct Writer {
    conn: Connection,
    /// When the oldest row was kept back, or could not be written.
    since: Option<Instant>,
    /// Why the last group could not be written.
    trouble: Option<String>,
    layout: Option<Arc<Layout>>,
}

impl Writer {
    pub fn new(conn: Connection) -> Self {
        Self { conn, since: None, trouble: None, layout: None }
    }

    /// Serves jobs until the queue is closed, then writes what is kept back.
    pub fn run(mut self, shared: &Shared) {
        let guard = super::Guard(shared);
        while let Some(jobs) = shared.writes.take_within(TAKEN_ROWS_MAX, self.patience()) {
            for job in jobs {
                self.serve(job, shared);
            }
            if self.is_due(shared) {
                // Callers hear of it by the next call.
                drop(self.flush(shared));
            }
        }
        drop(self.flush(shared));
        drop(guard);
        self.close();
    }

    fn close(self) {
        let written_back = self.conn.pragma_update(None, "wal_checkpoint", "TRUNCATE");
        let closed = self.conn.close().map_err(|(_, error)| error);
        if let Err(error) = written_back.and(closed) {
            tracing::warn!(%error, "the attribute index was not closed well");
        }
    }

    /// How long to wait for the next job.
    fn patience(&self) -> Option<Duration> {
        let passed = instant().saturating_duration_since(self.since?);
        Some(Duration::from_millis(KEPT_MS).saturating_sub(passed))
    }

    fn is_due(&self, shared: &Shared) -> bool {
        let full = kept(&shared.kept).len() >= KEPT_ROWS_MAX;
        full || self.patience().is_some_and(|left| left.is_zero())
    }

    fn serve(&mut self, job: Job, shared: &Shared) {
        match job {
            Job::Put(registry, rows, reply) => {
                let answer = self.put(&registry, rows, shared);
                drop(reply.send(answer));
            }
            Job::Drop(registry, rows, reply) => {
                let answer = self.drop_rows(&registry, &rows, shared);
                drop(reply.send(answer));
            }
            Job::Flush(reply) => drop(reply.send(self.flush(shared))),
            Job::Mend(layout, mends, reply) => {
                let mended = mend(&mut self.conn, &layout, &mends);
                drop(reply.send(self.answer(mended, shared)));
            }
            Job::Damaged(generation, why) => {
                if shared.generation.load(Ordering::Relaxed) == generation {
                    self.make_anew(&why, shared);
                }
            }
        }
    }

    fn put(
        &mut self,
        registry: &Arc<Registry>,
        rows: Vec<RowOf>,
        shared: &Shared,
    ) -> Result<(), Error> {
        if self.trouble.is_some() || kept(&shared.kept).len() >= KEPT_ROWS_MAX {
            self.flush(shared)?;
        }
        let layout = self.layout(registry);
        let mut kept = kept(&shared.kept);
        for row in rows {
            let known = kept.get(row.row.player());
            if known.is_none_or(|known| known.of.at <= row.at) {
                let (player, layout) = (row.row.player().clone(), Arc::clone(&layout));
                kept.insert(player, Fresh { layout, of: Arc::new(row) });
            }
        }
        if !kept.is_empty() {
            self.since.get_or_insert_with(instant);
        }
        Ok(())
    }

    fn layout(&mut self, registry: &Arc<Registry>) -> Arc<Layout> {
        match &self.layout {
            Some(layout) if Arc::ptr_eq(&layout.registry, registry) => Arc::clone(layout),
            _ => Arc::clone(self.layout.insert(Arc::new(Layout::new(registry)))),
        }
    }

    /// Writes what is kept back.
    fn flush(&mut self, shared: &Shared) -> Result<(), Error> {
        let rows: Vec<Fresh> = kept(&shared.kept).values().cloned().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut written = write(&mut self.conn, &rows);
        if let Err(error) = &written
            && schema::is_damage(error)
            && self.make_anew(&error.to_string(), shared)
        {
            written = write(&mut self.conn, &rows);
        }
        if written.is_ok() {
            shared.flushes.fetch_add(1, Ordering::Relaxed);
            kept(&shared.kept).clear();
            self.since = None;
        } else {
            self.since = Some(instant());
        }
        let why = written.map_err(|error| error.to_string());
        self.note_trouble(why.as_ref().err(), rows.len());
        why.map_err(|why| unwritten(&why))
    }

    /// Says in the log when writing begins to fail, and when it goes on.
    fn note_trouble(&mut self, why: Option<&String>, rows: usize) {
        match (&self.trouble, why) {
            (None, Some(why)) => {
                tracing::warn!(why, rows, "the attribute index can't be written; trying again");
            }
            (Some(_), None) => tracing::info!("the attribute index can be written again"),
            _ => {}
        }
        self.trouble = why.cloned();
    }

    fn drop_rows(
        &mut self,
        registry: &Arc<Registry>,
        rows: &[Doomed],
        shared: &Shared,
    ) -> Result<(), Error> {
        self.flush(shared)?;
        let layout = self.layout(registry);
        let dropped = in_transaction(&mut self.conn, |conn| {
            let (mut changes, mut more) = (Vec::new(), 0);
            for (player, at) in rows {
                more += tables::drop_row(conn, &layout, player, *at, &mut changes)?;
            }
            tables::change_entries(conn, &layout, changes)?;
            tables::add_to_total(conn, more)
        });
        self.answer(dropped, shared)
    }

    fn answer(&self, done: rusqlite::Result<()>, shared: &Shared) -> Result<(), Error> {
        done.map_err(|error| {
            if schema::is_damage(&error) {
                self.make_anew(&error.to_string(), shared);
            }
            unwritten(&error.to_string())
        })
    }

    /// Answers whether the index is good again.
    fn make_anew(&self, why: &str, shared: &Shared) -> bool {
        match schema::make_anew(&self.conn, why) {
            Ok(()) => {
                shared.generation.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the attribute index can't be made anew");
                false
            }
        }
    }
}

fn unwritten(why: &str) -> Error {
    Error::Stalled(format!("the attribute index can't be written: {why}"))
}

fn in_transaction(
    conn: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work(&transaction)?;
    transaction.commit()
}

/// Writes rows in the order of the table, then the entries in that of theirs.
fn write(conn: &mut Connection, kept: &[Fresh]) -> rusqlite::Result<()> {
    let mut rows: Vec<&Fresh> = kept.iter().collect();
    rows.sort_unstable_by(|one, two| one.of.row.player().cmp(two.of.row.player()));
    in_transaction(conn, |conn| {
        let (mut rows, mut more) = (rows.as_slice(), 0);
        // A process has one registry; tests have more.
        while let Some(Fresh { layout, .. }) = rows.first() {
            let same = rows.iter().take_while(|other| Arc::ptr_eq(&other.layout, layout)).count();
            let (now, later) = rows.split_at(same);
            let mut changes = Vec::new();
            for fresh in now {
                more += tables::put(conn, layout, &fresh.of, &mut changes)?;
            }
            tables::change_entries(conn, layout, changes)?;
            rows = later;
        }
        tables::add_to_total(conn, more)
    })
}

fn mend(conn: &mut Connection, layout: &Layout, mends: &Mends) -> rusqlite::Result<()> {
    in_transaction(conn, |conn| {
        for player in &mends.players {
            tables::mend_row(conn, layout, player)?;
        }
        for stray in &mends.strays {
            tables::mend_stray(conn, layout, stray)?;
        }
        if mends.len() == 0 { tables::recount(conn) } else { Ok(()) }
    })
}
