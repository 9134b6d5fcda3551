//! The player's trades, as its state holds them, and how facts change them.
//!
//! I9: goods of an open trade are reserved: they are in no inventory until the trade speaks. What
//! was settled is remembered until the trade has said its last word, and for a while after it, so
//! that nothing is settled twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::DealEvent;
use super::state::Player;
use super::stock::{self, Stock};
use super::trade::{FORGET_MS, Terms};
use crate::actor::contract::Token;

/// Open trades of a player.
pub const DEALS_MAX: usize = 16;
/// Trades of a player that are open or not yet forgotten.
pub const KNOWN_MAX: usize = 256;
/// How long what was settled is remembered if its trade never speaks again, in milliseconds.
pub(super) const ORPHAN_MS: u64 = 86_400_000;

/// Whose command waits for the trade's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    /// An offer or a counter-offer.
    #[serde(rename = "made")]
    Terms(Token),
    /// An acceptance; of a gift there is no command.
    #[serde(rename = "yes")]
    Acceptance(Option<Token>),
    /// A cancellation.
    #[serde(rename = "stop")]
    Cancellation(Token),
}

/// An open trade, from one of its sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deal {
    /// The newest terms that the player knows.
    pub terms: Terms,
    /// The terms that the player stands by: its goods are reserved for them.
    pub bound: Option<u32>,
    /// The reserved goods.
    pub escrow: Stock,
    /// Whose command waits.
    pub waiting: Option<Waiting>,
}

/// A trade that was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// By which terms; none after the trade's last word. An erased trade that a late word creates
    /// anew must not hear of them: it would settle them with a side that has forgotten.
    pub terms: Option<Terms>,
    /// When, or when the last word came, in Unix milliseconds.
    pub at_ms: u64,
}

/// What a player has to do with trades. Boxed, because most players have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Deals {
    /// Open ones by id; at most [`DEALS_MAX`] and gifts that are on their way.
    pub open: BTreeMap<Arc<str>, Deal>,
    /// Settled ones by id; with the open ones at most [`KNOWN_MAX`].
    pub settled: BTreeMap<Arc<str>, Settled>,
    /// See [`DealEvent::Made`].
    pub pace_ms: u64,
    /// When the timer fires, if it is set.
    pub timer_ms: Option<u64>,
}

impl Deals {
    /// When a settled trade may be forgotten.
    fn forget_ms(settled: &Settled) -> u64 {
        let after_ms = if settled.terms.is_some() { ORPHAN_MS } else { FORGET_MS };
        settled.at_ms.saturating_add(after_ms)
    }

    /// When there is something to look at again.
    pub fn next_ms(&self, overdue: impl Fn(&Deal) -> u64) -> Option<u64> {
        let open = self.open.values().map(overdue);
        open.chain(self.settled.values().map(Self::forget_ms)).min()
    }
}

impl Player {
    /// Open trades by id.
    pub(super) fn open_deals(&self) -> impl Iterator<Item = (&Arc<str>, &Deal)> {
        self.deals.iter().flat_map(|deals| deals.open.iter())
    }

    pub(super) fn deal(&self, trade: &str) -> Option<&Deal> {
        self.deals.as_ref()?.open.get(trade)
    }

    pub(super) fn settled(&self, trade: &str) -> Option<&Settled> {
        self.deals.as_ref()?.settled.get(trade)
    }

    /// What the player holds; what is reserved is not among it.
    pub(super) fn holdings(&self) -> Stock {
        Stock { gold: self.gold, items: self.inventory.clone() }
    }

    /// What is reserved in open trades.
    pub(super) fn escrow(&self) -> Stock {
        let mut all = Stock::default();
        self.open_deals().for_each(|(_, deal)| all.add(&deal.escrow));
        all
    }

    fn put(&mut self, goods: &Stock) {
        stock::add(&mut self.gold, &mut self.inventory, goods);
    }

    fn take(&mut self, goods: &Stock) {
        stock::take(&mut self.gold, &mut self.inventory, goods);
    }

    /// Ends an open trade's escrow, and the trade's being open.
    fn release(&mut self, trade: &str) -> Option<Deal> {
        let mut deal = self.deals.as_mut()?.open.remove(trade)?;
        self.put(&std::mem::take(&mut deal.escrow));
        Some(deal)
    }

    /// Reserves goods for an open trade.
    fn bind(&mut self, trade: &Arc<str>, terms: Terms, escrow: Stock, waiting: Waiting) {
        self.release(trade);
        self.take(&escrow);
        let deal = Deal { bound: Some(terms.revision), terms, escrow, waiting: Some(waiting) };
        self.deals.get_or_insert_default().open.insert(Arc::clone(trade), deal);
    }

    pub(super) fn apply_deal(&mut self, trade: &Arc<str>, event: &DealEvent) {
        match event {
            DealEvent::Made { terms, token, pace } => {
                let waiting = Waiting::Terms(*token);
                self.bind(trade, terms.clone(), terms.give.clone(), waiting);
                let deals = self.deals.get_or_insert_default();
                deals.pace_ms = deals.pace_ms.max(*pace);
            }
            DealEvent::Heard { terms } => {
                self.release(trade);
                let (terms, escrow) = (terms.clone(), Stock::default());
                let deal = Deal { terms, bound: None, escrow, waiting: None };
                self.deals.get_or_insert_default().open.insert(Arc::clone(trade), deal);
            }
            DealEvent::Accepted { token } => {
                if let Some(terms) = self.deal(trade).map(|deal| deal.terms.clone()) {
                    let want = terms.want.clone();
                    self.bind(trade, terms, want, Waiting::Acceptance(*token));
                }
            }
            DealEvent::Cancelling { token } => {
                self.wait(trade, Some(Waiting::Cancellation(*token)))
            }
            DealEvent::Opened => self.wait(trade, None),
            DealEvent::Ended => {
                self.release(trade);
            }
            DealEvent::Settled { terms, gave, got, at, last } => {
                self.release(trade);
                self.take(gave);
                self.put(got);
                let terms = (!last).then(|| terms.clone());
                let settled = Settled { terms, at_ms: *at };
                self.deals.get_or_insert_default().settled.insert(Arc::clone(trade), settled);
            }
            DealEvent::Closed { at } => {
                let deals = self.deals.as_mut();
                if let Some(settled) = deals.and_then(|deals| deals.settled.get_mut(trade)) {
                    *settled = Settled { terms: None, at_ms: *at };
                }
            }
        }
    }

    fn wait(&mut self, trade: &str, waiting: Option<Waiting>) {
        if let Some(deal) = self.deals.as_mut().and_then(|deals| deals.open.get_mut(trade)) {
            deal.waiting = waiting;
        }
    }

    pub(super) fn sweep_deals(&mut self, at_ms: u64, next_ms: Option<u64>) {
        let Some(deals) = &mut self.deals else { return };
        deals.settled.retain(|_, settled| Deals::forget_ms(settled) > at_ms);
        deals.timer_ms = next_ms;
        let is_idle = deals.open.is_empty() && deals.settled.is_empty();
        if is_idle && deals.pace_ms <= at_ms && next_ms.is_none() {
            self.deals = None;
        }
    }
}
