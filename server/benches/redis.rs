//! Durable commands a second on Redis, against what the same Redis does for `redis-benchmark`.
//!
//! Rounds alternate on one server: pipelined XADD by `redis-benchmark`, appends through the store
//! alone, commands through the whole runtime with one command a record, and with several.
//!
//! - Like for like: `redis-benchmark` writes entries as long as the runtime's records, under keys
//!   as long, over as many streams. It writes no index, takes no snapshot, and nothing waits for
//!   an answer of its own.
//! - The runtime's commands do all that: every fifth brings an earlier obligation (`ZADD LT`),
//!   and every 128th record a snapshot and a trim. The actors begin at different counts, so that
//!   snapshots spread over the rounds.
//! - Who asks is in the runtime's process: its share of the two cores is the runtime's loss, as
//!   `redis-benchmark`'s is Redis's.
//!
//! Before the rounds: what an actor costs Redis in memory. With each: what a command costs in CPU.
//! Needs `redis-server` and `redis-benchmark` in the PATH.
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
use holdfast::actor::contract::{
    Actor, Ctx, Decision, Message, Origin, Reject, Reply, TimerChange, View,
};
use holdfast::actor::envelope::{Call, CallError, Nearby};
use holdfast::actor::handle::{Config, Parts, Runtime};
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::clock::{Clock, instant};
use holdfast::store::redis::Redis;
use holdfast::store::redis::keys::Keys;
use holdfast::store::{Append, Claim, Claimed, Epoch, History, Seq, Store};
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use support::redis::{RedisServer, Work};
use support::{Outcome, median, quantile, verdict};

const ACTORS: usize = 10_000;
const ROUNDS: usize = 5;
/// Appends of a round; for the runtime, commands.
const PER_ROUND: usize = 100_000;
/// Appends of a group, and groups in flight.
const GROUP: usize = 1_024;
const IN_FLIGHT: usize = 4;
/// Neighbours in a group are this far apart, as those of `redis-benchmark` are anywhere.
const STRIDE: usize = 7_919;
/// Those who ask at a time, and the commands of each, where they are batched.
const LINES: usize = 2_048;
const LINES_BATCHED: usize = 512;
const BATCH: usize = 16;
/// Records after which a snapshot is due, as by default.
const SNAPSHOT_RECORDS: usize = 128;
/// One record of so many brings an earlier obligation.
const INDEXED_EVERY: u64 = 5;
/// Bytes that an event carries to make records as long as a game's.
const PADDING_LEN: usize = 46;
const GOAL_SINGLE: f64 = 0.9;
const GOAL_BATCHED: f64 = 3.0;

fn main() -> Outcome<()> {
    support::print_machine()?;
    tokio::runtime::Runtime::new()?.block_on(compare())
}

/// XADD a second by `redis-benchmark`: four connections, pipelines of 512, records as long.
fn benchmark(server: &RedisServer, record_len: usize) -> Outcome<f64> {
    let count = PER_ROUND.to_string();
    let record = "x".repeat(record_len);
    let output = Command::new("redis-benchmark")
        .args(["-p", &server.port().to_string(), "-n", &count, "-c", "4", "-P", "512"])
        .args(["-r", &ACTORS.to_string(), "--csv"])
        .args(["XADD", "hf:{p0421}:j:__rand_int__", "*"])
        .args(["d", &record, "a", "12345678901234567890"])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let row = text.lines().find(|line| line.contains("XADD")).ok_or("no row of XADD")?;
    // The command is the first of eight columns, the pace the second.
    let pace = row.rsplit("\",\"").nth(6).ok_or("no pace in the row")?;
    Ok(pace.parse()?)
}

#[derive(Debug)]
struct Nobody;

impl Nearby for Nobody {
    fn view(&self, _: &ActorId, _: u64, _: u64, _: Option<View>) {}
    fn broadcast(&self, _: &ActorId, _: &Arc<str>, _: Bytes) {}
}

/// An actor that counts; each command leaves a record as long as a game's.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted {
    by: u64,
    #[serde(with = "serde_bytes")]
    padding: Vec<u8>,
}

/// Beyond any run of this program, in Unix milliseconds.
const FAR_MS: u64 = 4_000_000_000_000;

impl Actor for Counter {
    type Event = Counted;
    type Settings = ();

