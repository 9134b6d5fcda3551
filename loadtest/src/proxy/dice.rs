//! What chance decides: delays of pieces and which connections are cut. Pure: the same seed and
//! the same questions give the same answers.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::rules::{Faults, Lane};

/// Odd, and its multiples spread over all 64 bits: lanes get seeds far apart.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// What shares of connections may be off by when they are rounded up.
const ROUNDING: f64 = 1e-9;

/// A source of chance.
#[derive(Debug)]
pub(super) struct Dice {
    rng: StdRng,
}

impl Dice {
    /// Those of a whole proxy.
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed) }
    }

    /// Those of one lane of the connection `nth`, counted from 0 in the order of acceptance:
    /// what happens to it depends on no other.
    pub(super) fn of_lane(seed: u64, nth: u64, lane: Lane) -> Self {
        let number = nth.wrapping_mul(2).wrapping_add(match lane {
            Lane::Up => 1,
            Lane::Down => 2,
        });
        Self::new(seed ^ number.wrapping_mul(SPREAD))
    }

    /// How long a piece is under way: uniform around the delay, never less than nothing.
    pub(super) fn delay(&mut self, faults: &Faults) -> Duration {
        if faults.jitter.is_zero() {
            return faults.delay;
        }
        let least = nanos(faults.delay.saturating_sub(faults.jitter));
        let most = nanos(faults.delay.saturating_add(faults.jitter));
        Duration::from_nanos(self.rng.random_range(least..=most))
    }

    /// A share, from 0 to 1, of `all`, rounded up to a whole one.
    pub(super) fn pick(&mut self, mut all: Vec<u64>, share: f64) -> Vec<u64> {
        #[expect(clippy::cast_precision_loss, reason = "connections, far below 2^52")]
        let exact = all.len() as f64 * share;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the length: casts of floats saturate"
        )]
        let count = ((exact - ROUNDING).ceil() as usize).min(all.len());
        all.partial_shuffle(&mut self.rng, count).0.to_vec()
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn faults(delay_ms: u32, jitter_ms: u32) -> Faults {
        Faults { delay: MS * delay_ms, jitter: MS * jitter_ms, ..Faults::default() }
    }

    fn delays(mut dice: Dice) -> Vec<Duration> {
        (0..50).map(|_| dice.delay(&faults(50, 10))).collect()
    }

    #[test]
    fn a_delay_without_jitter_is_exact() {
        assert_eq!(Dice::new(1).delay(&faults(50, 0)), MS * 50);
        assert_eq!(Dice::new(1).delay(&Faults::default()), Duration::ZERO);
    }

    #[test]
    fn a_delay_is_spread_around_its_middle() {
        let mut dice = Dice::new(7);
        let all: Vec<_> = (0..2_000).map(|_| dice.delay(&faults(50, 10))).collect();
        assert!(all.iter().all(|delay| (MS * 40..=MS * 60).contains(delay)));
        assert!(all.iter().any(|delay| *delay < MS * 42));
        assert!(all.iter().any(|delay| *delay > MS * 58));
        let mean = all.iter().sum::<Duration>() / 2_000;
        assert!((MS * 49..MS * 51).contains(&mean), "{mean:?}");
    }

    #[test]
    fn a_jitter_beyond_the_delay_stops_at_nothing() {
        let mut dice = Dice::new(7);
        assert!((0..100).all(|_| dice.delay(&faults(1, 10)) <= MS * 11));
    }

    #[test]
    fn the_same_lane_gets_the_same_delays_again() {
        let of = |seed, nth, lane| delays(Dice::of_lane(seed, nth, lane));
        assert_eq!(of(1, 2, Lane::Up), of(1, 2, Lane::Up));
        for other in [of(2, 2, Lane::Up), of(1, 3, Lane::Up), of(1, 2, Lane::Down)] {
            assert_ne!(of(1, 2, Lane::Up), other);
        }
    }

    #[test]
    fn a_share_is_exact_and_rounded_up() {
        let picked = |of: u64, share| Dice::new(3).pick((0..of).collect(), share).len();
        assert_eq!((picked(100, 0.07), picked(100, 0.10), picked(100, 1.0)), (7, 10, 100));
        assert_eq!((picked(3, 0.1), picked(3, 0.5), picked(3, 0.0)), (1, 2, 0));
        assert_eq!((picked(0, 1.0), picked(3, 7.0), picked(3, -1.0)), (0, 3, 0));
    }

    #[test]
    fn the_same_seed_picks_the_same_and_each_time_others() {
        let mut left = Dice::new(3);
        let mut right = Dice::new(3);
        let pick = |dice: &mut Dice| dice.pick((0..100).collect(), 0.1);
        let first = pick(&mut left);
        assert_eq!(first, pick(&mut right));
        let second = pick(&mut left);
        assert_eq!(second, pick(&mut right));
        assert_ne!(first, second);
        assert_ne!(first, pick(&mut Dice::new(4)));
    }
}
