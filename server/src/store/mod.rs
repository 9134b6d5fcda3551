//! The durability port: what the runtime needs from a store, and nothing of what is stored.
//!
//! A store knows bytes, ids, seqs and epochs. It keeps, per actor, a journal of records, up to
//! two snapshots, and the time of its earliest obligation. It promises:
//!
//! - I1: an append of any epoch older than the newest it has written is refused, in the same
//!   atomic step that would write it; so is one whose seq is not above the tip's. A store that
//!   does not see a gap says so; its writers count, and a load finds what they skipped.
//! - I2: an operation that answers `Ok` is durable at the level that [`Store::describe`] names.
//! - I8: a load reads one snapshot and the records after it, however old the actor is.
//!
//! One conformance suite ([`conformance`]) runs against every backend, one more
//! ([`nodes_conformance`]) against those that many nodes share, one ([`erase_conformance`]) for
//! actors that end, and one ([`attributes_conformance`]) against the index of sessions'
//! [`attributes`].

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast_protocol::ids::{ActorId, PlayerId};
use tokio::sync::watch;

use self::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use crate::search::Registry;

pub mod attributes;
#[cfg(any(test, feature = "testing"))]
pub mod attributes_conformance;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod durability;
pub mod embedded;
#[cfg(any(test, feature = "testing"))]
pub mod erase_conformance;
pub mod fleet;
pub mod memory;
#[cfg(any(test, feature = "testing"))]
pub mod nodes_conformance;
pub mod redis;
pub mod tip;

pub use tip::{Epoch, History, Reasserted, Seq, Term, Tip};

/// One run of one node, random; the owner that claims are made for.
pub type NodeSession = u64;

/// A part of the actors, all keys of which live together: see [`Store::partitions`].
pub type Partition = u16;

/// Boxed because the port is used as `dyn Store`.
pub type Answer<T> = BoxFuture<'static, Result<T, Error>>;

/// What a store is and promises, for the banner and for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Such as `embedded:holdfast-data`.
    pub name: String,
    /// One sentence: what survives what.
    pub durability: String,
}

/// A claim of an actor by a node session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whom.
    pub actor: ActorId,
    /// For whom.
    pub session: NodeSession,
    /// Makes the actor where it does not exist.
    pub creates: bool,
    /// The owner that this claim replaces. The claim changes nothing if the owner is another.
    /// `None` claims an actor that no one holds, or that `session` itself holds.
    pub replaces: Option<Owner>,
}

/// Who holds an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The holder.
    pub session: NodeSession,
    /// Its term.
    pub epoch: Epoch,
}

/// The answer to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The claimer owns the actor from now on; every older epoch is fenced.
    Granted {
        /// The new term.
        epoch: Epoch,
        /// The journal's last record; 0 for an actor without any.
        seq: Seq,
        /// The history that granted it.
        history: History,
    },
    /// Held by another; nothing was changed.
    Held(Owner),
    /// The store's history has changed, and its holders come first: ask again after so many
    /// milliseconds. Nothing was changed.
    Wait(u64),
    /// No such actor, and the claim does not create. No key was left.
    Absent,
}

/// One record to be written after the journal's tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Whose journal.
    pub actor: ActorId,
    /// The writer's term.
    pub epoch: Epoch,
    /// The record's position: the tip's plus one.
    pub seq: Seq,
    /// Random; tells a re-read tip apart from another writer's.
    pub append_id: u64,
    /// The history that the writer was claimed in, or last read its tip in. The store sends
    /// nothing to another one and answers [`Error::Doubt`]: the tip decides first.
    pub history: History,
    /// The record.
    pub record: Bytes,
    /// An obligation that this record may create: lowers the actor's due time to it.
    pub due_ms: Option<u64>,
}

/// Memory that is written back over what the store has: after the store went back in time, or
/// when a holder goes on under a new node session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassert {
    /// Whose journal.
    pub actor: ActorId,
    /// For whom.
    pub session: NodeSession,
    /// The tip that was read, [`Tip::of_nothing`] where there was none; if it is another by now,
    /// nothing is changed.
    pub observed: Tip,
    /// The term that the holder goes on from.
    pub continues: Epoch,
    /// The newest record that memory holds; at least the observed one.
    pub seq: Seq,
    /// Random: finds this reassertion again in a tip, when its answer was lost.
    pub append_id: u64,
    /// The state after record `seq`. `None`: the store has every record up to it.
    pub snapshot: Option<Bytes>,
    /// The actor's earliest obligation.
    pub due_ms: Option<u64>,
}

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Position.
    pub seq: Seq,
    /// The term that wrote it.
    pub epoch: Epoch,
    /// The record.
    pub record: Bytes,
}

