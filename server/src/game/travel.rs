//! The player's side of rooms: asking for places, taking them, giving them back.
//!
//! The room judges. Each join has a number of the player's own; the answer that comes last wins,
//! and a place that is no longer wanted is given back by its number, so that no room keeps a
//! stale place.

use std::sync::Arc;

use holdfast_protocol::server::RoomBody;

use super::draft::Draft;
use super::event::Event;
use super::fellowship::{self, FellowEvent};
use super::player::{Join, Presence};
use super::tells::ToRoom;
use super::tells::party::Why;
use super::{ROOM, public, room};
use crate::actor::contract::{Reject, Token};

/// Joins of one player that may wait for their rooms.
pub const JOINS_MAX: usize = 8;

/// Asks a room for a place.
pub(super) fn join(draft: &mut Draft<'_>, room: &str) -> Result<(), Reject> {
    if draft.now.presence == Presence::Offline {
        return Err(Reject::new("not_in_room", "the player is offline and can't enter a room"));
    }
    if let Some(place) = draft.now.room.as_ref().filter(|place| *place.room == *room) {
        let body = RoomBody { room: public::room_info(place) };
        draft.reply(&body);
        return Ok(());
    }
    drop_idle(draft);
    if draft.now.joins.len() >= JOINS_MAX {
        return Err(Reject::new("too_many_in_flight", "too many joins wait for their rooms"));
    }
    let token = draft.reply_later();
    ask(draft, room.into(), Some(token));
    Ok(())
}

/// Asks for a place in the room that the player had to leave.
pub(super) fn rejoin(draft: &mut Draft<'_>) {
    if draft.now.room.is_some() || !draft.now.joins.is_empty() {
        return;
    }
    if let Some(room) = draft.now.remembered.clone() {
        ask(draft, room, None);
    }
}

fn ask(draft: &mut Draft<'_>, room: Arc<str>, token: Option<Token>) {
    let n = draft.now.join_count.saturating_add(1);
    let name = Arc::clone(&draft.now.name);
    draft.tell(ROOM, &room, &ToRoom::Join { n, name }, true);
    draft.record(Event::JoinAsked { n, room, token });
}

/// Reserves a join that the party asks the room for, with those of all its members.
pub(super) fn reserve(draft: &mut Draft<'_>, room: Arc<str>, entry: u64) -> u64 {
    drop_idle(draft);
    let n = draft.now.join_count.saturating_add(1);
    draft.record(Event::Fellow(FellowEvent::Coming { n, room, entry }));
    n
}

/// Forgets joins with the party: those of one entry, or all.
pub(super) fn stay_behind(draft: &mut Draft<'_>, entry: Option<u64>) {
    let is_it = |join: &Join| join.entry.is_some_and(|own| entry.is_none_or(|entry| entry == own));
    let joins = draft.now.joins.iter().filter(|(_, join)| is_it(join));
    for n in joins.map(|(n, _)| *n).collect::<Vec<_>>() {
        draft.record(Event::JoinDropped { n });
    }
}

/// Forgets joins that no command waits for. Their answers will find nobody; a party is told.
fn drop_idle(draft: &mut Draft<'_>) {
    let idle = draft.now.joins.iter().filter(|(_, join)| join.token.is_none());
    for (n, entry) in idle.map(|(n, join)| (*n, join.entry)).collect::<Vec<_>>() {
        draft.record(Event::JoinDropped { n });
        if let Some(entry) = entry {
            fellowship::stays(draft, entry, Why::Elsewhere);
        }
    }
}

/// Gives the place back, if there is one.
pub(super) fn leave(draft: &mut Draft<'_>) {
    drop_idle(draft);
    if draft.now.room.is_some() || draft.now.remembered.is_some() {
        give_back(draft);
        draft.record(Event::RoomLeft);
    }
    draft.reply(&RoomBody { room: None });
}

/// The tell that gives the present place back.
fn give_back(draft: &mut Draft<'_>) {
    if let Some(place) = draft.now.room.clone() {
        draft.tell(ROOM, &place.room, &ToRoom::Leave { n: place.n }, false);
    }
}

/// Goes offline: gives the place back and waits for none.
pub(super) fn depart(draft: &mut Draft<'_>, remembers: bool) {
    let is_rejoin = |join: &&Join| join.token.is_none() && join.entry.is_none();
    let waiting = draft.now.joins.values().find(is_rejoin);
    let last = draft.now.room.as_ref().map(|place| &place.room);
    let last = last.or(waiting.map(|join| &join.room)).or(draft.now.remembered.as_ref());
    let room = last.filter(|_| remembers).cloned();
    give_back(draft);
    let entries = draft.now.joins.values().filter_map(|join| join.entry);
    for entry in entries.collect::<Vec<_>>() {
        fellowship::stays(draft, entry, Why::Offline);
    }
    for token in draft.now.joins.values().filter_map(|join| join.token).collect::<Vec<_>>() {
        let reject = Reject::new("not_in_room", "the player went offline before the room answered");
        draft.complete_refused(token, reject);
    }
    draft.record(Event::Gone { room });
}

/// A room gave a place.
pub(super) fn joined(draft: &mut Draft<'_>, room: &str, n: u64, entity: u32, of: (u32, u32)) {
    let asked = draft.now.joins.get(&n).filter(|join| *join.room == *room).cloned();
    let Some(Join { room, token, .. }) = asked else {
        let is_mine = draft.now.room.as_ref().is_some_and(|place| place.n == n);
        if !is_mine {
            draft.tell(ROOM, room, &ToRoom::Leave { n }, false);
        }
        return;
    };
    if draft.now.room.as_ref().is_some_and(|place| place.room != room) {
        give_back(draft);
    }
    let (count, max) = of;
    draft.record(Event::Joined { n, room, entity, count, max, acted: token.is_some() });
    if let Some(token) = token {
        let body = RoomBody { room: draft.now.room.as_ref().and_then(public::room_info) };
        draft.complete(token, &body);
    }
}

/// A room has no place, or can't be reached.
pub(super) fn refused(draft: &mut Draft<'_>, room: &str, n: u64, why: &str) {
    let Some(join) = draft.now.joins.get(&n).filter(|join| *join.room == *room).cloned() else {
        return;
    };
    draft.record(Event::JoinDropped { n });
    if let Some(token) = join.token {
        let message = format!("{} {why}", room::name_of(room));
        draft.complete_refused(token, Reject::new("room_full", message));
    }
}
