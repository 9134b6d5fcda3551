//! The reference store: every rule of the port in the plainest code, in memory.
//!
//! Other backends are compared with it. One lock, taken when a method is called, so that calls
//! take effect in their order. Nothing survives the process; it is for tests and trials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use holdfast_protocol::ids::{ActorId, PlayerId};

use self::attributes::Rows;
use super::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use super::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, Loaded, NodeSession, Owner,
    Partition, Reassert, Reasserted, RecordRow, Score, Seq, SessionMetrics, Snapshot, SnapshotRow,
    Store, Term, Tip, check_contiguous,
};
use crate::clock::Clock;
use crate::search::Registry;

mod attributes;
pub mod fleet;

/// A store that lives and dies with its process. Clones share their contents.
#[derive(Debug, Clone)]
pub struct Memory {
    clock: Clock,
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default, Clone)]
struct Tables {
    actors: BTreeMap<ActorId, Actor>,
    scores: BTreeMap<String, Score>,
    metrics: BTreeMap<String, SessionMetrics>,
    secrets: BTreeMap<String, Bytes>,
    rows: Rows,
    closed: bool,
}

#[derive(Debug, Default, Clone)]
struct Actor {
    epoch: Epoch,
    seq: Seq,
    owner: Option<NodeSession>,
    journal: BTreeMap<Seq, Entry>,
    newest: Option<SnapshotRow>,
    older: Option<SnapshotRow>,
    terms: Vec<Term>,
    /// The newest reassertion: its random id and the epoch that it goes on from.
    reasserted: Option<Marker>,
    due_ms: Option<u64>,
}

#[derive(Debug, Clone)]
struct Entry {
    epoch: Epoch,
    append_id: u64,
    record: Bytes,
}

/// What a reassertion leaves in the journal.
#[derive(Debug, Clone, Copy)]
struct Marker {
    append_id: u64,
    continues: Epoch,
    seq: Seq,
    epoch: Epoch,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, tables: Arc::default() }
    }

    /// A store with the same contents, which changes by itself from now on. For tests of a store
    /// that goes back in time.
    #[must_use]
    pub fn copy(&self) -> Self {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { clock: self.clock.clone(), tables: Arc::new(Mutex::new(tables)) }
    }

    fn answer<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tables) -> Result<T, Error>,
    ) -> Answer<T> {
        let answer = self.open_tables().and_then(|mut tables| act(&mut tables));
        ready(answer).boxed()
    }

    fn open_tables(&self) -> Result<MutexGuard<'_, Tables>, Error> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.closed {
            return Err(Error::Poisoned("it was closed".into()));
        }
        Ok(tables)
    }
}

impl Store for Memory {
    fn describe(&self) -> Description {
        Description {
            name: "memory".into(),
            durability: "nothing survives the end of the process".into(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        let now_ms = self.now_ms();
        self.answer(|tables| Ok(tables.claim(claim, now_ms)))
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        self.answer(|tables| tables.actor(actor)?.load(actor, base))
    }

    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>> {
        let answers = match self.open_tables() {
            Ok(mut tables) => batch.into_iter().map(|append| tables.append(append)).collect(),
            Err(error) => vec![Err(error); batch.len()],
        };
        ready(answers).boxed()
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        self.answer(|tables| Ok(tables.actors.get(actor).map(Actor::tip)))
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        self.answer(|tables| tables.actor(&snapshot.actor)?.snapshot(snapshot))
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        self.answer(|tables| {
            let actor = tables.actor(actor)?;
            actor.check_epoch(epoch)?;
            (actor.owner, actor.due_ms) = (None, due_ms);
            Ok(())
        })
    }

    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()> {
        let now_ms = self.now_ms();
        self.answer(|tables| {
            tables.actor(actor)?.check_end(epoch, seq, now_ms)?;
            tables.actors.remove(actor);
            Ok(())
        })
    }

    fn reassert(&self, reassert: Reassert) -> Answer<Reasserted> {
        let now_ms = self.now_ms();
        self.answer(|tables| Ok(tables.reassert(reassert, now_ms)))
    }

    fn owners(&self, actors: Vec<ActorId>) -> Answer<Vec<Option<Owner>>> {
        self.answer(|tables| {
            let owner = |id: &ActorId| {
                let actor = tables.actors.get(id)?;
                Some(Owner { session: actor.owner?, epoch: actor.epoch })
            };
            Ok(actors.iter().map(owner).collect())
        })
    }

    fn due(
        &self,
        _: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>> {
        self.answer(|tables| {
            let at =
                tables.actors.iter().filter_map(|(id, actor)| Some((actor.due_ms?, id.clone())));
            let mut due: Vec<_> =
                at.filter(|entry| entry.0 <= until_ms && Some(entry) > after.as_ref()).collect();
            due.sort();
            due.truncate(limit);
            Ok(due)
        })
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        self.answer(|tables| {
            let of_kind = |id: &&ActorId| id.kind() == kind && Some(*id) > after.as_ref();
            let with_records = tables.actors.iter().filter(|(_, actor)| actor.seq > 0);
            Ok(with_records.map(|(id, _)| id).filter(of_kind).take(limit).cloned().collect())
        })
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        self.answer(|tables| Ok(tables.actor(actor)?.records(from).take(limit).collect()))
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.answer(|tables| {
            let known = tables.scores.get(&score.player);
            if known.is_none_or(|known| known.at <= score.at) {
                tables.scores.insert(score.player.clone(), score);
            }
            Ok(())
        })
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.answer(|tables| {
            let mut scores: Vec<_> = tables.scores.values().cloned().collect();
            scores.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.player.cmp(&b.player)));
            scores.truncate(limit);
            Ok(scores)
        })
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.answer(|tables| {
            tables.metrics.entry(metrics.key.clone()).or_insert(metrics);
            Ok(())
        })
    }

    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        self.answer(|tables| {
            tables.rows.put(registry, rows);
            Ok(())
        })
    }

