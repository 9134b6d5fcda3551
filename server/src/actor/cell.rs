//! A cell: one activation and the ends of the sockets and calls that wait on it. Its worker
//! drives it; here its outputs become messages, appends and jobs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use holdfast_protocol::ids::ActorId;
use tracing::{error, warn};

use super::bring_up::{BroughtUp, Trouble};
use super::core::{CallerId, Core, Input, Output, Tell, Verdict};
use super::envelope::{CallReply, Connection, ConnectionId, Delivery, Nearby, Outcome};
use super::ledger::clear_empty;
use super::mail::{Envelope, Mail, Peers};
use super::runner::Runner;
use super::stats::Stats;
use crate::store::{self, Append, Store, Tip};

/// One activation.
pub(super) struct Cell {
    pub core: Core,
    /// The attached socket, and those that wait for an answer to their hello or resume.
    connections: Vec<Connection>,
    callers: BTreeMap<CallerId, CallReply>,
    next_caller: CallerId,
    /// When the worker has it down to be woken.
    pub wake_at_ms: Option<u64>,
    /// When someone last used it.
    pub used_ms: u64,
    /// Has worked since it was last slimmed.
    worked: bool,
    /// The store refused the last append for now.
    stalled: bool,
}

/// How a cell's activation ended by itself.
pub(super) enum End {
    /// A newer epoch writes.
    Fenced,
    /// It can't be served.
    Quarantined(String),
}

/// What a worker waits for.
pub(super) enum Done {
    Up(ActorId, Result<Box<BroughtUp>, Trouble>),
    Appended(Vec<(ActorId, u64, Result<(), store::Error>)>),
    Tip(ActorId, u64, Result<Option<Tip>, store::Error>),
    Verified(ActorId, Bytes, CallReply, Result<Option<Tip>, store::Error>),
    Snapshot(ActorId, u64, Result<(), store::Error>),
    Released(ActorId),
}

/// What the cells of one worker share.
pub(super) struct Desk {
    pub index: usize,
    pub store: Arc<dyn Store>,
    pub peers: Peers,
    pub nearby: Arc<dyn Nearby>,
    pub runner: Runner,
    pub stats: Arc<Stats>,
    pub retain: u64,
    /// Appends of this round, sent to the store as one group.
    pub batch: Vec<Append>,
    /// Mail for actors of the same worker.
    pub local: VecDeque<Envelope>,
    pub jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Linearizable queries that wait for a tip.
    pub verifying: usize,
}

/// I7: mail between actors of one worker; beyond, senders try again.
const LOCAL_MAX: usize = 65_536;
/// I7: linearizable queries of one worker under way; more are answered `busy`.
const VERIFYING_MAX: usize = 1_024;
/// How long a store that stalls is left alone.
const STALL_MS: u64 = 100;

impl Desk {
    /// Sends mail to an actor without waiting; `false` when its worker's queue is full.
    fn post(&mut self, to: ActorId, mail: Mail) -> bool {
        if self.peers.index(&to) != self.index {
            return self.peers.try_send(&to, mail);
        }
        let room = self.local.len() < LOCAL_MAX;
        if room {
            self.local.push_back(Envelope { to, mail });
        }
        room
    }

    /// Reads the journal's tip for an activation in doubt, after a pause.
    pub fn read_tip(&mut self, id: ActorId, epoch: u64, pause_ms: u64) {
        let (store, clock) = (Arc::clone(&self.store), self.runner.clock.clone());
        let job = async move {
            if pause_ms > 0 {
                clock.sleep_ms(pause_ms).await;
            }
            let tip = store.tip(&id).await;
            Done::Tip(id, epoch, tip)
        };
        self.jobs.push(job.boxed());
    }

    /// Hands this round's appends to the store: one group for all actors that have one.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        self.stats.batches.add(1);
        self.stats.appends.add(batch.len() as u64);
        let whose: Vec<_> = batch.iter().map(|a| (a.actor.clone(), a.epoch)).collect();
        let append = self.store.append(batch);
        let job = async move {
            let results = append.await;
            let pair = |((actor, epoch), result)| (actor, epoch, result);
            Done::Appended(whose.into_iter().zip(results).map(pair).collect())
        };
        self.jobs.push(job.boxed());
    }
}

impl Cell {
    pub fn new(core: Core, now_ms: u64) -> Self {
        Self {
            core,
            connections: Vec::new(),
            callers: BTreeMap::new(),
            next_caller: 0,
            wake_at_ms: None,
            used_ms: now_ms,
            worked: true,
            stalled: false,
        }
    }

