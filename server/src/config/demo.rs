//! `holdfast demo`: its options, and what was asked for.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgMatches, Command};

use super::ConfigError;
use super::commands::{number, value};
use super::option;

/// Gateways that one machine plays, at most.
const GATEWAYS_MAX: u32 = 8;
/// Bots at most: a room holds 20, and visitors want in.
pub const BOTS_MAX: u32 = 16;
const BOTS: u32 = 6;
const PORT: u16 = 8080;
/// How long a gateway that is gone stays away; alone, it is missed sooner.
const RETURNS_AFTER_MS: u32 = 5_000;
const RETURNS_AFTER_MS_ALONE: u32 = 1_000;
const RETURNS_AFTER_MS_MAX: u32 = 600_000;

/// `holdfast demo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// Gateways; more than one share a Redis.
    pub gateways: u32,
    /// Simulated players.
    pub bots: u32,
    /// Where visitors connect.
    pub listen: SocketAddr,
    /// Nobody asked for that address: when it is taken, another port will do.
    pub any_port: bool,
    /// Where everything is kept; `None`: somewhere, until the end.
    pub data_dir: Option<PathBuf>,
    /// After which a gateway that is gone is started again.
    pub returns_after_ms: u64,
}

pub(super) fn demo_command() -> Command {
    Command::new("demo")
        .about(
            "Starts a whole show on this machine: gateways, bots to play with, and buttons in the \
             page that kill gateways and spoil your network",
        )
        .arg(value(
            "gateways",
            "N",
            "Gateways; one keeps its journals in a file, more share a Redis, which is started \
             from the redis-server of this machine [default: 1]",
        ))
        .arg(value("bots", "N", format!("Simulated players in the arena [default: {BOTS}]")))
        .arg(value(
            "listen",
            "ADDR",
            format!("Where visitors connect [default: 127.0.0.1:{PORT}, or the next free port]"),
        ))
        .arg(value(
            "data-dir",
            "DIR",
            "Where journals and logs are kept, for a show that goes on the next time [default: a \
             directory that is removed at the end]",
        ))
        .arg(value(
            "returns-after-ms",
            "MS",
            format!(
                "How long a gateway that is gone stays away [default: {RETURNS_AFTER_MS}, or \
                 {RETURNS_AFTER_MS_ALONE} where it is the only one]"
            ),
        ))
        .after_help(
            "Everything ends with Ctrl-C, and when this process is killed. Exit codes: 0 after a \
             stop, 1 when the show can't go on.",
        )
}

pub(super) fn demo(matches: &ArgMatches) -> Result<Demo, ConfigError> {
    let gateways = number(matches, "gateways", (1, GATEWAYS_MAX))?.unwrap_or(1);
    let usual = if gateways == 1 { RETURNS_AFTER_MS_ALONE } else { RETURNS_AFTER_MS };
    let returns = number(matches, "returns-after-ms", (0, RETURNS_AFTER_MS_MAX))?;
    let listen = matches.get_one::<String>("listen").map(|text| listen(text)).transpose()?;
    Ok(Demo {
        gateways,
        bots: number(matches, "bots", (0, BOTS_MAX))?.unwrap_or(BOTS),
        any_port: listen.is_none(),
        listen: listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
        data_dir: matches.get_one::<String>("data-dir").map(PathBuf::from),
        returns_after_ms: returns.unwrap_or(usual).into(),
    })
}

fn listen(text: &str) -> Result<SocketAddr, ConfigError> {
    let wrong = |why| ConfigError::Value { place: "--listen".to_owned(), why };
    let address = option::address(text).map_err(wrong)?;
    if address.ip().is_unspecified() {
        return Err(wrong(format!(
            "{text:?} is no address that a browser can go to, and gateways tell it to browsers; \
             give 127.0.0.1:{PORT}, or this machine's address in its network"
        )));
    }
    Ok(address)
}
