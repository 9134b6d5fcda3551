//! The admin listener: what operators see and do. It asks for no password, so it listens on
//! loopback unless told otherwise, and refuses requests that a web page sent.
//!
//! | route | what |
//! |---|---|
//! | `GET /` | this list |
//! | `GET /metrics` | the node's numbers, as OpenMetrics text |
//! | `GET /actors/{id}` | an actor's epoch, seq and retained records |
//! | `GET /history?actor=ID&from=&to=&limit=` | what has happened to an actor |
//! | `GET /history/state?actor=ID&at=` | the state after a record |
//! | `GET /history/diff?actor=ID&from=&to=` | what differs between two of them |
//! | `GET /history/recorded?actor=ID` | the journal as a file for `holdfast replay` |
//! | `POST /leaderboard/rebuild?rate=N` | begins a rebuild, or joins the running one |
//! | `GET /leaderboard/rebuild` | how far it is |
//! | `GET /players?query=&limit=&after=` | sessions, live or asleep |
//! | `GET /players/count?query=&by=` | how many there are |
//! | `POST /players/rebuild?verify=&rate=N` | holds their index against the journals, and mends it |
//! | `GET /players/rebuild` | how far that is |
//! | `POST /audit?horizon_ms=&rate=&deep=` | holds all goods of the world against each other |
//! | `GET /audit` | how far that is, what was found, and what this node's rules have found |

pub mod audit;
pub mod file;
mod history;
mod job;
pub mod players;
pub mod rebuild;

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::actor::archive::Archive;
use crate::actor::envelope::CallError;
use crate::gateway::SessionIndex;
use crate::store::{self, Store};
use crate::telemetry::metrics::{CONTENT_TYPE, Metrics};

use players::Auditor;
use rebuild::Rebuild;

/// Records that `GET /actors/{id}` lists at most.
const RECORDS_MAX: usize = 1_000;

/// What the admin listener needs.
#[derive(Debug, Clone)]
pub struct AdminState {
    /// The node's name.
    pub node: String,
    /// Rendered at `/metrics`.
    pub metrics: Metrics,
    /// Where journals are looked at.
    pub store: Arc<dyn Store>,
    /// Begins and shows rebuilds of the leaderboard.
    pub rebuild: Arc<dyn Rebuild>,
    /// Reads what has happened.
    pub archive: Archive,
    /// Finds sessions.
    pub sessions: Arc<dyn SessionIndex>,
    /// Holds their index against the journals.
    pub auditor: Auditor,
    /// Holds their goods against each other.
    pub goods: audit::Auditor,
}

#[cfg(test)]
impl AdminState {
    /// Of a node alone, for tests of who asks it.
    pub(crate) fn alone(store: Arc<dyn Store>, rebuild: Arc<dyn Rebuild>) -> Self {
        use crate::actor::index::Index;
        use crate::actor::kind::{Kind, Kinds};
        use crate::node::sessions::{self, Finder};
        let player = Kind::of::<crate::game::player::Player>(Arc::default());
        let index = Index { registry: Arc::default(), node: "gw-1".into() };
        let clock = crate::clock::Clock::movable();
        let audit = sessions::audit(&index, &store, &player, None, &clock);
        let kinds = Kinds::default();
        let books = audit::walk::Books { store: Arc::clone(&store), kinds, clock };
        let goods =
            audit::Auditor::new(books, Arc::default(), Default::default(), Default::default());
        Self {
            node: index.node.clone(),
            metrics: Metrics::default(),
            archive: Archive::new(Arc::clone(&store), Kinds::default()),
            sessions: Arc::new(Finder::new(&index, &store)),
            auditor: Auditor::new(audit, Default::default(), Default::default()),
            goods,
            store,
            rebuild,
        }
    }
}

/// The routes of the admin listener.
pub fn router(state: AdminState) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/actors/{id}", get(actor))
        .merge(history::routes())
        .route("/leaderboard/rebuild", get(rebuild_status).post(rebuild_start))
        .route("/players", get(players::list))
        .route("/players/count", get(players::count))
        .route("/players/rebuild", get(players::status).post(players::start))
        .route("/audit", get(audit::status).post(audit::start))
        .layer(middleware::from_fn(refuse_pages))
        .with_state(state)
}

