//! Session metrics: how much a player did, handed over every 1,000 actions and at logout.

use holdfast_protocol::server::MetricsBody;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Event;
use super::pack;
use super::player::Player;
use crate::actor::contract::ActivityOptions;

/// The activity that takes them. Input: [`MetricsInput`] as MessagePack.
pub const RECORD_SESSION_METRICS: &str = "record_session_metrics";
/// Actions after which they are handed over.
pub const ACTIONS_MAX: u64 = 1_000;

/// What [`RECORD_SESSION_METRICS`] gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsInput {
    /// Whose.
    pub player: String,
    /// Joins and moves since the metrics before.
    pub actions: u64,
    /// Time since then, or since the session began if that is later.
    pub duration_ms: u64,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// How much the player does, for whoever asks.
pub(super) fn body(player: &Player) -> MetricsBody {
    MetricsBody {
        session_actions_count: player.session_actions,
        total_actions_count: player.total_actions,
        session_since_ms: player.measured_ms,
        last_active_ms: player.active_ms,
        dropped_steps_count: player.dropped_steps,
    }
}

/// Hands the metrics over when enough has come together.
pub(super) fn settle(draft: &mut Draft<'_>) {
    if draft.now.session_actions >= ACTIONS_MAX {
        record(draft);
    }
}

/// Hands the metrics over; the same record counts afresh.
pub(super) fn record(draft: &mut Draft<'_>) {
    let at_ms = draft.ctx.now_ms;
    let input = MetricsInput {
        player: draft.ctx.id.key().to_owned(),
        actions: draft.now.session_actions,
        duration_ms: at_ms.saturating_sub(draft.now.measured_ms),
        at_ms,
    };
    draft.record(Event::Measured { at: at_ms });
    draft.activity(RECORD_SESSION_METRICS, pack(&input), ActivityOptions::default());
}
