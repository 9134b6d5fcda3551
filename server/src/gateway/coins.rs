//! The coins that lie in one room, as the room has told, and who was found near them. Pure.
//!
//! A hint only: what is known here may be old, and the player's actor and the room judge. Who
//! walks past a coin is named once in [`AGAIN_MS`], however many steps that takes.
//! I7: at most [`COINS_MAX`] coins (of more, the newest are not known until others are gone) and
//! [`NAMED_MAX`] players at a coin (of more, the next are named when they step again later).

use std::sync::Arc;

use holdfast_protocol::server::{CoinRow, CoinsEvent};

/// Most coins of a room that are known.
pub const COINS_MAX: usize = 64;
/// Most players that were named for a coin within [`AGAIN_MS`].
pub const NAMED_MAX: usize = 64;
/// After this time a player who is still near is named again, in milliseconds.
pub const AGAIN_MS: u64 = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Coins {
    lying: Vec<Lying>,
}

#[derive(Debug)]
struct Lying {
    row: CoinRow,
    /// Who was named for it, and when.
    named: Vec<(Arc<str>, u64)>,
}

impl Coins {
    /// Takes in what a room tells of its coins.
    pub(super) fn hear(&mut self, event: &CoinsEvent) {
        let is_there = |coin: u64| event.at.iter().any(|row| row.coin == coin);
        self.lying.retain(|one| {
            let coin = one.row.coin;
            !event.taken.contains(&coin) && (!event.full || is_there(coin))
        });
        for row in &event.at {
            let known = self.lying.iter().any(|one| one.row.coin == row.coin);
            if !known && self.lying.len() < COINS_MAX {
                self.lying.push(Lying { row: *row, named: Vec::new() });
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lying.is_empty()
    }

    /// All of them, as a room would tell them.
    pub(super) fn all(&self) -> CoinsEvent {
        let at = self.lying.iter().map(|one| one.row).collect();
        CoinsEvent { at, taken: Vec::new(), full: true }
    }

    /// Names the coins that a player is near, now that it stands there.
    pub(super) fn near(
        &mut self,
        player: &Arc<str>,
        (x, y): (i32, i32),
        now_ms: u64,
        mut name: impl FnMut(u64),
    ) {
        for one in self.lying.iter_mut().filter(|one| one.row.is_in_reach(x, y)) {
            one.named.retain(|(_, at_ms)| now_ms < at_ms.saturating_add(AGAIN_MS));
            let known = one.named.iter().any(|(named, _)| named == player);
            if !known && one.named.len() < NAMED_MAX {
                one.named.push((player.clone(), now_ms));
                name(one.row.coin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(coins: &[u64]) -> Vec<CoinRow> {
        coins.iter().map(|coin| CoinRow { coin: *coin, x: *coin as i32 * 100, y: 0 }).collect()
    }

    fn told(at: &[u64], taken: &[u64], full: bool) -> CoinsEvent {
        CoinsEvent { at: rows(at), taken: taken.to_vec(), full }
    }

    fn known(coins: &Coins) -> Vec<u64> {
        coins.all().at.iter().map(|row| row.coin).collect()
    }

    fn near(coins: &mut Coins, player: &str, x: i32, now_ms: u64) -> Vec<u64> {
        let mut found = Vec::new();
        coins.near(&player.into(), (x, 0), now_ms, |coin| found.push(coin));
        found
    }

    #[test]
    fn new_ones_come_taken_ones_go_and_a_list_is_all_there_is() {
        let mut coins = Coins::default();
        coins.hear(&told(&[1, 2], &[], false));
        coins.hear(&told(&[3], &[1], false));
        assert_eq!(known(&coins), [2, 3]);
        coins.hear(&told(&[3, 4], &[], true));
        assert_eq!(known(&coins), [3, 4]);
        assert!(coins.all().full && !coins.is_empty());
        coins.hear(&told(&[], &[], true));
        assert!(coins.is_empty());
    }

    #[test]
    fn what_is_beyond_the_bound_is_not_known() {
        let mut coins = Coins::default();
        let many: Vec<u64> = (0..100).collect();
        coins.hear(&told(&many, &[], true));
        assert_eq!(known(&coins).len(), COINS_MAX);
    }

    #[test]
    fn who_comes_near_is_named_once_a_second() {
        let mut coins = Coins::default();
        coins.hear(&told(&[1, 2], &[], true));
        assert_eq!(near(&mut coins, "a", 51, 0), [0; 0], "49 units off");
        assert_eq!(near(&mut coins, "a", 52, 0), [1]);
        assert_eq!(near(&mut coins, "b", 148, 10), [1], "each for itself");
        assert_eq!(near(&mut coins, "a", 64, 999), [0; 0]);
        coins.hear(&told(&[1, 2], &[], true));
        assert_eq!(near(&mut coins, "a", 76, 999), [0; 0], "a list forgets nobody");
        assert_eq!(near(&mut coins, "a", 76, 1_000), [1]);
        coins.hear(&told(&[], &[1], false));
        assert_eq!(near(&mut coins, "a", 76, 5_000), [0; 0]);
    }

    #[test]
    fn a_crowd_at_one_coin_is_bounded() {
        let mut coins = Coins::default();
        coins.hear(&told(&[1], &[], true));
        let crowd = |coins: &mut Coins, now_ms: u64| {
            let names = (0..100).map(|n| format!("p{n}"));
            names.filter(|name| !near(coins, name, 100, now_ms).is_empty()).count()
        };
        assert_eq!((crowd(&mut coins, 0), crowd(&mut coins, 500)), (NAMED_MAX, 0));
        assert_eq!(crowd(&mut coins, AGAIN_MS), NAMED_MAX);
    }
}
