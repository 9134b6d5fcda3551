//! Durable commands a second on Redis, against what the same Redis does for `redis-benchmark`.
//!
//! Rounds alternate on one server: pipelined XADD by `redis-benchmark`, appends through the store
//! alone, commands through the whole runtime with one command a record, and with several. After
//! that: what a command costs Redis in CPU, and what an actor costs it in memory. Needs
//! `redis-server` and `redis-benchmark` in the PATH.
//! Run it with `cargo bench -p holdfast --bench redis`.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::collections::VecDeque;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use holdfast::actor::activity::Activities;
use holdfast::actor::contract::{Actor, Ctx, Decision, Message, Origin, Reject, Reply, View};
use holdfast::actor::envelope::{Call, Nearby};
use holdfast::actor::handle::{Config, Parts, Runtime};
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::clock::{Clock, instant};
use holdfast::store::durability::Durability;
use holdfast::store::redis::{Options, Redis};
use holdfast::store::{Append, Claim, Claimed, Epoch, History, Seq, Store};
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use support::{Outcome, Process, median, verdict};
use tempfile::TempDir;

const ACTORS: usize = 10_000;
const RECORD_LEN: usize = 100;
const ROUNDS: usize = 5;
/// Appends of a round; for the runtime, commands.
const PER_ROUND: usize = 100_000;
/// Appends of a group, and groups in flight.
const GROUP: usize = 1_024;
const IN_FLIGHT: usize = 4;
/// Commands that wait at an actor at a time, where they are batched.
const BATCH: usize = 16;
const GOAL_SINGLE: f64 = 0.9;
const GOAL_BATCHED: f64 = 3.0;

fn main() -> Outcome<()> {
    support::print_machine()?;
    tokio::runtime::Runtime::new()?.block_on(compare())
}

/// A Redis of its own with the documented size of a stream's blocks.
struct Server {
    _process: Process,
    port: u16,
    _dir: TempDir,
}

