//! Finding sessions among 100,000, on each store: how long the first page of a selective query
//! takes, how soon a change is found, whether a damaged index is rebuilt equal, and what the index
//! costs the journal.
//!
//! - Sessions are made by commands through the runtime, so that the index has filled itself.
//! - A change is found when a search shows it. Each player does two things at once: the second one
//!   falls into the second that the index coalesces, which is the longest that anything waits.
//! - Commands with the index and without alternate on one store, by 2,048 who ask, one command a
//!   record, among 10,000 players each; every command changes three attributes.
//!
//! Needs `redis-server` in the PATH. Run it with `cargo bench -p holdfast --bench search`.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use holdfast::actor::activity::Activities;
use holdfast::actor::contract::{
    Actor, Attributes, Builtin, Ctx, Decision, Message, Origin, Reject, Reply, View,
};
use holdfast::actor::envelope::{Call, CallError, Nearby};
use holdfast::actor::handle::{Config, Parts, Runtime};
use holdfast::actor::index::Index;
use holdfast::actor::index::audit::Audit;
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::clock::{Clock, instant};
use holdfast::search::parse;
use holdfast::store::Store;
use holdfast::store::attributes::{Found, Search, Want};
use holdfast::store::embedded::Embedded;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use support::redis::RedisServer;
use support::{Outcome, median, quantile, verdict};
use tokio::sync::watch;

const SESSIONS: u64 = 100_000;
/// Players of one room.
const ROOM_LEN: u64 = 20;
const LEVELS: u64 = 500;
/// Samples of each query.
const SAMPLES: u64 = 100;
const PAGE_LEN: usize = 100;
/// Changes that are waited for, at a time.
const CHANGES: u64 = 100;
/// Rows that are taken away before the rebuild.
const DAMAGED: usize = 1_000;
/// Those who ask, among whom, for how long, how often.
const LINES: u64 = 2_048;
const BUSY: u64 = 10_000;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 21;
const GOAL_PAGE_MS: f64 = 50.0;
const GOAL_VISIBLE_MS: f64 = 1_500.0;
const GOAL_SHARE: f64 = 0.95;
/// A moment from which sessions began a second apart, in Unix milliseconds.
const SINCE_MS: u64 = 1_700_000_000_000;

fn main() -> Outcome<()> {
    support::print_machine()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let clock = Clock::system();
        let dir = tempfile::tempdir()?;
        let embedded = Arc::new(Embedded::open(&dir.path().join("store"), clock.clone())?);
        examine("embedded", embedded, &clock).await?;
        let server = RedisServer::start()?;
        let redis = Arc::new(server.store(&clock).await?);
        examine("Redis", redis, &clock).await
    })
}

/// A session that does nothing but change.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Walker {
    nth: u64,
    steps: u64,
    acted_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stepped {
    at_ms: u64,
}

impl Actor for Walker {
    type Event = Stepped;
    type Settings = ();

    fn new(id: &ActorId) -> Self {
        let nth = id.key().get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Self { nth, ..Self::default() }
    }

    fn decide(&self, ctx: &Ctx<'_, ()>, _: &Message<'_>) -> Result<Decision<Stepped>, Reject> {
        Ok(Decision {
            events: vec![Stepped { at_ms: ctx.now_ms }],
            reply: Reply::Now(Bytes::from_static(b"{}")),
            ..Decision::default()
        })
    }

    fn apply(&mut self, event: &Stepped) {
        (self.steps, self.acted_ms) = (self.steps + 1, event.at_ms);
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(Bytes::from_static(b"{}"))
    }

    fn attributes(&self) -> Option<Attributes> {
        let Self { nth, steps, acted_ms } = self;
        let away = nth % 3 == 0;
        let status = if away { "offline" } else { "in_room" };
        let mut builtin = vec![
            (Builtin::DisplayName, format!("Walker {nth}").as_str().into()),
            (Builtin::PlayerStatus, status.into()),
            (Builtin::PlayerLevel, (nth % LEVELS).into()),
            (Builtin::Score, (nth * 1_000 + steps).into()),
            (Builtin::Gold, (nth % 10_007).into()),
            (Builtin::StartTime, (SINCE_MS + nth * 1_000).into()),
            (Builtin::LastCommandTime, (*acted_ms).into()),
            (Builtin::TotalActions, (*steps).into()),
        ];
        if !away {
            let room = format!("room-{}", nth / ROOM_LEN);
            builtin.push((Builtin::CurrentRoom, room.as_str().into()));
        }
        Some(Attributes { builtin, declared: Vec::new() })
    }
}

#[derive(Debug)]
struct Nobody;

impl Nearby for Nobody {
    fn view(&self, _: &ActorId, _: u64, _: u64, _: Option<View>) {}
    fn broadcast(&self, _: &ActorId, _: &Arc<str>, _: Bytes) {}
}

fn player(letter: char, nth: u64) -> Outcome<ActorId> {
    Ok(ActorId::new("player", &format!("{letter}{nth}"))?)
}

fn kind() -> Kind {
    Kind::of::<Walker>(Arc::new(()))
}

