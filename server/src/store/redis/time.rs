//! The store's clock, estimated: what one primary last said, carried on by the OS's monotonic
//! clock.
//!
//! Never steps back: where a new sample is behind what was already said, the estimate goes on at
//! half speed until the sample has caught up.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::address::Node;
use super::connect::Facts;
use crate::clock::{self, Clock};

/// The estimate; asked from any task.
#[derive(Debug)]
pub struct StoreTime {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whose clock counts: one server's, because those of several differ.
    leader: Option<Node>,
    /// What it showed, and when.
    sample: Option<(u64, Instant)>,
    /// What was said last, and when.
    said: Option<(u64, Instant)>,
}

impl StoreTime {
    /// Until there is a sample, the local clock is asked.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Listens to this server from now on.
    pub fn follow(&self, leader: &Node) {
        self.with(|state| state.leader = Some(leader.clone()));
    }

    /// Takes what a server said; does nothing where another one is followed.
    pub fn sample(&self, at: &Node, facts: &Facts) {
        let travelled_ms = u64::try_from(facts.round_trip.as_millis() / 2).unwrap_or(0);
        let shown_ms = facts.time_ms.saturating_add(travelled_ms);
        self.with(|state| {
            if state.leader.as_ref().is_none_or(|leader| leader == at) {
                state.sample = Some((shown_ms, facts.received));
            }
        });
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        let now = clock::instant();
        let shown_ms = self.with(|state| state.tell(now));
        shown_ms.map_or_else(|| self.clock.now_ms(), |ms| ms.saturating_add(self.clock.ahead_ms()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn tell(&mut self, now: Instant) -> Option<u64> {
        let (sample_ms, sampled) = self.sample?;
        let estimate_ms = sample_ms.saturating_add(millis_between(sampled, now));
        let Some((said_ms, said)) = self.said.filter(|(said_ms, _)| estimate_ms < *said_ms) else {
            self.said = Some((estimate_ms, now));
            return Some(estimate_ms);
        };
        let step_ms = millis_between(said, now) / 2;
        if step_ms > 0 {
            self.said = Some((said_ms.saturating_add(step_ms), now));
        }
        Some(said_ms.saturating_add(step_ms))
    }
}

fn millis_between(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn facts(time_ms: u64, received: Instant, round_trip_ms: u64) -> Facts {
        Facts {
            primary: true,
            replication_id: String::new(),
            time_ms,
            received,
            round_trip: Duration::from_millis(round_trip_ms),
        }
    }

    #[test]
    fn half_the_round_trip_counts() {
        let time = StoreTime::new(Clock::system());
        let now = clock::instant();
        time.sample(&("a".into(), 1), &facts(50_000, now, 10));
        assert_eq!(time.with(|state| state.tell(now)), Some(50_005));
        let later = now + Duration::from_millis(7);
        assert_eq!(time.with(|state| state.tell(later)), Some(50_012));
    }

    #[test]
    fn a_sample_behind_slows_it_down_until_it_has_caught_up() {
        let time = StoreTime::new(Clock::system());
        let now = clock::instant();
        let at = ("a".to_owned(), 1);
        time.sample(&at, &facts(50_000, now, 0));
        assert_eq!(time.with(|state| state.tell(now)), Some(50_000));
        time.sample(&at, &facts(49_800, now, 0));
        let told = |ms| time.with(|state| state.tell(now + Duration::from_millis(ms)));
        assert_eq!(told(0), Some(50_000));
        assert_eq!(told(1), Some(50_000));
        assert_eq!(told(100), Some(50_050));
        assert_eq!(told(200), Some(50_100));
        assert_eq!(told(300), Some(50_100));
        assert_eq!(told(400), Some(50_200), "it has caught up");
    }

    #[test]
    fn only_the_followed_server_counts() {
        let time = StoreTime::new(Clock::system());
        let now = clock::instant();
        time.follow(&("a".into(), 1));
        time.sample(&("b".into(), 1), &facts(90_000, now, 0));
        assert_eq!(time.with(|state| state.tell(now)), None);
    }
}
