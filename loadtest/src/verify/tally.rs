//! What was looked at and what was found broken, check by check, and how the findings of several
//! processes become one. Pure.
//!
//! All that is broken is counted. Few violations are kept in full, so that a thousand of one kind
//! do not hide the one of another.

use std::collections::BTreeMap;

use crate::load::orders::{Goods, Verified};
use crate::result::{Check, VIOLATIONS_MAX, Violation};

pub(super) const LOST: &str = "lost";
pub(super) const DOUBLED: &str = "doubled";
pub(super) const STATE: &str = "state";
pub(super) const ORDER: &str = "order";
pub(super) const PROMISES: &str = "promises";
pub(super) const STALE: &str = "stale";
pub(super) const GAPS: &str = "gaps";
pub(super) const PLACE: &str = "place";
pub(super) const CONSERVED: &str = "conserved";
pub(super) const CAPACITY: &str = "capacity";
pub(super) const TRADES: &str = "trades";
pub(super) const SETTLED: &str = "settled";
pub(super) const ESCROW: &str = "escrow";
pub(super) const COINS: &str = "coins";
pub(super) const PARTIES: &str = "parties";
pub(super) const ALARMS: &str = "alarms";

/// What each check is about.
const WHAT: [(&str, &str); 16] = [
    (LOST, "every acknowledged command and step is in the journal, where the answer said"),
    (DOUBLED, "no command is in the journal twice"),
    (STATE, "a player's state is the sum of its acknowledged commands"),
    (ORDER, "the commands of a session take effect in the order in which they were sent"),
    (PROMISES, "every answer and event that a player saw agrees with those before it"),
    (STALE, "no record was written by an owner that a newer one had replaced"),
    (GAPS, "the journal is whole and every record of it can be read"),
    (PLACE, "a player stands where its acknowledged steps lead"),
    (CONSERVED, "gold and items are neither made nor lost: what began is held or was used"),
    (CAPACITY, "no room ever held more players than it may"),
    (TRADES, "both sides of a trade know one end of it, and of a commit the same terms"),
    (SETTLED, "a player has what it began with and what its committed trades have brought"),
    (ESCROW, "no goods stay reserved once the last offer's time is over"),
    (COINS, "a coin comes to one player, once, and only where its room has given it away"),
    (PARTIES, "the members of a party are of one mind about who is in it"),
    (ALARMS, "no server raises an alarm"),
];

/// Violations of one check that are kept in full, of a player and of a run.
const OF_PLAYER: usize = 3;
const OF_RUN: usize = 8;

/// A check that has looked at nothing yet.
pub(super) fn check(name: &str) -> Check {
    let what = WHAT.iter().find(|(of, _)| *of == name).map_or("", |(_, what)| what);
    Check { name: name.to_owned(), what: what.to_owned(), looked_at: 0, violations: 0 }
}

/// Something broken, and the records that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub check: &'static str,
    pub what: String,
    pub shows: Vec<u64>,
}

/// What was found of one player or room.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<&'static str, (u64, u64)>,
    pub findings: Vec<Finding>,
}

impl Tally {
    /// So many things were looked at.
    pub(super) fn looked(&mut self, check: &'static str, more: u64) {
        self.counts.entry(check).or_default().0 += more;
    }

    /// One of them is broken; the seqs are of records that show it.
    pub(super) fn broken(&mut self, check: &'static str, what: String, shows: &[u64]) {
        self.counts.entry(check).or_default().1 += 1;
        if self.findings.iter().filter(|finding| finding.check == check).count() < OF_PLAYER {
            self.findings.push(Finding { check, what, shows: shows.to_vec() });
        }
    }

    /// Adds the counts to those of a run.
    pub(super) fn count_in(&self, verified: &mut Verified) {
        for (name, (looked_at, violations)) in &self.counts {
            let sum = verified.checks.entry((*name).to_owned()).or_insert_with(|| check(name));
            sum.looked_at += looked_at;
            sum.violations += violations;
        }
    }

    #[cfg(test)]
    pub(super) fn of(&self, check: &str) -> (u64, u64) {
        self.counts.get(check).copied().unwrap_or_default()
    }
}

impl Verified {
    /// With checks that have looked at nothing yet.
    pub(super) fn of(checks: &[&str]) -> Self {
        let checks = checks.iter().map(|name| ((*name).to_owned(), check(name))).collect();
        Self { checks, ..Self::default() }
    }

    /// Whether another violation of a check would be kept in full.
    pub(super) fn has_room(&self, check: &str) -> bool {
        let same = self.violations.iter().filter(|violation| violation.check == check).count();
        self.violations.len() < VIOLATIONS_MAX && same < OF_RUN
    }

    /// Adds what another process has found.
    pub fn add(&mut self, other: Self) {
        for (name, check) in other.checks {
            match self.checks.get_mut(&name) {
                Some(sum) => {
                    sum.looked_at += check.looked_at;
                    sum.violations += check.violations;
                }
                None => {
                    self.checks.insert(name, check);
                }
            }
        }
        for violation in other.violations {
            if self.has_room(&violation.check) {
                self.violations.push(violation);
            }
        }
        for (thing, goods) in other.goods {
            self.goods.entry(thing).or_default().add(goods);
        }
        for (room, coins) in other.coins {
            let sum = self.coins.entry(room).or_default();
            coins.into_iter().for_each(|(coin, times)| *sum.entry(coin).or_default() += times);
        }
        self.taken.extend(other.taken);
        self.left_out += other.left_out;
        self.unchecked.extend(other.unchecked);
        self.dropped += other.dropped;
        self.players += other.players;
        self.balance();
    }

