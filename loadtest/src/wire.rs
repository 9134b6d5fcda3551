//! How messages are encoded on a socket, as far as a driver needs it: what it says, and what an
//! answer acknowledges. Pure.
//!
//! A driver must cost less than what it measures: it looks for the few words that it needs and
//! reads a message as a whole only where they are not where the server puts them.

use holdfast_protocol::client::{ClientMessage, Step, Verb};
use holdfast_protocol::pack::{self, Told};
use holdfast_protocol::server::{Event, Outcome, ServerMessage};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{JSON, PACKED};

/// A subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// [`JSON`], in texts.
    Json,
    /// [`PACKED`], in binary messages.
    Packed,
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
            Self::Packed => PACKED,
        }
    }

    /// Any message.
    #[must_use]
    pub fn say(self, message: &ClientMessage) -> Message {
        match self {
            Self::Json => Message::text(message.encode()),
            Self::Packed => Message::binary(pack::encode(message)),
        }
    }

    /// An input frame of one step.
    #[must_use]
    pub fn input(self, seq: u64, step: Step) -> Message {
        let Step { dx, dy, buttons } = step;
        match self {
            Self::Packed => {
                self.say(&ClientMessage { id: None, verb: Verb::Input { seq, steps: vec![step] } })
            }
            Self::Json => Message::text(format!(
                r#"{{"do":"input","args":{{"seq":{seq},"steps":[[{dx},{dy},{buttons}]]}}}}"#
            )),
        }
    }

    /// The number up to which input is durable, if it is a room frame in the usual order.
    #[must_use]
    pub fn room_input(self, message: &Message) -> Option<u64> {
        let heard = match (self, message) {
            (Self::Json, Message::Text(text)) => glance_room(text),
            (Self::Packed, Message::Binary(bytes)) => glance_packed(bytes),
            _ => None,
        };
        match heard {
            Some(Heard::Input(through)) => Some(through),
            _ => None,
        }
    }

    /// A message as a whole.
    ///
    /// # Errors
    /// A sentence when it is none of this subprotocol.
    pub fn read(self, message: &Message) -> Result<ServerMessage, String> {
        match (self, message) {
            (Self::Json, Message::Text(text)) => {
                ServerMessage::decode(text).map_err(|error| format!("{error}: {text}"))
            }
            (Self::Packed, Message::Binary(bytes)) => {
                unpacked(bytes).map_err(|why| format!("{why}: {bytes:02x?}"))
            }
            (_, other) => Err(format!("{other:?} under {}", self.subprotocol())),
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
            (Self::Packed, Message::Binary(bytes)) => {
                glance_packed(bytes).unwrap_or_else(|| unpack(bytes))
            }
            (Self::Packed, other) => Heard::Unreadable(format!("{other:?} under MessagePack")),
        }
    }
}

/// How a room frame begins.
const ROOM_HEAD: &str = r#"{"ev":"room","tick":"#;

/// What the first numbers of a room frame say.
fn glance_room(text: &str) -> Option<Heard> {
    let (_, rest) = number(text.strip_prefix(ROOM_HEAD)?)?;
    let (input, _) = number(rest.strip_prefix(r#","in":"#)?)?;
    Some(Heard::Input(input))
}

/// What the words at the places where the server puts them say.
fn glance(text: &str) -> Option<Heard> {
    if text.starts_with(ROOM_HEAD) {
        return glance_room(text);
    }
    if let Some(rest) = text.strip_prefix(r#"{"id":"#) {
        let (id, rest) = number(rest)?;
        return rest.starts_with(r#","ok":"#).then_some(Heard::Done(id));
    }
    text.starts_with(r#"{"seq":"#).then_some(Heard::Other)
}

/// What the first numbers of a room frame say.
fn glance_packed(bytes: &[u8]) -> Option<Heard> {
    let (_, rest) = packed_number(bytes.strip_prefix(&[0x95])?)?;
    packed_number(rest).map(|(input, _)| Heard::Input(input))
}

/// A MessagePack number that is not below zero, and what follows it.
fn packed_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    let len = match head {
        0..0x80 => return Some(((*head).into(), rest)),
        0xcc => 1,
        0xcd => 2,
        0xce => 4,
        0xcf => 8,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(len)?;
    Some((number.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), rest))
}

/// A whole message in binary.
///
/// # Errors
/// What is wrong with it.
pub fn unpacked(bytes: &[u8]) -> Result<ServerMessage, String> {
    let told = pack::read(bytes).map_err(|error| error.to_string())?;
    told.decode().map_err(|error| error.to_string())
}

/// What a whole message in binary says.
fn unpack(bytes: &[u8]) -> Heard {
    match pack::read(bytes) {
        Ok(Told::Text(text)) => glance(&text).unwrap_or_else(|| read(&text)),
        Ok(Told::Room(room)) => Heard::Input(room.input_seq),
        Err(error) => Heard::Unreadable(format!("{error}: {bytes:02x?}")),
    }
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
    use holdfast_protocol::rows::{Room, Rows};
    use holdfast_protocol::server::{EntityRow, ErrorBody};

    use super::*;

    const ROW: EntityRow = EntityRow { entity: 3, x: 1, y: 2, health: 100, flags: 0 };

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

    /// A room frame that says that an input is durable.
    fn room<B>(tick: u64, input_seq: u64, rows: &Rows<B>) -> Room<'_, B> {
        Room { tick, input_seq, own: 3, own_row: Some(ROW), rows, gone: &[], full: true }
    }

    #[test]
    fn the_durable_input_is_found_in_what_the_server_sends() {
        let text = frame::room(&room(88, 1_204, &frame::rows(&[ROW])));
        assert_eq!(glance(&text), Some(Heard::Input(1_204)));
        assert_eq!(read(&text), Heard::Input(1_204));
    }

    #[test]
    fn both_encodings_say_the_same() {
        for input in [0, 127, 128, 1_204, 70_000, 1 << 40] {
            let packed = pack::room(&room(35_906_976_123, input, &pack::rows(&[ROW])));
            assert_eq!(glance_packed(&packed), Some(Heard::Input(input)));
            assert_eq!(unpack(&packed), Heard::Input(input));
        }
        let done = frame::reply_ok(12, "{}", Some(4), false);
        let packed = Message::binary(pack::message(&done));
        assert_eq!(Wire::Packed.hear(&packed), Heard::Done(12));
        assert!(matches!(Wire::Packed.hear(&Message::text(done)), Heard::Unreadable(_)));
        let step = Step { dx: -1, dy: 0, buttons: 1 };
        let Message::Binary(bytes) = Wire::Packed.input(7, step) else { panic!("no binary") };
        let verb = Verb::Input { seq: 7, steps: vec![step] };
        assert_eq!(pack::decode(&bytes), Ok(pack::Packed::Input(verb)));
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
