//! How messages are encoded on a socket, as far as a driver needs it: what it says, and what an
//! answer acknowledges. Pure.
//!
//! A driver must cost less than what it measures: it looks for the few words that it needs and
//! reads a message as a whole only where they are not where the server puts them.

use holdfast_protocol::client::{ClientMessage, Step};
use holdfast_protocol::server::{Event, Outcome, ServerMessage};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::JSON;

/// A subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// [`JSON`], in texts.
    Json,
}

/// What a message of the server means for a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The answer to hello.
    Welcome,
    /// A room frame: all input up to this number is durable.
    Input(u64),
    /// The command with this id is done and durable.
    Done(u64),
    /// Something was refused, in the server's words.
    Refused(String),
    /// The socket closes, with this code if the server gave one.
    Closed(Option<u16>),
    /// Nothing that a driver waits for.
    Other,
    /// No message of this subprotocol.
    Unreadable(String),
}

impl Wire {
    /// The name to ask for.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => JSON,
        }
    }

    /// Any message.
    #[must_use]
    pub fn say(self, message: &ClientMessage) -> Message {
        match self {
            Self::Json => Message::text(message.encode()),
        }
    }

    /// An input frame of one step.
    #[must_use]
    pub fn input(self, seq: u64, step: Step) -> Message {
        let Step { dx, dy, buttons } = step;
        match self {
            Self::Json => Message::text(format!(
                r#"{{"do":"input","args":{{"seq":{seq},"steps":[[{dx},{dy},{buttons}]]}}}}"#
            )),
        }
    }

    /// What a message means.
    #[must_use]
    pub fn hear(self, message: &Message) -> Heard {
        match (self, message) {
            (_, Message::Close(frame)) => {
                Heard::Closed(frame.as_ref().map(|frame| frame.code.into()))
            }
            (Self::Json, Message::Text(text)) => glance(text).unwrap_or_else(|| read(text)),
            (Self::Json, other) => Heard::Unreadable(format!("{other:?} under JSON")),
        }
    }
}

/// What the words at the places where the server puts them say.
fn glance(text: &str) -> Option<Heard> {
    if let Some(rest) = text.strip_prefix(r#"{"ev":"room","tick":"#) {
        let (_, rest) = number(rest)?;
        let (input, _) = number(rest.strip_prefix(r#","in":"#)?)?;
        return Some(Heard::Input(input));
    }
    if let Some(rest) = text.strip_prefix(r#"{"id":"#) {
        let (id, rest) = number(rest)?;
        return rest.starts_with(r#","ok":"#).then_some(Heard::Done(id));
    }
    text.starts_with(r#"{"seq":"#).then_some(Heard::Other)
}

/// The digits that `text` begins with, and what follows them.
fn number(text: &str) -> Option<(u64, &str)> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(len)?;
    Some((digits.parse().ok()?, rest))
}

/// What the whole message says.
fn read(text: &str) -> Heard {
    match ServerMessage::decode(text) {
        Ok(ServerMessage::Welcome(_)) => Heard::Welcome,
        Ok(ServerMessage::Event(Event::Room(room))) => Heard::Input(room.input_seq),
        Ok(ServerMessage::Reply(reply)) => match (reply.outcome, reply.id) {
            (Outcome::Ok { .. }, Some(id)) => Heard::Done(id),
            (Outcome::Ok { .. }, None) => Heard::Other,
            (Outcome::Err(error), _) => Heard::Refused(error.to_string()),
        },
        Ok(_) => Heard::Other,
        Err(error) => Heard::Unreadable(format!("{error}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_protocol::client::Verb;
    use holdfast_protocol::codes::ErrorCode;
    use holdfast_protocol::frame;
    use holdfast_protocol::server::{EntityRow, ErrorBody};

    use super::*;

    fn hear(text: &str) -> Heard {
        Wire::Json.hear(&Message::text(text))
    }

    #[test]
    fn an_input_frame_is_what_the_protocol_says() {
        let step = Step { dx: -1, dy: 0, buttons: 1 };
        let verb = Verb::Input { seq: 71, steps: vec![step] };
        let whole = Wire::Json.say(&ClientMessage { id: None, verb });
        assert_eq!(Wire::Json.input(71, step), whole);
    }

    #[test]
    fn the_durable_input_is_found_in_what_the_server_sends() {
        let row = EntityRow { entity: 3, x: 1, y: 2, health: 100, flags: 0 };
        let text = frame::room(88, 1_204, [row], [], true);
        assert_eq!(glance(&text), Some(Heard::Input(1_204)));
        assert_eq!(read(&text), Heard::Input(1_204));
    }

    #[test]
    fn a_room_frame_in_another_order_is_read_as_a_whole() {
        let text = r#"{"ev":"room","in":9,"tick":5,"e":[],"gone":[]}"#;
        assert_eq!(glance(text), None);
        assert_eq!(hear(text), Heard::Input(9));
    }

    #[test]
    fn replies_are_told_from_refusals() {
        let done = frame::reply_ok(12, r#"{"damage":0,"xp":10,"health":100}"#, Some(4), false);
        assert_eq!(glance(&done), Some(Heard::Done(12)));
        assert_eq!(read(&done), Heard::Done(12));
        let error = ErrorBody::new(ErrorCode::RateLimited, "slow down");
        for id in [Some(12), None] {
            let Heard::Refused(why) = hear(&frame::reply_err(id, &error)) else {
                panic!("a refusal was not noticed");
            };
            assert!(why.contains("slow down"), "{why}");
        }
    }

    #[test]
    fn other_events_are_passed_over() {
        assert_eq!(hear(&frame::events(4, [r#"{"ev":"player","set":{}}"#])), Heard::Other);
        assert_eq!(hear(&frame::leaderboard([])), Heard::Other);
        assert!(matches!(hear("{"), Heard::Unreadable(_)));
        assert_eq!(Wire::Json.hear(&Message::Close(None)), Heard::Closed(None));
    }
}
