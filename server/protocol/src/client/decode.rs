//! From a client's text to a checked verb, or to a sentence that says what is wrong with it.
//!
//! The envelope is split without copying, then the arguments are read by the verb's own shape.
//! Nothing recurses into what a client nests, so depth costs no stack. An id is kept whenever it
//! could be read, so that an error reaches the one who asked.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{
    Class, ClientMessage, EVENT_ID_LEN_MAX, INTEGER_MAX, ITEM_ID_LEN_MAX, NAME_LEN_MAX,
    PARTY_NAME_LEN_MAX, SAY_LEN_MAX, Step, VERBS, Verb,
};
use crate::codes::ErrorCode;
use crate::goods::Goods;
use crate::movement::INPUT_STEPS_MAX;
use crate::near;

/// Why a message was not understood. Reacts: the session, with an error reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct DecodeError {
    /// The message's id, where it could be read.
    pub id: Option<u64>,
    /// `bad_message`, `unknown_verb` or `bad_args`.
    pub code: ErrorCode,
    /// What is wrong and what is allowed, for people.
    pub message: String,
}

/// Why a verb and its arguments, or a human line, were not understood. Reacts: the edge, with an
/// error reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct VerbError {
    /// `bad_message`, `unknown_verb`, `bad_args`; of human lines also `no_such_item`,
    /// `no_such_trade` and `no_such_party`.
    pub code: ErrorCode,
    /// What is wrong and what is allowed, for people.
    pub message: String,
}

impl VerbError {
    pub(crate) fn bad_args(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::BadArgs, message: message.into() }
    }

    fn bad_message(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::BadMessage, message: message.into() }
    }

    pub(crate) fn unknown_verb(word: &str, known: &[&'static str]) -> Self {
        let message = match word {
            "" => "the verb is empty".to_owned(),
            word => near::suggest(word, known),
        };
        Self { code: ErrorCode::UnknownVerb, message }
    }

    fn under(self, id: Option<u64>) -> DecodeError {
        DecodeError { id, code: self.code, message: self.message }
    }
}

/// The outer object, its parts not looked at yet.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "do")]
    verb: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// Reads one JSON message of a client.
///
/// # Errors
/// [`DecodeError`] with the code and the sentence that go back to the client.
pub fn decode(text: &str) -> Result<ClientMessage, DecodeError> {
    if let Some(verb) = input_message(text) {
        return Ok(ClientMessage { id: None, verb });
    }
    let envelope = envelope(text).map_err(|error| error.under(None))?;
    let id = envelope.id.map(read_id).transpose().map_err(|error| error.under(None))?;
    let verb = read_verb(&envelope).map_err(|error| error.under(id))?;
    if id.is_none() && matches!(verb.class(), Class::Command | Class::Query) {
        let message = format!("{} needs an id; only input and ping need none", verb.name());
        return Err(VerbError::bad_message(message).under(None));
    }
    Ok(ClientMessage { id, verb })
}

fn envelope(text: &str) -> Result<Envelope<'_>, VerbError> {
    const SHAPE: &str = r#"a message is {"id": <integer>, "do": "<verb>", "args": {…}}"#;
    // A derived struct would also take an array of its fields.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(VerbError::bad_message(SHAPE));
    }
    serde_json::from_str(text).map_err(|error| {
        let what = if error.is_data() { SHAPE.to_owned() } else { format!("not JSON: {error}") };
        VerbError::bad_message(what)
    })
}

fn read_id(raw: &RawValue) -> Result<u64, VerbError> {
    match raw.get().parse() {
        Ok(id @ 1..=INTEGER_MAX) => Ok(id),
        _ => Err(VerbError::bad_message(format!("id must be an integer from 1 to {INTEGER_MAX}"))),
    }
}

fn read_verb(envelope: &Envelope<'_>) -> Result<Verb, VerbError> {
    let name: Option<Cow<'_, str>> = envelope.verb.and_then(read_text);
    let Some(name) = name else {
        return Err(VerbError::bad_message(r#"do must be a verb, such as "do": "join_room""#));
    };
    decode_verb(&name, envelope.args)
}

/// A string; borrowed when it has no escapes, which no verb's name needs.
fn read_text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let plain = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        return serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(plain))
}

/// Reads a verb from its name and its arguments; no arguments count as `{}`.
///
/// # Errors
/// [`VerbError`]: `unknown_verb`, or `bad_args` that names the field and what is allowed.
pub fn decode_verb(name: &str, args: Option<&RawValue>) -> Result<Verb, VerbError> {
    if !VERBS.contains(&name) {
        return Err(VerbError::unknown_verb(name, &VERBS));
    }
    let args = args.map_or("{}", RawValue::get);
    if !args.starts_with('{') {
        return Err(VerbError::bad_args("args must be an object"));
    }
    let verb = match (name, input(name, args)) {
        (_, Some(input)) => input,
        _ => read_args(name, &fields(args)?)?,
    };
    verb.check()?;
    Ok(verb)
}

/// The arguments of an input frame.
#[derive(Deserialize)]
struct Input {
    seq: u64,
    steps: Vec<Step>,
}

