//! The player as its own client sees it, what of that has changed, and what operators find it by.

use holdfast_protocol::client::MoveType;
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::server::{
    Buff, Cooldown, Notification, PartyInfo, PlayerState, RoomInfo, Status, TradeEvent,
};
use serde_json::{Map, Value, to_value};

use super::player::{Membership, Player, Presence};
use super::{combat, dealing, fellowship, inventory, room};
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
    Some(PlayerState {
        player_id: PlayerId::new(&player.id).ok()?,
        display_name: player.name.to_string(),
        status: status(player),
        current_room: current_room(player),
        inventory: inventory::list(player),
        gold: player.gold,
        health: player.health,
        max_health: player.health_max,
        xp: player.xp,
        level: level(player),
        score: player.score,
        x: player.at.x,
        y: player.at.y,
        buffs: buffs(player),
        cooldowns: cooldowns(player),
        session_actions_count: player.session_actions,
        total_actions_count: player.total_actions,
        pending_notifications: notifications(player),
        trades: trades(player),
        party: party(player),
        invitations: invitations(player),
    })
}

fn party(player: &Player) -> Option<PartyInfo> {
    player.fellowship.as_ref().and_then(|held| held.info()).and_then(fellowship::body)
}

fn invitations(player: &Player) -> Vec<PartyInfo> {
    let held = player.fellowship.iter().flat_map(|held| &held.invitations);
    held.filter_map(fellowship::body).collect()
}

fn current_room(player: &Player) -> Option<RoomInfo> {
    player.room.as_ref().and_then(room_info)
}

fn buffs(player: &Player) -> Vec<Buff> {
    let buff = |until_ms| Buff { kind: combat::DEFEND.to_owned(), until_ms };
    player.defend_until_ms.map(buff).into_iter().collect()
}

fn cooldowns(player: &Player) -> Vec<Cooldown> {
    let cooldown = |until_ms| Cooldown { move_type: MoveType::Special, until_ms };
    player.special_until_ms.map(cooldown).into_iter().collect()
}

fn notifications(player: &Player) -> Vec<Notification> {
    let notices = player.notices.iter().cloned();
    notices.map(|one| Notification { text: one.text, from: one.from, at_ms: one.at_ms }).collect()
}

fn trades(player: &Player) -> Vec<TradeEvent> {
    player.open_deals().filter_map(|(id, deal)| dealing::wire_open(id, deal)).collect()
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

/// Fields of the state that changed; never x, y or the action counts. Every command asks, and
/// most change two or three fields: what did not change is compared, never built.
pub(super) fn changes(before: &Player, after: &Player) -> Map<String, Value> {
    let mut set = Map::new();
    let mut note = |name: &str, changed: bool, field: fn(&Player) -> serde_json::Result<Value>| {
        if let (true, Ok(value)) = (changed, field(after)) {
            set.insert(name.to_owned(), value);
        }
    };
    let room = |player: &Player| {
        player.room.as_ref().map(|place| (place.room.clone(), place.count, place.max))
    };
    note("display_name", before.name != after.name, |player| to_value(&*player.name));
    note("status", status(before) != status(after), |player| to_value(status(player)));
    note("current_room", room(before) != room(after), |player| to_value(current_room(player)));
    note("inventory", before.inventory != after.inventory, |player| {
        to_value(inventory::list(player))
    });
    note("gold", before.gold != after.gold, |player| to_value(player.gold));
    note("health", before.health != after.health, |player| to_value(player.health));
    note("max_health", before.health_max != after.health_max, |player| to_value(player.health_max));
    note("xp", before.xp != after.xp, |player| to_value(player.xp));
    note("level", level(before) != level(after), |player| to_value(level(player)));
    note("score", before.score != after.score, |player| to_value(player.score));
    note("buffs", before.defend_until_ms != after.defend_until_ms, |player| {
        to_value(buffs(player))
    });
    note("cooldowns", before.special_until_ms != after.special_until_ms, |player| {
        to_value(cooldowns(player))
    });
    note("pending_notifications", before.notices != after.notices, |player| {
        to_value(notifications(player))
    });
    let terms = |player: &Player| -> Vec<_> {
        player.open_deals().map(|(id, deal)| (id.clone(), deal.terms.revision)).collect()
    };
    let deals = before.deals.is_some() || after.deals.is_some();
    note("trades", deals && terms(before) != terms(after), |player| to_value(trades(player)));
    if before.fellowship != after.fellowship {
        note("party", party(before) != party(after), |player| to_value(party(player)));
        note("invitations", invitations(before) != invitations(after), |player| {
            to_value(invitations(player))
        });
    }
    set
}
