//! What a person at a socket was told of trades and goods: offers by number, and items by name.
//!
//! Offers are numbered in the order of being told, from 1; a number is not used again. The terms
//! that are kept are those that were told, so that an acceptance means what its reader saw.
//! I7: at most [`OFFERS_MAX`] open offers, [`ENDED_MAX`] ended ones and [`NAMES_MAX`] names are
//! remembered; of offers the oldest are forgotten, names that are new are not learnt.

use std::collections::{BTreeMap, VecDeque};

use super::TextError;
use super::render::plain;
use crate::codes::ErrorCode;
use crate::goods::{Goods, ITEM_NAMES};
use crate::ids::TradeId;
use crate::server::{Event, InventoryItem, TradeEvent, TradePhase};

/// Most open offers that have numbers.
pub const OFFERS_MAX: usize = 64;
/// Most ended offers that are still called by their numbers.
pub const ENDED_MAX: usize = 16;
/// Most names of items, beyond the game's own.
pub const NAMES_MAX: usize = 64;

/// An open offer.
#[derive(Debug, Clone)]
struct Offer {
    number: u32,
    trade_id: TradeId,
    /// As told last; none where only the own offer's answer has come.
    terms: Option<TradeEvent>,
}

/// A trade that a word means, and the terms that its reader was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// Which.
    pub trade_id: TradeId,
    /// Which terms; none where none were told here.
    pub revision: Option<u32>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Known {
    last: u32,
    open: VecDeque<Offer>,
    ended: VecDeque<(u32, TradeId)>,
    names: BTreeMap<String, String>,
}

