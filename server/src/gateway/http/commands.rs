//! Commands for a player from outside any session: updates, which are answered with their result,
//! and signals, which are answered once they are durable.
//!
//! The player's own token or a service's opens them. Whichever node holds the player executes
//! them; nobody is created. A key makes a repeat safe, whatever happened to the first request.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::client::{self, Class, EVENT_ID_LEN_MAX, MoveType, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::edge::Request as Ask;
use holdfast_protocol::goods::Goods;
use holdfast_protocol::ids::{ActorId, PartyId, PlayerId, RoomId, TradeId};
use holdfast_protocol::server::{MoveBody, OnLeaderLeft, PartyBody, RoomBody, TradeBody, UseBody};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::caller::{Caller, Named, Posted, caller, explain, json_body, within};
use super::failure::{CommandRefused, ErrorPage, Failure};
use crate::actor::contract::Origin;
use crate::actor::envelope::{Answered, Call, CallError};
use crate::gateway::Edge;
use crate::gateway::auth::AuthError;
use crate::gateway::beat::encode;
use crate::gateway::limit::TooMuch;

/// The header that names a command.
const KEY: &str = "idempotency-key";
/// The verb that only services speak.
const NOTIFY: &str = "notify";

/// A verb and its arguments, for the document; [`read`] reads them.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[serde(tag = "do", content = "args", rename_all = "snake_case")]
#[expect(dead_code, reason = "only the document is made of it")]
enum Order {
    /// Enters a room and leaves the former one.
    JoinRoom { room_id: RoomId },
    /// Leaves the room.
    LeaveRoom {},
    /// A blow, a defence or a healing.
    ExecuteMove {
        move_type: MoveType,
        /// At whom; none is a practice blow.
        target_player_id: Option<PlayerId>,
        /// The same as the header `Idempotency-Key`.
        #[schema(min_length = 1, max_length = 64)]
        event_id: Option<String>,
    },
    /// Uses an item of the inventory.
    UseItem {
        #[schema(min_length = 1, max_length = 64)]
        item_id: String,
    },
    /// Speaks to the room.
    Say {
        #[schema(min_length = 1, max_length = 200)]
        text: String,
    },
    /// Offers a trade; what is given is reserved until it ends.
    TradeOffer { to: PlayerId, give: Option<Goods>, want: Option<Goods> },
    /// Answers an offer with other terms.
    TradeCounter {
        trade_id: TradeId,
        give: Option<Goods>,
        want: Option<Goods>,
        /// The terms that are answered; without it the newest.
        #[schema(minimum = 1)]
        revision: Option<u32>,
    },
    /// Accepts an offer.
    TradeAccept {
        trade_id: TradeId,
        /// The terms that are accepted; without it the newest.
        #[schema(minimum = 1)]
        revision: Option<u32>,
    },
    /// Takes an offer back, or declines it.
    TradeCancel { trade_id: TradeId },
    /// Gives goods for nothing.
    Gift { to: PlayerId, give: Goods },
    /// Begins a party.
    PartyCreate {
        #[schema(min_length = 1, max_length = 32)]
        name: String,
        on_leader_left: OnLeaderLeft,
    },
    /// Invites a player into the own party.
    PartyInvite { player: PlayerId },
    /// Sends a member away, or takes an invitation back.
    PartyKick { player: PlayerId },
    /// Joins the party of an invitation.
    PartyAccept { party_id: PartyId },
    /// Leaves the party.
    PartyLeave {},
    /// Speaks to the party.
    PartySay {
        #[schema(min_length = 1, max_length = 200)]
        text: String,
    },
    /// Enters a room with the whole party, or not at all.
    PartyJoinRoom { room_id: RoomId },
    /// Ends the session, if there is one, and leaves.
    Logout {},
    /// Has the player receive a notification; only with a service's token.
    Notify {
        #[schema(min_length = 1, max_length = 500)]
        text: String,
        #[schema(min_length = 1, max_length = 500)]
        from: Option<String>,
    },
}

/// A command.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the document is made of it")]
pub(super) struct Command {
    #[serde(flatten)]
    order: Order,
    /// True, or not given: an update, answered with its result. False: a signal, answered once it
    /// is durable.
    wait: Option<bool>,
}

/// What came of an update.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the document is made of it")]
enum Outcome {
    Move(MoveBody),
    Room(RoomBody),
    Use(UseBody),
    Trade(TradeBody),
    Party(PartyBody),
    /// Nothing to tell.
    Empty {},
}

