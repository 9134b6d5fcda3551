//! The servers of a run: gateways, their Redis, proxies before them. They are started here, are
//! done to what a scenario says, and end with their owner.

pub mod process;
pub mod redis;
pub mod warden;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use self::process::{Process, Roll};
use self::redis::Redis;
use crate::http::Client;
use crate::port;
use crate::proxy::{self, Proxy};
use crate::scenario::action::{Action, Server};
use crate::scenario::{Scenario, Store};
use crate::span;

/// How long a gateway may take to serve, and to drain.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);
/// What the gateways are always told, beside the scenario's settings: every record is kept, and
/// players whose sockets are gone stay in their rooms, so that all can be compared afterwards.
pub const RAISED: [&str; 4] = ["--retain", "1000000000", "--linkdead-ms", "86400000"];

/// Why there is no stage. Reacts: whoever started the run; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// No server's binary.
    #[error(
        "there is no holdfast at {0}; build it with `cargo build --release`, or name it by --server"
    )]
    NoServer(PathBuf),
    /// No `redis-server`.
    #[error("there is no redis-server here; install it (on Debian: apt install redis-server)")]
    NoRedis,
    /// Something can't be started or written.
    #[error("{what}: {cause}")]
    Start {
        /// What.
        what: String,
        /// What the OS said.
        cause: io::Error,
    },
    /// A gateway ended, or never served.
    #[error("{name} {why}; its last words:\n{words}")]
    Gateway {
        /// Which.
        name: String,
        /// What became of it.
        why: String,
        /// The end of its log.
        words: String,
    },
    /// The Redis does not do as it is told.
    #[error("the Redis does not do as it is told: {0}")]
    Redis(String),
}

fn free_port() -> Result<u16, StageError> {
    port::free()
        .map_err(|cause| StageError::Start { what: "a port for a server".to_owned(), cause })
}

/// One gateway.
#[derive(Debug)]
struct Gateway {
    process: Process,
    port: u16,
    admin: u16,
    proxy: Option<Proxy>,
}

impl Gateway {
    fn new(nth: u32, plan: &Plan<'_>, store: &str) -> Result<Self, StageError> {
        let (port, admin, name) = (free_port()?, free_port()?, format!("gw-{nth}"));
        let (listen, admin_listen) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{admin}"));
        let fixed = [
            "serve",
            "--listen",
            &listen,
            "--admin-listen",
            &admin_listen,
            "--node",
            &name,
            "--store",
            store,
        ];
        let args = fixed.iter().chain(&RAISED).map(|arg| (*arg).to_owned());
        let args = args.chain(plan.scenario.server.iter().cloned()).collect();
        let process = Process::new(&name, plan.server, args, plan.dir, plan.roll);
        Ok(Self { process, port, admin, proxy: None })
    }

    /// Starts it and waits until it serves.
    async fn start(&mut self, http: &Client) -> Result<(), StageError> {
        self.process.start()?;
        let url = format!("http://127.0.0.1:{}/health/ready", self.port);
        let end = Instant::now() + PATIENCE;
        loop {
            if http.get(&url).await.is_ok() {
                return Ok(());
            }
            let gone = !self.process.runs();
            if gone || Instant::now() > end {
                let why = if gone { "has ended" } else { "does not become ready" };
                return Err(self.failed(why));
            }
            sleep(GLANCE).await;
        }
    }

    fn failed(&self, why: &str) -> StageError {
        let (name, words) = (self.process.name.clone(), self.process.last_words());
        StageError::Gateway { name, why: why.to_owned(), words }
    }
}

/// What is to be set up.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The server's binary.
    pub server: &'a Path,
    /// Where its files go: stores and logs.
    pub dir: &'a Path,
    /// From which the proxies' randomness follows.
    pub seed: u64,
    /// Where running processes are noted.
    pub roll: &'a Roll,
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    gateways: Vec<Gateway>,
    redis: Option<Redis>,
    http: Client,
}

impl Stage {
    /// Starts everything that a scenario asks for, fresh, and waits until it serves.
    ///
    /// # Errors
    /// [`StageError`].
    pub async fn start(plan: Plan<'_>) -> Result<Self, StageError> {
        if !plan.server.exists() {
            return Err(StageError::NoServer(plan.server.to_owned()));
        }
        let redis = match plan.scenario.store {
            Store::Embedded => None,
            Store::Redis => {
                Some(Redis::start(plan.dir, plan.roll, plan.scenario.replicated).await?)
            }
        };
        let embedded = format!("embedded:{}", plan.dir.join("store").display());
        let store = redis.as_ref().map_or(embedded, Redis::url);
        let mut stage = Self { gateways: Vec::new(), redis, http: Client::default() };
        for nth in 1..=plan.scenario.gateways {
            let mut gateway = Gateway::new(nth, &plan, &store)?;
            gateway.start(&stage.http).await?;
            if plan.scenario.proxied {
                gateway.proxy = Some(proxy(gateway.port, plan.seed ^ u64::from(nth))?);
            }
            stage.gateways.push(gateway);
        }
        Ok(stage)
    }

