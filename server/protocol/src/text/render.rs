//! Typed server messages as human lines.
//!
//! `* ` begins what happens by itself, `ok` what was asked for, `! ` what was refused. Texts of
//! others pass through [`plain`], so that one line stays one line and no terminal is driven.
//! Functions return lines without the last newline.

pub mod dealing;

use serde::de::DeserializeOwned;

use crate::client::{MoveType, Verb};
use crate::movement::Position;
use crate::server::{
    EntityRow, ErrorBody, Event, FLAG_DEFEATED, FLAG_DEFENDING, FLAG_LINKDEAD, FLAG_SPRINTING,
    InventoryBody, InventoryItem, MoveBody, PlayerState, Pong, RoomBody, RoomEvent, RoomInfo,
    RoomsBody, RosterEvent, SayEvent, StatusBody, TopBody, TopRow, UseBody, Welcome, WelcomeKind,
    WhoBody, WhoRow,
};

/// Text of others on one line: control characters become spaces.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first line on a socket under text rules.
#[must_use]
pub fn greeting(node: &str) -> String {
    format!("* holdfast {node}. Say \"login NAME\" to play, \"help\" for more.")
}

/// The answer to `login`; a second line where the name was claimed just now.
#[must_use]
pub fn welcome(welcome: &Welcome) -> String {
    let Welcome { player, node, epoch, seq, state, .. } = welcome;
    let what = match welcome.kind {
        WelcomeKind::Welcome => "welcome",
        WelcomeKind::Resumed => "resumed",
        WelcomeKind::Resync => "resync",
    };
    let mut out = format!(
        "* {what} {player} (node {node}, epoch {epoch}, seq {seq}) health {} gold {}",
        state.health, state.gold
    );
    if let Some(token) = &welcome.token {
        out.push_str(&format!("\n* the name is yours; next time: login {player} {token}"));
    }
    out
}

/// `! code: message`, and when to try again.
#[must_use]
pub fn error(error: &ErrorBody) -> String {
    let mut out = format!("! {}: {}", error.code, plain(&error.message));
    if let Some(ms) = error.retry_after_ms {
        out.push_str(&format!(" (again in {ms} ms)"));
    }
    out
}

/// `ok seq 3: what`; without a seq for what only reads, without what where there is no more.
#[must_use]
pub fn ok(seq: Option<u64>, dup: bool, what: &str) -> String {
    let mut out = "ok".to_owned();
    if let Some(seq) = seq {
        out.push_str(&format!(" seq {seq}"));
    }
    if dup {
        out.push_str(" (as before)");
    }
    if !what.is_empty() {
        out.push_str(": ");
        out.push_str(what);
    }
    out
}

/// The answer to a verb: `body_json` is the `ok` of its reply, `others` are the display names of
/// those who are in the room too (for joins).
#[must_use]
pub fn reply(
    verb: &Verb,
    body_json: &str,
    seq: Option<u64>,
    dup: bool,
    others: &[String],
) -> String {
    // A body that isn't the verb's (an event id's repeat answers `{}`) says nothing more.
    ok(seq, dup, &body(verb, body_json, others).unwrap_or_default())
}

