//! Lists and counts of sessions, live or asleep, by a query.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use holdfast_protocol::codes::ErrorCode;

use super::caller::may_read;
use super::failure::{Failure, ReadRefused};
use crate::gateway::Edge;
use crate::gateway::finder::{
    self, CountPage, CountParams, FindError, ListParams, PlayersPage, SessionIndex,
};

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let message = error.to_string();
        match error {
            FindError::Mistake(mistake) => {
                Self::of(ErrorCode::BadArgs, message).at(mistake.column, mistake.suggestion)
            }
            FindError::Cursor(_) | FindError::Parameter(_) => Self::of(ErrorCode::BadArgs, message),
            FindError::Store(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after_s(1)
            }
        }
    }
}

fn asked<T>(query: Result<Query<T>, QueryRejection>, known: &str) -> Result<T, Failure> {
    let message = |_| Failure::of(ErrorCode::BadArgs, format!("{known}; each may stand once"));
    query.map(|Query(params)| params).map_err(message)
}

fn index(edge: &Edge) -> Result<&dyn SessionIndex, Failure> {
    let none = || {
        let message = "this node keeps no index of sessions";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    };
    edge.sessions.as_deref().ok_or_else(none)
}

/// Sessions by a query
///
/// Every player's, live or asleep. What a player did is found about a second later; the
/// language is described in docs/queries.md. A mistake in the query is answered with its column
/// and, mostly, with what to write there.
#[utoipa::path(
    get,
    path = "/v1/players",
    tag = "players",
    params(ListParams),
    responses((status = 200, description = "In the query's order.", body = PlayersPage), ReadRefused),
    security((), ("token" = []))
)]
pub(super) async fn list_players(
    State(edge): State<Arc<Edge>>,
    query: Result<Query<ListParams>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<PlayersPage>, Failure> {
    may_read(&edge, &headers)?;
    let known = "query is text, limit an integer from 1 to 1000, after a cursor";
    let page = finder::list(index(&edge)?, &asked(query, known)?).await?;
    Ok(Json(page))
}

/// How many sessions there are
///
/// By the value of an attribute; the most frequent first.
#[utoipa::path(
    get,
    path = "/v1/players/count",
    tag = "players",
    params(CountParams),
    responses((status = 200, description = "By value.", body = CountPage), ReadRefused),
    security((), ("token" = []))
)]
pub(super) async fn count_players(
    State(edge): State<Arc<Edge>>,
    query: Result<Query<CountParams>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<CountPage>, Failure> {
    may_read(&edge, &headers)?;
    let known = "query is text, by an attribute's name";
    let page = finder::count(index(&edge)?, &asked(query, known)?).await?;
    Ok(Json(page))
}
