//! An actor's durable self, and how it is read back from snapshot and journal. Pure.
//!
//! I3: the live path and replay share [`Durable::fold`]; folding the journal gives the live
//! state, bit for bit.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::kind::{Behaviour, Kind};
use super::ledger::{Ledger, Position};
use super::record::{DecodeError, FORMAT, Fact, Formats, Record, seal, unseal};

/// Everything that a journal says about an actor: the runtime's ledger and the rules' state.
pub struct Durable {
    /// Obligations, sessions, watermarks.
    pub ledger: Ledger,
    /// The rules' state.
    pub state: Box<dyn Behaviour>,
    /// The format that its records and snapshots are written in from now on.
    pub writes: u8,
}

/// The body of a snapshot.
#[derive(Serialize, Deserialize)]
struct Saved {
    ledger: Ledger,
    state: Bytes,
}

/// A stored record, as a load gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The writer's term.
    pub epoch: u64,
    /// Its position.
    pub seq: u64,
    /// The record.
    pub bytes: Bytes,
}

/// Why a journal can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The snapshot. The activation falls back to the older one.
    #[error("the snapshot can't be read: {0}")]
    Snapshot(String),
    /// A record. The actor is quarantined.
    #[error("record {seq} can't be read: {what}")]
    Record {
        /// Which.
        seq: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Written by another version: the node refuses the claim.
    #[error("{0}")]
    Format(DecodeError),
}

impl Durable {
    /// Nothing has happened yet.
    #[must_use]
    pub fn fresh(kind: &Kind, id: &ActorId) -> Self {
        Self { ledger: Ledger::default(), state: kind.fresh(id), writes: FORMAT }
    }

    /// What a snapshot holds.
    ///
    /// # Errors
    /// [`ReplayError::Snapshot`], or [`ReplayError::Format`].
    pub fn restore(kind: &Kind, reads: Formats, snapshot: &[u8]) -> Result<Self, ReplayError> {
        let saved: Saved = unseal(reads, snapshot).map_err(|e| match e {
            DecodeError::Format(..) => ReplayError::Format(e),
            e => ReplayError::Snapshot(e.to_string()),
        })?;
        let state = kind.restore(&saved.state).map_err(ReplayError::Snapshot)?;
        Ok(Self { ledger: saved.ledger, state, writes: FORMAT })
    }

    /// Whether the rules say that the actor has come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// The earliest time at which the actor must be in memory. One that is over is due at once:
    /// whoever finds it brings it to its end.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        let end = self.is_over().then_some(self.ledger.now_ms);
        end.into_iter().chain(self.ledger.due_ms()).min()
    }

    /// The snapshot form. Equal selves have equal bytes.
    #[must_use]
    pub fn save(&self) -> Bytes {
        seal(self.writes, &Saved { ledger: self.ledger.clone(), state: self.state.save() })
    }

    /// Folds one fact: the only way that a durable self changes, but for events that `decide`
    /// has just applied.
    ///
    /// # Errors
    /// What is wrong with an event of the rules.
    pub fn fold(&mut self, at: Position, fact: &Fact) -> Result<(), String> {
        self.ledger.fold(at, fact);
        match fact {
            Fact::Event(event) => self.state.replay(event),
            _ => Ok(()),
        }
    }

    /// Folds a stored record.
    ///
    /// # Errors
    /// [`ReplayError::Record`], or [`ReplayError::Format`].
    pub fn fold_record(&mut self, reads: Formats, stored: &Stored) -> Result<(), ReplayError> {
        let seq = stored.seq;
        let record = Record::decode_from(reads, &stored.bytes).map_err(|e| match e {
            DecodeError::Format(..) => ReplayError::Format(e),
            e => ReplayError::Record { seq, what: e.to_string() },
        })?;
        let at = Position { epoch: stored.epoch, seq };
        self.ledger.enter(at, record.now_ms);
        for fact in &record.facts {
            self.fold(at, fact).map_err(|what| ReplayError::Record { seq, what })?;
        }
        Ok(())
    }
}

/// Reads an actor back: its snapshot, if there is one, and the records after it.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    (kind, reads): (&Kind, Formats),
    id: &ActorId,
    snapshot: Option<&[u8]>,
    records: impl IntoIterator<Item = Stored>,
) -> Result<Durable, ReplayError> {
    let mut durable = match snapshot {
        Some(bytes) => Durable::restore(kind, reads, bytes)?,
        None => Durable::fresh(kind, id),
    };
    for stored in records {
        durable.fold_record(reads, &stored)?;
    }
    Ok(durable)
}