impl Server {
    fn start() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        command.args(["--stream-node-max-bytes", "1024"]).arg("--dir").arg(dir.path());
        let ready = |line: &str| line.contains("Ready to accept connections").then_some(());
        let (process, ()) = Process::start(&mut command, ready)?;
        Ok(Self { _process: process, port, _dir: dir })
    }

    async fn ask(&self, words: &[&str]) -> Outcome<redis::Value> {
        let client = redis::Client::open(("127.0.0.1", self.port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let Some((name, args)) = words.split_first() else { return Err("no command".into()) };
        let mut command = redis::cmd(name);
        command.arg(args);
        Ok(command.query_async(&mut connection).await?)
    }

    /// A number of INFO.
    async fn info(&self, field: &str) -> Outcome<f64> {
        let redis::Value::BulkString(text) = self.ask(&["INFO", "everything"]).await? else {
            return Err("INFO gave no text".into());
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(line.ok_or_else(|| format!("no {field} in INFO"))?.trim().parse()?)
    }

    /// CPU seconds that Redis has used.
    async fn cpu(&self) -> Outcome<f64> {
        Ok(self.info("used_cpu_user").await? + self.info("used_cpu_sys").await?)
    }

    /// XADD a second by redis-benchmark: four connections, pipelines of 512, records as large.
    fn benchmark(&self) -> Outcome<f64> {
        let count = (PER_ROUND * 2).to_string();
        let record = "x".repeat(RECORD_LEN);
        let output = Command::new("redis-benchmark")
            .args(["-p", &self.port.to_string(), "-n", &count, "-c", "4", "-P", "512"])
            .args(["-r", &ACTORS.to_string(), "--csv"])
            .args(["XADD", "bench:__rand_int__", "*", "d", &record, "a", "12345678"])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let row = text.lines().find(|line| line.contains("XADD")).ok_or("no row of XADD")?;
        // The command is the first column and holds no comma.
        let pace = row.rsplit("\",\"").nth(6).ok_or("no pace in the row")?;
        Ok(pace.parse()?)
    }
}

#[derive(Debug)]
struct Nobody;

impl Nearby for Nobody {
    fn view(&self, _: &ActorId, _: u64, _: u64, _: Option<View>) {}
    fn broadcast(&self, _: &ActorId, _: &Arc<str>, _: Bytes) {}
}

/// An actor that counts; each command leaves a record of about the size of a game's.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted(u64);

impl Actor for Counter {
    type Event = Counted;
    type Settings = ();

    fn new(_: &ActorId) -> Self {
        Self::default()
    }

    fn decide(&self, _: &Ctx<'_, ()>, _: &Message<'_>) -> Result<Decision<Counted>, Reject> {
        let reply = Reply::Now(Bytes::from_static(b"{}"));
        Ok(Decision { events: vec![Counted(1)], reply, ..Decision::default() })
    }

    fn apply(&mut self, event: &Counted) {
        self.count += event.0;
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(Bytes::from_static(b"{}"))
    }

    fn view(&self) -> Option<View> {
        None
    }
}

fn actor(kind: &str, nth: usize) -> Outcome<ActorId> {
    Ok(ActorId::new(kind, &(nth % ACTORS).to_string())?)
}

type Answers = BoxFuture<'static, Vec<Result<(), holdfast::store::Error>>>;

/// The store alone, driven as the runtime does: groups, a few in flight.
struct Bare {
    store: Redis,
    actors: Vec<(ActorId, Epoch, History)>,
    written: usize,
}

impl Bare {
    async fn open(store: Redis) -> Outcome<Self> {
        let mut actors = Vec::with_capacity(ACTORS);
        for nth in 0..ACTORS {
            let actor = actor("bare", nth)?;
            let claim = Claim { actor: actor.clone(), session: 1, creates: true, replaces: None };
            let Claimed::Granted { epoch, history, .. } = store.claim(claim).await? else {
                return Err("a new actor was not granted".into());
            };
            actors.push((actor, epoch, history));
        }
        Ok(Self { store, actors, written: 0 })
    }

    fn group(&mut self) -> Vec<Append> {
        let record = Bytes::from(vec![0x5A; RECORD_LEN]);
        let append = |nth: usize| {
            let (actor, epoch, history) = self.actors.get(nth % ACTORS)?.clone();
            let seq = Seq::try_from(nth / ACTORS + 1).ok()?;
            let append_id = u64::try_from(nth).ok()?;
            let record = record.clone();
            Some(Append { actor, epoch, seq, append_id, history, record, due_ms: None })
        };
        let group = (self.written..self.written + GROUP).filter_map(append).collect();
        self.written += GROUP;
        group
    }

    async fn round(&mut self) -> Outcome<f64> {
        let began = instant();
        let mut waiting: VecDeque<Answers> = VecDeque::new();
        let groups = PER_ROUND / GROUP;
        for _ in 0..groups {
            if waiting.len() == IN_FLIGHT {
                check(waiting.pop_front()).await?;
            }
            let group = self.group();
            waiting.push_back(self.store.append(group));
        }
        while !waiting.is_empty() {
            check(waiting.pop_front()).await?;
        }
        Ok(pace(groups * GROUP, began.elapsed()))
    }
}

async fn check(answers: Option<Answers>) -> Outcome<()> {
    let Some(answers) = answers else { return Ok(()) };
    Ok(answers.await.into_iter().collect::<Result<(), _>>()?)
}

fn pace(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// Commands through the runtime: every actor has `waiting` of them at a time.
async fn commands(runtime: &Runtime, waiting: usize) -> Outcome<f64> {
    let began = instant();
    let mut done = 0;
    let crowd = 2_048 / waiting;
    let mut lines = Vec::new();
    for line in 0..crowd {
        let runtime = runtime.clone();
        let turns = PER_ROUND / crowd / waiting;
        done += turns * waiting;
        lines.push(tokio::spawn(async move {
            for turn in 0..turns {
                let Ok(actor) = actor("counter", line + turn * crowd) else { return false };
                let call = || {
                    let origin = Origin::Service;
                    let payload = Bytes::from_static(&[0x5A; RECORD_LEN]);
                    runtime.call(&actor, Call { origin, key: None, payload, creates: true })
                };
                if join_all((0..waiting).map(|_| call())).await.iter().any(Result::is_err) {
                    return false;
                }
            }
            true
        }));
    }
    for line in lines {
        if !line.await? {
            return Err("a command was refused".into());
        }
    }
    Ok(pace(done, began.elapsed()))
}

async fn compare() -> Outcome<()> {
    let server = Server::start()?;
    let address = format!("redis://127.0.0.1:{}", server.port).parse()?;
    let options = Options { address, namespace: "hf".into(), level: Durability::Stored };
    let clock = Clock::system();
    let store = Redis::open(&options, clock.clone()).await?;
    let mut bare = Bare::open(store.clone()).await?;
    let kinds = Kinds::default().with("counter", Kind::of::<Counter>(Arc::new(())));
    let parts = Parts {
        store: Arc::new(store),
        kinds,
        activities: Activities::default(),
        nearby: Arc::new(Nobody),
        clock,
        fleet: None,
    };
    let runtime = Runtime::start(&Config::default(), parts);
    let before = server.info("used_memory").await?;
    commands(&runtime, 1).await?;
    let bytes = (server.info("used_memory").await? - before) / 1e4;
    println!("{ACTORS} actors that did ten commands each: {bytes:.0} bytes of Redis an actor");

    let mut ratios: [Vec<f64>; 3] = Default::default();
    let mut costs = Vec::new();
    println!(" round  redis-benchmark      store    runtime   batched   appends/s, commands/s");
    for round in 1..=ROUNDS {
        let limit = server.benchmark()?;
        let stored = bare.round().await?;
        let cpu = server.cpu().await?;
        let single = commands(&runtime, 1).await?;
        costs.push((server.cpu().await? - cpu) * 1e6 / 1e5);
        let batched = commands(&runtime, BATCH).await?;
        println!("{round:>6} {limit:>16.0} {stored:>10.0} {single:>10.0} {batched:>9.0}");
        for (all, pace) in ratios.iter_mut().zip([stored, single, batched]) {
            all.push(pace / limit);
        }
    }
    support::print_load("at the end");
    println!("\n| what | share of redis-benchmark | goal | |\n|---|---|---|---|");
    let goals = [
        ("appends through the store alone", GOAL_SINGLE),
        ("commands through the runtime, one a record", GOAL_SINGLE),
        ("commands through the runtime, batched", GOAL_BATCHED),
    ];
    for ((what, goal), ratios) in goals.into_iter().zip(&ratios) {
        let ratio = median(ratios);
        println!("| {what} | {ratio:.2} | at least {goal} | {} |", verdict(ratio >= goal));
    }
    println!("\nRedis CPU a command, one a record: {:.1} µs", median(&costs));
    runtime.drain().await;
    Ok(())
}
