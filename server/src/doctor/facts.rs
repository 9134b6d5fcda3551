//! What was seen, plain: no judgement and no I/O. Tests make it by hand.

use std::collections::BTreeMap;

use crate::store::durability::Durability;

/// Names and values, as `INFO` and `CONFIG GET` give them.
pub type Fields = BTreeMap<String, String>;

/// How the store's address names its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// One primary at a fixed address.
    #[default]
    Single,
    /// The primary that Sentinels name.
    Sentinel,
    /// The primaries of a Cluster.
    Cluster,
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// What the address says.
    pub kind: Kind,
    /// The level that was asked for.
    pub durability: Durability,
    /// The servers that would be written to.
    pub servers: Vec<Server>,
    /// Who did not answer, and why.
    pub silent: Vec<(String, String)>,
    /// What each Sentinel that answered says, by its address.
    pub sentinels: BTreeMap<String, Fields>,
    /// `CLUSTER INFO` of the node that was asked.
    pub cluster: Fields,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// Host and port, as they were connected to.
    pub at: String,
    /// The port that was connected to.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether it stays on this machine.
    pub loopback: bool,
    /// `INFO`.
    pub info: Fields,
    /// `CONFIG GET` of what matters.
    pub config: Fields,
    /// Why `CONFIG GET` was refused, if it was.
    pub config_refused: Option<String>,
    /// `CLIENT ID`, asked several times on one connection.
    pub client_ids: Vec<i64>,
    /// The run id on each of several connections.
    pub run_ids: Vec<String>,
    /// The server's clock less this machine's, ms.
    pub skew_ms: i64,
    /// Median answer to PING, µs.
    pub ping_us: u64,
    /// Median answer to SET, µs; 0 where none was taken.
    pub set_us: u64,
    /// Why SET was refused, if it was.
    pub set_refused: Option<String>,
    /// Why a script with the flags of ours does not run, if it does not.
    pub script_refused: Option<String>,
    /// Who we are to the server.
    pub user: String,
    /// Commands of ours that the user may not use, each with the server's reason.
    pub denied: Vec<(String, String)>,
    /// Why permissions could not be looked at, if so.
    pub unchecked: Option<String>,
    /// Whether the user may also do what Holdfast never does.
    pub almighty: bool,
}

impl Server {
    /// A value of `INFO`; empty where there is none.
    #[must_use]
    pub fn info(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    /// A value of the configuration; `None` where it was not told.
    #[must_use]
    pub fn set_to(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }

    /// A number of `INFO`.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<u64> {
        self.info(name).parse().ok()
    }

    /// A number of the configuration.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.set_to(name)?.parse().ok()
    }

    /// Major and minor version; `None` where there is none.
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let text = match self.info("valkey_version") {
            "" => self.info("redis_version"),
            own => own,
        };
        let mut parts = text.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
    }

    /// True for Valkey, which also tells the version of Redis that it is like.
    #[must_use]
    pub fn is_valkey(&self) -> bool {
        self.info("server_name") == "valkey" || !self.info("valkey_version").is_empty()
    }

    /// Whether it knows `WAITAOF`.
    #[must_use]
    pub fn has_waitaof(&self) -> bool {
        self.is_valkey() || self.version().is_some_and(|version| version >= (7, 2))
    }

    /// Its connected replicas: name and fields, such as `offset` and `lag`.
    #[must_use]
    pub fn replicas(&self) -> Vec<Fields> {
        let is_replica = |name: &str| {
            name.strip_prefix("slave").is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let pairs = |line: &String| {
            let pair = |text: &str| text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
            line.split(',').filter_map(pair).collect()
        };
        self.info.iter().filter(|(name, _)| is_replica(name)).map(|(_, line)| pairs(line)).collect()
    }

    /// How its writes get to a disk.
    #[must_use]
    pub fn persistence(&self) -> Persistence {
        let aof = match self.set_to("appendonly") {
            Some(value) => value == "yes",
            None => self.info("aof_enabled") == "1",
        };
        match (aof, self.set_to("appendfsync"), self.set_to("save")) {
            (true, Some("always"), _) => Persistence::EveryWrite,
            (true, Some("no"), _) => Persistence::Whenever,
            (true, _, _) => Persistence::EverySecond,
            (false, _, Some("")) => Persistence::None,
            (false, _, _) => Persistence::Snapshots,
        }
    }
}

/// How a server's writes get to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Persistence {
    /// Not at all.
    None,
    /// As a copy of everything, now and then.
    Snapshots,
    /// In a file that the system writes when it likes.
    Whenever,
    /// In a file that is synced each second.
    EverySecond,
    /// In a file that is synced before every answer.
    EveryWrite,
}
