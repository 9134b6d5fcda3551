//! A scenario: who plays, for how long, what is done to the servers meanwhile, and what must hold
//! afterwards. Pure.
//!
//! Scenarios are TOML; docs/loadtest.md says how to write one. The ready-made ones are built into
//! the binary ([`BUILT_IN`]). A file that can't be used is refused with a sentence that says what
//! to change, before anything is started.

pub mod action;
mod file;
pub mod threshold;

use std::time::Duration;

use serde::Deserialize;

use self::action::Action;
use self::file::File;
use self::threshold::Threshold;
use crate::span;

/// The version of the form that is read.
pub const VERSION: u32 = 1;

/// The ready-made scenarios: name and TOML.
pub const BUILT_IN: [(&str, &str); 12] = [
    ("smoke", include_str!("../scenarios/smoke.toml")),
    ("arena-5000", include_str!("../scenarios/arena-5000.toml")),
    ("hot-room", include_str!("../scenarios/hot-room.toml")),
    ("reconnect-storm", include_str!("../scenarios/reconnect-storm.toml")),
    ("kill-a-gateway", include_str!("../scenarios/kill-a-gateway.toml")),
    ("rolling-restart", include_str!("../scenarios/rolling-restart.toml")),
    ("failover", include_str!("../scenarios/failover.toml")),
    ("slow-readers", include_str!("../scenarios/slow-readers.toml")),
    ("trade-storm", include_str!("../scenarios/trade-storm.toml")),
    ("market", include_str!("../scenarios/market.toml")),
    ("fellowship", include_str!("../scenarios/fellowship.toml")),
    ("week-long", include_str!("../scenarios/week-long.toml")),
];

/// Why a scenario can't be used. Reacts: whoever wrote or named it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is no TOML of this form.
    #[error("{0}")]
    Form(String),
    /// A newer program is meant.
    #[error("it has version {0} of the scenarios' form, and this loadtest reads up to {VERSION}")]
    Newer(u32),
    /// A value can't be used.
    #[error("{what}: {why}")]
    Value {
        /// Which.
        what: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Players in all.
    pub players: u32,
    /// Players that share a room.
    pub room_of: u32,
    /// From the first player's connection to the last one's.
    pub ramp: Duration,
    /// How long all play.
    pub hold: Duration,
    /// How long a bare echo is measured first; 0: it is not.
    pub echo: Duration,
    /// Gateways that are started.
    pub gateways: u32,
    /// On which store they are.
    pub store: Store,
    /// Whether the store has a replica and a sentinel, for failovers.
    pub replicated: bool,
    /// Whether a proxy stands before each gateway.
    pub proxied: bool,
    /// Whether bots and servers speak MessagePack.
    pub packed: bool,
    /// Whether a harness that is late makes the run void, as it must where times are judged.
    pub late_is_void: bool,
    /// Further settings of the gateways, as on their command line.
    pub server: Vec<String>,
    /// Who plays.
    pub bots: Vec<Bots>,
    /// What happens meanwhile, in order.
    pub chaos: Vec<Blow>,
    /// What must hold.
    pub thresholds: Vec<Threshold>,
}

/// A store that the harness can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// Within the one gateway.
    Embedded,
    /// A Redis.
    Redis,
}

impl Store {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        }
    }
}

/// Players of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Bots {
    /// What they do.
    pub kind: Kind,
    /// How many, as a share of the sum of all shares.
    pub share: u32,
    /// Input frames a second; 0: none.
    pub input_hz: u32,
    /// Mean time from one command to the next, exponentially distributed.
    pub think: Duration,
    /// Commands that each may have unanswered.
    pub in_flight: u32,
    /// After how many commands each is done; 0: never.
    pub commands: u64,
}

/// What players of a kind do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Walks.
    Mover,
    /// Walks and strikes other brawlers of its room, heals, defends, uses potions.
    Brawler,
    /// Says things.
    Chatter,
    /// Joins and leaves rooms.
    Churner,
    /// Drops its connection every now and then, and resumes.
    Flaky,
    /// Reads too slowly.
    SlowReader,
    /// Sends what is refused: nonsense, and more than is allowed.
    Abuser,
    /// Commands over HTTP, without a socket.
    Caller,
    /// As many commands as it can.
    Grinder,
    /// Offers trades to other traders of its room's players, accepts, counters, cancels.
    Trader,
    /// Gives to traders and those who give.
    Gifter,
    /// Walks to the coins of an arena.
    Collector,
    /// Gathers in parties with others of its kind, and goes from room to room with them.
    Companion,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 13] = [
        Self::Mover,
        Self::Brawler,
        Self::Chatter,
        Self::Churner,
        Self::Flaky,
        Self::SlowReader,
        Self::Abuser,
        Self::Caller,
        Self::Grinder,
        Self::Trader,
        Self::Gifter,
        Self::Collector,
        Self::Companion,
    ];

    const fn input_hz(self) -> u32 {
        match self {
            Self::Mover | Self::Brawler => 20,
            Self::Collector => 10,
            _ => 0,
        }
    }

    const fn think(self) -> Duration {
        match self {
            Self::Mover | Self::SlowReader | Self::Collector => Duration::ZERO,
            Self::Grinder => Duration::ZERO,
            Self::Brawler | Self::Abuser | Self::Caller | Self::Flaky => Duration::from_secs(1),
            Self::Trader | Self::Gifter | Self::Companion => Duration::from_secs(3),
            Self::Chatter | Self::Churner => Duration::from_secs(5),
        }
    }
}

