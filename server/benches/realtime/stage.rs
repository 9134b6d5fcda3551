//! What every part sets up and reads: a server on a store, an echo, a measured run, and where
//! all players stand after it.

use std::time::Duration;

use futures::future::try_join;
use holdfast_protocol::movement::Position;
use holdfast_protocol::server::MetricsBody;
use loadtest::drive::{Ask, Crowd, Guests, Lost, Pace, Plan, Report, Tally};
use loadtest::wire::Wire;
use serde::Deserialize;
use tokio::time::sleep;

use super::Table;
use super::support::client::start_echo;
use super::support::http::Http;
use super::support::redis::RedisServer;
use super::support::{self, Outcome, Process, Server};

/// Before a run is counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a full machine may take to answer what was asked during a run.
const DRAINING: Duration = Duration::from_secs(60);

/// The limits that a loop without pauses would meet, and the movement clock with them.
pub const RAISED: [&str; 6] =
    ["--movement-clock", "off", "--inputs-per-s", "1000000", "--commands-per-s", "1000000"];

/// Players neither read nor answer pings while others have their turn.
pub const PATIENT: [&str; 4] = ["--ping-every-ms", "600000", "--dead-after-ms", "1200000"];

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The embedded one.
    Embedded,
    /// A Redis of its own.
    Redis,
}

impl Kind {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "Redis",
        }
    }
}

/// A server and its store.
pub struct Stage {
    /// The server; it ends before its store.
    pub server: Server,
    redis: Option<RedisServer>,
    /// Bytes of the server's memory before anybody came.
    empty: u64,
}

impl Stage {
    /// Starts both, fresh.
    pub fn start(kind: Kind, args: &[&str]) -> Outcome<Self> {
        let redis = (kind == Kind::Redis).then(RedisServer::start).transpose()?;
        let args = [&["--admin-listen", "127.0.0.1:0"], args].concat();
        let server = Server::start_on(redis.as_ref().map(RedisServer::url), &args)?;
        let empty = server.process.resident()?;
        Ok(Self { server, redis, empty })
    }

    /// Players of it, in rooms of so many.
    pub async fn crowd(&self, players: usize, room_of: usize, wire: Wire) -> Outcome<Crowd> {
        let guests = Guests { wire, ..Guests::new(&self.server.url, players) };
        Ok(Crowd::at_server(&guests, room_of).await?)
    }

    fn meters(&self) -> Meters<'_> {
        Meters { server: &self.server.process, redis: self.redis.as_ref() }
    }

    /// A run of them.
    pub async fn run(&self, crowd: &mut Crowd, ask: Ask, pace: Pace, span: Duration) -> Ran {
        self.meters().run(crowd, ask, pace, span).await
    }

    /// A run of input frames that may be more than the machine can take.
    pub async fn run_on(&self, crowd: &mut Crowd, pace: Pace, span: Duration) -> Ran {
        self.meters().run_on(crowd, pace, span).await
    }

    /// What the server's memory has grown by since nobody was there, at a run's end; bytes for
    /// each of so many players.
    pub fn grown(&self, done: &Measured, players: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "memory, far below 2^52")]
        let [grown, players] =
            [done.resident.saturating_sub(self.empty), players as u64].map(|count| count as f64);
        grown / players
    }

    /// Asks where everybody is who was refused nothing. A step that was dropped was counted
    /// though no player made it: the table says so, and the program fails in the end.
    pub fn check_steps(&self, what: &str, crowd: &Crowd, table: &mut Table) -> Outcome<()> {
        let host = self.server.url.trim_start_matches("ws://").trim_end_matches("/ws");
        let mut http = Http::open(host)?;
        let (mut dropped, mut astray, mut steps) = (0, 0, 0);
        for connection in crowd.connections().iter().filter(|one| one.refused() == 0) {
            let path = format!("/v1/players/{}", connection.player());
            let PlayerPage { state } = serde_json::from_str(&http.get(&path)?)?;
            astray += u64::from(state != connection.place());
            let page = http.get(&format!("{path}/metrics"))?;
            let MetricsPage { metrics } = serde_json::from_str(&page)?;
            dropped += metrics.dropped_steps_count;
            steps += connection.steps();
        }
        let found = format!(
            "{dropped} of {steps}; {astray} of {} players are not where their steps lead",
            crowd.connections().len()
        );
        println!("steps dropped: {found}");
        if dropped + astray > 0 {
            table.fault(&format!("{what}: steps dropped"), &found);
        }
        Ok(())
    }

    /// A number among the node's metrics, by its whole name with labels; 0 where it is missing.
    pub fn metric(&self, name: &str) -> Outcome<f64> {
        let admin = self.server.admin.as_deref().ok_or("no admin listener")?;
        let page = Http::open(admin)?.get("/metrics")?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.map_or(Ok(0.0), str::parse)?)
    }
}

