//! I8: cost does not grow with age. An actor after a million commands is loaded from as much as
//! one after a thousand, and a room that a hundred thousand visited from as much as one that
//! twenty did.

use std::sync::Arc;

use holdfast::actor::handle::{Config, Runtime};
use holdfast::clock::Clock;
use holdfast::store::embedded::Embedded;
use holdfast::store::{Base, Store};
use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::ids::{ActorId, RoomId};

use crate::inproc::{Client, SOON, call, player, runtime};

/// Commands that a client has under way at a time.
const WINDOW: u64 = 48;

fn heal() -> Verb {
    Verb::ExecuteMove { move_type: MoveType::Heal, target_player_id: None, event_id: None }
}

pub struct House {
    _dir: tempfile::TempDir,
    pub clock: Clock,
    pub store: Arc<dyn Store>,
    pub runtime: Runtime,
}

pub fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::movable();
    let store: Arc<dyn Store> = Arc::new(Embedded::open(dir.path(), clock.clone()).unwrap());
    let runtime = runtime(Arc::clone(&store), clock.clone(), &Config::default());
    House { _dir: dir, clock, store, runtime }
}

/// Sends `n` commands, a window of them at a time.
async fn act(client: &mut Client, n: u64) {
    for done in (0..n).step_by(usize::try_from(WINDOW).unwrap()) {
        let mut last = 0;
        for _ in 0..WINDOW.min(n - done) {
            last = client.send(&heal()).await;
        }
        assert!(client.reply(last).await.result.is_ok());
    }
}

/// Records and bytes that an activation would read now.
async fn load_size(store: &Arc<dyn Store>, actor: &ActorId) -> (usize, usize) {
    let loaded = store.load(actor, Base::Newest).await.unwrap();
    let records: usize = loaded.records.iter().map(|row| row.record.len()).sum();
    let snapshot = loaded.snapshot.map_or(0, |snapshot| snapshot.bytes.len());
    (loaded.records.len(), records + snapshot)
}

/// The largest load over a whole cycle of snapshots.
pub async fn worst_load(house: &House, client: &mut Client) -> (usize, usize) {
    let mut worst = (0, 0);
    for n in 0..600 {
        assert!(client.command(&heal()).await.result.is_ok());
        if n < 300 {
            // Records of many commands each, from the way here, are still in the journal.
            continue;
        }
        let (records, bytes) = load_size(&house.store, &client.actor).await;
        worst = (worst.0.max(records), worst.1.max(bytes));
    }
    worst
}

pub fn at_most_a_fifth_more(old: usize, young: usize) -> bool {
    old * 5 <= young * 6
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_of_a_million_commands_loads_like_one_of_a_thousand() {
    let house = house();
    let (mut young, _) = Client::hello(&house.runtime, "young").await;
    act(&mut young, 1_000).await;
    let (mut old, _) = Client::hello(&house.runtime, "old").await;
    for tenth in 1..=10 {
        act(&mut old, 100_000).await;
        println!("old: {} of 1,000,000 commands", tenth * 100_000);
    }
    let (young, old) = (worst_load(&house, &mut young).await, worst_load(&house, &mut old).await);
    println!("records and bytes: after 1,000 commands {young:?}, after 1,000,000 {old:?}");
    assert!(at_most_a_fifth_more(old.0, young.0), "records: {old:?} against {young:?}");
    assert!(at_most_a_fifth_more(old.1, young.1), "bytes: {old:?} against {young:?}");
    house.runtime.drain().await;
}

/// Lets `visitors` players go through a room, a few at a time.
async fn visit(house: &House, room: &str, visitors: u64) {
    let join = Verb::JoinRoom { room_id: RoomId::new(room).unwrap() };
    for first in (0..visitors).step_by(16) {
        let group = (first..visitors.min(first + 16)).map(|n| {
            let (runtime, join) = (house.runtime.clone(), join.clone());
            let name = format!("{room}-{n}");
            tokio::spawn(async move {
                let (client, _) = Client::hello(&runtime, &name).await;
                let actor = player(&name);
                call(&runtime, &actor, &join).await.unwrap();
                call(&runtime, &actor, &Verb::LeaveRoom {}).await.unwrap();
                call(&runtime, &actor, &Verb::Logout {}).await.unwrap();
                client.hang_up().await;
            })
        });
        for visitor in group.collect::<Vec<_>>() {
            visitor.await.unwrap();
        }
        if first % 10_000 == 0 {
            println!("{room}: {first} of {visitors} visitors");
        }
    }
}

/// Moves the clock on until every actor has left memory.
async fn asleep(house: &House) {
    let deadline = tokio::time::Instant::now() + 3 * SOON;
    let stats = house.runtime.stats();
    while stats.activations.get() > 0 {
        assert!(tokio::time::Instant::now() < deadline, "actors stay in memory");
        house.clock.advance(1_000);
        tokio::task::yield_now().await;
        house.store.tip(&player("nobody")).await.unwrap();
    }
}

/// What a room is loaded from when its visitors have left and been forgotten.
async fn after_the_rush(house: &House, room: &str, visitors: u64) -> usize {
    visit(house, room, visitors).await;
    asleep(house).await;
    let id = ActorId::room(&RoomId::new(room).unwrap());
    load_size(&house.store, &id).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_a_hundred_thousand_visitors_loads_like_one_of_twenty() {
    let house = house();
    let quiet = after_the_rush(&house, "quiet", 20).await;
    let busy = after_the_rush(&house, "busy", 100_000).await;
    println!("bytes: a room of 20 visitors {quiet}, of 100,000 {busy}");
    assert!(at_most_a_fifth_more(busy, quiet), "{busy} bytes against {quiet}");
    house.runtime.drain().await;
}