/// A stored snapshot: the state after record `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// The last record that it contains.
    pub seq: Seq,
    /// The state.
    pub bytes: Bytes,
}

/// Which snapshot a load starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The newest.
    Newest,
    /// The one before: the fallback when the newest can't be read.
    Older,
}

/// What a load found: a base and every record after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// `None`: the journal is read from its first record.
    pub snapshot: Option<SnapshotRow>,
    /// Contiguous, from the snapshot's seq plus one to the tip.
    pub records: Vec<RecordRow>,
    /// The terms since the base, as far as the journal still tells, oldest first.
    pub terms: Vec<Term>,
    /// The tip at the time of reading.
    pub tip: Tip,
}

/// A snapshot to be kept, and how far the journal may be trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose.
    pub actor: ActorId,
    /// The writer's term; refused as fenced if the tip's is newer.
    pub epoch: Epoch,
    /// The last record that it contains; at most the tip's, above the newest snapshot's.
    pub seq: Seq,
    /// The state.
    pub bytes: Bytes,
    /// Records to keep before the tip, whatever the snapshots allow to trim.
    pub retain: u64,
    /// The actor's earliest obligation now; replaces the recorded one. `None`: none.
    pub due_ms: Option<u64>,
}

/// A row of the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Player id.
    pub player: String,
    /// Display name.
    pub name: String,
    /// Points.
    pub score: i64,
    /// The seq of the player's journal at which this was so; an older one never replaces it.
    pub at: Seq,
}

/// One run of session metrics; appended once per key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionMetrics {
    /// Idempotency key of the activity that writes it.
    pub key: String,
    /// Player id.
    pub player: String,
    /// Actions since the last one.
    pub actions: u64,
    /// Milliseconds since the session began.
    pub duration_ms: u64,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// Why a store refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A newer epoch has been written. The activation drops itself.
    #[error("fenced: epoch {newest} has been written")]
    Fenced {
        /// The newest epoch.
        newest: Epoch,
    },
    /// The seq does not follow the tip. A bug or an older history: the activation reads the tip.
    #[error("the journal's tip is {tip}, so the record does not follow it")]
    OutOfSequence {
        /// The tip's seq.
        tip: Seq,
    },
    /// The actor does not exist. Answered to the caller.
    #[error("no such actor")]
    Absent,
    /// The journal or its snapshots contradict each other. The activation is quarantined.
    #[error("the journal of {actor} can't be read: {what}")]
    Corrupt {
        /// Whose.
        actor: ActorId,
        /// What is wrong.
        what: String,
    },
    /// Whether it was written is not known. The activation holds, then reads the tip.
    #[error("the outcome is in doubt: {0}")]
    Doubt(String),
    /// The store refuses for now (full, too few replicas). Tried again; callers hear `busy`.
    #[error("the store is stalled: {0}")]
    Stalled(String),
    /// The part of the store that keeps this actor is empty or belongs to another world. Nothing
    /// is served from it, and nothing made anew, until an operator has looked.
    #[error("a partition of the store was wiped: {0}")]
    Wiped(String),
    /// The store can't go on; everything after this fails. The node stops and recovers on restart.
    #[error("the store has failed and the server must be restarted: {0}")]
    Poisoned(String),
    /// The store can't be opened. Said to the operator at start.
    #[error("{0}")]
    Open(String),
}