/// The hot path: a whole input frame in one pass. What it can't read, or what is not allowed, the
/// slow path explains.
fn input_message(text: &str) -> Option<Verb> {
    #[derive(Deserialize)]
    struct Message<'a> {
        id: Option<IgnoredAny>,
        #[serde(rename = "do")]
        verb: &'a str,
        args: Input,
    }
    if !text.starts_with(r#"{"do":"input","#) {
        return None;
    }
    let Message { id: None, verb: "input", args } = serde_json::from_str(text).ok()? else {
        return None;
    };
    let verb = Verb::Input { seq: args.seq, steps: args.steps };
    verb.check().is_ok().then_some(verb)
}

/// An input frame's arguments by themselves.
fn input(name: &str, args: &str) -> Option<Verb> {
    if name != "input" {
        return None;
    }
    let Input { seq, steps } = serde_json::from_str(args).ok()?;
    Some(Verb::Input { seq, steps })
}

/// Every argument that any verb has, its value not looked at yet.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    player: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow)]
    room_id: Option<&'a RawValue>,
    #[serde(borrow)]
    move_type: Option<&'a RawValue>,
    #[serde(borrow)]
    target_player_id: Option<&'a RawValue>,
    #[serde(borrow)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    steps: Option<&'a RawValue>,
    #[serde(borrow)]
    item_id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    give: Option<&'a RawValue>,
    #[serde(borrow)]
    want: Option<&'a RawValue>,
    #[serde(borrow)]
    trade_id: Option<&'a RawValue>,
    #[serde(borrow)]
    revision: Option<&'a RawValue>,
    #[serde(borrow)]
    party_id: Option<&'a RawValue>,
    #[serde(borrow)]
    on_leader_left: Option<&'a RawValue>,
    #[serde(borrow)]
    t: Option<&'a RawValue>,
}

fn fields(args: &str) -> Result<Fields<'_>, VerbError> {
    serde_json::from_str(args).map_err(|error| VerbError::bad_args(format!("args: {error}")))
}

fn read_args(name: &str, fields: &Fields<'_>) -> Result<Verb, VerbError> {
    Ok(match name {
        "hello" => Verb::Hello {
            token: may("token", fields.token)?,
            player: may("player", fields.player)?,
            name: may("name", fields.name)?,
        },
        "resume" => {
            Verb::Resume { token: need("token", fields.token)?, seq: need("seq", fields.seq)? }
        }
        "join_room" => Verb::JoinRoom { room_id: need("room_id", fields.room_id)? },
        "leave_room" => Verb::LeaveRoom {},
        "execute_move" => Verb::ExecuteMove {
            move_type: need("move_type", fields.move_type)?,
            target_player_id: may("target_player_id", fields.target_player_id)?,
            event_id: may("event_id", fields.event_id)?,
        },
        "input" => {
            Verb::Input { seq: need("seq", fields.seq)?, steps: need("steps", fields.steps)? }
        }
        "use_item" => Verb::UseItem { item_id: need("item_id", fields.item_id)? },
        "say" => Verb::Say { text: need("text", fields.text)? },
        name if name.starts_with("trade_") || name == "gift" => read_trade(name, fields)?,
        name if name.starts_with("party_") => read_party(name, fields)?,
        "get_state" => Verb::GetState {},
        "get_inventory" => Verb::GetInventory {},
        "get_status" => Verb::GetStatus {},
        "who" => Verb::Who {},
        "rooms" => Verb::Rooms {},
        "top" => Verb::Top {},
        "look" => Verb::Look {},
        "refresh" => Verb::Refresh { token: need("token", fields.token)? },
        "ping" => Verb::Ping { t: need("t", fields.t)? },
        "logout" => Verb::Logout {},
        other => return Err(VerbError::unknown_verb(other, &VERBS)),
    })
}

fn read_trade(name: &str, fields: &Fields<'_>) -> Result<Verb, VerbError> {
    let goods = |name, field| may::<Goods>(name, field).map(Option::unwrap_or_default);
    let (give, want) = (goods("give", fields.give)?, goods("want", fields.want)?);
    let trade_id = || need("trade_id", fields.trade_id);
    let revision = may("revision", fields.revision)?;
    Ok(match name {
        "trade_offer" => Verb::TradeOffer { to: need("to", fields.to)?, give, want },
        "trade_counter" => Verb::TradeCounter { trade_id: trade_id()?, give, want, revision },
        "trade_accept" => Verb::TradeAccept { trade_id: trade_id()?, revision },
        "trade_cancel" => Verb::TradeCancel { trade_id: trade_id()? },
        "gift" => Verb::Gift { to: need("to", fields.to)?, give: need("give", fields.give)? },
        other => return Err(VerbError::unknown_verb(other, &VERBS)),
    })
}

