//! From unknown to active: who is brought up, and what becomes of mail that waited.

use std::sync::Arc;

use futures::FutureExt;
use holdfast_protocol::ids::ActorId;
use tracing::{debug, error, warn};

use super::{Coming, Slot, Worker};
use crate::actor::bring_up::{BroughtUp, Claimer, Reason, Take, Trouble, bring_up};
use crate::actor::cell::Cell;
use crate::actor::core::{Core, Input, Start};
use crate::actor::desk::Done;
use crate::actor::envelope::{CallError, Refusal};
use crate::actor::fleet::FleetHandle;
use crate::actor::mail::{Envelope, Mail};

impl Worker {
    /// Starts to bring an actor up, if there is room. A socket takes it from whoever has it.
    pub(super) fn activate(&mut self, id: ActorId, waiting: Vec<Envelope>) {
        let attach = waiting.iter().any(|envelope| envelope.mail.is_attach());
        let take = if attach { Take::HandOver } else { Take::Free };
        self.activate_from(id, waiting, take);
    }

    pub(super) fn activate_from(&mut self, id: ActorId, waiting: Vec<Envelope>, take: Take) {
        if self.slots.contains_key(&id) {
            return self.redeliver(waiting);
        }
        if self.config.kinds.of(&id).is_none() {
            return self.refuse_all(waiting, &Refusal::NoSuchActor, &CallError::NoSuchActor);
        }
        if self.full() && !self.desk.frozen {
            self.evict();
        }
        if self.draining || self.full() {
            self.desk.stats.refused_at_cap.add(1);
            return self.refuse_all(waiting, &Refusal::Busy, &CallError::Busy);
        }
        let coming = Coming { waiting, parked: self.desk.frozen, ..Coming::default() };
        if !coming.parked {
            self.claim(id.clone(), &coming, take);
        }
        self.slots.insert(id, Slot::Coming(coming));
    }

    fn claim(&mut self, id: ActorId, coming: &Coming, take: Take) {
        let Some(kind) = self.config.kinds.of(&id).cloned() else { return };
        let claimer = Claimer {
            store: Arc::clone(&self.desk.store),
            fleet: self.desk.fleet.clone(),
            clock: self.clock.clone(),
            session: self.desk.session,
            creates: coming.waiting.iter().any(|envelope| envelope.mail.creates()),
            take,
            stats: Arc::clone(&self.desk.stats),
            handed: Arc::clone(&coming.handed),
            given_up: Arc::clone(&coming.given_up),
        };
        let job = async move {
            let up = bring_up(claimer, kind, id.clone()).await;
            Done::Up(id, up)
        };
        self.desk.jobs.push(job.boxed());
    }

    pub(super) fn up(&mut self, id: ActorId, up: Result<Box<BroughtUp>, Trouble>) {
        let Some(Slot::Coming(Coming { waiting, .. })) = self.slots.remove(&id) else { return };
        match up {
            Ok(up) => self.begin(id, *up, waiting),
            Err(Trouble::Absent) if waiting.iter().any(|envelope| envelope.mail.creates()) => {
                // Someone who creates it came while it was looked for.
                self.activate(id, waiting);
            }
            Err(Trouble::Absent) => {
                self.refuse_all(waiting, &Refusal::NoSuchActor, &CallError::NoSuchActor);
            }
            Err(Trouble::Away(owner)) => self.is_away(id, owner.session, waiting),
            Err(Trouble::Frozen) => {
                let coming = Coming { waiting, parked: true, ..Coming::default() };
                self.slots.insert(id, Slot::Coming(coming));
            }
            Err(Trouble::Busy(why)) => {
                warn!(actor = %id, why, "an actor could not be brought up");
                self.refuse_all(waiting, &Refusal::Busy, &CallError::Busy);
            }
            Err(Trouble::Foreign(why)) => self.foreign(&id, &why, waiting),
            Err(Trouble::Unreadable(why)) => {
                self.quarantine(&id, &why);
                self.redeliver(waiting);
            }
            Err(Trouble::Wiped(why)) => {
                error!(actor = %id, why, "halted: an operator has to look");
                self.desk.stats.halted.add(1);
                self.desk.stats.alarms.add(1);
                self.refuse_all(waiting, &Refusal::Quarantined, &CallError::Quarantined);
            }
            Err(Trouble::Fatal(why)) => {
                error!(actor = %id, "{why}");
                self.fatal.cancel();
            }
        }
    }

