//! A worker: the one task that owns many activations.
//!
//! Each actor belongs to one worker, by the hash of its id. A round takes whatever mail waits,
//! hands it to the cores, and sends all records that came of it to the store as one group. So a
//! node under load writes large groups and a lone player is served at once, with no timer in
//! between.
//!
//! A round begins with a look at the node's lease: without one the worker is frozen. It takes
//! mail, which waits in the cores and their bounds, and nothing else.
//!
//! | an actor | here | leaves to |
//! |---|---|---|
//! | unknown | mail asks the store for it | coming |
//! | coming | claim and load are under way; mail waits | active, away, unknown, quarantined |
//! | active | in memory, see `cell` | leaving, going, unknown (also when it has ended), quarantined |
//! | leaving | another node wants it; it finishes what is in flight, 40 ms at most | going, active |
//! | going | given up; mail waits for the store to know | unknown, away, coming |
//! | away | another node has it; mail is sent there, see `away` | coming, unknown |
//! | quarantined | never served until an operator has looked | |
//!
//! Beside these, memory of activations that have ended is kept for a while, see `linger`.

mod away;
mod done;
mod hold;
mod idle;
mod leave;
mod linger;
mod rise;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt, StreamExt};
use holdfast_protocol::ids::ActorId;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use self::away::Away;
use self::hold::{Change, Watches};
use self::linger::Lingering;
use super::cell::{Cell, End};
use super::core::{Input, Limits};
use super::desk::{Born, Desk};
use super::envelope::{CallError, Closing, Refusal};
use super::kind::Kinds;
use super::mail::{Envelope, Mail};
use crate::clock::Clock;
use crate::store::NodeSession;

/// Mail taken in one round before the records go out.
const ROUND_MAX: usize = 512;
/// Mail that waits for one actor.
const WAITING_MAX: usize = 256;
/// How often idle activations are looked for.
const SWEEP_MS: u64 = 1_000;
/// How long a worker that can do nothing rests.
const AGAIN_MS: u64 = 100;

/// What a worker is told at start.
pub(super) struct Config {
    pub kinds: Kinds,
    pub limits: Arc<Limits>,
    /// Activations that this worker holds at most.
    pub activations_max: usize,
    /// Idle time after which an activation ends.
    pub idle_ms: u64,
    /// How long a node's lease runs; how long a route to another node is remembered.
    pub ttl_ms: u64,
    /// I7: routes to other nodes, and forwarded calls and queries that wait for answers.
    pub away_len_max: usize,
}

/// Where an actor stands in this worker.
enum Slot {
    /// Claim and load are under way; mail waits.
    Coming(Coming),
    /// In memory.
    Active(Box<Cell>),
    /// Being given up; mail waits for the next activation.
    Going(Going),
    /// Never served until an operator has looked.
    Quarantined,
}

/// An actor on its way to memory.
#[derive(Default)]
struct Coming {
    waiting: Vec<Envelope>,
    /// Told when the owner that was asked has handed over.
    handed: Arc<Notify>,
    /// Every socket that it was brought up for is gone: no living node loses it for them.
    given_up: Arc<AtomicBool>,
    /// No claim is under way: the node is frozen.
    parked: bool,
}

/// An actor on its way out of memory.
#[derive(Default)]
struct Going {
    /// The activation that gives it up.
    born: Born,
    waiting: Vec<Envelope>,
    /// Who asked for it.
    to: Option<NodeSession>,
}

