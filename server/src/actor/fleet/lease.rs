//! This node's lease: whether it may act, and under which node session.
//!
//! The lease runs on a thread of its own, so that no work of the node delays a renewal. It is
//! judged by the OS monotonic clock, counted from when the last successful renewal was *sent*:
//! at every moment that this node believes in its lease, the store does too. Whoever asks
//! [`Lease::in_force`] reads the clock itself; a process that was stopped sees that its lease
//! has run out before it does anything else.
//!
//! A session that was declared dead is never used again: the node takes a new random one.
//!
//! Only a lease that was held can freeze: before the first one, and after a leave or a shutdown,
//! the node does nothing either, and no freeze is said or counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Vitals;
use crate::actor::stats::FleetStats;
use crate::clock::Clock;
use crate::store::fleet::{Fleet, NodeInfo, Renewed};
use crate::store::{Error, NodeSession};

/// What a node may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Act, under this session.
    Held {
        /// The node session.
        session: NodeSession,
        /// How often the lease was taken or has come back after it had run out. Who finds it
        /// changed has slept through a freeze.
        thaw: u64,
    },
    /// Nothing: append nothing, answer nothing, keep what is in memory.
    Frozen,
}

/// How long this node was frozen.
#[derive(Debug, Default)]
struct Frozen {
    /// In freezes that are over.
    total_ms: u64,
    /// When the lease ran out, by [`Clock::uptime_ms`], if it has not come back.
    since_ms: Option<u64>,
}

/// The lease, as every thread sees it. Changed by the lease's thread only.
#[derive(Debug)]
pub(super) struct Lease {
    clock: Clock,
    ttl_ms: u64,
    session: AtomicU64,
    /// By [`Clock::uptime_ms`]; 0: no lease.
    valid_until_ms: AtomicU64,
    state: watch::Sender<LeaseState>,
    thaws: AtomicU64,
    frozen: Mutex<Frozen>,
    stats: Arc<FleetStats>,
}

impl Lease {
    pub fn new(clock: Clock, ttl_ms: u64, stats: Arc<FleetStats>) -> Self {
        Self {
            clock,
            ttl_ms,
            session: AtomicU64::new(fresh_session()),
            valid_until_ms: AtomicU64::new(0),
            state: watch::channel(LeaseState::Frozen).0,
            thaws: AtomicU64::new(0),
            frozen: Mutex::default(),
            stats,
        }
    }

    pub fn session(&self) -> NodeSession {
        self.session.load(Ordering::SeqCst)
    }

    pub fn in_force(&self) -> bool {
        self.clock.uptime_ms() < self.valid_until_ms.load(Ordering::SeqCst)
    }

    /// Milliseconds of all freezes, one that lasts included.
    pub fn frozen_ms(&self) -> u64 {
        let frozen = self.frozen();
        let lasts = |since_ms| self.clock.uptime_ms().saturating_sub(since_ms);
        frozen.total_ms + frozen.since_ms.map_or(0, lasts)
    }

    fn frozen(&self) -> MutexGuard<'_, Frozen> {
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it still runs, in milliseconds.
    #[cfg(test)]
    pub fn left_ms(&self) -> u64 {
        self.valid_until_ms.load(Ordering::SeqCst).saturating_sub(self.clock.uptime_ms())
    }

    /// See [`LeaseState::Held`].
    pub fn thaws(&self) -> u64 {
        self.thaws.load(Ordering::SeqCst)
    }

    pub fn state(&self) -> watch::Receiver<LeaseState> {
        self.state.subscribe()
    }

