//! What a generator process is told on its standard input, and what it says on its standard
//! output: one JSON text a line. Both ends are the same binary, so that the form has no version.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::result::{Check, Violation};
use crate::stats::Packed;

/// What a process is told, in this order; [`Order::Echo`] may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Whom it plays. Answered by [`Saying::Ready`].
    Begin(Share),
    /// Drive a bare echo with as many connections and the same rate. Answered by
    /// [`Saying::Echoed`].
    Echo(EchoRun),
    /// Begin the ramp. From now on a [`Saying::Second`] every second.
    Play {
        /// Where its players connect.
        urls: Vec<String>,
    },
    /// Send nothing new, wait for what is open for so many milliseconds. Answered by
    /// [`Saying::Stopped`].
    Stop {
        /// How long.
        patience_ms: u64,
    },
    /// Compare what was promised with journals and states. Answered by [`Saying::Verified`].
    Verify(Verification),
}

/// A process's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The scenario, as TOML.
    pub toml: String,
    /// Players in all, where the command line said another number.
    pub players: u32,
    /// The first of its players.
    pub first: u32,
    /// How many they are.
    pub len: u32,
    /// From which everything random follows.
    pub seed: u64,
}

/// An echo to be driven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EchoRun {
    /// Where.
    pub url: String,
    /// Connections.
    pub len: usize,
    /// Messages a second on each.
    pub hz: f64,
    /// How long.
    pub span_ms: u64,
}

/// What is to be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// HTTP origins of the gateways.
    pub origins: Vec<String>,
    /// Whether the servers keep every record, and players stay where they are.
    pub retained: bool,
    /// Origins of the operators' listeners of servers that were started for the run.
    #[serde(default)]
    pub admin: Vec<String>,
}

/// What a process says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// It can begin; how many sockets it may open.
    Ready {
        /// Its file limit.
        files: u64,
    },
    /// The echo's numbers.
    Echoed(Packed),
    /// A second's numbers.
    Second {
        /// Players with a session on a socket.
        connected: u64,
        /// Players that have done all they were to do.
        finished: u64,
        /// What was counted and measured.
        stats: Packed,
    },
    /// Everything is answered, or time was up.
    Stopped(Stopped),
    /// How far the comparison is.
    Checked {
        /// Players compared.
        done: u64,
    },
    /// The comparison has ended.
    Verified(Verified),
    /// It can't go on.
    Failed(String),
}

/// How a process's players ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Commands and steps without an outcome.
    pub unacknowledged: u64,
    /// Players who could not come back.
    pub lost: Vec<String>,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How often each room's coins came to a player, by room and number.
    #[serde(default)]
    pub coins: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Coins that a room has given away, by what the room is called in violations.
    #[serde(default)]
    pub taken: BTreeMap<String, BTreeSet<u64>>,
    /// Players whose goods are not in the sum.
    #[serde(default)]
    pub left_out: u64,
    /// By name: what is promised, and how it was kept.
    pub checks: BTreeMap<String, Check>,
    /// The first of what was broken, in full.
    pub violations: Vec<Violation>,
    /// What could not be compared, in sentences.
    pub unchecked: Vec<String>,
    /// Steps that the servers dropped; they were not acknowledged as taken.
    pub dropped: u64,
    /// Players compared.
    pub players: u64,
    /// What all players began with, hold and have used, by thing; the check `conserved` is made
    /// of it.
    #[serde(default)]
    pub goods: BTreeMap<String, Goods>,
}

/// How many of a thing there were, and where they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    /// Made with the players.
    pub minted: u64,
    /// Picked up: coins that rooms put down.
    #[serde(default)]
    pub found: u64,
    /// Reserved in trades that are open.
    #[serde(default)]
    pub escrow: u64,
    /// In the players' hands.
    pub held: u64,
    /// Used up.
    pub used: u64,
}
