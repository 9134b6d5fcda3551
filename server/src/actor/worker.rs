//! A worker: the one task that owns many activations.
//!
//! Each actor belongs to one worker, by the hash of its id. A round takes whatever mail waits,
//! hands it to the cores, and sends all records that came of it to the store as one group. So a
//! node under load writes large groups and a lone player is served at once, with no timer in
//! between.

mod idle;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use holdfast_protocol::ids::ActorId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::bring_up::{BroughtUp, Trouble, bring_up};
use super::cell::{Cell, Desk, Done, End, refuse};
use super::core::{Core, Input, Limits, Start};
use super::envelope::{CallError, CallReply, Closing, Refusal};
use super::kind::Kinds;
use super::mail::{self, Envelope, Mail};
use crate::clock::Clock;
use crate::store::{self, NodeSession};

/// Mail taken in one round before the records go out.
const ROUND_MAX: usize = 512;
/// Mail that waits for one actor to come up.
const WAITING_MAX: usize = 256;
/// How often idle activations are looked for.
const SWEEP_MS: u64 = 1_000;
/// How long the store is left alone after it failed to read.
const AGAIN_MS: u64 = 100;

/// What a worker is told at start.
pub(super) struct Config {
    pub session: NodeSession,
    pub kinds: Kinds,
    pub limits: Arc<Limits>,
    /// Activations that this worker holds at most.
    pub activations_max: usize,
    /// Idle time after which an activation ends.
    pub idle_ms: u64,
}

/// Where an actor stands in this worker.
enum Slot {
    /// Claim and load are under way; mail waits.
    Coming(Vec<Mail>),
    /// In memory.
    Active(Box<Cell>),
    /// Being given up; mail waits for the next activation.
    Going(Vec<Mail>),
    /// Never served until an operator has looked.
    Quarantined,
}

/// See the module.
pub(super) struct Worker {
    config: Config,
    clock: Clock,
    slots: HashMap<ActorId, Slot>,
    wakes: BTreeSet<(u64, ActorId)>,
    desk: Desk,
    inbox: mpsc::Receiver<Envelope>,
    /// Cancelled by a store that can't go on: the node stops and recovers on restart.
    fatal: CancellationToken,
    sweep_at_ms: u64,
    /// Not before then is someone looked for who can go.
    evict_at_ms: u64,
    /// Slots of actors that are being given up.
    going: usize,
    draining: bool,
    /// No mail will come any more.
    cut_off: bool,
}

impl Worker {
    pub fn new(
        config: Config,
        clock: Clock,
        desk: Desk,
        inbox: mpsc::Receiver<Envelope>,
        fatal: CancellationToken,
    ) -> Self {
        Self {
            sweep_at_ms: clock.now_ms() + SWEEP_MS,
            config,
            clock,
            slots: HashMap::new(),
            wakes: BTreeSet::new(),
            desk,
            inbox,
            fatal,
            evict_at_ms: 0,
            going: 0,
            draining: false,
            cut_off: false,
        }
    }

