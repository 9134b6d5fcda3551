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
    /// Snapshots and journal contradict each other. An operator has to look.
    #[error("{0}")]
    Corrupt(String),
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

fn failed(actor: &ActorId, error: store::Error) -> ArchiveError {
    match error {
        store::Error::Absent => ArchiveError::Absent(actor.clone()),
        store::Error::Corrupt { .. } => ArchiveError::Corrupt(error.to_string()),
        error => ArchiveError::Store(error),
    }
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
    fn of(older: Option<&Loaded>, newest: Option<&Loaded>, tip: &Tip) -> Self {
        let mut frame = Self { base: tip.seq, ..Self::default() };
        for loaded in [older, newest].into_iter().flatten() {
            let Some(snapshot) = &loaded.snapshot else { continue };
            let kept = Kept { seq: snapshot.seq, bytes: snapshot.bytes.len() };
            if !frame.snapshots.contains(&kept) {
                frame.snapshots.push(kept);
            }
        }
        let Some(older) = older.or(newest) else { return frame };
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
        let tip = self.store.tip(actor).await.map_err(|error| failed(actor, error))?;
        tip.filter(|tip| tip.seq > 0).ok_or_else(|| ArchiveError::Absent(actor.clone()))
    }

    /// A load; `None` where snapshot and journal do not fit each other.
    async fn load(&self, actor: &ActorId, base: Base) -> Result<Option<Loaded>, ArchiveError> {
        match self.store.load(actor, base).await {
            Ok(loaded) => Ok(Some(loaded)),
            Err(store::Error::Corrupt { .. }) => Ok(None),
            Err(error) => Err(failed(actor, error)),
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
        let frame = Frame::of(older.as_ref(), newest.as_ref(), &tip);
        let limit = span.limit.clamp(1, RECORDS_MAX);
        // One before and one after tell where terms begin.
        let read = self.store.history(actor, from.saturating_sub(1), limit + 2).await;
        let read = read.map_err(|error| failed(actor, error))?;
        let rows: Vec<_> = read.into_iter().map(stored).collect();
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
            rows = read.map_err(|error| failed(actor, error))?;
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
        let newest = self.store.load(actor, Base::Newest).await;
        let (older, newest) = match (self.load(actor, Base::Older).await?, newest) {
            (Some(older), newest) => (older, newest.ok()),
            (None, Ok(newest)) => (newest.clone(), Some(newest)),
            (None, Err(error)) => return Err(failed(actor, error)),
        };
        let seq_and_bytes =
            |loaded: &Loaded| loaded.snapshot.as_ref().map(|kept| (kept.seq, kept.bytes.clone()));
        let base = seq_and_bytes(&older);
        let records = older.records.into_iter().map(stored).collect();
        let retained = Retained { actor: actor.clone(), base, records };
        Ok((retained, newest.as_ref().and_then(seq_and_bytes)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::record::{Fact, Record};
    use crate::clock::Clock;
    use crate::store::memory::Memory;
    use crate::store::{Append, Claim, Claimed};

    struct Bench {
        store: Arc<Memory>,
        archive: Archive,
        actor: ActorId,
        epoch: u64,
        seq: u64,
    }

    impl Bench {
        fn new() -> Self {
            let store = Arc::new(Memory::new(Clock::movable()));
            let archive = Archive::new(store.clone(), Kinds::default());
            Self { store, archive, actor: "toy:a".parse().unwrap(), epoch: 0, seq: 0 }
        }

        async fn claim(&mut self) {
            let actor = self.actor.clone();
            let claim = Claim { actor, session: 1, creates: true, replaces: None };
            let Ok(Claimed::Granted { epoch, .. }) = self.store.claim(claim).await else {
                panic!("not granted");
            };
            self.epoch = epoch;
        }

        async fn append(&mut self, record: Bytes) {
            self.seq += 1;
            let (actor, epoch, seq) = (self.actor.clone(), self.epoch, self.seq);
            let append =
                Append { actor, epoch, seq, append_id: seq, history: 0, record, due_ms: None };
            self.store.append(vec![append]).await.pop().unwrap().unwrap();
        }

        async fn grow(&mut self, count: u64) {
            for _ in 0..count {
                let record = Record { now_ms: self.seq, facts: vec![Fact::Attached] };
                self.append(record.encode()).await;
            }
        }

        async fn keep(&self, retain: u64) {
            let (actor, epoch, seq) = (self.actor.clone(), self.epoch, self.seq);
            let bytes = Bytes::from_static(b"a state");
            let snapshot = store::Snapshot { actor, epoch, seq, bytes, retain, due_ms: None };
            self.store.snapshot(snapshot).await.unwrap();
        }

        async fn page(&self, from: Option<u64>, to: Option<u64>, limit: usize) -> Page {
            self.archive.page(&self.actor, Span { from, to, limit }).await.unwrap()
        }
    }

    fn line(entries: &[Entry]) -> String {
        let one = |entry: &Entry| match entry {
            Entry::Record(record) => format!("r{}", record.seq),
            Entry::Claim(claim) => format!("c{}", claim.after),
            Entry::Snapshot(kept) => format!("s{}", kept.seq),
        };
        entries.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[tokio::test]
    async fn pages_join_to_the_whole() {
        let mut bench = Bench::new();
        bench.claim().await;
        bench.grow(3).await;
        bench.keep(100).await;
        bench.grow(2).await;
        bench.claim().await;
        bench.grow(1).await;
        bench.keep(100).await;
        bench.claim().await;
        let whole = bench.page(None, None, 100).await;
        assert_eq!(line(&whole.entries), "c0 r1 r2 r3 s3 r4 r5 c5 r6 s6 c6");
        assert_eq!((whole.base, whole.tip, whole.next), (3, 6, None));
        for limit in 1..5 {
            let (mut from, mut joined) = (None, Vec::new());
            loop {
                let page = bench.page(from, None, limit).await;
                joined.extend(page.entries);
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(joined, whole.entries, "pages of {limit}");
        }
        assert_eq!(line(&bench.page(Some(4), Some(5), 9).await.entries), "r4 r5 c5");
        assert_eq!(line(&bench.page(Some(7), None, 9).await.entries), "");
    }

    #[tokio::test]
    async fn what_was_trimmed_is_not_there() {
        let mut bench = Bench::new();
        bench.claim().await;
        for _ in 0..3 {
            bench.grow(3).await;
            bench.keep(0).await;
        }
        let page = bench.page(None, None, 9).await;
        assert_eq!((line(&page.entries), page.base), ("s6 r7 r8 r9 s9".into(), 6));
        let error = bench.archive.state(&bench.actor, Some(5)).await.unwrap_err();
        assert!(error.to_string().contains("no longer known"), "{error}");
    }

    #[tokio::test]
    async fn a_broken_record_hides_no_other() {
        let mut bench = Bench::new();
        bench.claim().await;
        bench.grow(1).await;
        bench.append(Bytes::from_static(b"\x01broken")).await;
        bench.grow(1).await;
        let page = bench.page(None, None, 9).await;
        assert_eq!(line(&page.entries), "c0 r1 r2 r3");
        let problems = page.entries.iter().filter(|entry| match entry {
            Entry::Record(record) => record.problem.is_some(),
            _ => false,
        });
        assert_eq!(problems.count(), 1);
    }

    #[tokio::test]
    async fn a_page_ends_when_it_has_enough_bytes() {
        let mut bench = Bench::new();
        bench.claim().await;
        for _ in 0..3 {
            let message = Fact::Pushed(vec![b'x'; PAGE_BYTES_MAX / 2 + 1].into());
            bench.append(Record { now_ms: 1, facts: vec![message] }.encode()).await;
        }
        let page = bench.page(None, None, 9).await;
        assert_eq!((line(&page.entries), page.next), ("c0 r1".into(), Some(2)));
    }

    #[tokio::test]
    async fn a_follower_sees_each_thing_once() {
        let mut bench = Bench::new();
        bench.claim().await;
        bench.grow(2).await;
        let mut cursor = Cursor { seq: 2, epoch: bench.epoch };
        let mut more = async |bench: &Bench| {
            let (entries, now) = bench.archive.since(&bench.actor, cursor, 2).await.unwrap();
            cursor = now;
            line(&entries)
        };
        assert_eq!(more(&bench).await, "");
        bench.claim().await;
        assert_eq!(more(&bench).await, "c2");
        assert_eq!(more(&bench).await, "");
        bench.grow(1).await;
        bench.claim().await;
        bench.grow(2).await;
        assert_eq!(more(&bench).await, "r3 c3 r4");
        assert_eq!(more(&bench).await, "r5");
    }

    #[tokio::test]
    async fn an_actor_without_records_is_absent() {
        let mut bench = Bench::new();
        let span = Span { from: None, to: None, limit: 1 };
        let absent = Err(ArchiveError::Absent(bench.actor.clone()));
        assert_eq!(bench.archive.page(&bench.actor, span).await, absent);
        bench.claim().await;
        assert_eq!(bench.archive.page(&bench.actor, span).await, absent);
    }
}
