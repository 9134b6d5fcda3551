//! Routes on the players' port: the socket's handshake, the page, health, and the HTTP API.
//!
//! Errors are `{"error":{"code","message"}}` with the fitting status. Reads are open while guests
//! are, else they need a Bearer token; pages of allowed origins may read.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, Extension, Path, Query, Request, State, WebSocketUpgrade};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use holdfast_protocol::client::{NAME_LEN_MAX, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::edge::{Opening, Proof, Request as Ask};
use holdfast_protocol::ids::{ActorId, PlayerId};
use serde::Deserialize;
use serde_json::json;

use super::accept::Peer;
use super::auth::{AuthError, Bearer, Guests};
use super::beat::encode;
use super::counters::add;
use super::session::Rules;
use super::{Edge, assets, nodes, socket};
use crate::actor::contract::Origin;
use crate::actor::envelope::{Call, CallError};

const JSON_PROTOCOL: &str = "holdfast.v1.json";
const TEXT_PROTOCOL: &str = "holdfast.v1.text";
const BODY_LEN_MAX: usize = 16 * 1024;
const WRITE_BUFFER_LEN: usize = 4 * 1024;
/// Most bytes that wait in a socket's task; above the largest single message.
const WRITE_BUFFER_LEN_MAX: usize = 1024 * 1024;
const TOP_LEN_DEFAULT: usize = 10;
const TOP_LEN_MAX: usize = 100;

type Shared = State<Arc<Edge>>;

/// Every route.
pub(super) fn router(edge: Arc<Edge>) -> Router {
    let api = Router::new()
        .route("/v1/sessions", post(open_session).options(preflight))
        .route("/v1/players/{id}", get(read_player).options(preflight))
        .route("/v1/leaderboard", get(read_leaderboard).options(preflight))
        .route("/v1/nodes", get(nodes::read_nodes).options(preflight))
        .layer(from_fn_with_state(edge.clone(), share));
    Router::new()
        .route("/ws", get(upgrade))
        .route("/health/live", get(|| async { Json(json!({ "live": true })) }))
        .route("/health/ready", get(ready))
        .merge(api)
        .fallback(page)
        .method_not_allowed_fallback(|| async { not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(edge)
}

/// An error as HTTP says it.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: String,
    message: String,
    retry_after_s: Option<u64>,
}

impl Failure {
    pub(super) fn new(
        status: StatusCode,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after_s: None }
    }

    fn of(code: ErrorCode, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.http_status());
        Self::new(status.unwrap_or(StatusCode::CONFLICT), code.as_str(), message)
    }

    pub(super) fn retry_after_s(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::of(ErrorCode::Unauthorized, error.to_string())
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Rejected(reject) => {
                let known = ErrorCode::ALL.into_iter().find(|code| code.as_str() == reject.code);
                known.map_or_else(
                    || Self::new(StatusCode::CONFLICT, reject.code.clone(), &*reject.message),
                    |code| Self::of(code, &*reject.message),
                )
            }
            CallError::NoSuchActor => Self::of(ErrorCode::NoSuchPlayer, "no player has that id"),
            CallError::Busy => Self::of(ErrorCode::Busy, message).retry_after_s(1),
            CallError::Pending => Self::of(ErrorCode::Pending, message),
            CallError::OutcomeUnknown => Self::of(ErrorCode::OutcomeUnknown, message),
            CallError::Quarantined => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "quarantined", message)
            }
        }
    }
}

fn not_found() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

fn not_allowed() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method")
}

fn text<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// True when the request has no origin, or one that is allowed.
fn is_own(edge: &Edge, headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN)
        || text(headers, &ORIGIN).is_some_and(|origin| edge.allows(origin, text(headers, &HOST)))
}

async fn upgrade(
    State(edge): Shared,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match admit(&edge, peer, &headers, asked) {
        Ok(response) => response,
        Err(failure) => {
            add(&edge.counters.turned_away);
            failure.into_response()
        }
    }
}

