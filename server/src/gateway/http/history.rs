//! What has happened to a player: the history, the state after any retained record, and what
//! differs between two. Read from the store, so it does not matter which node holds the player,
//! and nothing is claimed.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::ids::{ActorId, PlayerId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Named, may_read};
use super::failure::{Failure, PlayerRefused, text};
use super::follow::follow;
use crate::actor::archive::{ArchiveError, Page, RECORDS_DEFAULT, RECORDS_MAX, Span};
use crate::actor::history::diff::Change;
use crate::actor::history::entries::Entry;
use crate::actor::history::past::PastError;
use crate::gateway::Edge;
use crate::gateway::past::Past;

/// How long a read waits for the store, in milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// Where an interrupted follower goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which part of a history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// The first record; the oldest that is kept unless said otherwise.
    #[param(minimum = 0)]
    from: Option<u64>,
    /// The last record; the newest unless said otherwise.
    #[param(minimum = 0)]
    to: Option<u64>,
    /// How many records at most; 100 unless said otherwise. `next` goes on from there.
    #[param(minimum = 1, maximum = 1000, required = false)]
    #[serde(default = "limit_default")]
    limit: usize,
    /// Server-sent events instead of a page: what there is from `from` on, then each new record,
    /// until `to`. A record's event has its seq as id, so that `Last-Event-ID` goes on after it.
    #[param(required = false)]
    #[serde(default)]
    follow: bool,
}

const fn limit_default() -> usize {
    RECORDS_DEFAULT
}

/// After which record.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct At {
    /// The record; the newest unless said otherwise. 0: before the first.
    #[param(minimum = 0)]
    at: Option<u64>,
}

/// Between which records.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Between {
    /// The earlier record; the one before `to` unless said otherwise. 0: before the first.
    #[param(minimum = 0)]
    from: Option<u64>,
    /// The later record; the newest unless said otherwise.
    #[param(minimum = 0)]
    to: Option<u64>,
}

/// A part of a player's history.
#[derive(Serialize, ToSchema)]
pub(super) struct HistoryPage {
    player: PlayerId,
    /// The first record after which the state is known; 0: before the first.
    base: u64,
    /// The newest record.
    tip: u64,
    entries: Vec<Entry>,
    /// The record to go on from; null: this was all.
    next: Option<u64>,
}

/// A player's state after a record.
#[derive(Serialize, ToSchema)]
struct PastPage {
    player: PlayerId,
    /// The last record that the state contains.
    seq: u64,
    /// The time of that record, in Unix milliseconds.
    time_ms: u64,
    /// As the rules keep it.
    state: Value,
}

/// What differs between two states of a player.
#[derive(Serialize, ToSchema)]
struct DiffPage {
    player: PlayerId,
    from: u64,
    to: u64,
    changes: Vec<Change>,
}

type Asked<T> = Result<Query<T>, QueryRejection>;

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let message = error.to_string();
        match error {
            ArchiveError::Absent(_) => Self::of(ErrorCode::NoSuchPlayer, "no player has that id"),
            ArchiveError::Corrupt(_)
            | ArchiveError::Past(PastError::Unreadable { .. } | PastError::NoRules(_)) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "quarantined", message)
            }
            ArchiveError::Past(_) => Self::of(ErrorCode::BadArgs, message),
            ArchiveError::Store(_) => {
                let message = format!("the history can't be read now: {message}; try again");
                Self::of(ErrorCode::Busy, message).retry_after_s(1)
            }
        }
    }
}

fn bad_args(message: impl Into<String>) -> Failure {
    Failure::of(ErrorCode::BadArgs, message)
}

/// The archive, for whoever may read.
fn past<'a>(edge: &'a Edge, headers: &HeaderMap) -> Result<&'a Past, Failure> {
    may_read(edge, headers)?;
    let none = || Failure::of(ErrorCode::Busy, "this node shows no histories");
    edge.past.as_ref().ok_or_else(none)
}