    /// Hands mail to the core.
    pub fn take(&mut self, desk: &mut Desk, now_ms: u64, mail: Mail) -> Option<End> {
        if mail.is_use() {
            self.used_ms = now_ms;
        }
        let epoch = self.core.epoch();
        let input = match mail {
            Mail::Attach(connection, attach) => {
                let id = connection.id;
                if !self.connections.iter().any(|c| c.id == id) {
                    self.connections.push(connection);
                }
                Input::Attach(id, attach)
            }
            Mail::Detach(id) => {
                self.connections.retain(|c| c.id != id);
                Input::Detach(id)
            }
            Mail::Command(command) => Input::Command(command),
            Mail::Read(connection, id, payload) => Input::Read(connection.id, id, payload),
            Mail::Call(call, reply) => Input::Call(self.caller(reply), *call),
            Mail::Query { payload, linearizable: false, reply } => {
                Input::Query(self.caller(reply), payload)
            }
            Mail::Query { payload, linearizable: true, reply } => {
                self.verify(desk, payload, reply);
                return None;
            }
            Mail::Tell(from, tell) => Input::Tell(from, *tell),
            Mail::Verdict(from, id, verdict) => Input::Verdict(from, id, verdict),
            Mail::Settled(from, through) => Input::Settled(from, through),
            Mail::SettleAsked(from, through) => Input::SettleAsked(from, through),
            Mail::ActivityEnded(of, id, result) if of == epoch => Input::ActivityEnded(id, result),
            Mail::Heartbeat(of, id, payload) if of == epoch => Input::Heartbeat(id, payload),
            Mail::ActivityEnded(..) | Mail::Heartbeat(..) => return None,
            Mail::Wake => Input::Tick,
        };
        self.handle(desk, now_ms, input)
    }

    fn caller(&mut self, reply: CallReply) -> CallerId {
        self.next_caller += 1;
        self.callers.insert(self.next_caller, reply);
        self.next_caller
    }

    /// A linearizable read: the journal's tip is read after the request came.
    fn verify(&mut self, desk: &mut Desk, payload: Bytes, reply: CallReply) {
        if desk.verifying >= VERIFYING_MAX {
            return super::mail::answer(reply, super::envelope::CallError::Busy);
        }
        desk.verifying += 1;
        let (actor, tip) = (self.core.id().clone(), desk.store.tip(self.core.id()));
        desk.jobs.push(async move { Done::Verified(actor, payload, reply, tip.await) }.boxed());
    }

    /// The tip was read: the answer is this activation's to give unless a newer one writes. An
    /// older tip was read for an activation before this one, which was claimed after the query.
    pub fn verified(
        &mut self,
        desk: &mut Desk,
        now_ms: u64,
        payload: Bytes,
        reply: CallReply,
        tip: Option<Tip>,
    ) -> Option<End> {
        if tip.is_none_or(|tip| tip.epoch > self.core.epoch()) {
            return Some(End::Fenced);
        }
        let caller = self.caller(reply);
        self.handle(desk, now_ms, Input::Query(caller, payload))
    }

    /// Hands an input to the core and does what it wants done.
    pub fn handle(&mut self, desk: &mut Desk, now_ms: u64, input: Input) -> Option<End> {
        self.worked = true;
        self.core.handle(now_ms, input);
        self.carry_out(desk)
    }

    /// Gives back room that only work needs; once after each time of it.
    pub fn slim(&mut self) {
        if !self.worked || !self.core.is_idle() {
            return;
        }
        self.worked = false;
        self.core.slim();
        self.connections.shrink_to_fit();
        clear_empty(&mut self.callers);
    }

