//! What is left of a player's books when it has ended: what journals and states must have. Pure.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::movement::Position;
use holdfast_protocol::server::PlayerState;
use serde::{Deserialize, Serialize};

use super::dealings::Dealings;
use crate::expect::Expected;

/// What gold is called among goods.
pub const GOLD: &str = "gold";

/// A command of a session that was acknowledged as done, and the record that must have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The session: the seq of the record that opened it; 0: of callers without one.
    pub session: u64,
    /// The command's id in it; of callers without a session, counted by the harness.
    pub id: u64,
    /// The journal position that the reply gave.
    pub seq: u64,
}

/// Input of a session that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputAck {
    /// The session.
    pub session: u64,
    /// All steps up to this number are durable.
    pub through: u64,
}

/// What is left to compare with the servers when a player has ended.
#[derive(Debug)]
pub struct Closed {
    /// Whose.
    pub player: PlayerId,
    /// The sum of what was acknowledged.
    pub sum: Expected,
    /// In the order in which they were asked.
    pub acks: Vec<Ack>,
    /// One a session.
    pub input_acks: Vec<InputAck>,
    /// Where the player must stand if no step was dropped; `None`: it can't be told.
    pub at: Option<Position>,
    /// Commands and steps without an outcome.
    pub unacknowledged: u64,
    /// Promises that were seen to be broken while it played, in sentences.
    pub violations: Vec<String>,
    /// What it had at its first welcome, by thing.
    pub began: Option<BTreeMap<String, u64>>,
    /// What it was told of trades and its party.
    pub dealings: Dealings,
    /// Trades that it was told it had accepted.
    pub accepted: BTreeSet<TradeId>,
}

impl Closed {
    /// Of a player who was promised nothing.
    #[must_use]
    pub fn empty(player: PlayerId) -> Self {
        Self {
            player,
            sum: Expected::default(),
            acks: Vec::new(),
            input_acks: Vec::new(),
            at: None,
            unacknowledged: 0,
            violations: Vec::new(),
            began: None,
            dealings: Dealings::default(),
            accepted: BTreeSet::new(),
        }
    }
}

/// What a player has in its hands, by thing.
#[must_use]
pub fn held(state: &PlayerState) -> BTreeMap<String, u64> {
    let mut held = BTreeMap::from([(GOLD.to_owned(), state.gold)]);
    for item in &state.inventory {
        *held.entry(item.item_id.clone()).or_default() += item.quantity;
    }
    held
}
