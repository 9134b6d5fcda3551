//! Human command lines: what people type at the socket, and what they read.
//!
//! [`parse`] turns a line into a [`Line`]; what needs no more than the line is a [`Verb`]
//! already, the rest is for the gateway, which knows the room, the inventory and the input's
//! numbers. [`dealing`] has the lines of trades and parties, [`known`] what a socket remembers for
//! them. [`render`] writes what comes back; [`help`] explains each word.
//! Invariant: a verb that leaves here has passed [`Verb::check`].

pub mod dealing;
pub mod help;
pub mod known;
pub mod render;

use crate::client::{MoveType, SAY_LEN_MAX, Verb, VerbError};
use crate::codes::ErrorCode;
use crate::ids::{PlayerId, RoomId};
use crate::movement::{INPUT_STEPS_MAX, Step};
use crate::server::InventoryItem;

/// Why a line was not understood. Reacts: the session, with a `!` line.
pub type TextError = VerbError;

/// Highest rate of `watch`, in frames a second.
pub const WATCH_HZ_MAX: u8 = 20;

/// What a human line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Nothing was typed.
    Empty,
    /// A message like any other; the session gives it an id where it needs one.
    Verb(Verb),
    /// Steps of movement; the session numbers them.
    Move {
        /// At most [`INPUT_STEPS_MAX`].
        steps: Vec<Step>,
    },
    /// Who is here, and where.
    Look,
    /// How much gold.
    Gold,
    /// Use an item named by its id or a word of its name, see [`find_item`].
    Use {
        /// As typed.
        word: String,
    },
    /// Trades, gifts and parties, which are named by what the player knows.
    Ask(dealing::Ask),
    /// Room and roster events, on or off.
    Watch {
        /// Whether they are sent.
        on: bool,
        /// How often a second at most, 1 to [`WATCH_HZ_MAX`].
        hz: Option<u8>,
    },
    /// Replies and events as JSON from now on, or as lines again.
    Json {
        /// Whether they are JSON.
        on: bool,
    },
    /// Help on a word, or the list of all, see [`help::help`].
    Help {
        /// As typed.
        topic: Option<String>,
    },
    /// Log out and close.
    Quit,
}

/// True when text rules read the line as JSON.
#[must_use]
pub fn is_json(line: &str) -> bool {
    line.trim_start().starts_with('{')
}

/// Reads one human line; a trailing newline is ignored.
///
/// # Errors
/// [`TextError`] with `unknown_verb` and the nearest word, or `bad_args` and what is allowed.
pub fn parse(line: &str) -> Result<Line, TextError> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim_start();
    let args: Vec<&str> = rest.split_whitespace().collect();
    let word = word.to_lowercase();
    match word.as_str() {
        "" => Ok(Line::Empty),
        "say" => say(rest),
        "login" => login(&args),
        "join" => join(&args),
        "attack" => blow(MoveType::Attack, &args),
        "special" => blow(MoveType::Special, &args),
        "move" => movement(&args),
        "use" => use_word(rest),
        "trade" => dealing::trade(rest),
        "gift" => dealing::gift(rest),
        "counter" => dealing::counter(rest),
        "accept" | "cancel" => dealing::one_offer(&word, &args),
        "party" => dealing::party(rest),
        "watch" => watch(&args),
        "json" => json(&args),
        "help" => topic(&args),
        _ => bare(&word, &args),
    }
}

/// The words that take no arguments.
fn bare(word: &str, args: &[&str]) -> Result<Line, TextError> {
    let line = match word {
        "leave" => Line::Verb(Verb::LeaveRoom {}),
        "defend" => Line::Verb(practice(MoveType::Defend)),
        "heal" => Line::Verb(practice(MoveType::Heal)),
        "look" => Line::Look,
        "inv" => Line::Verb(Verb::GetInventory {}),
        "gold" => Line::Gold,
        "who" => Line::Verb(Verb::Who {}),
        "rooms" => Line::Verb(Verb::Rooms {}),
        "top" => Line::Verb(Verb::Top {}),
        "state" => Line::Verb(Verb::GetState {}),
        "ping" => Line::Verb(Verb::Ping { t: 0.into() }),
        "quit" => Line::Quit,
        _ => return Err(help::unknown(word)),
    };
    if args.is_empty() { Ok(line) } else { Err(usage(word)) }
}

fn usage(word: &str) -> TextError {
    TextError::bad_args(help::usage(word))
}

fn practice(move_type: MoveType) -> Verb {
    Verb::ExecuteMove { move_type, target_player_id: None, event_id: None }
}

fn checked(verb: Verb) -> Result<Line, TextError> {
    verb.check()?;
    Ok(Line::Verb(verb))
}

