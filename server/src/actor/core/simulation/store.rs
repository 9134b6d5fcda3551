//! A journal in memory, with the fence, and a shadow: the actor as its records alone give it.
//! Its store may go back in time, and holders then write their memory back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::rules::{Account, Event};
use crate::actor::contract::{Actor, Token};
use crate::actor::core::{AppendOut, Erasure, ReassertOut};
use crate::actor::kind::Kind;
use crate::actor::ledger::Position;
use crate::actor::record::{Fact, Formats, Place, Record, TellId};
use crate::actor::replay::{Durable, Stored, replay};
use crate::store::tip::{Reasserted, Term, Tip};

#[derive(Clone)]
pub struct Entry {
    pub epoch: u64,
    pub append_id: u64,
    pub bytes: Bytes,
    pub record: Record,
    /// The state's version after it.
    pub version: u64,
}

/// The beginning of a term: a claim, or a reassertion with its id and what it continues.
#[derive(Debug, Clone, Copy)]
struct Marker {
    term: Term,
    reasserted: Option<(u64, u64)>,
}

/// How the store took an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Applied,
    Repeated,
    Fenced,
    Stale,
}

pub struct Journal {
    pub id: ActorId,
    pub kind: Kind,
    /// I1 is in force.
    pub fence: bool,
    pub exists: bool,
    pub epoch: u64,
    pub history: u64,
    /// Holders come first until then, and are not killed.
    pub grace_ms: u64,
    /// The newest record before the store went back, by its place and its random id, until a
    /// holder has brought it back.
    pub missing: Option<(u64, u64)>,
    markers: Vec<Marker>,
    /// Never trimmed: the n-th has seq n + 1.
    pub entries: Vec<Arc<Entry>>,
    /// The two newest: seq and bytes.
    pub snapshots: Vec<(u64, Bytes)>,
    /// Folded from the encoded records, from the first.
    pub shadow: Durable,
    /// The same for the rules' state, typed.
    pub account: Account,
    /// What the rules have noticed, and where.
    odd: Option<String>,
    /// What a read shows, by the state's version.
    pub bodies: Vec<String>,
    pub tokens: BTreeMap<Token, Place>,
    pub heard: BTreeMap<ActorId, TellId>,
    /// Lives that have ended.
    pub life: u32,
    /// The newest of them.
    ended: Option<Ended>,
    /// What was taken in all of them.
    past: BTreeSet<(ActorId, u64)>,
}

/// A life that was erased: what the store goes back to if it loses that.
struct Ended {
    epoch: u64,
    markers: Vec<Marker>,
    entries: Vec<Arc<Entry>>,
    snapshots: Vec<(u64, Bytes)>,
}

impl Journal {
    pub fn new(id: ActorId, kind: &Kind, fence: bool) -> Self {
        Self {
            shadow: Durable::fresh(kind, &id),
            kind: kind.clone(),
            account: Account::new(&id),
            odd: None,
            bodies: vec![Account::new(&id).body()],
            id,
            fence,
            exists: false,
            epoch: 0,
            history: 1,
            grace_ms: 0,
            missing: None,
            markers: Vec::new(),
            entries: Vec::new(),
            snapshots: Vec::new(),
            tokens: BTreeMap::new(),
            heard: BTreeMap::new(),
            life: 0,
            ended: None,
            past: BTreeSet::new(),
        }
    }

    pub fn tip(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        let at = usize::try_from(seq.checked_sub(1)?).unwrap();
        self.entries.get(at).map(|entry| &**entry)
    }

    pub fn version_at(&self, seq: u64) -> Option<u64> {
        if seq == 0 { Some(0) } else { self.entry(seq).map(|e| e.version) }
    }

    /// One atomic step: the fence, contiguity, and the write.
    pub fn append(&mut self, append: &AppendOut) -> Result<Taken, String> {
        if append.history != self.history || !self.exists {
            return Ok(Taken::Stale);
        }
        let same = |e: &Entry| e.append_id == append.append_id && e.bytes == append.record;
        if self.fence && append.epoch < self.epoch {
            return Ok(Taken::Fenced);
        }
        if append.seq <= self.tip() {
            let repeated = self.entry(append.seq).is_some_and(same);
            return Ok(if repeated { Taken::Repeated } else { Taken::Stale });
        }
        if append.seq != self.tip() + 1 {
            return Err(format!("I1: record {} after {}", append.seq, self.tip()));
        }
        if append.epoch > self.epoch {
            return Err(format!("I1: epoch {} was never claimed here", append.epoch));
        }
        self.write(entry(append)?)?;
        self.is_sound()?;
        Ok(Taken::Applied)
    }

    /// Nothing odd has happened to the rules on the line that is gone on with. What a holder that
    /// was taken over writes back, its doubt included, is not gone on with until it is confirmed.
    fn is_sound(&self) -> Result<(), String> {
        self.odd.clone().map_or(Ok(()), Err)
    }

