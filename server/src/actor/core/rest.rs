//! When an activation wants to be woken, and when it may end.

use std::collections::BTreeSet;

use super::Core;
use super::Output;
use super::hold::Hold;
use crate::actor::envelope::{Closing, Delivery};
use crate::actor::ledger::clear_empty;

impl Core {
    /// When [`super::Input::Tick`] is wanted next.
    #[must_use]
    pub fn wake_at_ms(&self) -> Option<u64> {
        match self.hold {
            Hold::Free => {}
            Hold::Quiet => return Some(self.quiet_until_ms),
            _ => return None,
        }
        let waiters = self.waiters.values().filter(|w| !w.told).map(|w| w.deadline_ms).min();
        if self.flight.is_some() {
            return waiters;
        }
        let ledger = &self.durable.ledger;
        let timers = ledger.timers.values().min().copied();
        let sends = self.sent.values().filter(|s| !s.received).map(|s| s.again_at_ms).min();
        let retries = ledger.activities.iter().filter(|(id, _)| !self.running.contains(id));
        let retries = retries.map(|(_, a)| a.not_before_ms).min();
        let sweep = (!ledger.heard.is_empty()).then_some(self.sweep_at_ms);
        let offer = self.offer_at_ms();
        let (ride, end) = (self.ride_by_ms, self.end_at_ms());
        let candidates = [waiters, timers, sends, retries, sweep, ride, offer, end];
        candidates.into_iter().flatten().min()
    }

    /// Whether nothing in memory would be missed. The earliest obligation is then the store's
    /// to remember: [`Core::due_at_ms`].
    #[must_use]
    pub fn can_passivate(&self, now_ms: u64, soon_ms: u64) -> bool {
        let ledger = &self.durable.ledger;
        let free = self.hold == Hold::Free && self.flight.is_none();
        let idle = free && self.mailbox.is_empty() && self.waiting.is_empty();
        let owed = !ledger.outbox.is_empty()
            || !ledger.activities.is_empty()
            || !ledger.heard.is_empty()
            || self.is_over()
            || ledger.connected
            || self.connection.is_some();
        let soon = ledger.timers.values().any(|at| *at <= now_ms + soon_ms);
        let volatile = !self.waiters.is_empty() || !self.riders.is_empty();
        idle && !owed && !soon && !volatile && !self.snapshot_in_flight && self.out.is_empty()
    }

    /// Whether nothing is in flight, queued, or half told.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let free = self.hold == Hold::Free && self.flight.is_none();
        free && self.mailbox.is_empty() && self.out.is_empty()
    }

    /// Gives back room that queues and maps keep from busier times. Changes nothing else.
    pub fn slim(&mut self) {
        self.mailbox.shrink_to_fit();
        self.waiting.shrink_to_fit();
        self.lazy.shrink_to_fit();
        self.riders.shrink_to_fit();
        self.settled.shrink_to_fit();
        self.out.shrink_to_fit();
        self.lineage.shrink_to_fit();
        self.withheld.shrink_to_fit();
        clear_empty(&mut self.waiters);
        clear_empty(&mut self.sent);
        if self.running.is_empty() {
            self.running = BTreeSet::new();
        }
        if self.turned_away.is_empty() {
            self.turned_away = BTreeSet::new();
        }
        self.durable.ledger.slim();
    }

    /// Whether there is, or is about to be, a record.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.acked > 0 || self.flight.is_some() || !self.mailbox.is_empty()
    }

    /// The earliest time at which this actor must be in memory again.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        self.durable.due_ms()
    }

    /// Gives the socket up: the activation ends while the player is connected.
    pub fn let_go(&mut self, closing: Closing) {
        if let Some(connection) = self.connection.take() {
            self.out.push_back(Output::Deliver(connection, Delivery::Close(closing)));
        }
        if self.view.take().is_some() {
            self.out.push_back(Output::View(self.acked, None));
        }
        self.offer_last();
    }
}
