//! From absent to active: claim, load, replay.

use std::sync::Arc;

use holdfast_protocol::ids::ActorId;
use tracing::warn;

use super::kind::Kind;
use super::replay::{Durable, ReplayError, Stored, replay};
use crate::store::{self, Base, Claim, Claimed, Loaded, NodeSession, Store};

/// An actor that was claimed and read.
pub(super) struct BroughtUp {
    pub epoch: u64,
    pub seq: u64,
    pub durable: Durable,
    /// Records and bytes since the snapshot.
    pub since_snapshot: (u64, u64),
}

/// Why it was not.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does not exist.
    Absent,
    /// The store can't serve it now.
    Busy(String),
    /// Its journal can't be read.
    Unreadable(String),
    /// The store has failed for good.
    Fatal(String),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Absent => Self::Absent,
            store::Error::Corrupt { .. } => Self::Unreadable(error.to_string()),
            store::Error::Poisoned(_) => Self::Fatal(error.to_string()),
            error => Self::Busy(error.to_string()),
        }
    }
}

/// Claims an actor for this node session, reads it, and folds its journal.
pub(super) async fn bring_up(
    store: Arc<dyn Store>,
    kind: Kind,
    actor: ActorId,
    session: NodeSession,
    creates: bool,
) -> Result<Box<BroughtUp>, Trouble> {
    let (epoch, seq) = claim(&*store, &actor, session, creates).await?;
    if seq == 0 && !creates {
        // Claimed once, but nothing was ever journaled: it does not exist.
        store.release(&actor, epoch, None).await?;
        return Err(Trouble::Absent);
    }
    let (durable, since_snapshot) = read(&*store, &kind, &actor, epoch).await?;
    Ok(Box::new(BroughtUp { epoch, seq, durable, since_snapshot }))
}

async fn claim(
    store: &dyn Store,
    actor: &ActorId,
    session: NodeSession,
    creates: bool,
) -> Result<(u64, u64), Trouble> {
    let mut claim = Claim { actor: actor.clone(), session, creates, replaces: None };
    for _ in 0..3 {
        match store.claim(claim.clone()).await? {
            Claimed::Granted { epoch, seq, .. } => return Ok((epoch, seq)),
            Claimed::Wait(ms) => {
                return Err(Trouble::Busy(format!("holders come first for {ms} ms")));
            }
            Claimed::Absent => return Err(Trouble::Absent),
            Claimed::Held(owner) => claim.replaces = Some(owner),
        }
    }
    Err(Trouble::Busy("the actor changes hands too fast".into()))
}

/// Reads from the newest snapshot, or from the one before if that can't be read.
async fn read(
    store: &dyn Store,
    kind: &Kind,
    actor: &ActorId,
    epoch: u64,
) -> Result<(Durable, (u64, u64)), Trouble> {
    let newest = store.load(actor, Base::Newest).await?;
    if newest.tip.epoch != epoch {
        return Err(Trouble::Busy("another has claimed the actor meanwhile".into()));
    }
    match fold(kind, actor, newest) {
        Err(ReplayError::Snapshot(what)) => {
            warn!(%actor, what, "the newest snapshot can't be read; trying the one before");
            fold(kind, actor, store.load(actor, Base::Older).await?)
        }
        other => other,
    }
    .map_err(|error| match error {
        // A later version can read it, and does not find it quarantined.
        ReplayError::Newer(error) => Trouble::Busy(error.to_string()),
        error => Trouble::Unreadable(error.to_string()),
    })
}

fn fold(
    kind: &Kind,
    actor: &ActorId,
    loaded: Loaded,
) -> Result<(Durable, (u64, u64)), ReplayError> {
    let bytes: usize = loaded.records.iter().map(|row| row.record.len()).sum();
    let since = (loaded.records.len() as u64, bytes as u64);
    let snapshot = loaded.snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]);
    let stored =
        |row: store::RecordRow| Stored { epoch: row.epoch, seq: row.seq, bytes: row.record };
    let durable = replay(kind, actor, snapshot, loaded.records.into_iter().map(stored))?;
    Ok((durable, since))
}