    fn new(_: &ActorId) -> Self {
        Self::default()
    }

    fn decide(&self, _: &Ctx<'_, ()>, _: &Message<'_>) -> Result<Decision<Counted>, Reject> {
        let sooner = self.count.is_multiple_of(INDEXED_EVERY);
        let timer =
            sooner.then(|| TimerChange::Set { name: "t".into(), at_ms: FAR_MS - self.count });
        Ok(Decision {
            events: vec![Counted { by: 1, padding: vec![0x5A; PADDING_LEN] }],
            timers: timer.into_iter().collect(),
            reply: Reply::Now(Bytes::from_static(b"{}")),
            ..Decision::default()
        })
    }

    fn apply(&mut self, event: &Counted) {
        self.count += event.by;
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(Bytes::from_static(b"{}"))
    }

    fn view(&self) -> Option<View> {
        None
    }
}

fn actor(kind: &str, nth: usize) -> Outcome<ActorId> {
    Ok(ActorId::new(kind, &format!("{:012}", nth % ACTORS))?)
}

type Answers = BoxFuture<'static, Vec<Result<(), holdfast::store::Error>>>;

/// The store alone, driven as the runtime does: groups, a few in flight.
struct Bare {
    store: Redis,
    actors: Vec<(ActorId, Epoch, History)>,
    record: Bytes,
    written: usize,
}

impl Bare {
    async fn open(store: Redis, record_len: usize) -> Outcome<Self> {
        let mut actors = Vec::with_capacity(ACTORS);
        for nth in 0..ACTORS {
            let actor = actor("bare", nth)?;
            let claim = Claim { actor: actor.clone(), session: 1, creates: true, replaces: None };
            let Claimed::Granted { epoch, history, .. } = store.claim(claim).await? else {
                return Err("a new actor was not granted".into());
            };
            actors.push((actor, epoch, history));
        }
        Ok(Self { store, actors, record: Bytes::from(vec![0x5A; record_len]), written: 0 })
    }