/// Browsers name the page that sends a request; operators' tools don't.
async fn refuse_pages(request: Request, next: Next) -> Response {
    let headers: &HeaderMap = request.headers();
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let foreign = site.is_some_and(|site| site != b"none" && site != b"same-origin");
    if headers.contains_key(header::ORIGIN) || foreign {
        return error(
            StatusCode::FORBIDDEN,
            "forbidden",
            "web pages may not speak to this listener",
        );
    }
    next.run(request).await
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

async fn index(State(state): State<AdminState>) -> String {
    format!(
        "holdfast {} admin\n\nGET  /metrics\nGET  /actors/{{id}}\n\
         GET  /history?actor=ID&from=&to=&limit=\nGET  /history/state?actor=ID&at=\n\
         GET  /history/diff?actor=ID&from=&to=\nGET  /history/recorded?actor=ID\n\
         POST /leaderboard/rebuild?rate=N\nGET  /leaderboard/rebuild\n\
         GET  /players?query=&limit=&after=\nGET  /players/count?query=&by=\n\
         POST /players/rebuild?verify=&rate=N\nGET  /players/rebuild\n\
         POST /audit?horizon_ms=&rate=N&deep=\nGET  /audit\n",
        state.node
    )
}

async fn metrics(State(state): State<AdminState>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], state.metrics.render()).into_response()
}

/// The answer of `GET /actors/{id}`.
#[derive(Debug, Serialize)]
struct ActorBody {
    id: ActorId,
    epoch: u64,
    seq: u64,
    records: Vec<RecordBody>,
}

/// One retained record.
#[derive(Debug, Serialize)]
struct RecordBody {
    seq: u64,
    epoch: u64,
    bytes: usize,
}

async fn actor(State(state): State<AdminState>, Path(id): Path<String>) -> Response {
    let id: ActorId = match id.parse() {
        Ok(id) => id,
        Err(e) => return error(StatusCode::BAD_REQUEST, "bad_args", &format!("{e}")),
    };
    match look(&*state.store, id).await {
        Ok(Some(body)) => Json(body).into_response(),
        Ok(None) | Err(store::Error::Absent) => {
            error(StatusCode::NOT_FOUND, "no_such_actor", "no such actor")
        }
        Err(e) => error(StatusCode::SERVICE_UNAVAILABLE, "store", &e.to_string()),
    }
}

async fn look(store: &dyn Store, id: ActorId) -> Result<Option<ActorBody>, store::Error> {
    let Some(tip) = store.tip(&id).await? else { return Ok(None) };
    let from = tip.seq.saturating_sub(RECORDS_MAX as u64 - 1);
    let rows = store.history(&id, from, RECORDS_MAX).await?;
    let record = |row: &store::RecordRow| RecordBody {
        seq: row.seq,
        epoch: row.epoch,
        bytes: row.record.len(),
    };
    let records = rows.iter().map(record).collect();
    Ok(Some(ActorBody { id, epoch: tip.epoch, seq: tip.seq, records }))
}

/// The query of `POST /leaderboard/rebuild`.
#[derive(Debug, Deserialize)]
struct Rate {
    rate: Option<u32>,
}

async fn rebuild_start(State(state): State<AdminState>, Query(query): Query<Rate>) -> Response {
    if query.rate == Some(0) {
        return error(StatusCode::BAD_REQUEST, "bad_args", "rate must be 1 or more");
    }
    match state.rebuild.start(query.rate).await {
        Ok(status) => (StatusCode::ACCEPTED, Json(status)).into_response(),
        Err(e) => refused(&e),
    }
}

async fn rebuild_status(State(state): State<AdminState>) -> Response {
    match state.rebuild.status().await {
        Ok(status) => Json(status).into_response(),
        Err(e) => refused(&e),
    }
}

fn refused(e: &CallError) -> Response {
    let (status, code) = match e {
        CallError::NoSuchActor => (StatusCode::NOT_FOUND, "no_such_actor"),
        CallError::Rejected(_) => (StatusCode::CONFLICT, "rejected"),
        CallError::Quarantined => (StatusCode::CONFLICT, "quarantined"),
        CallError::Busy | CallError::Pending | CallError::OutcomeUnknown => {
            (StatusCode::SERVICE_UNAVAILABLE, "busy")
        }
    };
    error(status, code, &e.to_string())
}
