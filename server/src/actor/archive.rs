//! Reads what has happened to actors from the store. Claims no one and changes nothing, so it works
//! for every actor, whoever holds it, and while it plays.
//!
//! I7: a page holds at most [`RECORDS_MAX`] records and about [`PAGE_BYTES_MAX`] bytes of them.
//! I8: what is read for it is bounded by the actor's snapshot policy.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::history::entries::{self, Claimed, Entry, Found, Kept};
use super::history::past::{Difference, PastError, Retained, State};
use super::history::recorded;
use super::kind::Kinds;
use super::replay::Stored;
use crate::store::{self, Base, Loaded, RecordRow, Store, Term, Tip};

/// Records of a page, unless said otherwise.
pub const RECORDS_DEFAULT: usize = 100;
/// Records of a page at most.
pub const RECORDS_MAX: usize = 1_000;
/// Stored bytes of records after which a page ends; one record is always there.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Why the past can't be read. Reacts: whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It has no records.
    #[error("no such actor: {0} has no records")]
    Absent(ActorId),
    /// What was asked for is not kept, or not yet there.
    #[error(transparent)]
    Past(#[from] PastError),
    /// The store can't be read now, or not at all.
    #[error("{0}")]
    Store(store::Error),
}

/// Which part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first record; `None`: the oldest that is kept.
    pub from: Option<u64>,
    /// The last record; `None`: the newest.
    pub to: Option<u64>,
    /// How many records at most.
    pub limit: usize,
}

/// A part of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Whose.
    pub actor: ActorId,
    /// The first record after which the state is known; 0: before the first.
    pub base: u64,
    /// The newest record.
    pub tip: u64,
    /// The newest term.
    pub epoch: u64,
    /// In their order.
    pub entries: Vec<Entry>,
    /// The record to go on from; `None`: this was all.
    pub next: Option<u64>,
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last record that was seen.
    pub seq: u64,
    /// The newest term that was seen.
    pub epoch: u64,
}

/// Reads histories. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn Store>,
    kinds: Kinds,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "archive of {:?}", self.store)
    }
}

fn stored(row: RecordRow) -> Stored {
    Stored { epoch: row.epoch, seq: row.seq, bytes: row.record }
}

/// The snapshots that are kept, and the terms, as far as they can be told.
#[derive(Default)]
struct Frame {
    base: u64,
    snapshots: Vec<Kept>,
    terms: Vec<Term>,
}

impl Frame {
    /// Of an actor whose snapshots do not fit its journal, only the records are shown.
    fn of(older: Option<&Loaded>, newest: Option<&Loaded>) -> Self {
        let mut frame = Self::default();
        for loaded in [older, newest].into_iter().flatten() {
            let Some(snapshot) = &loaded.snapshot else { continue };
            let kept = Kept { seq: snapshot.seq, bytes: snapshot.bytes.len() };
            if !frame.snapshots.contains(&kept) {
                frame.snapshots.push(kept);
            }
        }
        let Some(older) = older else { return frame };
        frame.base = older.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        // A store that keeps the newest term alone says that it began at the tip.
        let wrote = |term: &Term| {
            older.records.iter().any(|row| row.epoch == term.epoch && row.seq <= term.from)
        };
        frame.terms = older.terms.iter().copied().filter(|term| !wrote(term)).collect();
        frame
    }
}

