//! How much there is of everything, while the world goes on.
//!
//! Players are read one after the other, and goods change hands meanwhile: what was read at its
//! giver before and at its taker after would count twice. So all is counted as it was at a *cut*:
//! trades by terms that were made after it are undone, by those same terms on both sides; trades
//! by older terms had ended before the first look, because terms do not live longer than that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Holding, made_ms};
use crate::game::inventory;
use crate::game::stock::Stock;
use crate::game::trade::{FORGET_MS, OFFER_MS};

/// How long before the first look the cut is, in milliseconds: what was offered before it has
/// ended, and has been settled if all is well.
const SETTLED_MS: u64 = OFFER_MS + 15_000;
/// How long after the first look the sides still know by which terms they settled after the cut.
const KNOWN_MS: u64 = FORGET_MS - SETTLED_MS;

/// Gold and items, as differences: either may be below 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Money.
    pub gold: i64,
    /// Quantities that are not 0, by item id.
    pub items: BTreeMap<String, i64>,
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Balance {
    fn change(&mut self, goods: &Stock, sign: i64) {
        self.gold = self.gold.saturating_add(sign.saturating_mul(signed(goods.gold)));
        for (item, n) in &goods.items {
            self.change_item(item, sign.saturating_mul(signed(*n)));
        }
    }

    fn change_item(&mut self, item: &str, n: i64) {
        let all = self.items.entry(item.to_owned()).or_default();
        *all = all.saturating_add(n);
        if *all == 0 {
            self.items.remove(item);
        }
    }

    /// Adds.
    pub fn add(&mut self, goods: &Stock) {
        self.change(goods, 1);
    }

    /// Takes away.
    pub fn take(&mut self, goods: &Stock) {
        self.change(goods, -1);
    }

    fn join(&mut self, other: &Self, sign: i64) {
        self.gold = self.gold.saturating_add(sign.saturating_mul(other.gold));
        for (item, n) in &other.items {
            self.change_item(item, sign.saturating_mul(*n));
        }
    }
}

/// Everything there is, as of the cut.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// What is to be counted as of which moment, in Unix milliseconds.
    pub cut_ms: u64,
    /// Players.
    pub players: u64,
    /// Equipment that players begin with, by today's rules, times the players.
    pub start: Balance,
    /// In inventories.
    pub held: Balance,
    /// Reserved for open trades.
    pub escrow: Balance,
    /// Given by one side and not yet with the other.
    pub transfer: Balance,
    /// What there is beyond the start equipment: coins picked up, less what was used up. States do
    /// not say how much of either there was, so nothing is judged by it.
    pub beyond: Balance,
    /// Whether all of it was read soon enough to be exact about trades.
    pub exact: bool,
}

impl Totals {
    /// Of a look that begins now.
    #[must_use]
    pub fn begin(now_ms: u64) -> Self {
        Self { cut_ms: now_ms.saturating_sub(SETTLED_MS), ..Self::default() }
    }

    /// Counts a player.
    pub fn player(&mut self, holding: &Holding) {
        self.players += 1;
        self.start.add(&start());
        self.held.add(&holding.held());
        self.escrow.add(&holding.player.escrow());
        let settled = holding.player.deals.iter().flat_map(|deals| deals.settled.values());
        let terms = settled.filter_map(|settled| settled.terms.as_ref());
        for terms in terms.filter(|terms| made_ms(terms) >= self.cut_ms) {
            let (gave, got) = terms.of(holding.id());
            self.held.add(gave);
            self.held.take(got);
        }
    }

    /// Counts what a side of a committed trade has not settled: it gets something that the other
    /// one no longer has, and what it has reserved, or is to pay, is the other one's.
    pub(super) fn owed(&mut self, reserved: Option<&Stock>, gives: &Stock, gets: &Stock) {
        self.transfer.add(gets);
        match reserved {
            Some(reserved) => self.escrow.take(reserved),
            None => self.transfer.take(gives),
        }
    }

    /// Sums up.
    pub fn end(&mut self, now_ms: u64) {
        self.exact = now_ms < self.cut_ms.saturating_add(SETTLED_MS + KNOWN_MS);
        self.beyond = Balance::default();
        for (part, sign) in
            [(&self.held, 1), (&self.escrow, 1), (&self.transfer, 1), (&self.start, -1)]
        {
            self.beyond.join(part, sign);
        }
    }
}

/// What a player begins with.
fn start() -> Stock {
    let items = inventory::START.into_iter().map(|(item, n)| (item.to_owned(), n));
    Stock { gold: inventory::START_GOLD, items: items.collect() }
}
