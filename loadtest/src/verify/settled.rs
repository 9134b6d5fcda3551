//! Holds what a player has against what it began with and what its trades have brought, and looks
//! for goods that are still reserved. Pure.

use std::collections::BTreeMap;

use holdfast_protocol::goods::Goods;
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::{PlayerState, TradePhase};

use super::tally::{ESCROW, SETTLED, Tally};
use crate::load::closed::{GOLD, held};
use crate::load::dealings::{Book, say};

/// Goods by thing; what is owed is below zero.
type Sum = BTreeMap<String, i128>;

fn add(sum: &mut Sum, goods: &Goods, factor: i128) {
    if let Some(gold) = goods.gold {
        *sum.entry(GOLD.to_owned()).or_default() += factor * i128::from(gold);
    }
    for item in &goods.items {
        *sum.entry(item.item_id.clone()).or_default() += factor * i128::from(item.quantity);
    }
}

/// What a player has reserved in trades that are open.
pub(super) fn reserved(state: &PlayerState) -> Sum {
    let mut sum = Sum::new();
    for told in state.trades.iter().filter(|told| told.from == state.player_id) {
        add(&mut sum, &told.give, 1);
    }
    sum
}

/// What a player has come by and used up without a trade.
#[derive(Debug, Clone, Copy)]
pub(super) struct Balance<'a> {
    /// At its first welcome.
    pub began: &'a BTreeMap<String, u64>,
    pub used: &'a BTreeMap<String, u64>,
    /// Gold by coins and defeats.
    pub gained: i128,
}

/// Compares what a player has, in hand and reserved, with what it must have come to.
pub(super) fn has(
    state: &PlayerState,
    balance: &Balance<'_>,
    trades: &Book,
    shows: &[u64],
    tally: &mut Tally,
) {
    tally.looked(SETTLED, 1);
    let began = balance.began.iter();
    let mut due: Sum = began.map(|(id, count)| (id.clone(), i128::from(*count))).collect();
    *due.entry(GOLD.to_owned()).or_default() += balance.gained;
    for (thing, count) in balance.used {
        *due.entry(thing.clone()).or_default() -= i128::from(*count);
    }
    let me: &PlayerId = &state.player_id;
    let committed = trades.iter().filter(|told| told.phase == TradePhase::Committed);
    for told in committed {
        let gives = if &told.from == me { 1 } else { -1 };
        add(&mut due, &told.give, -gives);
        add(&mut due, &told.want, gives);
    }
    let mut is = reserved(state);
    for (thing, count) in held(state) {
        *is.entry(thing).or_default() += i128::from(count);
    }
    let mut odd = Vec::new();
    for thing in due.keys().chain(is.keys().filter(|thing| !due.contains_key(*thing))) {
        let of = |sum: &Sum| sum.get(thing).copied().unwrap_or_default();
        if of(&due) != of(&is) {
            odd.push(format!("{thing} is {}, not {}", of(&is), of(&due)));
        }
    }
    if !odd.is_empty() {
        tally.broken(SETTLED, format!("by its trades, {}", odd.join("; ")), shows);
    }
}

/// Looks for trades that are open when all offers' time is over.
pub(super) fn escrow(state: &PlayerState, shows: &[u64], tally: &mut Tally) {
    tally.looked(ESCROW, 1);
    for told in &state.trades {
        let (id, from, give) = (&told.trade_id, &told.from, say(&told.give));
        let what = format!("trade {id} is open after its time, with {give} of {from}");
        tally.broken(ESCROW, what, shows);
    }
}

#[cfg(test)]
#[path = "settled/tests.rs"]
mod tests;
