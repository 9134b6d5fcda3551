//! What the store answered: each answer goes to the activation that asked, if it is still there.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use tracing::{error, warn};

use super::{Going, Slot, Worker};
use crate::actor::core::{Ask, Erasure, Input};
use crate::actor::desk::{Born, Done};
use crate::actor::envelope::CallError;
use crate::actor::mail::Reply;
use crate::store::{self, Reasserted, Tip};

impl Worker {
    /// A job has finished.
    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Up(id, up) => self.up(id, up),
            Done::Appended(results) => self.appended(results),
            Done::Tip(id, born, ask, result) => self.tip(&id, born, ask, result),
            Done::Reasserted(id, born, ask, result) => self.reasserted(&id, born, ask, result),
            Done::Verified(id, payload, reply, tip) => self.verified(&id, payload, reply, tip),
            Done::Snapshot(id, born, result) => self.snapshot_done(&id, born, &result),
            Done::Erased(id, born, ask, result) => self.erased(&id, born, ask, result),
            Done::Released(id, born, heard) => self.released(id, born, heard),
            Done::Kept => {}
        }
    }

    fn appended(&mut self, results: Vec<(ActorId, Born, u64, Result<(), store::Error>)>) {
        let now_ms = self.desk.store.now_ms();
        for (id, born, append, result) in results {
            if self.is_fatal(&id, born, &result) {
                return;
            }
            self.with(&id, born, |cell, desk| cell.appended(desk, now_ms, append, result));
        }
    }

    /// Whether the store has failed for good.
    fn is_fatal<T>(&mut self, id: &ActorId, born: Born, result: &Result<T, store::Error>) -> bool {
        let Err(store::Error::Poisoned(why)) = result else { return false };
        error!(actor = %id, epoch = born, "{why}");
        self.fatal.cancel();
        true
    }

    fn tip(
        &mut self,
        id: &ActorId,
        born: Born,
        ask: Ask,
        result: Result<Option<Tip>, store::Error>,
    ) {
        self.desk.checks.ended();
        if self.is_fatal(id, born, &result) {
            return;
        }
        let now_ms = self.desk.store.now_ms();
        self.with(id, born, |cell, desk| match result {
            Ok(Some(tip)) => cell.tip(desk, now_ms, ask, Some(tip)),
            Err(store::Error::Wiped(_)) => cell.tip(desk, now_ms, ask, None),
            // A store of one node never goes back, and no one else ends its actors: what it lacks
            // was taken away.
            Ok(None) if !desk.store.is_shared() && !cell.core.is_over() => {
                cell.tip(desk, now_ms, ask, None)
            }
            Ok(None) => {
                let history = desk.store.history_of(cell.core.id());
                cell.handle(desk, now_ms, Input::Gone(ask, history))
            }
            Err(_) => {
                cell.ask_again(desk, ask);
                None
            }
        });
    }

    fn erased(&mut self, id: &ActorId, born: Born, ask: Ask, result: Result<(), store::Error>) {
        if self.is_fatal(id, born, &result) {
            return;
        }
        let now_ms = self.desk.store.now_ms();
        let erasure = match result {
            Ok(()) | Err(store::Error::Absent) => Erasure::Done,
            Err(store::Error::Stalled(_)) => Erasure::NotNow,
            Err(error) => {
                warn!(actor = %id, epoch = born, %error, "an erasure is in doubt");
                Erasure::Doubt
            }
        };
        self.with(id, born, |cell, desk| cell.handle(desk, now_ms, Input::Erased(ask, erasure)));
    }

    fn reasserted(
        &mut self,
        id: &ActorId,
        born: Born,
        ask: Ask,
        result: Result<Reasserted, store::Error>,
    ) {
        self.desk.checks.ended();
        if self.is_fatal(id, born, &result) {
            return;
        }
        let now_ms = self.desk.store.now_ms();
        self.with(id, born, |cell, desk| cell.reasserted(desk, now_ms, ask, result));
    }

    /// The tip was read for a linearizable query.
    fn verified(
        &mut self,
        id: &ActorId,
        payload: Bytes,
        reply: Reply,
        tip: Result<Option<Tip>, store::Error>,
    ) {
        self.desk.verifying -= 1;
        let tip = match tip {
            Ok(tip) => tip,
            Err(error) => {
                warn!(actor = %id, %error, "the tip could not be read for a query");
                return reply.send(Err(CallError::Busy));
            }
        };
        let Some(Slot::Active(cell)) = self.slots.get_mut(id) else {
            return reply.send(Err(CallError::Busy));
        };
        let now_ms = self.desk.store.now_ms();
        let end = cell.verified(&mut self.desk, now_ms, payload, reply, tip);
        self.after(id, end);
    }

    fn snapshot_done(&mut self, id: &ActorId, born: Born, result: &Result<(), store::Error>) {
        if let Err(error) = result {
            warn!(actor = %id, epoch = born, %error, "a snapshot was not stored");
        }
        let (now_ms, input) = (self.desk.store.now_ms(), Input::SnapshotDone(result.is_ok()));
        self.with(id, born, |cell, desk| cell.handle(desk, now_ms, input));
    }

    fn released(&mut self, id: ActorId, born: Born, heard: bool) {
        self.let_go(&(id.clone(), born), heard);
        let this = |slot: &Slot| matches!(slot, Slot::Going(going) if going.born == born);
        if !self.slots.get(&id).is_some_and(this) {
            return;
        }
        let Some(Slot::Going(Going { waiting, to, .. })) = self.slots.remove(&id) else { return };
        self.going -= 1;
        if let Some(node) = to {
            self.handed_over(&id, node);
        }
        self.redeliver(waiting);
    }
}
