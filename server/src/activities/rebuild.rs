//! The leaderboard from the journals: every player is read, replayed and asked for the score.
//!
//! Long and resumable: each player's end is a heartbeat `{after, done}`, and the next attempt goes
//! on after the last one that was journaled. It reads at a rate, so that it never starves the
//! game, and it claims nothing: players are read while they play, and a score that the game writes
//! meanwhile is newer and wins.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use holdfast_protocol::ids::ActorId;

use super::board::Board;
use super::{input, passing};
use crate::actor::activity::{Activity, Attempt, Failure};
use crate::actor::kind::{Facts, Kind};
use crate::actor::reading::read;
use crate::clock::Clock;
use crate::game::leaderboard::{
    RebuildInput, RebuildProgress, RebuildResult, Standing, standing_of, state_query,
};
use crate::game::{PLAYER, pack};
use crate::store::{Score, Store};

/// Players a second, unless an operator says otherwise.
pub const RATE: u32 = 500;
/// Ids that one reading of the store asks for.
const PAGE_LEN: usize = 256;

/// How far the newest attempt of this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The rebuild's number; 0: none has run here.
    pub run: u64,
    /// Players done, by earlier attempts too.
    pub done: u64,
    /// Players when the attempt began.
    pub players: u64,
    /// Players that earlier attempts had done.
    pub resumed_from: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

#[derive(Debug)]
struct Shown {
    progress: Progress,
    rate: u32,
}

/// Shows how far a rebuild is, and sets its rate. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Mutex<Shown>>);

impl Default for Watch {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Shown { progress: Progress::default(), rate: RATE })))
    }
}

impl Watch {
    fn with<T>(&self, look: impl FnOnce(&mut Shown) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.with(|shown| shown.progress)
    }

    /// Players a second from now on, for a running rebuild too.
    pub fn set_rate(&self, rate: u32) {
        self.with(|shown| shown.rate = rate.max(1));
    }

    fn rate(&self) -> u32 {
        self.with(|shown| shown.rate)
    }
}

/// Keeps to a rate without making up for lost time.
struct Pace {
    clock: Clock,
    rate: u32,
    since_ms: u64,
    taken: u64,
}

impl Pace {
    fn new(clock: Clock, rate: u32) -> Self {
        let since_ms = clock.now_ms();
        Self { clock, rate, since_ms, taken: 0 }
    }

    async fn step(&mut self, rate: u32) {
        let now_ms = self.clock.now_ms();
        let due_ms = self.since_ms + self.taken * 1000 / u64::from(self.rate.max(1));
        if rate != self.rate || now_ms > due_ms + 1000 {
            (self.rate, self.since_ms, self.taken) = (rate, now_ms, 0);
        }
        self.taken += 1;
        let due_ms = self.since_ms + self.taken * 1000 / u64::from(self.rate.max(1));
        self.clock.sleep_until(due_ms).await;
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Rebuild {
    pub store: Arc<dyn Store>,
    pub board: Board,
    pub player: Kind,
    pub clock: Clock,
    pub watch: Watch,
}

impl Activity for Rebuild {
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>> {
        self.clone().all(attempt).boxed()
    }
}

impl Rebuild {
    async fn all(self, attempt: Attempt) -> Result<Bytes, Failure> {
        let RebuildInput { run, .. } = input(&attempt.input)?;
        let mut at: RebuildProgress = match &attempt.heartbeat {
            Some(payload) => input(payload)?,
            None => RebuildProgress::default(),
        };
        let players = self.count().await?;
        self.watch.with(|shown| {
            shown.progress = Progress {
                run,
                done: at.done,
                players,
                resumed_from: at.done,
                attempt: attempt.attempt,
            };
        });
        tracing::info!(run, attempt = attempt.attempt, players, from = at.done, "rebuild begins");
        let mut pace = Pace::new(self.clock.clone(), self.watch.rate());
        loop {
            let page = self.page(at.after.as_deref()).await?;
            for id in &page {
                self.one(id).await?;
                at = RebuildProgress { after: Some(id.key().to_owned()), done: at.done + 1 };
                self.watch.with(|shown| shown.progress.done = at.done);
                attempt.heart.beat(pack(&at));
                pace.step(self.watch.rate()).await;
            }
            if page.len() < PAGE_LEN {
                break;
            }
        }
        tracing::info!(run, players = at.done, "rebuild ends");
        Ok(pack(&RebuildResult { players: at.done }))
    }

    async fn count(&self) -> Result<u64, Failure> {
        let (mut after, mut players) = (None, 0);
        loop {
            let page = self.store.actors(PLAYER, after, PAGE_LEN).await.map_err(passing)?;
            players += page.len() as u64;
            if page.len() < PAGE_LEN {
                return Ok(players);
            }
            after = page.last().cloned();
        }
    }

    async fn page(&self, after: Option<&str>) -> Result<Vec<ActorId>, Failure> {
        let after = after.map(|key| ActorId::new(PLAYER, key)).transpose();
        let after = after.map_err(|e| Failure::lasting(e.to_string()))?;
        self.store.actors(PLAYER, after, PAGE_LEN).await.map_err(passing)
    }

    /// Writes one player's score. A journal that can't be read is said and passed over: one
    /// broken player must not cost the others their places.
    async fn one(&self, id: &ActorId) -> Result<(), Failure> {
        let reading = match read(&*self.store, &self.player, id, None).await.map_err(passing)? {
            Ok(reading) => reading,
            Err(error) => {
                tracing::warn!(actor = %id, error, "rebuild passes over a player");
                return Ok(());
            }
        };
        let (now_ms, seq) = (self.store.now_ms(), reading.tip.seq);
        let facts = Facts { id, now_ms, seq, token: 0, random: 0, connected: false };
        let answer = reading.durable.state.query(facts, &state_query()).ok();
        let standing = answer.and_then(|json| standing_of(&json));
        let Some(Standing { player, name, score }) = standing.filter(|s| s.score > 0) else {
            return Ok(());
        };
        let score = i64::try_from(score).unwrap_or(i64::MAX);
        self.board.put(Score { player, name, score, at: seq }).await.map_err(passing)
    }
}

#[cfg(test)]
#[path = "rebuild/tests.rs"]
mod tests;