    /// Where players connect: the proxies, where there are some.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let one = |gateway: &Gateway| {
            let direct = SocketAddr::from(([127, 0, 0, 1], gateway.port));
            let address = gateway.proxy.as_ref().map_or(direct, Proxy::address);
            format!("ws://{address}/ws")
        };
        self.gateways.iter().map(one).collect()
    }

    /// The gateways' own HTTP origins.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        self.gateways.iter().map(|one| format!("http://127.0.0.1:{}", one.port)).collect()
    }

    /// The origins of their operators' listeners.
    #[must_use]
    pub fn admin_origins(&self) -> Vec<String> {
        self.gateways.iter().map(|one| format!("http://127.0.0.1:{}", one.admin)).collect()
    }

    /// A process that should run and does not: which, and its last words.
    pub fn fallen(&mut self, meant: &[Server]) -> Option<StageError> {
        for (nth, gateway) in (1..).zip(&mut self.gateways) {
            if !meant.contains(&Server::Gateway(nth)) && !gateway.process.runs() {
                return Some(gateway.failed("has ended, and nobody had told it to"));
            }
        }
        None
    }

    /// The newest errors that each gateway has logged, by its name.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, Vec<String>> {
        let one = |gateway: &Gateway| (gateway.process.name.clone(), gateway.process.errors());
        self.gateways.iter().map(one).collect()
    }

    fn gateway(&mut self, nth: u32) -> Result<&mut Gateway, StageError> {
        let known = self.gateways.len();
        let place = nth.checked_sub(1).and_then(|at| self.gateways.get_mut(at as usize));
        let why = format!("there is no gateway {nth} of {known}");
        place.ok_or(StageError::Redis(why))
    }

    fn redis(&mut self) -> Result<&mut Redis, StageError> {
        self.redis.as_mut().ok_or_else(|| StageError::Redis("there is none".to_owned()))
    }

    async fn process(&mut self, server: Server) -> Result<&mut Process, StageError> {
        match server {
            Server::Gateway(nth) => Ok(&mut self.gateway(nth)?.process),
            Server::Redis => self.redis()?.primary().await,
        }
    }

    /// Does one thing; returns when it is done.
    ///
    /// # Errors
    /// [`StageError`]: the run can't go on as it was meant.
    pub async fn act(&mut self, action: &Action) -> Result<(), StageError> {
        match action {
            Action::Kill(server) => self.process(*server).await?.kill().await,
            Action::Start(Server::Redis) => self.redis()?.start_again().await?,
            Action::Start(Server::Gateway(nth)) => {
                let http = self.http.clone();
                self.gateway(*nth)?.start(&http).await?;
            }
            Action::Pause(server, span) => {
                let process = self.process(*server).await?;
                process.signal(Signal::STOP);
                sleep(*span).await;
                process.signal(Signal::CONT);
            }
            Action::Drain(server) => self.drain(*server).await?,
            Action::RollingRestart => {
                for nth in (1..).take(self.gateways.len()) {
                    self.drain(Server::Gateway(nth)).await?;
                    let http = self.http.clone();
                    self.gateway(nth)?.start(&http).await?;
                }
            }
            Action::Failover => self.redis()?.fail_over().await?,
            Action::Proxy(fault) => {
                for proxy in self.gateways.iter().filter_map(|one| one.proxy.as_ref()) {
                    proxy.handle().apply(fault);
                }
            }
        }
        Ok(())
    }

    async fn drain(&mut self, server: Server) -> Result<(), StageError> {
        let process = self.process(server).await?;
        if process.end(PATIENCE).await.is_none() {
            let (name, words) = (process.name.clone(), process.last_words());
            let why = format!("did not end within {} of SIGTERM", span::show(PATIENCE));
            return Err(StageError::Gateway { name, why, words });
        }
        Ok(())
    }
}

fn proxy(port: u16, seed: u64) -> Result<Proxy, StageError> {
    let (listen, target) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], port).into());
    let config = proxy::Config { listen, target, faults: proxy::Faults::default(), seed };
    let started = Proxy::start(config);
    started.map_err(|cause| StageError::Start { what: format!("a proxy of port {port}"), cause })
}
