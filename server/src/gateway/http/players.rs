//! What is read of one player, whichever node holds it. Changes nothing and creates nobody.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use holdfast_protocol::client::Verb;
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::edge::Request as Ask;
use holdfast_protocol::ids::{ActorId, PlayerId};
use holdfast_protocol::server::{
    InventoryBody, InventoryItem, MetricsBody, PlayerState, Status, StatusBody,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Named, may_read, within};
use super::failure::{Failure, PlayerRefused};
use crate::actor::envelope::{Answered, CallError};
use crate::gateway::beat::encode;
use crate::gateway::{Edge, nodes};

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Freshness {
    /// Everything in it is durable.
    #[default]
    Durable,
    /// The journal's tip is read after the request came.
    Linearizable,
}

/// Parameters of every read of a player.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Reading {
    /// How fresh the answer must be; `durable` unless said otherwise.
    #[param(inline, required = false)]
    #[serde(default)]
    read: Freshness,
}

/// A player's state.
#[derive(Serialize, ToSchema)]
struct PlayerPage<'a> {
    player: &'a PlayerId,
    #[schema(value_type = PlayerState)]
    state: &'a RawValue,
    /// The node that holds the player; null where none does.
    node: Option<String>,
    /// The term of whoever holds the player.
    epoch: u64,
    /// The newest record that the state contains.
    seq: u64,
}

/// What a player is doing.
#[derive(Serialize, ToSchema)]
struct StatusPage<'a> {
    player: &'a PlayerId,
    status: Status,
    epoch: u64,
    seq: u64,
}

/// What a player carries.
#[derive(Serialize, ToSchema)]
struct InventoryPage<'a> {
    player: &'a PlayerId,
    inventory: Vec<InventoryItem>,
    epoch: u64,
    seq: u64,
}

/// How much a player does.
#[derive(Serialize, ToSchema)]
struct MetricsPage<'a> {
    player: &'a PlayerId,
    metrics: MetricsBody,
    epoch: u64,
    seq: u64,
}

type Asked<T> = Result<Query<T>, QueryRejection>;

/// Asks the player's actor, wherever it is.
async fn ask(
    edge: &Edge,
    headers: &HeaderMap,
    player: &PlayerId,
    reading: Asked<Reading>,
    request: Ask,
) -> Result<Answered, Failure> {
    may_read(edge, headers)?;
    let Query(Reading { read }) = reading.map_err(|_| {
        Failure::of(ErrorCode::BadArgs, "read must be durable or linearizable, and stand once")
    })?;
    let fresh = read == Freshness::Linearizable;
    let actor = ActorId::player(player);
    let asked = edge.runtime.query(&actor, encode(&request), fresh);
    within(edge, asked, CallError::Busy).await
}

fn body<T: DeserializeOwned>(answer: &Answered) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        tracing::warn!(%error, "an actor's answer can't be read");
        Failure::of(ErrorCode::Busy, "another version of the server holds this player")
    })
}

/// A player's whole state
#[utoipa::path(
    get,
    path = "/v1/players/{id}",
    tag = "players",
    params(("id" = PlayerId, Path), Reading),
    responses((status = 200, description = "The state.", body = PlayerPage), PlayerRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_player(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    reading: Asked<Reading>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = Ask::Verb(Verb::GetState {});
    let answer = ask(&edge, &headers, &player, reading, request).await?;
    let node = nodes::holder(&edge, &player).await?;
    let state: Box<RawValue> = body(&answer)?;
    let Answered { epoch, seq, .. } = answer;
    Ok(Json(PlayerPage { player: &player, state: &state, node, epoch, seq }).into_response())
}

/// What a player is doing
#[utoipa::path(
    get,
    path = "/v1/players/{id}/status",
    tag = "players",
    params(("id" = PlayerId, Path), Reading),
    responses((status = 200, description = "The status.", body = StatusPage), PlayerRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_status(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    reading: Asked<Reading>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = Ask::Verb(Verb::GetStatus {});
    let answer = ask(&edge, &headers, &player, reading, request).await?;
    let StatusBody { status } = body(&answer)?;
    let Answered { epoch, seq, .. } = answer;
    Ok(Json(StatusPage { player: &player, status, epoch, seq }).into_response())
}

/// What a player carries
#[utoipa::path(
    get,
    path = "/v1/players/{id}/inventory",
    tag = "players",
    params(("id" = PlayerId, Path), Reading),
    responses((status = 200, description = "The inventory.", body = InventoryPage), PlayerRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_inventory(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    reading: Asked<Reading>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = Ask::Verb(Verb::GetInventory {});
    let answer = ask(&edge, &headers, &player, reading, request).await?;
    let InventoryBody { inventory } = body(&answer)?;
    let Answered { epoch, seq, .. } = answer;
    Ok(Json(InventoryPage { player: &player, inventory, epoch, seq }).into_response())
}

/// How much a player does
#[utoipa::path(
    get,
    path = "/v1/players/{id}/metrics",
    tag = "players",
    params(("id" = PlayerId, Path), Reading),
    responses((status = 200, description = "The metrics.", body = MetricsPage), PlayerRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_metrics(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    reading: Asked<Reading>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let answer = ask(&edge, &headers, &player, reading, Ask::Metrics {}).await?;
    let metrics: MetricsBody = body(&answer)?;
    let Answered { epoch, seq, .. } = answer;
    Ok(Json(MetricsPage { player: &player, metrics, epoch, seq }).into_response())
}