fn admit(
    edge: &Arc<Edge>,
    peer: std::net::SocketAddr,
    headers: &HeaderMap,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let asked = asked.map_err(|rejection| {
        let message = format!("this is a WebSocket: {}", rejection.body_text());
        Failure::new(StatusCode::UPGRADE_REQUIRED, "bad_message", message)
    })?;
    if !is_own(edge, headers) {
        let message = "pages of this origin may not connect; see --allow-origin";
        return Err(Failure::new(StatusCode::FORBIDDEN, "forbidden_origin", message));
    }
    if edge.is_draining() {
        return Err(Failure::of(ErrorCode::Busy, "this node stops").retry_after_s(1));
    }
    if !edge.door.knock(peer.ip()) {
        let message = "too many connections a second from this address";
        return Err(Failure::of(ErrorCode::RateLimited, message).retry_after_s(1));
    }
    let (rules, protocol) = choose(&asked)?;
    let host = text(headers, &HOST).unwrap_or(&edge.node);
    let url: Box<str> = edge.advertise.clone().unwrap_or_else(|| format!("ws://{host}/ws")).into();
    let place = edge.door.enter(peer.ip());
    let mut asked = asked
        .read_buffer_size(edge.limits.read_buffer_len)
        .write_buffer_size(WRITE_BUFFER_LEN)
        .max_write_buffer_size(WRITE_BUFFER_LEN_MAX)
        .max_message_size(edge.limits.message_len_max)
        .max_frame_size(edge.limits.message_len_max);
    if let Some(protocol) = protocol {
        asked.set_selected_protocol(HeaderValue::from_static(protocol));
    }
    let edge = edge.clone();
    Ok(asked.on_upgrade(async move |websocket| {
        // A task of its own: the one that upgraded would keep its larger future for good.
        let sockets = edge.sockets.clone();
        sockets.spawn(socket::serve(edge, websocket, rules, place, url));
    }))
}

/// The first subprotocol asked for that is supported; none asked for is text.
fn choose(asked: &WebSocketUpgrade) -> Result<(Rules, Option<&'static str>), Failure> {
    let mut none_asked = true;
    for name in asked.requested_protocols() {
        none_asked = false;
        match name.as_bytes() {
            name if name == JSON_PROTOCOL.as_bytes() => {
                return Ok((Rules::Json, Some(JSON_PROTOCOL)));
            }
            name if name == TEXT_PROTOCOL.as_bytes() => {
                return Ok((Rules::Text, Some(TEXT_PROTOCOL)));
            }
            _ => {}
        }
    }
    if none_asked {
        return Ok((Rules::Text, None));
    }
    let message = format!("supported subprotocols: {JSON_PROTOCOL}, {TEXT_PROTOCOL}");
    Err(Failure::new(StatusCode::BAD_REQUEST, "unsupported_protocol", message))
}

async fn ready(State(edge): Shared) -> Response {
    let mut reasons = (edge.health)();
    if edge.is_draining() {
        reasons.push("draining".to_owned());
    }
    reasons.extend(edge.standing().reason().map(str::to_owned));
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "node": edge.node, "reasons": reasons });
    (status, Json(body)).into_response()
}

async fn page(method: Method, request: Request) -> Response {
    let path = request.uri().path();
    if method != Method::GET && method != Method::HEAD {
        return not_found().into_response();
    }
    assets::get(path, request.headers()).unwrap_or_else(|| not_found().into_response())
}

/// What a page may ask is in the headers that [`share`] adds.
async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Lets pages of allowed origins read, and answers their preflights.
async fn share(State(edge): Shared, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let origin = headers.get(ORIGIN).cloned();
    let origin = origin.filter(|_| is_own(&edge, headers));
    let preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let out = response.headers_mut();
    out.insert(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return response };
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET"));
        let allowed = HeaderValue::from_static("authorization, content-type");
        out.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// Who calls.
enum Caller {
    Nobody,
    Player(Bearer),
    Service,
}

fn caller(edge: &Edge, headers: &HeaderMap) -> Result<Caller, Failure> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(Caller::Nobody);
    }
    let token = text(headers, &AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let token = token.ok_or(AuthError::Invalid)?;
    if edge.auth.is_service(token) {
        return Ok(Caller::Service);
    }
    Ok(Caller::Player(edge.auth.verify(token, edge.clock.now_ms())?))
}

