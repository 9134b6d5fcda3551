//! What a player's state must be, computed in a straight line from the ledger alone. Pure.
//!
//! Only what a player changes by its own commands is here; health also depends on others. It
//! knows the rules by their numbers in the protocol, never by the server's code.

use std::collections::BTreeSet;

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::server::{MoveBody, PlayerState, RoomBody, TradeBody, UseBody};

use crate::ledger::{Answer, Ledger};

/// Experience that every move gives.
pub const XP_PER_MOVE: u64 = 10;
/// Experience that a level takes.
pub const XP_PER_LEVEL: u64 = 100;
/// Health Potions at the start.
pub const POTIONS: u64 = 5;
/// Their item id.
pub const POTION: &str = "potion-001";
/// The item id of the Iron Sword, of which there is one at the start.
pub const SWORD: &str = "sword-001";

/// What the ids of rooms with coins begin with.
pub const ARENA: &str = "arena";

/// A blow that this player was told had landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blow {
    /// Whom it hit.
    pub target: PlayerId,
    /// Damage done.
    pub damage: u64,
}

/// The sum of a player's acknowledged commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The room the player is in.
    pub room: Option<RoomId>,
    /// Joins and moves.
    pub actions: u64,
    /// Experience.
    pub xp: u64,
    /// Score.
    pub score: u64,
    /// Potions used.
    pub potions_used: u64,
    /// Blows at others, in order.
    pub blows: Vec<Blow>,
    /// Commands that were refused.
    pub refused: u64,
    /// Commands that count: each took effect exactly once.
    pub done: u64,
    /// It was in a room by its own command, where it can be struck and find coins.
    pub roamed: bool,
    /// It was in an arena, where coins lie.
    pub is_finder: bool,
    /// Others give it goods and take them: what it carries does not follow from its commands.
    pub trades: bool,
    /// Others lead it into rooms: where it is does not follow from its commands.
    pub is_led: bool,
    keys: BTreeSet<String>,
}

/// A reply that can't be right, in words.
pub type Odd = String;

impl Expected {
    /// Sums up a ledger whose commands all have an outcome.
    ///
    /// # Errors
    /// A sentence when a command has no outcome, or its reply contradicts the rules.
    pub fn of(ledger: &Ledger) -> Result<Self, Odd> {
        let mut sum = Self::default();
        for (id, entry) in ledger.iter() {
            let answer = entry.answer.as_ref().ok_or_else(|| format!("{id} has no outcome"))?;
            sum.fold(&entry.verb, answer).map_err(|odd| format!("command {id}: {odd}"))?;
        }
        Ok(sum)
    }

    /// Adds one command and its outcome.
    ///
    /// # Errors
    /// A sentence when the reply contradicts the rules.
    pub fn fold(&mut self, verb: &Verb, answer: &Answer) -> Result<(), Odd> {
        if answer.result.is_err() {
            self.refused += u64::from(is_command(verb));
            return Ok(());
        }
        match verb {
            Verb::JoinRoom { room_id } => self.join(room_id, answer)?,
            Verb::LeaveRoom {} => {
                let body: RoomBody = read(answer)?;
                check(body.room.is_none(), || format!("left, yet is in {:?}", body.room))?;
                self.room = None;
            }
            Verb::ExecuteMove { move_type, target_player_id, event_id } => {
                if let Some(key) = event_id
                    && !self.keys.insert(key.clone())
                {
                    return check(answer.dup, || format!("key {key} took effect twice"));
                }
                self.blow(*move_type, target_player_id.as_ref(), answer)?;
            }
            Verb::UseItem { item_id } if item_id == POTION => self.potion(answer)?,
            Verb::TradeAccept { trade_id, .. }
            | Verb::TradeCounter { trade_id, .. }
            | Verb::TradeCancel { trade_id } => {
                let TradeBody { trade_id: named } = read(answer)?;
                check(&named == trade_id, || format!("{named} was answered about {trade_id}"))?;
            }
            Verb::TradeOffer { .. } | Verb::Gift { .. } => {
                let _: TradeBody = read(answer)?;
            }
            _ => {}
        }
        self.done += u64::from(is_command(verb));
        Ok(())
    }

    fn join(&mut self, room_id: &RoomId, answer: &Answer) -> Result<(), Odd> {
        let body: RoomBody = read(answer)?;
        let joined = body.room.map(|room| room.room_id);
        check(joined.as_ref() == Some(room_id), || format!("joined {room_id}, is in {joined:?}"))?;
        self.actions += u64::from(self.room != joined);
        self.room = joined;
        self.roamed = true;
        self.is_finder |= room_id.as_str().starts_with(ARENA);
        Ok(())
    }

    fn blow(
        &mut self,
        kind: MoveType,
        target: Option<&PlayerId>,
        answer: &Answer,
    ) -> Result<(), Odd> {
        let MoveBody { damage, xp, .. } = read(answer)?;
        let full = full_damage(kind);
        let allowed = damage == full || (target.is_some() && damage == full / 2);
        check(allowed, || format!("{kind:?} did {damage} damage"))?;
        check(xp == XP_PER_MOVE, || format!("{kind:?} gave {xp} xp"))?;
        self.actions += 1;
        self.xp += xp;
        self.score += damage + xp;
        if let (Some(target), true) = (target, full > 0) {
            self.blows.push(Blow { target: target.clone(), damage });
        }
        Ok(())
    }

    fn potion(&mut self, answer: &Answer) -> Result<(), Odd> {
        let body: UseBody = read(answer)?;
        self.potions_used += 1;
        let left = POTIONS.checked_sub(self.potions_used);
        check(left == Some(body.item.quantity), || format!("{left:?} potions left, not {body:?}"))
    }

    /// Everything in which `state` differs from the sum.
    #[must_use]
    pub fn differences(&self, state: &PlayerState) -> Vec<String> {
        let mut found = Vec::new();
        let mut same = |what: &str, expected: u64, is: u64| {
            if expected != is {
                found.push(format!("{what} is {is}, not {expected}"));
            }
        };
        let potions = state.inventory.iter().find(|item| item.item_id == POTION);
        if !self.is_led {
            same("total_actions_count", self.actions, state.total_actions_count);
        }
        same("xp", self.xp, state.xp);
        same("level", self.xp / XP_PER_LEVEL + 1, state.level);
        same("score", self.score, state.score);
        let left = POTIONS.saturating_sub(self.potions_used);
        if !self.trades {
            same("potions", left, potions.map_or(0, |item| item.quantity));
        }
        let room = state.current_room.as_ref().map(|room| &room.room_id);
        if room != self.room.as_ref() && !self.is_led {
            found.push(format!("current_room is {room:?}, not {:?}", self.room));
        }
        found
    }
}

/// The damage of a move at a target that does not defend.
#[must_use]
pub const fn full_damage(kind: MoveType) -> u64 {
    match kind {
        MoveType::Attack => 25,
        MoveType::Special => 40,
        MoveType::Defend | MoveType::Heal => 0,
    }
}

fn is_command(verb: &Verb) -> bool {
    verb.class() == holdfast_protocol::client::Class::Command
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, Odd> {
    answer.body().map_err(|error| error.to_string())
}

fn check(holds: bool, odd: impl FnOnce() -> Odd) -> Result<(), Odd> {
    if holds { Ok(()) } else { Err(odd()) }
}

#[cfg(test)]
#[path = "expect/tests.rs"]
mod tests;
