//! Notices: sentences for a player, now or on return.
//!
//! For a connected player a notice is a numbered event. For one who is not, it waits in the
//! state, and [`SEND_PLAYER_NOTIFICATION`] may reach the player by other ways.

use holdfast_protocol::server as wire;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::{Event, Notice};
use super::pack;
use super::player::Presence;
use crate::actor::contract::{ActivityOptions, Reject};

/// The activity that reaches players who are not connected. Input: [`NotificationInput`] as
/// MessagePack.
pub const SEND_PLAYER_NOTIFICATION: &str = "send_player_notification";
/// Notices that wait for a player; older ones are dropped.
pub const PENDING_MAX: usize = 50;
/// Longest notice, in characters.
pub const TEXT_LEN_MAX: usize = 500;

/// What [`SEND_PLAYER_NOTIFICATION`] gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationInput {
    /// For whom.
    pub player: String,
    /// The sentence.
    pub text: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A service's notification.
pub(super) fn notify(
    draft: &mut Draft<'_>,
    text: &str,
    from: Option<String>,
) -> Result<(), Reject> {
    let names = from.as_deref().map_or(0, |from| from.chars().count());
    if text.chars().count() > TEXT_LEN_MAX || names > TEXT_LEN_MAX {
        return Err(Reject::new(
            "too_large",
            format!("a notification has at most {TEXT_LEN_MAX} characters"),
        ));
    }
    receive(draft, text.to_owned(), from);
    draft.reply_empty();
    Ok(())
}

/// Tells the player now, or keeps the notice for later.
pub(super) fn receive(draft: &mut Draft<'_>, text: String, from: Option<String>) {
    if draft.ctx.connected && draft.now.presence == Presence::Here {
        draft.push(&wire::Event::Notice(wire::NoticeEvent { text, from }));
        return;
    }
    let player = draft.ctx.id.key().to_owned();
    let input = NotificationInput { player, text: text.clone(), from: from.clone() };
    let options = ActivityOptions { start_to_close_ms: 10_000, ..ActivityOptions::default() };
    draft.activity(SEND_PLAYER_NOTIFICATION, pack(&input), options);
    draft.record(Event::Noted(Notice { text, from, at_ms: draft.ctx.now_ms }));
}

/// Keeps a notice for a player who is away; who is here has been told by other means.
pub(super) fn keep_if_away(draft: &mut Draft<'_>, text: String, from: Option<String>) {
    if !(draft.ctx.connected && draft.now.presence == Presence::Here) {
        receive(draft, text, from);
    }
}

/// Tells what has waited.
pub(super) fn deliver(draft: &mut Draft<'_>) {
    if draft.now.notices.is_empty() {
        return;
    }
    for Notice { text, from, .. } in draft.now.notices.clone() {
        draft.push(&wire::Event::Notice(wire::NoticeEvent { text, from }));
    }
    draft.record(Event::NotesTold);
}