    /// Does what the core wants done.
    pub fn carry_out(&mut self, desk: &mut Desk) -> Option<End> {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Append(append) => desk.batch.push(Append {
                    actor: self.core.id().clone(),
                    epoch: append.epoch,
                    seq: append.seq,
                    append_id: append.append_id,
                    history: 0,
                    record: append.record,
                    due_ms: append.due_ms,
                }),
                Output::Deliver(connection, delivery) => self.deliver(connection, delivery),
                Output::Answer(caller, result) => {
                    if let Some(reply) = self.callers.remove(&caller) {
                        // A caller that has gone away needs no answer.
                        let _ = reply.send(result);
                    }
                }
                Output::Fenced => return Some(End::Fenced),
                Output::Quarantine(why) => return Some(End::Quarantined(why)),
                other => self.ask_others(desk, other),
            }
        }
        None
    }

    fn ask_others(&mut self, desk: &mut Desk, output: Output) {
        let id = self.core.id().clone();
        let epoch = self.core.epoch();
        match output {
            Output::ReadTip => {
                let pause_ms = if std::mem::take(&mut self.stalled) { STALL_MS } else { 0 };
                desk.read_tip(id, epoch, pause_ms);
            }
            Output::Snapshot { seq, bytes, due_ms } => {
                let retain = desk.retain;
                let actor = id.clone();
                desk.stats.snapshots.add(1);
                let snapshot = store::Snapshot { actor, epoch, seq, bytes, retain, due_ms };
                let done = desk.store.snapshot(snapshot);
                desk.jobs.push(async move { Done::Snapshot(id, epoch, done.await) }.boxed());
            }
            Output::Tell(to, tell) => self.send_tell(desk, id, to, tell),
            Output::Verdict(to, tell, verdict) => {
                desk.post(to, Mail::Verdict(id, tell, verdict));
            }
            Output::Settled(to, through) => {
                desk.post(to, Mail::Settled(id, through));
            }
            Output::AskSettled(to, through) => {
                desk.post(to, Mail::SettleAsked(id, through));
            }
            Output::Run(run) => desk.runner.run(id, epoch, run),
            Output::Broadcast(topic, message) => desk.nearby.broadcast(&id, &topic, message),
            Output::View(seq, view) => desk.nearby.view(&id, epoch, seq, view),
            Output::Alarm(what) => {
                desk.stats.alarms.add(1);
                error!(actor = %id, epoch, seq = self.core.seq(), "{what}");
            }
            _ => {}
        }
    }

    /// A tell that finds its receiver's worker full is sent again later; see [`Verdict::Busy`].
    fn send_tell(&mut self, desk: &mut Desk, from: ActorId, to: ActorId, tell: Tell) {
        let id = tell.id;
        desk.stats.tells.add(1);
        if !desk.post(to.clone(), Mail::Tell(from, Box::new(tell))) {
            self.core.handle(desk.store.now_ms(), Input::Verdict(to, id, Verdict::Busy));
        }
    }

    fn deliver(&mut self, to: ConnectionId, delivery: Delivery) {
        let last = match &delivery {
            Delivery::Close(_) => true,
            Delivery::Refused(_) => self.core.connection() != Some(to),
            _ => false,
        };
        if let Some(connection) = self.connections.iter().find(|c| c.id == to) {
            connection.deliver(delivery);
        }
        if last {
            self.connections.retain(|c| c.id != to);
        }
    }

    /// What the store said of the append in flight.
    pub fn appended(
        &mut self,
        desk: &mut Desk,
        now_ms: u64,
        result: Result<(), store::Error>,
    ) -> Option<End> {
        let input = match result {
            Ok(()) => Input::Appended,
            Err(store::Error::Fenced { .. }) => Input::AppendFenced,
            Err(error) => {
                let (actor, epoch, seq) = (self.core.id(), self.core.epoch(), self.core.seq());
                warn!(%actor, epoch, seq, %error, "an append is in doubt");
                desk.stats.doubts.add(1);
                self.stalled = matches!(error, store::Error::Stalled(_));
                Input::AppendDoubt
            }
        };
        self.handle(desk, now_ms, input)
    }

    /// Gives everyone up who waits on this activation. Calls without an answer are in doubt.
    pub fn close(mut self, desk: &mut Desk, closing: super::envelope::Closing) {
        self.core.let_go(closing);
        let _ = self.carry_out(desk);
        for connection in &self.connections {
            connection.deliver(Delivery::Close(closing));
        }
    }

    /// Whether an actor with records stands behind this activation, or soon will.
    pub fn exists(&self) -> bool {
        self.core.exists()
    }
}

/// Answers mail that no activation will take.
pub(super) fn refuse(
    desk: &mut Desk,
    to: &ActorId,
    mail: Mail,
    why: &super::envelope::Refusal,
    error: super::envelope::CallError,
) {
    use super::envelope::Refusal;
    match mail {
        Mail::Attach(connection, _) => {
            connection.deliver(Delivery::Refused(Box::new(why.clone())));
        }
        Mail::Read(connection, id, _) => {
            let reject = super::contract::Reject::new("busy", "the actor can't be reached now");
            let outcome = Outcome { result: Err(reject), seq: None, dup: false };
            connection.deliver(Delivery::Reply { id: Some(id), outcome: Box::new(outcome) });
        }
        Mail::Call(_, reply) | Mail::Query { reply, .. } => super::mail::answer(reply, error),
        // Its sender tries again by itself, less and less often.
        Mail::Tell(..) if matches!(why, Refusal::Quarantined) => {}
        Mail::Tell(from, tell) => {
            let absent = matches!(why, Refusal::NoSuchActor);
            let verdict = if absent { Verdict::NoSuchActor } else { Verdict::Busy };
            desk.post(from, Mail::Verdict(to.clone(), tell.id, verdict));
        }
        Mail::SettleAsked(from, through) if matches!(why, Refusal::NoSuchActor) => {
            desk.post(from, Mail::Settled(to.clone(), through));
        }
        _ => {}
    }
}