/// What is read of `GET /v1/players/{id}`.
#[derive(Deserialize)]
struct PlayerPage {
    state: Position,
}

/// What is read of `GET /v1/players/{id}/metrics`.
#[derive(Deserialize)]
struct MetricsPage {
    metrics: MetricsBody,
}

/// A bare echo.
pub struct Bare {
    process: Process,
    url: String,
}

impl Bare {
    /// Starts it.
    pub fn start() -> Outcome<Self> {
        let (process, url) = start_echo()?;
        Ok(Self { process, url })
    }

    /// Connections to it.
    pub async fn crowd(&self, players: usize, wire: Wire) -> Outcome<Crowd> {
        let guests = Guests { wire, ..Guests::new(&self.url, players) };
        Ok(Crowd::at_echo(&guests).await?)
    }

    /// A run of them.
    pub async fn run(&self, crowd: &mut Crowd, ask: Ask, pace: Pace, span: Duration) -> Ran {
        self.meters().run(crowd, ask, pace, span).await
    }

    /// A run of input frames that may be more than the machine can take.
    pub async fn run_on(&self, crowd: &mut Crowd, pace: Pace, span: Duration) -> Ran {
        self.meters().run_on(crowd, pace, span).await
    }

    fn meters(&self) -> Meters<'_> {
        Meters { server: &self.process, redis: None }
    }
}

/// What a run gives.
pub type Ran = Outcome<Measured>;

/// What a run took, after its warm-up.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What the driver saw.
    pub report: Report,
    /// CPU microseconds of the server.
    pub server: f64,
    /// CPU microseconds of Redis.
    pub redis: f64,
    /// Cores that the driver kept busy; it has one thread.
    pub driver: f64,
    /// Bytes of the server's memory at the end of the span, everybody still at it.
    pub resident: u64,
    /// What did not come to the end; only [`Stage::run_on`] loses any without failing.
    pub lost: Lost,
}

#[expect(clippy::cast_precision_loss, reason = "counts of minutes, far below 2^52")]
impl Measured {
    fn each(&self, micros: f64) -> f64 {
        micros / self.report.answered.max(1) as f64
    }

    /// CPU microseconds of the server for each that was answered.
    pub fn server_each(&self) -> f64 {
        self.each(self.server)
    }

    /// CPU microseconds of Redis for each that was answered.
    pub fn redis_each(&self) -> f64 {
        self.each(self.redis)
    }

    /// The same of both.
    pub fn both_each(&self) -> f64 {
        self.each(self.server + self.redis)
    }
}

/// CPU microseconds so far.
struct Cpu {
    server: f64,
    redis: f64,
    driver: f64,
}

/// Whose CPU is read.
struct Meters<'a> {
    server: &'a Process,
    redis: Option<&'a RedisServer>,
}

impl Meters<'_> {
    fn read(&self) -> Outcome<Cpu> {
        let redis = self.redis.map_or(Ok(0.0), |redis| redis.process().cpu_micros())?;
        Ok(Cpu { server: self.server.cpu_micros()?, redis, driver: support::own_cpu_micros()? })
    }

    async fn run(&self, crowd: &mut Crowd, ask: Ask, pace: Pace, span: Duration) -> Ran {
        let tally = Tally::new()?;
        let plan = Plan { ask, pace, span: WARM_UP + span };
        let run = async { Ok(crowd.run(plan, &tally).await.map(|()| Lost::default())?) };
        self.watch(run, &tally, span).await
    }

    async fn run_on(&self, crowd: &mut Crowd, pace: Pace, span: Duration) -> Ran {
        let tally = Tally::new()?;
        let plan = Plan { ask: Ask::Input, pace, span: WARM_UP + span };
        let run = async { Ok(crowd.run_on(plan, &tally, DRAINING).await?) };
        self.watch(run, &tally, span).await
    }

    /// Reads before and after what counts of a run.
    async fn watch(
        &self,
        run: impl Future<Output = Outcome<Lost>>,
        tally: &Tally,
        span: Duration,
    ) -> Ran {
        let watch = async {
            sleep(WARM_UP).await;
            tally.restart();
            let before = self.read()?;
            sleep(span).await;
            Ok((tally.report(), before, self.read()?, self.server.resident()?))
        };
        let (lost, (report, before, after, resident)) = try_join(run, watch).await?;
        let driver = (after.driver - before.driver) / 1e6 / report.span.as_secs_f64();
        let (server, redis) = (after.server - before.server, after.redis - before.redis);
        Ok(Measured { report, server, redis, driver, resident, lost })
    }
}

/// The middle of several rounds.
pub fn middle(rounds: &[f64]) -> f64 {
    support::median(rounds)
}
