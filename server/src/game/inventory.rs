//! Items: what there is, what a player carries, and what using one does.

use holdfast_protocol::server::{InventoryItem, UseBody};

use super::draft::Draft;
use super::event::Event;
use super::player::Player;
use crate::actor::contract::Reject;

/// The Iron Sword's id.
pub const SWORD: &str = "sword-001";
/// The Health Potion's id.
pub const POTION: &str = "potion-001";
/// What a player starts with.
pub const START: [(&str, u64); 2] = [(SWORD, 1), (POTION, 5)];
/// The money that a player starts with.
pub const START_GOLD: u64 = 100;
/// Health that a potion gives back.
pub const POTION_HEALTH: u32 = 50;

/// An item's name for people; what the game no longer knows is called by its id.
#[must_use]
pub fn name_of(item: &str) -> &str {
    match item {
        SWORD => "Iron Sword",
        POTION => "Health Potion",
        _ => item,
    }
}

fn entry(item: &str, quantity: u64) -> InventoryItem {
    InventoryItem { item_id: item.to_owned(), name: name_of(item).to_owned(), quantity }
}

/// What a player carries, by item id.
pub(super) fn list(player: &Player) -> Vec<InventoryItem> {
    player.inventory.iter().map(|(item, quantity)| entry(item, *quantity)).collect()
}

/// Uses one of an item up.
pub(super) fn use_item(draft: &mut Draft<'_>, item: &str) -> Result<(), Reject> {
    let quantity = draft.now.inventory.get(item).copied().unwrap_or(0);
    let Some(left) = quantity.checked_sub(1) else {
        return Err(Reject::new("no_such_item", format!("you have no {}", name_of(item))));
    };
    if item != POTION {
        return Err(Reject::new("not_useful", format!("{} can't be used up", name_of(item))));
    }
    let health = draft.now.health.saturating_add(POTION_HEALTH).min(draft.now.health_max);
    if health == draft.now.health {
        return Err(Reject::new("not_useful", "your health is full"));
    }
    draft.record(Event::ItemSet { item: item.to_owned(), quantity: left });
    draft.record(Event::Healed { health });
    draft.reply(&UseBody { item: entry(item, left), health });
    Ok(())
}
