//! A worker's desk: what its cells share. Ways to the store, to other actors and to other nodes;
//! the records of this round; and what the worker waits for.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use holdfast_protocol::ids::ActorId;

use super::bring_up::{BroughtUp, Trouble};
use super::contract::Reject;
use super::core::{Ask, ReassertOut, Verdict};
use super::envelope::{CallError, Delivery, Nearby, Outcome, Refusal};
use super::fleet::FleetHandle;
use super::index::IndexHandle;
use super::lost_found::LostFound;
use super::mail::{Envelope, Mail, Peers, Reply};
use super::record::FORMAT;
use super::runner::Runner;
use super::stats::Stats;
use crate::store::{self, Append, NodeSession, Reasserted, Store, Tip};

/// I7: mail between actors of one worker; beyond, senders try again.
const LOCAL_MAX: usize = 65_536;
/// I7: tips read and reassertions made at a time; the others wait, those with a socket first.
const CHECKS_MAX: usize = 256;

/// Names one activation for its life: the epoch that it began with. A reassertion changes the
/// epoch of an activation, never this.
pub(super) type Born = u64;

/// What a worker waits for.
pub(super) enum Done {
    Up(ActorId, Result<Box<BroughtUp>, Trouble>),
    Appended(Vec<(ActorId, Born, u64, Result<(), store::Error>)>),
    Tip(ActorId, Born, Ask, Result<Option<Tip>, store::Error>),
    Reasserted(ActorId, Born, Ask, Result<Reasserted, store::Error>),
    Verified(ActorId, Bytes, Reply, Result<Option<Tip>, store::Error>),
    Snapshot(ActorId, Born, Result<(), store::Error>),
    Erased(ActorId, Born, Ask, Result<(), store::Error>),
    /// Whether the store knows that this activation gave the actor up.
    Released(ActorId, Born, bool),
    /// Nothing is left to do.
    Kept,
}

/// What the cells of one worker share.
pub(super) struct Desk {
    pub index: usize,
    pub store: Arc<dyn Store>,
    pub fleet: Option<FleetHandle>,
    /// The node session that this worker acts under.
    pub session: NodeSession,
    /// The node's lease is not in force: nothing is claimed, decided, appended or answered.
    pub frozen: bool,
    pub peers: Peers,
    pub nearby: Arc<dyn Nearby>,
    pub rows: IndexHandle,
    pub runner: Runner,
    pub stats: Arc<Stats>,
    pub lost_found: LostFound,
    pub retain: u64,
    /// Appends of this round, sent to the store as one group.
    pub batch: Vec<(Born, Append)>,
    /// Mail for actors of the same worker.
    pub local: VecDeque<Envelope>,
    pub jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Linearizable queries that wait for a tip.
    pub verifying: usize,
    pub checks: Checks,
}

/// Activations that want their tip read; each is listed once.
#[derive(Debug)]
pub(super) struct Checks {
    stats: Arc<Stats>,
    under_way: usize,
    /// Those that someone waits for.
    urgent: VecDeque<(ActorId, Born)>,
    others: VecDeque<(ActorId, Born)>,
}

impl Checks {
    pub fn new(stats: Arc<Stats>) -> Self {
        Self { stats, under_way: 0, urgent: VecDeque::new(), others: VecDeque::new() }
    }

    pub fn push(&mut self, id: ActorId, born: Born, urgent: bool) {
        self.stats.doubted.add(1);
        let line = if urgent { &mut self.urgent } else { &mut self.others };
        line.push_back((id, born));
    }

    /// The next one, if another may be under way.
    pub fn next(&mut self) -> Option<(ActorId, Born)> {
        if self.under_way >= CHECKS_MAX {
            return None;
        }
        let next = self.urgent.pop_front().or_else(|| self.others.pop_front());
        self.stats.doubted.sub(u64::from(next.is_some()));
        next
    }

    fn begun(&mut self) {
        self.under_way += 1;
        self.stats.doubted.add(1);
    }

    /// Once for each that has begun.
    pub fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.stats.doubted.sub(1);
    }
}

