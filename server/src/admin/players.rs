//! Sessions, as operators see them: lists and counts by a query, and the index held against the
//! journals.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::job::Job;
use super::{AdminState, error};
use crate::actor::index::audit::{Audit, Progress, Report};
use crate::gateway::finder::{self, CountParams, FindError, ListParams};

/// Players a second, unless an operator says otherwise.
pub const RATE: u64 = 2_000;
/// Players a second at most.
pub const RATE_MAX: u64 = 1_000_000;

/// How an audit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// None has been asked for since the node started.
    #[default]
    Idle,
    /// Compares; where it mends, puts right what differs.
    Comparing,
    /// Looks once more at what was mended.
    Verifying,
    /// Ended.
    Finished,
    /// The store failed; begin again.
    Failed,
}

/// The JSON that operators get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// How far.
    pub status: Stage,
    /// Whether what differs is put right.
    pub mends: bool,
    /// Players looked at, of this stage.
    pub done: u64,
    /// Players in all.
    pub players: u64,
    /// What was found before anything was mended.
    pub found: Report,
    /// Whether the index says what the journals say, by the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal: Option<bool>,
    /// What the last look still found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Report>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Audits the index, one audit at a time. Cheap to clone. It does not survive its node: whoever
/// asked begins again.
#[derive(Clone)]
pub struct Auditor {
    audit: Arc<Audit>,
    job: Job<Status, Progress>,
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auditor({:?})", self.status())
    }
}

impl Auditor {
    /// Nothing runs yet. What runs ends with `stop`.
    #[must_use]
    pub fn new(audit: Audit, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { audit: Arc::new(audit), job: Job::new(tasks, stop) }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let Progress { done, players } = self.job.progress();
        Status { done, players, ..self.job.state().clone() }
    }

    /// Begins an audit, or joins the one that runs.
    pub fn start(&self, mends: bool, per_s: u64) -> Status {
        let mut state = self.job.state();
        if !matches!(state.status, Stage::Comparing | Stage::Verifying) {
            *state = Status { status: Stage::Comparing, mends, ..Status::default() };
            self.job.begin(self.clone().run(mends, per_s));
        }
        drop(state);
        self.status()
    }

    async fn run(self, mends: bool, per_s: u64) {
        info!(mends, "the index of sessions is held against the journals");
        let ended = self.compare(mends, per_s).await;
        let mut state = self.job.state();
        match ended {
            Ok(left) => {
                (state.status, state.equal) = (Stage::Finished, Some(left.is_equal()));
                state.left = Some(left);
                info!(equal = left.is_equal(), found = ?state.found, "the index was looked at");
            }
            Err(why) => {
                warn!(why, "the index could not be looked at");
                (state.status, state.error) = (Stage::Failed, Some(why));
            }
        }
    }

    async fn compare(&self, mends: bool, per_s: u64) -> Result<Report, String> {
        let look = async |mends| {
            let report = self.audit.run(mends, per_s, self.job.says()).await;
            report.map_err(|error| error.to_string())
        };
        let found = look(mends).await?;
        self.job.state().found = found;
        if !mends || found.is_equal() {
            return Ok(found);
        }
        self.job.state().status = Stage::Verifying;
        look(false).await
    }
}

/// The query of `POST /players/rebuild`.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    /// Only look.
    #[serde(default)]
    verify: bool,
    rate: Option<u64>,
}

fn bad_args(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "bad_args", message)
}

pub(super) async fn start(
    State(state): State<AdminState>,
    order: Result<Query<Order>, QueryRejection>,
) -> Response {
    let Ok(Query(Order { verify, rate })) = order else {
        return bad_args("verify must be true or false, rate a whole number");
    };
    let rate = rate.unwrap_or(RATE);
    if !(1..=RATE_MAX).contains(&rate) {
        return bad_args(&format!("rate must be a whole number from 1 to {RATE_MAX}"));
    }
    (StatusCode::ACCEPTED, Json(state.auditor.start(!verify, rate))).into_response()
}

pub(super) async fn status(State(state): State<AdminState>) -> Json<Status> {
    Json(state.auditor.status())
}

fn refused(failure: &FindError) -> Response {
    match failure {
        FindError::Mistake(mistake) => {
            let detail = json!({
                "code": "bad_args",
                "message": failure.to_string(),
                "column": mistake.column,
                "suggestion": mistake.suggestion,
            });
            (StatusCode::BAD_REQUEST, Json(json!({ "error": detail }))).into_response()
        }
        FindError::Cursor(_) | FindError::Parameter(_) => bad_args(&failure.to_string()),
        FindError::Store(_) => error(StatusCode::SERVICE_UNAVAILABLE, "busy", &failure.to_string()),
    }
}

pub(super) async fn list(
    State(state): State<AdminState>,
    asked: Result<Query<ListParams>, QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return bad_args(
            "query is text, limit a whole number, after a cursor; each may stand once",
        );
    };
    match finder::list(&*state.sessions, &asked).await {
        Ok(page) => Json(page).into_response(),
        Err(failure) => refused(&failure),
    }
}

pub(super) async fn count(
    State(state): State<AdminState>,
    asked: Result<Query<CountParams>, QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return bad_args("query is text, by an attribute's name; each may stand once");
    };
    match finder::count(&*state.sessions, &asked).await {
        Ok(page) => Json(page).into_response(),
        Err(failure) => refused(&failure),
    }
}