    fn write(&mut self, mut entry: Entry) -> Result<(), String> {
        let (epoch, seq) = (entry.epoch, self.tip() + 1);
        let at = Position { epoch, seq };
        self.shadow.ledger.enter(at, entry.record.now_ms);
        for (index, fact) in entry.record.facts.iter().enumerate() {
            self.in_order(fact)?;
            self.shadow.fold(at, fact).map_err(|e| format!("I3: {e}"))?;
            self.note(fact)?;
            if let (Some(what), None) = (&self.account.anomaly, &self.odd) {
                self.odd = Some(format!("{what} (record {seq}, fact {index})"));
            }
        }
        entry.version = self.account.version;
        self.entries.push(Arc::new(entry));
        Ok(())
    }

    /// Begins again from other records.
    fn rebuild(&mut self, entries: Vec<Arc<Entry>>) -> Result<(), String> {
        self.shadow = Durable::fresh(&self.kind, &self.id);
        self.account = Account::new(&self.id);
        self.odd = None;
        self.bodies = vec![self.account.body()];
        self.tokens.clear();
        self.heard.clear();
        self.entries.clear();
        entries.into_iter().try_for_each(|entry| self.write(Arc::unwrap_or_clone(entry)))
    }

    pub fn read_tip(&self) -> Tip {
        let (epoch, seq, history) = (self.epoch, self.tip(), self.history);
        let newest = self.markers.last().filter(|m| m.term.epoch == epoch && m.term.from == seq);
        let reasserted = newest.and_then(|marker| marker.reasserted);
        let record = self.entries.last().map_or(0, |e| e.append_id);
        let append_id = reasserted.map_or(record, |(append_id, _)| append_id);
        Tip {
            epoch,
            seq,
            append_id,
            continues: reasserted.map(|(_, continues)| continues),
            history,
        }
    }

    /// The store goes back to a prefix: so many records, and so many of the markers after them.
    pub fn go_back(&mut self, records: u64, markers: usize) -> Result<(), String> {
        self.history += 1;
        if records < self.tip() && self.missing.is_none() {
            self.missing = self.entries.last().map(|newest| (self.tip(), newest.append_id));
        }
        let mut left = markers;
        self.markers.retain(|marker| {
            let after = marker.term.from == records && left > 0;
            left -= usize::from(after);
            after || marker.term.from < records
        });
        let entries = self.entries.iter().take(usize::try_from(records).unwrap()).cloned();
        self.rebuild(entries.collect())?;
        self.snapshots.retain(|(seq, _)| *seq <= records);
        let marked = self.markers.last().map_or(0, |marker| marker.term.epoch);
        self.epoch = self.entries.last().map_or(0, |e| e.epoch).max(marked);
        Ok(())
    }

    /// The store goes back behind the newest claim, of which there is no record yet.
    pub fn forget_claim(&mut self) -> Result<(), String> {
        let tip = self.tip();
        let at_tip = self.markers.iter().filter(|marker| marker.term.from == tip).count();
        self.go_back(tip, at_tip.saturating_sub(1))
    }

    /// One atomic step: the tip must still be what was observed. `line` are the records that the
    /// holder has in memory; the snapshot must be what they give, bit for bit.
    pub fn reassert(
        &mut self,
        now_ms: u64,
        out: &ReassertOut,
        line: &[Arc<Entry>],
    ) -> Result<Reasserted, String> {
        if self.read_tip() != out.observed {
            return Ok(Reasserted::Changed);
        }
        if let Some(bytes) = &out.snapshot {
            let records = usize::try_from(out.seq).unwrap();
            let entries = line.get(..records).ok_or("I3: a record was never appended")?;
            self.rebuild(entries.to_vec())?;
            if self.shadow.save() != *bytes {
                return Err(format!("I3: {} writes back what its records do not give", self.id));
            }
            self.snapshots = vec![(out.seq, bytes.clone())];
            self.markers.clear();
        } else if let Err(odd) = self.is_sound() {
            return Err(odd);
        } else if out.seq != self.tip() {
            return Err(format!("{} says that the store has record {}", self.id, out.seq));
        }
        self.exists = true;
        self.epoch = now_ms.max(self.epoch + 1).max(out.continues + 1);
        let term = Term { epoch: self.epoch, from: out.seq };
        self.markers.push(Marker { term, reasserted: Some((out.append_id, out.continues)) });
        let lacks = |(seq, id): &(u64, u64)| self.entry(*seq).is_none_or(|e| e.append_id != *id);
        self.missing = self.missing.filter(lacks);
        Ok(Reasserted::Granted { epoch: self.epoch, history: self.history })
    }

    pub fn terms(&self) -> Vec<Term> {
        self.markers.iter().map(|marker| marker.term).collect()
    }

    /// Commands of one session are decided in order, and only those of the live one.
    fn in_order(&self, fact: &Fact) -> Result<(), String> {
        let (Fact::Answered { place, .. } | Fact::Deferred { place, .. }) = fact else {
            return Ok(());
        };
        if place.session == 0 {
            return Ok(());
        }
        let ledger = &self.shadow.ledger;
        if ledger.has_pending(place.session) {
            return Err(format!("{place:?} overtook a pending one"));
        }
        match ledger.session() {
            Some(session) if session.id == place.session => Ok(()),
            _ => Err(format!("{place:?} executed after its session ended")),
        }
    }

