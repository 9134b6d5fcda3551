//! When the frames of an open loop are due. Pure.
//!
//! Every connection has the same period and a phase of its own, so that all of them together
//! send evenly. A due time is computed from the frame's number, never from the frame before:
//! neither rounding nor a late frame moves what follows.

use std::time::Duration;

/// The due times of one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    period_s: f64,
    phase_s: f64,
}

impl Schedule {
    /// That of the connection `nth` of `of`, each with `hz` frames a second.
    #[must_use]
    pub fn new(hz: f64, nth: usize, of: usize) -> Self {
        let period_s = 1.0 / hz;
        #[expect(clippy::cast_precision_loss, reason = "connections, far below 2^52")]
        let phase_s = period_s * nth as f64 / of.max(1) as f64;
        Self { period_s, phase_s }
    }

    /// When a frame, counted from 0, is due after the beginning.
    #[must_use]
    pub fn due(&self, frame: u64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "frames of minutes, far below 2^52")]
        let seconds = self.period_s.mul_add(frame as f64, self.phase_s);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: Duration, right_ms: f64) -> bool {
        (left.as_secs_f64() * 1e3 - right_ms).abs() < 1e-3
    }

    #[test]
    fn frames_of_one_connection_are_a_period_apart_for_ever() {
        let schedule = Schedule::new(20.0, 0, 1_000);
        assert_eq!(schedule.due(0), Duration::ZERO);
        for frame in [1, 7, 1_000_000] {
            assert!(near(schedule.due(frame), 50.0 * frame as f64), "{frame}");
        }
    }

    #[test]
    fn connections_share_the_period_evenly() {
        let due = |nth| Schedule::new(20.0, nth, 1_000).due(0);
        assert!((0..1_000).all(|nth| near(due(nth), 0.05 * nth as f64)));
        assert!(due(999) < Schedule::new(20.0, 0, 1_000).due(1));
    }

    #[test]
    fn a_second_holds_as_many_frames_as_were_asked_for() {
        for hz in [1.0, 3.0, 20.0, 60.0] {
            let all = (0..10).map(|nth| Schedule::new(hz, nth, 10));
            let second = |schedule: Schedule| {
                (0..100).take_while(|frame| schedule.due(*frame).as_secs_f64() < 1.0 - 1e-9).count()
            };
            assert_eq!(all.map(second).sum::<usize>(), (10.0 * hz) as usize, "{hz} Hz");
        }
    }
}
