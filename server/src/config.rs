//! Every limit and setting of a node, in one struct, with where each value came from.
//!
//! Precedence: defaults < settings file < environment < command line. Resolving is pure: the
//! arguments, the environment and the reader of files are handed in. Invariants: an unknown or
//! contradictory option stops the start with a sentence that says what to change; no secret is
//! ever part of [`Settings`], only the path of the file that holds it.

mod check;
mod commands;
mod demo;
mod dump;
mod file;
mod history;
mod option;
mod redis;
mod resolve;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

pub use commands::{
    Asked, Audit, AuditPlayers, CountPlayers, Doctor, ListPlayers, NodeAt, Rebuild, Task, command,
};
pub use demo::{BOTS_MAX, Demo};
pub use dump::{dump, dump_json};
pub use history::{History, Replay, Show};
pub use redis::redis_address;
pub use resolve::{Origin, Resolved, resolve};
pub use secret::{Secret, read_secret, read_tokens};

use crate::store;
pub use crate::store::durability::Durability;
use crate::store::redis::address::Address;

/// The exit code for a command line or settings that can't be used.
pub const USAGE_EXIT_CODE: u8 = 2;

/// Why the settings can't be used. Reacts: the operator; the sentence says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The command line has no such shape; the text is complete.
    #[error("{0}")]
    Usage(String),
    /// One value can't be used, or one name is not known.
    #[error("{place}: {why}")]
    Value {
        /// Where it stands: the flag, the variable, or file, line and column.
        place: String,
        /// What is wrong and what to write.
        why: String,
    },
    /// Each value is fine, together they are not.
    #[error("{0}")]
    Contradiction(String),
}

/// What someone without a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    /// Be any player: names are not protected.
    Open,
    /// Take a name that no one has claimed; the first hello makes it theirs.
    Claim,
    /// Nothing: tokens only.
    Off,
}

impl Guests {
    /// As it is written in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claim => "claim",
            Self::Off => "off",
        }
    }

    /// What the banner says about it.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Open => "anyone may play under any name; names are not protected",
            Self::Claim => "the first hello under a name claims it; later ones need its token",
            Self::Off => "players need a token",
        }
    }
}

impl FromStr for Guests {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Open, Self::Claim, Self::Off]
            .into_iter()
            .find(|guests| guests.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a way to treat guests; say open, claim or off"))
    }
}

/// Which store holds the journals. Neither form shows a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// One SQLite file in this directory, in this process.
    Embedded(PathBuf),
    /// A Redis that many nodes share.
    Redis(Address),
}

impl FromStr for StoreChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("embedded", dir)) if !dir.is_empty() => Ok(Self::Embedded(dir.into())),
            Some(("embedded", _)) => {
                Err("the embedded store needs a directory, such as embedded:./holdfast-data".into())
            }
            Some((scheme, _)) if scheme.starts_with("redis") => {
                text.parse().map(Self::Redis).map_err(|error| match error {
                    store::Error::Open(why) => why,
                    other => other.to_string(),
                })
            }
            _ => Err(format!(
                "{text:?} is not a store; say embedded:DIR, redis://HOST:PORT, \
                 redis+sentinel://HOST:PORT,HOST:PORT/NAME or \
                 redis+cluster://HOST:PORT,HOST:PORT (rediss with TLS)"
            )),
        }
    }
}

impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(dir) => write!(f, "embedded:{}", dir.display()),
            Self::Redis(address) => write!(f, "{address}"),
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// As it is written in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Text, Self::Json]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a log format; say text or json"))
    }
}