    /// Serves until `shutdown`, then finishes what is in flight and gives every actor up.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // A worker that panics takes its actors with it: the node must not go on half alive.
        let guard = self.fatal.clone().drop_guard();
        self.serve(shutdown).await;
        guard.disarm();
    }

    async fn serve(&mut self, shutdown: CancellationToken) {
        let mut mail = Vec::with_capacity(ROUND_MAX);
        loop {
            let wake_at = self.wake_at_ms();
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if !self.draining => self.begin_drain(),
                () = self.fatal.cancelled() => return,
                Some(done) = self.desk.jobs.next(), if !self.desk.jobs.is_empty() => {
                    self.done(done);
                    self.more_jobs();
                    self.more_mail(&mut mail);
                }
                got = self.inbox.recv_many(&mut mail, ROUND_MAX), if !self.cut_off => {
                    self.cut_off = got == 0;
                    self.more_jobs();
                }
                () = self.clock.sleep_until(wake_at) => {}
            }
            for envelope in mail.drain(..) {
                self.sort(envelope);
            }
            if !self.draining {
                self.local();
                self.wake();
                self.local();
            }
            self.desk.flush();
            if self.draining && self.drained() {
                return;
            }
        }
    }

    /// Takes what else has finished, without waiting.
    fn more_jobs(&mut self) {
        while let Some(Some(done)) = self.desk.jobs.next().now_or_never() {
            self.done(done);
        }
    }

    fn more_mail(&mut self, mail: &mut Vec<Envelope>) {
        while mail.len() < ROUND_MAX {
            let Ok(envelope) = self.inbox.try_recv() else { return };
            mail.push(envelope);
        }
    }

    /// Mail between actors of this worker.
    fn local(&mut self) {
        for _ in 0..4 * ROUND_MAX {
            let Some(envelope) = self.desk.local.pop_front() else { return };
            self.sort(envelope);
        }
    }

    fn wake_at_ms(&self) -> u64 {
        if self.draining {
            return self.clock.now_ms() + AGAIN_MS;
        }
        let next = self.wakes.first().map_or(u64::MAX, |(at, _)| *at);
        let local = if self.desk.local.is_empty() { u64::MAX } else { 0 };
        next.min(self.sweep_at_ms).min(local)
    }

    /// Brings mail to its actor, or its actor to memory.
    fn sort(&mut self, envelope: Envelope) {
        let Envelope { to, mail } = envelope;
        let now_ms = self.desk.store.now_ms();
        match self.slots.get_mut(&to) {
            Some(Slot::Active(cell)) => {
                if !cell.exists() && !mail.creates() && mail.activates() {
                    let (why, error) = (Refusal::NoSuchActor, CallError::NoSuchActor);
                    return refuse(&mut self.desk, &to, mail, &why, error);
                }
                let end = cell.take(&mut self.desk, now_ms, mail);
                self.after(&to, end);
            }
            Some(Slot::Coming(waiting) | Slot::Going(waiting)) => {
                if let Mail::Detach(gone) = mail {
                    // Always heard: a socket that is gone must not be attached.
                    waiting.retain(|mail| !mail.attaches(gone));
                } else if waiting.len() < WAITING_MAX {
                    waiting.push(mail);
                } else {
                    refuse(&mut self.desk, &to, mail, &Refusal::Busy, CallError::Busy);
                }
            }
            Some(Slot::Quarantined) => {
                let (why, error) = (Refusal::Quarantined, CallError::Quarantined);
                refuse(&mut self.desk, &to, mail, &why, error);
            }
            None if mail.activates() => self.activate(to, vec![mail]),
            None => refuse(&mut self.desk, &to, mail, &Refusal::Busy, CallError::Busy),
        }
    }

    /// Starts to bring an actor up, if there is room.
    fn activate(&mut self, id: ActorId, waiting: Vec<Mail>) {
        let Some(kind) = self.config.kinds.of(&id).cloned() else {
            return self.refuse_all(&id, waiting, &Refusal::NoSuchActor, &CallError::NoSuchActor);
        };
        if self.full() {
            self.evict();
        }
        if self.draining || self.full() {
            self.desk.stats.refused_at_cap.add(1);
            return self.refuse_all(&id, waiting, &Refusal::Busy, &CallError::Busy);
        }
        let creates = waiting.iter().any(Mail::creates);
        let (store, session) = (Arc::clone(&self.desk.store), self.config.session);
        let actor = id.clone();
        let job = async move {
            let up = bring_up(store, kind, actor.clone(), session, creates).await;
            Done::Up(actor, up)
        };
        self.desk.jobs.push(job.boxed());
        self.slots.insert(id, Slot::Coming(waiting));
    }

    fn refuse_all(&mut self, id: &ActorId, mail: Vec<Mail>, why: &Refusal, error: &CallError) {
        for mail in mail {
            refuse(&mut self.desk, id, mail, why, error.clone());
        }
    }

    /// A job has finished.
    fn done(&mut self, done: Done) {
        let now_ms = self.desk.store.now_ms();
        match done {
            Done::Up(id, up) => self.up(id, up),
            Done::Appended(results) => {
                for (id, epoch, result) in results {
                    if let Err(store::Error::Poisoned(why)) = &result {
                        error!(actor = %id, epoch, "{why}");
                        return self.fatal.cancel();
                    }
                    self.with(&id, epoch, |cell, desk| cell.appended(desk, now_ms, result));
                }
            }
            Done::Tip(id, epoch, Ok(tip)) => {
                let tip = tip.map(|tip| (tip.epoch, tip.seq, tip.append_id));
                self.with(&id, epoch, |cell, desk| cell.handle(desk, now_ms, Input::Tip(tip)));
            }
            Done::Tip(id, epoch, Err(error)) => self.tip_failed(&id, epoch, &error),
            Done::Verified(id, payload, reply, tip) => self.verified(&id, payload, reply, tip),
            Done::Snapshot(id, epoch, result) => {
                if let Err(error) = &result {
                    warn!(actor = %id, epoch, %error, "a snapshot was not stored");
                }
                let input = Input::SnapshotDone(result.is_ok());
                self.with(&id, epoch, |cell, desk| cell.handle(desk, now_ms, input));
            }
            Done::Released(id) => {
                if let Some(Slot::Going(waiting)) = self.slots.remove(&id) {
                    self.going -= 1;
                    self.redeliver(&id, waiting);
                }
            }
        }
    }

    /// Does something with the activation of that epoch, if it is still there.
    fn with(
        &mut self,
        id: &ActorId,
        epoch: u64,
        act: impl FnOnce(&mut Cell, &mut Desk) -> Option<End>,
    ) {
        let Some(Slot::Active(cell)) = self.slots.get_mut(id) else { return };
        if cell.core.epoch() == epoch {
            let end = act(cell, &mut self.desk);
            self.after(id, end);
        }
    }

    /// The tip can't be read: the doubt stays, and the tip is read again.
    fn tip_failed(&mut self, id: &ActorId, epoch: u64, error: &store::Error) {
        if let store::Error::Poisoned(why) = error {
            error!(actor = %id, epoch, "{why}");
            return self.fatal.cancel();
        }
        self.desk.read_tip(id.clone(), epoch, AGAIN_MS);
    }

    /// The tip was read for a linearizable query.
    fn verified(
        &mut self,
        id: &ActorId,
        payload: Bytes,
        reply: CallReply,
        tip: Result<Option<store::Tip>, store::Error>,
    ) {
        self.desk.verifying -= 1;
        let tip = match tip {
            Ok(tip) => tip,
            Err(error) => {
                warn!(actor = %id, %error, "the tip could not be read for a query");
                return mail::answer(reply, CallError::Busy);
            }
        };
        let Some(Slot::Active(cell)) = self.slots.get_mut(id) else {
            return mail::answer(reply, CallError::Busy);
        };
        let now_ms = self.desk.store.now_ms();
        let end = cell.verified(&mut self.desk, now_ms, payload, reply, tip);
        self.after(id, end);
    }

    fn up(&mut self, id: ActorId, up: Result<Box<BroughtUp>, Trouble>) {
        let Some(Slot::Coming(waiting)) = self.slots.remove(&id) else { return };
        match up {
            Ok(up) => self.begin(id, *up, waiting),
            Err(Trouble::Absent) if waiting.iter().any(Mail::creates) => {
                // Someone who creates it came while it was looked for.
                self.activate(id, waiting);
            }
            Err(Trouble::Absent) => {
                self.refuse_all(&id, waiting, &Refusal::NoSuchActor, &CallError::NoSuchActor);
            }
            Err(Trouble::Busy(why)) => {
                warn!(actor = %id, why, "an actor could not be brought up");
                self.refuse_all(&id, waiting, &Refusal::Busy, &CallError::Busy);
            }
            Err(Trouble::Unreadable(why)) => {
                self.quarantine(&id, &why);
                self.redeliver(&id, waiting);
            }
            Err(Trouble::Fatal(why)) => {
                error!(actor = %id, "{why}");
                self.fatal.cancel();
            }
        }
    }

    fn begin(&mut self, id: ActorId, up: BroughtUp, waiting: Vec<Mail>) {
        debug!(actor = %id, epoch = up.epoch, seq = up.seq, "activate");
        let now_ms = self.desk.store.now_ms();
        let core = Core::new(Start {
            id: id.clone(),
            epoch: up.epoch,
            seq: up.seq,
            durable: up.durable,
            since_snapshot: up.since_snapshot,
            limits: Arc::clone(&self.config.limits),
            seed: rand::random(),
        });
        self.desk.stats.activations.add(1);
        self.desk.stats.activated.add(1);
        self.slots.insert(id.clone(), Slot::Active(Box::new(Cell::new(core, now_ms))));
        self.redeliver(&id, waiting);
        self.with(&id, up.epoch, |cell, desk| cell.handle(desk, now_ms, Input::Tick));
    }

    fn redeliver(&mut self, id: &ActorId, mail: Vec<Mail>) {
        for mail in mail {
            self.sort(Envelope { to: id.clone(), mail });
        }
    }

    /// Books the next wake-up, or ends the activation.
    fn after(&mut self, id: &ActorId, end: Option<End>) {
        match end {
            None => self.book(id),
            Some(End::Fenced) => {
                warn!(actor = %id, "fenced: another activation writes");
                self.drop_cell(id, Closing::Lost);
            }
            Some(End::Quarantined(why)) => {
                self.drop_cell(id, Closing::Lost);
                self.quarantine(id, &why);
            }
        }
    }

    fn book(&mut self, id: &ActorId) {
        let Some(Slot::Active(cell)) = self.slots.get_mut(id) else { return };
        let wake = cell.core.wake_at_ms();
        if wake != cell.wake_at_ms {
            if let Some(before) = std::mem::replace(&mut cell.wake_at_ms, wake) {
                self.wakes.remove(&(before, id.clone()));
            }
            if let Some(wake) = wake {
                self.wakes.insert((wake, id.clone()));
            }
        }
    }

    fn drop_cell(&mut self, id: &ActorId, closing: Closing) {
        if let Some(Slot::Active(cell)) = self.slots.remove(id) {
            if let Some(wake) = cell.wake_at_ms {
                self.wakes.remove(&(wake, id.clone()));
            }
            self.desk.stats.activations.sub(1);
            cell.close(&mut self.desk, closing);
        }
    }

    fn quarantine(&mut self, id: &ActorId, why: &str) {
        error!(actor = %id, why, "quarantined: not served until an operator has looked");
        self.desk.stats.quarantined.add(1);
        self.slots.insert(id.clone(), Slot::Quarantined);
    }

    /// Wakes those whose time has come, and now and then lets the idle go.
    fn wake(&mut self) {
        let now_ms = self.desk.store.now_ms();
        for _ in 0..ROUND_MAX {
            let Some((at, id)) = self.wakes.first().cloned() else { break };
            if at > now_ms {
                break;
            }
            self.wakes.pop_first();
            let Some(Slot::Active(cell)) = self.slots.get_mut(&id) else { continue };
            cell.wake_at_ms = None;
            let end = cell.handle(&mut self.desk, now_ms, Input::Tick);
            self.after(&id, end);
        }
        if now_ms >= self.sweep_at_ms {
            self.sweep_at_ms = now_ms + SWEEP_MS;
            self.sweep(now_ms);
            self.slim(now_ms);
        }
    }

    /// Activations stay as long as their players do, and most of them have nothing to do.
    fn slim(&mut self, now_ms: u64) {
        for slot in self.slots.values_mut() {
            match slot {
                Slot::Active(cell) if cell.used_ms + SWEEP_MS <= now_ms => cell.slim(),
                _ => {}
            }
        }
    }
}
