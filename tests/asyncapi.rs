//! `docs/asyncapi.yaml`, made of the Rust types and held to them: one sample of every message,
//! whose fields are taken away one by one to learn from the real decoder which are needed. The
//! examples of the documents are read by the same decoders.
//!
//! `HOLDFAST_WRITE_DOCS=1` writes the file anew after the protocol has changed.

mod samples;
mod yaml;

use std::path::{Path, PathBuf};

use holdfast_protocol::client::{self, INTEGER_MAX, MoveType, VERBS};
use holdfast_protocol::codes::{CloseCode, ErrorCode};
use holdfast_protocol::server::{
    Event, OnLeaderLeft, PartyChange, ServerMessage, Status, TradePhase,
};
use serde_json::{Map, Value, json};

use samples::{Sample, Side};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The values of fields that take only some.
fn choices(field: &str) -> Option<Value> {
    let moves = [MoveType::Attack, MoveType::Defend, MoveType::Heal, MoveType::Special];
    let statuses =
        [Status::Online, Status::InRoom, Status::InCombat, Status::Idle, Status::Offline];
    let phases = [
        TradePhase::Offered,
        TradePhase::Countered,
        TradePhase::Committed,
        TradePhase::Cancelled,
        TradePhase::Expired,
    ];
    let changes = [
        PartyChange::Created,
        PartyChange::Invited,
        PartyChange::Withdrawn,
        PartyChange::Joined,
        PartyChange::Left,
        PartyChange::Kicked,
        PartyChange::Led,
        PartyChange::Ended,
        PartyChange::Entered,
    ];
    let ends = [OnLeaderLeft::End, OnLeaderLeft::PassOn];
    match field {
        "move_type" => Some(json!(moves.map(MoveType::as_str))),
        "phase" => Some(json!(phases)),
        "what" => Some(json!(changes)),
        "on_leader_left" => Some(json!(ends)),
        "status" => Some(json!(statuses.map(Status::as_str))),
        "code" => Some(json!(ErrorCode::ALL.map(ErrorCode::as_str))),
        _ => None,
    }
}