/// An executed update.
#[derive(Serialize, ToSchema)]
struct UpdatePage<'a> {
    #[schema(value_type = Outcome)]
    ok: &'a RawValue,
    /// The record of the player's journal that makes it durable.
    seq: u64,
    /// The key was used before: this is the first answer once more.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    dup: bool,
}

/// A durable signal.
#[derive(Serialize, ToSchema)]
struct SignalPage {
    /// Always true.
    accepted: bool,
    /// The record of the player's journal that makes it durable.
    seq: u64,
    /// The key was used before: nothing was executed again.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    dup: bool,
}

/// What 202 holds.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the document is made of it")]
enum LaterPage {
    Signal(SignalPage),
    /// `pending`: the update is durable, its result is not known yet; repeat the key.
    Pending(ErrorPage),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "do")]
    verb: Cow<'a, str>,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
    #[serde(default)]
    wait: Option<bool>,
}

/// A request that was read.
#[derive(Debug)]
struct Wanted {
    request: Ask,
    /// The verb's own key.
    event_id: Option<String>,
    signal: bool,
}

#[derive(Deserialize)]
struct Notice {
    text: String,
    #[serde(default)]
    from: Option<String>,
}

fn notice(args: Option<&RawValue>) -> Result<Ask, Failure> {
    let args = args.map_or("{}", RawValue::get);
    if !args.starts_with('{') {
        return Err(Failure::of(ErrorCode::BadArgs, "args must be an object"));
    }
    let Notice { text, from } = serde_json::from_str(args).map_err(|error| explain(&error))?;
    let is_line = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    if !is_line(&text) || !from.as_deref().is_none_or(is_line) {
        let message = "text and from must be 1 to 500 characters without control characters";
        return Err(Failure::of(ErrorCode::BadArgs, message));
    }
    Ok(Ask::Notify { text, from })
}

fn read(body: &[u8]) -> Result<Wanted, Failure> {
    let Body { verb, args, wait } =
        serde_json::from_slice(body).map_err(|error| explain(&error))?;
    let signal = wait == Some(false);
    if verb == NOTIFY {
        return Ok(Wanted { request: notice(args)?, event_id: None, signal });
    }
    let verb =
        client::decode_verb(&verb, args).map_err(|error| Failure::of(error.code, error.message))?;
    let message = match verb.class() {
        Class::Command => {
            let event_id = verb.event_id().map(str::to_owned);
            return Ok(Wanted { request: Ask::Verb(verb), event_id, signal });
        }
        Class::Query => format!("{} is a read: see GET /v1", verb.name()),
        _ => format!("{} needs a socket: see /ws", verb.name()),
    };
    Err(Failure::of(ErrorCode::UnknownVerb, message))
}

/// The command's key: the header's, or the verb's own.
fn key(headers: &HeaderMap, event_id: Option<String>) -> Result<Option<Box<str>>, Failure> {
    let bad = |message: String| Failure::of(ErrorCode::BadArgs, message);
    let mut given = headers.get_all(KEY).iter();
    let Some(first) = given.next() else { return Ok(event_id.map(Into::into)) };
    let named = first.to_str().ok().map(str::trim).filter(|named| {
        !named.is_empty() && named.len() <= EVENT_ID_LEN_MAX && given.next().is_none()
    });
    let named = named.ok_or_else(|| {
        bad(format!("Idempotency-Key must stand once, with 1 to {EVENT_ID_LEN_MAX} characters"))
    })?;
    if event_id.is_some_and(|event_id| event_id != named) {
        return Err(bad("Idempotency-Key and event_id differ: give one of them".to_owned()));
    }
    Ok(Some(named.into()))
}

/// Who speaks for the player: the player, or a service.
fn speaker(
    edge: &Edge,
    headers: &HeaderMap,
    player: &PlayerId,
) -> Result<(Origin, Option<usize>), Failure> {
    match caller(edge, headers)? {
        Caller::Service(service) => Ok((Origin::Service, Some(service))),
        Caller::Player(bearer) if bearer.player == *player => Ok((Origin::Owner, None)),
        Caller::Player(_) => Err(AuthError::OtherPlayer.into()),
        Caller::Nobody => {
            let message = "commands need the player's own token or a service's";
            Err(Failure::of(ErrorCode::Unauthorized, message))
        }
    }
}

