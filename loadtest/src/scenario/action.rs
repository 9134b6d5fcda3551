//! What is done to the servers, as a line of a scenario: `kill gateway 1`, `pause redis for 2s`,
//! `proxy stall 300ms`. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Scenario, Store};
use crate::proxy::Fault;
use crate::span;

/// See the module. Gateways are numbered from 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// SIGKILL, and it stays away.
    Kill(Server),
    /// What was killed or drained is started again.
    Start(Server),
    /// SIGSTOP, and SIGCONT after a while.
    Pause(Server, Duration),
    /// SIGTERM: it hands its players over and ends.
    Drain(Server),
    /// Drained and started again, one gateway after the other.
    RollingRestart,
    /// The sentinel makes the replica the primary.
    Failover,
    /// What the proxies before the gateways do to the traffic.
    Proxy(Fault),
}

/// A process that the harness has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// A gateway, by its number.
    Gateway(u32),
    /// The Redis; of several, the one that takes the writes at that time.
    Redis,
}

/// What may be written.
const ALLOWED: &str = "write `kill gateway 1`, `start gateway 1`, `pause gateway 1 for 2s`, \
                       `drain gateway 1`, `rolling restart`, `kill redis`, `start redis`, \
                       `pause redis for 2s`, `failover` or `proxy` and a fault such as \
                       `proxy stall 300ms`";

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(fault) = text.trim().strip_prefix("proxy ") {
            let fault = fault.trim().parse::<Fault>();
            let fault = fault.map_err(|why| format!("`{text}`: {why}"))?;
            return Ok(Self::Proxy(fault));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let unknown = || format!("`{text}` is nothing that can be done; {ALLOWED}");
        match words.as_slice() {
            ["rolling", "restart"] => Ok(Self::RollingRestart),
            ["failover"] => Ok(Self::Failover),
            [verb, rest @ ..] => {
                let (server, rest) = server(rest).ok_or_else(unknown)?;
                match (*verb, rest) {
                    ("kill", []) => Ok(Self::Kill(server)),
                    ("start", []) => Ok(Self::Start(server)),
                    ("drain", []) if server != Server::Redis => Ok(Self::Drain(server)),
                    ("pause", ["for", span]) => Ok(Self::Pause(server, span::parse(span)?)),
                    _ => Err(unknown()),
                }
            }
            [] => Err(unknown()),
        }
    }
}

/// The server that is named first, and what follows.
fn server<'a, 'w>(words: &'a [&'w str]) -> Option<(Server, &'a [&'w str])> {
    match words {
        ["redis", rest @ ..] => Some((Server::Redis, rest)),
        ["gateway", number, rest @ ..] => Some((Server::Gateway(number.parse().ok()?), rest)),
        _ => None,
    }
}

impl Action {
    /// Whether a store may lose by it what it has, so that gateways write it back.
    #[must_use]
    pub const fn harms_store(&self) -> bool {
        matches!(self, Self::Kill(Server::Redis) | Self::Pause(Server::Redis, _) | Self::Failover)
    }

    /// Whether a scenario has what it is done to.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        match self {
            Self::Kill(server)
            | Self::Start(server)
            | Self::Pause(server, _)
            | Self::Drain(server) => match server {
                Server::Redis if scenario.store == Store::Embedded => {
                    Err(format!("`{self}`: there is no Redis on the embedded store"))
                }
                Server::Gateway(nth) if !(1..=scenario.gateways).contains(nth) => {
                    Err(format!("`{self}`: gateways are numbered from 1 to {}", scenario.gateways))
                }
                _ => Ok(()),
            },
            Self::Failover if !scenario.replicated => {
                Err("`failover` needs a replica; write replicated = true".to_owned())
            }
            Self::Proxy(_) if !scenario.proxied => {
                Err(format!("`{self}` needs proxies; write proxied = true"))
            }
            Self::RollingRestart | Self::Failover | Self::Proxy(_) => Ok(()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(nth) => write!(f, "gateway {nth}"),
            Self::Redis => write!(f, "redis"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(server) => write!(f, "kill {server}"),
            Self::Start(server) => write!(f, "start {server}"),
            Self::Pause(server, span) => write!(f, "pause {server} for {}", span::show(*span)),
            Self::Drain(server) => write!(f, "drain {server}"),
            Self::RollingRestart => write!(f, "rolling restart"),
            Self::Failover => write!(f, "failover"),
            Self::Proxy(fault) => write!(f, "proxy {fault}"),
        }
    }
}