impl Known {
    /// Learns from an event, in whatever form it is shown.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Trade(trade) => {
                self.tell(trade);
            }
            Event::Player(player) => {
                let inventory = player.set.get("inventory").cloned().unwrap_or_default();
                self.learn(&serde_json::from_value::<Vec<_>>(inventory).unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Learns what items are called.
    pub fn learn(&mut self, inventory: &[InventoryItem]) {
        for InventoryItem { item_id, name, .. } in inventory {
            let room = self.names.len() < NAMES_MAX || self.names.contains_key(item_id);
            if room && ITEM_NAMES.iter().all(|(id, _)| id != item_id) {
                self.names.insert(item_id.clone(), name.clone());
            }
        }
    }

    /// Takes the open trades of a whole state: others are forgotten.
    pub fn sync(&mut self, trades: &[TradeEvent]) {
        self.open.retain(|offer| trades.iter().any(|trade| trade.trade_id == offer.trade_id));
        for trade in trades {
            self.tell(trade);
        }
    }

    /// Takes one trade; its number, where it is open or has been.
    pub fn tell(&mut self, trade: &TradeEvent) -> Option<u32> {
        if !matches!(trade.phase, TradePhase::Offered | TradePhase::Countered) {
            return self.end(&trade.trade_id);
        }
        let number = self.number(&trade.trade_id);
        let offer = self.open.iter_mut().find(|offer| offer.number == number)?;
        // A resume tells again what the state already holds.
        if offer.terms.as_ref().is_none_or(|terms| terms.revision <= trade.revision) {
            offer.terms = Some(trade.clone());
        }
        Some(number)
    }

    /// The number of a trade; a fresh one where it has none.
    pub fn number(&mut self, trade: &TradeId) -> u32 {
        if let Some(number) = self.number_of(trade) {
            return number;
        }
        if self.open.len() >= OFFERS_MAX {
            self.open.pop_front();
        }
        self.last = self.last.saturating_add(1);
        let (number, trade_id, terms) = (self.last, trade.clone(), None);
        self.open.push_back(Offer { number, trade_id, terms });
        number
    }

    /// The number that a trade has, or had until a while ago.
    #[must_use]
    pub fn number_of(&self, trade: &TradeId) -> Option<u32> {
        let open = self.open.iter().find(|offer| offer.trade_id == *trade);
        let ended = || self.ended.iter().find(|(_, id)| id == trade).map(|(number, _)| *number);
        open.map(|offer| offer.number).or_else(ended)
    }

    fn end(&mut self, trade: &TradeId) -> Option<u32> {
        let number = self.number_of(trade);
        let at = self.open.iter().position(|offer| offer.trade_id == *trade);
        let offer = at.and_then(|at| self.open.remove(at));
        if let Some(Offer { number, trade_id, .. }) = offer {
            if self.ended.len() >= ENDED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((number, trade_id));
        }
        number
    }

    /// The trade that a word means: an offer's number, or a trade's whole id.
    ///
    /// # Errors
    /// [`TextError`] with `no_such_trade`.
    pub fn find(&self, word: &str) -> Result<Meant, TextError> {
        let number = word.parse::<u32>().ok();
        let means = |offer: &&Offer| {
            number == Some(offer.number) || offer.trade_id.as_str().eq_ignore_ascii_case(word)
        };
        if let Some(offer) = self.open.iter().find(means) {
            let revision = offer.terms.as_ref().map(|terms| terms.revision);
            return Ok(Meant { trade_id: offer.trade_id.clone(), revision });
        }
        let no = |message| Err(TextError { code: ErrorCode::NoSuchTrade, message });
        match (number, TradeId::new(&word.to_lowercase())) {
            (Some(number), _) if self.ended.iter().any(|(ended, _)| *ended == number) => {
                no(format!("offer {number} has ended"))
            }
            (Some(number), _) => no(format!("you know no offer {number}; trade shows them")),
            (None, Ok(trade_id)) => Ok(Meant { trade_id, revision: None }),
            (None, Err(_)) => no("an offer is called by its number; trade shows them".to_owned()),
        }
    }

    /// What is open, by number.
    pub fn offers(&self) -> impl Iterator<Item = (u32, &TradeEvent)> {
        self.open.iter().filter_map(|offer| Some((offer.number, offer.terms.as_ref()?)))
    }

    /// What `player` has reserved for others.
    pub fn reserved<'a>(&'a self, player: &'a str) -> impl Iterator<Item = &'a Goods> {
        let own = self.offers().filter(move |(_, trade)| trade.from.as_str() == player);
        own.map(|(_, trade)| &trade.give)
    }

    /// An item's name, without control characters; its id where no name is known.
    #[must_use]
    pub fn name(&self, item_id: &str) -> String {
        let known = self.names.get(item_id).map(String::as_str);
        plain(known.or_else(|| game_name(item_id)).unwrap_or(item_id))
    }

    /// The id of the item that a word means, wherever the item is: its id, a word of its name, or
    /// its whole name, in small letters.
    #[must_use]
    pub fn item(&self, word: &str) -> Option<&str> {
        let game = ITEM_NAMES.iter().copied();
        let learnt = self.names.iter().map(|(id, name)| (id.as_str(), name.as_str()));
        let mut all = game.chain(learnt);
        all.find(|(id, name)| *id == word || is_called(name, word)).map(|(id, _)| id)
    }
}

/// The name of an item of the reference game.
#[must_use]
pub fn game_name(item_id: &str) -> Option<&'static str> {
    ITEM_NAMES.iter().find(|(id, _)| *id == item_id).map(|(_, name)| *name)
}

