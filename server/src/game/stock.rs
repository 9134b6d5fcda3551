//! Goods as journals hold them, and how they are counted.

use std::collections::BTreeMap;

use holdfast_protocol::goods::{Goods, GoodsItem};
use serde::{Deserialize, Serialize};

use super::inventory;

/// Gold and items. No item has quantity 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct Stock {
    /// Money.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub gold: u64,
    /// Quantities by item id.
    #[serde(rename = "i", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Stock {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gold == 0 && self.items.is_empty()
    }

    /// The goods of a message.
    #[must_use]
    pub fn of(goods: &Goods) -> Self {
        let items = goods.items.iter().map(|item| (item.item_id.clone(), item.quantity));
        Self { gold: goods.gold.unwrap_or(0), items: items.collect() }
    }

    /// The same as a message has them.
    #[must_use]
    pub fn goods(&self) -> Goods {
        let item = |(id, quantity): (&String, &u64)| GoodsItem {
            item_id: id.clone(),
            quantity: *quantity,
        };
        Goods {
            gold: (self.gold > 0).then_some(self.gold),
            items: self.items.iter().map(item).collect(),
        }
    }

    /// Adds goods.
    pub fn add(&mut self, more: &Self) {
        add(&mut self.gold, &mut self.items, more);
    }

    /// What this has of `wanted`, and what it lacks of it.
    #[must_use]
    pub fn part_of(&self, wanted: &Self) -> (Self, Self) {
        let (mut has, mut lacks) = (Self::default(), Self::default());
        has.gold = self.gold.min(wanted.gold);
        lacks.gold = wanted.gold - has.gold;
        for (item, quantity) in &wanted.items {
            let some = self.items.get(item).copied().unwrap_or(0).min(*quantity);
            has.set(item, some);
            lacks.set(item, quantity - some);
        }
        (has, lacks)
    }

    fn set(&mut self, item: &str, quantity: u64) {
        if quantity > 0 {
            self.items.insert(item.to_owned(), quantity);
        }
    }

    /// For people, such as `Iron Sword x1 and 20 gold`.
    #[must_use]
    pub fn words(&self) -> String {
        let items = self.items.iter();
        let items = items.map(|(item, n)| format!("{} x{n}", inventory::name_of(item)));
        let gold = (self.gold > 0).then(|| format!("{} gold", self.gold));
        let all: Vec<_> = items.chain(gold).collect();
        match all.split_last() {
            None => "nothing".into(),
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        }
    }
}

/// Adds goods to what is held.
pub(super) fn add(gold: &mut u64, items: &mut BTreeMap<String, u64>, more: &Stock) {
    *gold = gold.saturating_add(more.gold);
    for (item, quantity) in &more.items {
        let held = items.entry(item.clone()).or_default();
        *held = held.saturating_add(*quantity);
    }
}

/// Takes goods from what is held; what is not there is not taken. Total (I3).
pub(super) fn take(gold: &mut u64, items: &mut BTreeMap<String, u64>, less: &Stock) {
    *gold = gold.saturating_sub(less.gold);
    for (item, quantity) in &less.items {
        let left = items.get(item).copied().unwrap_or(0).saturating_sub(*quantity);
        if left == 0 {
            items.remove(item);
        } else {
            items.insert(item.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(gold: u64, items: &[(&str, u64)]) -> Stock {
        Stock { gold, items: items.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect() }
    }

    #[test]
    fn goods_are_added_and_taken() {
        let mut held = stock(10, &[("a", 1)]);
        held.add(&stock(5, &[("a", 2), ("b", 1)]));
        assert_eq!(held, stock(15, &[("a", 3), ("b", 1)]));
        take(&mut held.gold, &mut held.items, &stock(20, &[("a", 1), ("b", 1), ("c", 1)]));
        assert_eq!(held, stock(0, &[("a", 2)]));
    }

    #[test]
    fn a_part_and_what_is_lacking_are_the_whole() {
        let held = stock(10, &[("a", 1)]);
        let (has, lacks) = held.part_of(&stock(15, &[("a", 1), ("b", 2)]));
        assert_eq!((has, lacks), (stock(10, &[("a", 1)]), stock(5, &[("b", 2)])));
        let (has, lacks) = held.part_of(&stock(3, &[]));
        assert!(lacks.is_empty() && has == stock(3, &[]));
    }

    #[test]
    fn goods_have_words_and_a_form_on_the_wire() {
        let stock = stock(20, &[("potion-001", 2), ("sword-001", 1)]);
        assert_eq!(stock.words(), "Health Potion x2, Iron Sword x1 and 20 gold");
        assert_eq!(Stock::of(&stock.goods()), stock);
        assert_eq!(Stock::default().words(), "nothing");
        assert!(Stock::default().goods().is_empty());
    }
}
