//! What has happened to an actor, for operators: the same for every kind, with both halves of its
//! state, and as a file that can be replayed elsewhere.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use holdfast_protocol::ids::ActorId;
use serde::Deserialize;

use super::{AdminState, error};
use crate::actor::archive::{ArchiveError, RECORDS_DEFAULT, RECORDS_MAX, Span};
use crate::actor::history::past::PastError;

/// The routes below `/history`.
pub(super) fn routes() -> Router<AdminState> {
    Router::new()
        .route("/history", get(page))
        .route("/history/state", get(state))
        .route("/history/diff", get(diff))
        .route("/history/recorded", get(recorded))
}

/// The queries of all these routes.
#[derive(Debug, Deserialize)]
struct Asked {
    actor: String,
    from: Option<u64>,
    to: Option<u64>,
    at: Option<u64>,
    limit: Option<usize>,
}

/// A query, read.
struct Question {
    actor: ActorId,
    asked: Asked,
}

type Asking = Result<Query<Asked>, QueryRejection>;

fn bad_args(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "bad_args", message)
}

#[expect(clippy::result_large_err, reason = "the refusal is the response, made once")]
fn question(asking: Asking) -> Result<Question, Response> {
    let Query(asked) = asking.map_err(|_| {
        bad_args("actor must be given, such as player:alice; from, to, at and limit are numbers")
    })?;
    let actor = asked.actor.parse();
    let actor = actor.map_err(|e| bad_args(&format!("{e}")))?;
    Ok(Question { actor, asked })
}

fn refused(e: &ArchiveError) -> Response {
    let (status, code) = match e {
        ArchiveError::Absent(_) => (StatusCode::NOT_FOUND, "no_such_actor"),
        ArchiveError::Corrupt(_) | ArchiveError::Past(PastError::Unreadable { .. }) => {
            (StatusCode::CONFLICT, "unreadable")
        }
        ArchiveError::Past(PastError::NoRules(_)) => (StatusCode::CONFLICT, "no_rules"),
        ArchiveError::Past(_) => (StatusCode::BAD_REQUEST, "bad_args"),
        ArchiveError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store"),
    };
    error(status, code, &e.to_string())
}

async fn page(State(state): State<AdminState>, asking: Asking) -> Response {
    let Question { actor, asked } = match question(asking) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    let limit = asked.limit.unwrap_or(RECORDS_DEFAULT);
    if !(1..=RECORDS_MAX).contains(&limit) {
        return bad_args(&format!("limit must be an integer from 1 to {RECORDS_MAX}"));
    }
    let span = Span { from: asked.from, to: asked.to, limit };
    match state.archive.page(&actor, span).await {
        Ok(page) => Json(page).into_response(),
        Err(e) => refused(&e),
    }
}

async fn state(State(state): State<AdminState>, asking: Asking) -> Response {
    let Question { actor, asked } = match question(asking) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    match state.archive.state(&actor, asked.at).await {
        Ok(found) => Json(found).into_response(),
        Err(e) => refused(&e),
    }
}

async fn diff(State(state): State<AdminState>, asking: Asking) -> Response {
    let Question { actor, asked } = match question(asking) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    match state.archive.difference(&actor, asked.from, asked.to).await {
        Ok(found) => Json(found).into_response(),
        Err(e) => refused(&e),
    }
}

async fn recorded(State(state): State<AdminState>, asking: Asking) -> Response {
    let Question { actor, .. } = match question(asking) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    match state.archive.recorded(&actor).await {
        Ok(text) => ([(header::CONTENT_TYPE, "application/jsonl")], text).into_response(),
        Err(e) => refused(&e),
    }
}
