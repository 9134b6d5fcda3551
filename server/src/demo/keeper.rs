//! When gateways are started, started again, and given up. Pure: it is told what happened and when,
//! and says what is to be done.
//!
//! | a gateway | that is | leaves to |
//! |---|---|---|
//! | gone | not there, or not any more | starting, when its time has come |
//! | starting | a process that does not serve yet | running, gone |
//! | running | serving | draining, gone |
//! | draining | told to hand everything over | gone |
//!
//! One that ends though nobody told it to has fallen. It is started again like the others, unless it
//! never served, or falls again and again soon after its start: then the show is over.

use serde::Serialize;

/// A process that has not served for so long never will.
const START_MS_MAX: u64 = 30_000;
/// Whoever falls sooner than this after its start falls in a row.
const STEADY_MS: u64 = 20_000;
/// Falls in a row.
const FALLS_MAX: u32 = 3;

/// Where a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is none.
    Gone,
    /// Its process has begun.
    Starting,
    /// It serves.
    Running,
    /// It hands everything over.
    Draining,
}

/// What is to be done about a gateway that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is started again after so many milliseconds.
    Returns(u64),
    /// It would only fall again.
    Hopeless,
}

#[derive(Debug, Clone)]
struct Kept {
    state: State,
    /// When it was started, or is to be.
    at_ms: u64,
    /// It was told to end.
    told: bool,
    killed: bool,
    has_served: bool,
    falls: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Keeper {
    gateways: Vec<Kept>,
    returns_after_ms: u64,
}

impl Keeper {
    /// As many gateways, all of which are to be started now.
    #[must_use]
    pub fn new(count: usize, returns_after_ms: u64) -> Self {
        let kept = Kept {
            state: State::Gone,
            at_ms: 0,
            told: false,
            killed: false,
            has_served: false,
            falls: 0,
        };
        Self { gateways: vec![kept; count], returns_after_ms }
    }

    /// Where a gateway stands.
    #[must_use]
    pub fn state(&self, nth: usize) -> State {
        self.gateways.get(nth).map_or(State::Gone, |kept| kept.state)
    }

    /// Whether it has ever served.
    #[must_use]
    pub fn has_served(&self, nth: usize) -> bool {
        self.gateways.get(nth).is_some_and(|kept| kept.has_served)
    }

    /// Whether it hands everything over, and nobody has killed it meanwhile.
    #[must_use]
    pub fn is_drained(&self, nth: usize) -> bool {
        self.gateways.get(nth).is_some_and(|kept| kept.state == State::Draining && !kept.killed)
    }

    /// Which one visitors are led to: the first that serves.
    #[must_use]
    pub fn first_running(&self) -> Option<usize> {
        self.gateways.iter().position(|kept| kept.state == State::Running)
    }

    /// Whether all serve.
    #[must_use]
    pub fn all_run(&self) -> bool {
        self.gateways.iter().all(|kept| kept.state == State::Running)
    }

    /// One that is to be started.
    #[must_use]
    pub fn due(&self, now_ms: u64) -> Option<usize> {
        self.gateways.iter().position(|kept| kept.state == State::Gone && kept.at_ms <= now_ms)
    }

    /// One that does not come to serve.
    #[must_use]
    pub fn late(&self, now_ms: u64) -> Option<usize> {
        let late = |kept: &Kept| kept.at_ms.saturating_add(START_MS_MAX) <= now_ms;
        self.gateways.iter().position(|kept| kept.state == State::Starting && late(kept))
    }

    /// Its process has begun.
    pub fn started(&mut self, nth: usize, now_ms: u64) {
        self.set(nth, |kept| {
            (kept.state, kept.at_ms) = (State::Starting, now_ms);
            (kept.told, kept.killed) = (false, false);
        });
    }

    /// It serves.
    pub fn serves(&mut self, nth: usize) {
        self.set(nth, |kept| {
            if kept.state == State::Starting {
                (kept.state, kept.has_served) = (State::Running, true);
            }
        });
    }

    /// It was told to hand over and end.
    pub fn drains(&mut self, nth: usize) {
        self.set(nth, |kept| (kept.state, kept.told) = (State::Draining, true));
    }

    /// It was killed on purpose.
    pub fn killed(&mut self, nth: usize) {
        self.set(nth, |kept| (kept.told, kept.killed) = (true, true));
    }

