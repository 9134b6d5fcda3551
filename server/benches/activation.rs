//! Time to bring a player of 1,000,000 commands back into memory, against one of 1,000.
//!
//! Both live in one embedded store of this process. A sample: each player does one command and
//! leaves memory; then each is asked for its state, which claims, loads and replays it. So the
//! samples walk through whole cycles of snapshots, and both players meet each length of tail.
//! Run it with `cargo bench -p holdfast --bench activation`.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::connection::Connection;
use holdfast::actor::contract::{Origin, View};
use holdfast::actor::envelope::{Attach, Call, Command, Delivery, Nearby};
use holdfast::actor::handle::{Config, Parts, Runtime};
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::clock::{Clock, instant};
use holdfast::game;
use holdfast::store::embedded::Embedded;
use holdfast::store::{Base, Store};
use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::edge::{Opening, Proof, Request};
use holdfast_protocol::ids::{ActorId, PlayerId};
use support::{Outcome, median, micros, quantile, verdict};

const YOUNG_COMMANDS: u64 = 1_000;
const OLD_COMMANDS: u64 = 1_000_000;
/// Commands under way at a time.
const WINDOW: u64 = 48;
/// Single commands before the samples, so that the journal holds no large records from the
/// windows: more than are retained.
const SINGLES: u64 = 300;
/// Whole cycles of 128 records.
const SAMPLES_PER_ROUND: usize = 128;
const ROUNDS: usize = 3;
/// Most times as long.
const GOAL: f64 = 1.2;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Nobody;

impl Nearby for Nobody {
    fn view(&self, _: &ActorId, _: u64, _: u64, _: Option<View>) {}
    fn broadcast(&self, _: &ActorId, _: &Arc<str>, _: Bytes) {}
}

fn main() -> Outcome<()> {
    support::print_machine()?;
    tokio::runtime::Runtime::new()?.block_on(compare())
}

/// A runtime with the reference game over an embedded store, and a clock that is moved.
struct House {
    clock: Clock,
    store: Arc<dyn Store>,
    runtime: Runtime,
    _dir: tempfile::TempDir,
}

