//! Coins in arenas: where they lie, who may ask for one, and how it comes to whoever asked.
//!
//! A room puts coins down and gives each away once, by its own journal. The player's actor hears
//! from its node that a coin is near, checks that itself, and asks the room by tell; the answer
//! brings the gold. A coin that a room has put down is minted: the room holds it, then its answer
//! carries it, then the player has it (I9). So the answer is credited wherever the player is by
//! then, and whether it remembers to have asked.

use std::collections::BTreeSet;

use holdfast_protocol::movement::{Position, WORLD_SIZE};
use holdfast_protocol::server::CoinRow;
use serde::{Deserialize, Serialize};

use super::ROOM;
use super::draft::Draft;
use super::event::Event;
use super::player::Player;
use super::tells::ToRoom;
use crate::actor::contract::Reject;

/// What the ids of rooms with coins begin with.
pub const ARENA: &str = "arena";
/// Gold of a coin.
pub const COIN_GOLD: u64 = 5;
/// Time from one coin to the next, in milliseconds.
pub const COIN_EVERY_MS: u64 = 2_000;
/// Coins that lie in one room at most, besides those that found nobody and came back.
pub const COINS_MAX: usize = 20;
/// Coins that one player may have asked for; of more, the first are not waited for any longer.
pub const ASKED_MAX: usize = 20;
/// Least distance of a coin from the edge of the world, in units.
pub const MARGIN: i32 = 96;

/// Coins that a player has asked its room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Asked {
    /// By number; at most [`ASKED_MAX`].
    #[serde(default)]
    pub(super) coins: BTreeSet<u64>,
}

/// Whether a room has coins.
#[must_use]
pub fn is_arena(room: &str) -> bool {
    room.starts_with(ARENA)
}

/// Where a coin lies: by its numbers alone, so that no journal has to say it.
#[must_use]
pub fn place(room: &str, coin: u64) -> Position {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let seed = room.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    // The finish of splitmix64: neighbouring numbers lie apart.
    let mixed = seed.wrapping_add(coin.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mixed = mixed ^ (mixed >> 31);
    Position { x: along(mixed), y: along(mixed >> 32) }
}

fn along(half: u64) -> i32 {
    let span = i64::from(WORLD_SIZE - 2 * MARGIN);
    let offset = i64::try_from(half & 0xffff_ffff).unwrap_or(0) % span;
    MARGIN + i32::try_from(offset).unwrap_or(0)
}

/// A coin as it is shown.
#[must_use]
pub fn row(room: &str, coin: u64) -> CoinRow {
    let Position { x, y } = place(room, coin);
    CoinRow { coin, x, y }
}

/// Asks the room for a coin that is near.
pub(super) fn reach(draft: &mut Draft<'_>, coin: u64) -> Result<(), Reject> {
    let Some(place) = draft.now.room.as_ref().filter(|place| is_arena(&place.room)) else {
        return Err(Reject::new("not_in_room", "coins lie in arenas only"));
    };
    let room = place.room.clone();
    if let Some(defeat) = draft.now.defeat("pick up coins") {
        return Err(defeat);
    }
    let Position { x, y } = draft.now.at;
    if !row(&room, coin).is_in_reach(x, y) {
        return Err(Reject::new("not_useful", "the coin is out of reach"));
    }
    if draft.now.asked.as_ref().is_some_and(|asked| asked.coins.contains(&coin)) {
        return Err(Reject::new("not_useful", "the coin was asked for already"));
    }
    draft.tell(ROOM, &room, &ToRoom::Take { coin }, false);
    draft.record(Event::CoinAsked { coin });
    draft.reply_empty();
    Ok(())
}

/// The room gave a coin.
pub(super) fn given(draft: &mut Draft<'_>, room: &str, coin: u64, gold: u64) {
    draft.record(Event::Coined { room: room.into(), coin, gold });
}

/// The room has no such coin any more, or can't be asked.
pub(super) fn missed(draft: &mut Draft<'_>, room: &str, coin: u64) {
    let here = draft.now.room.as_ref().is_some_and(|place| *place.room == *room);
    let waits = draft.now.asked.as_ref().is_some_and(|asked| asked.coins.contains(&coin));
    if here && waits {
        draft.record(Event::CoinMissed { coin });
    }
}

/// Folds that a coin was asked for.
pub(super) fn ask(player: &mut Player, coin: u64) {
    let asked = &mut player.asked.get_or_insert_default().coins;
    asked.insert(coin);
    if asked.len() > ASKED_MAX {
        asked.pop_first();
    }
}

/// Folds that a coin is not waited for any longer.
pub(super) fn answered(player: &mut Player, coin: u64) {
    let Some(asked) = &mut player.asked else { return };
    asked.coins.remove(&coin);
    if asked.coins.is_empty() {
        player.asked = None;
    }
}
