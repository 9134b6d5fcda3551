//! Movement: which steps of an input count, and what they cost of the clock's credit.
//!
//! A step costs 50 ms of a credit that grows at 1.1 times real time and is capped at one second,
//! so that a client's clock can't outrun the server's. Credit is counted in tenths of a
//! millisecond: then 1.1 is an integer. Every step of an input is judged once: it counts, it is
//! beyond the credit, or it moves nothing; `in` passes it in any case.

use bytes::Bytes;
use holdfast_protocol::movement::{BUTTON_SPRINT, STEP_MS, Step, step};

use super::Settings;
use super::event::{Event, Input};
use super::player::Player;
use crate::actor::contract::{Ctx, Reject};

/// The credit's cap, and its start, in tenths of a millisecond.
pub const CREDIT_MAX: u32 = 10_000;
const CREDIT_STEP: u32 = 10 * STEP_MS as u32;
const CREDIT_PER_MS: u64 = 11;

/// A step as one byte: the direction in `0..9`, plus 9 when it sprints.
#[must_use]
pub fn to_byte(one: Step) -> u8 {
    let along = |d: i8| (d.signum() + 1).unsigned_abs();
    let sprint = if one.buttons & BUTTON_SPRINT != 0 { 9 } else { 0 };
    along(one.dx) * 3 + along(one.dy) + sprint
}

/// The step of a byte. Total.
#[must_use]
pub fn from_byte(byte: u8) -> Step {
    let along = |d: u8| i8::try_from(d % 3).unwrap_or(1) - 1;
    let buttons = if byte >= 9 { BUTTON_SPRINT } else { 0 };
    Step { dx: along(byte / 3), dy: along(byte), buttons }
}

/// Judges steps numbered from `seq`. None when all of them were judged before.
pub(super) fn judge(
    player: &Player,
    ctx: &Ctx<'_, Settings>,
    seq: u64,
    steps: &[Step],
) -> Option<(Event, Option<Reject>)> {
    let end = seq.saturating_add(steps.len() as u64).saturating_sub(1);
    let first = seq.max(player.input.saturating_add(1));
    let seen = usize::try_from(first.saturating_sub(seq)).unwrap_or(usize::MAX);
    let fresh = steps.get(seen..).filter(|fresh| !fresh.is_empty())?;
    let mut input = Input {
        first: 0,
        steps: Bytes::new(),
        input: end,
        credit: player.credit,
        credit_ms: player.credit_ms,
        dropped: 0,
        at: ctx.now_ms,
    };
    let warning = obstacle(player);
    if warning.is_none() {
        let credit = grown(player, ctx.now_ms);
        let affordable = usize::try_from(credit / CREDIT_STEP).unwrap_or(0);
        let most = if ctx.settings.movement_clock_check { affordable } else { fresh.len() };
        let counted = fresh.get(..most).unwrap_or(fresh);
        let cost = u32::try_from(counted.len()).unwrap_or(u32::MAX).saturating_mul(CREDIT_STEP);
        input.first = first;
        input.steps = counted.iter().map(|one| to_byte(*one)).collect();
        input.credit = credit.saturating_sub(cost);
        input.credit_ms = ctx.now_ms;
        input.dropped = (fresh.len() - counted.len()) as u64;
    }
    Some((Event::Input(input), warning))
}

/// Why the player can't move.
fn obstacle(player: &Player) -> Option<Reject> {
    if player.room.is_none() {
        return Some(Reject::new("not_in_room", "you can't move outside a room"));
    }
    player.defeat("move")
}

fn grown(player: &Player, now_ms: u64) -> u32 {
    let growth = now_ms.saturating_sub(player.credit_ms).saturating_mul(CREDIT_PER_MS);
    let growth = u32::try_from(growth).unwrap_or(u32::MAX);
    player.credit.saturating_add(growth).min(CREDIT_MAX)
}

/// Folds an input.
pub(super) fn apply(player: &mut Player, input: &Input) {
    for byte in &input.steps {
        let one = from_byte(*byte);
        player.at = step(player.at, one);
        player.sprinting = one.is_sprint();
    }
    if input.steps.is_empty() {
        player.sprinting = false;
    }
    player.input = input.input;
    player.credit = input.credit;
    player.credit_ms = input.credit_ms;
    player.dropped_steps = player.dropped_steps.saturating_add(input.dropped);
    player.active_ms = input.at;
    player.idle = false;
}
