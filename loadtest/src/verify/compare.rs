//! Holds a player's final state against what its acknowledged commands add up to. Pure.

use std::collections::BTreeMap;

use holdfast_protocol::movement::Position;
use holdfast_protocol::server::PlayerState;

use super::settled::reserved;
use super::tally::{PLACE, STATE, Tally};
use crate::expect::{POTION, POTIONS};
use crate::load::account::Closed;
use crate::load::closed::{GOLD, held};
use crate::load::orders::Goods;

/// Compares what commands have done. `stays`: the player is still in its room.
pub(super) fn state(
    closed: &Closed,
    state: &PlayerState,
    stays: bool,
    shows: &[u64],
    tally: &mut Tally,
) {
    tally.looked(STATE, 1);
    let (mut sum, mut state) = (closed.sum.clone(), state.clone());
    (sum.trades, sum.is_led) = (!closed.dealings.trades.is_empty(), closed.dealings.led);
    if !stays {
        (sum.room, state.current_room) = (None, None);
    }
    if sum.potions_used > POTIONS && !sum.trades {
        let used = sum.potions_used;
        tally.broken(STATE, format!("{used} potions of {POTIONS} were used"), shows);
        return;
    }
    let differences = sum.differences(&state);
    if !differences.is_empty() {
        tally.broken(STATE, differences.join("; "), shows);
    }
}

/// Compares the place with where the acknowledged steps lead.
pub(super) fn place(expected: Position, state: &PlayerState, shows: &[u64], tally: &mut Tally) {
    tally.looked(PLACE, 1);
    let Position { x, y } = expected;
    if (state.x, state.y) != (x, y) {
        let what =
            format!("acknowledged steps lead to {x}, {y}, but it is at {}, {}", state.x, state.y);
        tally.broken(PLACE, what, shows);
    }
}

/// What a player began with, has found, holds, has reserved and has used, by thing.
pub(super) fn goods(
    minted: &BTreeMap<String, u64>,
    closed: &Closed,
    state: &PlayerState,
    found: u64,
) -> BTreeMap<String, Goods> {
    let mut goods: BTreeMap<String, Goods> = BTreeMap::new();
    for (thing, count) in minted {
        goods.entry(thing.clone()).or_default().minted += count;
    }
    for (thing, count) in held(state) {
        goods.entry(thing).or_default().held += count;
    }
    for (thing, count) in reserved(state) {
        goods.entry(thing).or_default().escrow += u64::try_from(count).unwrap_or(0);
    }
    goods.entry(GOLD.to_owned()).or_default().found += found;
    goods.entry(POTION.to_owned()).or_default().used += closed.sum.potions_used;
    goods
}

#[cfg(test)]
#[path = "compare/tests.rs"]
mod tests;
