//! The only caller of the OS clock.
//!
//! Everything else is handed a [`Clock`], so that a test can move time without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How often a sleeper looks at a clock that a test may move.
const GLANCE: Duration = Duration::from_millis(5);

/// Where [`Clock::uptime_ms`] counts from.
static BEGIN: LazyLock<std::time::Instant> = LazyLock::new(instant);

/// Unix milliseconds, possibly ahead of the OS by what a test added.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// `None` in production: sleepers trust the OS timer.
    ahead_ms: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The OS clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The OS clock, plus what [`Clock::advance`] added. For tests.
    #[must_use]
    pub fn movable() -> Self {
        Self { ahead_ms: Some(Arc::default()) }
    }

    /// Moves a movable clock forward. Does nothing to the OS clock.
    pub fn advance(&self, ms: u64) {
        if let Some(ahead) = &self.ahead_ms {
            ahead.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the OS clock")]
        let now = std::time::SystemTime::now();
        let real = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        u64::try_from(real).unwrap_or(u64::MAX).saturating_add(self.ahead_ms())
    }

    /// By how much [`Clock::advance`] has moved it.
    #[must_use]
    pub fn ahead_ms(&self) -> u64 {
        self.ahead_ms.as_ref().map_or(0, |ahead| ahead.load(Ordering::SeqCst))
    }

    /// Monotonic milliseconds, from an arbitrary moment of this process on: no change of the
    /// wall clock moves them, and they go on while the process is stopped. A movable clock's
    /// move with it.
    #[must_use]
    pub fn uptime_ms(&self) -> u64 {
        let begin = *BEGIN;
        let real = u64::try_from(instant().saturating_duration_since(begin).as_millis());
        let ahead = self.ahead_ms.as_ref().map_or(0, |ahead| ahead.load(Ordering::SeqCst));
        real.unwrap_or(u64::MAX).saturating_add(ahead)
    }

    /// Waits until [`Clock::uptime_ms`] is `at_ms` or more.
    pub async fn sleep_until_uptime(&self, at_ms: u64) {
        loop {
            let left = Duration::from_millis(at_ms.saturating_sub(self.uptime_ms()));
            if left.is_zero() {
                return;
            }
            let nap = if self.ahead_ms.is_some() { left.min(GLANCE) } else { left };
            tokio::time::sleep(nap).await;
        }
    }

    /// Waits for `work`, but no longer than `ms` of monotonic time; `None`: it took longer, and
    /// was dropped.
    pub async fn within_ms<T>(&self, ms: u64, work: impl Future<Output = T>) -> Option<T> {
        let end_ms = self.uptime_ms().saturating_add(ms);
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep_until_uptime(end_ms) => None,
        }
    }

    /// Waits until the clock shows `at_ms` or more.
    pub async fn sleep_until(&self, at_ms: u64) {
        loop {
            let left = Duration::from_millis(at_ms.saturating_sub(self.now_ms()));
            if left.is_zero() {
                return;
            }
            let nap = if self.ahead_ms.is_some() { left.min(GLANCE) } else { left };
            tokio::time::sleep(nap).await;
        }
    }

    /// Waits for a span of this clock's time.
    pub async fn sleep_ms(&self, ms: u64) {
        self.sleep_until(self.now_ms().saturating_add(ms)).await;
    }
}

/// A monotonic reading for measuring how long something took.
#[must_use]
pub fn instant() -> std::time::Instant {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the OS clock")]
    std::time::Instant::now()
}