fn body(verb: &Verb, json: &str, others: &[String]) -> Option<String> {
    match verb {
        Verb::JoinRoom { .. } | Verb::LeaveRoom {} => {
            read(json).map(|body: RoomBody| place(body.room.as_ref(), others))
        }
        Verb::ExecuteMove { move_type, target_player_id, .. } => {
            let target = target_player_id.as_ref().map(crate::ids::PlayerId::as_str);
            read(json).map(|body: MoveBody| moved(*move_type, target, body))
        }
        Verb::UseItem { .. } => read(json).map(|body: UseBody| used(&body)),
        Verb::GetInventory {} => read(json).map(|body: InventoryBody| inventory(&body.inventory)),
        Verb::GetState {} => read(json).map(|body: PlayerState| state(&body)),
        Verb::GetStatus {} => read(json).map(|body: StatusBody| body.status.as_str().to_owned()),
        Verb::Who {} => read(json).map(|body: WhoBody| who(&body.players)),
        Verb::Rooms {} => read(json).map(|body: RoomsBody| rooms(&body.rooms)),
        Verb::Top {} => read(json).map(|body: TopBody| top(&body.top)),
        Verb::Logout {} => Some("goodbye".to_owned()),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// `in Room dungeon-7 with bob`.
#[must_use]
pub fn place(room: Option<&RoomInfo>, others: &[String]) -> String {
    let Some(room) = room else { return "in no room".to_owned() };
    let name = plain(&room.room_name);
    if others.is_empty() {
        return format!("in {name}, alone");
    }
    format!("in {name} with {}", plain(&others.join(", ")))
}

/// `25 damage to bob, 10 xp`, and `, 12 gold` where the blow took some.
#[must_use]
pub fn moved(move_type: MoveType, target: Option<&str>, body: MoveBody) -> String {
    let MoveBody { damage, xp, health, gold } = body;
    match (move_type, target) {
        (_, Some(target)) if gold > 0 => {
            format!("{damage} damage to {target}, {xp} xp, {gold} gold")
        }
        (MoveType::Defend, _) => format!("defending, {xp} xp"),
        (MoveType::Heal, _) => format!("health {health}, {xp} xp"),
        (_, Some(target)) => format!("{damage} damage to {target}, {xp} xp"),
        (_, None) => format!("{damage} damage in practice, {xp} xp"),
    }
}

/// `Health Potion used, health 100`.
#[must_use]
pub fn used(body: &UseBody) -> String {
    format!("{} used, health {}", plain(&body.item.name), body.health)
}

/// `Iron Sword x1, Health Potion x5`.
#[must_use]
pub fn inventory(items: &[InventoryItem]) -> String {
    let item = |item: &InventoryItem| format!("{} x{}", plain(&item.name), item.quantity);
    list(items, item, "nothing")
}

/// `100 gold`.
#[must_use]
pub fn gold(gold: u64) -> String {
    format!("{gold} gold")
}

/// All about a player, on one line.
#[must_use]
pub fn state(state: &PlayerState) -> String {
    let room = state.current_room.as_ref();
    let room = room.map_or_else(|| "no room".to_owned(), |room| plain(&room.room_name));
    format!(
        "{} ({}), {}, in {room} at {},{}; health {}/{}, gold {}, level {}, xp {}, score {}; {}{}",
        state.player_id,
        plain(&state.display_name),
        state.status.as_str(),
        state.x,
        state.y,
        state.health,
        state.max_health,
        state.gold,
        state.level,
        state.xp,
        state.score,
        inventory(&state.inventory),
        dealing::of_state(state)
    )
}

/// `alice (dungeon-7), bob`.
#[must_use]
pub fn who(players: &[WhoRow]) -> String {
    let player = |row: &WhoRow| match &row.room {
        Some(room) => format!("{} ({room})", row.player),
        None => row.player.to_string(),
    };
    list(players, player, "nobody")
}

/// `arena 3/20, dungeon-7 2/20`.
#[must_use]
pub fn rooms(rooms: &[RoomInfo]) -> String {
    let room =
        |room: &RoomInfo| format!("{} {}/{}", room.room_id, room.player_count, room.max_players);
    list(rooms, room, "no rooms")
}

/// `1. alice 35, 2. bob 10`.
#[must_use]
pub fn top(rows: &[TopRow]) -> String {
    list(rows, |row| format!("{}. {} {}", row.rank, plain(&row.name), row.score), "nobody yet")
}

fn list<T>(items: &[T], item: impl Fn(&T) -> String, none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    items.iter().map(item).collect::<Vec<_>>().join(", ")
}

/// Where a walk ended: `at 2048,2012`.
#[must_use]
pub fn at(position: Position) -> String {
    format!("at {},{}", position.x, position.y)
}

/// What `look` answers: the room, the own place, and the others with theirs.
#[must_use]
pub fn look(room: Option<&RoomInfo>, own: Position, others: &[(String, EntityRow)]) -> String {
    let Some(room) = room else { return format!("in no room, {}", at(own)) };
    let other = |(name, row): &(String, EntityRow)| format!("{} {}", plain(name), entity(row));
    let others = list(others, other, "nobody else");
    let RoomInfo { room_name, player_count, max_players, .. } = room;
    let name = plain(room_name);
    format!("in {name} ({player_count} of {max_players}), {}; {others}", at(own))
}

fn entity(row: &EntityRow) -> String {
    let mut out = format!("at {},{} health {}", row.x, row.y, row.health);
    for (flag, word) in [
        (FLAG_DEFENDING, " defending"),
        (FLAG_DEFEATED, " defeated"),
        (FLAG_SPRINTING, " sprinting"),
        (FLAG_LINKDEAD, " connection lost"),
    ] {
        if row.flags & flag != 0 {
            out.push_str(word);
        }
    }
    out
}

/// The answer to `ping`.
#[must_use]
pub fn pong(pong: &Pong) -> String {
    format!("* pong, server time {} ms", pong.now)
}

/// An event as a line; none for those that say nothing new in words (state changes, which the
/// replies and notices tell already, and what this version does not know) and for trades and
/// parties, which are told by [`dealing::event`].
///
/// `name_of` knows the display names of the room's entity numbers. Room, roster and leaderboard
/// events have lines too: whether they are sent is the watcher's choice.
#[must_use]
pub fn event(event: &Event, name_of: impl Fn(u32) -> Option<String>) -> Option<String> {
    match event {
        Event::Notice(notice) => Some(format!("* {}", plain(&notice.text))),
        Event::Say(said) => Some(say(said)),
        Event::Drain(drain) => {
            Some(format!("* drain: this node stops; connect again in {} ms", drain.retry_after_ms))
        }
        Event::Leaderboard(board) => Some(format!("* top: {}", top(&board.top))),
        Event::Roster(event) => Some(roster(event)),
        Event::Room(event) => Some(room(event, name_of)),
        Event::Player(_)
        | Event::Combat(_)
        | Event::Trade(_)
        | Event::Party(_)
        | Event::Coins(_)
        | Event::Unknown(_) => None,
    }
}

fn say(said: &SayEvent) -> String {
    let text = plain(&said.text);
    match &said.party {
        Some(_) => format!("* {} to the party: {text}", said.from),
        None => format!("* {}: {text}", said.from),
    }
}

fn roster(event: &RosterEvent) -> String {
    let names = list(&event.players, |row| plain(&row.name), "nobody");
    let what = if event.full { "here" } else { "now here too" };
    format!("* {what}: {names}")
}

fn room(event: &RoomEvent, name_of: impl Fn(u32) -> Option<String>) -> String {
    let name = |number: u32| name_of(number).map_or_else(|| format!("#{number}"), |n| plain(&n));
    let there = |row: &EntityRow| format!("{} {}", name(row.entity), entity(row));
    let mut out = format!("* tick {}: {}", event.tick, list(&event.e, there, "nothing moved"));
    if !event.gone.is_empty() {
        out.push_str(&format!("; gone: {}", list(&event.gone, |number| name(*number), "")));
    }
    out
}

#[cfg(test)]
mod tests;