pub(super) fn may_read(edge: &Edge, headers: &HeaderMap) -> Result<(), Failure> {
    match caller(edge, headers)? {
        Caller::Nobody if edge.auth.guests() != Guests::Open => Err(AuthError::Missing.into()),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct OpenSession {
    player: PlayerId,
    #[serde(default)]
    name: Option<String>,
}

async fn open_session(
    State(edge): Shared,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Result<Json<OpenSession>, JsonRejection>,
) -> Result<Response, Failure> {
    if !edge.door.knock(peer.ip()) {
        let message = "too many calls a second from this address";
        return Err(Failure::of(ErrorCode::RateLimited, message).retry_after_s(1));
    }
    let Json(OpenSession { player, name }) = body.map_err(|rejection| {
        let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let code = if too_large { ErrorCode::TooLarge } else { ErrorCode::BadArgs };
        Failure::of(code, rejection.body_text())
    })?;
    let hello = Verb::Hello { token: None, player: Some(player.clone()), name: name.clone() };
    if hello.check().is_err() {
        let message = format!("name must be 1 to {NAME_LEN_MAX} characters, no control characters");
        return Err(Failure::of(ErrorCode::BadArgs, message));
    }
    let proof = match caller(&edge, &headers)? {
        Caller::Service => Proof::Token,
        // Under `off` only a service makes players: a player's own token is no more than a hello.
        _ if edge.auth.guests() == Guests::Off => {
            return Err(Failure::of(ErrorCode::Unauthorized, "this needs the service token"));
        }
        Caller::Player(bearer) if bearer.player == player => Proof::Token,
        Caller::Player(_) => return Err(AuthError::OtherPlayer.into()),
        Caller::Nobody => edge.auth.judge(None, Some(&player), 0)?.proof,
    };
    let payload = encode(&Ask::Admit(Opening { name, proof }));
    let call = Call { origin: Origin::Service, key: None, payload, creates: true, signal: false };
    edge.runtime.call(&ActorId::player(&player), call).await?;
    let (token, expires_ms) = edge.auth.issue(&player, edge.clock.now_ms());
    let body = json!({ "token": token, "player": player, "expires_ms": expires_ms });
    let no_store = [(axum::http::header::CACHE_CONTROL, "no-store")];
    Ok((no_store, Json(body)).into_response())
}

#[derive(Deserialize)]
struct Reading {
    #[serde(default)]
    read: Option<String>,
}

async fn read_player(
    State(edge): Shared,
    Path(id): Path<String>,
    query: Result<Query<Reading>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    may_read(&edge, &headers)?;
    let player = PlayerId::new(&id)
        .map_err(|error| Failure::of(ErrorCode::NoSuchPlayer, error.to_string()))?;
    let read = query.ok().and_then(|Query(query)| query.read);
    let linearizable = match read.as_deref() {
        None | Some("durable") => false,
        Some("linearizable") => true,
        Some(_) => {
            return Err(Failure::of(ErrorCode::BadArgs, "read must be durable or linearizable"));
        }
    };
    let payload = encode(&Ask::Verb(Verb::GetState {}));
    let answer = edge.runtime.query(&ActorId::player(&player), payload, linearizable).await?;
    let holder = nodes::holder(&edge, &player).await?;
    let node = serde_json::to_string(&holder).unwrap_or_default();
    let state = String::from_utf8_lossy(&answer.body);
    let body = format!(
        "{{\"player\":\"{player}\",\"state\":{state},\"node\":{node},\"epoch\":{},\"seq\":{}}}",
        answer.epoch, answer.seq
    );
    Ok(([(CONTENT_TYPE, "application/json")], Bytes::from(body)).into_response())
}

#[derive(Deserialize)]
struct Limit {
    #[serde(default)]
    limit: Option<usize>,
}

async fn read_leaderboard(
    State(edge): Shared,
    query: Result<Query<Limit>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    may_read(&edge, &headers)?;
    let limit = query.map(|Query(query)| query.limit.unwrap_or(TOP_LEN_DEFAULT));
    let limit = limit.ok().filter(|limit| (1..=TOP_LEN_MAX).contains(limit));
    let message = format!("limit must be an integer from 1 to {TOP_LEN_MAX}");
    let limit = limit.ok_or_else(|| Failure::of(ErrorCode::BadArgs, message))?;
    let top = edge.board.top(limit).await;
    Ok(Json(json!({ "top": top })).into_response())
}
