//! Goods: gold and items, as trades and gifts name them. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::client::ITEM_ID_LEN_MAX;

/// Most of one good in one trade.
pub const QUANTITY_MAX: u64 = 1_000_000_000;
/// Most kinds of items on one side of a trade.
pub const ITEMS_MAX: usize = 16;

/// The items of the reference game by id and name: people name what they do not carry, too.
pub const ITEM_NAMES: [(&str, &str); 2] =
    [("sword-001", "Iron Sword"), ("potion-001", "Health Potion")];

/// A quantity of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoodsItem {
    /// Which item.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub item_id: String,
    /// How many: 1 to 1,000,000,000.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    pub quantity: u64,
}

/// What one side of a trade gives. Empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Goods {
    /// Gold: 1 to 1,000,000,000; absent is none.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<u64>,
    /// Items, each kind once; at most 16 kinds.
    #[cfg_attr(feature = "openapi", schema(max_items = 16))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<GoodsItem>,
}

impl Goods {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gold.is_none() && self.items.is_empty()
    }

    /// Whether every quantity is in range and every item is named once.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        let in_range = |quantity: &u64| (1..=QUANTITY_MAX).contains(quantity);
        let mut seen = BTreeSet::new();
        let is_item = |item: &GoodsItem| {
            let len = item.item_id.chars().take(ITEM_ID_LEN_MAX + 1).count();
            (1..=ITEM_ID_LEN_MAX).contains(&len) && in_range(&item.quantity)
        };
        self.gold.as_ref().is_none_or(in_range)
            && self.items.len() <= ITEMS_MAX
            && self.items.iter().all(is_item)
            && self.items.iter().all(|item| seen.insert(&item.item_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &[(&str, u64)]) -> Goods {
        let item = |&(id, quantity): &(&str, u64)| GoodsItem { item_id: id.to_owned(), quantity };
        Goods { gold: None, items: list.iter().map(item).collect() }
    }

    #[test]
    fn quantities_have_a_range_and_items_stand_once() {
        assert!(Goods::default().is_empty() && Goods::default().is_allowed());
        assert!(Goods { gold: Some(QUANTITY_MAX), items: vec![] }.is_allowed());
        assert!(!Goods { gold: Some(QUANTITY_MAX + 1), items: vec![] }.is_allowed());
        assert!(!Goods { gold: Some(0), items: vec![] }.is_allowed());
        assert!(items(&[("a", 1), ("b", 2)]).is_allowed());
        assert!(!items(&[("a", 1), ("a", 2)]).is_allowed(), "twice");
        assert!(!items(&[("a", 0)]).is_allowed() && !items(&[("", 1)]).is_allowed());
        let many: Vec<_> = (0..=ITEMS_MAX).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(|id| (id.as_str(), 1)).collect();
        assert!(!items(&many).is_allowed() && items(&many[1..]).is_allowed());
    }
}