    fn search(&self, search: Search) -> Answer<Found> {
        self.answer(|tables| Ok(tables.rows.search(&search)))
    }

    fn rows(
        &self,
        registry: &Arc<Registry>,
        _: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        self.answer(|tables| Ok(tables.rows.after(registry, after.as_ref(), limit)))
    }

    fn drop_rows(&self, _: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        self.answer(|tables| {
            tables.rows.drop_those(&rows);
            Ok(())
        })
    }

    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        _: Partition,
        mends: bool,
    ) -> Answer<EntriesFound> {
        self.answer(|tables| Ok(tables.rows.check(registry, mends)))
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        self.answer(|tables| Ok(tables.secrets.entry(name.to_owned()).or_insert(fresh).clone()))
    }

    fn close(&self) -> Answer<()> {
        self.answer(|tables| {
            tables.closed = true;
            Ok(())
        })
    }
}

impl Tables {
    fn actor(&mut self, id: &ActorId) -> Result<&mut Actor, Error> {
        self.actors.get_mut(id).ok_or(Error::Absent)
    }

    fn claim(&mut self, claim: Claim, now_ms: u64) -> Claimed {
        if !claim.creates && !self.actors.contains_key(&claim.actor) {
            return Claimed::Absent;
        }
        let actor = self.actors.entry(claim.actor).or_default();
        if let Some(session) = actor.owner {
            let owner = Owner { session, epoch: actor.epoch };
            if session != claim.session && claim.replaces != Some(owner) {
                return Claimed::Held(owner);
            }
        }
        actor.begin_term(claim.session, now_ms);
        Claimed::Granted { epoch: actor.epoch, seq: actor.seq, history: 0 }
    }

    fn reassert(&mut self, reassert: Reassert, now_ms: u64) -> Reasserted {
        let nothing = reassert.observed.is_of_nothing() && reassert.snapshot.is_some();
        if !nothing && !self.actors.contains_key(&reassert.actor) {
            return Reasserted::Changed;
        }
        self.actors.entry(reassert.actor.clone()).or_default().reassert(reassert, now_ms)
    }

    fn append(&mut self, append: Append) -> Result<(), Error> {
        let actor = self.actor(&append.actor)?;
        actor.check_epoch(append.epoch)?;
        if append.seq != actor.seq + 1 {
            return Err(Error::OutOfSequence { tip: actor.seq });
        }
        actor.seq = append.seq;
        actor.due_ms = actor.due_ms.into_iter().chain(append.due_ms).min();
        let Append { epoch, append_id, record, .. } = append;
        actor.journal.insert(append.seq, Entry { epoch, append_id, record });
        Ok(())
    }
}

