//! Who calls, whom they name, and how often they may.
//!
//! A service's token is known by its place in the file; a player's own by its signature. Requests
//! without a service's token are paced by address; commands by who speaks for whom, at the rates
//! of a socket.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::ids::PlayerId;

use super::BODY_LEN_MAX;
use super::failure::{Failure, text};
use crate::actor::envelope::CallError;
use crate::gateway::Edge;
use crate::gateway::auth::{AuthError, Bearer, Guests};
use crate::gateway::limit::Limit;
use crate::gateway::standing::Patience;

/// Beyond the hold: until a command is `pending`, and its way between nodes; in milliseconds.
const ANSWER_MS: u64 = 7_000;

/// Who calls.
pub(super) enum Caller {
    /// Without a token.
    Nobody,
    /// By a player's own token.
    Player(Bearer),
    /// By that service token.
    Service(usize),
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn caller(edge: &Edge, headers: &HeaderMap) -> Result<Caller, Failure> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(Caller::Nobody);
    }
    let token = bearer(headers).ok_or(AuthError::Invalid)?;
    if let Some(service) = edge.auth.service(token) {
        return Ok(Caller::Service(service));
    }
    Ok(Caller::Player(edge.auth.verify(token, edge.clock.now_ms())?))
}

/// Whether the caller may read: anybody while guests are open, else whoever has a token.
pub(in crate::gateway) fn may_read(edge: &Edge, headers: &HeaderMap) -> Result<(), Failure> {
    match caller(edge, headers)? {
        Caller::Nobody if edge.auth.guests() != Guests::Open => Err(AuthError::Missing.into()),
        _ => Ok(()),
    }
}

/// Paces whoever is no service by address.
pub(super) fn pace(edge: &Edge, from: IpAddr, headers: &HeaderMap) -> Result<(), Failure> {
    let is_service = bearer(headers).is_some_and(|token| edge.auth.service(token).is_some());
    if is_service || edge.door.ask(from) {
        return Ok(());
    }
    edge.counters.count_limit(Limit::Calls);
    let message = "too many calls a second from this address";
    Err(Failure::of(ErrorCode::RateLimited, message).retry_after_s(1))
}

/// The player that a path names.
pub(in crate::gateway) struct Named(pub(in crate::gateway) PlayerId);

impl FromRequestParts<Arc<Edge>> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Failure> {
        let id = Path::<String>::from_request_parts(parts, edge).await;
        let id = id.map_err(|_| Failure::of(ErrorCode::NoSuchPlayer, "no player has that id"))?;
        let named = PlayerId::new(&id.0);
        named.map(Self).map_err(|error| Failure::of(ErrorCode::NoSuchPlayer, error.to_string()))
    }
}

/// A request's body, or why there is none. It has as much time as the headers had: whoever drips
/// holds nothing for longer.
pub(super) struct Posted(Result<Bytes, Failure>);

impl FromRequest<Arc<Edge>> for Posted {
    type Rejection = Infallible;

    async fn from_request(request: Request, edge: &Arc<Edge>) -> Result<Self, Infallible> {
        let deadline_ms = edge.limits.header_deadline_ms;
        if request.body().size_hint().lower() > BODY_LEN_MAX as u64 {
            return Ok(Self(Err(too_large())));
        }
        Ok(Self(tokio::select! {
            biased;
            body = Bytes::from_request(request, edge) => body.map_err(unread),
            () = edge.clock.sleep_ms(deadline_ms) => {
                let message = format!("the body did not come whole within {deadline_ms} ms");
                Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "bad_message", message))
            }
        }))
    }
}

fn unread(rejection: BytesRejection) -> Failure {
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => {
            let message = "the body can't be read: it broke off, or its chunks are no chunks";
            Failure::of(ErrorCode::BadMessage, message)
        }
    }
}

fn too_large() -> Failure {
    let message = format!("the body is longer than {BODY_LEN_MAX} bytes");
    Failure::of(ErrorCode::TooLarge, message)
}

/// A request's body, which must be JSON by its type and an object.
pub(super) fn json_body(headers: &HeaderMap, Posted(body): Posted) -> Result<Bytes, Failure> {
    let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let message = "the body must be application/json; say so by content-type";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_message", message));
    }
    let body = body?;
    // A derived struct would also take an array of its fields.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Failure::of(ErrorCode::BadMessage, "the body must be a JSON object"));
    }
    Ok(body)
}

/// Says what is wrong with a body.
pub(super) fn explain(error: &serde_json::Error) -> Failure {
    let code = if error.is_data() { ErrorCode::BadArgs } else { ErrorCode::BadMessage };
    Failure::of(code, error.to_string())
}

/// Waits for an actor's answer, but not for longer than sockets do; `late` says what it means
/// when there is none.
pub(in crate::gateway) async fn within<T>(
    edge: &Edge,
    asked: impl Future<Output = Result<T, CallError>>,
    late: CallError,
) -> Result<T, Failure> {
    if let Patience::Over(_) = edge.patience() {
        let message = "this node can't serve now; nothing was executed, try again or elsewhere";
        return Err(Failure::of(ErrorCode::Busy, message).retry_after_s(1));
    }
    tokio::select! {
        biased;
        answer = asked => answer.map_err(Failure::from),
        () = edge.clock.sleep_ms(edge.hold_ms.saturating_add(ANSWER_MS)) => Err(late.into()),
    }
}
