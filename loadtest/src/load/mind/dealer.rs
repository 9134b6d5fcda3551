//! What those who trade and give want. Pure.
//!
//! A trader first answers what it is offered: mostly it accepts, now and then it asks for other
//! terms or declines, and some offers it leaves to their end. Else it makes an offer of its own, or
//! takes one back.

use holdfast_protocol::client::Verb;
use holdfast_protocol::goods::{Goods, GoodsItem};
use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::server::{PlayerState, TradeEvent};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Knows;
use crate::expect::{POTION, SWORD};

/// Open offers of one's own, after which one is taken back.
const OWN_MAX: usize = 3;
/// Terms after which nobody asks for others.
const TERMS_MAX: u32 = 4;
/// Most gold in an offer.
const GOLD_MAX: u64 = 9;
/// One offer of so many is never answered.
const IGNORED_OF: u32 = 24;
/// Gold that who gives keeps.
const KEPT: u64 = 10;

/// A trader's next command.
pub(super) fn trade(rng: &mut StdRng, others: &[PlayerId], knows: &Knows<'_>) -> Verb {
    let asked = |told: &&TradeEvent| &told.to == knows.me && !is_ignored(&told.trade_id);
    if let Some(told) = knows.dealings.open().find(asked) {
        return answer(rng, told, knows);
    }
    let own: Vec<_> = knows.dealings.open().filter(|told| &told.from == knows.me).collect();
    let takes_back = own.len() >= OWN_MAX || rng.random_bool(0.04);
    match (own.first(), others.choose(rng)) {
        (Some(oldest), _) if takes_back => Verb::TradeCancel { trade_id: oldest.trade_id.clone() },
        (_, Some(to)) => offer(rng, to, knows),
        _ => Verb::GetState {},
    }
}

/// Whether an offer is left to its end.
fn is_ignored(trade: &TradeId) -> bool {
    let sum = trade
        .as_str()
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum.is_multiple_of(IGNORED_OF)
}

fn answer(rng: &mut StdRng, told: &TradeEvent, knows: &Knows<'_>) -> Verb {
    let (trade_id, revision) = (told.trade_id.clone(), Some(told.revision));
    let pays = knows.state.is_some_and(|state| has(state, &told.want));
    let counters = told.revision < TERMS_MAX;
    match rng.random_range(0..20_u32) {
        0 => Verb::TradeCancel { trade_id },
        1..18 if pays => Verb::TradeAccept { trade_id, revision },
        _ if counters => {
            let give = knows.state.map(|state| some_of(rng, state)).unwrap_or_default();
            let want = told.give.clone();
            if give.is_empty() && want.is_empty() {
                return Verb::TradeCancel { trade_id };
            }
            Verb::TradeCounter { trade_id, give, want, revision }
        }
        _ if pays => Verb::TradeAccept { trade_id, revision },
        _ => Verb::TradeCancel { trade_id },
    }
}

fn offer(rng: &mut StdRng, to: &PlayerId, knows: &Knows<'_>) -> Verb {
    let give = knows.state.map(|state| some_of(rng, state)).unwrap_or_default();
    let want = match rng.random_range(0..16_u32) {
        0..10 => gold(rng.random_range(1..=GOLD_MAX)),
        10..14 => item(POTION),
        14 => item(SWORD),
        // A present that has to be accepted.
        _ if !give.is_empty() => Goods::default(),
        _ => item(POTION),
    };
    Verb::TradeOffer { to: to.clone(), give, want }
}

/// The next present of one who gives.
pub(super) fn give(rng: &mut StdRng, others: &[PlayerId], knows: &Knows<'_>) -> Verb {
    let Some((state, to)) = knows.state.zip(others.choose(rng)) else {
        return Verb::GetState {};
    };
    let spare: Vec<_> = state.inventory.iter().filter(|item| item.quantity > 0).collect();
    let give = match spare.choose(rng) {
        Some(spare) if rng.random_bool(0.4) => item(&spare.item_id),
        _ if state.gold > KEPT => gold(rng.random_range(1..=3)),
        _ => return Verb::GetInventory {},
    };
    Verb::Gift { to: to.clone(), give }
}

fn gold(gold: u64) -> Goods {
    Goods { gold: Some(gold), items: Vec::new() }
}

fn item(id: &str) -> Goods {
    Goods { gold: None, items: vec![GoodsItem { item_id: id.to_owned(), quantity: 1 }] }
}

/// Whether the player has them now.
fn has(state: &PlayerState, goods: &Goods) -> bool {
    let owned = |id: &str| state.inventory.iter().find(|item| item.item_id == id);
    let has = |item: &GoodsItem| owned(&item.item_id).is_some_and(|o| o.quantity >= item.quantity);
    goods.gold.is_none_or(|gold| gold <= state.gold) && goods.items.iter().all(has)
}

/// A little of what the player has; nothing where it has nothing.
fn some_of(rng: &mut StdRng, state: &PlayerState) -> Goods {
    let most = state.gold.min(GOLD_MAX);
    let coins = (most > 0).then(|| rng.random_range(1..=most));
    let owned: Vec<_> = state.inventory.iter().filter(|item| item.quantity > 0).collect();
    let one = owned.choose(rng).map(|owned| item(&owned.item_id));
    match (rng.random_range(0..4_u32), coins, one) {
        (0 | 1, Some(coins), _) | (_, Some(coins), None) => gold(coins),
        (2, coins, Some(one)) => Goods { gold: coins, ..one },
        (_, _, Some(one)) => one,
        (_, None, None) => Goods::default(),
    }
}