fn login(args: &[&str]) -> Result<Line, TextError> {
    let (name, token) = match args {
        [name] => (name, None),
        [name, token] => (name, Some((*token).to_owned())),
        _ => return Err(usage("login")),
    };
    checked(Verb::Hello { token, player: Some(player(name)?), name: None })
}

fn player(name: &str) -> Result<PlayerId, TextError> {
    PlayerId::new(&name.to_lowercase()).map_err(|error| TextError::bad_args(error.to_string()))
}

fn join(args: &[&str]) -> Result<Line, TextError> {
    let [id] = args else { return Err(usage("join")) };
    Ok(Line::Verb(Verb::JoinRoom { room_id: room(id)? }))
}

fn room(id: &str) -> Result<RoomId, TextError> {
    RoomId::new(&id.to_lowercase()).map_err(|error| TextError::bad_args(error.to_string()))
}

fn blow(move_type: MoveType, args: &[&str]) -> Result<Line, TextError> {
    let target_player_id = match args {
        [] => None,
        [target] => Some(player(target)?),
        _ => return Err(usage(move_type.as_str())),
    };
    Ok(Line::Verb(Verb::ExecuteMove { move_type, target_player_id, event_id: None }))
}

fn say(rest: &str) -> Result<Line, TextError> {
    if rest.is_empty() {
        return Err(usage("say"));
    }
    checked(Verb::Say { text: rest.to_owned() }).map_err(|_| {
        TextError::bad_args(format!(
            "say takes up to {SAY_LEN_MAX} characters without control characters"
        ))
    })
}

fn movement(args: &[&str]) -> Result<Line, TextError> {
    let (direction, count) = match args {
        [direction] => (direction, Some(1)),
        [direction, count] => (direction, count.parse().ok()),
        _ => return Err(usage("move")),
    };
    let count = count.filter(|count| (1..=INPUT_STEPS_MAX).contains(count));
    match (compass(&direction.to_lowercase()), count) {
        (Some((dx, dy)), Some(count)) => {
            Ok(Line::Move { steps: vec![Step { dx, dy, buttons: 0 }; count] })
        }
        _ => Err(TextError::bad_args(format!(
            "{}: n, ne, e, se, s, sw, w or nw, 1 to {INPUT_STEPS_MAX} steps",
            help::usage("move")
        ))),
    }
}

/// A compass direction as (dx, dy); y points down.
fn compass(direction: &str) -> Option<(i8, i8)> {
    Some(match direction {
        "n" => (0, -1),
        "ne" => (1, -1),
        "e" => (1, 0),
        "se" => (1, 1),
        "s" => (0, 1),
        "sw" => (-1, 1),
        "w" => (-1, 0),
        "nw" => (-1, -1),
        _ => return None,
    })
}

fn use_word(rest: &str) -> Result<Line, TextError> {
    if rest.is_empty() {
        return Err(usage("use"));
    }
    Ok(Line::Use { word: rest.to_owned() })
}

fn on_off(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn watch(args: &[&str]) -> Result<Line, TextError> {
    let (on, hz) = match args {
        [on] => (on_off(on), None),
        [on, hz] => (on_off(on), Some(hz)),
        _ => (None, None),
    };
    let on = on.ok_or_else(|| usage("watch"))?;
    let Some(hz) = hz else { return Ok(Line::Watch { on, hz: None }) };
    match hz.parse() {
        Ok(hz @ 1..=WATCH_HZ_MAX) if on => Ok(Line::Watch { on, hz: Some(hz) }),
        _ => Err(usage("watch")),
    }
}

fn json(args: &[&str]) -> Result<Line, TextError> {
    match args {
        [on] => on_off(on).map(|on| Line::Json { on }).ok_or_else(|| usage("json")),
        _ => Err(usage("json")),
    }
}

fn topic(args: &[&str]) -> Result<Line, TextError> {
    match args {
        [] => Ok(Line::Help { topic: None }),
        [topic] => Ok(Line::Help { topic: Some(topic.to_lowercase()) }),
        _ => Err(usage("help")),
    }
}

/// The item that a typed word means: its id first, else a word of its name, else its whole name.
///
/// # Errors
/// [`TextError`] with `no_such_item` when nothing in the inventory is called so.
pub fn find_item<'a>(
    word: &str,
    inventory: &'a [InventoryItem],
) -> Result<&'a InventoryItem, TextError> {
    let word = word.to_lowercase();
    let named = |item: &&InventoryItem| known::is_called(&item.name, &word);
    let by_id = inventory.iter().find(|item| item.item_id == word);
    by_id.or_else(|| inventory.iter().find(named)).ok_or_else(|| TextError {
        code: ErrorCode::NoSuchItem,
        message: format!("you carry nothing called {}", render::plain(&word)),
    })
}

#[cfg(test)]
mod tests;
