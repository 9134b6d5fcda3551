//! From absent to active: claim, load, replay.
//!
//! A claim first asks for an actor that no one holds. Who holds one is asked to hand it over when
//! the actor's player is here, is left alone when he is alive, and is replaced when he is dead.
//!
//! | answer to the claim | goes on |
//! |---|---|
//! | granted | load |
//! | held by this node, by a dead one, or there are no other nodes | claim over it |
//! | held by a living node, and a socket waits here | ask for it, wait 40 ms at most, claim over it |
//! | held by the node that did not answer for it | claim over it |
//! | held by another living node | leave it: [`Trouble::Away`] |
//! | wait: holders come first | the same claim again, for 2.5 s at most |
//!
//! Where nodes of several versions share the store, a claim is preceded by a look at the format of
//! what is stored: who can't read an actor takes it from no one, and does not quarantine it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_protocol::ids::ActorId;
use tokio::sync::Notify;
use tracing::warn;

use super::envelope::Activated;
use super::fleet::{FleetHandle, Post};
use super::kind::Kind;
use super::record::{Formats, check_format};
use super::replay::{Durable, ReplayError, Stored, replay};
use super::stats::Stats;
use crate::clock::{Clock, instant};
use crate::store::{
    self, Base, Claim, Claimed, History, Loaded, NodeSession, Owner, Store, Term, Tip,
};

/// How long an owner that may be alive is given to hand over.
pub(super) const HAND_OVER_MS: u64 = 40;
/// How long a claim waits for the holders of a new history to come first.
const GRACE_MS_MAX: u64 = 2_500;
/// Owners that one claim replaces at most.
const TRIES: usize = 3;
/// An actor that was claimed and can't be read is due after so long: what it owes is known to no
/// one here, and a node that can read it finds out.
const UNREAD_DUE_MS: u64 = 30_000;

/// An actor that was claimed and read.
pub(super) struct BroughtUp {
    pub epoch: u64,
    pub seq: u64,
    pub history: History,
    pub terms: Vec<Term>,
    /// The node session that it was claimed for.
    pub session: NodeSession,
    pub reason: Reason,
    pub durable: Durable,
    /// Records and bytes since the snapshot.
    pub since_snapshot: (u64, u64),
    /// What it took.
    pub activated: Activated,
}

/// From whom an actor was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No one held it.
    Free,
    /// This node did.
    Own,
    /// A dead node did.
    Dead,
    /// Its player is here.
    TakenOver,
    /// Its node did not answer.
    Unanswered,
}

/// From whom it may be claimed besides the dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// No one.
    Free,
    /// Whoever has it: its player is here.
    HandOver,
    /// This node, which did not answer.
    Unanswered(NodeSession),
}

/// Who claims an actor, and how.
pub(super) struct Claimer {
    pub store: Arc<dyn Store>,
    pub fleet: Option<FleetHandle>,
    pub clock: Clock,
    pub session: NodeSession,
    pub creates: bool,
    pub take: Take,
    pub stats: Arc<Stats>,
    /// Told when the owner that was asked has handed over.
    pub handed: Arc<Notify>,
    /// Set while no socket waits for it any more.
    pub given_up: Arc<AtomicBool>,
}

/// Why it was not.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does not exist.
    Absent,
    /// A living node has it.
    Away(Owner),
    /// This node's lease has run out: claims wait until it is back.
    Frozen,
    /// The store can't serve it now.
    Busy(String),
    /// Its journal can't be read.
    Unreadable(String),
    /// Another version of the program can read it.
    Foreign(String),
    /// Its part of the store is gone.
    Wiped(String),
    /// The store has failed for good.
    Fatal(String),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Absent => Self::Absent,
            store::Error::Corrupt { .. } => Self::Unreadable(error.to_string()),
            store::Error::Poisoned(_) => Self::Fatal(error.to_string()),
            store::Error::Wiped(_) => Self::Wiped(error.to_string()),
            error => Self::Busy(error.to_string()),
        }
    }
}

/// A claim that was granted.
struct Grant {
    epoch: u64,
    seq: u64,
    history: History,
    reason: Reason,
}

/// Claims an actor for this node session, reads it, and folds its journal.
pub(super) async fn bring_up(
    claimer: Claimer,
    kind: Kind,
    actor: ActorId,
) -> Result<Box<BroughtUp>, Trouble> {
    let began = instant();
    let Grant { epoch, seq, history, reason } = claimer.claim(&actor).await?;
    let store = &*claimer.store;
    if seq == 0 && !claimer.creates {
        // Claimed once, but nothing was ever journaled: it does not exist.
        store.release(&actor, epoch, None).await?;
        return Err(Trouble::Absent);
    }
    let read = match read(store, (&kind, claimer.reads()), &actor).await {
        Err(Trouble::Foreign(why)) => {
            // No one that this node knew of has written it, or there was no time to look.
            let due_ms = store.now_ms() + UNREAD_DUE_MS;
            store.release(&actor, epoch, Some(due_ms)).await?;
            return Err(Trouble::Foreign(why));
        }
        read => read?,
    };
    let Read { tip, terms, durable, since_snapshot } = read;
    if tip.epoch != epoch || tip.history != history {
        claimer.stats.claims_lost.add(1);
        return Err(Trouble::Busy("another has claimed the actor meanwhile".into()));
    }
    let took_micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(Box::new(BroughtUp {
        epoch,
        seq,
        history,
        terms,
        session: claimer.session,
        reason,
        durable,
        since_snapshot,
        activated: Activated { records: since_snapshot.0, took_micros },
    }))
}

impl Claimer {
    fn reads(&self) -> Formats {
        self.fleet.as_ref().map_or(Formats::READS, FleetHandle::reads)
    }