impl House {
    fn open() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let clock = Clock::movable();
        let store: Arc<dyn Store> = Arc::new(Embedded::open(dir.path(), clock.clone())?);
        let rules = Arc::new(game::Settings::default());
        let kinds = Kinds::default()
            .with(game::PLAYER, Kind::of::<game::player::Player>(Arc::clone(&rules)))
            .with(game::ROOM, Kind::of::<game::room::Room>(Arc::clone(&rules)))
            .with(game::LEADERBOARD, Kind::of::<game::leaderboard::Leaderboard>(rules));
        let (activities, nearby) = (Activities::default(), Arc::new(Nobody));
        let parts = Parts {
            store: Arc::clone(&store),
            kinds,
            activities,
            nearby,
            clock: clock.clone(),
            fleet: None,
            index: None,
        };
        let runtime = Runtime::start(&Config::default(), parts);
        Ok(Self { clock, store, runtime, _dir: dir })
    }

    /// A new player that does `commands`, logs out and hangs up.
    async fn raise(&self, name: &str, commands: u64) -> Outcome<ActorId> {
        let actor = ActorId::player(&PlayerId::new(name)?);
        let connection = Connection::new(commands, 4096);
        let payload = rmp_serde::to_vec_named(&Opening { name: None, proof: Proof::Open })?;
        let hello = Attach::Hello { payload: payload.into(), creates: true };
        self.runtime.attach(&actor, connection.clone(), hello).await;
        let attached = match connection.next().await {
            Delivery::Attached(attached) => attached,
            other => return Err(format!("not attached but {other:?}").into()),
        };
        for first in (1..=commands).step_by(usize::try_from(WINDOW)?) {
            let last = commands.min(first + WINDOW - 1);
            for id in first..=last {
                let (session, key) = (attached.session, None);
                let (connection, payload) = (commands, heal()?);
                let command = Command { session, connection, id: Some(id), key, payload };
                self.runtime.command(&actor, command).await;
            }
            reply(&connection, last).await?;
            if last % 100_000 < WINDOW {
                println!("{name}: {last} of {commands} commands");
            }
        }
        self.runtime.detach(&actor, commands).await;
        for _ in 0..SINGLES {
            self.act(&actor).await?;
        }
        Ok(actor)
    }

    /// One command, by the service, for a player without a socket.
    async fn act(&self, actor: &ActorId) -> Outcome<()> {
        let call = Call {
            origin: Origin::Service,
            key: None,
            payload: heal()?,
            creates: false,
            signal: false,
        };
        self.runtime.call(actor, call).await?;
        Ok(())
    }

    /// Moves the clock on until every actor has left memory.
    async fn asleep(&self) -> Outcome<()> {
        let began = instant();
        while self.runtime.stats().activations.get() > 0 {
            if began.elapsed() > PATIENCE {
                return Err("actors stay in memory".into());
            }
            self.clock.advance(10_000);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// How long it takes until an absent player has answered, in microseconds.
    async fn activate(&self, actor: &ActorId) -> Outcome<f64> {
        let began = instant();
        self.runtime.query(actor, Bytes::new(), false).await?;
        Ok(micros(began.elapsed()))
    }

    /// Records and bytes that an activation reads now.
    async fn load_size(&self, actor: &ActorId) -> Outcome<(usize, usize)> {
        let loaded = self.store.load(actor, Base::Newest).await?;
        let records: usize = loaded.records.iter().map(|row| row.record.len()).sum();
        let snapshot = loaded.snapshot.map_or(0, |snapshot| snapshot.bytes.len());
        Ok((loaded.records.len(), records + snapshot))
    }
}

fn heal() -> Outcome<Bytes> {
    let verb =
        Verb::ExecuteMove { move_type: MoveType::Heal, target_player_id: None, event_id: None };
    Ok(rmp_serde::to_vec_named(&Request::Verb(verb))?.into())
}

/// Waits for the reply to `id`.
async fn reply(connection: &Connection, id: u64) -> Outcome<()> {
    loop {
        match connection.next().await {
            Delivery::Reply { id: Some(got), outcome } if got == id => {
                outcome.result.map_err(|reject| format!("{reject:?}"))?;
                return Ok(());
            }
            Delivery::Close(why) => return Err(format!("closed: {why:?}").into()),
            _ => {}
        }
    }
}

/// What one round found: times in microseconds, bytes that were read.
#[derive(Default)]
struct Samples {
    young: Vec<f64>,
    old: Vec<f64>,
    young_read: (usize, usize),
    old_read: (usize, usize),
}

async fn round(house: &House, young: &ActorId, old: &ActorId) -> Outcome<Samples> {
    let mut found = Samples::default();
    let worst = |a: (usize, usize), b: (usize, usize)| (a.0.max(b.0), a.1.max(b.1));
    for sample in 0..SAMPLES_PER_ROUND {
        house.act(young).await?;
        house.act(old).await?;
        house.asleep().await?;
        found.young_read = worst(found.young_read, house.load_size(young).await?);
        found.old_read = worst(found.old_read, house.load_size(old).await?);
        // Who is first takes turns.
        if sample % 2 == 0 {
            found.young.push(house.activate(young).await?);
            found.old.push(house.activate(old).await?);
        } else {
            found.old.push(house.activate(old).await?);
            found.young.push(house.activate(young).await?);
        }
    }
    Ok(found)
}

async fn compare() -> Outcome<()> {
    let house = House::open()?;
    let young = house.raise("young", YOUNG_COMMANDS).await?;
    let old = house.raise("old", OLD_COMMANDS).await?;
    println!("activation: claim, load, replay, answer; {SAMPLES_PER_ROUND} samples a round");
    println!("{:>6} {:>10} {:>10} {:>7}  most read", "round", "young p50", "old p50", "ratio");
    let (mut ratios, mut youngs, mut olds) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let found = round(&house, &young, &old).await?;
        let (young, old) = (median(&found.young), median(&found.old));
        let ((records, bytes), (old_records, old_bytes)) = (found.young_read, found.old_read);
        println!(
            "{number:>6} {young:>10.0} {old:>10.0} {:>7.2}  \
             {records} records, {bytes} bytes; {old_records} records, {old_bytes} bytes",
            old / young
        );
        ratios.push(old / young);
        youngs.push(young);
        olds.push(old);
    }
    house.runtime.drain().await;
    support::print_load("at the end");
    let ratio = median(&ratios);
    println!(
        "\n| after {YOUNG_COMMANDS} | after {OLD_COMMANDS} | ratio (least to most) | goal | |"
    );
    println!("|---|---|---|---|---|");
    println!(
        "| {:.0} µs | {:.0} µs | {ratio:.2} ({:.2} to {:.2}) | at most {GOAL} | {} |",
        median(&youngs),
        median(&olds),
        quantile(&ratios, 0.0),
        quantile(&ratios, 1.0),
        verdict(ratio <= GOAL)
    );
    Ok(())
}
