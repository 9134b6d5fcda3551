//! How fast the edge goes: how long input waits for a beat, and how soon room frames follow one
//! another. Both are short while the node has room and stretch as it gets busy.
//!
//! Busy is the share of its time for which the runtime's workers were not waiting for something
//! to do. It is wall time, so another process on the same cores counts as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, instant};

/// Between two looks at how busy the node is, in milliseconds.
const LOOK_MS: u64 = 250;
/// Up to this share, in thousandths, the node has room; from [`FULL`] on it has none.
const EASY: u32 = 500;
const FULL: u32 = 850;

/// A span that stretches with load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// While the node has room, in milliseconds.
    pub least_ms: u64,
    /// Under full load, in milliseconds; never exceeded.
    pub most_ms: u64,
}

impl Stretch {
    /// The span at a share of time that the node is busy, in thousandths.
    fn at(self, busy: u32) -> u64 {
        let over = u64::from(busy.clamp(EASY, FULL) - EASY);
        let least_ms = self.least_ms.min(self.most_ms);
        let room = self.most_ms - least_ms;
        least_ms + room * over / u64::from(FULL - EASY)
    }
}

/// The edge's tempo. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Tempo {
    beat: Stretch,
    frame: Stretch,
    /// Thousandths.
    busy: Arc<AtomicU32>,
}

impl Tempo {
    pub(super) fn new(beat: Stretch, frame: Stretch) -> Self {
        Self { beat, frame, busy: Arc::default() }
    }

    /// How long input waits now, in milliseconds.
    pub(super) fn beat_ms(&self) -> u64 {
        self.beat.at(self.busy())
    }

    /// Time between room frames now, in milliseconds.
    pub(super) fn frame_ms(&self) -> u64 {
        self.frame.at(self.busy())
    }

    /// How busy the node is, in thousandths.
    pub(super) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// Looks at the runtime now and then, until it is told to stop.
    pub(super) async fn run(self, clock: Clock, stop: CancellationToken) {
        let mut last = Look::now();
        while stop.run_until_cancelled(clock.sleep_ms(LOOK_MS)).await.is_some() {
            let look = Look::now();
            let busy = u32::midpoint(self.busy(), look.busy_since(&last));
            self.busy.store(busy, Ordering::Relaxed);
            last = look;
        }
    }
}

/// What the workers had done at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    workers: u32,
    worked: Duration,
}

impl Look {
    fn now() -> Self {
        let metrics = Handle::current().metrics();
        let each = (0..metrics.num_workers()).map(|nth| metrics.worker_total_busy_duration(nth));
        let workers = u32::try_from(metrics.num_workers()).unwrap_or(u32::MAX);
        Self { at: instant(), workers, worked: each.sum() }
    }

    /// The share of time since `before`, in thousandths.
    fn busy_since(&self, before: &Self) -> u32 {
        let time = self.at.saturating_duration_since(before.at).saturating_mul(self.workers);
        let worked = self.worked.saturating_sub(before.worked);
        let share = worked.as_micros().saturating_mul(1_000) / time.as_micros().max(1);
        u32::try_from(share.min(1_000)).unwrap_or(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Stretch = Stretch { least_ms: 10, most_ms: 100 };

    #[test]
    fn a_span_stretches_between_room_and_load() {
        let at = |busy| SPAN.at(busy);
        assert_eq!([0, 250, EASY].map(at), [10; 3]);
        assert_eq!([FULL, 1_000].map(at), [100; 2]);
        let middle = at(u32::midpoint(EASY, FULL));
        assert_eq!(middle, 55);
        assert!((0..1_000).all(|busy| at(busy) <= at(busy + 1)));
        let fixed = Stretch { least_ms: 50, most_ms: 20 };
        assert_eq!([0, 1_000].map(|busy| fixed.at(busy)), [20; 2]);
    }

    #[test]
    fn busy_is_the_workers_share_of_time() {
        let at = instant();
        let before = Look { at, workers: 2, worked: Duration::from_millis(100) };
        let later = |wall, worked| Look {
            at: at + Duration::from_millis(wall),
            workers: 2,
            worked: Duration::from_millis(worked),
        };
        assert_eq!(later(100, 150).busy_since(&before), 250);
        assert_eq!(later(100, 900).busy_since(&before), 1_000, "never more than all");
        assert_eq!(later(0, 100).busy_since(&before), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn work_makes_the_beat_longer_and_rest_shorter() {
        let (clock, stop) = (Clock::system(), CancellationToken::new());
        let tempo = Tempo::new(SPAN, SPAN);
        let looking = tokio::spawn(tempo.clone().run(clock.clone(), stop.clone()));
        let busy = tempo.clone();
        // In a task of its own, which a worker polls; the test itself is none.
        let working = tokio::spawn(async move {
            while busy.beat_ms() < 80 {
                let until = instant() + Duration::from_millis(1);
                while instant() < until {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
        });
        working.await.unwrap();
        while tempo.beat_ms() > 20 {
            clock.sleep_ms(20).await;
        }
        stop.cancel();
        looking.await.unwrap();
    }
}
