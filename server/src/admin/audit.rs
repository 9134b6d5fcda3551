//! The audit of goods, as operators see it: one at a time, how far it is, and what it found; with
//! it, what the rules of this node have found by themselves, as it happened.

pub mod walk;

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use self::walk::{Books, Order, Progress, Report};
use super::job::Job;
use super::{AdminState, error as refused};
use crate::actor::stats::Stats;

/// Actors a second, unless an operator says otherwise.
pub const RATE: u32 = 2_000;
/// Actors a second at most.
pub const RATE_MAX: u32 = 1_000_000;
/// Trades younger than this are left alone, unless an operator says otherwise, in milliseconds.
pub const HORIZON_MS: u32 = 10_000;
/// The same at most: by then a trade is over, whatever comes.
pub const HORIZON_MS_MAX: u32 = 60_000;

/// How an audit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// None has been asked for since the node started.
    #[default]
    Idle,
    /// Under way.
    Running,
    /// Everything was looked at.
    Finished,
    /// The store failed; begin again.
    Failed,
}

/// The JSON that operators get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// How far.
    pub status: Stage,
    /// Which audit of this node, from 1.
    pub run: u64,
    /// How far in numbers.
    #[serde(flatten)]
    pub progress: Progress,
    /// What it found, when it has finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often the rules of this node have found that goods do not add up, since it started.
    pub violations: u64,
    /// The newest of what they said then, oldest first.
    pub said: Vec<String>,
}

/// Audits the goods, one audit at a time. Cheap to clone. It does not survive its node: whoever
/// asked begins again.
#[derive(Clone)]
pub struct Auditor {
    books: Arc<Books>,
    stats: Arc<Stats>,
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
    pub fn new(
        books: Books,
        stats: Arc<Stats>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { books: Arc::new(books), stats, job: Job::new(tasks, stop) }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let progress = self.job.progress();
        let violations = &self.stats.violations;
        let (count, said) = (violations.count.get(), violations.newest());
        Status { progress, violations: count, said, ..self.job.state().clone() }
    }

    /// Begins an audit, or joins the one that runs.
    pub fn start(&self, order: Order) -> Status {
        let mut state = self.job.state();
        if state.status != Stage::Running {
            let run = state.run + 1;
            *state = Status { status: Stage::Running, run, ..Status::default() };
            self.job.begin(self.clone().run(order));
        }
        drop(state);
        self.status()
    }

    async fn run(self, order: Order) {
        info!(?order, "the audit of goods begins");
        let ended = self.books.audit(order, self.job.says()).await;
        let mut state = self.job.state();
        match ended {
            Ok(report) => {
                for finding in &report.findings {
                    error!(trade = finding.trade.as_deref(), players = ?finding.players, "{}", finding.what);
                }
                let Report { trades, players, found, unreadable, .. } = report;
                info!(trades, players, found, unreadable, "the audit of goods has ended");
                (state.status, state.report) = (Stage::Finished, Some(report));
            }
            Err(error) => {
                warn!(%error, "the audit of goods was cut short");
                (state.status, state.error) = (Stage::Failed, Some(error.to_string()));
            }
        }
    }
}

/// The query of `POST /audit`.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    horizon_ms: Option<u32>,
    rate: Option<u32>,
    #[serde(default)]
    deep: bool,
}

pub(super) async fn start(
    State(state): State<AdminState>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let bad = |message: &str| refused(StatusCode::BAD_REQUEST, "bad_args", message);
    let Ok(Query(Asked { horizon_ms, rate, deep })) = asked else {
        return bad("horizon_ms and rate must be whole numbers, deep true or false");
    };
    let (rate, horizon_ms) = (rate.unwrap_or(RATE), horizon_ms.unwrap_or(HORIZON_MS));
    if !(1..=RATE_MAX).contains(&rate) || horizon_ms > HORIZON_MS_MAX {
        return bad(&format!(
            "rate must be from 1 to {RATE_MAX}, horizon_ms from 0 to {HORIZON_MS_MAX}"
        ));
    }
    let order = Order { horizon_ms: horizon_ms.into(), per_s: rate.into(), deep };
    (StatusCode::ACCEPTED, Json(state.goods.start(order))).into_response()
}

pub(super) async fn status(State(state): State<AdminState>) -> Json<Status> {
    Json(state.goods.status())
}
