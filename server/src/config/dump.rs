//! `--dump-config`: every value and where it came from, as a settings file that can be used, or as
//! JSON. No secret is in either: settings hold the names of files only.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::option::{self, GROUPS};
use super::resolve::{Origin, Resolved};

/// The text of `--dump-config`: a settings file with comments.
#[must_use]
pub fn dump(resolved: &Resolved) -> String {
    let mut out = String::new();
    for (heading, group) in GROUPS {
        let _ = writeln!(out, "# {heading}");
        for opt in group {
            let key = opt.key();
            let line = match opt.show(&resolved.settings) {
                Some(value) => format!("{key} = {value}"),
                None => format!("# {key} is not set"),
            };
            let _ = writeln!(out, "{line:<40} # {}", origin(resolved, &key));
        }
        out.push('\n');
    }
    for (room, capacity) in &resolved.settings.rooms {
        let origin = resolved.origin(&format!("rooms.{room}"));
        let _ =
            writeln!(out, "[rooms.{room}]\n{:<40} # {origin}\n", format!("capacity = {capacity}"));
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn origin(resolved: &Resolved, key: &str) -> String {
    let derived = key == "guests" && resolved.origin("listen") != Origin::Default;
    match resolved.origin(key) {
        Origin::Default if derived => "default for this address".to_owned(),
        origin => origin.to_string(),
    }
}

/// The JSON of `--dump-config --json`: `{settings: {NAME: {value, origin}}, rooms: {ROOM:
/// {capacity: {value, origin}}}}`; a value that is not set is null.
#[must_use]
pub fn dump_json(resolved: &Resolved) -> Value {
    let mut settings = Map::new();
    for opt in option::shown() {
        let (key, value) = (opt.key(), opt.show(&resolved.settings));
        let value = value.and_then(|value| serde_json::to_value(value).ok());
        let origin = origin(resolved, &key);
        settings.insert(key, json!({"value": value, "origin": origin}));
    }
    let mut rooms = Map::new();
    for (room, capacity) in &resolved.settings.rooms {
        let origin = resolved.origin(&format!("rooms.{room}")).to_string();
        rooms.insert(room.clone(), json!({"capacity": {"value": capacity, "origin": origin}}));
    }
    json!({"settings": settings, "rooms": rooms})
}
