//! A journal in memory, with the fence, and a shadow: the actor as its records alone give it.

use std::collections::BTreeMap;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::rules::{Account, Event};
use crate::actor::contract::{Actor, Token};
use crate::actor::core::AppendOut;
use crate::actor::kind::Kind;
use crate::actor::ledger::Position;
use crate::actor::record::{Fact, Place, Record, TellId};
use crate::actor::replay::{Durable, Stored, replay};

pub struct Entry {
    pub epoch: u64,
    pub append_id: u64,
    pub bytes: Bytes,
    pub record: Record,
    /// The state's version after it.
    pub version: u64,
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
    /// Never trimmed: the n-th has seq n + 1.
    pub entries: Vec<Entry>,
    /// The two newest: seq and bytes.
    pub snapshots: Vec<(u64, Bytes)>,
    /// Folded from the encoded records, from the first.
    pub shadow: Durable,
    /// The same for the rules' state, typed.
    pub account: Account,
    /// What a read shows, by the state's version.
    pub bodies: Vec<String>,
    pub tokens: BTreeMap<Token, Place>,
    pub heard: BTreeMap<ActorId, TellId>,
}

impl Journal {
    pub fn new(id: ActorId, kind: &Kind, fence: bool) -> Self {
        Self {
            shadow: Durable::fresh(kind, &id),
            kind: kind.clone(),
            account: Account::new(&id),
            bodies: vec![Account::new(&id).body()],
            id,
            fence,
            exists: false,
            epoch: 0,
            entries: Vec::new(),
            snapshots: Vec::new(),
            tokens: BTreeMap::new(),
            heard: BTreeMap::new(),
        }
    }

    pub fn tip(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(1)?).unwrap())
    }

    pub fn version_at(&self, seq: u64) -> Option<u64> {
        if seq == 0 { Some(0) } else { self.entry(seq).map(|e| e.version) }
    }

    /// One atomic step: the fence, contiguity, and the write.
    pub fn append(&mut self, append: &AppendOut) -> Result<Taken, String> {
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
        self.write(append)?;
        Ok(Taken::Applied)
    }

    fn write(&mut self, append: &AppendOut) -> Result<(), String> {
        let (epoch, seq) = (append.epoch, append.seq);
        let record = Record::decode(&append.record).map_err(|e| format!("I3: {e}"))?;
        let at = Position { epoch, seq };
        self.shadow.ledger.enter(at, record.now_ms);
        for (index, fact) in record.facts.iter().enumerate() {
            self.in_order(fact)?;
            self.shadow.fold(at, fact).map_err(|e| format!("I3: {e}"))?;
            self.note(fact);
            if let Some(what) = &self.account.anomaly {
                return Err(format!("{what} (record {seq}, fact {index})"));
            }
        }
        let (append_id, bytes) = (append.append_id, append.record.clone());
        let version = self.account.version;
        self.entries.push(Entry { epoch, append_id, bytes, record, version });
        Ok(())
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

    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Event(bytes) => {
                let event: Event = rmp_serde::from_slice(bytes).unwrap();
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
    }

    /// A new term; what an activation then loads.
    pub fn claim(&mut self, now_ms: u64, older: bool) -> Result<(Durable, (u64, u64)), String> {
        self.exists = true;
        self.epoch = now_ms.max(self.epoch + 1);
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
        let loaded = replay(&self.kind, &self.id, snapshot.map(|s| &s.1[..]), tail)
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
