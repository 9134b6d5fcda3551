//! The settings file: TOML, the options' names with underscores, and `[rooms.NAME]` tables.

use std::path::Path;

use holdfast_protocol::ids::RoomId;
use holdfast_protocol::near;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::option::{self, Opt};
use super::resolve::{Given, Origin, Resolved, take};

/// The known name nearest to a mistyped one.
pub(super) fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    near::nearest(name, &known)
}

/// A file's text, to say where things stand.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    /// Line and column of a byte, from 1.
    fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |text| text.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }

    fn place(&self, byte: usize) -> String {
        let (line, column) = self.position(byte);
        format!("{}:{line}:{column}", self.path.display())
    }

    fn bad(&self, byte: usize, why: impl Into<String>) -> ConfigError {
        ConfigError::Value { place: self.place(byte), why: why.into() }
    }

    fn origin(&self, byte: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: self.position(byte).0 }
    }
}

/// Reads a settings file over what is there.
pub(super) fn read(path: &Path, text: &str, resolved: &mut Resolved) -> Result<(), ConfigError> {
    let source = Source { path, text };
    let table = DeTable::parse(text).map_err(|e| {
        source.bad(e.span().map_or(0, |span| span.start), format!("not TOML: {}", e.message()))
    })?;
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        let name: &str = key.get_ref();
        if name == "rooms" {
            rooms(&source, value, resolved)?;
            continue;
        }
        let Some(opt) = option::by_key(name) else {
            return Err(source.bad(at, unknown(name)));
        };
        let texts = texts(value.get_ref()).ok_or_else(|| {
            source.bad(at, format!("{name} can't be a {}", form(value.get_ref())))
        })?;
        let place = format!("{}: {name}", source.place(at));
        take(Given { opt, texts, origin: source.origin(at), place }, resolved)?;
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let known: Vec<String> = option::all().map(Opt::key).chain(["rooms".to_owned()]).collect();
    let dashes = name.replace('-', "_");
    let near = known.iter().find(|key| **key == dashes).map(String::as_str);
    match near.or_else(|| nearest(name, &known)) {
        Some(near) => format!("no option is called {name:?}; did you mean {near}?"),
        None => format!("no option is called {name:?}; holdfast --help lists them"),
    }
}

/// A value's texts, as the command line would have them.
fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(on) => Some(on.to_string()),
        _ => None,
    };
    match value {
        DeValue::Array(items) => items.iter().map(|item| one(item.get_ref())).collect(),
        value => one(value).map(|text| vec![text]),
    }
}

fn form(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Table(_) => "table",
        DeValue::Array(_) => "list of these",
        DeValue::Float(_) => "fraction",
        _ => "value of this form",
    }
}

/// `[rooms.NAME] capacity = N`.
fn rooms(
    source: &Source<'_>,
    value: &Spanned<DeValue<'_>>,
    resolved: &mut Resolved,
) -> Result<(), ConfigError> {
    let shape = "rooms are tables: [rooms.NAME] with capacity = N";
    let DeValue::Table(rooms) = value.get_ref() else {
        return Err(source.bad(value.span().start, shape));
    };
    for (name, room) in rooms {
        let at = name.span().start;
        RoomId::new(name.get_ref()).map_err(|e| source.bad(at, e.to_string()))?;
        let DeValue::Table(room) = room.get_ref() else { return Err(source.bad(at, shape)) };
        for (key, value) in room {
            let at = key.span().start;
            if key.get_ref() != "capacity" {
                let why = format!("a room has no {:?}; it has capacity", key.get_ref());
                return Err(source.bad(at, why));
            }
            let text = texts(value.get_ref()).and_then(|texts| texts.into_iter().next());
            let capacity = option::number(&text.unwrap_or_default(), 1, 10_000)
                .map_err(|why| source.bad(at, format!("capacity: {why}")))?;
            let name = name.get_ref().to_string();
            resolved.origins.insert(format!("rooms.{name}"), source.origin(at));
            resolved.settings.rooms.insert(name, capacity);
        }
    }
    Ok(())
}
