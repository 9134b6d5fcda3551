//! Presence: hello, lost connections, idleness and logout.
//!
//! A player without a socket stays for a while where it is and can be hit; then it leaves its
//! room and is offline. The room is remembered: the next hello asks for a place there.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_protocol::edge::{Opening, Proof};
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::movement::spawn;

use super::draft::Draft;
use super::event::Event;
use super::player::Presence;
use super::{combat, fellowship, inventory, metrics, notices, travel};
use crate::actor::contract::{Origin, Reject};

/// The timer that takes a player without a socket away.
pub(super) const LINKDEAD_TIMER: &str = "linkdead";
/// The timer of idleness.
pub(super) const IDLE_TIMER: &str = "idle";

/// Makes sure that the player exists and that the caller may be it.
pub(super) fn admit(draft: &mut Draft<'_>, opening: &Opening) -> Result<(), Reject> {
    let name: Option<Arc<str>> = opening.name.as_deref().map(Into::into);
    if !draft.now.exists {
        create(draft, name)?;
    } else if opening.proof == Proof::Claim && draft.now.protected {
        return Err(Reject::new("unauthorized", "this name is taken; log in with its token"));
    } else if let Some(name) = name.filter(|name| *name != draft.now.name) {
        draft.record(Event::Named { name });
    }
    if opening.proof != Proof::Open && !draft.now.protected {
        draft.record(Event::Protected);
    }
    Ok(())
}

fn create(draft: &mut Draft<'_>, name: Option<Arc<str>>) -> Result<(), Reject> {
    let key = draft.ctx.id.key();
    PlayerId::new(key).map_err(|error| Reject::new("bad_args", error.to_string()))?;
    let at = spawn(key);
    draft.record(Event::Created {
        name: name.unwrap_or_else(|| key.into()),
        x: at.x,
        y: at.y,
        health: combat::HEALTH_MAX,
        gold: inventory::START_GOLD,
        items: inventory::START
            .into_iter()
            .map(|(item, quantity)| (item.to_owned(), quantity))
            .collect::<BTreeMap<_, _>>(),
    });
    Ok(())
}

/// A new session begins.
pub(super) fn opened(draft: &mut Draft<'_>, opening: &Opening) -> Result<(), Reject> {
    admit(draft, opening)?;
    let was_lost = matches!(draft.now.presence, Presence::Lost { .. });
    draft.record(Event::Opened { at: draft.ctx.now_ms });
    arrive(draft, was_lost);
    Ok(())
}

/// The session has a socket again.
pub(super) fn resumed(draft: &mut Draft<'_>) {
    let was_lost = matches!(draft.now.presence, Presence::Lost { .. });
    draft.record(Event::Returned);
    arrive(draft, was_lost);
}

fn arrive(draft: &mut Draft<'_>, was_lost: bool) {
    if was_lost {
        draft.cancel_timer(LINKDEAD_TIMER);
    }
    if !draft.now.idle {
        arm_idle(draft);
    }
    notices::deliver(draft);
    travel::rejoin(draft);
    fellowship::arrive(draft);
}

fn arm_idle(draft: &mut Draft<'_>) {
    let due_ms = draft.now.active_ms.saturating_add(draft.ctx.settings.idle_after_ms);
    draft.set_timer(IDLE_TIMER, due_ms.max(draft.ctx.now_ms));
}

/// The session's socket is gone.
pub(super) fn lost(draft: &mut Draft<'_>) {
    if draft.now.presence == Presence::Here {
        draft.cancel_timer(IDLE_TIMER);
        stay(draft);
    }
}

/// Stays without a socket for a while. The timer of an earlier stay goes on.
fn stay(draft: &mut Draft<'_>) {
    let until = draft.ctx.now_ms.saturating_add(draft.ctx.settings.linkdead_ms);
    if !matches!(draft.now.presence, Presence::Lost { .. }) {
        draft.set_timer(LINKDEAD_TIMER, until);
    }
    draft.record(Event::Lost { until });
}

/// A command of the player's own: it ends idleness, and an HTTP caller is online for a while.
pub(super) fn touch(draft: &mut Draft<'_>, origin: Origin) {
    match origin {
        Origin::Service => return,
        Origin::Owner if draft.now.presence != Presence::Here => stay(draft),
        Origin::Owner | Origin::Session => {}
    }
    let was_idle = draft.now.idle;
    if was_idle || draft.now.active_ms != draft.ctx.now_ms {
        draft.record(Event::Active { at: draft.ctx.now_ms });
    }
    if was_idle && draft.now.presence == Presence::Here {
        arm_idle(draft);
    }
}

/// The first input after idleness.
pub(super) fn woken(draft: &mut Draft<'_>) {
    if draft.now.presence == Presence::Here {
        arm_idle(draft);
    }
}

/// The idle deadline, as it was when the timer was set.
pub(super) fn idle_timer(draft: &mut Draft<'_>) {
    if draft.now.presence != Presence::Here || draft.now.idle {
        return;
    }
    let due_ms = draft.now.active_ms.saturating_add(draft.ctx.settings.idle_after_ms);
    if draft.ctx.now_ms < due_ms {
        arm_idle(draft);
    } else {
        draft.record(Event::Idled);
    }
}

/// The time without a socket may be over.
pub(super) fn linkdead_timer(draft: &mut Draft<'_>) {
    let Presence::Lost { until_ms } = draft.now.presence else { return };
    if draft.ctx.now_ms < until_ms {
        draft.set_timer(LINKDEAD_TIMER, until_ms);
    } else {
        travel::depart(draft, true);
    }
}

/// Ends the session and leaves at once.
pub(super) fn logout(draft: &mut Draft<'_>) {
    let was_here = draft.now.presence != Presence::Offline;
    if was_here {
        draft.cancel_timer(IDLE_TIMER);
        draft.cancel_timer(LINKDEAD_TIMER);
    }
    travel::depart(draft, false);
    if was_here || draft.now.session_actions > 0 {
        metrics::record(draft);
    }
    draft.end_session();
    draft.reply_empty();
}
