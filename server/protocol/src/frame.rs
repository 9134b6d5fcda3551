//! Encoders of the hot path: JSON text straight into a string, no values in between.
//!
//! Bodies and events that are passed in are JSON already and are copied as they are: a state is
//! encoded once, by the one who owns it. Each encoder is tested against [`crate::server`].

use serde::Serialize;
use serde_json::Number;

use crate::rows::{Room, Rows};
use crate::server::{EntityRow, ErrorBody, Event, Welcome};

/// An entity row's usual length, for the first allocation.
const ROW_LEN: usize = 28;

/// `{"id":7,"ok":{…},"seq":9912,"dup":true}`; `seq` and `dup` only where given and true.
#[must_use]
pub fn reply_ok(id: u64, body_json: &str, seq: Option<u64>, dup: bool) -> String {
    let mut out = String::with_capacity(body_json.len() + 64);
    out.push_str("{\"id\":");
    push_u64(&mut out, id);
    out.push_str(",\"ok\":");
    out.push_str(body_json);
    if let Some(seq) = seq {
        out.push_str(",\"seq\":");
        push_u64(&mut out, seq);
    }
    if dup {
        out.push_str(",\"dup\":true");
    }
    out.push('}');
    out
}

/// `{"id":7,"err":{…}}`; `"id":null` for a message without one.
#[must_use]
pub fn reply_err(id: Option<u64>, error: &ErrorBody) -> String {
    let mut out = String::with_capacity(error.message.len() + 96);
    out.push_str("{\"id\":");
    match id {
        Some(id) => push_u64(&mut out, id),
        None => out.push_str("null"),
    }
    out.push_str(",\"err\":");
    push_json(&mut out, error);
    out.push('}');
    out
}

/// `{"seq":9912,"evs":[…]}`: all numbered events of one record, each JSON already.
#[must_use]
pub fn events<'a>(seq: u64, evs_json: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::with_capacity(256);
    out.push_str("{\"seq\":");
    push_u64(&mut out, seq);
    out.push_str(",\"evs\":[");
    push_list(&mut out, evs_json, |out, ev| out.push_str(ev));
    out.push_str("]}");
    out
}

/// One event by itself: `say`, `drain`, or one to pass to [`events`].
#[must_use]
pub fn event(event: &Event) -> String {
    let mut out = String::new();
    push_json(&mut out, event);
    out
}

/// The rows of `room` events, as JSON text: each with a comma before it.
#[must_use]
pub fn rows(rows: &[EntityRow]) -> Rows<String> {
    let text = String::with_capacity(rows.len() * ROW_LEN);
    Rows::encode(text, rows, |out, row| {
        out.push(',');
        push_row(out, row);
        out.len()
    })
}

/// A `room` event: the own entity first.
#[must_use]
pub fn room(room: &Room<'_, String>) -> String {
    let (_, own) = room.rows.without(room.own);
    let rows = room.rows.all.as_str();
    let before = rows.get(..own.start).unwrap_or_default();
    let after = rows.get(own.end..).unwrap_or_default();
    let mut out = String::with_capacity(128 + rows.len() + room.gone.len() * 6);
    out.push_str("{\"ev\":\"room\",\"tick\":");
    push_u64(&mut out, room.tick);
    out.push_str(",\"in\":");
    push_u64(&mut out, room.input_seq);
    out.push_str(",\"e\":[");
    if let Some(row) = room.own_row {
        push_row(&mut out, row);
        out.push_str(before);
        out.push_str(after);
    } else if let Some(first) = before.strip_prefix(',') {
        out.push_str(first);
        out.push_str(after);
    } else {
        out.push_str(after.strip_prefix(',').unwrap_or_default());
    }
    out.push_str("],\"gone\":[");
    push_list(&mut out, room.gone, |out, entity| push_u64(out, u64::from(*entity)));
    out.push_str(if room.full { "],\"full\":true}" } else { "]}" });
    out
}

fn push_row(out: &mut String, row: EntityRow) {
    out.push('[');
    push_u64(out, u64::from(row.entity));
    out.push(',');
    push_i32(out, row.x);
    out.push(',');
    push_i32(out, row.y);
    out.push(',');
    push_u64(out, u64::from(row.health));
    out.push(',');
    push_u64(out, u64::from(row.flags));
    out.push(']');
}

/// A `roster` event of (entity, player, name).
#[must_use]
pub fn roster<'a>(
    players: impl IntoIterator<Item = (u32, &'a str, &'a str)>,
    full: bool,
) -> String {
    let mut out = String::with_capacity(256);
    out.push_str("{\"ev\":\"roster\",\"players\":[");
    push_list(&mut out, players, |out, row| push_json(out, &row));
    out.push_str(if full { "],\"full\":true}" } else { "]}" });
    out
}

/// A `leaderboard` event of (player, name, score, rank), best first.
#[must_use]
pub fn leaderboard<'a>(top: impl IntoIterator<Item = (&'a str, &'a str, u64, u32)>) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("{\"ev\":\"leaderboard\",\"top\":[");
    push_list(&mut out, top, |out, row| push_json(out, &row));
    out.push_str("]}");
    out
}

/// `{"pong":t,"now":ms}`.
#[must_use]
pub fn pong(t: &Number, now: u64) -> String {
    let mut out = String::with_capacity(64);
    out.push_str("{\"pong\":");
    push_json(&mut out, t);
    out.push_str(",\"now\":");
    push_u64(&mut out, now);
    out.push('}');
    out
}

/// The answer to hello and resume; pass the state as a raw JSON value.
#[must_use]
pub fn welcome<S: Serialize>(welcome: &Welcome<S>) -> String {
    let mut out = String::new();
    push_json(&mut out, welcome);
    out
}

fn push_list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut String, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
    }
}

/// The wire's types have string keys only, so that encoding can't fail; `null` if it did.
fn push_json<T: Serialize>(out: &mut String, value: &T) {
    match serde_json::to_string(value) {
        Ok(json) => out.push_str(&json),
        Err(_) => out.push_str("null"),
    }
}

fn push_i32(out: &mut String, number: i32) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Decimal digits.
fn push_u64(out: &mut String, number: u64) {
    out.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests;