    /// Its process has ended.
    pub fn ended(&mut self, nth: usize, now_ms: u64) -> Verdict {
        let back_ms = self.returns_after_ms;
        let Some(kept) = self.gateways.get_mut(nth) else { return Verdict::Hopeless };
        let soon = now_ms.saturating_sub(kept.at_ms) < STEADY_MS;
        kept.falls = match (kept.told, soon) {
            (true, _) => 0,
            (false, true) => kept.falls + 1,
            (false, false) => 1,
        };
        (kept.state, kept.at_ms) = (State::Gone, now_ms.saturating_add(back_ms));
        let never_served = !kept.told && !kept.has_served;
        if never_served || kept.falls >= FALLS_MAX {
            return Verdict::Hopeless;
        }
        Verdict::Returns(back_ms)
    }

    fn set(&mut self, nth: usize, change: impl FnOnce(&mut Kept)) {
        if let Some(kept) = self.gateways.get_mut(nth) {
            change(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two gateways that serve since 100.
    fn serving() -> Keeper {
        let mut keeper = Keeper::new(2, 5_000);
        for nth in 0..2 {
            assert_eq!(keeper.due(100), Some(nth));
            keeper.started(nth, 100);
            keeper.serves(nth);
        }
        assert!(keeper.all_run() && keeper.due(100).is_none());
        keeper
    }

    #[test]
    fn a_gateway_that_was_killed_returns_after_its_time() {
        let mut keeper = serving();
        keeper.killed(0);
        assert_eq!(keeper.ended(0, 1_000), Verdict::Returns(5_000));
        assert_eq!((keeper.state(0), keeper.first_running()), (State::Gone, Some(1)));
        assert_eq!((keeper.due(5_999), keeper.due(6_000)), (None, Some(0)));
        keeper.started(0, 6_000);
        assert_eq!((keeper.state(0), keeper.first_running()), (State::Starting, Some(1)));
        keeper.serves(0);
        assert_eq!(keeper.first_running(), Some(0));
    }

    #[test]
    fn visitors_are_not_led_to_one_that_drains() {
        let mut keeper = serving();
        keeper.drains(0);
        assert_eq!((keeper.state(0), keeper.first_running()), (State::Draining, Some(1)));
        assert!(keeper.is_drained(0) && !keeper.is_drained(1));
        let mut killed = serving();
        killed.drains(0);
        killed.killed(0);
        assert!(!killed.is_drained(0), "it has not handed over");
        assert_eq!(keeper.ended(0, 1_000), Verdict::Returns(5_000));
    }

    #[test]
    fn whoever_was_killed_often_is_started_all_the_same() {
        let mut keeper = serving();
        for now_ms in 1..10 {
            keeper.killed(0);
            assert_eq!(keeper.ended(0, now_ms), Verdict::Returns(5_000));
            keeper.started(0, now_ms);
            keeper.serves(0);
        }
    }

    #[test]
    fn falls_in_a_row_are_hopeless_and_falls_now_and_then_are_not() {
        let (mut keeper, mut now_ms) = (serving(), 1_000);
        for verdict in [Verdict::Returns(5_000), Verdict::Returns(5_000), Verdict::Hopeless] {
            assert_eq!(keeper.ended(0, now_ms), verdict);
            keeper.started(0, now_ms);
            keeper.serves(0);
            now_ms += 1_000;
        }
        for _ in 0..5 {
            now_ms += STEADY_MS;
            assert_eq!(keeper.ended(1, now_ms), Verdict::Returns(5_000));
            keeper.started(1, now_ms);
        }
    }

    #[test]
    fn one_that_never_served_is_hopeless_at_once() {
        let mut keeper = Keeper::new(1, 1_000);
        keeper.started(0, 0);
        assert_eq!((keeper.late(START_MS_MAX - 1), keeper.late(START_MS_MAX)), (None, Some(0)));
        assert_eq!(keeper.ended(0, 50), Verdict::Hopeless);
    }

    #[test]
    fn news_of_a_process_that_is_gone_change_nothing() {
        let mut keeper = serving();
        keeper.killed(0);
        keeper.ended(0, 1_000);
        keeper.serves(0);
        assert_eq!(keeper.state(0), State::Gone);
    }
}