    fn group(&mut self) -> Vec<Append> {
        let append = |nth: usize| {
            let (actor, epoch, history) = self.actors.get(nth * STRIDE % ACTORS)?.clone();
            let seq = Seq::try_from(nth / ACTORS + 1).ok()?;
            let append_id = u64::MAX - u64::try_from(nth).ok()?;
            let record = self.record.clone();
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

#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
fn pace(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Whom each of those who ask goes to, in order, again and again. No actor is in two lists.
type Lists = Vec<Vec<ActorId>>;

fn lists(lines: usize, times: impl Fn(usize) -> usize) -> Outcome<Lists> {
    let list = |line| -> Outcome<Vec<ActorId>> {
        let mut list = Vec::new();
        for nth in (line..ACTORS).step_by(lines) {
            list.extend(std::iter::repeat_n(actor("counter", nth)?, times(nth)));
        }
        Ok(list)
    };
    (0..lines).map(list).collect()
}

/// Sends an actor so many commands at a time and waits for all answers.
async fn ask(runtime: &Runtime, actor: &ActorId, waiting: usize) -> Result<(), CallError> {
    let call = || {
        let (origin, payload) = (Origin::Service, Bytes::from_static(&[0x5A; 64]));
        runtime.call(actor, Call { origin, key: None, payload, creates: true, signal: false })
    };
    match waiting {
        1 => call().await.map(drop),
        _ => join_all((0..waiting).map(|_| call())).await.into_iter().try_for_each(|a| a.map(drop)),
    }
}

/// Everyone takes so many turns of so many commands at a time; commands a second.
async fn commands(
    runtime: &Runtime,
    lists: &Lists,
    turns: impl Fn(&[ActorId]) -> usize,
    waiting: usize,
) -> Outcome<f64> {
    let began = instant();
    let mut done = 0;
    let mut lines = Vec::new();
    for list in lists {
        let (runtime, list, turns) = (runtime.clone(), list.clone(), turns(list));
        done += turns * waiting;
        lines.push(tokio::spawn(async move {
            for actor in list.iter().cycle().take(turns) {
                ask(&runtime, actor, waiting).await?;
            }
            Ok::<_, CallError>(())
        }));
    }
    for line in lines {
        line.await??;
    }
    Ok(pace(done, began.elapsed()))
}

fn start(store: Redis, clock: Clock) -> Runtime {
    let parts = Parts {
        store: Arc::new(store),
        kinds: Kinds::default().with("counter", Kind::of::<Counter>(Arc::new(()))),
        activities: Activities::default(),
        nearby: Arc::new(Nobody),
        clock,
        fleet: None,
        index: None,
    };
    // No actor leaves memory in the middle of a round.
    Runtime::start(&Config { idle_ms: u64::MAX, ..Config::default() }, parts)
}

/// Says what an actor costs Redis in memory, as it grows older; returns a record's length.
async fn footprint(server: &RedisServer, runtime: &Runtime) -> Outcome<usize> {
    let empty = server.memory().await?;
    let all = |times: usize| lists(LINES, move |_| times);
    let say = async |what: &str| -> Outcome<()> {
        let bytes = (server.memory().await? - empty) / 1e4;
        println!("bytes of Redis an actor, {what}: {bytes:.0}");
        Ok(())
    };
    commands(runtime, &all(1)?, <[_]>::len, 1).await?;
    say("after 1 record").await?;
    commands(runtime, &all(9)?, <[_]>::len, 1).await?;
    say("after 10 records").await?;
    // From here on, snapshots are due at one actor after the other.
    let spread = lists(LINES, |nth| nth % SNAPSHOT_RECORDS)?;
    commands(runtime, &spread, <[_]>::len, 1).await?;
    say("after 10 to 137 records").await?;
    let journal = Keys::new("hf").journal(&actor("counter", 0)?);
    let words = ["XREVRANGE", &journal, "+", "-", "COUNT", "1"];
    record_len(server.ask(&words).await?)
}

/// The length of the record in the one entry that was read.
fn record_len(value: redis::Value) -> Outcome<usize> {
    let entries: Vec<(String, Vec<Vec<u8>>)> = redis::from_redis_value(value)?;
    let (_, fields) = entries.into_iter().next().ok_or("the journal is empty")?;
    Ok(fields.get(1).ok_or("the entry has no record")?.len())
}

/// What the rounds have found.
#[derive(Default)]
struct Found {
    /// Shares of `redis-benchmark`: the store alone, one a record, batched.
    shares: [Vec<f64>; 3],
    /// Redis CPU microseconds: an XADD of `redis-benchmark`, of the store, a command, batched.
    costs: [Vec<f64>; 4],
    /// The runtime's, with who asks: a command, batched.
    own_costs: [Vec<f64>; 2],
    commands_a_record: Vec<f64>,
    /// Records a group, as workers hand them to the store: one a record, batched.
    groups: [Vec<f64>; 2],
}

/// Work of Redis and CPU microseconds of this process since `before`, a command.
async fn cost(server: &RedisServer, before: &(Work, f64), count: f64) -> Outcome<(f64, f64)> {
    let redis = server.work().await?.cpu_micros_since(&before.0);
    Ok((redis / count, (support::own_cpu_micros()? - before.1) / count))
}

async fn now(server: &RedisServer) -> Outcome<(Work, f64)> {
    Ok((server.work().await?, support::own_cpu_micros()?))
}

/// Records so far, and the groups that they went in.
#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
fn groups(runtime: &Runtime) -> (f64, f64) {
    let stats = runtime.stats();
    (stats.appends.get() as f64, stats.batches.get() as f64)
}

async fn round(
    server: &RedisServer,
    bare: &mut Bare,
    runtime: &Runtime,
    (record_len, one, many): (usize, &Lists, &Lists),
    found: &mut Found,
) -> Outcome<[f64; 4]> {
    let count = pace(PER_ROUND, Duration::from_secs(1));
    let mut costs = [(0.0, 0.0); 4];
    let before = now(server).await?;
    let limit = benchmark(server, record_len)?;
    costs[0] = cost(server, &before, count).await?;
    let before = now(server).await?;
    let stored = bare.round().await?;
    costs[1] = cost(server, &before, count).await?;
    let before = now(server).await?;
    let grouped = groups(runtime);
    let single = commands(runtime, one, |_| PER_ROUND / LINES, 1).await?;
    costs[2] = cost(server, &before, count).await?;
    let [grouped, regrouped] = [grouped, groups(runtime)];
    found.groups[0].push((regrouped.0 - grouped.0) / (regrouped.1 - grouped.1));
    let before = now(server).await?;
    let batched = commands(runtime, many, |_| PER_ROUND / LINES_BATCHED / BATCH, BATCH).await?;
    costs[3] = cost(server, &before, count).await?;
    let grouped = groups(runtime);
    found.groups[1].push((grouped.0 - regrouped.0) / (grouped.1 - regrouped.1));
    let records = server.work().await?.since(&before.0, "xadd").calls;
    found.commands_a_record.push(count / records);
    for (all, pace) in found.shares.iter_mut().zip([stored, single, batched]) {
        all.push(pace / limit);
    }
    for (all, (redis, _)) in found.costs.iter_mut().zip(costs) {
        all.push(redis);
    }
    for (all, (_, own)) in found.own_costs.iter_mut().zip([costs[2], costs[3]]) {
        all.push(own);
    }
    Ok([limit, stored, single, batched])
}

async fn compare() -> Outcome<()> {
    let server = RedisServer::start()?;
    let clock = Clock::system();
    let store = server.store(&clock).await?;
    let runtime = start(store.clone(), clock);
    let record_len = footprint(&server, &runtime).await?;
    println!("a record is {record_len} bytes long");
    let mut bare = Bare::open(store, record_len).await?;
    let (one, many) = (lists(LINES, |_| 1)?, lists(LINES_BATCHED, |_| 1)?);
    let began = now(&server).await?;
    let mut found = Found::default();
    println!(" round  redis-benchmark      store    runtime   batched   appends/s, commands/s");
    for nth in 1..=ROUNDS {
        let lists = (record_len, &one, &many);
        let [limit, stored, single, batched] =
            round(&server, &mut bare, &runtime, lists, &mut found).await?;
        println!("{nth:>6} {limit:>16.0} {stored:>10.0} {single:>10.0} {batched:>9.0}");
    }
    support::print_load("at the end");
    report(&found);
    say_commands(&server.work().await?, &began.0);
    let full = server.memory().await?;
    runtime.drain().await;
    let freed = (full - server.memory().await?) / 1e4;
    println!("giving all actors up frees {freed:.0} bytes of Redis an actor");
    Ok(())
}

fn report(found: &Found) {
    println!("\n| what | share of redis-benchmark (least to most) | goal | |\n|---|---|---|---|");
    let goals = [
        ("appends through the store alone", GOAL_SINGLE),
        ("commands through the runtime, one a record", GOAL_SINGLE),
        ("commands through the runtime, batched", GOAL_BATCHED),
    ];
    for ((what, goal), shares) in goals.into_iter().zip(&found.shares) {
        let (share, least, most) = (median(shares), quantile(shares, 0.0), quantile(shares, 1.0));
        let met = verdict(share >= goal);
        println!("| {what} | {share:.2} ({least:.2} to {most:.2}) | at least {goal} | {met} |");
    }
    let [limit, stored, single, batched] = found.costs.each_ref().map(|costs| median(costs));
    let [own_single, own_batched] = found.own_costs.each_ref().map(|costs| median(costs));
    println!("\n| CPU microseconds | Redis | the runtime and who asks |\n|---|---|---|");
    println!("| an XADD of redis-benchmark | {limit:.2} | |");
    println!("| an append through the store alone | {stored:.2} | |");
    println!("| a command, one a record | {single:.2} | {own_single:.2} |");
    println!("| a command, batched | {batched:.2} | {own_batched:.2} |");
    let [group, group_batched] = found.groups.each_ref().map(|groups| median(groups));
    println!("\none a record: {group:.0} records a group");
    let batch = median(&found.commands_a_record);
    println!("batched: {batch:.1} commands a record, {group_batched:.0} records a group");
}

/// What Redis says of its commands over all rounds, `redis-benchmark`'s included. Its clock goes on
/// while other processes have the core, so this holds on a quiet machine only.
fn say_commands(after: &Work, before: &Work) {
    println!("\n| command | calls | µs a call by the clock, without socket and parsing |");
    println!("|---|---|---|");
    for name in after.commands.keys() {
        let spent = after.since(before, name);
        if spent.calls >= 1_000.0 {
            println!("| {name} | {:.0} | {:.2} |", spent.calls, spent.micros / spent.calls);
        }
    }
}
