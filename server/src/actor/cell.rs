//! A cell: one activation and the ends of the sockets and calls that wait on it. Its worker
//! drives it; here its outputs become messages, appends and jobs.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::FutureExt;
use holdfast_protocol::ids::ActorId;
use tracing::{error, warn};

use super::connection::Connection;
use super::core::{Ask, CallerId, Core, Input, Lost, Output, Tell, Verdict};
use super::desk::{Born, Desk, Done};
use super::envelope::{Activated, CallError, Closing, ConnectionId, Delivery};
use super::index::Offer;
use super::mail::{Envelope, Mail, Reply};
use crate::store::attributes::RowAt;
use crate::store::{self, Append, History, NodeSession, Tip};

/// One activation.
pub(super) struct Cell {
    pub core: Core,
    pub born: Born,
    /// The history of the store in which its tip was last known.
    pub history: History,
    /// When the store last said that this activation writes.
    pub confirmed_ms: u64,
    /// When the store last answered an append or a load of it.
    pub stored_ms: u64,
    /// Another node wants it, and it finishes what is in flight.
    pub leaving: Option<Box<Leaving>>,
    /// A tip that the core wants read; it is listed at the desk.
    question: Option<Ask>,
    /// What it took to bring it up, until a player has been told.
    activated: Option<Box<Activated>>,
    /// The attached socket, and those that wait for an answer to their hello or resume.
    connections: Vec<Connection>,
    /// By their numbers, which rise.
    callers: VecDeque<(CallerId, Reply)>,
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

/// How an activation leaves for another node.
pub(super) struct Leaving {
    /// Who asked for it.
    pub node: NodeSession,
    /// Later the other node takes it unasked, and this one need not hurry.
    pub until_ms: u64,
    /// What came meanwhile.
    pub waiting: Vec<Envelope>,
}

/// How a cell's activation ended by itself.
pub(super) enum End {
    /// A newer epoch writes. What it lacks is kept aside.
    Fenced(Option<Box<Lost>>),
    /// Its journal is gone from the store.
    Halted(String),
    /// It has come to its end, and nothing is left of it.
    Erased,
    /// It can't be served.
    Quarantined(String),
}

/// I7: linearizable queries of one worker under way; more are answered `busy`.
const VERIFYING_MAX: usize = 1_024;
/// How long a store that stalls is left alone.
const STALL_MS: u64 = 100;

impl Cell {
    pub fn new(core: Core, history: History, now_ms: u64, activated: Activated) -> Self {
        Self {
            born: core.epoch(),
            core,
            history,
            confirmed_ms: now_ms,
            stored_ms: now_ms,
            leaving: None,
            question: None,
            activated: Some(Box::new(activated)),
            connections: Vec::new(),
            callers: VecDeque::new(),
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
        let born = self.born;
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
            Mail::ActivityEnded(of, id, result) if of == born => Input::ActivityEnded(id, result),
            Mail::Heartbeat(of, id, payload) if of == born => Input::Heartbeat(id, payload),
            Mail::ActivityEnded(..) | Mail::Heartbeat(..) | Mail::Routing(_) => return None,
            Mail::Wake => Input::Tick,
        };
        self.handle(desk, now_ms, input)
    }

    fn caller(&mut self, reply: Reply) -> CallerId {
        self.next_caller += 1;
        self.callers.push_back((self.next_caller, reply));
        self.next_caller
    }

