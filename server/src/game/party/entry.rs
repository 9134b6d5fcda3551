//! A party's way into a room: all of it, or nobody.
//!
//! Each member is asked to come along and reserves a join; when all have, the room judges them in
//! one record. Until then anybody's no, silence or change of the party calls it off. A member
//! that changes its mind after the room was asked gives its own place back, as after any join.

use std::sync::Arc;

use super::{Draft, Entry, PartyEvent, READY_MS, ROOM_SILENT_MS};
use crate::actor::contract::{Reject, Token};
use crate::game::room;
use crate::game::tells::ToRoom;
use crate::game::tells::party::{Change, FromParty, Guest, News, ToParty, Why};

/// Asks every member to come along.
pub(super) fn begin(draft: &mut Draft<'_>, by: Arc<str>, token: Token, room: Arc<str>) {
    let at = draft.ctx.now_ms;
    if let Some(entry) = &draft.now.entry {
        if !entry.asked || at < entry.at_ms.saturating_add(ROOM_SILENT_MS) {
            let message = "the party is on its way into a room already";
            draft.refuse(&by, token, Reject::new("too_many_in_flight", message));
            return;
        }
        let message = format!("{} does not answer", room::name_of(&entry.room));
        over(draft, Err(Reject::new("room_full", message)));
    }
    let entry = draft.next_revision();
    draft.record(PartyEvent::EntryBegun { entry, room: Arc::clone(&room), by, token, at });
    for member in draft.now.members.clone() {
        draft.tell(&member, FromParty::Come { entry, room: Arc::clone(&room) });
    }
    draft.set_timer(at.saturating_add(READY_MS));
}

/// The entry of that number, while it waits for members.
fn gathering<'a>(draft: &'a Draft<'_>, entry: u64) -> Option<&'a Entry> {
    draft.now.entry.as_ref().filter(|now| now.entry == entry && !now.asked)
}

/// A member comes along. The last one's word sends all of them to the room.
pub(super) fn ready(draft: &mut Draft<'_>, player: Arc<str>, entry: u64, n: u64, name: Arc<str>) {
    if gathering(draft, entry).is_none() || !draft.now.has(&player) {
        return;
    }
    draft.record(PartyEvent::Ready { player, n, name });
    let Some(now) = gathering(draft, entry).cloned() else { return };
    if !draft.now.members.iter().all(|member| now.ready.contains_key(member)) {
        return;
    }
    let guest = |(player, (n, name)): (&Arc<str>, &(u64, Arc<str>))| {
        let (player, name) = (Arc::clone(player), Arc::clone(name));
        Guest { player, n: *n, name }
    };
    let guests = now.ready.iter().map(guest).collect();
    draft.cancel_timer();
    draft.record(PartyEvent::RoomAsked);
    draft.tell_room(&now.room, &ToRoom::JoinAll { entry, guests });
}

/// A member does not come along.
pub(super) fn unready(draft: &mut Draft<'_>, player: &str, entry: u64, why: Why) {
    if gathering(draft, entry).is_none() || !draft.now.has(player) {
        return;
    }
    let (code, why) = match why {
        Why::Offline => ("not_in_room", "is offline"),
        Why::Defeated => ("defeated", "is defeated"),
        Why::Elsewhere => ("too_many_in_flight", "is on the way elsewhere"),
        Why::Left => ("no_such_party", "is in the party no more"),
    };
    over(draft, Err(Reject::new(code, format!("{player} {why}; nobody entered"))));
}

/// Members have had their time.
pub(super) fn timer(draft: &mut Draft<'_>) {
    let Some(entry) = draft.now.entry.clone().filter(|entry| !entry.asked) else { return };
    let due_ms = entry.at_ms.saturating_add(READY_MS);
    if draft.ctx.now_ms < due_ms {
        draft.set_timer(due_ms);
        return;
    }
    let silent = draft.now.members.iter().find(|member| !entry.ready.contains_key(*member));
    let silent = silent.map_or("somebody", |member| member);
    let message = format!("{silent} did not answer in time; nobody entered");
    over(draft, Err(Reject::new("not_in_room", message)));
}

/// The party changes while it waits for members.
pub(super) fn call_off(draft: &mut Draft<'_>, why: &str) {
    if draft.now.entry.as_ref().is_some_and(|entry| !entry.asked) {
        over(draft, Err(Reject::new("not_in_room", format!("{why}; nobody entered"))));
    }
}

/// The party ends on its way.
pub(super) fn give_up(draft: &mut Draft<'_>) {
    if draft.now.entry.is_some() {
        over(draft, Err(Reject::new("no_such_party", "the party has ended")));
    }
}

/// The room has judged.
pub(super) fn answered(draft: &mut Draft<'_>, room: &str, answer: &ToParty) {
    let (ToParty::Placed { entry } | ToParty::Full { entry, .. }) = *answer else { return };
    let is_it = |now: &&Entry| now.entry == entry && now.asked && *now.room == *room;
    let Some(now) = draft.now.entry.as_ref().filter(is_it) else { return };
    let outcome = match *answer {
        ToParty::Full { free, .. } => {
            let (name, all) = (room::name_of(room), now.ready.len());
            let message = format!("{name} has {free} free places, too few for all {all} of you");
            Err(Reject::new("room_full", message))
        }
        _ => Ok(()),
    };
    over(draft, outcome);
}

/// The room can't be reached.
pub(super) fn undelivered(draft: &mut Draft<'_>, tell: &ToRoom) {
    let ToRoom::JoinAll { entry, .. } = tell else { return };
    let now = draft.now.entry.as_ref().filter(|now| now.entry == *entry);
    if let Some(room) = now.map(|now| room::name_of(&now.room)) {
        over(draft, Err(Reject::new("room_full", format!("{room} can't be reached"))));
    }
}

/// Ends the entry: answers its command, and calls members off unless they have their places.
fn over(draft: &mut Draft<'_>, outcome: Result<(), Reject>) {
    let Some(Entry { entry, by, token, asked, .. }) = draft.now.entry.clone() else { return };
    draft.record(PartyEvent::EntryOver);
    if !asked {
        draft.cancel_timer();
    }
    match outcome {
        Ok(()) => {
            let news = [News { what: Change::Entered, by: Arc::clone(&by) }];
            draft.inform(&news, Some((&by, token)));
            if !draft.now.has(&by) {
                let reject = Reject::new("no_such_party", "you left the party before it entered");
                draft.refuse(&by, token, reject);
            }
        }
        Err(reject) => {
            for member in draft.now.members.clone() {
                draft.tell(&member, FromParty::CalledOff { entry });
            }
            draft.refuse(&by, token, reject);
        }
    }
}
