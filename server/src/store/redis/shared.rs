//! What is no actor's: the leaderboard, session metrics, secrets. Each lives under a tag of its
//! own, with the namespace's incarnation beside it, so that none is made anew in an emptied store.
//!
//! Metrics are bounded: the newest [`METRICS_MAX`] are kept. The leaderboard has one row a player.

use bytes::Bytes;
use redis::Value;

use super::Inner;
use super::keys::{BOARD, METRICS, SECRETS};
use super::read::{command, exactly};
use super::reply::{self, strange};
use super::scripts;
use crate::store::{Error, Score, SessionMetrics};

/// Session metrics that are kept; the oldest are dropped beyond.
pub const METRICS_MAX: usize = 100_000;

impl Inner {
    pub(super) async fn put_score(&self, score: Score) -> Result<(), Error> {
        let names =
            [self.keys.of(BOARD, "order"), self.keys.of(BOARD, "rows"), self.keys.facts(BOARD)];
        let row = format!("{}:{}:{}", score.at, score.score, score.name);
        // The order is exact up to 2^53 points; the row itself always is.
        let order = -i128::from(score.score);
        let args = [score.player, score.at.to_string(), order.to_string(), row];
        let args = args.each_ref().map(String::as_bytes);
        self.run(BOARD, &scripts::SCORE, &names.each_ref().map(String::as_str), &args).await?;
        Ok(())
    }

    pub(super) async fn top_scores(&self, limit: usize) -> Result<Vec<Score>, Error> {
        let Some(last) = limit.checked_sub(1) else { return Ok(Vec::new()) };
        let first = command("ZRANGE", &[&self.keys.of(BOARD, "order"), "0", &last.to_string()]);
        let [players] = exactly(self.ask(BOARD, vec![first]).await?)?;
        let players = reply::array(players).unwrap_or_default();
        if players.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = redis::cmd("HMGET");
        rows.arg(self.keys.of(BOARD, "rows"));
        for player in &players {
            rows.arg(reply::text(player).unwrap_or_default());
        }
        let [rows] = exactly(self.ask(BOARD, vec![rows]).await?)?;
        let rows = reply::array(rows).unwrap_or_default();
        players.iter().zip(&rows).map(|(player, row)| score(player, row)).collect()
    }

    pub(super) async fn put_metrics(&self, metrics: SessionMetrics) -> Result<(), Error> {
        let tag = METRICS;
        let names = [self.keys.of(tag, "rows"), self.keys.of(tag, "order"), self.keys.facts(tag)];
        let SessionMetrics { key, player, actions, duration_ms, at_ms } = metrics;
        let row = format!("1:{at_ms}:{duration_ms}:{actions}:{player}");
        let args = [key, row, METRICS_MAX.to_string()];
        let args = args.each_ref().map(String::as_bytes);
        self.run(tag, &scripts::METRICS, &names.each_ref().map(String::as_str), &args).await?;
        Ok(())
    }

    pub(super) async fn secret(&self, name: &str, fresh: Bytes) -> Result<Bytes, Error> {
        let names = [self.keys.of(SECRETS, "all"), self.keys.facts(SECRETS)];
        let names = names.each_ref().map(String::as_str);
        let args: [&[u8]; 2] = [name.as_bytes(), &fresh];
        self.run(SECRETS, &scripts::SECRET, &names, &args).await?.0.bytes(0)
    }
}

fn score(player: &Value, row: &Value) -> Result<Score, Error> {
    let read = || {
        let mut parts = reply::text(row)?.splitn(3, ':');
        let (at, score, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Score {
            player: reply::text(player)?.to_owned(),
            name: name.to_owned(),
            score: score.parse().ok()?,
            at: at.parse().ok()?,
        })
    };
    read().ok_or_else(|| strange("the leaderboard", row))
}
