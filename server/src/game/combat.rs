//! Moves: blows, practice, defence and healing.
//!
//! A blow at another player takes two actors: the attacker's checks itself and tells, the
//! target's checks the room, takes the damage and answers. Only with that answer does the
//! attacker gain anything; a refused blow costs nothing. A blow that defeats takes a tenth of the
//! target's gold along.

use std::sync::Arc;

use holdfast_protocol::client::MoveType;
use holdfast_protocol::ids::{ActorId, PlayerId};
use holdfast_protocol::server as wire;

use super::PLAYER;
use super::draft::Draft;
use super::event::Event;
use super::notices;
use super::player::{Player, Swing};
use super::tells::ToPlayer;
use crate::actor::contract::{Reject, Token};

/// Health at the start, and at most.
pub const HEALTH_MAX: u32 = 100;
/// Experience of a move.
pub const MOVE_XP: u64 = 10;
/// Experience of a level.
pub const LEVEL_XP: u64 = 100;
/// Health that healing gives back.
pub const HEAL_HEALTH: u32 = 15;
/// Blows of one player that may be on their way.
pub const SWINGS_MAX: usize = 16;
/// A defeat costs one part in so many of the gold, rounded down.
pub const DEFEAT_PARTS: u64 = 10;
/// The kind of the defending buff.
pub const DEFEND: &str = "defend";

/// The timer that ends a defence.
pub(super) const DEFEND_TIMER: &str = "defend";
/// The timer that ends the special's cooldown.
pub(super) const COOLDOWN_TIMER: &str = "cooldown";
/// The timer after which a defeated player stands up.
pub(super) const RECOVER_TIMER: &str = "recover";

/// Damage before the target's defence.
#[must_use]
pub const fn damage_of(by: MoveType) -> u64 {
    match by {
        MoveType::Attack => 25,
        MoveType::Special => 40,
        MoveType::Defend | MoveType::Heal => 0,
    }
}

/// Makes a move.
pub(super) fn execute(
    draft: &mut Draft<'_>,
    by: MoveType,
    target: Option<&PlayerId>,
) -> Result<(), Reject> {
    match by {
        MoveType::Attack | MoveType::Special => match target {
            Some(target) => swing(draft, by, target),
            None => practise(draft, by),
        },
        MoveType::Defend => {
            let until = draft.ctx.now_ms.saturating_add(draft.ctx.settings.defend_ms);
            draft.record(Event::Defended { until: Some(until) });
            draft.set_timer(DEFEND_TIMER, until);
            moved_now(draft, by, 0);
            Ok(())
        }
        MoveType::Heal => {
            let health = draft.now.health.saturating_add(HEAL_HEALTH).min(draft.now.health_max);
            if health != draft.now.health {
                draft.record(Event::Healed { health });
            }
            moved_now(draft, by, 0);
            Ok(())
        }
    }
}

fn check_cooldown(draft: &Draft<'_>, by: MoveType) -> Result<(), Reject> {
    if by != MoveType::Special {
        return Ok(());
    }
    let left_ms = draft.now.special_until_ms.unwrap_or(0).saturating_sub(draft.ctx.now_ms);
    if left_ms > 0 {
        return Err(Reject::new("cooldown", format!("special cools down for {left_ms} ms more")));
    }
    if draft.now.swings.values().any(|swing| swing.by == MoveType::Special) {
        return Err(Reject::new("cooldown", "another special is on its way"));
    }
    Ok(())
}

fn practise(draft: &mut Draft<'_>, by: MoveType) -> Result<(), Reject> {
    check_cooldown(draft, by)?;
    cool_down(draft, by, draft.ctx.now_ms);
    moved_now(draft, by, damage_of(by));
    Ok(())
}

fn swing(draft: &mut Draft<'_>, by: MoveType, target: &PlayerId) -> Result<(), Reject> {
    if target.as_str() == draft.ctx.id.key() {
        return Err(Reject::new("not_yourself", "a blow must be at somebody else"));
    }
    let Some(place) = &draft.now.room else {
        return Err(Reject::new("not_in_room", "a blow at somebody needs a room"));
    };
    let room = Arc::clone(&place.room);
    check_cooldown(draft, by)?;
    if draft.now.swings.len() >= SWINGS_MAX {
        return Err(Reject::new("too_many_in_flight", "too many blows are on their way"));
    }
    let token = draft.reply_later();
    let name = Arc::clone(&draft.now.name);
    let blow = ToPlayer::Blow { token, by, damage: damage_of(by), xp: MOVE_XP, room, name };
    draft.tell(PLAYER, target.as_str(), &blow, false);
    let (target, at) = (target.as_str().into(), draft.ctx.now_ms);
    draft.record(Event::Swung { token, target, by, at });
    Ok(())
}

/// The special's cooldown counts from when the move was accepted.
fn cool_down(draft: &mut Draft<'_>, by: MoveType, from_ms: u64) {
    let until = from_ms.saturating_add(draft.ctx.settings.special_cooldown_ms);
    if by == MoveType::Special && until > draft.ctx.now_ms {
        draft.record(Event::Cooled { until: Some(until) });
        draft.set_timer(COOLDOWN_TIMER, until);
    }
}

fn moved_now(draft: &mut Draft<'_>, by: MoveType, damage: u64) {
    let body = moved(draft, by, (damage, 0), None);
    draft.reply(&body);
}

/// What every move that was made gives.
fn moved(
    draft: &mut Draft<'_>,
    by: MoveType,
    (damage, gold): (u64, u64),
    target: Option<&str>,
) -> wire::MoveBody {
    draft.record(Event::Moved { damage, xp: MOVE_XP });
    let me = draft.ctx.id.key();
    push_combat(draft, by, (me, target), (damage, gold), MOVE_XP);
    wire::MoveBody { damage, xp: MOVE_XP, health: draft.now.health, gold }
}