fn start(store: &Arc<dyn Store>, clock: &Clock, index: Option<Index>) -> Runtime {
    let parts = Parts {
        store: Arc::clone(store),
        kinds: Kinds::default().with("player", kind()),
        activities: Activities::default(),
        nearby: Arc::new(Nobody),
        clock: clock.clone(),
        fleet: None,
        index,
    };
    // No actor leaves memory in the middle of a round.
    Runtime::start(&Config { idle_ms: u64::MAX, ..Config::default() }, parts)
}

async fn act(runtime: &Runtime, actor: &ActorId) -> Result<(), CallError> {
    let (origin, payload) = (Origin::Service, Bytes::from_static(&[0x5A; 64]));
    runtime
        .call(actor, Call { origin, key: None, payload, creates: true, signal: false })
        .await
        .map(drop)
}

/// One store and its index.
struct World {
    name: &'static str,
    store: Arc<dyn Store>,
    clock: Clock,
    index: Index,
    runtime: Runtime,
}

async fn examine(name: &'static str, store: Arc<dyn Store>, clock: &Clock) -> Outcome<()> {
    println!("\n## {name}\n");
    let index = Index { registry: Arc::default(), node: "gw-1".into() };
    let runtime = start(&store, clock, Some(index.clone()));
    let world = World { name, store, clock: clock.clone(), index, runtime };
    world.fill().await?;
    let pages = world.pages().await?;
    let visible = world.visible().await?;
    let equal = world.rebuild().await?;
    let shares = world.cost().await?;
    support::print_load("at the end");
    world.report(&pages, &visible, equal, &shares);
    world.runtime.drain().await;
    world.store.close().await?;
    Ok(())
}