/// Whether a name, or a word of it, is `word`, which is in small letters.
pub(super) fn is_called(name: &str, word: &str) -> bool {
    let name = name.to_lowercase();
    name == word || name.split_whitespace().any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(id: &str, phase: TradePhase, revision: u32) -> TradeEvent {
        let gold = |gold| Goods { gold: Some(gold), items: vec![] };
        TradeEvent {
            trade_id: TradeId::new(id).unwrap(),
            phase,
            revision,
            from: "alice".parse().unwrap(),
            to: "bob".parse().unwrap(),
            give: gold(u64::from(revision)),
            want: gold(7),
            expires_ms: 60_000,
            why: None,
        }
    }

    fn found(known: &Known, word: &str) -> (String, Option<u32>) {
        let meant = known.find(word).unwrap();
        (meant.trade_id.to_string(), meant.revision)
    }

    #[test]
    fn offers_are_numbered_as_they_are_told() {
        let mut known = Known::default();
        assert_eq!(known.tell(&trade("t-a", TradePhase::Offered, 1)), Some(1));
        assert_eq!(known.tell(&trade("t-b", TradePhase::Offered, 1)), Some(2));
        assert_eq!(known.tell(&trade("t-a", TradePhase::Countered, 2)), Some(1));
        assert_eq!(found(&known, "1"), ("t-a".into(), Some(2)));
        assert_eq!(found(&known, "T-B"), ("t-b".into(), Some(1)), "by its id");
        assert_eq!(found(&known, "t-elsewhere"), ("t-elsewhere".into(), None));
        assert_eq!(known.tell(&trade("t-a", TradePhase::Committed, 2)), Some(1));
        let ended = known.find("1").unwrap_err().to_string();
        assert_eq!(ended, "no_such_trade: offer 1 has ended");
        assert!(known.find("9").unwrap_err().to_string().contains("no offer 9"));
        assert!(known.find("b!").unwrap_err().to_string().contains("by its number"));
        assert_eq!(known.tell(&trade("t-c", TradePhase::Offered, 1)), Some(3), "never again 1");
        assert_eq!(known.tell(&trade("t-gift", TradePhase::Committed, 1)), None);
        assert_eq!(known.number_of(&TradeId::new("t-a").unwrap()), Some(1), "for a while");
    }

    #[test]
    fn terms_never_go_back() {
        let mut known = Known::default();
        known.tell(&trade("t-a", TradePhase::Countered, 3));
        known.tell(&trade("t-a", TradePhase::Offered, 1));
        assert_eq!(found(&known, "1").1, Some(3));
    }

    #[test]
    fn an_own_offer_has_its_number_from_its_answer_on() {
        let mut known = Known::default();
        assert_eq!(known.number(&TradeId::new("t-a").unwrap()), 1);
        assert_eq!(found(&known, "1"), ("t-a".into(), None));
        assert_eq!(known.tell(&trade("t-a", TradePhase::Offered, 1)), Some(1));
        assert_eq!(found(&known, "1").1, Some(1));
        assert_eq!(known.reserved("alice").filter_map(|goods| goods.gold).sum::<u64>(), 1);
        assert_eq!(known.reserved("bob").count(), 0);
    }

    #[test]
    fn a_whole_state_ends_what_it_does_not_hold() {
        let mut known = Known::default();
        known.tell(&trade("t-a", TradePhase::Offered, 1));
        known.tell(&trade("t-b", TradePhase::Offered, 1));
        known.sync(&[trade("t-b", TradePhase::Offered, 1), trade("t-c", TradePhase::Offered, 1)]);
        let open: Vec<u32> = known.offers().map(|(number, _)| number).collect();
        assert_eq!(open, [2, 3]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut known = Known::default();
        for n in 0..3 * OFFERS_MAX {
            known.tell(&trade(&format!("t-{n}"), TradePhase::Offered, 1));
        }
        assert_eq!((known.open.len(), known.last), (OFFERS_MAX, 3 * OFFERS_MAX as u32));
        assert!(known.find("1").is_err(), "the oldest is forgotten");
        for n in 0..3 * OFFERS_MAX {
            known.tell(&trade(&format!("t-{n}"), TradePhase::Expired, 1));
        }
        assert_eq!((known.open.len(), known.ended.len()), (0, ENDED_MAX));
        for n in 0..2 * NAMES_MAX {
            let (item_id, name) = (format!("item-{n}"), "Thing".to_owned());
            known.learn(&[InventoryItem { item_id, name, quantity: 1 }]);
        }
        assert_eq!(known.names.len(), NAMES_MAX);
    }

    #[test]
    fn items_have_names_wherever_they_are() {
        let mut known = Known::default();
        let set = serde_json::json!({"inventory": [
            {"item_id": "ring-9", "name": "Ring\u{7} of Fire", "quantity": 1}]});
        let set = set.as_object().unwrap().clone();
        known.hear(&Event::Player(crate::server::PlayerEvent { set }));
        assert_eq!(known.name("ring-9"), "Ring  of Fire");
        assert_eq!(known.name("sword-001"), "Iron Sword");
        assert_eq!(known.name("what"), "what");
        assert_eq!(known.item("fire"), Some("ring-9"));
        assert_eq!(known.item("health potion"), Some("potion-001"));
        assert_eq!(known.item("potion-001"), Some("potion-001"));
        assert_eq!(known.item("pot"), None);
    }
}