/// Everything that an operator may set. All numbers are `u64`, so that one table of options
/// checks them all; each has its bounds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The public listener.
    pub listen: SocketAddr,
    /// The operators' listener; `None`: there is none.
    pub admin_listen: Option<SocketAddr>,
    /// Where journals are kept.
    pub store: StoreChoice,
    /// Holds the password of the Redis, so that it is not in the address.
    pub redis_password_file: Option<PathBuf>,
    /// Holds the authorities that the Redis's certificate is checked against.
    pub redis_ca_file: Option<PathBuf>,
    /// Where a node keeps files when its store is no directory of this machine; each node in a
    /// directory of its own name.
    pub data_dir: PathBuf,
    /// When a record counts as stored.
    pub durability: Durability,
    /// How long a node that no one hears from is the owner of its actors.
    pub lease_ttl_ms: u64,
    /// How long sockets stay open while the store does not answer.
    pub hold_ms: u64,
    /// Actors of a dead node that this node adopts in a second.
    pub adopt_per_s: u64,
    /// The node's name, for people and for `welcome`.
    pub node: String,
    /// The URL under which clients reach this node; also an allowed origin.
    pub advertise: Option<String>,
    /// Origins besides the node's own that browsers may come from.
    pub allow_origin: Vec<String>,
    /// Where pages find the buttons of the demo that this node is part of.
    pub demo_control: Option<String>,

    /// What someone without a token may do.
    pub guests: Guests,
    /// Holds the tokens with which services speak for any player, one a line.
    pub service_token_file: Option<PathBuf>,
    /// Holds the key that signs tokens; without it the store keeps one.
    pub token_key_file: Option<PathBuf>,
    /// How long a player's token is good.
    pub token_ttl_ms: u64,
    /// How long a session without a connection can be resumed.
    pub session_ttl_ms: u64,

    /// Most members of a room that [`Settings::rooms`] does not name.
    pub room_capacity: u64,
    /// Most members of a room, by room id.
    pub rooms: BTreeMap<String, u64>,
    /// Whether steps of movement are held against the clock.
    pub movement_clock: bool,
    /// Input of one player is collected for this long where the node is busy.
    pub beat_ms: u64,
    /// The same where it has room.
    pub beat_least_ms: u64,
    /// Time between two room frames to one socket where the node is busy.
    pub frame_ms: u64,
    /// The same where it has room.
    pub frame_least_ms: u64,

    /// Threads, and tasks that own actors.
    pub workers: u64,
    /// Most actors in memory; the idlest makes place.
    pub activations_max: u64,
    /// An actor that nothing reached for this long leaves memory.
    pub passivate_after_ms: u64,
    /// After which a player without a connection leaves its room.
    pub linkdead_ms: u64,
    /// After which an offer to trade ends.
    pub trade_offer_ms: u64,
    /// Most messages that wait for one actor.
    pub mailbox_len_max: u64,
    /// Most activities that run at once.
    pub activities_max: u64,
    /// Records after which a snapshot is taken.
    pub snapshot_records: u64,
    /// Bytes of records after which a snapshot is taken.
    pub snapshot_bytes: u64,
    /// Newest records that are kept whatever the snapshots allow to trim.
    pub retain: u64,
    /// A command that waits this long for another actor's word is answered `pending`.
    pub pending_after_ms: u64,

    /// Largest message in, bytes.
    pub message_bytes_max: u64,
    /// Input frames a second and connection; bursts of twice that.
    pub inputs_per_s: u64,
    /// Commands a second and connection; bursts of twice that.
    pub commands_per_s: u64,
    /// Chat messages a second and connection; bursts of twice that.
    pub says_per_s: u64,
    /// Commands of one session that may be unanswered.
    pub in_flight_max: u64,
    /// Refused messages in 10 s after which a connection is closed.
    pub violations_max: u64,
    /// Connections in all.
    pub connections_max: u64,
    /// Connections from one address beyond loopback.
    pub connections_per_address_max: u64,
    /// WebSocket handshakes a second from one address beyond loopback.
    pub handshakes_per_s: u64,
    /// Messages that may wait for a slow client before it is closed.
    pub lane_len_max: u64,
    /// Connections that may wait to be accepted.
    pub backlog: u64,
    /// Time for a request's headers, and as much again for its body.
    pub header_ms: u64,
    /// Time for the first message.
    pub hello_ms: u64,
    /// Time for the first message under text rules.
    pub hello_text_ms: u64,
    /// Time between two pings to a client.
    pub ping_every_ms: u64,
    /// Silence after which a connection is dead.
    pub dead_after_ms: u64,

    /// Which log lines are written: tracing's filter directives.
    pub log: String,
    /// How.
    pub log_format: LogFormat,
    /// Longest time that a stop may take before it gives up waiting.
    pub drain_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let day_ms = 24 * 60 * 60 * 1000;
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            store: StoreChoice::Embedded("./holdfast-data".into()),
            redis_password_file: None,
            redis_ca_file: None,
            data_dir: "./holdfast-data".into(),
            durability: Durability::Stored,
            lease_ttl_ms: 1_500,
            hold_ms: 8_000,
            adopt_per_s: 2_000,
            node: "gw-1".into(),
            advertise: None,
            allow_origin: Vec::new(),
            demo_control: None,
            guests: Guests::Open,
            service_token_file: None,
            token_key_file: None,
            token_ttl_ms: day_ms,
            session_ttl_ms: day_ms,
            room_capacity: 20,
            rooms: BTreeMap::new(),
            movement_clock: true,
            beat_ms: 100,
            beat_least_ms: 10,
            frame_ms: 100,
            frame_least_ms: 50,
            workers: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            activations_max: 200_000,
            passivate_after_ms: 30_000,
            linkdead_ms: 60_000,
            trade_offer_ms: 60_000,
            mailbox_len_max: 256,
            activities_max: 100,
            snapshot_records: 128,
            snapshot_bytes: 64 * 1024,
            retain: 128,
            pending_after_ms: 5_000,
            message_bytes_max: 16 * 1024,
            inputs_per_s: 60,
            commands_per_s: 20,
            says_per_s: 1,
            in_flight_max: 64,
            violations_max: 100,
            connections_max: 20_000,
            connections_per_address_max: 256,
            handshakes_per_s: 50,
            lane_len_max: 256,
            backlog: 4096,
            header_ms: 10_000,
            hello_ms: 5_000,
            hello_text_ms: 60_000,
            ping_every_ms: 15_000,
            dead_after_ms: 30_000,
            log: "info".into(),
            log_format: LogFormat::Text,
            drain_ms: 10_000,
        }
    }
}

impl Settings {
    /// Where this node keeps its files: the embedded store's directory, or one of the node's own
    /// name, because nodes that share a Redis may share a machine.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        match &self.store {
            StoreChoice::Embedded(dir) => dir.clone(),
            StoreChoice::Redis(_) => self.data_dir.join(&self.node),
        }
    }

    /// Most members of a room.
    #[must_use]
    pub fn capacity_of(&self, room: &str) -> u64 {
        self.rooms.get(room).copied().unwrap_or(self.room_capacity)
    }
}
