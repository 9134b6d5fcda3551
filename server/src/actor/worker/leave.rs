//! Handing an actor over to the node that its player has come to.
//!
//! The activation takes nothing new, finishes what is in flight, and is released; then the other
//! node is told. It is given 40 ms: after that the other one claims the actor unasked, which is
//! safe (I1), and what was in flight is fenced or was in time.

use holdfast_protocol::ids::ActorId;

use super::{Going, Slot, Worker};
use crate::actor::bring_up::HAND_OVER_MS;
use crate::actor::cell::Leaving;
use crate::actor::envelope::Closing;
use crate::actor::fleet::Post;
use crate::store::NodeSession;

impl Worker {
    /// Another node wants an actor.
    pub(super) fn hand_over(&mut self, id: &ActorId, node: NodeSession) {
        if self.desk.frozen {
            return;
        }
        let until_ms = self.desk.store.now_ms() + HAND_OVER_MS;
        match self.slots.get_mut(id) {
            Some(Slot::Active(cell)) => {
                let waiting = cell.leaving.take().map(|leaving| leaving.waiting);
                let waiting = waiting.unwrap_or_default();
                cell.leaving = Some(Box::new(Leaving { node, until_ms, waiting }));
                if !self.leaving.contains(id) {
                    self.leaving.push(id.clone());
                }
            }
            Some(Slot::Going(going)) => going.to = Some(node),
            // The store says who of two claimers has it.
            Some(Slot::Coming(_) | Slot::Quarantined) | None => self.tell_handed_over(id, node),
        }
    }

    fn tell_handed_over(&self, id: &ActorId, node: NodeSession) {
        if let Some(fleet) = &self.desk.fleet {
            // Unheard, the other node waits its time and takes the actor.
            let _ = fleet.post(node, Post::HandedOver { actor: id.clone() });
        }
    }

    /// An actor was released for another node.
    pub(super) fn handed_over(&mut self, id: &ActorId, node: NodeSession) {
        self.desk.stats.handed_over.add(1);
        self.learn(id, node);
        self.tell_handed_over(id, node);
    }

    /// Releases those that have finished, and keeps those that could not in time.
    pub(super) fn let_leave(&mut self) {
        if self.leaving.is_empty() || self.desk.frozen {
            return;
        }
        let now_ms = self.desk.store.now_ms();
        for id in std::mem::take(&mut self.leaving) {
            let Some(Slot::Active(cell)) = self.slots.get_mut(&id) else { continue };
            let late = cell.leaving.as_ref().is_some_and(|leaving| leaving.until_ms <= now_ms);
            if cell.core.is_idle() {
                let Some(leaving) = cell.leaving.take() else { continue };
                let Leaving { node, waiting, .. } = *leaving;
                let going = Going { waiting, to: Some(node), ..Going::default() };
                self.release(&id, Closing::Replaced, going);
            } else if late {
                let waiting = cell.leaving.take().map(|leaving| leaving.waiting);
                self.redeliver(waiting.unwrap_or_default());
            } else {
                self.leaving.push(id);
            }
        }
    }

    /// When the next one is late.
    pub(super) fn leave_by_ms(&self) -> u64 {
        let until = |id: &ActorId| match self.slots.get(id) {
            Some(Slot::Active(cell)) => cell.leaving.as_ref().map(|leaving| leaving.until_ms),
            _ => None,
        };
        self.leaving.iter().filter_map(until).min().unwrap_or(u64::MAX)
    }
}