    /// A linearizable read: the journal's tip is read after the request came.
    fn verify(&mut self, desk: &mut Desk, payload: Bytes, reply: Reply) {
        if desk.verifying >= VERIFYING_MAX {
            return reply.send(Err(CallError::Busy));
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
        reply: Reply,
        tip: Option<Tip>,
    ) -> Option<End> {
        if tip.is_none_or(|tip| tip.epoch > self.core.epoch() || tip.history != self.history) {
            reply.send(Err(CallError::Busy));
            return self.handle(desk, now_ms, Input::Suspect);
        }
        let caller = self.caller(reply);
        self.handle(desk, now_ms, Input::Query(caller, payload))
    }

    /// Hands an input to the core and does what it wants done.
    pub fn handle(&mut self, desk: &mut Desk, now_ms: u64, input: Input) -> Option<End> {
        self.worked = true;
        if let Some(format) = desk.write_format() {
            self.core.write_in(format);
        }
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
        self.callers.shrink_to_fit();
    }

    /// Does what the core wants done.
    pub fn carry_out(&mut self, desk: &mut Desk) -> Option<End> {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Append(append) => {
                    let record = Append {
                        actor: self.core.id().clone(),
                        epoch: append.epoch,
                        seq: append.seq,
                        append_id: append.append_id,
                        history: append.history,
                        record: append.record,
                        due_ms: append.due_ms,
                    };
                    desk.batch.push((self.born, record));
                }
                Output::Deliver(connection, delivery) => self.deliver(connection, delivery),
                Output::Answer(caller, result) => {
                    let place = self.callers.binary_search_by_key(&caller, |(id, _)| *id).ok();
                    if let Some((_, reply)) = place.and_then(|place| self.callers.remove(place)) {
                        reply.send(result);
                    }
                }
                Output::Fenced { lost } => return Some(End::Fenced(lost)),
                Output::Erased => return Some(End::Erased),
                Output::Halted(why) => return Some(End::Halted(why)),
                Output::Quarantine(why) => return Some(End::Quarantined(why)),
                other => self.ask_others(desk, other),
            }
        }
        None
    }