/// Has a player do something
///
/// An update (`wait` true) is answered 200 with its result, or 202 `pending` after five seconds;
/// a signal 202 once it is durable. A refusal uses nothing up, not even the key. The newest 256
/// keys of a player are kept, and the answers of its newest 64 commands by HTTP: the repeat of a
/// key gets the first answer, or `{}` where that is gone, with `dup`.
#[utoipa::path(
    post,
    path = "/v1/players/{id}/commands",
    tag = "players",
    params(
        ("id" = PlayerId, Path),
        (
            "Idempotency-Key" = Option<String>, Header,
            description = "Names the command: however often it is sent, it takes effect once.",
            min_length = 1, max_length = 64
        )
    ),
    request_body = Command,
    responses(
        (status = 200, description = "Executed and durable.", body = UpdatePage),
        (status = 202, description = "Durable; see the two shapes.", body = LaterPage),
        CommandRefused
    ),
    security(("token" = []))
)]
pub(super) async fn command(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    headers: HeaderMap,
    body: Posted,
) -> Result<Response, Failure> {
    let (origin, service) = speaker(&edge, &headers, &player)?;
    let Wanted { request, event_id, signal } = read(&json_body(&headers, body)?)?;
    if matches!(request, Ask::Notify { .. }) && origin != Origin::Service {
        let message = "only services send notifications; this needs a service's token";
        return Err(Failure::of(ErrorCode::Unauthorized, message));
    }
    let key = key(&headers, event_id)?;
    let says = matches!(request, Ask::Verb(Verb::Say { .. } | Verb::PartySay { .. }));
    edge.door.command(service, &player, says).map_err(|TooMuch { limit, wait_ms }| {
        edge.counters.count_limit(limit);
        let failure = Failure::of(ErrorCode::RateLimited, "too many commands; slow down");
        failure.retry_after_s(wait_ms.div_ceil(1_000))
    })?;
    let call = Call { origin, key, payload: encode(&request), creates: false, signal };
    let actor = ActorId::player(&player);
    let called = edge.runtime.call(&actor, call);
    let answer = within(&edge, called, CallError::OutcomeUnknown).await?;
    Ok(show(&answer, signal))
}

fn show(answer: &Answered, signal: bool) -> Response {
    let (seq, dup) = (answer.seq, answer.dup);
    if signal {
        let page = SignalPage { accepted: true, seq, dup };
        return (StatusCode::ACCEPTED, Json(page)).into_response();
    }
    let ok = serde_json::from_slice(&answer.body).unwrap_or(RawValue::NULL);
    Json(UpdatePage { ok, seq, dup }).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn refused(body: &str) -> String {
        format!("{:?}", read(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn commands_are_read_and_nothing_else() {
        let wanted = read(br#"{"do":"join_room","args":{"room_id":"den"},"wait":false}"#).unwrap();
        assert!(wanted.signal && matches!(wanted.request, Ask::Verb(Verb::JoinRoom { .. })));
        assert!(!read(br#"{"do":"leave_room"}"#).unwrap().signal);
        let gift = br#"{"do":"gift","args":{"to":"bob","give":{"gold":3}}}"#;
        assert!(matches!(read(gift).unwrap().request, Ask::Verb(Verb::Gift { .. })));
        for (body, code) in [
            (r#"{"do":"get_state"}"#, "unknown_verb"),
            (r#"{"do":"input","args":{"seq":1,"steps":[[1,0,0]]}}"#, "unknown_verb"),
            (r#"{"do":"jion_room"}"#, "unknown_verb"),
            (r#"{"do":"join_room"}"#, "bad_args"),
            (r#"{"do":"gift","args":{"to":"bob","give":{}}}"#, "bad_args"),
            (r#"{"do":"trade_accept","args":{}}"#, "bad_args"),
            (r#"{"do":7}"#, "bad_args"),
            (r#"{"do":"leave_room","wait":"yes"}"#, "bad_args"),
            (r#"{"do":"notify","args":{"text":""}}"#, "bad_args"),
            (r#"{"do":"notify","args":["a"]}"#, "bad_args"),
            (r#"{"do":"leave_room""#, "bad_message"),
        ] {
            assert!(refused(body).contains(code), "{body}: {}", refused(body));
        }
    }

    #[test]
    fn a_key_stands_once_and_agrees_with_the_verbs_own() {
        let mut headers = HeaderMap::new();
        assert_eq!(key(&headers, Some("e".into())).unwrap().as_deref(), Some("e"));
        headers.insert(KEY, HeaderValue::from_static("k"));
        assert_eq!(key(&headers, None).unwrap().as_deref(), Some("k"));
        assert!(key(&headers, Some("k".into())).is_ok());
        assert!(key(&headers, Some("e".into())).is_err());
        headers.append(KEY, HeaderValue::from_static("k"));
        assert!(key(&headers, None).is_err(), "twice");
        let long = "k".repeat(65);
        for bad in ["", &long] {
            headers.insert(KEY, HeaderValue::from_str(bad).unwrap());
            assert!(key(&headers, None).is_err(), "{bad}");
        }
    }
}