fn push_combat(
    draft: &mut Draft<'_>,
    move_type: MoveType,
    (by, target): (&str, Option<&str>),
    (damage, gold): (u64, u64),
    xp: u64,
) {
    let target = target.map(PlayerId::new).transpose();
    if let (Ok(by), Ok(target)) = (PlayerId::new(by), target) {
        let event = wire::CombatEvent { move_type, by, target, damage, xp, gold };
        draft.push(&wire::Event::Combat(event));
    }
}

/// Another player's blow arrives; the answer goes back by tell.
pub(super) fn struck(draft: &mut Draft<'_>, from: &ActorId, blow: &ToPlayer) {
    let ToPlayer::Blow { token, by, damage, xp, ref room, ref name } = *blow else { return };
    let answer = match check_target(&draft.now, room) {
        Err(reject) => ToPlayer::BlowRefused {
            token,
            code: reject.code.into_owned(),
            message: reject.message.into_owned(),
        },
        Ok(()) => {
            let damage = if is_defending(draft) { damage / 2 } else { damage };
            take(draft, damage);
            let gold = rob(draft, from, token);
            let me = draft.ctx.id.key();
            push_combat(draft, by, (from.key(), Some(me)), (damage, gold), xp);
            let by = by.as_str();
            let text =
                format!("{name} attacked you for {damage} damage ({by} executed against {me})");
            notices::receive(draft, text, Some(from.key().to_owned()));
            ToPlayer::BlowDone { token, damage, gold }
        }
    };
    draft.tell(from.kind(), from.key(), &answer, false);
}

fn check_target(target: &Player, room: &str) -> Result<(), Reject> {
    if !target.exists {
        return Err(Reject::new("no_such_player", "there is no such player"));
    }
    if target.room.as_ref().is_none_or(|place| *place.room != *room) {
        return Err(Reject::new("same_room_required", "the target is not in your room"));
    }
    if target.health == 0 {
        return Err(Reject::new("defeated", "the target is defeated already"));
    }
    Ok(())
}

fn is_defending(draft: &Draft<'_>) -> bool {
    draft.now.defend_until_ms.is_some_and(|until_ms| until_ms > draft.ctx.now_ms)
}

fn take(draft: &mut Draft<'_>, damage: u64) {
    let damage = u32::try_from(damage).unwrap_or(u32::MAX);
    let health = draft.now.health.saturating_sub(damage);
    draft.record(Event::Hit { health });
    if health == 0 {
        let up_ms = draft.ctx.now_ms.saturating_add(draft.ctx.settings.recover_after_ms);
        draft.set_timer(RECOVER_TIMER, up_ms);
    }
}

/// What a defeat costs the target. It goes with the answer to the blow: I9.
fn rob(draft: &mut Draft<'_>, by: &ActorId, token: Token) -> u64 {
    let gold = if draft.now.health == 0 { draft.now.gold / DEFEAT_PARTS } else { 0 };
    if gold > 0 {
        draft.record(Event::Robbed { gold, by: by.key().into(), token });
    }
    gold
}

/// Gold from a defeat found nobody: it is the defeated player's again.
pub(super) fn regain(draft: &mut Draft<'_>, token: Token, gold: u64) {
    if gold > 0 {
        draft.record(Event::Looted { gold, from: draft.ctx.id.key().into(), token });
    }
}

/// The blow under that token, if it was at `from`.
fn pending(draft: &Draft<'_>, from: &ActorId, token: Token) -> Option<Swing> {
    let swing = draft.now.swings.get(&token)?;
    (from.kind() == PLAYER && *swing.target == *from.key()).then(|| swing.clone())
}

/// The target took the blow. Its gold counts whether or not the blow is remembered: the target
/// has it no more (I9).
pub(super) fn done(
    draft: &mut Draft<'_>,
    from: &ActorId,
    token: Token,
    (damage, gold): (u64, u64),
) {
    if gold > 0 {
        draft.record(Event::Looted { gold, from: from.key().into(), token });
    }
    let Some(swing) = pending(draft, from, token) else { return };
    draft.record(Event::SwingEnded { token });
    cool_down(draft, swing.by, swing.at_ms);
    let body = moved(draft, swing.by, (damage, gold), Some(&swing.target));
    draft.complete(token, &body);
}

/// The target, or the way to it, refused the blow.
pub(super) fn refused(draft: &mut Draft<'_>, from: &ActorId, token: Token, reject: Reject) {
    if pending(draft, from, token).is_some() {
        draft.record(Event::SwingEnded { token });
        draft.complete_refused(token, reject);
    }
}

/// A defeated player stands up.
pub(super) fn recover_timer(draft: &mut Draft<'_>) {
    if draft.now.exists && draft.now.health == 0 {
        draft.record(Event::Healed { health: draft.now.health_max });
    }
}

/// A defence may be over.
pub(super) fn defend_timer(draft: &mut Draft<'_>) {
    match draft.now.defend_until_ms {
        Some(until_ms) if until_ms > draft.ctx.now_ms => draft.set_timer(DEFEND_TIMER, until_ms),
        Some(_) => draft.record(Event::Defended { until: None }),
        None => {}
    }
}

/// The special's cooldown may be over.
pub(super) fn cooldown_timer(draft: &mut Draft<'_>) {
    match draft.now.special_until_ms {
        Some(until_ms) if until_ms > draft.ctx.now_ms => draft.set_timer(COOLDOWN_TIMER, until_ms),
        Some(_) => draft.record(Event::Cooled { until: None }),
        None => {}
    }
}