    fn ask_others(&mut self, desk: &mut Desk, output: Output) {
        let id = self.core.id().clone();
        let (born, epoch) = (self.born, self.core.epoch());
        match output {
            Output::ReadTip(ask) => self.wonder(desk, ask),
            Output::Reassert(out) => desk.reassert(id, born, *out),
            Output::Snapshot { seq, bytes, due_ms } => {
                let retain = desk.retain;
                let actor = id.clone();
                desk.stats.snapshots.add(1);
                let snapshot = store::Snapshot { actor, epoch, seq, bytes, retain, due_ms };
                let done = desk.store.snapshot(snapshot);
                desk.jobs.push(async move { Done::Snapshot(id, born, done.await) }.boxed());
            }
            Output::Erase { ask, seq } => {
                let done = desk.store.erase(&id, epoch, seq);
                desk.jobs.push(async move { Done::Erased(id, born, ask, done.await) }.boxed());
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
            Output::Run(run) => desk.runner.run(id, born, run),
            Output::Broadcast(topic, message) => desk.nearby.broadcast(&id, &topic, message),
            Output::View(seq, view) => desk.nearby.view(&id, epoch, seq, view),
            Output::Attributes { seq, attributes, leaves } => {
                let at = RowAt { epoch, seq };
                if !desk.rows.offer(&id, Offer { at, attributes, leaves }) {
                    self.core.offer_again();
                }
            }
            Output::Alarm(what) => self.alarm(desk, &what),
            Output::Violation(what) => {
                self.alarm(desk, &what);
                desk.stats.violations.add(what);
            }
            Output::DeadLetter(what) => {
                desk.stats.dead_letters.add(1);
                self.alarm(desk, &what);
            }
            _ => {}
        }
    }

    fn alarm(&self, desk: &Desk, what: &str) {
        desk.stats.alarms.add(1);
        let (actor, epoch, seq) = (self.core.id(), self.core.epoch(), self.core.seq());
        error!(%actor, epoch, seq, "{what}");
    }

    /// A tell that finds its receiver's worker full is sent again later; see [`Verdict::Busy`].
    fn send_tell(&mut self, desk: &mut Desk, from: ActorId, to: ActorId, tell: Tell) {
        let id = tell.id;
        desk.stats.tells.add(1);
        if !desk.post(to.clone(), Mail::Tell(from, Box::new(tell))) {
            self.core.handle(desk.store.now_ms(), Input::Verdict(to, id, Verdict::Busy));
        }
    }

    fn deliver(&mut self, to: ConnectionId, mut delivery: Delivery) {
        let last = match &delivery {
            Delivery::Close(_) => true,
            Delivery::Refused(_) => self.core.connection() != Some(to),
            _ => false,
        };
        if let Some(connection) = self.connections.iter().find(|c| c.id == to) {
            if let Delivery::Attached(attached) = &mut delivery {
                // Whoever comes later finds the actor here.
                attached.activated = self.activated.take().map(|activated| *activated);
            }
            connection.deliver(delivery);
        }
        if last {
            self.connections.retain(|c| c.id != to);
        }
    }

    /// What the store said of the append with that random id.
    pub fn appended(
        &mut self,
        desk: &mut Desk,
        now_ms: u64,
        append_id: u64,
        result: Result<(), store::Error>,
    ) -> Option<End> {
        let input = match result {
            Ok(()) => {
                (self.confirmed_ms, self.stored_ms) = (now_ms, now_ms);
                Input::Appended(append_id)
            }
            Err(error) => {
                let (actor, epoch, seq) = (self.core.id(), self.core.epoch(), self.core.seq());
                warn!(%actor, epoch, seq, %error, "an append is in doubt");
                desk.stats.doubts.add(1);
                self.stalled = matches!(error, store::Error::Stalled(_));
                Input::AppendDoubt(append_id)
            }
        };
        self.handle(desk, now_ms, input)
    }

    /// Lists the core's newest question to the store at the desk.
    fn wonder(&mut self, desk: &mut Desk, ask: Ask) {
        if self.question.replace(ask).is_none() {
            let urgent = self.is_awaited() && !self.core.lingers();
            desk.checks.push(self.core.id().clone(), self.born, urgent);
        }
    }

    /// Asks the store what was listed.
    pub fn ask(&mut self, desk: &mut Desk) {
        let Some(ask) = self.question.take() else { return };
        let pause_ms = if std::mem::take(&mut self.stalled) { STALL_MS } else { 0 };
        desk.read_tip(self.core.id().clone(), self.born, ask, pause_ms);
    }

    /// The tip could not be read: the doubt stays, and it is read again after a pause.
    pub fn ask_again(&mut self, desk: &mut Desk, ask: Ask) {
        self.stalled = true;
        if self.question.is_none() {
            self.wonder(desk, ask);
        }
    }

    /// The tip, as an answer to a question of the core's; `None`: the store was wiped.
    pub fn tip(&mut self, desk: &mut Desk, now_ms: u64, ask: Ask, tip: Option<Tip>) -> Option<End> {
        if let Some(tip) = tip {
            (self.history, self.confirmed_ms) = (tip.history, now_ms);
        }
        let before = self.core.seq();
        let end = self.handle(desk, now_ms, Input::Tip(ask, tip));
        if self.core.seq() != before {
            self.stored_ms = now_ms;
        }
        end
    }

    /// What became of a reassertion.
    pub fn reasserted(
        &mut self,
        desk: &mut Desk,
        now_ms: u64,
        ask: Ask,
        result: Result<store::Reasserted, store::Error>,
    ) -> Option<End> {
        if let Ok(store::Reasserted::Granted { history, .. }) = result {
            desk.stats.reasserted.add(1);
            (self.history, self.confirmed_ms) = (history, now_ms);
            self.stored_ms = now_ms;
        }
        let result = result.map_err(|error| {
            let (actor, epoch) = (self.core.id(), self.core.epoch());
            warn!(%actor, epoch, %error, "a reassertion is in doubt");
            self.stalled = true;
        });
        self.handle(desk, now_ms, Input::Reasserted(ask, result))
    }

    /// Whether a question of that node is unanswered, though nothing keeps this activation from
    /// working on it.
    pub fn owes(&self, node: NodeSession) -> bool {
        self.question.is_none() && self.callers.iter().any(|(_, reply)| reply.is_for(node))
    }

    /// Whether someone waits for what it does next.
    pub fn is_awaited(&self) -> bool {
        !self.connections.is_empty() || !self.callers.is_empty() || !self.core.is_idle()
    }

    /// Gives everyone up who waits on this activation. Calls without an answer are in doubt.
    pub fn close(&mut self, desk: &mut Desk, closing: Closing) {
        self.core.let_go(closing);
        let _ = self.carry_out(desk);
        for connection in self.connections.drain(..) {
            connection.deliver(Delivery::Close(closing));
        }
        self.callers.clear();
        self.question = None;
    }

    /// Whether an actor with records stands behind this activation, or soon will.
    pub fn exists(&self) -> bool {
        self.core.exists()
    }
}