impl Archive {
    /// `kinds` are the rules by which states are folded.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, kinds: Kinds) -> Self {
        Self { store, kinds }
    }

    async fn tip(&self, actor: &ActorId) -> Result<Tip, ArchiveError> {
        let tip = self.store.tip(actor).await.map_err(ArchiveError::Store)?;
        tip.filter(|tip| tip.seq > 0).ok_or_else(|| ArchiveError::Absent(actor.clone()))
    }

    /// A load; `None` where snapshot and journal do not fit each other.
    async fn load(&self, actor: &ActorId, base: Base) -> Result<Option<Loaded>, ArchiveError> {
        match self.store.load(actor, base).await {
            Ok(loaded) => Ok(Some(loaded)),
            Err(store::Error::Corrupt { .. }) => Ok(None),
            Err(store::Error::Absent) => Err(ArchiveError::Absent(actor.clone())),
            Err(error) => Err(ArchiveError::Store(error)),
        }
    }

    /// A part of an actor's history.
    ///
    /// # Errors
    /// [`ArchiveError`]; a record that can't be read is an entry that says so.
    pub async fn page(&self, actor: &ActorId, span: Span) -> Result<Page, ArchiveError> {
        let tip = self.tip(actor).await?;
        let from = span.from.unwrap_or(0);
        if from > tip.seq + 1 {
            let (actor, at, tip) = (actor.clone(), from, tip.seq);
            return Err(PastError::After { actor, at, tip }.into());
        }
        let to = span.to.unwrap_or(tip.seq).min(tip.seq);
        if span.to.is_some_and(|to| from > to) {
            return Err(PastError::Backwards { from, to: span.to.unwrap_or(to) }.into());
        }
        let older = self.load(actor, Base::Older).await?;
        let newest = self.load(actor, Base::Newest).await?;
        let frame = Frame::of(older.as_ref(), newest.as_ref());
        let limit = span.limit.clamp(1, RECORDS_MAX);
        // One before and one after tell where terms begin.
        let read = self.store.history(actor, from.saturating_sub(1), limit + 2).await;
        let rows: Vec<_> = read.map_err(ArchiveError::Store)?.into_iter().map(stored).collect();
        let end = last(&rows, from, limit).map_or(to, |end| end.min(to));
        let next = Some(end + 1).filter(|next| *next <= to);
        // Before the first record lies the first claim.
        let start = if from <= 1 { 0 } else { from };
        let found = Found { rows, terms: frame.terms, snapshots: frame.snapshots };
        let entries = entries::entries(&found, start, end);
        let (actor, base) = (actor.clone(), frame.base);
        Ok(Page { actor, base, tip: tip.seq, epoch: tip.epoch, entries, next })
    }

    /// The records and claims that came after a cursor, at most so many records, and how far that
    /// is. Reads no more than the tip where there is nothing new.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn since(
        &self,
        actor: &ActorId,
        after: Cursor,
        limit: usize,
    ) -> Result<(Vec<Entry>, Cursor), ArchiveError> {
        let tip = self.tip(actor).await?;
        let mut rows = Vec::new();
        if tip.seq > after.seq {
            let read = self.store.history(actor, after.seq + 1, limit).await;
            rows = read.map_err(ArchiveError::Store)?;
        }
        let (mut entries, mut now) = (Vec::new(), after);
        for row in rows.into_iter().map(stored) {
            if row.epoch > now.epoch {
                entries.push(Entry::Claim(Claimed { after: row.seq - 1, epoch: row.epoch }));
            }
            now = Cursor { seq: row.seq, epoch: row.epoch.max(now.epoch) };
            entries.push(entries::record(&row));
        }
        if now.seq == tip.seq && tip.epoch > now.epoch {
            entries.push(Entry::Claim(Claimed { after: tip.seq, epoch: tip.epoch }));
            now.epoch = tip.epoch;
        }
        Ok((entries, now))
    }

    /// The oldest base that is kept, the records after it, and the newest snapshot.
    async fn retained(
        &self,
        actor: &ActorId,
    ) -> Result<(Retained, Option<Snapshot>), ArchiveError> {
        self.tip(actor).await?;
        let load = async |base| self.store.load(actor, base).await.map_err(ArchiveError::Store);
        let (older, newest) = (load(Base::Older).await?, load(Base::Newest).await?);
        let seq_and_bytes =
            |loaded: &Loaded| loaded.snapshot.as_ref().map(|kept| (kept.seq, kept.bytes.clone()));
        let base = seq_and_bytes(&older);
        let records = older.records.into_iter().map(stored).collect();
        let retained = Retained { actor: actor.clone(), base, records };
        Ok((retained, seq_and_bytes(&newest)))
    }

    /// The state after record `at`; without one, after the newest.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn state(&self, actor: &ActorId, at: Option<u64>) -> Result<State, ArchiveError> {
        let (retained, _) = self.retained(actor).await?;
        Ok(retained.state(&self.kinds, at)?)
    }

    /// What the records after `from` up to `to` changed; see [`Retained::difference`].
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn difference(
        &self,
        actor: &ActorId,
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<Difference, ArchiveError> {
        let (retained, _) = self.retained(actor).await?;
        Ok(retained.difference(&self.kinds, from, to)?)
    }

    /// The journal as the text of a file, see [`recorded`].
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn recorded(&self, actor: &ActorId) -> Result<String, ArchiveError> {
        let (retained, newest) = self.retained(actor).await?;
        let newest = newest.as_ref().map(|(seq, bytes)| (*seq, &bytes[..]));
        Ok(recorded::record(&self.kinds, &retained, newest)?)
    }
}

/// A snapshot: the last record that it contains, and its bytes.
type Snapshot = (u64, Bytes);

/// The last record of a page that begins at `from`.
fn last(rows: &[Stored], from: u64, limit: usize) -> Option<u64> {
    let (mut bytes, mut end) = (0, None);
    for row in rows.iter().filter(|row| row.seq >= from.max(1)).take(limit) {
        bytes += row.bytes.len();
        if end.is_some() && bytes > PAGE_BYTES_MAX {
            break;
        }
        end = Some(row.seq);
    }
    end
}
