//! What is read of the whole: rooms, the leaderboard, and how this node stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::{RoomsBody, TopBody};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::may_read;
use super::failure::{Failure, ReadRefused};
use crate::gateway::{Edge, finder};

const TOP_LEN_DEFAULT: usize = 10;
const TOP_LEN_MAX: usize = 100;

/// Parameters of the leaderboard.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Top {
    /// How many; 10 unless said otherwise.
    #[param(minimum = 1, maximum = 100, required = false)]
    #[serde(default = "top_len_default")]
    limit: usize,
}

fn top_len_default() -> usize {
    TOP_LEN_DEFAULT
}

/// The best players
#[utoipa::path(
    get,
    path = "/v1/leaderboard",
    tag = "world",
    params(Top),
    responses((status = 200, description = "Best first.", body = TopBody), ReadRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_leaderboard(
    State(edge): State<Arc<Edge>>,
    query: Result<Query<Top>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<TopBody>, Failure> {
    may_read(&edge, &headers)?;
    let limit = query.ok().map(|Query(Top { limit })| limit);
    let limit = limit.filter(|limit| (1..=TOP_LEN_MAX).contains(limit));
    let message = format!("limit must be an integer from 1 to {TOP_LEN_MAX}");
    let limit = limit.ok_or_else(|| Failure::of(ErrorCode::BadArgs, message))?;
    Ok(Json(TopBody { top: edge.top(limit).await }))
}

/// The rooms that have members
///
/// Of several nodes, rooms in which this one has no player are counted from the index of sessions,
/// about a second old.
#[utoipa::path(
    get,
    path = "/v1/rooms",
    tag = "world",
    responses((status = 200, description = "By id.", body = RoomsBody), ReadRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_rooms(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
) -> Result<Json<RoomsBody>, Failure> {
    may_read(&edge, &headers)?;
    let mut rooms = edge.rooms();
    if edge.live.is_some()
        && let Some(sessions) = &edge.sessions
    {
        let seen: BTreeSet<_> = rooms.iter().map(|room| room.room_id.clone()).collect();
        let elsewhere = finder::occupied_rooms(&**sessions).await?;
        let elsewhere = elsewhere.into_iter().filter(|(id, _)| !seen.contains(id));
        rooms.extend(elsewhere.map(|(id, len)| edge.room(id, len)));
        rooms.sort_by(|one, two| one.room_id.cmp(&two.room_id));
    }
    Ok(Json(RoomsBody { rooms }))
}

/// A sign of life.
#[derive(Serialize, ToSchema)]
pub(super) struct LivePage {
    live: bool,
}

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "It does.", body = LivePage))
)]
pub(super) async fn live() -> Json<LivePage> {
    Json(LivePage { live: true })
}

/// Whether a node serves, and why not.
#[derive(Serialize, ToSchema)]
struct ReadyPage<'a> {
    ready: bool,
    node: &'a str,
    /// For people; empty when it is ready.
    reasons: Vec<String>,
}

/// Whether the node serves
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "It serves.", body = ReadyPage),
        (status = 503, description = "It does not, for these reasons.", body = ReadyPage)
    )
)]
pub(super) async fn ready(State(edge): State<Arc<Edge>>) -> Response {
    let mut reasons = (edge.health)();
    if edge.is_draining() {
        reasons.push("draining".to_owned());
    }
    reasons.extend(edge.standing().reason().map(str::to_owned));
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyPage { ready, node: &edge.node, reasons })).into_response()
}
