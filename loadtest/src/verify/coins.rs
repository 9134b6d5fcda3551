//! Holds the coins that came to players against those that rooms have given away. Pure.

use std::collections::BTreeMap;

use super::tally::{COINS, Tally};
use crate::load::orders::Verified;
use crate::result::Violation;

impl Verified {
    /// Compares both, once the players' and the rooms' journals have been read.
    pub fn match_coins(&mut self) {
        let mut tally = Tally::default();
        let mut found = Vec::new();
        for (room, coins) in &self.coins {
            let whose = format!("room {room}");
            let taken = self.taken.get(&whose);
            for (coin, times) in coins {
                tally.looked(COINS, 1);
                if *times > 1 {
                    found.push((whose.clone(), format!("coin {coin} came {times} times")));
                }
                if taken.is_some_and(|taken| !taken.contains(coin)) {
                    let what = format!("coin {coin} came to a player, and the room still has it");
                    found.push((whose.clone(), what));
                }
            }
        }
        let nothing = BTreeMap::new();
        // Of a player whose journal is not whole, coins may not be known.
        for (whose, taken) in self.taken.iter().filter(|_| self.left_out == 0) {
            let room = whose.strip_prefix("room ").unwrap_or(whose);
            let coins = self.coins.get(room).unwrap_or(&nothing);
            for coin in taken.iter().filter(|coin| !coins.contains_key(*coin)) {
                tally.looked(COINS, 1);
                found.push((
                    whose.clone(),
                    format!("coin {coin} was given away and came to nobody"),
                ));
            }
        }
        for (player, what) in found {
            tally.broken(COINS, what.clone(), &[]);
            if self.has_room(COINS) {
                let check = COINS.to_owned();
                self.violations.push(Violation { check, player, what, history: Vec::new() });
            }
        }
        tally.count_in(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(came: &[(u64, u64)], taken: Option<&[u64]>, left_out: u64) -> Vec<String> {
        let coins = BTreeMap::from([("arena".to_owned(), came.iter().copied().collect())]);
        let taken = taken.map(|taken| ("room arena".to_owned(), taken.iter().copied().collect()));
        let taken = taken.into_iter().collect();
        let mut verified = Verified { coins, taken, left_out, ..Verified::default() };
        verified.match_coins();
        let broken: u64 = verified.checks.values().map(|check| check.violations).sum();
        assert_eq!(broken, verified.violations.len() as u64);
        verified.violations.into_iter().map(|one| one.what).collect()
    }

    #[test]
    fn a_coin_comes_once_from_where_it_was_given_away() {
        assert_eq!(matched(&[(1, 1), (2, 1)], Some(&[1, 2]), 0), Vec::<String>::new());
        assert_eq!(matched(&[(1, 2)], Some(&[1]), 0), ["coin 1 came 2 times"]);
        let still = "coin 2 came to a player, and the room still has it";
        assert_eq!(matched(&[(1, 1), (2, 1)], Some(&[1]), 0), [still]);
        let lost = "coin 2 was given away and came to nobody";
        assert_eq!(matched(&[(1, 1)], Some(&[1, 2]), 0), [lost]);
        assert_eq!(matched(&[(1, 1)], Some(&[1, 2]), 1), Vec::<String>::new(), "it may be there");
        assert_eq!(matched(&[(1, 1)], None, 0), Vec::<String>::new(), "the room can't be read");
    }
}