impl Actor {
    fn tip(&self) -> Tip {
        let record = self.journal.get(&self.seq).map_or(0, |entry| entry.append_id);
        // A claim or a record after it ends what a reassertion says.
        let marker = self.reasserted.filter(|marker| marker.seq == self.seq);
        let append_id = marker.map_or(record, |marker| marker.append_id);
        let newest = self.terms.last().map(|term| term.epoch);
        let continues = marker.filter(|m| Some(m.epoch) == newest).map(|marker| marker.continues);
        Tip { epoch: self.epoch, seq: self.seq, append_id, continues, history: 0 }
    }

    fn begin_term(&mut self, session: NodeSession, now_ms: u64) {
        self.epoch = now_ms.max(self.epoch + 1);
        self.owner = Some(session);
        self.terms.push(Term { epoch: self.epoch, from: self.seq });
    }

    fn reassert(&mut self, reassert: Reassert, now_ms: u64) -> Reasserted {
        let fits = reassert.snapshot.is_some() || reassert.seq == self.seq;
        if self.tip() != reassert.observed || !fits {
            return Reasserted::Changed;
        }
        if let Some(bytes) = reassert.snapshot {
            self.seq = reassert.seq;
            self.journal.clear();
            self.terms.clear();
            self.newest = Some(SnapshotRow { seq: reassert.seq, bytes });
            self.older = self.newest.clone();
        }
        self.begin_term(reassert.session, now_ms.max(reassert.continues + 1));
        self.due_ms = reassert.due_ms;
        let Reassert { append_id, continues, seq, .. } = reassert;
        self.reasserted = Some(Marker { append_id, continues, seq, epoch: self.epoch });
        Reasserted::Granted { epoch: self.epoch, history: 0 }
    }

    /// I1: only the newest epoch writes. One that was never claimed is an older history's.
    fn check_epoch(&self, epoch: Epoch) -> Result<(), Error> {
        if epoch < self.epoch {
            return Err(Error::Fenced { newest: self.epoch });
        }
        if epoch > self.epoch {
            return Err(Error::OutOfSequence { tip: self.seq });
        }
        Ok(())
    }

    /// An epoch that is not of the past might be granted again to whoever makes the actor anew.
    fn check_end(&self, epoch: Epoch, seq: Seq, now_ms: u64) -> Result<(), Error> {
        self.check_epoch(epoch)?;
        if seq != self.seq {
            return Err(Error::OutOfSequence { tip: self.seq });
        }
        if now_ms <= epoch {
            return Err(Error::Stalled(format!("epoch {epoch} is not past")));
        }
        Ok(())
    }

    fn records(&self, from: Seq) -> impl Iterator<Item = RecordRow> {
        self.journal.range(from..).map(|(seq, entry)| RecordRow {
            seq: *seq,
            epoch: entry.epoch,
            record: entry.record.clone(),
        })
    }

    fn load(&self, id: &ActorId, base: Base) -> Result<Loaded, Error> {
        let snapshot = match base {
            Base::Newest => self.newest.clone(),
            Base::Older => self.older.clone(),
        };
        let base_seq = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let (records, tip) = (self.records(base_seq + 1).collect::<Vec<_>>(), self.tip());
        check_contiguous(id, base_seq, &records, tip)?;
        let terms = self.terms.clone();
        Ok(Loaded { snapshot, records, terms, tip })
    }

    fn snapshot(&mut self, snapshot: Snapshot) -> Result<(), Error> {
        self.check_epoch(snapshot.epoch)?;
        let newest_seq = self.newest.as_ref().map_or(0, |newest| newest.seq);
        if snapshot.seq > self.seq || snapshot.seq <= newest_seq {
            return Err(Error::OutOfSequence { tip: self.seq });
        }
        self.older = self.newest.take();
        self.newest = Some(SnapshotRow { seq: snapshot.seq, bytes: snapshot.bytes });
        self.due_ms = snapshot.due_ms;
        let last_needless = newest_seq.min(self.seq.saturating_sub(snapshot.retain));
        self.journal = self.journal.split_off(&(last_needless + 1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{attributes_conformance, conformance, erase_conformance, nodes_conformance};

    #[tokio::test]
    async fn the_reference_keeps_the_port() {
        let checks = [
            conformance::CHECKS,
            conformance::STRICT,
            nodes_conformance::CHECKS,
            erase_conformance::CHECKS,
            attributes_conformance::CHECKS,
        ];
        let open = async || Arc::new(Memory::new(Clock::movable())) as Arc<dyn Store>;
        conformance::run(&checks, open).await;
    }
}