    /// Whether the actor may be claimed here: what it will write is read by every node, and what
    /// is stored of it is read by this one.
    async fn look(&self, actor: &ActorId) -> Result<(), Trouble> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        if fleet.write_format().is_none() {
            self.stats.claims_unread.add(1);
            return Err(Trouble::Busy("no format of records suits all nodes".into()));
        }
        if !fleet.is_mixed() {
            return Ok(());
        }
        // What else is wrong with it, or that it does not exist, the claim will say.
        let Ok(stored) = self.store.load(actor, Base::Newest).await else { return Ok(()) };
        let snapshot = stored.snapshot.iter().map(|snapshot| &snapshot.bytes);
        let mut bytes = snapshot.chain(stored.records.iter().map(|row| &row.record));
        let known = bytes.try_for_each(|bytes| check_format(fleet.reads(), bytes));
        let Err(error) = known else { return Ok(()) };
        Err(match self.living_owner(fleet, actor).await {
            // Mail goes to who can read it. A socket stays here, and hears why not.
            Some(owner) if self.take == Take::Free => Trouble::Away(owner),
            _ => Trouble::Foreign(error.to_string()),
        })
    }

    /// Another node that holds the actor and may be alive.
    async fn living_owner(&self, fleet: &FleetHandle, actor: &ActorId) -> Option<Owner> {
        let owners = self.store.owners(vec![actor.clone()]).await.ok()?;
        let owner = owners.into_iter().next().flatten()?;
        let other = owner.session != self.session && fleet.is_alive(owner.session);
        other.then_some(owner)
    }

    async fn claim(&self, actor: &ActorId) -> Result<Grant, Trouble> {
        self.look(actor).await?;
        let (session, creates) = (self.session, self.creates);
        let mut claim = Claim { actor: actor.clone(), session, creates, replaces: None };
        let (mut reason, mut tries, mut waited_ms) = (Reason::Free, 0, 0);
        loop {
            if self.fleet.as_ref().is_some_and(|fleet| !fleet.in_force()) {
                return Err(Trouble::Frozen);
            }
            match self.store.claim(claim.clone()).await? {
                Claimed::Granted { epoch, seq, history } => {
                    return Ok(Grant { epoch, seq, history, reason });
                }
                Claimed::Absent => return Err(Trouble::Absent),
                Claimed::Wait(ms) => {
                    self.stats.claims_waited.add(u64::from(waited_ms == 0));
                    waited_ms += ms.max(1);
                    if waited_ms > GRACE_MS_MAX {
                        return Err(Trouble::Busy(format!("holders come first for {ms} ms")));
                    }
                    self.clock.sleep_ms(ms.max(1)).await;
                }
                Claimed::Held(_) if tries == TRIES => {
                    self.stats.claims_lost.add(1);
                    return Err(Trouble::Busy("the actor changes hands too fast".into()));
                }
                Claimed::Held(owner) => {
                    tries += 1;
                    reason = self.replace(actor, owner).await?;
                    claim.replaces = Some(owner);
                }
            }
        }
    }

    /// Whether an owner may be replaced; asks one that may be alive to hand over.
    async fn replace(&self, actor: &ActorId, owner: Owner) -> Result<Reason, Trouble> {
        if owner.session == self.session {
            return Ok(Reason::Own);
        }
        let Some(fleet) = &self.fleet else { return Ok(Reason::Dead) };
        if !fleet.is_alive(owner.session) {
            return Ok(Reason::Dead);
        }
        match self.take {
            // Its player may have gone on at the owner meanwhile.
            Take::HandOver if self.given_up.load(Ordering::Relaxed) => Err(Trouble::Away(owner)),
            Take::HandOver => {
                let asked = fleet.post(owner.session, Post::HandOver { actor: actor.clone() });
                if asked {
                    self.clock.within_ms(HAND_OVER_MS, self.handed.notified()).await;
                }
                Ok(Reason::TakenOver)
            }
            Take::Unanswered(silent) if silent == owner.session => Ok(Reason::Unanswered),
            _ => Err(Trouble::Away(owner)),
        }
    }
}

/// What was read of an actor.
struct Read {
    tip: Tip,
    terms: Vec<Term>,
    durable: Durable,
    since_snapshot: (u64, u64),
}

/// Reads from the newest snapshot, or from the one before if that can't be read.
async fn read(store: &dyn Store, kind: (&Kind, Formats), actor: &ActorId) -> Result<Read, Trouble> {
    let newest = store.load(actor, Base::Newest).await?;
    match fold(kind, actor, newest) {
        Err(ReplayError::Snapshot(what)) => {
            warn!(%actor, what, "the newest snapshot can't be read; trying the one before");
            fold(kind, actor, store.load(actor, Base::Older).await?)
        }
        other => other,
    }
    .map_err(|error| match error {
        // Another version can read it, and does not find it quarantined.
        ReplayError::Format(error) => Trouble::Foreign(error.to_string()),
        error => Trouble::Unreadable(error.to_string()),
    })
}

fn fold(kind: (&Kind, Formats), actor: &ActorId, loaded: Loaded) -> Result<Read, ReplayError> {
    let Loaded { snapshot, records, terms, tip } = loaded;
    let bytes: usize = records.iter().map(|row| row.record.len()).sum();
    let since_snapshot = (records.len() as u64, bytes as u64);
    let snapshot = snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]);
    let stored =
        |row: store::RecordRow| Stored { epoch: row.epoch, seq: row.seq, bytes: row.record };
    let durable = replay(kind, actor, snapshot, records.into_iter().map(stored))?;
    Ok(Read { tip, terms, durable, since_snapshot })
}
