//! Which connections are open, and what becomes of each. Pure but for the bells that it rings.
//!
//! Whoever is struck off is cut: its connection hears that its bell is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::dice::Dice;

/// What becomes of a connection that is on the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It forwards.
    Whole,
    /// It is silent, and reset at that time after the proxy's start, if there is one.
    Silent(Option<Duration>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Roster {
    dice: Dice,
    total: u64,
    bells: BTreeMap<u64, watch::Sender<Fate>>,
}

impl Roster {
    /// An empty one, whose choices follow from `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), total: 0, bells: BTreeMap::new() }
    }

    /// Enters a connection; gives its number and its bell.
    pub(super) fn enter(&mut self) -> (u64, watch::Receiver<Fate>) {
        let nth = self.total;
        let (bell, fate) = watch::channel(Fate::Whole);
        self.bells.insert(nth, bell);
        self.total += 1;
        (nth, fate)
    }

    /// Strikes off a connection that has ended, unless it was cut.
    pub(super) fn leave(&mut self, nth: u64) {
        self.bells.remove(&nth);
    }

    /// Cuts a share of those that are open; gives their number.
    pub(super) fn cut(&mut self, share: f64) -> usize {
        let picked = self.dice.pick(self.bells.keys().copied().collect(), share);
        picked.iter().filter(|nth| self.bells.remove(nth).is_some()).count()
    }

    /// Silences all that are open; gives their number.
    pub(super) fn silence(&mut self, reset_at: Option<Duration>) -> usize {
        for bell in self.bells.values() {
            bell.send_replace(Fate::Silent(reset_at));
        }
        self.bells.len()
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.bells.len()
    }

    /// How many there were in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize) -> (Roster, Vec<watch::Receiver<Fate>>) {
        let mut roster = Roster::new(5);
        let fates = (0..count).map(|_| roster.enter().1).collect();
        (roster, fates)
    }

    fn is_cut(fate: &watch::Receiver<Fate>) -> bool {
        fate.has_changed().is_err()
    }

    #[test]
    fn a_share_is_cut_and_the_others_are_not() {
        let (mut roster, fates) = of(20);
        assert_eq!(roster.cut(0.25), 5);
        assert_eq!(fates.iter().filter(|fate| is_cut(fate)).count(), 5);
        assert_eq!((roster.open(), roster.total()), (15, 20));
        assert_eq!(roster.cut(1.0), 15);
        assert!(fates.iter().all(is_cut));
    }

    #[test]
    fn the_same_history_cuts_the_same() {
        let cut = || {
            let (mut roster, fates) = of(20);
            roster.leave(3);
            roster.cut(0.25);
            fates.iter().map(is_cut).collect::<Vec<_>>()
        };
        assert_eq!(cut(), cut());
    }

    #[test]
    fn silence_is_for_those_that_are_open() {
        let (mut roster, fates) = of(2);
        roster.leave(0);
        assert_eq!(roster.silence(None), 1);
        assert_eq!(*fates[1].borrow(), Fate::Silent(None));
        let (nth, late) = roster.enter();
        assert_eq!((nth, *late.borrow()), (2, Fate::Whole));
    }
}