/// Waits for the store, but not for ever.
async fn soon<T>(
    edge: &Edge,
    read: impl Future<Output = Result<T, ArchiveError>>,
) -> Result<T, Failure> {
    let late = || {
        let message = "the store does not answer; try again";
        Failure::of(ErrorCode::Busy, message).retry_after_s(1)
    };
    edge.clock.within_ms(PATIENCE_MS, read).await.ok_or_else(late)?.map_err(Failure::from)
}

/// What has happened to a player
///
/// Records with their facts, claims by nodes and snapshots, in their order. Old records are
/// trimmed away: `base` is the first after which the state is known.
#[utoipa::path(
    get,
    path = "/v1/players/{id}/history",
    tag = "players",
    params(("id" = PlayerId, Path), Part),
    responses(
        (
            status = 200,
            description = "A page, or with `follow` events `record`, `claim` and `snapshot`.",
            content((HistoryPage = "application/json"), (Entry = "text/event-stream"))
        ),
        PlayerRefused
    ),
    security((), ("token" = []))
)]
pub(super) async fn read_history(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    part: Asked<Part>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let past = past(&edge, &headers)?;
    let Query(Part { from, to, limit, follow: follows }) = part.map_err(|_| {
        bad_args(
            "from, to and limit must be whole numbers, follow true or false, each at most once",
        )
    })?;
    if !(1..=RECORDS_MAX).contains(&limit) {
        return Err(bad_args(format!("limit must be an integer from 1 to {RECORDS_MAX}")));
    }
    let from = if follows { last_event(&headers)?.or(from) } else { from };
    let actor = ActorId::player(&player);
    let span = Span { from, to, limit };
    if !follows {
        let page = soon(&edge, past.archive.page(&actor, span)).await?;
        let Page { base, tip, entries, next, .. } = page;
        return Ok(Json(HistoryPage { player, base, tip, entries, next }).into_response());
    }
    let place = past.follow().ok_or_else(|| {
        let message = "as many as this node serves follow histories already; try again later";
        Failure::of(ErrorCode::Busy, message).retry_after_s(5)
    })?;
    // Whether there is such a player is said before the stream begins.
    let page =
        soon(&edge, past.archive.page(&actor, Span { limit: RECORDS_DEFAULT, ..span })).await?;
    Ok(follow(&edge, past.archive.clone(), page, to, place))
}

/// The record after the one that an interrupted follower saw last.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(id) = text(headers, &LAST_EVENT_ID).filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    let after = id.parse::<u64>().ok().and_then(|seq| seq.checked_add(1));
    after.map(Some).ok_or_else(|| bad_args("Last-Event-ID must be the seq of a record"))
}

/// A player's state after a record
#[utoipa::path(
    get,
    path = "/v1/players/{id}/state",
    tag = "players",
    params(("id" = PlayerId, Path), At),
    responses(
        (status = 200, description = "The state.", body = PastPage),
        PlayerRefused
    ),
    security((), ("token" = []))
)]
pub(super) async fn read_state(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    at: Asked<At>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let past = past(&edge, &headers)?;
    let Query(At { at }) =
        at.map_err(|_| bad_args("at must be the seq of a record, and stand once"))?;
    let state = soon(&edge, past.archive.state(&ActorId::player(&player), at)).await?;
    let (seq, time_ms, state) = (state.seq, state.time_ms, state.state);
    Ok(Json(PastPage { player, seq, time_ms, state }).into_response())
}

/// What differs between a player's states after two records
#[utoipa::path(
    get,
    path = "/v1/players/{id}/diff",
    tag = "players",
    params(("id" = PlayerId, Path), Between),
    responses(
        (status = 200, description = "What differs, path by path.", body = DiffPage),
        PlayerRefused
    ),
    security((), ("token" = []))
)]
pub(super) async fn read_diff(
    State(edge): State<Arc<Edge>>,
    Named(player): Named,
    between: Asked<Between>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let past = past(&edge, &headers)?;
    let Query(Between { from, to }) = between
        .map_err(|_| bad_args("from and to must be seqs of records, and stand once each"))?;
    let found = soon(&edge, past.archive.difference(&ActorId::player(&player), from, to)).await?;
    let (from, to, changes) = (found.from, found.to, found.changes);
    Ok(Json(DiffPage { player, from, to, changes }).into_response())
}
