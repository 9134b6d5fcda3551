//! The world outside: named async functions that the reference game runs after a record is
//! durable.
//!
//! An attempt may be repeated, so each effect bears it: scores and metrics are written under a
//! position or key that makes a second write change nothing, and a rebuild goes on where its last
//! heartbeat was. [`board`] is the leaderboard that the rest of the node reads.

pub mod board;
pub mod notification;
pub mod rebuild;
mod records;

use std::sync::Arc;

use crate::actor::activity::{Activities, Failure};
use crate::actor::kind::Kind;
use crate::clock::Clock;
use crate::game::leaderboard::{REBUILD_LEADERBOARD, UPDATE_LEADERBOARD};
use crate::game::metrics::RECORD_SESSION_METRICS;
use crate::game::notices::SEND_PLAYER_NOTIFICATION;
use crate::game::unpack;
use crate::store::{self, Store};

use board::Board;
use notification::{Hook, SendNotification};
use rebuild::{Rebuild, Watch};
use records::{RecordMetrics, UpdateScore};

/// What the activities need from the rest of the node.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where scores and metrics are written, and journals read.
    pub store: Arc<dyn Store>,
    /// The leaderboard; it is told of every score.
    pub board: Board,
    /// How players' journals are read.
    pub player: Kind,
    /// Paces a rebuild.
    pub clock: Clock,
    /// Where notices of players who are not connected go.
    pub hook: Arc<dyn Hook>,
    /// Shows how far a rebuild is.
    pub watch: Watch,
}

/// The reference game's activities.
#[must_use]
pub fn all(parts: &Parts) -> Activities {
    let Parts { store, board, player, clock, hook, watch } = parts.clone();
    let rebuild = Rebuild { store: Arc::clone(&store), board: board.clone(), player, clock, watch };
    Activities::default()
        .with(UPDATE_LEADERBOARD, Arc::new(UpdateScore(board)))
        .with(SEND_PLAYER_NOTIFICATION, Arc::new(SendNotification(hook)))
        .with(RECORD_SESSION_METRICS, Arc::new(RecordMetrics(store)))
        .with(REBUILD_LEADERBOARD, Arc::new(rebuild))
}

/// Reads an activity's input; one that can't be read will not be readable later.
fn input<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    unpack(bytes).map_err(|reject| Failure::lasting(reject.message))
}

/// A store's failure may pass: the runtime tries again.
fn passing(error: store::Error) -> Failure {
    Failure::passing(error.to_string())
}