    /// Waits until the lease is held; returns its session.
    pub async fn held(&self) -> NodeSession {
        let mut state = self.state();
        loop {
            if let LeaseState::Held { session, .. } = *state.borrow_and_update() {
                return session;
            }
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Renews for ever: every third of a TTL, and sooner after a failure.
    pub async fn run(
        &self,
        fleet: &dyn Fleet,
        describe: &(dyn Fn(NodeSession) -> NodeInfo + Sync),
    ) {
        let mut failing = false;
        loop {
            let sent_ms = self.clock.uptime_ms();
            let asked = fleet.renew(describe(self.session()));
            let next_ms = match self.clock.within_ms(self.ttl_ms / 3, asked).await {
                Some(Ok(Renewed::Held)) => {
                    failing = false;
                    self.renewed(sent_ms);
                    sent_ms + self.ttl_ms / 3
                }
                Some(Ok(Renewed::Reaped)) => {
                    self.reaped();
                    0
                }
                Some(Err(error)) => {
                    self.failed(&mut failing, &error);
                    self.clock.uptime_ms() + self.ttl_ms / 10
                }
                None => {
                    let late = format!("no answer within {} ms", self.ttl_ms / 3);
                    self.failed(&mut failing, &Error::Doubt(late));
                    0
                }
            };
            self.clock.sleep_until_uptime(next_ms).await;
        }
    }

    /// Announces, for ever, that the lease has run out when it has.
    pub async fn watch_expiry(&self) {
        loop {
            self.held().await;
            while self.in_force() {
                let until_ms = self.valid_until_ms.load(Ordering::SeqCst);
                self.clock.sleep_until_uptime(until_ms).await;
            }
            self.freeze();
        }
    }

    /// Gives it up, for good.
    pub fn end(&self) {
        self.valid_until_ms.store(0, Ordering::SeqCst);
        self.state.send_replace(LeaseState::Frozen);
    }

    fn renewed(&self, sent_ms: u64) {
        let lapsed = !self.in_force();
        if lapsed {
            // Who was stopped comes to this before it has heard that the lease ran out.
            self.freeze();
        }
        self.valid_until_ms.store(sent_ms + self.ttl_ms, Ordering::SeqCst);
        // An answer that took longer than the lease runs has renewed nothing.
        if !self.in_force() {
            return;
        }
        if lapsed {
            self.thawed();
            self.thaws.fetch_add(1, Ordering::SeqCst);
        }
        let held = LeaseState::Held { session: self.session(), thaw: self.thaws() };
        if self.state.send_if_modified(|state| std::mem::replace(state, held) != held) {
            tracing::info!(session = self.session(), "the lease is held");
        }
    }

    fn reaped(&self) {
        let (dead, fresh) = (self.session(), fresh_session());
        tracing::warn!(dead, fresh, "this node was declared dead; it goes on under a new session");
        self.freeze();
        self.valid_until_ms.store(0, Ordering::SeqCst);
        self.stats.sessions_lost.add(1);
        self.session.store(fresh, Ordering::SeqCst);
    }

    fn freeze(&self) {
        let frozen = LeaseState::Frozen;
        if self.state.send_if_modified(|state| std::mem::replace(state, frozen) != frozen) {
            let ran_out_ms = self.valid_until_ms.load(Ordering::SeqCst);
            self.frozen().since_ms = Some(ran_out_ms.min(self.clock.uptime_ms()));
            self.stats.freezes.add(1);
            tracing::warn!(session = self.session(), "frozen: the lease is not in force");
        }
    }

    fn thawed(&self) {
        let mut frozen = self.frozen();
        let Some(since_ms) = frozen.since_ms.take() else { return };
        let lasted_ms = self.clock.uptime_ms().saturating_sub(since_ms);
        frozen.total_ms += lasted_ms;
        drop(frozen);
        tracing::info!(session = self.session(), lasted_ms, "thawed: the lease is in force again");
    }

    fn failed(&self, failing: &mut bool, error: &Error) {
        if !std::mem::replace(failing, true) {
            tracing::warn!(session = self.session(), %error, "the lease could not be renewed");
        }
    }
}

/// What the node says of itself with each renewal.
pub(super) fn describer(
    config: Arc<super::Config>,
    vitals: Vitals,
    outdated: Arc<AtomicBool>,
) -> impl Fn(NodeSession) -> NodeInfo + Send + Sync {
    move |session| {
        let now = vitals();
        NodeInfo {
            session,
            name: config.name.clone(),
            address: config.address.clone(),
            version: config.version.clone(),
            format: config.reads.newest.into(),
            format_oldest: config.reads.oldest.into(),
            activations: now.activations,
            sockets: now.sockets,
            draining: now.draining,
            outdated: outdated.load(Ordering::SeqCst),
        }
    }
}

/// Random; never 0, which is no one.
fn fresh_session() -> NodeSession {
    rand::random::<u64>().max(1)
}
