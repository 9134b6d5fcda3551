//! Holds what the two sides of each trade were told against each other. Pure.
//!
//! Players who deal with each other are of one process (those of one room stay together), so that
//! both sides are here.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::server::{PartyInfo, TradeEvent, TradePhase};

use crate::load::dealings::{Book, is_over, line, name, same_terms};

/// One player, as far as others have to do with it.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub player: PlayerId,
    /// What it was told of trades, by what came and by its journal.
    pub trades: Book,
    /// Nothing is missing in that.
    pub whole: bool,
    /// Trades that it was told it had accepted.
    pub accepted: BTreeSet<TradeId>,
    /// The party that its state names.
    pub party: Option<PartyInfo>,
}

/// Something on which players are not of one mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Whose, such as `alice and bob`.
    pub players: String,
    pub what: String,
    /// What each was told.
    pub shows: Vec<String>,
}

/// What was looked at and what was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub looked_at: u64,
    pub broken: Vec<Broken>,
    /// Trades of which one side is not known.
    pub unknown: u64,
}

/// Compares all trades of which anything was told.
pub(super) fn compare(sides: &[Side]) -> Found {
    let by_name: BTreeMap<&PlayerId, &Side> = sides.iter().map(|s| (&s.player, s)).collect();
    let mut trades: BTreeMap<&TradeId, [&PlayerId; 2]> = BTreeMap::new();
    for told in sides.iter().flat_map(|side| side.trades.iter()) {
        trades.entry(&told.trade_id).or_insert([&told.from, &told.to]);
    }
    let mut found = Found::default();
    for (trade, players) in trades {
        found.looked_at += 1;
        match players.map(|player| by_name.get(player).copied()) {
            [Some(one), Some(other)] => found.broken.extend(judge(trade, one, other)),
            _ => found.unknown += 1,
        }
    }
    for side in sides {
        found.looked_at += side.accepted.len() as u64;
        found.broken.extend(side.accepted.iter().filter_map(|trade| acceptance(trade, side)));
    }
    found
}

fn broken(trade: &TradeId, [one, other]: [&Side; 2], why: &str) -> Broken {
    let show = |side: &Side| {
        let told = side.trades.get(trade).map_or_else(|| "nothing".to_owned(), line);
        format!("{} was told: {told}", side.player)
    };
    let players = format!("{} and {}", one.player, other.player);
    let what = format!("trade {trade} of {players}: {why}");
    Broken { players, what, shows: vec![show(one), show(other)] }
}

/// The end of a trade, if it was told to one.
fn end<'a>(trade: &TradeId, side: &'a Side) -> Option<&'a TradeEvent> {
    side.trades.get(trade).filter(|told| is_over(told.phase))
}

fn judge(trade: &TradeId, one: &Side, other: &Side) -> Option<Broken> {
    let odd = |why: &str| Some(broken(trade, [one, other], why));
    let (silent, told) = match (end(trade, one), end(trade, other)) {
        (Some(a), Some(b)) if a.phase != b.phase => {
            let (a, b) = (name(a.phase), name(b.phase));
            return odd(&format!("{a} for {}, {b} for {}", one.player, other.player));
        }
        (Some(a), Some(b)) if a.phase == TradePhase::Committed && !same_terms(a, b) => {
            return odd("committed on different terms");
        }
        (Some(_), Some(_)) => return None,
        (None, None) if one.whole && other.whole => return odd("it never came to an end"),
        (None, None) => return None,
        (Some(told), None) => (other, told),
        (None, Some(told)) => (one, told),
    };
    // Who never heard of a trade that came to nothing has nothing to hear.
    let heard = silent.trades.get(trade).is_some() || told.phase == TradePhase::Committed;
    if !silent.whole || !heard {
        return None;
    }
    odd(&format!("{} was never told that it is {}", silent.player, name(told.phase)))
}

/// Whoever was told that it had accepted has a trade.
fn acceptance(trade: &TradeId, side: &Side) -> Option<Broken> {
    let what = match end(trade, side) {
        Some(told) if told.phase == TradePhase::Committed => return None,
        Some(told) => name(told.phase),
        None if side.whole => "not committed",
        None => return None,
    };
    let shows = side.trades.get(trade).map(line).into_iter().collect();
    let players = side.player.to_string();
    let what = format!("its acceptance of trade {trade} was answered ok, and the trade is {what}");
    Some(Broken { players, what, shows })
}

#[cfg(test)]
#[path = "trades/tests.rs"]
mod tests;
