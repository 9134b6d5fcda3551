//! Who leaves memory: the idle, the idlest when the cap is reached, and everyone at a drain.

use futures::FutureExt;
use holdfast_protocol::ids::ActorId;
use tracing::{debug, info, warn};

use super::{Going, Slot, Worker};
use crate::actor::cell::Cell;
use crate::actor::desk::Done;
use crate::actor::envelope::Closing;

/// A timer this near keeps its actor in memory.
const SOON_MS: u64 = 5_000;
/// Activations ended at a time for want of room; at most this part of all.
const EVICT_MAX: usize = 32;
const EVICT_PART: usize = 8;
/// When no one could go, how long until someone is looked for again.
const EVICT_AGAIN_MS: u64 = 100;

impl Worker {
    /// Whether no further actor may come to memory. Those that are going hold no state.
    pub(super) fn full(&self) -> bool {
        self.slots.len().saturating_sub(self.going) >= self.config.activations_max
    }

    /// Makes room: of those that can go, the idlest do.
    pub(super) fn evict(&mut self) {
        let now_ms = self.desk.store.now_ms();
        if now_ms < self.evict_at_ms {
            return;
        }
        let may =
            |cell: &Cell| cell.core.can_passivate(now_ms, SOON_MS) && self.is_stable(cell, now_ms);
        let ripe = self.slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Active(cell) if may(cell) => Some((cell.used_ms, id)),
            _ => None,
        });
        let mut ripe: Vec<_> = ripe.collect();
        let most = EVICT_MAX.min(self.config.activations_max.div_ceil(EVICT_PART)).max(1);
        if ripe.len() > most {
            ripe.select_nth_unstable(most);
            ripe.truncate(most);
        }
        let idlest: Vec<_> = ripe.into_iter().map(|(_, id)| id.clone()).collect();
        if idlest.is_empty() {
            self.evict_at_ms = now_ms + EVICT_AGAIN_MS;
        }
        for id in idlest {
            self.release(&id, Closing::HandedOver, Going::default());
        }
    }

    /// Lets those go that had no mail for long.
    pub(super) fn sweep(&mut self, now_ms: u64) {
        let idle_ms = self.config.idle_ms;
        let may = |cell: &Cell| {
            cell.used_ms.saturating_add(idle_ms) <= now_ms
                && cell.core.can_passivate(now_ms, SOON_MS)
                && self.is_stable(cell, now_ms)
        };
        self.release_all(self.those(may));
    }

    fn those(&self, may: impl Fn(&Cell) -> bool) -> Vec<ActorId> {
        let ripe = self.slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Active(cell) if may(cell) => Some(id.clone()),
            _ => None,
        });
        ripe.collect()
    }

    fn release_all(&mut self, ids: Vec<ActorId>) {
        for id in ids {
            self.release(&id, Closing::HandedOver, Going::default());
        }
    }

    /// Gives an actor up, with its earliest obligation. What it knew lingers: at least until the
    /// store has answered.
    pub(super) fn release(&mut self, id: &ActorId, closing: Closing, going: Going) {
        let Some(Slot::Active(cell)) = self.slots.get(id) else { return };
        let (epoch, due_ms) = (cell.core.epoch(), cell.core.due_at_ms());
        debug!(actor = %id, epoch, seq = cell.core.seq(), due_ms, "passivate");
        let born = cell.born;
        let released = self.desk.store.release(id, epoch, due_ms);
        if let Some(cell) = self.drop_cell(id, closing) {
            self.linger(cell, true);
        }
        let actor = id.clone();
        let job = async move {
            // What is due of it is found again by the walk over the index.
            let released = released.await;
            if let Err(error) = &released {
                warn!(%actor, epoch, %error, "an actor could not be released");
            }
            Done::Released(actor, born, released.is_ok())
        };
        self.desk.jobs.push(job.boxed());
        self.slots.insert(id.clone(), Slot::Going(Going { born, ..going }));
        self.going += 1;
    }

    /// Takes nothing new from now on: not from outside, and no timers or tells. What actors owe
    /// stays in their journals.
    pub(super) fn begin_drain(&mut self) {
        info!(worker = self.desk.index, activations = self.slots.len(), "drain");
        self.draining = true;
        self.inbox.close();
    }

    /// Gives every actor up once nothing is in flight. Returns whether that is done, and nobody
    /// lingers.
    pub(super) fn drained(&mut self) -> bool {
        let busy = |slot: &Slot| matches!(slot, Slot::Active(cell) if !cell.core.is_idle());
        if !self.desk.jobs.is_empty() || !self.inbox.is_empty() || self.slots.values().any(busy) {
            return false;
        }
        self.release_all(self.those(|_| true));
        self.desk.jobs.is_empty() && self.lingering.is_empty()
    }
}
