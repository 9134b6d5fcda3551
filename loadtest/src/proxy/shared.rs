//! What the tasks of a proxy and its handles have in common: the rules, the roster, the counts,
//! and the time since its start.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::rules::{Faults, Lane, Rules};
use super::{Counts, Roster};

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    target: Mutex<SocketAddr>,
    /// What chance follows from.
    pub(super) seed: u64,
    /// What holds now; every lane watches it.
    pub(super) rules: watch::Sender<Rules>,
    began: Instant,
    roster: Mutex<Roster>,
    refused: AtomicU64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
}

impl Shared {
    /// Those of a proxy that starts now.
    pub(super) fn new(target: SocketAddr, seed: u64, faults: Faults) -> Self {
        Self {
            target: Mutex::new(target),
            seed,
            rules: watch::Sender::new(Rules::new(faults)),
            began: Instant::now(),
            roster: Mutex::new(Roster::new(seed)),
            refused: AtomicU64::new(0),
            up_bytes: AtomicU64::new(0),
            down_bytes: AtomicU64::new(0),
        }
    }

    /// Where new connections lead.
    pub(super) fn target(&self) -> SocketAddr {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leads them elsewhere.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// The time since the start.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The time since the start when a span that begins now ends.
    pub(super) fn after(&self, span: Duration) -> Duration {
        self.now().saturating_add(span)
    }

    /// Waits for a time since the start; for ever without one.
    pub(super) async fn until(&self, at: Option<Duration>) {
        match at.and_then(|at| self.began.checked_add(at)) {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Who is open.
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection that was not let in.
    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was forwarded.
    pub(super) fn count_bytes(&self, lane: Lane, len: usize) {
        let bytes = match lane {
            Lane::Up => &self.up_bytes,
            Lane::Down => &self.down_bytes,
        };
        bytes.fetch_add(u64::try_from(len).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// All counts.
    pub(super) fn counts(&self) -> Counts {
        let (open, total) = {
            let roster = self.roster();
            (roster.open(), roster.total())
        };
        Counts {
            open,
            total,
            refused: self.refused.load(Ordering::Relaxed),
            up_bytes: self.up_bytes.load(Ordering::Relaxed),
            down_bytes: self.down_bytes.load(Ordering::Relaxed),
        }
    }
}
