//! What the runtime counts. Telemetry reads it; nothing decides by it.

use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Activations dropped because their journal is gone from the store.
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
    /// Activations that were written back to the store under a new term.
    pub reasserted: Count,
    /// Fenced activations with acknowledged records that the winner lacks; each is kept aside.
    pub lost_tails: Count,
    /// Milliseconds without a lease, summed over the workers.
    pub frozen_ms: Count,
    /// Tips read of activations that had not appended for long.
    pub stale_checks: Count,
    /// Mail refused because the node holds as many actors as it may.
    pub refused_at_cap: Count,
    /// Things for an operator's eyes; each is also logged.
    pub alarms: Count,
}
