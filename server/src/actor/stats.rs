//! What the runtime counts. Telemetry reads it; nothing decides by it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A number that only grows, or a gauge that its one writer sets.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes away.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Reads.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sentences that are kept.
const SAID_MAX: usize = 32;

/// What rules have found that must not have happened: how often, and the newest sentences.
#[derive(Debug, Default)]
pub struct Violations {
    /// How often.
    pub count: Count,
    newest: Mutex<VecDeque<String>>,
}

impl Violations {
    /// Adds one.
    pub fn add(&self, what: String) {
        self.count.add(1);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= SAID_MAX {
            newest.pop_front();
        }
        newest.push_back(what);
    }

    /// The newest sentences, oldest first.
    #[must_use]
    pub fn newest(&self) -> Vec<String> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.iter().cloned().collect()
    }
}

/// The runtime's counters.
#[derive(Debug, Default)]
pub struct Stats {
    /// Actors in memory now.
    pub activations: Count,
    /// Activations ever begun.
    pub activated: Count,
    /// Records sent to the store.
    pub appends: Count,
    /// Groups that they were sent in.
    pub batches: Count,
    /// Appends whose fate was not known at first.
    pub doubts: Count,
    /// Snapshots sent to the store.
    pub snapshots: Count,
    /// Tells sent, resends included.
    pub tells: Count,
    /// Attempts of activities begun.
    pub attempts: Count,
    /// Attempts that failed.
    pub attempts_failed: Count,
    /// Actors that were quarantined.
    pub quarantined: Count,
    /// Activations and claims that found their journal, or its part of the store, gone.
    pub halted: Count,
    /// Claims of actors that no one held.
    pub claims_free: Count,
    /// Claims of actors that this node held already.
    pub claims_own: Count,
    /// Actors claimed from dead nodes.
    pub adopted: Count,
    /// Actors claimed from living nodes because their player came here.
    pub taken_over: Count,
    /// Actors claimed from nodes that did not answer for them.
    pub claims_unanswered: Count,
    /// Actors given to the node that their player came to.
    pub handed_over: Count,
    /// Mail sent on to the node that has its actor.
    pub forwarded: Count,
    /// Mail of other nodes for actors that are not here.
    pub not_here: Count,
    /// Activations dropped because another one writes.
    pub fenced: Count,
    /// Actors that came to their end, and of which the store keeps nothing.
    pub erased: Count,
    /// Fenced and released activations whose memory is kept for a while now.
    pub lingering: Count,
    /// Of those, forgotten before their time for want of room.
    pub lingered_short: Count,
    /// Activations that were written back to the store under a new term.
    pub reasserted: Count,
    /// Fenced activations with acknowledged records that the winner lacks; each is kept aside.
    pub lost_tails: Count,
    /// Claims that had to wait until the holders of a new history had come first.
    pub claims_waited: Count,
    /// Claims that another node won meanwhile.
    pub claims_lost: Count,
    /// Actors not brought up because this node can't read what is stored of them.
    pub claims_unread: Count,
    /// Activations that wait for the store to say who writes.
    pub doubted: Count,
    /// Mail for which a queue between workers, or of actors elsewhere, had no room.
    pub mail_overflows: Count,
    /// Tells that were laid aside for good.
    pub dead_letters: Count,
    /// Tips read of activations that had not appended for long.
    pub stale_checks: Count,
    /// Mail refused because the node holds as many actors as it may.
    pub refused_at_cap: Count,
    /// Rows written to the attribute index.
    pub rows_written: Count,
    /// Rows that wait to be written to it now.
    pub rows_waiting: Count,
    /// Offers of rows for which there was no room; they are made again.
    pub rows_refused: Count,
    /// Batches of rows that could not be written; they are tried again.
    pub rows_failed: Count,
    /// Sessions woken because their row named a node that does not hold them, or there was none.
    pub rows_mended: Count,
    /// Things for an operator's eyes; each is also logged.
    pub alarms: Count,
    /// Those of them that the rules have found: the game's goods do not add up.
    pub violations: Violations,
}

/// What a node counts of its part among the others.
#[derive(Debug, Default)]
pub struct FleetStats {
    /// How often the lease ran out.
    pub freezes: Count,
    /// How often this node was declared dead.
    pub sessions_lost: Count,
    /// Node sessions that this node declared dead.
    pub reaped: Count,
    /// Batches of mail that were stored for other nodes.
    pub batches_sent: Count,
    /// Mail to other nodes that was not taken: frozen, the destination dead, its lane full.
    pub mail_refused: Count,
    /// Mail to other nodes that was taken and is not surely delivered.
    pub mail_returned: Count,
    /// Such mail that no one took back.
    pub mail_dropped: Count,
    /// Batches of other nodes refused for their age.
    pub batches_stale: Count,
    /// Batches, or posts of them, that could not be read.
    pub mail_unread: Count,
    /// Batches that other nodes numbered and that never came: the inbox overflowed, or the store
    /// lost them.
    pub batches_missed: Count,
}
