//! A person's trades, gifts and parties: lines that name them are understood by the player's state
//! and by what the socket was told, and what comes of them is told in words.

use bytes::Bytes;
use holdfast_protocol::client::Verb;
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::frame;
use holdfast_protocol::server::{ErrorBody, Event, PlayerState};
use holdfast_protocol::text::dealing::{Answer, Ask};
use holdfast_protocol::text::render::{self, dealing};

use super::lines::Want;
use super::session::Form;
use super::socket::{Flow, Socket};
use super::speak::utf8;

impl Socket {
    /// Carries a line out, now that the player's state is known.
    pub(super) async fn understand(
        &mut self,
        id: Option<u64>,
        ask: &Ask,
        state_json: &str,
        seq: Option<u64>,
    ) -> Flow {
        self.session.go_on();
        let now_ms = self.edge.clock.now_ms();
        let state = serde_json::from_str::<PlayerState>(state_json);
        let (Ok(state), Some(lines)) = (state, &mut self.lines) else {
            let message = "this player's state can't be read in words; ask for it in JSON";
            return self.refuse(None, &ErrorBody::new(ErrorCode::BadMessage, message)).await;
        };
        match ask.answer(&state, &mut lines.known, now_ms) {
            Err(error) => self.refuse(None, &ErrorBody::new(error.code, error.message)).await,
            Ok(Answer::Do(verb)) => {
                let id = self.number(&verb, Want::Verb(verb.clone()));
                self.pass(id, verb);
                Ok(())
            }
            Ok(Answer::Show(words)) => match (self.session.form(), id) {
                (Form::Json, Some(id)) => {
                    self.feed(frame::reply_ok(id, state_json, seq, false)).await
                }
                _ => self.feed(render::ok(seq, false, &words)).await,
            },
        }
    }

    fn own(&self) -> String {
        self.session.bound().map(|bound| bound.player.to_string()).unwrap_or_default()
    }

    /// The answer to a verb of trades or parties in words.
    pub(super) fn dealt(&mut self, verb: &Verb, body: &str) -> Option<String> {
        dealing::answer(verb, body, &mut self.lines.as_mut()?.known)
    }

    /// What an inventory does not show because it is reserved.
    pub(super) fn reserved(&self) -> String {
        let known = self.lines.as_ref().map(|lines| &lines.known);
        known.map(|known| dealing::reserved(known, &self.own())).unwrap_or_default()
    }

    /// An event of trades or parties in words; all that is numbered teaches.
    pub(super) fn dealing_words(&mut self, event: &Event) -> Option<String> {
        let (own, now_ms) = (self.own(), self.edge.clock.now_ms());
        dealing::event(event, &own, now_ms, &mut self.lines.as_mut()?.known)
    }

    /// Learns from events that are shown as JSON, for lines to come.
    pub(super) fn learn(&mut self, evs: &Bytes) {
        let Some(lines) = &mut self.lines else { return };
        let list = format!("[{}]", utf8(evs));
        for event in serde_json::from_str::<Vec<Event>>(&list).unwrap_or_default() {
            lines.known.hear(&event);
        }
    }

    /// Learns what is open since before; the lines that tell of it.
    pub(super) fn recall(&mut self, state: &Bytes) -> Vec<String> {
        let now_ms = self.edge.clock.now_ms();
        let (Some(lines), Ok(state)) = (&mut self.lines, serde_json::from_slice(state)) else {
            return Vec::new();
        };
        let state: PlayerState = state;
        lines.known.learn(&state.inventory);
        lines.known.sync(&state.trades);
        match self.session.form() {
            Form::Lines => dealing::recall(&state, &lines.known, now_ms),
            Form::Json => Vec::new(),
        }
    }
}