/// Something that is done to the servers.
#[derive(Debug, Clone, PartialEq)]
pub struct Blow {
    /// After the hold has begun.
    pub at: Duration,
    /// What.
    pub action: Action,
}

/// Most of each, and why there is a limit: none of these is met by a machine that can do more.
const PLAYERS_MAX: u32 = 1_000_000;
const INPUT_HZ_MAX: u32 = 60;
const IN_FLIGHT_MAX: u32 = 60;
const GATEWAYS_MAX: u32 = 16;

fn value(what: impl Into<String>, why: impl Into<String>) -> ScenarioError {
    ScenarioError::Value { what: what.into(), why: why.into() }
}

fn within(what: &str, number: u32, least: u32, most: u32) -> Result<u32, ScenarioError> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(value(what, format!("{number} is not from {least} to {most}")))
}

fn time(what: &str, text: &str) -> Result<Duration, ScenarioError> {
    span::parse(text).map_err(|why| value(what, why))
}

impl Scenario {
    /// The TOML of a ready-made one.
    #[must_use]
    pub fn built_in(name: &str) -> Option<&'static str> {
        BUILT_IN.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let form = |error: toml::de::Error| ScenarioError::Form(error.to_string());
        let file: File = toml::from_str(text).map_err(form)?;
        if file.version > VERSION {
            return Err(ScenarioError::Newer(file.version));
        }
        let mut bots = Vec::new();
        for one in &file.bots {
            bots.push(one.read()?);
        }
        let hold = time("hold", &file.hold)?;
        let mut chaos = Vec::new();
        for blow in &file.chaos {
            chaos.extend(blow.read(hold)?);
        }
        chaos.sort_by_key(|blow| blow.at);
        let mut thresholds = Vec::new();
        for text in &file.thresholds {
            thresholds.push(text.parse().map_err(|why: String| value("thresholds", why))?);
        }
        let scenario = Self {
            players: within("players", file.players, 1, PLAYERS_MAX)?,
            room_of: within("room_of", file.room_of, 1, PLAYERS_MAX)?,
            ramp: time("ramp", &file.ramp)?,
            hold,
            echo: file.echo.map_or(Ok(Duration::ZERO), |text| time("echo", &text))?,
            gateways: within("gateways", file.gateways, 1, GATEWAYS_MAX)?,
            name: file.name,
            about: file.about,
            store: file.store,
            replicated: file.replicated,
            proxied: file.proxied,
            packed: file.packed,
            late_is_void: file.late_is_void,
            server: file.server,
            bots,
            chaos,
            thresholds,
        };
        scenario.check()?;
        Ok(scenario)
    }

    /// Whether its parts go together; also after the command line has changed some.
    ///
    /// # Errors
    /// [`ScenarioError::Value`].
    pub fn check(&self) -> Result<(), ScenarioError> {
        if self.bots.iter().all(|bots| bots.share == 0) {
            return Err(value("bots", "nobody plays: give at least one kind a share"));
        }
        if self.gateways > 1 && self.store == Store::Embedded {
            let why = "the embedded store serves one gateway; write store = \"redis\"";
            return Err(value("gateways", why));
        }
        if self.replicated && self.store == Store::Embedded {
            return Err(value("replicated", "only a Redis has a replica; write store = \"redis\""));
        }
        for blow in &self.chaos {
            blow.action.check(self).map_err(|why| value("chaos.do", why))?;
            if blow.at > self.hold {
                let (at, hold) = (span::show(blow.at), span::show(self.hold));
                return Err(value("chaos.at", format!("{at} is after the hold of {hold}")));
            }
        }
        Ok(())
    }

    /// What the player `nth` does: kinds are dealt in turn, so that every stretch of players has
    /// its share of each.
    #[must_use]
    pub fn bots_of(&self, nth: u32) -> Option<&Bots> {
        let sum: u64 = self.bots.iter().map(|bots| u64::from(bots.share)).sum();
        if sum == 0 {
            return None;
        }
        // A stride that shares no factor with the sum visits every place once a round; one near the
        // golden section of it spreads every kind evenly.
        let section = (sum * 618 / 1_000).max(1);
        let stride = (section..=sum).find(|stride| gcd(*stride, sum) == 1).unwrap_or(1);
        let mut place = u64::from(nth) % sum * stride % sum;
        for bots in &self.bots {
            match place.checked_sub(bots.share.into()) {
                None => return Some(bots),
                Some(rest) => place = rest,
            }
        }
        None
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[path = "scenario/tests.rs"]
mod tests;