/// The port. Every method may be called from any task; answers come in any order, but the
/// appends and snapshots of one actor take effect in the order of the calls.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// What it is and promises.
    fn describe(&self) -> Description;

    /// The store's clock, Unix milliseconds.
    fn now_ms(&self) -> u64;

    /// Claims an actor: a new epoch, and from then on the only one that may write.
    fn claim(&self, claim: Claim) -> Answer<Claimed>;

    /// Reads a snapshot and the records after it, checked for contiguity.
    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded>;

    /// Appends one record to each of several journals, in one group. The answers are in the
    /// order of the batch; one actor's refusal does not touch another's append.
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>>;

    /// The history that an actor's appends go to now. Changes are announced by
    /// [`Store::changes`].
    fn history_of(&self, actor: &ActorId) -> History {
        let _ = actor;
        0
    }

    /// Moves whenever [`Store::history_of`] may have changed for some actor: whoever holds one
    /// reads its tip.
    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// Writes memory back under a new epoch, if the tip is still the one observed: a marker that
    /// names the epoch that it goes on from, and the snapshot where one is given. Both kept
    /// snapshots are replaced by it, and the journal is trimmed to the marker.
    /// A store that has one history and one node is never asked, and refuses.
    fn reassert(&self, reassert: Reassert) -> Answer<Reasserted> {
        let refused = Error::Stalled(format!("{} can't be reasserted here", reassert.actor));
        futures::future::ready(Err(refused)).boxed()
    }

    /// Who holds each of these actors, by the newest claim; `None` where no one does, or where
    /// there is no other node that could.
    fn owners(&self, actors: Vec<ActorId>) -> Answer<Vec<Option<Owner>>> {
        futures::future::ready(Ok(vec![None; actors.len()])).boxed()
    }

    /// Whether other nodes write to it as well.
    fn is_shared(&self) -> bool {
        false
    }

    /// For how long an answered append may still be lost with the primary alone, in ms: whoever
    /// gives an actor up keeps its memory for so long. 0: what was answered needs no memory.
    fn stable_after_ms(&self) -> u64 {
        0
    }

    /// Into how many parts actors are divided, for good; each has its own index of what is due.
    fn partitions(&self) -> Partition {
        1
    }

    /// Which of [`Store::partitions`] keeps an actor; the same for ever.
    fn partition_of(&self, actor: &ActorId) -> Partition {
        let _ = actor;
        0
    }

    /// Reads the newest entry; `None` where nothing is kept of the actor. [`Tip::of_nothing`] where
    /// its journal alone is missing, which no operation of this port leaves behind.
    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>>;

    /// Keeps a snapshot, drops the one before the last, and trims the journal to the older of
    /// the two, less what is to be retained.
    fn snapshot(&self, snapshot: Snapshot) -> Answer<()>;

    /// Gives an actor up, with its earliest obligation. Fenced if a newer epoch was written.
    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()>;

    /// Removes all that is kept of an actor whose tip is exactly this: journal, snapshots, owner,
    /// and what is due. A row of the attribute index is dropped by those who look after it. From
    /// then on there is no such actor; an append of a former owner is refused and does not bring
    /// it back, and whoever makes it anew gets an epoch above all that it had.
    /// Fenced if a newer epoch was written, out of sequence if the tip is another;
    /// [`Error::Absent`] where nothing is left, also by an erasure whose answer was lost.
    /// [`Error::Stalled`] within the millisecond that the epoch names, and while holders of a new
    /// history come first.
    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()>;

    /// Actors of one partition whose earliest obligation is at or before `until_ms`, by time and
    /// then id, from the first after `after` on.
    fn due(
        &self,
        partition: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>>;

    /// Ids of actors of one kind that have records, after `after` in an order of the store's own.
    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>>;

    /// Retained records from `from` on, for operators.
    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>>;

    /// Inserts or replaces a player's row of the leaderboard; the newest [`Score::at`] wins.
    fn put_score(&self, score: Score) -> Answer<()>;

    /// The first `limit` rows by score, then by player id.
    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>>;

    /// Appends session metrics; a key that is already there changes nothing.
    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()>;

    /// Writes rows of the attribute index. One that tells of an older journal position than the
    /// stored row is dropped; the answer is the same. Never waits for appends, nor they for it.
    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()>;

    /// Asks the attribute index.
    fn search(&self, search: Search) -> Answer<Found>;

    /// Rows of one partition by player id, from the first after `after` on. One that can't be
    /// read is passed over.
    fn rows(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>>;

    /// Removes rows, each only if it still tells of the position named.
    fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()>;

    /// Holds what is kept of one partition to find rows fast against its rows, and with `mends`
    /// puts it right. Rows that can't be read go too.
    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        partition: Partition,
        mends: bool,
    ) -> Answer<EntriesFound>;

    /// The named secret, made from `fresh` where there is none yet. All nodes get the same.
    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes>;

    /// Writes out what waits and closes. Calls after it fail.
    fn close(&self) -> Answer<()>;
}

/// Checks that `records` follow `base` without a gap up to `tip` and that epochs never fall.
///
/// # Errors
/// [`Error::Corrupt`] names the first seq that is missing or out of order.
pub fn check_contiguous(
    actor: &ActorId,
    base: Seq,
    records: &[RecordRow],
    tip: Tip,
) -> Result<(), Error> {
    let corrupt = |what: String| Error::Corrupt { actor: actor.clone(), what };
    let (mut seq, mut epoch) = (base, 0);
    for row in records {
        if row.seq != seq + 1 {
            return Err(corrupt(format!("record {} follows record {seq}", row.seq)));
        }
        if row.epoch < epoch || row.epoch > tip.epoch {
            return Err(corrupt(format!(
                "record {} has epoch {} after {epoch}",
                row.seq, row.epoch
            )));
        }
        (seq, epoch) = (row.seq, row.epoch);
    }
    if seq != tip.seq {
        return Err(corrupt(format!("records end at {seq}, the tip is {}", tip.seq)));
    }
    Ok(())
}
