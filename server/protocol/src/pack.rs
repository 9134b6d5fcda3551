//! `holdfast.v1.msgpack`: the same messages as MessagePack, with the two hot shapes as arrays.
//!
//! - A server's `room` frame is `[tick, in, [[entity, x, y, health, flags], …], [gone, …], full]`;
//!   all else that it sends are maps, as in JSON.
//! - A client's `input` is `[seq, [[dx, dy, buttons], …]]`; all else are maps `{"id", "do",
//!   "args"}`, and an `input` may be one too.
//!
//! The first byte tells an array from a map, so that neither end looks for a tag. Arrays may get
//! more elements at their end later, as maps may get more fields; readers pass over them. Rows
//! stay arrays of their own for that reason: flat rows would save the one byte of each row's
//! head, 20 of a full room's 218 bytes and 1 of a single mover's 26, and no row could ever grow.
//!
//! There is one judge of what clients say. Maps become JSON text for [`client::decode`], which
//! is also the form in which the gateway keeps messages that wait; inputs are checked by
//! [`Verb::check`]. There is one encoder of what clients are told: [`crate::frame`] writes JSON,
//! which [`message`] transcodes once for all who are told the same.
//!
//! Values are those that JSON has: no binary, no extension types, no numbers that are not finite,
//! keys are text. A reader trusts no length: memory grows with the bytes that came (JSON text is
//! at most six times as long), the stack with [`DEPTH_MAX`].

mod read;
mod write;

pub use read::PackError;

use self::read::Reader;
use crate::client::{self, ClientMessage, DecodeError, Step, Verb};
use crate::codes::ErrorCode;
use crate::movement::INPUT_STEPS_MAX;
use crate::rows::{Room, Rows};
use crate::server::{EntityRow, RoomEvent, ServerMessage};

/// Deepest nesting that is read, in arrays and maps; the protocol's own messages have six levels
/// at most.
pub const DEPTH_MAX: usize = 32;

/// A room frame's bytes around its entities, at most.
const HEAD_LEN: usize = 1 + 9 + 9 + 5 + 5 + 1;
/// An entity row's bytes, at most, for positions within the world, up to 127 health and entity
/// numbers below 65,536.
const ROW_LEN: usize = 1 + 3 + 3 + 3 + 1 + 1;
/// The bytes of an entity number below 65,536, at most.
const ENTITY_LEN: usize = 3;

/// `{"ev":"unreadable"}`: an event that no client knows, and so one that all ignore.
const UNREADABLE: &[u8] = b"\x81\xa2ev\xaaunreadable";

/// A server's message, transcoded from its JSON text; maps stay maps and integers integers. Room
/// frames have [`room`].
///
/// The text is an encoder's of [`crate::frame`], so that it can be read. Text that is no JSON
/// becomes the event `unreadable`, which clients ignore as they do all events they don't know:
/// a frame that is lost does less harm than a connection that is.
#[must_use]
pub fn message(json: &str) -> Vec<u8> {
    write::transcode(json).unwrap_or_else(|_| UNREADABLE.to_vec())
}

/// The rows of `room` frames, as MessagePack.
#[must_use]
pub fn rows(rows: &[EntityRow]) -> Rows<Vec<u8>> {
    let bytes = Vec::with_capacity(rows.len() * ROW_LEN);
    Rows::encode(bytes, rows, |out, row| {
        push_row(out, row);
        out.len()
    })
}

/// A `room` frame, `[tick, in, [[entity, x, y, health, flags], …], [gone, …], full]`: the own
/// entity first.
#[must_use]
pub fn room(room: &Room<'_, Vec<u8>>) -> Vec<u8> {
    let (others, own) = room.rows.without(room.own);
    let rows = room.rows.all.as_slice();
    let len = HEAD_LEN + ROW_LEN + rows.len() + room.gone.len() * ENTITY_LEN;
    let mut out = Vec::with_capacity(len);
    write::list_head(&mut out, 5);
    write::uint(&mut out, room.tick);
    write::uint(&mut out, room.input_seq);
    write::list_len(&mut out, others + usize::from(room.own_row.is_some()));
    if let Some(row) = room.own_row {
        push_row(&mut out, row);
    }
    out.extend_from_slice(rows.get(..own.start).unwrap_or_default());
    out.extend_from_slice(rows.get(own.end..).unwrap_or_default());
    write::list(&mut out, room.gone, |out, entity| write::uint(out, u64::from(*entity)));
    write::flag(&mut out, room.full);
    out
}

fn push_row(out: &mut Vec<u8>, row: EntityRow) {
    write::list_head(out, 5);
    write::uint(out, row.entity.into());
    write::int(out, row.x.into());
    write::int(out, row.y.into());
    write::uint(out, row.health.into());
    write::uint(out, row.flags.into());
}

/// A client's message, as far as MessagePack says what it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Packed {
    /// An array: a [`Verb::Input`], checked. It has no id.
    Input(Verb),
    /// A map, as JSON text: [`client::decode`] judges it.
    Text(String),
}

/// Whether a message can only be an input, by its first byte: it is an array.
#[must_use]
pub fn is_input(bytes: &[u8]) -> bool {
    Reader::new(bytes).is_list()
}

