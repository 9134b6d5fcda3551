//! The leaderboard as the node reads it: the best rows in memory, at most two seconds behind the
//! store.
//!
//! [`Board`] is the handle, [`Refresh`] the task that reads the store. I7: the cache holds
//! [`CACHED_ROWS`]; longer lists are read from the store.

use std::fmt;
use std::sync::Arc;

use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::TopRow;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::{Error, Score, Store};

/// Rows that are kept in memory.
pub const CACHED_ROWS: usize = 100;
/// Rows of [`Board::changes`].
pub const TOP_ROWS: usize = 10;
/// Shortest time between two readings of the store.
const REFRESH_MS: u64 = 2_000;

/// Best first.
pub type Rows = Arc<Vec<TopRow>>;

/// Gives each row its place.
fn ranked(scores: Vec<Score>) -> Vec<TopRow> {
    let row = |(rank, score): (u32, Score)| {
        let points = u64::try_from(score.score).unwrap_or_default();
        let player = PlayerId::new(&score.player).ok()?;
        Some(TopRow { player, name: score.name, score: points, rank })
    };
    (1..).zip(scores).filter_map(row).collect()
}

/// The leaderboard's handle. Cheap to clone.
#[derive(Clone)]
pub struct Board {
    store: Arc<dyn Store>,
    stale: Arc<Notify>,
    rows: watch::Receiver<Rows>,
    top: watch::Receiver<Rows>,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the leaderboard")
    }
}

/// The task that keeps the cache.
#[derive(Debug)]
pub struct Refresh {
    store: Arc<dyn Store>,
    clock: Clock,
    stale: Arc<Notify>,
    rows: watch::Sender<Rows>,
    top: watch::Sender<Rows>,
}

/// The handle, and the task that some other task must run.
#[must_use]
pub fn open(store: Arc<dyn Store>, clock: Clock) -> (Board, Refresh) {
    let stale = Arc::new(Notify::new());
    let (rows_in, rows) = watch::channel(Rows::default());
    let (top_in, top) = watch::channel(Rows::default());
    let board = Board { store: Arc::clone(&store), stale: Arc::clone(&stale), rows, top };
    (board, Refresh { store, clock, stale, rows: rows_in, top: top_in })
}

impl Board {
    /// Writes a score, and has the cache read again.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, score: Score) -> Result<(), Error> {
        self.store.put_score(score).await?;
        self.stale.notify_one();
        Ok(())
    }

    /// The best rows, best first.
    ///
    /// # Errors
    /// The store's, for more than [`CACHED_ROWS`].
    pub async fn top(&self, limit: usize) -> Result<Vec<TopRow>, Error> {
        if limit > CACHED_ROWS {
            return self.store.top_scores(limit).await.map(ranked);
        }
        Ok(self.rows.borrow().iter().take(limit).cloned().collect())
    }

    /// The ten best rows whenever they change, at most every two seconds.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Rows> {
        self.top.clone()
    }
}

impl Refresh {
    /// Reads at the start and after scores were written, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.refresh()).await;
    }

    async fn refresh(self) {
        // Where other nodes write scores too, no one says that the rows are stale.
        let shared = self.store.is_shared();
        loop {
            match self.store.top_scores(CACHED_ROWS).await {
                Ok(scores) => self.show(ranked(scores)),
                Err(error) => {
                    tracing::warn!(%error, "the leaderboard can't be read");
                    self.stale.notify_one();
                }
            }
            self.clock.sleep_ms(REFRESH_MS).await;
            if !shared {
                self.stale.notified().await;
            }
        }
    }

    fn show(&self, rows: Vec<TopRow>) {
        let best = rows.iter().take(TOP_ROWS).cloned().collect::<Vec<_>>();
        self.rows.send_replace(Arc::new(rows));
        self.top.send_if_modified(|shown| {
            let changed = **shown != best;
            if changed {
                *shown = Arc::new(best);
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    fn score(player: &str, score: i64, at: u64) -> Score {
        Score { player: player.into(), name: player.to_uppercase(), score, at }
    }

    #[tokio::test]
    async fn a_new_score_shows_and_an_unchanged_top_does_not() {
        let clock = Clock::movable();
        let (board, refresh) = open(Arc::new(Memory::new(clock.clone())), clock.clone());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(refresh.run(shutdown.clone()));
        let mut changes = board.changes();
        board.put(score("alice", 35, 3)).await.unwrap();
        clock.advance(REFRESH_MS);
        let rows = changes.wait_for(|rows| rows.len() == 1).await.unwrap().clone();
        assert_eq!(rows[0].score, 35);
        assert_eq!(board.top(5).await.unwrap(), *rows);

        board.put(score("alice", 35, 4)).await.unwrap();
        clock.advance(REFRESH_MS);
        board.put(score("bob", 50, 1)).await.unwrap();
        clock.advance(REFRESH_MS);
        let rows = changes.wait_for(|rows| rows.len() == 2).await.unwrap().clone();
        assert_eq!(
            rows.iter().map(|row| row.player.as_str()).collect::<Vec<_>>(),
            ["bob", "alice"]
        );
        assert_eq!(board.top(CACHED_ROWS + 1).await.unwrap().len(), 2);
        shutdown.cancel();
        task.await.unwrap();
    }
}