    /// Nodes of another version can serve it; it is neither claimed nor quarantined. Mail hears
    /// that it may try again: there, or here when this node is a newer one.
    fn foreign(&mut self, id: &ActorId, why: &str, waiting: Vec<Envelope>) {
        self.desk.stats.claims_unread.add(1);
        if self.desk.fleet.as_ref().is_none_or(FleetHandle::give_way) {
            self.desk.stats.alarms.add(1);
            error!(actor = %id, why, "not claimed: run the version here that the others have");
        } else {
            warn!(actor = %id, why, "not claimed: this version can't serve it");
        }
        let here = self.send_back(waiting);
        self.refuse_all(here, &Refusal::Busy, &CallError::Busy);
    }

    /// Claims those that came while the node was frozen.
    pub(super) fn unpark(&mut self) {
        let parked = |slot: &Slot| matches!(slot, Slot::Coming(coming) if coming.parked);
        let ids = self.slots.iter().filter(|(_, slot)| parked(slot)).map(|(id, _)| id.clone());
        for id in ids.collect::<Vec<_>>() {
            if let Some(Slot::Coming(coming)) = self.slots.remove(&id) {
                self.activate(id, coming.waiting);
            }
        }
    }

    fn begin(&mut self, id: ActorId, up: BroughtUp, waiting: Vec<Envelope>) {
        debug!(actor = %id, epoch = up.epoch, seq = up.seq, reason = ?up.reason, "activate");
        let now_ms = self.desk.store.now_ms();
        self.count(up.reason);
        let (born, history, session) = (up.epoch, up.history, up.session);
        let core = Core::new(Start {
            id: id.clone(),
            epoch: up.epoch,
            seq: up.seq,
            history: up.history,
            terms: up.terms,
            durable: up.durable,
            since_snapshot: up.since_snapshot,
            limits: Arc::clone(&self.config.limits),
            seed: rand::random(),
        });
        let cell = Cell::new(core, history, now_ms, up.activated);
        self.slots.insert(id.clone(), Slot::Active(Box::new(cell)));
        let outdated = session != self.desk.session;
        if self.desk.frozen || outdated {
            self.with(&id, born, |cell, desk| cell.handle(desk, now_ms, Input::Freeze));
        }
        if !self.desk.frozen && outdated {
            let thaw = Input::Thaw { reclaim: true };
            self.with(&id, born, |cell, desk| cell.handle(desk, now_ms, thaw));
        } else if self.desk.store.history_of(&id) != history {
            self.with(&id, born, |cell, desk| cell.handle(desk, now_ms, Input::Suspect));
        }
        self.supersede(&id, history);
        self.come_home(&id);
        self.redeliver(waiting);
        self.with(&id, born, |cell, desk| cell.handle(desk, now_ms, Input::Tick));
    }

    fn count(&self, reason: Reason) {
        let stats = &self.desk.stats;
        stats.activations.add(1);
        stats.activated.add(1);
        match reason {
            Reason::Free => &stats.claims_free,
            Reason::Own => &stats.claims_own,
            Reason::Dead => &stats.adopted,
            Reason::TakenOver => &stats.taken_over,
            Reason::Unanswered => &stats.claims_unanswered,
        }
        .add(1);
    }

    /// A living node has the actor: mail goes there, a socket brings the actor here.
    fn is_away(&mut self, id: ActorId, node: u64, waiting: Vec<Envelope>) {
        if waiting.iter().any(|envelope| envelope.mail.is_attach()) {
            return self.activate(id, waiting);
        }
        // A wake-up is for whoever has it.
        let wakes = |envelope: &Envelope| matches!(envelope.mail, Mail::Wake);
        let mail = waiting.into_iter().filter(|envelope| !wakes(envelope)).collect();
        self.found_away(&id, node, mail);
    }
}