/// The schema of what stands at `path` of a sample.
fn schema(sample: &Sample, path: &str) -> Value {
    let field = path.rsplit('/').next().unwrap_or_default();
    let value = sample.value.pointer(path).expect("a path of the sample");
    match value {
        Value::Null => json!({"type": "null"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() || field == "t" || field == "pong" => {
            json!({"type": "number"})
        }
        Value::Number(_) if field == "id" => {
            json!({"type": "integer", "minimum": 1, "maximum": INTEGER_MAX})
        }
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(text) if matches!(field, "do" | "ev") => json!({"const": text}),
        Value::String(_) => choices(field)
            .map_or_else(|| json!({"type": "string"}), |values| json!({"enum": values})),
        Value::Array(items) => list(sample, path, items),
        Value::Object(fields) => object(sample, path, fields),
    }
}

/// A list; rows within a list are tuples.
fn list(sample: &Sample, path: &str, items: &[Value]) -> Value {
    let in_list = path.rsplit('/').next().is_some_and(|last| last.parse::<usize>().is_ok());
    if in_list {
        let row: Vec<_> =
            (0..items.len()).map(|n| schema(sample, &format!("{path}/{n}"))).collect();
        return json!({"type": "array", "items": row, "minItems": row.len(), "maxItems": row.len()});
    }
    assert!(!items.is_empty(), "{}: {path} must show what is in it", sample.name);
    json!({"type": "array", "items": schema(sample, &format!("{path}/0"))})
}

fn object(sample: &Sample, path: &str, fields: &Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in fields.keys() {
        let at = format!("{path}/{name}");
        let mut property = schema(sample, &at);
        match without(sample, path, name) {
            None => required.push(name.clone()),
            // What may be missing for the reader is written as null.
            Some(read) if read.pointer(&at) == Some(&Value::Null) => {
                required.push(name.clone());
                property = json!({"oneOf": [property, {"type": "null"}]});
            }
            Some(_) => {}
        }
        properties.insert(name.clone(), property);
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// What the decoder makes of a sample that lacks a field.
fn without(sample: &Sample, path: &str, name: &str) -> Option<Value> {
    let mut less = sample.value.clone();
    let object = less.pointer_mut(path).and_then(Value::as_object_mut);
    object.expect("an object of the sample").remove(name);
    (sample.take)(&less)
}

fn message(sample: &Sample) -> (String, Value) {
    let message = json!({
        "summary": sample.summary,
        "payload": schema(sample, ""),
        "examples": [{"payload": sample.value}],
    });
    (sample.name.clone(), message)
}

/// The whole document.
fn document() -> Value {
    let all = samples::all();
    let names = |side: Side| -> Vec<Value> {
        let side = all.iter().filter(|sample| sample.side == side);
        side.map(|one| json!({"$ref": format!("#/channels/socket/messages/{}", one.name)}))
            .collect()
    };
    let refer = |sample: &Sample| {
        (sample.name.clone(), json!({"$ref": format!("#/components/messages/{}", sample.name)}))
    };
    let close = |code: CloseCode| {
        json!({
            "code": code.code(),
            "name": code.name(),
            "verdict": code.verdict(),
            "reason": code.reason(),
        })
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Holdfast's socket",
            "version": "1",
            "description": "The JSON messages of GET /ws, subprotocols holdfast.v1.json and \
                holdfast.v1.text; under holdfast.v1.msgpack the same as MessagePack. See docs/protocol.md for what they mean. A client ignores fields \
                and events that it does not know.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8080", "protocol": "ws"}},
        "channels": {"socket": {
            "address": "/ws",
            "messages": all.iter().map(refer).collect::<Map<_, _>>(),
            "x-close-codes": CloseCode::ALL.map(close),
        }},
        "operations": {
            "hear": {
                "action": "receive",
                "summary": "What clients say.",
                "channel": {"$ref": "#/channels/socket"},
                "messages": names(Side::Client),
            },
            "tell": {
                "action": "send",
                "summary": "What the server says.",
                "channel": {"$ref": "#/channels/socket"},
                "messages": names(Side::Server),
            },
        },
        "components": {"messages": all.iter().map(message).collect::<Map<_, _>>()},
    })
}

#[test]
fn the_document_says_what_the_types_say() {
    let path = root().join("docs/asyncapi.yaml");
    let head =
        "# Made of the Rust types by tests/asyncapi.rs; HOLDFAST_WRITE_DOCS=1 makes it anew.\n";
    let made = format!("{head}{}", yaml::write(&document()));
    if std::env::var_os("HOLDFAST_WRITE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).expect("docs/asyncapi.yaml");
    let differs = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(kept == made, "docs/asyncapi.yaml differs first in line {:?}", differs.map(|n| n + 1));
}

#[test]
fn every_sample_is_read_by_the_real_decoder_and_none_is_missing() {
    let all = samples::all();
    for sample in &all {
        let read = (sample.take)(&sample.value);
        assert_eq!(read.as_ref(), Some(&sample.value), "{} comes back as it went", sample.name);
    }
    for verb in VERBS {
        assert!(all.iter().any(|one| one.value["do"] == verb), "{verb} has no sample");
    }
    for event in samples::EVENTS {
        let has = |one: &Sample| one.value["ev"] == event || one.value["evs"][0]["ev"] == event;
        assert!(all.iter().any(has), "{event} has no sample");
    }
}

/// The lines of a document that are whole messages; shapes with … in them are none.
fn examples(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```").enumerate();
    let all = blocks.flat_map(|(n, block)| {
        let fenced = n % 2 == 1;
        let spans = block.lines().flat_map(move |line| {
            // In running text every second piece is code.
            let (skip, step) = if fenced { (0, 1) } else { (1, 2) };
            let between = if fenced { '\n' } else { '`' };
            line.split(between).skip(skip).step_by(step)
        });
        spans.map(str::trim)
    });
    all.filter(|one| one.starts_with("{\"") && one.ends_with('}') && !one.contains('…'))
}

/// Which message an example is, by the decoder that reads it.
fn decoded(example: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(example).map_err(|error| error.to_string())?;
    if value.get("do").is_some() {
        let read = client::decode(example).map_err(|error| error.to_string())?;
        return Ok(read.verb.name().to_owned());
    }
    let name = |event: &Event| match event {
        Event::Unknown(_) => Err("nobody knows this event".to_owned()),
        event => Ok(serde_json::to_value(event).unwrap()["ev"].as_str().unwrap().to_owned()),
    };
    match ServerMessage::decode(example).map_err(|error| error.to_string())? {
        ServerMessage::Welcome(welcome) => Ok(welcome.kind.as_str().to_owned()),
        ServerMessage::Reply(_) => Ok("reply".to_owned()),
        ServerMessage::Event(event) => name(&event),
        ServerMessage::Pong(_) => Ok("pong".to_owned()),
        ServerMessage::Events(events) => {
            let names: Result<Vec<_>, _> = events.evs.iter().map(name).collect();
            names.map(|names| names.join(" "))
        }
    }
}

#[test]
fn every_example_in_the_documents_is_decoded() {
    let mut seen = std::collections::BTreeSet::new();
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    for path in docs.chain([root().join("README.md")]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for example in examples(&text) {
            let name = decoded(example);
            let name = name.unwrap_or_else(|why| panic!("{}: {example}: {why}", path.display()));
            seen.extend(name.split(' ').map(str::to_owned));
        }
    }
    let missing: Vec<_> = VERBS.iter().chain(&samples::EVENTS).chain(&["reply", "pong"]).collect();
    let missing: Vec<_> = missing.into_iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/protocol.md shows no example of {missing:?}");
}