/// See the module.
pub(super) struct Worker {
    config: Config,
    clock: Clock,
    slots: HashMap<ActorId, Slot>,
    wakes: BTreeSet<(u64, ActorId)>,
    away: Away,
    /// Activations that finish what is in flight for another node.
    leaving: Vec<ActorId>,
    lingering: Lingering,
    watches: Watches,
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
        shutdown: CancellationToken,
        fatal: CancellationToken,
    ) -> Self {
        Self {
            sweep_at_ms: desk.store.now_ms() + SWEEP_MS,
            config,
            clock,
            slots: HashMap::new(),
            wakes: BTreeSet::new(),
            away: Away::default(),
            leaving: Vec::new(),
            lingering: Lingering::default(),
            watches: Watches::new(&desk, shutdown, fatal.clone()),
            desk,
            inbox,
            fatal,
            evict_at_ms: 0,
            going: 0,
            draining: false,
            cut_off: false,
        }
    }

    /// Serves until the node stops, then finishes what is in flight and gives every actor up.
    pub async fn run(mut self) {
        // A worker that panics takes its actors with it: the node must not go on half alive.
        let guard = self.fatal.clone().drop_guard();
        self.serve().await;
        guard.disarm();
    }

    async fn serve(&mut self) {
        let mut mail = Vec::with_capacity(ROUND_MAX);
        let clock = self.clock.clone();
        let mut alarm = 0;
        let timer = clock.sleep_ms(0);
        tokio::pin!(timer);
        loop {
            let wake_at = self.wake_at_ms();
            if wake_at != alarm {
                alarm = wake_at;
                timer.set(clock.sleep_ms(wake_at.saturating_sub(self.desk.store.now_ms())));
            }
            let mut done = None;
            tokio::select! {
                biased;
                change = self.watches.next() => match change {
                    Change::Fatal => return,
                    Change::Shutdown => self.begin_drain(),
                    Change::Lease | Change::Departed | Change::Rewritten => {}
                },
                Some(first) = self.desk.jobs.next(), if !self.desk.jobs.is_empty() => {
                    done = Some(first);
                }
                got = self.inbox.recv_many(&mut mail, ROUND_MAX), if !self.cut_off => {
                    self.cut_off = got == 0;
                }
                () = timer.as_mut() => alarm = 0,
            }
            if !self.desk.jobs.is_empty() {
                // Whoever is ready to speak goes first, so that groups grow with load. A lone
                // player's command finds nothing under way and is not held up.
                tokio::task::yield_now().await;
            }
            self.look();
            if let Some(done) = done {
                self.done(done);
            }
            self.round(&mut mail);
            if self.draining && self.drained() {
                return;
            }
        }
    }

    /// Does all that can be done now, then sends the records that came of it.
    fn round(&mut self, mail: &mut Vec<Envelope>) {
        self.more_jobs();
        self.more_mail(mail);
        for envelope in mail.drain(..) {
            self.sort(envelope);
        }
        if !self.draining {
            self.local();
        }
        if !self.desk.frozen {
            self.wake();
        }
        if !self.draining {
            self.local();
        }
        self.let_leave();
        self.start_checks();
        self.desk.flush();
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

    /// When there is something to do by itself, by the store's clock.
    fn wake_at_ms(&self) -> u64 {
        if self.draining || self.desk.frozen {
            return self.desk.store.now_ms() + AGAIN_MS;
        }
        let next = self.wakes.first().map_or(u64::MAX, |(at, _)| *at);
        let local = if self.desk.local.is_empty() { u64::MAX } else { 0 };
        let elsewhere = self.away.wake_at_ms().min(self.leave_by_ms());
        let elsewhere = elsewhere.min(self.lingering.wake_at_ms());
        next.min(self.sweep_at_ms).min(local).min(elsewhere)
    }

    /// Brings mail to its actor, its actor to memory, or mail to the node that has the actor.
    fn sort(&mut self, envelope: Envelope) {
        if let Mail::Routing(routing) = envelope.mail {
            return self.routing(&envelope.to, envelope.via, routing);
        }
        let Some(envelope) = self.deliver(envelope) else { return };
        match self.slots.get_mut(&envelope.to) {
            Some(Slot::Active(_)) => {}
            Some(Slot::Coming(coming)) => {
                let sockets = matches!(envelope.mail, Mail::Attach(..) | Mail::Detach(_));
                let refused = queue(&mut coming.waiting, envelope);
                if sockets {
                    let attaches = coming.waiting.iter().any(|waits| waits.mail.is_attach());
                    coming.given_up.store(!attaches, Ordering::Relaxed);
                }
                if let Some(envelope) = refused {
                    self.desk.refuse(envelope, &Refusal::Busy, CallError::Busy);
                }
            }
            Some(Slot::Going(Going { waiting, .. })) => {
                if let Some(envelope) = queue(waiting, envelope) {
                    self.desk.refuse(envelope, &Refusal::Busy, CallError::Busy);
                }
            }
            Some(Slot::Quarantined) => {
                self.desk.refuse(envelope, &Refusal::Quarantined, CallError::Quarantined);
            }
            None => self.absent(envelope),
        }
    }

    /// Hands mail to its activation; gives it back where there is none.
    fn deliver(&mut self, envelope: Envelope) -> Option<Envelope> {
        let Some(Slot::Active(cell)) = self.slots.get_mut(&envelope.to) else {
            return Some(envelope);
        };
        let now_ms = self.desk.store.now_ms();
        if let Some(leaving) = &mut cell.leaving {
            if let Some(envelope) = queue(&mut leaving.waiting, envelope) {
                self.desk.refuse(envelope, &Refusal::Busy, CallError::Busy);
            }
            return None;
        }
        if !cell.exists() && !envelope.mail.creates() && envelope.mail.activates() {
            self.desk.refuse(envelope, &Refusal::NoSuchActor, CallError::NoSuchActor);
            return None;
        }
        let Envelope { to, via, mail } = envelope;
        if let Some(node) = via.filter(|_| mail.is_asked()) {
            self.away.will_work(now_ms, &to, node);
        }
        match cell.take(&mut self.desk, now_ms, mail) {
            None => book(&mut self.wakes, &to, cell),
            end => self.after(&to, end),
        }
        None
    }

    /// Mail for an actor that this worker knows nothing of, or knows to be elsewhere.
    fn absent(&mut self, envelope: Envelope) {
        let Some(envelope) = self.send_on(envelope) else { return };
        if envelope.mail.activates() {
            self.activate(envelope.to.clone(), vec![envelope]);
        } else {
            self.desk.refuse(envelope, &Refusal::Busy, CallError::Busy);
        }
    }

    fn refuse_all(&mut self, mail: Vec<Envelope>, why: &Refusal, error: &CallError) {
        for envelope in mail {
            self.desk.refuse(envelope, why, error.clone());
        }
    }

    fn redeliver(&mut self, mail: Vec<Envelope>) {
        for envelope in mail {
            self.sort(envelope);
        }
    }

    /// Does something with that activation, if it is still there or lingers.
    fn with(
        &mut self,
        id: &ActorId,
        born: Born,
        act: impl FnOnce(&mut Cell, &mut Desk) -> Option<End>,
    ) {
        match self.slots.get_mut(id) {
            Some(Slot::Active(cell)) if cell.born == born => match act(cell, &mut self.desk) {
                None => book(&mut self.wakes, id, cell),
                end => self.after(id, end),
            },
            _ => self.stir(id, born, act),
        }
    }

    /// Books the next wake-up, or ends the activation.
    fn after(&mut self, id: &ActorId, end: Option<End>) {
        match end {
            None => self.book(id),
            Some(End::Fenced(lost)) => {
                warn!(actor = %id, "fenced: another activation writes");
                self.desk.stats.fenced.add(1);
                let cell = self.drop_cell(id, Closing::Lost);
                match (lost, cell) {
                    (Some(lost), _) => self.keep_aside(id, *lost),
                    (None, Some(cell)) if !self.is_stable(&cell, self.desk.store.now_ms()) => {
                        self.linger(cell, false);
                    }
                    _ => {}
                }
            }
            Some(End::Erased) => {
                debug!(actor = %id, "erased: it has come to its end");
                self.desk.stats.erased.add(1);
                self.drop_cell(id, Closing::Lost);
            }
            Some(End::Halted(why)) => {
                error!(actor = %id, why, "halted: the partition was wiped; an operator has to look");
                self.desk.stats.halted.add(1);
                self.desk.stats.alarms.add(1);
                self.drop_cell(id, Closing::Lost);
                self.slots.insert(id.clone(), Slot::Quarantined);
            }
            Some(End::Quarantined(why)) => {
                self.drop_cell(id, Closing::Lost);
                self.quarantine(id, &why);
            }
        }
    }

    fn book(&mut self, id: &ActorId) {
        if let Some(Slot::Active(cell)) = self.slots.get_mut(id) {
            book(&mut self.wakes, id, cell);
        }
    }

    /// Ends an activation; what waited for it to leave is sorted again. Returns what it knew.
    fn drop_cell(&mut self, id: &ActorId, closing: Closing) -> Option<Box<Cell>> {
        let Some(Slot::Active(mut cell)) = self.slots.remove(id) else { return None };
        if let Some(wake) = cell.wake_at_ms.take() {
            self.wakes.remove(&(wake, id.clone()));
        }
        self.desk.stats.activations.sub(1);
        let waiting = cell.leaving.take().map(|leaving| leaving.waiting);
        cell.close(&mut self.desk, closing);
        self.desk.local.extend(waiting.into_iter().flatten());
        Some(cell)
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
            // A drain finishes what is in flight, and leaves timers to the next activation.
            if self.draining && cell.core.is_idle() {
                continue;
            }
            let end = cell.handle(&mut self.desk, now_ms, Input::Tick);
            self.after(&id, end);
        }
        self.wake_lingering(now_ms);
        if self.draining {
            return;
        }
        self.wake_away(now_ms);
        if now_ms >= self.sweep_at_ms {
            self.sweep_at_ms = now_ms + SWEEP_MS;
            self.sweep(now_ms);
            self.slim(now_ms);
            self.doubt_the_quiet(now_ms);
            self.sweep_away(now_ms);
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

/// Books an activation's next wake-up. One that is booked for an earlier time stays: a wake-up too
/// many does no harm, and most wishes change with every record.
fn book(wakes: &mut BTreeSet<(u64, ActorId)>, id: &ActorId, cell: &mut Cell) {
    let Some(wake) = cell.core.wake_at_ms() else { return };
    if cell.wake_at_ms.is_some_and(|booked| booked <= wake) {
        return;
    }
    if let Some(before) = cell.wake_at_ms.replace(wake) {
        wakes.remove(&(before, id.clone()));
    }
    wakes.insert((wake, id.clone()));
}

/// Mail that waits; what finds no room comes back (I7).
fn queue(waiting: &mut Vec<Envelope>, envelope: Envelope) -> Option<Envelope> {
    if let Mail::Detach(gone) = envelope.mail {
        // Always heard: a socket that is gone must not be attached.
        waiting.retain(|waits| !waits.mail.attaches(gone));
        None
    } else if waiting.len() < WAITING_MAX {
        waiting.push(envelope);
        None
    } else {
        Some(envelope)
    }
}
