//! The player as its own client sees it, what of that has changed, and what operators find it by.

use holdfast_protocol::client::MoveType;
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::server::{Buff, Cooldown, Notification, PlayerState, RoomInfo, Status};
use serde::Serialize;
use serde_json::{Map, Value};

use super::player::{Membership, Player, Presence};
use super::{combat, inventory, room};
use crate::actor::contract::{AttributeType, Attributes, Builtin, Declaration, Value as Attribute};

/// What the player is doing. Derived, so that it can't contradict the rest.
pub(super) fn status(player: &Player) -> Status {
    if player.presence == Presence::Offline {
        Status::Offline
    } else if !player.swings.is_empty() {
        Status::InCombat
    } else if player.idle {
        Status::Idle
    } else if player.room.is_some() {
        Status::InRoom
    } else {
        Status::Online
    }
}

/// The player's room from outside, as the room said when the player joined.
pub(super) fn room_info(place: &Membership) -> Option<RoomInfo> {
    Some(RoomInfo {
        room_id: RoomId::new(&place.room).ok()?,
        room_name: room::name_of(&place.room),
        player_count: place.count,
        max_players: place.max,
    })
}

/// The whole state. None where the actor's key is no player id.
pub(super) fn state(player: &Player) -> Option<PlayerState> {
    let buff = |until_ms| Buff { kind: combat::DEFEND.to_owned(), until_ms };
    let cooldown = |until_ms| Cooldown { move_type: MoveType::Special, until_ms };
    let notices = player.notices.iter().cloned();
    Some(PlayerState {
        player_id: PlayerId::new(&player.id).ok()?,
        display_name: player.name.to_string(),
        status: status(player),
        current_room: player.room.as_ref().and_then(room_info),
        inventory: inventory::list(player),
        gold: player.gold,
        health: player.health,
        max_health: player.health_max,
        xp: player.xp,
        level: level(player),
        score: player.score,
        x: player.at.x,
        y: player.at.y,
        buffs: player.defend_until_ms.map(buff).into_iter().collect(),
        cooldowns: player.special_until_ms.map(cooldown).into_iter().collect(),
        session_actions_count: player.session_actions,
        total_actions_count: player.total_actions,
        pending_notifications: notices
            .map(|one| Notification { text: one.text, from: one.from, at_ms: one.at_ms })
            .collect(),
    })
}

fn level(player: &Player) -> u64 {
    player.xp / combat::LEVEL_XP + 1
}

/// How healthy a player is; 0 while defeated.
const HEALTH: &str = "Health";

/// What this game's sessions are found by, beside what all are.
pub(super) fn declared() -> Vec<Declaration> {
    vec![Declaration::stored(HEALTH, AttributeType::Integer)]
}

/// What a session is found by.
pub(super) fn attributes(player: &Player) -> Attributes {
    let mut builtin = vec![
        (Builtin::DisplayName, Attribute::from(&*player.name)),
        (Builtin::PlayerStatus, status(player).as_str().into()),
        (Builtin::PlayerLevel, level(player).into()),
        (Builtin::Score, player.score.into()),
        (Builtin::Gold, player.gold.into()),
        (Builtin::TotalActions, player.total_actions.into()),
    ];
    let room = player.room.as_ref().map(|place| (Builtin::CurrentRoom, (&*place.room).into()));
    let time = |builtin, at_ms: u64| (at_ms > 0).then(|| (builtin, at_ms.into()));
    builtin.extend(room);
    builtin.extend(time(Builtin::StartTime, player.opened_ms));
    builtin.extend(time(Builtin::LastCommandTime, player.active_ms));
    Attributes { builtin, declared: vec![(HEALTH, u64::from(player.health).into())] }
}

/// The state as of a moment: without what is over although its timer has not come yet.
pub(super) fn state_at(player: &Player, now_ms: u64) -> Option<PlayerState> {
    let mut state = state(player)?;
    state.buffs.retain(|buff| buff.until_ms > now_ms);
    state.cooldowns.retain(|cooldown| cooldown.until_ms > now_ms);
    Some(state)
}

/// Fields of the state that changed; never x, y or the action counts.
pub(super) fn changes(before: &Player, after: &Player) -> Map<String, Value> {
    let mut set = Map::new();
    let (Some(before), Some(after)) = (state(before), state(after)) else { return set };
    note(&mut set, "display_name", &before.display_name, &after.display_name);
    note(&mut set, "status", &before.status, &after.status);
    note(&mut set, "current_room", &before.current_room, &after.current_room);
    note(&mut set, "inventory", &before.inventory, &after.inventory);
    note(&mut set, "gold", &before.gold, &after.gold);
    note(&mut set, "health", &before.health, &after.health);
    note(&mut set, "max_health", &before.max_health, &after.max_health);
    note(&mut set, "xp", &before.xp, &after.xp);
    note(&mut set, "level", &before.level, &after.level);
    note(&mut set, "score", &before.score, &after.score);
    note(&mut set, "buffs", &before.buffs, &after.buffs);
    note(&mut set, "cooldowns", &before.cooldowns, &after.cooldowns);
    let (old, new) = (&before.pending_notifications, &after.pending_notifications);
    note(&mut set, "pending_notifications", old, new);
    set
}

fn note<T: PartialEq + Serialize>(set: &mut Map<String, Value>, name: &str, old: &T, new: &T) {
    if old == new {
        return;
    }
    if let Ok(value) = serde_json::to_value(new) {
        set.insert(name.to_owned(), value);
    }
}
