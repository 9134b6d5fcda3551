//! What a player was told of its trades, put together from events, and whether it was in a party.
//! Pure.
//!
//! - A trade ends once: nothing else is told of it afterwards.
//! - Its terms are counted: the count never falls, and each has one set of terms.
//! - Whoever resumed without a replay may have missed something; then it is not whole.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::goods::Goods;
use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::server::{Event, PartyEvent, PlayerState, TradeEvent, TradePhase};

/// Something that was told and can't be right, in words.
pub type Odd = String;

/// Whether a trade in this phase has ended.
#[must_use]
pub const fn is_over(phase: TradePhase) -> bool {
    matches!(phase, TradePhase::Committed | TradePhase::Cancelled | TradePhase::Expired)
}

/// A phase in a word.
#[must_use]
pub const fn name(phase: TradePhase) -> &'static str {
    match phase {
        TradePhase::Offered => "offered",
        TradePhase::Countered => "countered",
        TradePhase::Committed => "committed",
        TradePhase::Cancelled => "cancelled",
        TradePhase::Expired => "expired",
    }
}

/// Goods in a few words, such as `5 gold, 1 potion-001`.
#[must_use]
pub fn say(goods: &Goods) -> String {
    let gold = goods.gold.map(|gold| format!("{gold} gold"));
    let items = goods.items.iter().map(|item| format!("{} {}", item.quantity, item.item_id));
    let all: Vec<String> = gold.into_iter().chain(items).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

/// Terms and phase of a trade in a line.
#[must_use]
pub fn line(told: &TradeEvent) -> String {
    let TradeEvent { phase, revision, from, to, give, want, .. } = told;
    let (phase, give, want) = (name(*phase), say(give), say(want));
    format!("{phase}, terms {revision}: {give} of {from} for {want} of {to}")
}

/// Whether both speak of the same terms.
#[must_use]
pub fn same_terms(one: &TradeEvent, other: &TradeEvent) -> bool {
    let terms = |of: &TradeEvent| {
        (of.revision, of.from.clone(), of.to.clone(), of.give.clone(), of.want.clone())
    };
    terms(one) == terms(other)
}

/// Trades, each as it was told last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Book {
    told: BTreeMap<TradeId, TradeEvent>,
}

impl Book {
    /// Takes what was told. False: it was known.
    ///
    /// # Errors
    /// A sentence when it contradicts what was told before.
    pub fn note(&mut self, told: &TradeEvent) -> Result<bool, Odd> {
        if let Some(known) = self.told.get(&told.trade_id) {
            let again = same_terms(known, told);
            let contradicts = match (is_over(known.phase), told.revision.cmp(&known.revision)) {
                (true, _) if known.phase == told.phase && again => return Ok(false),
                (true, _) | (false, std::cmp::Ordering::Less) => true,
                (false, std::cmp::Ordering::Equal) => !again,
                (false, std::cmp::Ordering::Greater) => false,
            };
            if contradicts {
                let (id, was, is) = (&told.trade_id, line(known), line(told));
                return Err(format!("trade {id} was {was}; then it was {is}"));
            }
            if again && known.phase == told.phase {
                return Ok(false);
            }
        }
        self.told.insert(told.trade_id.clone(), told.clone());
        Ok(true)
    }

    /// Takes what another book has of the same player.
    ///
    /// # Errors
    /// A sentence for each trade of which they say different things; the first word stands.
    pub fn merge(&mut self, other: &Self) -> Result<(), Vec<Odd>> {
        let mut odd = Vec::new();
        for theirs in other.told.values() {
            let ours = self.told.get(&theirs.trade_id).cloned();
            // Of two that go on, the one that is behind says nothing new.
            let is_behind = ours.as_ref().is_some_and(|ours| {
                !is_over(theirs.phase)
                    && (is_over(ours.phase) || theirs.revision < ours.revision)
                    && (theirs.revision < ours.revision || same_terms(ours, theirs))
            });
            if !is_behind {
                odd.extend(self.note(theirs).err());
            }
        }
        if odd.is_empty() { Ok(()) } else { Err(odd) }
    }

    /// What was told last of a trade.
    #[must_use]
    pub fn get(&self, trade: &TradeId) -> Option<&TradeEvent> {
        self.told.get(trade)
    }

    /// All, by their ids.
    pub fn iter(&self) -> impl Iterator<Item = &TradeEvent> {
        self.told.values()
    }

    /// Whether nothing was told of any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Dealings {
    /// Every trade that was told of.
    pub trades: Book,
    /// It was in a party, which may have led it into rooms.
    pub led: bool,
    /// Something may have been told that did not come.
    pub missed: bool,
    /// Trades that ended while nothing was heard.
    unseen: BTreeSet<TradeId>,
    greeted: bool,
}

impl Dealings {
    /// Takes the state that comes with a session. `whole`: everything that was told since the
    /// last one follows.
    ///
    /// # Errors
    /// A sentence when it contradicts what was told before.
    pub fn welcome(&mut self, state: &PlayerState, whole: bool) -> Result<(), Odd> {
        if whole {
            return Ok(());
        }
        self.missed |= std::mem::replace(&mut self.greeted, true);
        let open: BTreeSet<&TradeId> = state.trades.iter().map(|told| &told.trade_id).collect();
        let ended = self.trades.iter().filter(|told| !is_over(told.phase));
        let ended = ended.filter(|told| !open.contains(&told.trade_id));
        self.unseen.extend(ended.map(|told| told.trade_id.clone()));
        self.led |= state.party.is_some();
        for told in &state.trades {
            self.trades.note(told)?;
        }
        Ok(())
    }

    /// Takes a numbered event; gives a trade that is in a new phase.
    ///
    /// # Errors
    /// A sentence when it contradicts what was told before, or is none of the player's business.
    pub fn event(&mut self, me: &PlayerId, event: &Event) -> Result<Option<TradeEvent>, Odd> {
        match event {
            Event::Trade(told) if &told.from != me && &told.to != me => {
                Err(format!("trade {} is of others: {}", told.trade_id, line(told)))
            }
            Event::Trade(told) => Ok(self.trades.note(told)?.then(|| told.clone())),
            Event::Party(PartyEvent { party: Some(party), .. }) => {
                self.led |= party.members.contains(me);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Whether there was any trade or party.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.trades.is_empty() || self.led
    }

    /// Trades that are open as far as is known, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = &TradeEvent> {
        let open = |told: &&TradeEvent| !is_over(told.phase);
        self.trades.iter().filter(open).filter(|told| !self.unseen.contains(&told.trade_id))
    }
}

#[cfg(test)]
#[path = "dealings/tests.rs"]
pub(crate) mod tests;