impl World {
    /// Makes the sessions, and waits until all of them are found.
    async fn fill(&self) -> Outcome<()> {
        let began = instant();
        let lines = (0..LINES).map(|line| async move {
            for nth in (line..SESSIONS).step_by(usize::try_from(LINES)?) {
                act(&self.runtime, &player('p', nth)?).await?;
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        });
        for line in join_all(lines).await {
            line?;
        }
        let made = began.elapsed();
        while self.runtime.stats().rows_waiting.get() > 0 {
            self.clock.sleep_ms(10).await;
        }
        let found = began.elapsed();
        let rows = self.runtime.stats().rows_written.get();
        println!(
            "{SESSIONS} sessions made in {made:.1?}, all found after {found:.1?} ({rows} rows)"
        );
        Ok(())
    }

    async fn search(&self, text: &str) -> Outcome<(f64, BTreeSet<String>)> {
        let registry = Arc::clone(&self.index.registry);
        let query = parse(&registry, text).map_err(|mistake| mistake.render(text))?;
        let (query, now_ms) = (Arc::new(query), self.store.now_ms());
        let want = Want::Page { after: None, limit: PAGE_LEN };
        let began = instant();
        let found = self.store.search(Search { registry, query, now_ms, want }).await?;
        let took = support::micros(began.elapsed()) / 1e3;
        let Found::Page { rows, .. } = found else { return Err("no page".into()) };
        Ok((took, rows.iter().map(|row| row.player().to_string()).collect()))
    }

    /// Milliseconds of first pages, by query.
    async fn pages(&self) -> Outcome<Vec<(&'static str, Vec<f64>)>> {
        let rooms = SESSIONS / ROOM_LEN;
        let now_ms = self.store.now_ms();
        let ages = |n: u64| (now_ms - SINCE_MS - n * 1_000) / 1_000;
        let query = |which: usize, n: u64| match which {
            0 => format!(
                "PlayerStatus = \"in_room\" AND CurrentRoom = \"room-{}\"",
                n * 7_919 % rooms
            ),
            1 => format!("PlayerLevel = {} ORDER BY Score DESC", n * 31 % LEVELS),
            2 => format!("Score BETWEEN {} AND {}", n * 400_000, n * 400_000 + 60_000),
            3 => format!("SessionDuration > {}s AND Gold < 5000", ages(n + 200)),
            _ => format!("PlayerId = \"p{}\"", n * 997 % SESSIONS),
        };
        let names = [
            "PlayerStatus = and CurrentRoom =, 14 of 100,000",
            "PlayerLevel = ORDER BY Score DESC, 200 of 100,000",
            "Score BETWEEN, 60 of 100,000",
            "SessionDuration > and Gold <, 200 to 300 of 100,000",
            "PlayerId =",
        ];
        let mut pages = Vec::new();
        for (which, name) in names.into_iter().enumerate() {
            let mut samples = Vec::new();
            for n in 0..SAMPLES {
                let (took, found) = self.search(&query(which, n)).await?;
                if found.is_empty() {
                    return Err(format!("{} finds nothing", query(which, n)).into());
                }
                samples.push(took);
            }
            pages.push((name, samples));
        }
        let (all, _) = self.search("ORDER BY Gold DESC").await?;
        println!("a query that every session answers, ordered: {all:.0} ms");
        Ok(pages)
    }

    /// Milliseconds until what a player did twice at once is found.
    async fn visible(&self) -> Outcome<Vec<f64>> {
        let changes = (0..CHANGES).map(|n| async move {
            let nth = n * 613 % SESSIONS;
            let actor = player('p', nth)?;
            act(&self.runtime, &actor).await?;
            act(&self.runtime, &actor).await?;
            let began = instant();
            let query = format!("PlayerId = \"p{nth}\" AND Score = {}", nth * 1_000 + 3);
            while self.search(&query).await?.1.is_empty() {
                self.clock.sleep_ms(5).await;
            }
            Ok::<_, Box<dyn std::error::Error>>(support::micros(began.elapsed()) / 1e3)
        });
        join_all(changes).await.into_iter().collect()
    }

    /// Takes rows away, and has the index rebuilt. Returns whether it is equal then.
    async fn rebuild(&self) -> Outcome<bool> {
        let registry = &self.index.registry;
        let mut doomed = Vec::new();
        for partition in 0..self.store.partitions() {
            let rows = self.store.rows(registry, partition, None, 10).await?;
            doomed.extend(rows.into_iter().map(|row| (row.row.player().clone(), row.at)));
        }
        doomed.truncate(DAMAGED);
        let taken = doomed.len();
        self.store.drop_rows(registry, doomed).await?;
        let audit = Audit {
            index: self.index.clone(),
            store: Arc::clone(&self.store),
            kind: kind(),
            fleet: None,
            clock: self.clock.clone(),
        };
        let (progress, _) = watch::channel(Default::default());
        let began = instant();
        let found = audit.run(true, u64::from(u32::MAX), &progress).await?;
        let mended = began.elapsed();
        let left = audit.run(false, u64::from(u32::MAX), &progress).await?;
        println!("{taken} rows taken away; rebuilt in {mended:.1?}: {found:?}");
        println!("looked at once more: {left:?}");
        Ok(left.is_equal() && found.missing == taken as u64)
    }

    /// Commands a second with the index, as shares of those without it.
    async fn cost(&self) -> Outcome<Vec<f64>> {
        let without = start(&self.store, &self.clock, None);
        for (runtime, letter) in [(&self.runtime, 'p'), (&without, 'q')] {
            round(runtime, letter).await?;
        }
        let mut shares = Vec::new();
        println!("\nround   with index   without   commands/s   rows/s");
        for nth in 1..=ROUNDS {
            let rows = self.runtime.stats().rows_written.get();
            let with = round(&self.runtime, 'p').await?;
            let rows = (self.runtime.stats().rows_written.get() - rows) as f64;
            let bare = round(&without, 'q').await?;
            let rows = rows / ROUND.as_secs_f64();
            println!("{nth:>5} {with:>12.0} {bare:>9.0} {:>12} {rows:>8.0}", "");
            shares.push(with / bare);
        }
        without.drain().await;
        Ok(shares)
    }

    fn report(&self, pages: &[(&str, Vec<f64>)], visible: &[f64], equal: bool, shares: &[f64]) {
        println!("\n| {} | measured | goal | |\n|---|---|---|---|", self.name);
        for (name, samples) in pages {
            let (middle, last) = (median(samples), quantile(samples, 0.99));
            let met = verdict(last <= GOAL_PAGE_MS);
            println!(
                "| first page of {name} | {middle:.2} ms, 99 % {last:.2} ms | at most \
                 {GOAL_PAGE_MS} ms | {met} |"
            );
        }
        let (middle, last) = (median(visible), quantile(visible, 1.0));
        let met = verdict(last <= GOAL_VISIBLE_MS);
        println!(
            "| a change is found after | {middle:.0} ms, at most {last:.0} ms | at most \
             {GOAL_VISIBLE_MS} ms | {met} |"
        );
        println!("| rebuilt equal | {equal} | true | {} |", verdict(equal));
        let (share, least, most) = (median(shares), quantile(shares, 0.0), quantile(shares, 1.0));
        let met = verdict(share >= GOAL_SHARE);
        println!(
            "| durable commands with the index | {share:.3} of those without ({least:.3} to \
             {most:.3}) | at least {GOAL_SHARE} | {met} |"
        );
    }
}

/// Everyone acts again and again for a while; commands a second.
async fn round(runtime: &Runtime, letter: char) -> Outcome<f64> {
    let began = instant();
    let mut lines = Vec::new();
    for line in 0..LINES {
        let runtime = runtime.clone();
        let actors = (line..BUSY).step_by(usize::try_from(LINES)?).map(|nth| player(letter, nth));
        let actors = actors.collect::<Outcome<Vec<_>>>()?;
        lines.push(tokio::spawn(async move {
            let mut done = 0_u32;
            for actor in actors.iter().cycle() {
                if began.elapsed() >= ROUND {
                    break;
                }
                act(&runtime, actor).await?;
                done += 1;
            }
            Ok::<_, CallError>(done)
        }));
    }
    let mut done = 0.0;
    for line in lines {
        done += f64::from(line.await??);
    }
    Ok(done / began.elapsed().as_secs_f64())
}
