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
    /// Mail refused because the node holds as many actors as it may.
    pub refused_at_cap: Count,
    /// Things for an operator's eyes; each is also logged.
    pub alarms: Count,
}
