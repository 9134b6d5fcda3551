//! The processes of a show: gateways of this very program, and their Redis where they are several.
//! They end with the show, and by a warden when the show itself is killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use loadtest::http::Client;
use loadtest::port;
use loadtest::stage::StageError;
use loadtest::stage::process::{Process, Roll};
use loadtest::stage::redis::Redis;
use loadtest::stage::warden::Warden;
use rustix::process::Signal;

use super::DemoError;
use super::network::Network;
use crate::clock::Clock;

/// How long a gateway may take to end.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often it is looked whether one serves, and how long an answer may take.
const GLANCE_MS: u64 = 25;
const ANSWER_MS: u64 = 1_000;

/// One gateway.
#[derive(Debug)]
struct Gateway {
    process: Process,
    address: SocketAddr,
    /// Where visitors reach it.
    url: String,
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    gateways: Vec<Gateway>,
    redis: Option<Redis>,
    http: Client,
}

/// What gateways are told beside their names and addresses.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The way in.
    pub network: &'a Network,
    /// Where the page finds the buttons.
    pub control: &'a str,
    /// Where files go.
    pub dir: &'a Path,
}

/// Addresses for as many gateways, which stay theirs when they are gone.
///
/// # Errors
/// [`DemoError::Start`].
pub fn addresses(count: u32) -> Result<Vec<SocketAddr>, DemoError> {
    let address = |_| port::free().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    (0..count)
        .map(address)
        .collect::<Result<_, _>>()
        .map_err(|cause| DemoError::Start { what: "a port for a gateway".to_owned(), cause })
}

/// What ends with the show, whatever becomes of it.
///
/// # Errors
/// [`DemoError::Stage`].
pub fn roll(program: &Path) -> Result<Roll, DemoError> {
    let roll = Roll::prompt();
    roll.watched(Warden::start(program)?);
    Ok(roll)
}

impl Stage {
    /// Starts the Redis that several gateways need; no gateway yet.
    ///
    /// # Errors
    /// [`DemoError::NoRedis`] where there is none to be started, else [`DemoError::Stage`].
    pub async fn set(
        addresses: &[SocketAddr],
        program: &Path,
        roll: &Roll,
        told: Told<'_>,
    ) -> Result<Self, DemoError> {
        let redis = match addresses.len() {
            0 | 1 => None,
            _ => Some(Redis::start(told.dir, roll, false).await?),
        };
        let embedded = format!("embedded:{}", told.dir.join("store").display());
        let store = redis.as_ref().map_or(embedded, Redis::url);
        let ways = told.network.ways();
        let gateways = (1..).zip(addresses).zip(ways).map(|((nth, address), way)| {
            let name = format!("gw-{nth}");
            let args = arguments(&name, (*address, way), &store, told);
            let process = Process::new(&name, program, args, told.dir, roll);
            Gateway { process, address: *address, url: format!("ws://{way}/ws") }
        });
        Ok(Self { gateways: gateways.collect(), redis, http: Client::default() })
    }

    /// How the store is called.
    #[must_use]
    pub fn store(&self) -> &'static str {
        if self.redis.is_some() { "redis" } else { "embedded" }
    }

    /// Names of the gateways, with the id of the process and where visitors reach it.
    pub fn rows(&self) -> impl Iterator<Item = (&str, Option<u32>, &str)> {
        self.gateways.iter().map(|one| (&*one.process.name, one.process.id(), &*one.url))
    }

    /// Which gateway is called so.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.gateways.iter().position(|one| one.process.name == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self, nth: usize) -> &str {
        self.gateways.get(nth).map_or("", |one| &one.process.name)
    }

    /// The id of its process, while there is one.
    #[must_use]
    pub fn id(&self, nth: usize) -> Option<u32> {
        self.gateways.get(nth).and_then(|one| one.process.id())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self, nth: usize) -> Option<SocketAddr> {
        self.gateways.get(nth).map(|one| one.address)
    }

    /// Starts a gateway; [`Stage::served`] says when it serves.
    ///
    /// # Errors
    /// [`DemoError::Stage`].
    pub fn start(&mut self, nth: usize) -> Result<(), DemoError> {
        match self.gateways.get_mut(nth) {
            Some(gateway) => Ok(gateway.process.start()?),
            None => Ok(()),
        }
    }

    /// Ends once a gateway serves.
    pub fn served(&self, nth: usize, clock: &Clock) -> impl Future<Output = ()> + use<> {
        let url = self.address(nth).map(|address| format!("http://{address}/health/ready"));
        let (http, clock) = (self.http.clone(), clock.clone());
        async move {
            let Some(url) = url else { return };
            while !matches!(clock.within_ms(ANSWER_MS, http.get(&url)).await, Some(Ok(_))) {
                clock.sleep_ms(GLANCE_MS).await;
            }
        }
    }

    /// Sends a gateway SIGTERM: it hands everything over and ends.
    pub fn drain(&self, nth: usize) {
        if let Some(gateway) = self.gateways.get(nth) {
            gateway.process.signal(Signal::TERM);
        }
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill(&mut self, nth: usize) {
        if let Some(gateway) = self.gateways.get_mut(nth) {
            gateway.process.kill().await;
        }
    }

    /// A gateway whose process has ended, once.
    pub async fn ended(&mut self) -> Option<usize> {
        let has_ended = |one: &mut Gateway| one.process.id().is_some() && !one.process.runs();
        let nth = self.gateways.iter_mut().position(has_ended)?;
        self.kill(nth).await;
        Some(nth)
    }

    /// Why the Redis has ended, if it has.
    pub fn redis_fallen(&mut self) -> Option<StageError> {
        self.redis.as_mut().and_then(Redis::fallen)
    }

    /// The end of what a gateway said.
    #[must_use]
    pub fn last_words(&self, nth: usize) -> String {
        self.gateways.get(nth).map(|one| one.process.last_words()).unwrap_or_default()
    }

    /// Ends everything, well where that is soon done.
    pub async fn end(&mut self) {
        join_all(self.gateways.iter_mut().map(|one| one.process.end(PATIENCE))).await;
        if let Some(redis) = &mut self.redis {
            redis.end().await;
        }
    }
}

fn arguments(
    name: &str,
    (address, way): (SocketAddr, SocketAddr),
    store: &str,
    told: Told<'_>,
) -> Vec<String> {
    let pairs = [
        ("--node", name.to_owned()),
        ("--listen", address.to_string()),
        ("--advertise", format!("http://{way}")),
        ("--allow-origin", told.network.origins().join(",")),
        ("--store", store.to_owned()),
        ("--data-dir", told.dir.display().to_string()),
        ("--demo-control", told.control.to_owned()),
    ];
    let pairs = pairs.into_iter().flat_map(|(option, value)| [option.to_owned(), value]);
    std::iter::once("serve".to_owned()).chain(pairs).collect()
}

/// This program, to be started once more.
///
/// # Errors
/// [`DemoError::Start`].
pub fn own_program() -> Result<PathBuf, DemoError> {
    std::env::current_exe()
        .map_err(|cause| DemoError::Start { what: "this program".to_owned(), cause })
}
