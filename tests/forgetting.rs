//! Actors that come to their end leave nothing behind: no row, no key, no one in memory, whatever
//! becomes of the node or of an answer meanwhile.

mod trades;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use holdfast::actor::activity::Activities;
use holdfast::actor::envelope::CallError;
use holdfast::actor::handle::Runtime;
use holdfast::clock::Clock;
use holdfast::store::Store;
use holdfast::store::durability::Durability;
use holdfast::store::embedded::Embedded;
use holdfast::store::redis::{Options, Redis as RedisStore};
use holdfast_protocol::ids::ActorId;

use crate::houses::City;
use crate::support::redis::{Aof, Redis};
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Order, alone, order, query, start, toy};

/// Actors that end; fewer than a sender may have tells under way.
const MANY: u64 = 100;

fn runtime(store: Arc<dyn Store>, clock: &Clock) -> Runtime {
    start(store, clock, Activities::default(), &alone())
}

async fn end(rt: &Runtime, id: &ActorId) {
    order(rt, id, &Order::End).await.unwrap();
}

/// One who makes many others by telling each of them to end.
async fn end_many(rt: &Runtime, sender: &ActorId) {
    for n in 0..MANY {
        let (to, order_of) = (toy(&format!("short{n}")), Box::new(Order::End));
        order(rt, sender, &Order::Tell { to, order: order_of, creates: true }).await.unwrap();
    }
}

/// Moves the clock on until so many have ended.
async fn ended(rt: &Runtime, clock: &Clock, count: u64) {
    let stats = rt.stats();
    eventually("every actor to end", PATIENCE, async || {
        clock.advance(500);
        (stats.erased.get() == count).then_some(())
    })
    .await;
}

/// Makes and ends many, in several ways.
async fn short_lives(rt: &Runtime, clock: &Clock) {
    end_many(rt, &toy("sender")).await;
    for n in 0..MANY {
        end(rt, &toy(&format!("called{n}"))).await;
    }
    ended(rt, clock, 2 * MANY).await;
    // The one who told them outlives them, and goes too.
    end(rt, &toy("sender")).await;
    ended(rt, clock, 2 * MANY + 1).await;
    assert_eq!(rt.stats().activations.get(), 0);
    let absent = query(rt, &toy("short1"), false).await;
    assert!(matches!(absent, Err(CallError::NoSuchActor)), "{absent:?}");
    assert_eq!(rt.stats().alarms.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_no_row_of_who_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::movable();
    let store: Arc<dyn Store> = Arc::new(Embedded::open(dir.path(), clock.clone()).unwrap());
    let rt = runtime(store, &clock);
    order(&rt, &toy("stays"), &Order::Add(1)).await.unwrap();
    short_lives(&rt, &clock).await;
    let db = rusqlite::Connection::open(dir.path().join("holdfast.db")).unwrap();
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        db.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let counts = ["actor", "journal", "snapshot", "due"].map(count);
    assert_eq!(counts, [1, 1, 0, 0], "only the one that stays");
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_no_key_of_who_has_ended() {
    let redis = Redis::single(Aof::Off).await;
    // The store's clock is the server's own, so that time is not moved here, but short.
    let clock = Clock::system();
    let address = redis.url().parse().expect("an address");
    let options = Options { address, namespace: "hf".into(), level: Durability::Stored };
    let store = RedisStore::open(&options, clock.clone()).await.expect("the server answers");
    let mut config = alone();
    (config.limits.forget_ms, config.limits.ride_ms) = (100, 10);
    let rt = start(Arc::new(store), &clock, Activities::default(), &config);
    let before: u64 = redis.ask(&["DBSIZE"]).await;
    short_lives(&rt, &clock).await;
    let keys: Vec<String> = redis.ask(&["KEYS", "*toy:*"]).await;
    assert_eq!(keys, [""; 0]);
    let after: u64 = redis.ask(&["DBSIZE"]).await;
    assert_eq!(after, before, "nor in an index of those that are listed, or due");
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_knows_nothing_of_the_old_one() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(store.shared(), &clock);
    for life in 1..=3 {
        order(&rt, &toy("a"), &Order::Add(life)).await.unwrap();
        assert_eq!(query(&rt, &toy("a"), true).await.unwrap().sum, life);
        end(&rt, &toy("a")).await;
        ended(&rt, &clock, life).await;
        assert_eq!(store.tip(&toy("a")).await.unwrap(), None);
    }
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_whose_answer_was_lost_is_found_to_be_one() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(store.shared(), &clock);
    Bent::turn(&store.switches().silent_erase, true);
    end(&rt, &toy("a")).await;
    ended(&rt, &clock, 1).await;
    assert_eq!(rt.stats().activations.get(), 0);
    assert_eq!((rt.stats().halted.get(), rt.stats().quarantined.get()), (0, 0));
    order(&rt, &toy("a"), &Order::Add(7)).await.unwrap();
    assert_eq!(query(&rt, &toy("a"), true).await.unwrap().sum, 7, "it is not shut out");
    rt.drain().await;
}

/// Ends some on the node, whose store can't erase them.
async fn held_up(store: &Bent, rt: &Runtime, switch: &AtomicBool) -> Vec<ActorId> {
    Bent::turn(switch, true);
    let all: Vec<_> = (0..10).map(|n| toy(&format!("a{n}"))).collect();
    for id in &all {
        end(rt, id).await;
    }
    assert_eq!(store.actors("toy", None, 100).await.unwrap().len(), all.len());
    all
}

/// Waits until a node has ended so many; the store then has none of them.
async fn none_left(store: &Bent, rt: &Runtime, count: usize) {
    let stats = rt.stats();
    eventually("every actor to end", PATIENCE, async || {
        (stats.erased.get() == count as u64).then_some(())
    })
    .await;
    assert_eq!(store.actors("toy", None, 100).await.unwrap(), []);
    assert_eq!(store.due(0, None, u64::MAX, 9).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_ends_what_a_dead_one_could_not() {
    let city = City::new();
    let switches = city.store.switches();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let all = held_up(&city.store, &one.runtime, &switches.no_erase).await;
    Bent::turn(&switches.no_due, false);
    one.kill();
    two.buries(one.session()).await;
    Bent::turn(&switches.no_erase, false);
    none_left(&city.store, &two.runtime, all.len()).await;
    assert_eq!(two.runtime.stats().adopted.get(), all.len() as u64);
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_ends_what_it_could_not() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(store.shared(), &clock);
    let switches = store.switches();
    let all = held_up(&store, &rt, &switches.no_erase).await;
    rt.drain().await;
    Bent::turn(&switches.no_erase, false);
    let rt = runtime(store.shared(), &clock);
    none_left(&store, &rt, all.len()).await;
    rt.drain().await;
}