    /// Judges what all players together began with, hold and have used: the check `conserved`
    /// is made of these sums alone, so that what passes from one player to another is no loss.
    pub(super) fn balance(&mut self) {
        self.violations.retain(|violation| violation.check != CONSERVED);
        // What passes between players can't be told from what is lost where one of them is missing.
        if self.goods.is_empty() || self.left_out > 0 {
            return;
        }
        let mut sum = check(CONSERVED);
        sum.looked_at = self.goods.len() as u64;
        let mut odd = Vec::new();
        for (thing, goods) in self.goods.iter().filter(|(_, goods)| !goods.is_balanced()) {
            let Goods { minted, found, held, escrow, used } = goods;
            let mut what = format!("of {} {thing}, {held} are held", minted + found);
            if *escrow > 0 {
                what.push_str(&format!(", {escrow} are reserved"));
            }
            what.push_str(&format!(" and {used} were used"));
            let (check, player) = (CONSERVED.to_owned(), "all players".to_owned());
            odd.push(Violation { check, player, what, history: Vec::new() });
        }
        sum.violations = odd.len() as u64;
        self.checks.insert(CONSERVED.to_owned(), sum);
        odd.truncate(OF_RUN);
        self.violations.truncate(VIOLATIONS_MAX - odd.len());
        self.violations.extend(odd);
    }
}

impl Goods {
    /// Whether nothing was made or lost.
    #[must_use]
    pub const fn is_balanced(self) -> bool {
        let left = self.held.saturating_add(self.escrow).saturating_add(self.used);
        self.minted.saturating_add(self.found) == left
    }

    /// Adds those of other players.
    pub const fn add(&mut self, other: Self) {
        self.minted += other.minted;
        self.found += other.found;
        self.escrow += other.escrow;
        self.held += other.held;
        self.used += other.used;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(check: &str, player: &str) -> Violation {
        let (check, player) = (check.to_owned(), player.to_owned());
        Violation { check, player, what: "so".to_owned(), history: Vec::new() }
    }

    fn found(lost: u64, goods: Goods) -> Verified {
        let mut tally = Tally::default();
        tally.looked(LOST, 100);
        for nth in 0..lost {
            tally.broken(LOST, format!("{nth}"), &[nth]);
        }
        let mut verified = Verified::of(&[LOST, STALE, CONSERVED]);
        tally.count_in(&mut verified);
        verified.violations.extend((0..lost).map(|_| violation(LOST, "a")));
        verified.goods.insert("gold".to_owned(), goods);
        verified.players = 1;
        verified.balance();
        verified
    }

    #[test]
    fn every_check_says_what_is_promised() {
        for (name, what) in WHAT {
            assert_eq!(check(name).what, what);
            assert!(what.len() > 20 && what.len() < 90, "{what}");
        }
    }

    #[test]
    fn all_is_counted_and_little_is_shown() {
        let mut tally = Tally::default();
        (0..10).for_each(|nth| tally.broken(LOST, nth.to_string(), &[nth]));
        tally.broken(STALE, "old".to_owned(), &[7]);
        assert_eq!((tally.of(LOST), tally.of(STALE)), ((0, 10), (0, 1)));
        assert_eq!(tally.findings.len(), OF_PLAYER + 1);
    }

    #[test]
    fn the_findings_of_processes_are_put_together() {
        let even = Goods { minted: 100, held: 60, used: 40, ..Goods::default() };
        let mut sum = found(20, even);
        let mut other = found(30, even);
        other.violations = vec![violation(LOST, "b"), violation(STALE, "b")];
        other.unchecked.push("something".to_owned());
        sum.add(other);
        let lost = &sum.checks[LOST];
        assert_eq!((lost.looked_at, lost.violations, sum.players), (200, 50, 2));
        assert_eq!(sum.checks[STALE].looked_at, 0);
        assert_eq!(sum.unchecked, ["something"]);
        assert_eq!(sum.violations.len(), VIOLATIONS_MAX, "those of the first were too many");
        let mut few = found(1, even);
        few.add(found(30, even));
        assert_eq!(few.violations.len(), OF_RUN);
        assert_eq!(few.checks[CONSERVED].violations, 0);
    }

    #[test]
    fn what_passes_between_the_players_of_two_processes_is_no_loss() {
        let gave = Goods { minted: 100, held: 70, ..Goods::default() };
        let took = Goods { minted: 100, held: 130, ..Goods::default() };
        let mut sum = found(0, gave);
        assert_eq!(sum.checks[CONSERVED].violations, 1);
        assert_eq!(sum.violations[0].what, "of 100 gold, 70 are held and 0 were used");
        sum.add(found(0, took));
        assert_eq!((sum.checks[CONSERVED].violations, sum.violations.len()), (0, 0));
        sum.add(found(0, took));
        assert_eq!((sum.checks[CONSERVED].violations, sum.violations.len()), (1, 1));
    }

    #[test]
    fn coins_that_were_found_and_goods_that_are_reserved_count() {
        let all = Goods { minted: 100, found: 15, held: 80, escrow: 30, used: 5 };
        assert!(all.is_balanced());
        for odd in [
            Goods { found: 10, ..all },
            Goods { escrow: 0, ..all },
            Goods { held: 81, ..all },
            Goods { used: 4, ..all },
        ] {
            assert!(!odd.is_balanced(), "{odd:?}");
        }
        let lost = found(0, Goods { escrow: 20, ..all });
        let what = "of 115 gold, 80 are held, 20 are reserved and 5 were used";
        assert_eq!(lost.violations[0].what, what);
    }
}
