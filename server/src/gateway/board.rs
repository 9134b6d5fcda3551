//! Who is best: the edge's window on the leaderboard, which the store keeps.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use holdfast_protocol::server::TopRow;
use tokio::sync::watch;

/// Most rows of a `leaderboard` event and of `top`.
pub const TOP_LEN: usize = 10;

/// The leaderboard, as the edge reads it.
pub trait Board: Send + Sync + fmt::Debug + 'static {
    /// The best `limit` players, best first; empty while the store does not answer.
    fn top(&self, limit: usize) -> BoxFuture<'_, Vec<TopRow>>;
    /// The newest best [`TOP_LEN`], marked changed when they are.
    fn changes(&self) -> watch::Receiver<Arc<Vec<TopRow>>>;
}
