//! Tokens: issued to players, and to services for players, who begin to exist by it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use holdfast_protocol::client::{NAME_LEN_MAX, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::edge::{Opening, Proof, Request as Ask};
use holdfast_protocol::ids::{ActorId, PlayerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Posted, caller, explain, json_body, within};
use super::failure::{Failure, SessionRefused};
use crate::actor::contract::Origin;
use crate::actor::envelope::{Call, CallError};
use crate::gateway::Edge;
use crate::gateway::accept::Peer;
use crate::gateway::auth::{AuthError, Guests};
use crate::gateway::beat::encode;
use crate::gateway::limit::Limit;

/// Who wants a token.
#[derive(Deserialize, ToSchema)]
pub(super) struct OpenSession {
    player: PlayerId,
    /// A display name; without one the former is kept.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 32)]
    name: Option<String>,
}

/// A token and how long it is good.
#[derive(Serialize, ToSchema)]
struct SessionPage {
    token: String,
    player: PlayerId,
    /// The token's end, in Unix milliseconds.
    expires_ms: u64,
}

/// Issues a token
///
/// Creates the player where there is none; opens and ends no session. A claimed name needs its
/// token; without guests this needs a service's.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "players",
    request_body = OpenSession,
    responses((status = 200, description = "The token.", body = SessionPage), SessionRefused),
    security((), ("token" = []))
)]
pub(super) async fn open_session(
    State(edge): State<Arc<Edge>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Posted,
) -> Result<Response, Failure> {
    let caller = caller(&edge, &headers)?;
    if !matches!(caller, Caller::Service(_)) && !edge.door.knock(peer.ip()) {
        edge.counters.count_limit(Limit::Handshakes);
        let message = "too many calls a second from this address";
        return Err(Failure::of(ErrorCode::RateLimited, message).retry_after_s(1));
    }
    let body = json_body(&headers, body)?;
    let OpenSession { player, name } =
        serde_json::from_slice(&body).map_err(|error| explain(&error))?;
    let hello = Verb::Hello { token: None, player: Some(player.clone()), name: name.clone() };
    if hello.check().is_err() {
        let message = format!("name must be 1 to {NAME_LEN_MAX} characters, no control characters");
        return Err(Failure::of(ErrorCode::BadArgs, message));
    }
    let proof = match caller {
        Caller::Service(_) => Proof::Token,
        // Under `off` only a service makes players: a player's own token is no more than a hello.
        _ if edge.auth.guests() == Guests::Off => {
            return Err(Failure::of(ErrorCode::Unauthorized, "this needs the service token"));
        }
        Caller::Player(bearer) if bearer.player == player => Proof::Token,
        Caller::Player(_) => return Err(AuthError::OtherPlayer.into()),
        Caller::Nobody => edge.auth.judge(None, Some(&player), 0)?.proof,
    };
    let payload = encode(&Ask::Admit(Opening { name, proof }));
    let (origin, key) = (Origin::Service, None);
    let call = Call { origin, key, payload, creates: true, signal: false };
    let actor = ActorId::player(&player);
    within(&edge, edge.runtime.call(&actor, call), CallError::OutcomeUnknown).await?;
    let (token, expires_ms) = edge.auth.issue(&player, edge.clock.now_ms());
    let page = SessionPage { token, player, expires_ms };
    Ok(([(CACHE_CONTROL, "no-store")], Json(page)).into_response())
}
