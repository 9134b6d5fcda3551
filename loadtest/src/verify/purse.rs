//! What a player's journal says of its trades, its coins and the gold of defeats. Pure.

use holdfast_protocol::server::TradeEvent;
use serde::Deserialize;

use super::journal::Fact;
use crate::load::dealings::Book;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// What the player was told of trades, whether it had a socket or not.
    pub trades: Book,
    /// Contradictions in that, in sentences.
    pub odd: Vec<String>,
    /// Coins that came: the room, and the coin's number there.
    pub coins: Vec<(String, u64)>,
    /// Gold of those coins.
    pub found: u64,
    /// Gold that came by coins and defeats, less what was lost by defeats.
    pub gained: i128,
}

#[derive(Deserialize)]
struct Pushed<'a> {
    ev: &'a str,
}

#[derive(Deserialize)]
struct Coin<'a> {
    room: &'a str,
    coin: u64,
    gold: u64,
}

#[derive(Deserialize)]
struct Gold {
    gold: u64,
}

impl Purse {
    /// Takes the next fact.
    pub(super) fn take(&mut self, fact: &Fact<'_>) {
        match (fact.what, fact.event()) {
            ("pushed", _) => self.told(fact),
            (_, Some("coin")) => {
                if let Some(Coin { room, coin, gold }) = fact.read() {
                    self.coins.push((room.to_owned(), coin));
                    self.found += gold;
                    self.gained += i128::from(gold);
                }
            }
            (_, Some("loot")) => self.gained += gold(fact),
            (_, Some("rob")) => self.gained -= gold(fact),
            _ => {}
        }
    }

    fn told(&mut self, fact: &Fact<'_>) {
        if fact.read::<Pushed<'_>>().is_none_or(|pushed| pushed.ev != "trade") {
            return;
        }
        match fact.read::<TradeEvent>() {
            Some(told) => self.odd.extend(self.trades.note(&told).err()),
            None => self.odd.push("an event of a trade in the journal can't be read".to_owned()),
        }
    }
}

fn gold(fact: &Fact<'_>) -> i128 {
    fact.read().map_or(0, |Gold { gold }| i128::from(gold))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::load::dealings::tests::told;

    fn purse(facts: &[Value]) -> Purse {
        let mut purse = Purse::default();
        for fact in facts {
            purse.take(&serde_json::from_str(&fact.to_string()).unwrap());
        }
        purse
    }

    fn event(name: &str, data: &Value) -> Value {
        json!({"what": "event", "name": name, "data": data})
    }

    fn pushed(phase: &str) -> Value {
        let mut data = serde_json::to_value(told("t1", phase, 1)).unwrap();
        data["ev"] = json!("trade");
        json!({"what": "pushed", "data": data})
    }

    #[test]
    fn coins_and_the_gold_of_defeats_are_counted() {
        let purse = purse(&[
            event("coin", &json!({"room": "arena", "coin": 7, "gold": 5})),
            event("rob", &json!({"gold": 9, "by": "bob", "token": 1})),
            event("loot", &json!({"gold": 2, "from": "bob", "token": 1})),
            event("in", &json!({"gold": 99})),
        ]);
        assert_eq!((purse.coins, purse.found), (vec![("arena".to_owned(), 7)], 5));
        assert_eq!(purse.gained, -2);
    }

    #[test]
    fn what_was_pushed_of_trades_is_what_was_told() {
        let notice = json!({"what": "pushed", "data": {"ev": "notice", "text": "a trade"}});
        let fine = purse(&[notice, pushed("offered"), pushed("committed")]);
        assert_eq!((fine.trades.iter().count(), fine.odd.len()), (1, 0));
        let odd = purse(&[pushed("committed"), pushed("expired")]).odd;
        assert!(odd[0].contains("then it was expired"), "{odd:?}");
        let broken = json!({"what": "pushed", "data": {"ev": "trade", "phase": "lost"}});
        assert_eq!(purse(&[broken]).odd.len(), 1);
    }
}
