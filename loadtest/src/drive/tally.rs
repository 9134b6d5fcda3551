//! What was sent and answered, and after how long, of all connections together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};
use tokio::time::Instant;

/// Digits of a latency that are kept, and the longest that is told from longer ones.
const DIGITS: u8 = 3;
const MICROS_MAX: u64 = 600_000_000;

/// The counts since the tally was made or begun afresh. Cheap to clone: all clones count as one.
#[derive(Debug, Clone)]
pub struct Tally {
    counts: Arc<Mutex<Report>>,
}

/// The counts of a span of time.
#[derive(Debug, Clone)]
pub struct Report {
    began: Instant,
    /// How long it was.
    pub span: Duration,
    /// Messages sent.
    pub sent: u64,
    /// Of those, or of earlier ones: answered.
    pub answered: u64,
    /// Inputs that were refused, in a run that goes on then. An answer to a later input counts
    /// them as answered too.
    pub refused: u64,
    /// Messages received, answers or not.
    pub heard: u64,
    /// The bytes in them, without the frames' heads.
    pub heard_bytes: u64,
    /// Microseconds to each answer: in a closed loop from the sending, in an open loop from the
    /// time when it was due.
    pub latency: Histogram<u64>,
}

impl Tally {
    /// Begins to count.
    ///
    /// # Errors
    /// The histogram's, which has no cause here.
    pub fn new() -> Result<Self, CreationError> {
        let counts = Report {
            began: Instant::now(),
            span: Duration::ZERO,
            sent: 0,
            answered: 0,
            refused: 0,
            heard: 0,
            heard_bytes: 0,
            latency: Histogram::new_with_max(MICROS_MAX, DIGITS)?,
        };
        Ok(Self { counts: Arc::new(Mutex::new(counts)) })
    }

    fn counts(&self) -> MutexGuard<'_, Report> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything so far, such as a warm-up.
    pub fn restart(&self) {
        let mut counts = self.counts();
        counts.latency.reset();
        (counts.sent, counts.answered, counts.refused) = (0, 0, 0);
        (counts.heard, counts.heard_bytes) = (0, 0);
        counts.began = Instant::now();
    }

    /// The counts so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.counts().clone();
        report.span = report.began.elapsed();
        report
    }

    /// How many were answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.counts().answered
    }

    /// So many messages were sent.
    pub(super) fn sent(&self, messages: u64) {
        self.counts().sent += messages;
    }

    /// An input was refused.
    pub(super) fn refused(&self) {
        self.counts().refused += 1;
    }

    /// One message came, of so many bytes, and it answered what was due at these times.
    pub(super) fn heard(&self, bytes: usize, now: Instant, due: impl Iterator<Item = Instant>) {
        let mut counts = self.counts();
        counts.heard += 1;
        counts.heard_bytes += bytes as u64;
        for due in due {
            counts.answered += 1;
            let micros = now.saturating_duration_since(due).as_micros();
            counts.latency.saturating_record(u64::try_from(micros).unwrap_or(u64::MAX));
        }
    }
}

impl Report {
    /// Answers a second.
    #[must_use]
    pub fn pace(&self) -> f64 {
        self.a_second(self.answered)
    }

    /// Bits a second that came in.
    #[must_use]
    pub fn heard_bits(&self) -> f64 {
        self.a_second(self.heard_bytes) * 8.0
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of minutes, far below 2^52")]
    fn a_second(&self, count: u64) -> f64 {
        count as f64 / self.span.as_secs_f64().max(f64::EPSILON)
    }

    /// Answers that came within this time.
    #[must_use]
    pub fn answered_within(&self, limit: Duration) -> u64 {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        self.latency.count_between(0, micros.min(MICROS_MAX))
    }

    /// The milliseconds within which this share of the answers came.
    #[must_use]
    pub fn within_ms(&self, share: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "microseconds, far below 2^52")]
        let micros = self.latency.value_at_quantile(share) as f64;
        micros / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_count_from_the_due_time_and_a_restart_forgets() {
        let tally = Tally::new().unwrap();
        let due = Instant::now();
        tally.sent(3);
        let now = due + Duration::from_millis(250);
        tally.heard(100, now, [due, due].into_iter());
        let report = tally.report();
        assert_eq!(
            (report.sent, report.answered, report.heard, report.heard_bytes),
            (3, 2, 1, 100)
        );
        assert!((report.within_ms(0.5) - 250.0).abs() < 0.3, "{}", report.within_ms(0.5));
        tally.restart();
        let report = tally.report();
        assert_eq!((report.sent, report.answered, report.latency.len()), (0, 0, 0));
    }
}