impl Desk {
    /// Sends mail to an actor without waiting; `false` when its worker's queue is full.
    pub fn post(&mut self, to: ActorId, mail: Mail) -> bool {
        if self.peers.index(&to) != self.index {
            let taken = self.peers.try_send(&to, mail);
            self.stats.mail_overflows.add(u64::from(!taken));
            return taken;
        }
        let room = self.local.len() < LOCAL_MAX;
        if room {
            self.local.push_back(Envelope { to, via: None, mail });
        } else {
            self.stats.mail_overflows.add(1);
        }
        room
    }

    /// Whether the node may act now. Read from the clock, so that a process that was stopped
    /// finds out before it does anything.
    pub fn in_force(&self) -> bool {
        self.fleet.as_ref().is_none_or(FleetHandle::in_force)
    }

    /// The format that every live node reads; `None`: there is none that this node could write.
    pub fn write_format(&self) -> Option<u8> {
        self.fleet.as_ref().map_or(Some(FORMAT), FleetHandle::write_format)
    }

    /// Reads the journal's tip for an activation that holds, after a pause.
    pub fn read_tip(&mut self, id: ActorId, born: Born, ask: Ask, pause_ms: u64) {
        self.checks.begun();
        let (store, clock) = (Arc::clone(&self.store), self.runner.clock.clone());
        let job = async move {
            if pause_ms > 0 {
                clock.sleep_ms(pause_ms).await;
            }
            let tip = store.tip(&id).await;
            Done::Tip(id, born, ask, tip)
        };
        self.jobs.push(job.boxed());
    }

    /// Writes an activation's memory back to the store under a new term.
    pub fn reassert(&mut self, id: ActorId, born: Born, out: ReassertOut) {
        self.checks.begun();
        let ReassertOut { ask, observed, continues, seq, append_id, snapshot, due_ms } = out;
        let (actor, session) = (id.clone(), self.session);
        let reassert = store::Reassert {
            actor,
            session,
            observed,
            continues,
            seq,
            append_id,
            snapshot,
            due_ms,
        };
        let done = self.store.reassert(reassert);
        self.jobs.push(async move { Done::Reasserted(id, born, ask, done.await) }.boxed());
    }

    /// Hands this round's appends to the store: one group for all actors that have one. A node
    /// whose lease ran out during the round sends none: they are in doubt.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let (whose, batch): (Vec<_>, Vec<_>) = self
            .batch
            .drain(..)
            .map(|(born, append)| ((append.actor.clone(), born, append.append_id), append))
            .unzip();
        if !self.in_force() {
            let doubt = || Err(store::Error::Doubt("the node's lease has run out".into()));
            let unsent = whose.into_iter().map(|(id, born, append)| (id, born, append, doubt()));
            let done = Done::Appended(unsent.collect());
            return self.jobs.push(async move { done }.boxed());
        }
        self.stats.batches.add(1);
        self.stats.appends.add(batch.len() as u64);
        let append = self.store.append(batch);
        let job = async move {
            let results = append.await;
            let pair = |((actor, born, append), result)| (actor, born, append, result);
            Done::Appended(whose.into_iter().zip(results).map(pair).collect())
        };
        self.jobs.push(job.boxed());
    }

    /// Answers mail that no activation will take.
    pub fn refuse(&mut self, envelope: Envelope, why: &Refusal, error: CallError) {
        let Envelope { to, mail, .. } = envelope;
        match mail {
            Mail::Attach(connection, _) => {
                connection.deliver(Delivery::Refused(Box::new(why.clone())));
            }
            Mail::Read(connection, id, _) => {
                let reject = Reject::new("busy", "the actor can't be reached now");
                let outcome = Outcome { result: Err(reject), seq: None, dup: false };
                connection.deliver(Delivery::Reply { id: Some(id), outcome: Box::new(outcome) });
            }
            Mail::Call(_, reply) | Mail::Query { reply, .. } => reply.send(Err(error)),
            // Its sender tries again by itself, less and less often.
            Mail::Tell(..) if matches!(why, Refusal::Quarantined) => {}
            Mail::Tell(from, tell) => {
                let absent = matches!(why, Refusal::NoSuchActor);
                let verdict =
                    if absent { Verdict::NoSuchActor(tell.attempt) } else { Verdict::Busy };
                self.post(from, Mail::Verdict(to, tell.id, verdict));
            }
            Mail::SettleAsked(from, through) if matches!(why, Refusal::NoSuchActor) => {
                self.post(from, Mail::Settled(to, through));
            }
            _ => {}
        }
    }
}
