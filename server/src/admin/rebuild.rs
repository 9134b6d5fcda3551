//! Rebuilding the leaderboard, as operators see it: the durable actor `leaderboard:main` says
//! whether one runs, and the activity's watch says how far it is.

use std::fmt;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use crate::activities::rebuild::Watch;
use crate::actor::contract::{Origin, Reject};
use crate::actor::envelope::{Call, CallError};
use crate::actor::handle::Runtime;
use crate::game::leaderboard::{self, LeaderboardRequest, RebuildStatus};
use crate::game::{LEADERBOARD, LEADERBOARD_KEY, pack};

/// How a rebuild stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// None has been asked for.
    Idle,
    /// Under way.
    Running,
    /// Every player was read.
    Finished,
    /// It was tried as often as it may.
    Failed,
}

/// The JSON that operators get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which.
    pub status: Stage,
    /// The rebuild's number; 0: none yet.
    pub run: u64,
    /// Players read so far.
    pub done: u64,
    /// Players in all, when the attempt began; 0: not known yet.
    pub players: u64,
    /// Players that attempts before this one had read.
    pub resumed_from: u64,
    /// Attempts of this node.
    pub attempts: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Begins and shows rebuilds.
pub trait Rebuild: Send + Sync + fmt::Debug + 'static {
    /// Begins one, at `rate` players a second; joins the one that runs.
    fn start(&self, rate: Option<u32>) -> BoxFuture<'static, Result<Status, CallError>>;
    /// How far it is.
    fn status(&self) -> BoxFuture<'static, Result<Status, CallError>>;
}

/// Rebuilds by the runtime's actor.
#[derive(Debug, Clone)]
pub struct ByActor {
    runtime: Runtime,
    watch: Watch,
}

impl ByActor {
    /// `watch` is the one that the activities got.
    #[must_use]
    pub const fn new(runtime: Runtime, watch: Watch) -> Self {
        Self { runtime, watch }
    }
}

/// What the actor answers.
#[derive(Deserialize)]
struct Body {
    rebuild: Option<leaderboard::Rebuild>,
}

fn owner() -> Result<ActorId, CallError> {
    ActorId::new(LEADERBOARD, LEADERBOARD_KEY)
        .map_err(|e| CallError::Rejected(Reject::new("bad_args", e.to_string())))
}

fn status(body: &[u8], watch: &Watch) -> Result<Status, CallError> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|e| CallError::Rejected(Reject::new("bad_message", e.to_string())))?;
    let Some(rebuild) = body.rebuild else { return Ok(idle()) };
    let seen = watch.progress();
    let seen = if seen.run == rebuild.run { seen } else { Default::default() };
    Ok(Status {
        status: match rebuild.status {
            RebuildStatus::Running => Stage::Running,
            RebuildStatus::Finished => Stage::Finished,
            RebuildStatus::Failed => Stage::Failed,
        },
        run: rebuild.run,
        done: rebuild.players.unwrap_or(seen.done),
        players: rebuild.players.unwrap_or(seen.players),
        resumed_from: seen.resumed_from,
        attempts: seen.attempt,
        error: rebuild.error,
    })
}

const fn idle() -> Status {
    Status {
        status: Stage::Idle,
        run: 0,
        done: 0,
        players: 0,
        resumed_from: 0,
        attempts: 0,
        error: None,
    }
}

impl Rebuild for ByActor {
    fn start(&self, rate: Option<u32>) -> BoxFuture<'static, Result<Status, CallError>> {
        let Self { runtime, watch } = self.clone();
        async move {
            if let Some(rate) = rate {
                watch.set_rate(rate);
            }
            let payload = pack(&LeaderboardRequest::Rebuild);
            let call =
                Call { origin: Origin::Service, key: None, payload, creates: true, signal: false };
            let answer = runtime.call(&owner()?, call).await?;
            status(&answer.body, &watch)
        }
        .boxed()
    }

    fn status(&self) -> BoxFuture<'static, Result<Status, CallError>> {
        let Self { runtime, watch } = self.clone();
        async move {
            match runtime.query(&owner()?, Bytes::new(), false).await {
                Ok(answer) => status(&answer.body, &watch),
                Err(CallError::NoSuchActor) => Ok(idle()),
                Err(e) => Err(e),
            }
        }
        .boxed()
    }
}