/// Reads one MessagePack message of a client.
///
/// # Errors
/// [`DecodeError`] with the code and the sentence that go back to the client: `bad_message` for
/// what is not MessagePack, has values that JSON lacks, or is neither of the shapes; of an input
/// also `bad_args`, in the words of [`client::decode`].
pub fn decode(bytes: &[u8]) -> Result<Packed, DecodeError> {
    if let Some(verb) = input(bytes).ok().filter(|verb| verb.check().is_ok()) {
        return Ok(Packed::Input(verb));
    }
    let mut from = Reader::new(bytes);
    if from.is_list() {
        let text = input_text(&mut from).map_err(bad_message)?;
        return client::decode(&text).map(|message| Packed::Input(message.verb));
    }
    if !from.is_map() {
        return Err(bad_message(PackError::Message));
    }
    from.whole_text().map(Packed::Text).map_err(bad_message)
}

fn bad_message(error: PackError) -> DecodeError {
    DecodeError { id: None, code: ErrorCode::BadMessage, message: error.to_string() }
}

/// The hot path: an input in one pass. What it can't read, or what is not allowed, [`input_text`]
/// has explained.
fn input(bytes: &[u8]) -> Result<Verb, PackError> {
    let mut from = Reader::new(bytes);
    from.list_of(2, PackError::Input)?;
    let seq = from.number(PackError::Input)?;
    let count = from.list(PackError::Input)?;
    let mut steps = Vec::with_capacity(count.min(INPUT_STEPS_MAX));
    for _ in 0..count {
        from.list_of(3, PackError::Input)?;
        let mut axis = || from.number(PackError::Input);
        let (dx, dy) = (axis()?, axis()?);
        steps.push(Step { dx, dy, buttons: from.number(PackError::Input)? });
    }
    from.end()?;
    Ok(Verb::Input { seq, steps })
}

/// The array as the map that says the same, so that its faults are named as JSON's are.
fn input_text(from: &mut Reader<'_>) -> Result<String, PackError> {
    from.list_of(2, PackError::Input)?;
    let (seq, steps) = (from.text()?, from.text()?);
    from.end()?;
    Ok(format!(r#"{{"do":"input","args":{{"seq":{seq},"steps":{steps}}}}}"#))
}

/// A client's message, for bots and tests: an input without an id as an array, all else as a map.
#[must_use]
pub fn encode(message: &ClientMessage) -> Vec<u8> {
    match message {
        ClientMessage { id: None, verb: Verb::Input { seq, steps } } => {
            let mut out = Vec::with_capacity(1 + 9 + 3 + steps.len() * 4);
            write::list_head(&mut out, 2);
            write::uint(&mut out, *seq);
            write::list(&mut out, steps, push_step);
            out
        }
        message => self::message(&message.encode()),
    }
}

fn push_step(out: &mut Vec<u8>, step: &Step) {
    write::list_head(out, 3);
    write::int(out, step.dx.into());
    write::int(out, step.dy.into());
    write::uint(out, step.buttons.into());
}

/// A server's message, as far as MessagePack says what it is. For bots and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An array.
    Room(RoomEvent),
    /// A map, as JSON text.
    Text(String),
}

impl Told {
    /// The message in the form that all encodings share.
    ///
    /// # Errors
    /// Those of [`ServerMessage::decode`].
    pub fn decode(self) -> serde_json::Result<ServerMessage> {
        match self {
            Self::Room(room) => Ok(ServerMessage::Event(crate::server::Event::Room(room))),
            Self::Text(text) => ServerMessage::decode(&text),
        }
    }
}

/// Reads one MessagePack message of a server. For bots and tests.
///
/// # Errors
/// [`PackError`], when the bytes are neither a map nor a room frame.
pub fn read(bytes: &[u8]) -> Result<Told, PackError> {
    let mut from = Reader::new(bytes);
    if from.is_list() {
        return read_room(&mut from).map(Told::Room);
    }
    from.whole_text().map(Told::Text)
}

fn read_room(from: &mut Reader<'_>) -> Result<RoomEvent, PackError> {
    let more = from.list_from(5, PackError::Room)?;
    let tick = from.number(PackError::Room)?;
    let input_seq = from.number(PackError::Room)?;
    let e = (0..from.list(PackError::Room)?).map(|_| read_row(from)).collect::<Result<_, _>>()?;
    let count = from.list(PackError::Room)?;
    let gone = (0..count).map(|_| from.number(PackError::Room)).collect::<Result<_, _>>()?;
    let full = from.flag(PackError::Room)?;
    from.skip(more)?;
    from.end()?;
    Ok(RoomEvent { tick, input_seq, e, gone, full })
}

fn read_row(from: &mut Reader<'_>) -> Result<EntityRow, PackError> {
    let more = from.list_from(5, PackError::Room)?;
    let row = EntityRow {
        entity: from.number(PackError::Room)?,
        x: from.number(PackError::Room)?,
        y: from.number(PackError::Room)?,
        health: from.number(PackError::Room)?,
        flags: from.number(PackError::Room)?,
    };
    from.skip(more)?;
    Ok(row)
}

#[cfg(test)]
mod tests;
