//! Stored bytes as JSON for people and programs, without the types that wrote them. Pure.
//!
//! What is MessagePack or JSON is shown as it is built; bytes inside it that are either are opened
//! too; what is left is hex, `0x…`. Equal bytes are shown alike, so that what is shown can be
//! compared and hashed.

use std::fmt;
use std::io::Cursor;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use crate::actor::record::{DecodeError, Formats, unseal};

/// Levels of values in values that are opened; what lies deeper is hex.
const DEPTH_MAX: usize = 64;
/// Bytes of a payload that are shown as hex; the rest is counted.
const HEX_BYTES_MAX: usize = 256;

/// A payload of rules: a command's answer, an event, a tell, an activity's input.
#[must_use]
pub fn payload(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if let Some(value) = json(bytes) {
        return value;
    }
    match message_pack(bytes, 0) {
        // A number is as likely a byte of something else.
        Some(value @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => value,
        _ => hex(bytes, HEX_BYTES_MAX),
    }
}

/// The body of a snapshot: the runtime's half and the rules' half of a self.
#[derive(Deserialize)]
struct Saved {
    ledger: Shown,
    state: Bytes,
}

/// A snapshot's contents, `{"ledger", "state"}`; nothing in it is cut.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged, in another format or misshapen.
pub fn snapshot(bytes: &[u8]) -> Result<Value, DecodeError> {
    let Saved { ledger, state } = unseal(Formats::READS, bytes)?;
    let state = message_pack(&state, 0).unwrap_or_else(|| hex(&state, usize::MAX));
    let halves = [("ledger".to_owned(), ledger.0), ("state".to_owned(), state)];
    Ok(Value::Object(halves.into_iter().collect()))
}

/// An event of the rules: the name of its variant and what is in it, of `{"hit": {"health": 75}}`
/// or `"back"`. Anything else has no name.
#[must_use]
pub fn event(bytes: &[u8]) -> (Option<String>, Value) {
    let Some(value) = message_pack(bytes, 0) else { return (None, payload(bytes)) };
    match value {
        Value::String(name) => (Some(name), Value::Null),
        Value::Object(fields) if fields.len() == 1 => match fields.into_iter().next() {
            Some((name, inner)) => (Some(name), inner),
            None => (None, Value::Null),
        },
        other => (None, other),
    }
}

/// A number for a value: the first 16 bytes of SHA-256 of its text with sorted names, as hex.
#[must_use]
pub fn hash(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// JSON text that does not depend on how a map is kept.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, inner) in sorted {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(inner, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// Bytes as `0x…`, at most so many of them.
fn hex(bytes: &[u8], bytes_max: usize) -> Value {
    let digits: String = bytes.iter().take(bytes_max).map(|byte| format!("{byte:02x}")).collect();
    let cut = bytes.len() > bytes_max;
    Value::from(if cut {
        format!("0x{digits}… ({} bytes)", bytes.len())
    } else {
        format!("0x{digits}")
    })
}

/// A JSON object or array, or several objects with commas between them, as frames are kept.
fn json(bytes: &[u8]) -> Option<Value> {
    match bytes.first() {
        Some(b'{') => serde_json::from_slice(bytes)
            .ok()
            .or_else(|| serde_json::from_slice(&[b"[", bytes, b"]"].concat()).ok()),
        Some(b'[') => serde_json::from_slice(bytes).ok(),
        _ => None,
    }
}

/// The one MessagePack value that the bytes are, to the last.
fn message_pack(bytes: &[u8], depth: usize) -> Option<Value> {
    let mut reader = rmp_serde::Deserializer::new(Cursor::new(bytes));
    reader.set_max_depth(DEPTH_MAX);
    let value = Seed(depth).deserialize(&mut reader).ok()?;
    (reader.position() == bytes.len() as u64).then_some(value)
}

/// Bytes within a value.
fn nested(bytes: &[u8], depth: usize) -> Value {
    let opened = json(bytes).or_else(|| {
        let value = (depth < DEPTH_MAX).then(|| message_pack(bytes, depth + 1)).flatten();
        // Few bytes are a map by accident, many are a number or a text.
        value.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()))
    });
    opened.unwrap_or_else(|| hex(bytes, usize::MAX))
}