fn read_party(name: &str, fields: &Fields<'_>) -> Result<Verb, VerbError> {
    Ok(match name {
        "party_create" => Verb::PartyCreate {
            name: need("name", fields.name)?,
            on_leader_left: need("on_leader_left", fields.on_leader_left)?,
        },
        "party_invite" => Verb::PartyInvite { player: need("player", fields.player)? },
        "party_kick" => Verb::PartyKick { player: need("player", fields.player)? },
        "party_accept" => Verb::PartyAccept { party_id: need("party_id", fields.party_id)? },
        "party_leave" => Verb::PartyLeave {},
        "party_say" => Verb::PartySay { text: need("text", fields.text)? },
        "party_join_room" => Verb::PartyJoinRoom { room_id: need("room_id", fields.room_id)? },
        other => return Err(VerbError::unknown_verb(other, &VERBS)),
    })
}

fn need<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<T, VerbError> {
    may(field, raw)?.ok_or_else(|| {
        VerbError::bad_args(format!("{field} is missing; it must be {}", allowed(field)))
    })
}

fn may<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<T>, VerbError> {
    let value = raw.map(|raw| serde_json::from_str(raw.get())).transpose();
    value.map_err(|_| refuse(field))
}

fn refuse(field: &'static str) -> VerbError {
    VerbError::bad_args(format!("{field} must be {}", allowed(field)))
}

/// What a field may hold, for people.
fn allowed(field: &str) -> &'static str {
    match field {
        "token" => "a token, as text",
        "player" | "to" | "target_player_id" => "a player id: 1 to 32 of a-z, 0-9, _ and -",
        "name" => "1 to 32 characters without control characters",
        "seq" => "an integer within 2^53 - 1; the first step of a session is 1",
        "room_id" => "a room id: 1 to 64 of a-z, 0-9, _ and -",
        "move_type" => "attack, defend, heal or special",
        "event_id" | "item_id" => "text of 1 to 64 characters",
        "steps" => "1 to 32 steps [dx, dy, buttons]: dx and dy -1, 0 or 1, buttons 0 or 1",
        "text" => "1 to 200 characters without control characters",
        "give" | "want" => {
            r#"goods, {"gold": 20, "items": [{"item_id": "potion-001", "quantity": 1}]}: integers from 1 to 1000000000, at most 16 kinds of items, each once"#
        }
        "trade_id" => "a trade id, as an offer's event has it",
        "party_id" => "a party id, as an invitation has it",
        "revision" => "an integer from 1, as an offer's event has it",
        "on_leader_left" => "end or pass_on",
        "t" => "a number",
        _ => "something else",
    }
}

impl Verb {
    /// Checks lengths, ranges and alphabets that the types alone don't hold.
    ///
    /// # Errors
    /// [`VerbError`] with `bad_args` that names the field and what is allowed.
    pub fn check(&self) -> Result<(), VerbError> {
        match self {
            Self::Hello { token: None, player: None, .. } => {
                Err(VerbError::bad_args("hello needs a token or a player"))
            }
            Self::Hello { name: Some(name), .. } => hold("name", is_line(name, NAME_LEN_MAX)),
            Self::Resume { seq, .. } => hold("seq", *seq <= INTEGER_MAX),
            Self::ExecuteMove { event_id: Some(key), .. } => {
                hold("event_id", has_len(key, EVENT_ID_LEN_MAX))
            }
            Self::UseItem { item_id } => hold("item_id", has_len(item_id, ITEM_ID_LEN_MAX)),
            Self::Say { text } | Self::PartySay { text } => {
                hold("text", is_line(text, SAY_LEN_MAX))
            }
            Self::TradeOffer { give, want, .. } => check_goods(give, want),
            Self::TradeCounter { give, want, revision, .. } => {
                hold("revision", *revision != Some(0))?;
                check_goods(give, want)
            }
            Self::Gift { give, .. } => check_goods(give, &Goods::default()),
            Self::TradeAccept { revision, .. } => hold("revision", *revision != Some(0)),
            Self::PartyCreate { name, .. } => hold("name", is_line(name, PARTY_NAME_LEN_MAX)),
            Self::Input { seq, steps } => check_input(*seq, steps),
            _ => Ok(()),
        }
    }
}

fn check_goods(give: &Goods, want: &Goods) -> Result<(), VerbError> {
    hold("give", give.is_allowed())?;
    hold("want", want.is_allowed())?;
    if give.is_empty() && want.is_empty() {
        return Err(VerbError::bad_args("nothing stands on either side; give or want something"));
    }
    Ok(())
}

fn check_input(seq: u64, steps: &[Step]) -> Result<(), VerbError> {
    let few = (1..=INPUT_STEPS_MAX).contains(&steps.len());
    hold("steps", few && steps.iter().all(|step| step.is_allowed()))?;
    let last = seq.saturating_add(steps.len() as u64);
    hold("seq", seq >= 1 && last <= INTEGER_MAX)
}

fn hold(field: &'static str, holds: bool) -> Result<(), VerbError> {
    if holds { Ok(()) } else { Err(refuse(field)) }
}

fn has_len(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().take(max + 1).count() <= max
}

fn is_line(text: &str, max: usize) -> bool {
    has_len(text, max) && !text.chars().any(char::is_control)
}