    fn note(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Event(bytes) => {
                let event: Event = rmp_serde::from_slice(bytes).unwrap();
                if let Event::Took { from, no, .. } = &event
                    && self.past.contains(&(from.clone(), *no))
                {
                    return Err(format!("I9: {no} of {from} was taken by an earlier life"));
                }
                self.account.apply(&event);
                self.bodies.push(self.account.body());
            }
            Fact::Deferred { token, place, .. } => {
                self.tokens.insert(*token, *place);
            }
            Fact::Heard { from, id } => {
                let newest = self.heard.entry(from.clone()).or_default();
                *newest = (*id).max(*newest);
            }
            _ => {}
        }
        Ok(())
    }

    /// One atomic step: the tip must be this one, and all that is kept goes.
    pub fn erase(&mut self, now_ms: u64, epoch: u64, seq: u64) -> Result<Erasure, String> {
        if !self.exists {
            return Ok(Erasure::Done);
        }
        if (epoch, seq) != (self.epoch, self.tip()) {
            return Ok(Erasure::Doubt);
        }
        if now_ms <= self.epoch || now_ms < self.grace_ms {
            return Ok(Erasure::NotNow);
        }
        if !self.account.is_over() {
            return Err(format!("{} is erased and not over: {}", self.id, self.account.body()));
        }
        self.past.extend(self.account.taken.iter().cloned());
        let (markers, snapshots) = (&mut self.markers, &mut self.snapshots);
        self.ended = Some(Ended {
            epoch,
            markers: std::mem::take(markers),
            entries: self.entries.clone(),
            snapshots: std::mem::take(snapshots),
        });
        (self.exists, self.epoch, self.missing) = (false, 0, None);
        self.life += 1;
        self.rebuild(Vec::new())?;
        Ok(Erasure::Done)
    }

    /// The store goes back behind the end of a life. Returns whether it did.
    pub fn unerase(&mut self, life: u32, grace_ms: u64) -> Result<bool, String> {
        if self.exists || self.life != life + 1 {
            return Ok(false);
        }
        let Some(ended) = self.ended.take() else { return Ok(false) };
        let taken = |entry: &Arc<Entry>| entry.record.facts.clone();
        for fact in ended.entries.iter().flat_map(taken) {
            if let Fact::Event(bytes) = fact
                && let Ok(Event::Took { from, no, .. }) = rmp_serde::from_slice(&bytes)
            {
                self.past.remove(&(from, no));
            }
        }
        (self.exists, self.epoch, self.grace_ms) = (true, ended.epoch, grace_ms);
        (self.markers, self.snapshots) = (ended.markers, ended.snapshots);
        self.history += 1;
        self.life = life;
        self.rebuild(ended.entries)?;
        Ok(true)
    }

    /// A new term; what an activation then loads.
    pub fn claim(&mut self, now_ms: u64, older: bool) -> Result<(Durable, (u64, u64)), String> {
        self.exists = true;
        self.epoch = now_ms.max(self.epoch + 1);
        if self.ended.as_ref().is_some_and(|ended| self.epoch <= ended.epoch) {
            return Err(format!("I1: {} begins anew with an old epoch", self.id));
        }
        let term = Term { epoch: self.epoch, from: self.tip() };
        self.markers.push(Marker { term, reasserted: None });
        let snapshot = match older {
            true => self.snapshots.first(),
            false => self.snapshots.last(),
        };
        let from = snapshot.map_or(0, |s| s.0);
        let tail: Vec<_> = (from + 1..=self.tip())
            .map(|seq| (seq, self.entry(seq).unwrap()))
            .map(|(seq, e)| Stored { epoch: e.epoch, seq, bytes: e.bytes.clone() })
            .collect();
        let since = (tail.len() as u64, tail.iter().map(|s| s.bytes.len() as u64).sum());
        let loaded =
            replay((&self.kind, Formats::READS), &self.id, snapshot.map(|s| &s.1[..]), tail)
                .map_err(|e| format!("I3: {e}"))?;
        if loaded.save() != self.shadow.save() {
            return Err(format!("I3: {} loads otherwise than its journal says", self.id));
        }
        Ok((loaded, since))
    }

    /// Keeps a snapshot if it is the tip owner's and newer than the last.
    pub fn snapshot(&mut self, epoch: u64, seq: u64, bytes: Bytes) -> bool {
        let newest = self.snapshots.last().map_or(0, |s| s.0);
        let kept = epoch == self.epoch && seq > newest && seq <= self.tip();
        if kept {
            self.snapshots.push((seq, bytes));
            if self.snapshots.len() > 2 {
                self.snapshots.remove(0);
            }
        }
        kept
    }
}

/// What an append writes.
pub fn entry(append: &AppendOut) -> Result<Entry, String> {
    let record = Record::decode(&append.record).map_err(|e| format!("I3: {e}"))?;
    let AppendOut { epoch, append_id, record: bytes, .. } = append.clone();
    Ok(Entry { epoch, append_id, bytes, record, version: 0 })
}
