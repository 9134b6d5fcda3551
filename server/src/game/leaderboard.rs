//! The leaderboard: how scores get there, and the actor that sees to its rebuilding.
//!
//! A player's score travels by [`UPDATE_LEADERBOARD`]: at most one is open per player, one is
//! started at most once a second, always with the newest score. Should the leaderboard be lost
//! or doubted, the actor `leaderboard:main` runs [`REBUILD_LEADERBOARD`], which reads every
//! player's journal ([`state_query`], [`standing_of`]).

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Request;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Event;
use super::player::Player;
use super::{Settings, json, pack, unpack};
use crate::actor::contract::{
    ActivityCall, ActivityOptions, Actor, Ctx, Decision, Message, Origin, Reject, Reply,
};

/// The activity that writes one player's score. Input: [`ScoreInput`] as MessagePack.
pub const UPDATE_LEADERBOARD: &str = "update_leaderboard";
/// The activity that writes every player's score. Input: [`RebuildInput`], heartbeats:
/// [`RebuildProgress`], result: [`RebuildResult`], all as MessagePack.
pub const REBUILD_LEADERBOARD: &str = "rebuild_leaderboard";
/// The timer of a score that had to wait.
pub(super) const SCORE_TIMER: &str = "score";

const SCORE_EVERY_MS: u64 = 1_000;
const SCORE_AGAIN_MS: u64 = 60_000;
const REBUILD_MS_MAX: u64 = 30 * 60 * 1_000;
const REBUILD_SILENCE_MS_MAX: u64 = 30_000;

/// What [`UPDATE_LEADERBOARD`] gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreInput {
    /// Whose.
    pub player: String,
    /// The display name.
    pub name: String,
    /// The score.
    pub score: u64,
    /// The player's journal position that it stands for: a lower one never replaces a higher.
    pub seq: u64,
}

/// What [`REBUILD_LEADERBOARD`] gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildInput {
    /// The run's number.
    pub run: u64,
    /// When it was asked for, in Unix milliseconds.
    pub started_ms: u64,
}

/// How far [`REBUILD_LEADERBOARD`] is: its heartbeats' payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct RebuildProgress {
    /// The last player done; players are taken in order.
    pub after: Option<String>,
    /// How many were done.
    pub done: u64,
}

/// What came of [`REBUILD_LEADERBOARD`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildResult {
    /// Players whose score was written.
    pub players: u64,
}

/// A player's part of the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Standing {
    /// Whose.
    #[serde(rename = "player_id")]
    pub player: String,
    /// The display name.
    #[serde(rename = "display_name")]
    pub name: String,
    /// The score.
    pub score: u64,
}

/// The query that [`standing_of`] reads the answer of.
#[must_use]
pub fn state_query() -> Bytes {
    pack(&Request::Verb(Verb::GetState {}))
}

/// A player's standing, from the answer to [`state_query`].
#[must_use]
pub fn standing_of(answer: &[u8]) -> Option<Standing> {
    serde_json::from_slice(answer).ok()
}

/// Where a player's score stands on its way to the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Sent {
    /// An activity is open.
    pub open: bool,
    /// The score sent last; 0: none.
    pub score: u64,
    /// The name sent last.
    pub name: Arc<str>,
    /// No earlier than this is the next one sent, in Unix milliseconds.
    pub next_ms: u64,
}

fn is_due(player: &Player) -> bool {
    let sent = &player.sent;
    let is_new = sent.score != player.score || sent.name != player.name;
    !sent.open && player.score > 0 && is_new
}

/// Sends the score if it is new and its time has come; else sets a timer once.
pub(super) fn settle(draft: &mut Draft<'_>) {
    if !is_due(&draft.now) {
        return;
    }
    if draft.ctx.now_ms < draft.now.sent.next_ms {
        if !is_due(draft.before) {
            draft.set_timer(SCORE_TIMER, draft.now.sent.next_ms);
        }
        return;
    }
    let input = ScoreInput {
        player: draft.ctx.id.key().to_owned(),
        name: draft.now.name.to_string(),
        score: draft.now.score,
        seq: draft.ctx.seq,
    };
    draft.record(Event::ScoreSent {
        score: input.score,
        name: Arc::clone(&draft.now.name),
        next: draft.ctx.now_ms.saturating_add(SCORE_EVERY_MS),
    });
    draft.activity(UPDATE_LEADERBOARD, pack(&input), ActivityOptions::default());
}

/// The score's time may have come; [`settle`] sends it.
pub(super) fn timer(draft: &mut Draft<'_>) {
    if is_due(&draft.now) && draft.ctx.now_ms < draft.now.sent.next_ms {
        draft.set_timer(SCORE_TIMER, draft.now.sent.next_ms);
    }
}

/// A score has arrived, or never will: then it is sent again after a while.
pub(super) fn ended(draft: &mut Draft<'_>, ok: bool) {
    let again = draft.ctx.now_ms.saturating_add(SCORE_AGAIN_MS);
    let next = if ok { draft.now.sent.next_ms } else { again };
    draft.record(Event::ScoreEnded { ok, next });
}

/// What a service may ask of `leaderboard:main`; a command's payload as MessagePack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaderboardRequest {
    /// Rebuild it from the players' journals. Answers with the running one if there is one.
    #[serde(rename = "rebuild")]
    Rebuild,
}

