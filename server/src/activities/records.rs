//! The short ones: a score to the leaderboard, metrics of a session to the store.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::board::Board;
use super::{input, passing};
use crate::actor::activity::{Activity, Attempt, Failure};
use crate::game::leaderboard::ScoreInput;
use crate::game::metrics::MetricsInput;
use crate::store::{Score, SessionMetrics, Store};

/// Writes a player's score; the newest journal position wins, so a repeat changes nothing.
pub(super) struct UpdateScore(pub Board);

impl Activity for UpdateScore {
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>> {
        let board = self.0.clone();
        async move {
            let ScoreInput { player, name, score, seq } = input(&attempt.input)?;
            let score = i64::try_from(score).unwrap_or(i64::MAX);
            board.put(Score { player, name, score, at: seq }).await.map_err(passing)?;
            Ok(Bytes::new())
        }
        .boxed()
    }
}

/// Appends a session's metrics, once per idempotency key.
pub(super) struct RecordMetrics(pub Arc<dyn Store>);

impl Activity for RecordMetrics {
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>> {
        let store = Arc::clone(&self.0);
        async move {
            let MetricsInput { player, actions, duration_ms, at_ms } = input(&attempt.input)?;
            let row = SessionMetrics { key: attempt.key, player, actions, duration_ms, at_ms };
            store.put_metrics(row).await.map_err(passing)?;
            Ok(Bytes::new())
        }
        .boxed()
    }
}