/// Any value, shown.
struct Shown(Value);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Seed(0).deserialize(from).map(Self)
    }
}

/// Reads any value; knows how many levels of bytes it has opened.
#[derive(Clone, Copy)]
struct Seed(usize);

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Value, E> {
        Ok(Value::Bool(on))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(nested(bytes, self.0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = from.next_key_seed(self)? {
            let name = match name {
                Value::String(name) => name,
                Value::Number(number) => number.to_string(),
                _ => return Err(A::Error::custom("a name that is neither text nor number")),
            };
            fields.insert(name, from.next_value_seed(self)?);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn pack(value: &impl serde::Serialize) -> Vec<u8> {
        rmp_serde::to_vec_named(value).unwrap()
    }

    #[test]
    fn payloads_are_shown_as_what_they_are() {
        assert_eq!(payload(b""), Value::Null);
        assert_eq!(payload(b"{\"a\":[1]}"), json!({"a": [1]}));
        assert_eq!(payload(&pack(&"leave")), json!("leave"));
        assert_eq!(payload(&pack(&json!({"hit": {"health": 75}}))), json!({"hit": {"health": 75}}));
        assert_eq!(payload(&pack(&BTreeMap::from([(7_u64, -1)]))), json!({"7": -1}));
        assert_eq!(payload(&[5]), json!("0x05"), "a number may be anything");
        assert_eq!(payload(b"{\"a\":"), json!("0x7b2261223a"), "half of something");
        let long = payload(&[0xff; 300]);
        assert!(long.as_str().unwrap().ends_with("ff… (300 bytes)"), "{long}");
    }

    #[test]
    fn bytes_inside_are_opened_and_never_cut() {
        #[derive(serde::Serialize)]
        struct Outer {
            steps: Bytes,
            inner: Bytes,
            text: Bytes,
            frames: Bytes,
        }
        let value = Outer {
            steps: Bytes::from(vec![5; 300]),
            inner: pack(&json!({"x": 1})).into(),
            text: Bytes::from_static(b"{\"y\":2}"),
            frames: Bytes::from_static(b"{\"y\":2},{\"y\":3}"),
        };
        let shown = payload(&pack(&value));
        assert_eq!(shown["steps"], json!(format!("0x{}", "05".repeat(300))));
        assert_eq!((&shown["inner"], &shown["text"]), (&json!({"x": 1}), &json!({"y": 2})));
        assert_eq!(shown["frames"], json!([{"y": 2}, {"y": 3}]));
    }

    #[test]
    fn what_is_built_to_be_deep_or_long_is_hex() {
        let deep = [vec![0x91; 5_000], vec![0xc0]].concat();
        assert!(payload(&deep).as_str().unwrap().starts_with("0x9191"));
        let long = [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[1, 2, 3]].concat();
        assert_eq!(payload(&long), json!("0xddffffffff010203"));
        let mut matryoshka = pack(&json!({"a": 1}));
        for _ in 0..200 {
            matryoshka = pack(&BTreeMap::from([("a", Bytes::from(matryoshka))]));
        }
        assert!(payload(&matryoshka).is_object());
    }

    #[test]
    fn events_have_names() {
        let of = |value: Value| event(&pack(&value));
        assert_eq!(of(json!("back")), (Some("back".into()), Value::Null));
        assert_eq!(of(json!({"hit": {"h": 1}})), (Some("hit".into()), json!({"h": 1})));
        assert_eq!(of(json!({"a": 1, "b": 2})), (None, json!({"a": 1, "b": 2})));
        assert_eq!(event(&[0xc1, 1]), (None, json!("0xc101")));
    }

    #[test]
    fn hashes_tell_values_apart() {
        let one = hash(&json!({"a": [1, "2"], "b": null}));
        assert_eq!((one.len(), &one), (32, &hash(&json!({"b": null, "a": [1, "2"]}))));
        assert_ne!(one, hash(&json!({"a": [1, 2], "b": null})));
    }
}