/// The actor of the leaderboard: which rebuild runs, and how the last one ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaderboard {
    /// Rebuilds so far; the last one's number.
    #[serde(default)]
    run: u64,
    /// The last rebuild.
    #[serde(default)]
    rebuild: Option<Rebuild>,
}

/// One rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Its number, from 1.
    pub run: u64,
    /// How it stands.
    pub status: RebuildStatus,
    /// When it was asked for, in Unix milliseconds.
    pub started_ms: u64,
    /// When it ended, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Players whose score was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a rebuild stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebuildStatus {
    /// Its activity is open.
    Running,
    /// Every player was written.
    Finished,
    /// Its activity failed for good.
    Failed,
}

/// What has happened to the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaderboardEvent {
    /// A rebuild was started.
    #[serde(rename = "start")]
    Started {
        /// Its number.
        run: u64,
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// It has ended well.
    #[serde(rename = "done")]
    Finished {
        /// Players whose score was written.
        players: u64,
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// It has failed for good.
    #[serde(rename = "fail")]
    Failed {
        /// Why.
        error: String,
        /// When, in Unix milliseconds.
        at: u64,
    },
}

/// The answer of the leaderboard's actor to commands and queries.
#[derive(Serialize)]
struct RebuildBody<'a> {
    rebuild: Option<&'a Rebuild>,
}

impl Leaderboard {
    fn running(&self) -> Option<&Rebuild> {
        self.rebuild.as_ref().filter(|rebuild| rebuild.status == RebuildStatus::Running)
    }

    fn start(&self, now_ms: u64) -> Decision<LeaderboardEvent> {
        if let Some(rebuild) = self.running() {
            let body = json(&RebuildBody { rebuild: Some(rebuild) });
            return Decision { reply: Reply::Now(body), ..Decision::default() };
        }
        let run = self.run.saturating_add(1);
        let started = LeaderboardEvent::Started { run, at: now_ms };
        let mut after = self.clone();
        after.apply(&started);
        let call = ActivityCall {
            name: REBUILD_LEADERBOARD.into(),
            input: pack(&RebuildInput { run, started_ms: now_ms }),
            options: ActivityOptions {
                start_to_close_ms: REBUILD_MS_MAX,
                heartbeat_timeout_ms: Some(REBUILD_SILENCE_MS_MAX),
                ..ActivityOptions::default()
            },
        };
        Decision {
            events: vec![started],
            activities: vec![call],
            reply: Reply::Now(json(&RebuildBody { rebuild: after.rebuild.as_ref() })),
            ..Decision::default()
        }
    }

    fn ended(
        &self,
        now_ms: u64,
        input: &[u8],
        outcome: Result<&[u8], &str>,
    ) -> Decision<LeaderboardEvent> {
        let run = unpack::<RebuildInput>(input).map_or(0, |input| input.run);
        if self.running().is_none_or(|rebuild| rebuild.run != run) {
            return Decision::default();
        }
        let result = outcome.map_err(ToOwned::to_owned).and_then(|bytes| {
            unpack::<RebuildResult>(bytes).map_err(|reject| reject.message.into_owned())
        });
        let event = match result {
            Ok(result) => LeaderboardEvent::Finished { players: result.players, at: now_ms },
            Err(error) => LeaderboardEvent::Failed { error, at: now_ms },
        };
        Decision { events: vec![event], ..Decision::default() }
    }
}

impl Actor for Leaderboard {
    type Event = LeaderboardEvent;
    type Settings = Settings;

    fn new(_id: &ActorId) -> Self {
        Self { run: 0, rebuild: None }
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<LeaderboardEvent>, Reject> {
        match *message {
            Message::Command { origin: Origin::Service, payload } => {
                let LeaderboardRequest::Rebuild = unpack(payload)?;
                Ok(self.start(ctx.now_ms))
            }
            Message::Command { .. } => {
                Err(Reject::new("unauthorized", "only a service may rebuild the leaderboard"))
            }
            Message::ActivityEnded { name: REBUILD_LEADERBOARD, input, outcome } => {
                Ok(self.ended(ctx.now_ms, input, outcome))
            }
            _ => Ok(Decision::default()),
        }
    }

    fn apply(&mut self, event: &LeaderboardEvent) {
        match event {
            LeaderboardEvent::Started { run, at } => {
                self.run = *run;
                self.rebuild = Some(Rebuild {
                    run: *run,
                    status: RebuildStatus::Running,
                    started_ms: *at,
                    ended_ms: None,
                    players: None,
                    error: None,
                });
            }
            LeaderboardEvent::Finished { players, at } => {
                if let Some(rebuild) = &mut self.rebuild {
                    rebuild.status = RebuildStatus::Finished;
                    rebuild.players = Some(*players);
                    rebuild.ended_ms = Some(*at);
                }
            }
            LeaderboardEvent::Failed { error, at } => {
                if let Some(rebuild) = &mut self.rebuild {
                    rebuild.status = RebuildStatus::Failed;
                    rebuild.error = Some(error.clone());
                    rebuild.ended_ms = Some(*at);
                }
            }
        }
    }

    fn query(&self, _ctx: &Ctx<'_, Settings>, _payload: &[u8]) -> Result<Bytes, Reject> {
        Ok(json(&RebuildBody { rebuild: self.rebuild.as_ref() }))
    }
}
