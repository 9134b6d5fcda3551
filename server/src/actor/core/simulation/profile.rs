//! What one world has to bear: its profile, its limits, its random numbers, and what is
//! switched off.

use crate::actor::core::{Guard, Limits};

/// How one world differs from another.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// When the faults end.
    pub faults_ms: u64,
    /// The longest way.
    pub late_ms: u64,
    /// How long one that was taken over goes on at most.
    pub stale_ms: u64,
    /// After which no copy of a settled tell is on its way any more.
    pub forget_ms: u64,
    /// Between two moves of a client.
    pub pace_ms: u64,
    /// Between two crashes or take-overs.
    pub crash_ms: u64,
    /// See [`Limits::ride_ms`].
    pub ride_ms: u64,
}

/// Much at once.
pub const DENSE: Profile = Profile {
    faults_ms: 5_000,
    late_ms: 2_500,
    stale_ms: 3_000,
    forget_ms: 12_000,
    pace_ms: 300,
    crash_ms: 400,
    ride_ms: 200,
};
/// Long enough for watermarks to be forgotten in the midst of it.
pub const LONG: Profile = Profile {
    faults_ms: 25_000,
    late_ms: 500,
    stale_ms: 600,
    forget_ms: 1_200,
    pace_ms: 1_800,
    crash_ms: 8_000,
    ride_ms: 1_000,
};

/// Letters that are slower than a resend, to one that comes into being in the midst of it.
pub const RACE: Profile = Profile {
    faults_ms: 8_000,
    late_ms: 900,
    stale_ms: 1_000,
    forget_ms: 2_500,
    pace_ms: 600,
    crash_ms: 4_000,
    ride_ms: 200,
};

/// What is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// A guard of the core.
    Core(Guard),
    /// I1 in the store.
    Fence,
    /// Who was fenced or given up remembers.
    Linger,
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// The profile of a seed.
pub fn profile(seed: u64) -> Profile {
    match seed % 4 {
        0 => LONG,
        2 => RACE,
        _ => DENSE,
    }
}

/// Small bounds, so that they are reached.
pub fn limits(profile: Profile) -> Limits {
    Limits {
        stable_ms: 0,
        attributes_ms: Some(1_000),
        mailbox_len_max: 10,
        in_flight_max: 6,
        outbox_len_max: 5,
        record_facts_max: 24,
        pending_after_ms: 300,
        ride_ms: profile.ride_ms,
        heartbeat_ms: 300,
        snapshot_records: 7,
        snapshot_bytes: 4_000,
        forget_ms: profile.forget_ms,
        resume_ms: 1_000_000,
        quiet_ms: 300,
        under_way_ms: profile.late_ms + 100,
        unaware_ms: profile.stale_ms + 100,
    }
}
