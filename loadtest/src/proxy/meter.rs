//! Reads no faster than a cap. Pure; times count from the proxy's start.

use std::time::Duration;

/// At most so many portions are read in a second.
const PORTIONS_PER_S: u32 = 20;

/// Of one direction: when the next portion may be read.
#[derive(Debug, Default)]
pub(super) struct Meter {
    next: Duration,
}

impl Meter {
    /// How much may be read at once under a cap in bytes a second; at least one byte, if any.
    pub(super) fn portion(bytes_per_s: u32) -> usize {
        let portion = (bytes_per_s / PORTIONS_PER_S).max(u32::from(bytes_per_s > 0));
        usize::try_from(portion).unwrap_or(usize::MAX)
    }

    /// When the next portion may be read.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// Takes note of `len` bytes read at `now`. Time in which nothing was read is not made up
    /// for, so that the cap holds over every span.
    pub(super) fn take(&mut self, len: usize, bytes_per_s: u32, now: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "one portion, far below 2^52")]
        let seconds = len as f64 / f64::from(bytes_per_s);
        let span = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.next = self.next.max(now).saturating_add(span);
    }

    /// Forgets the cap that was.
    pub(super) fn clear(&mut self) {
        self.next = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes read in the first `span` when everything that may be read is.
    fn read(bytes_per_s: u32, span: Duration) -> usize {
        let mut meter = Meter::default();
        let mut all = 0;
        for _ in 0..1_000 {
            if meter.next() >= span {
                break;
            }
            let portion = Meter::portion(bytes_per_s);
            all += portion;
            meter.take(portion, bytes_per_s, meter.next());
        }
        all
    }

    #[test]
    fn a_second_lets_the_cap_through() {
        for cap in [1, 7, 20, 4_096, 1_000_000] {
            let (second, most) = (read(cap, Duration::from_secs(1)), cap as usize);
            assert!((most..=most + Meter::portion(cap)).contains(&second), "{cap}: {second}");
        }
    }

    #[test]
    fn a_cap_of_nothing_has_no_portion() {
        assert_eq!(Meter::portion(0), 0);
        assert_eq!(Meter::portion(1), 1);
    }

    #[test]
    fn idle_time_is_not_made_up_for() {
        let mut meter = Meter::default();
        let now = Duration::from_secs(60);
        meter.take(50, 1_000, now);
        assert_eq!(meter.next(), now + Duration::from_millis(50));
        meter.take(50, 1_000, now);
        assert_eq!(meter.next(), now + Duration::from_millis(100));
    }

    #[test]
    fn a_cap_that_was_leaves_nothing_behind() {
        let mut meter = Meter::default();
        meter.take(1, 0, Duration::ZERO);
        assert_eq!(meter.next(), Duration::MAX);
        meter.clear();
        assert_eq!(meter.next(), Duration::ZERO);
    }
}
